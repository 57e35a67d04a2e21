// The next packet of a connection: see transmit.h.
#include "core/transmit.h"

#include <algorithm>

#include "core/fill.h"
#include "core/gap.h"
#include "core/omit.h"
#include "core/packet.h"
#include "core/path.h"
#include "core/ride.h"
#include "core/wrap.h"

namespace netrt {

namespace {

size_t keepAliveTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                         size_t offset);
size_t farewellTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                        size_t offset);
size_t rawTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                   size_t offset);
size_t payloadTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                       size_t offset);
void tailNote(Connection& connection, int64_t number, uint32_t messages, uint64_t nowUs);
void ackWrite(Connection& connection, Shared& shared, uint64_t nowUs);
void layoutAdd(const Connection& connection, Shared& shared);
void helloAdd(Connection& connection, Shared& shared, SentPacket& packet);
void helloPut(const Connection& connection, Shared& shared);
bool marksAdd(Connection& connection, Shared& shared, SentPacket& packet);
void nacksAdd(Connection& connection, Shared& shared, uint64_t nowUs);
void keepAliveAdd(Connection& connection, Shared& shared, uint64_t nowUs, size_t acksEnd,
                  bool owed);

}  // namespace

size_t connectionTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                          size_t offset) {
  if (connection.state == CONNECTION_FREE) return 0;
  if (connection.state == CONNECTION_CLOSING) {
    return farewellTransmit(connection, shared, nowUs, out, offset);
  }
  if (!connectionReady(connection, connectionDueUs(connection), nowUs)) return 0;
  if (!connection.confirmed && !connection.preceded) {
    connection.preceded = true;
    return keepAliveTransmit(connection, shared, nowUs, out, offset);
  }
  connection.preceded = false;
  return shared.config->raw ? rawTransmit(connection, shared, nowUs, out, offset)
                            : payloadTransmit(connection, shared, nowUs, out, offset);
}

namespace {

// ---- Packets without frames ----

// A NETCODE keep-alive: tells an unconfirmed client its slot, keeps a bare peer alive.
size_t keepAliveTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                         size_t offset) {
  connection.keepAliveUs = std::max(connection.keepAliveUs, KEEP_ALIVE_US);
  omitDue(connection, shared, nowUs);
  const int64_t number = shared.config->raw ? sentUnrecorded(connection.sent)
                                            : sentAdd(connection.sent, nowUs, 0, false)->number;
  const size_t headerBytes = wrapHeader(connection, PACKET_KEEP_ALIVE, number, out, offset);
  Writer& writer = shared.writer;
  writerSet(writer, out, offset + headerBytes, offset + PACKET_BYTES_MAX);
  writeU32(writer, connection.slot);
  writeU32(writer, shared.config->peersMax);
  return wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes,
                  KEEP_ALIVE_BODY_BYTES);
}

// One goodbye: with the reason at first, the standard's bare disconnect at the end.
size_t farewellTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                        size_t offset) {
  if (connection.farewells == 0 || nowUs < connection.farewellDueUs) return 0;
  connection.farewells -= 1;
  connection.farewellDueUs = nowUs + FAREWELL_INTERVAL_US;
  const int64_t number = sentUnrecorded(connection.sent);
  if (connection.farewellsWithReason == 0) {
    const size_t headerBytes = wrapHeader(connection, PACKET_DISCONNECT, number, out, offset);
    return wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes, 0);
  }
  connection.farewellsWithReason -= 1;
  const size_t headerBytes = wrapHeader(connection, PACKET_PAYLOAD, number, out, offset);
  Writer& writer = shared.writer;
  const size_t start = offset + headerBytes;
  writerSet(writer, out, start, start + connection.payloadBytes);
  writeU8(writer, 0);
  if (connection.layout != LAYOUT_NONE) layoutAdd(connection, shared);
  closeWrite(writer, static_cast<uint8_t>(connection.closeReason), connection.closeText,
             connection.closeTextBytes);
  const size_t bodyBytes = writer.offset - start;
  return wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
}

// What the refused channel is here, as much of it as fits, behind a hello: the peer finds
// the mismatch as well, and answers likewise.
void layoutAdd(const Connection& connection, Shared& shared) {
  const Layouts& layouts = shared.layouts;
  Writer& writer = shared.writer;
  const size_t others = LAYOUT_HEADER_BYTES_MAX + 3 + connection.closeTextBytes;
  const size_t helloBytes = HELLO_BYTES + size_t{4} * shared.config->channelCount;
  // A peer of fewer channels may take less than our hello: it once got one that was cut, and called
  // that a violation (test/unit/cramped.test.ts).
  const bool greets = !connection.helloAcked && helloBytes + others <= writer.end - writer.offset;
  if (greets) helloPut(connection, shared);
  const size_t room = writer.end - writer.offset - others;
  const size_t length = layoutLength(layouts, connection.layout);
  const uint32_t count = static_cast<uint32_t>(std::min(length, room));
  if (count > 0) {
    const size_t offset = layoutOffset(layouts, connection.layout);
    layoutWrite(writer, connection.layout, layouts.bytes, offset, count);
  }
}

// Bare NETCODE: the oldest waiting payload as it is, or a keep-alive.
size_t rawTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                   size_t offset) {
  Channel& channel = connection.channels[0];
  const Message* message = channel.fresh;
  if (message == nullptr) return keepAliveTransmit(connection, shared, nowUs, out, offset);
  const int64_t number = sentUnrecorded(connection.sent);
  const size_t headerBytes = wrapHeader(connection, PACKET_PAYLOAD, number, out, offset);
  const uint32_t bodyBytes = message->bytes;
  bodyCopy(shared.outlet->pool, message->body, 0, bodyBytes, out, offset + headerBytes);
  channelPass(channel, *shared.outlet, connection.handle);
  return wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
}

// ---- A payload of frames ----

size_t payloadTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                       size_t offset) {
  omitDue(connection, shared, nowUs);
  const int64_t number = connection.sent.nextNumber;
  const bool moving = nowUs >= connection.path.dueUs;
  const size_t headerBytes = moving ? wrapMoving(connection, number, out, offset)
                                    : wrapHeader(connection, PACKET_PAYLOAD, number, out, offset);
  const size_t start = offset + headerBytes;
  const size_t end = start + connection.payloadBytes - (moving ? PATH_ID_BYTES : 0);
  writerSet(shared.writer, out, start, end);
  const bool owed = connection.received.owed > 0;
  ackWrite(connection, shared, nowUs);
  const size_t acksEnd = shared.writer.offset;
  SentPacket& packet = *sentAdd(connection.sent, nowUs, 0, false);
  packet.reported = connection.received.latest;
  if (moving) pathTell(connection.path, shared.writer, nowUs);
  helloAdd(connection, shared, packet);
  const bool told = marksAdd(connection, shared, packet);
  nacksAdd(connection, shared, nowUs);
  const bool wanted =
      nowUs >= connectionOpenUs(connection) || nowUs >= connectionNewsUs(connection);
  const bool open = wanted && pacingReady(connection.pacing, nowUs);
  const uint32_t messages = open ? messagesFill(connection, shared, packet, nowUs) : 0;
  if (open && !told && messages == 0 && connectionWants(connection)) {
    // A message that does not fit beside a hello, or a pool that is empty: packets without it would
    // follow each other as fast as the budget allows (test/lockstep).
    connection.stalledUntilUs = nowUs + STALL_RETRY_US;
  }
  if (open) tailNote(connection, number, messages, nowUs);
  connection.flushBegun = connection.flushBegun && !open;
  if (!moving) keepAliveAdd(connection, shared, nowUs, acksEnd, owed);
  const size_t bodyBytes = shared.writer.offset - start;
  const size_t bytes =
      wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
  packet.bytes = bytes;
  if (shared.writer.offset > acksEnd) {
    sentEliciting(connection.sent, packet);
    connection.askedUs = nowUs;
    congestionSent(connection.congestion, connection.sent.flightBytes);
    if (shared.config->role == ROLE_CLIENT && connection.session.sending) {
      pathAsk(connection.path, connection.rtt, nowUs);
    }
  }
  return bytes;
}

// The packet is the probe that was due, or may be the last of a burst, which is probed then.
void tailNote(Connection& connection, int64_t number, uint32_t messages, uint64_t nowUs) {
  if (nowUs >= connection.probeDueUs && nowUs >= connectionOpenUs(connection)) {
    connection.probeDueUs = NO_DEADLINE;
    if (messages > 0) connection.probeNumber = number;
  } else if (messages > 0 && connection.probeNumber <= connection.sent.ackedLatest) {
    connection.probeDueUs = nowUs + rttProbeUs(connection.rtt);
  }
}

void ackWrite(Connection& connection, Shared& shared, uint64_t nowUs) {
  Received& received = connection.received;
  AckHeader& header = shared.ackHeader;
  header.present = received.latest >= 0;
  header.bitBytes = 0;
  if (header.present) {
    header.latest = static_cast<uint16_t>(received.latest);
    header.delay = receivedDelay(received, nowUs);
    header.bitBytes = receivedBitBytes(received);
  }
  ackHeaderWrite(shared.writer, header);
  for (uint32_t index = 0; index < header.bitBytes; index++) {
    writeU8(shared.writer, receivedBitByte(received, index));
  }
  received.owed = 0;
}

// Until the peer acked one, every payload starts with a hello.
void helloAdd(Connection& connection, Shared& shared, SentPacket& packet) {
  if (connection.helloAcked) return;
  helloPut(connection, shared);
  packet.hello = true;
  connection.helloInFlight += 1;
}

void helloPut(const Connection& connection, Shared& shared) {
  const HostConfig& config = *shared.config;
  helloWrite(shared.writer, NETRT_VERSION, config.nameHash, config.channelCount,
             config.payloadBytesMax, config.packetRateMax, config.byteRateMax,
             static_cast<uint8_t>(config.suites), connection.session.publicKey);
  for (uint32_t channel = 0; channel < config.channelCount; channel++) {
    writeU32(shared.writer, config.policies[channel].hash);
  }
}

// Notes that the packet carries a channel's id; false when there is no room or no record for it.
bool markCarry(Shared& shared, SentPacket& packet, const Channel& channel, uint8_t kind) {
  if (shared.writer.end - shared.writer.offset < SKIP_BYTES) return false;
  Carried* carried = carriedCreate(shared.outlet->pool);
  if (carried == nullptr) return false;
  carried->kind = kind;
  carried->channel = static_cast<uint8_t>(channel.index);
  carried->id = kind == CARRIED_SKIP ? channelSkipId(channel) : channelMark(channel);
  carried->next = packet.carried;
  packet.carried = carried;
  return true;
}

// Skips, then what our user has consumed; whether one of them was due.
bool marksAdd(Connection& connection, Shared& shared, SentPacket& packet) {
  bool told = false;
  for (uint64_t left = connection.busy; left != 0;) {
    Channel& channel = connectionNextBusy(connection, left);
    const bool due = channelSkipDue(channel);
    // Four bytes in every packet until one is acked: a receiver that doesn't know waits for
    // nothing.
    if (channelHoled(channel) && markCarry(shared, packet, channel, CARRIED_SKIP)) {
      told = told || due;
      channel.skipping = channelSkipId(channel);
      skipWrite(shared.writer, channel.index, channel.skipping);
    }
  }
  for (uint64_t left = connection.busy; left != 0;) {
    Channel& channel = connectionNextBusy(connection, left);
    if (channelWindowDue(channel) && markCarry(shared, packet, channel, CARRIED_WINDOW)) {
      told = true;
      channel.toldId = channelMark(channel);
      windowWrite(shared.writer, channel.index, channel.toldId);
    }
  }
  return told;
}

// The longer a peer is silent, the less often it is asked: one that was gone once got 90 nacks a
// second (test/sim).
uint64_t nackRepeatUs(const Connection& connection, uint64_t nowUs) {
  const uint64_t silenceUs = nowUs - connection.heardUs;
  const uint64_t repeatUs = std::max(rttReorderUs(connection.rtt), NACK_REPEAT_MIN_US);
  return std::max(repeatUs, silenceUs / NACK_SILENCE_PART);
}

// Names what is missing. A nack that is lost is followed by the next.
void nacksAdd(Connection& connection, Shared& shared, uint64_t nowUs) {
  Writer& writer = shared.writer;
  for (uint64_t left = connection.busy; left != 0;) {
    Channel& channel = connectionNextBusy(connection, left);
    const bool due = nowUs >= channel.nackDueUs || gapUrgent(channel);
    if (!due || writer.end - writer.offset < NACK_BYTES_MAX) continue;
    const uint32_t bytes = gapMissing(channel, shared.nackBits, 0);
    nackWrite(writer, channel.index, channel.expectedId, bytes);
    writeBytes(writer, shared.nackBits, 0, bytes);
    channel.nackDueUs = nowUs + nackRepeatUs(connection, nowUs);
  }
}

// Idle: a ping, which the peer acks. Busy: the next silence may be short again.
void keepAliveAdd(Connection& connection, Shared& shared, uint64_t nowUs, size_t acksEnd,
                  bool owed) {
  if (shared.writer.offset > acksEnd) {
    connection.keepAliveUs = KEEP_ALIVE_US;
    return;
  }
  // Where acks alone go out and none of them arrives, nothing would ever decide them: without
  // numbers left, the connection fell silent for good (test/unit/connection.test.ts).
  if (connection.sent.eliciting == 0 && sentInFlight(connection.sent) > UNASKED_MAX) {
    pingWrite(shared.writer);
    return;
  }
  // An ack that is owed says as much as a ping, and asks for none: of two quiet ends one pings.
  if (owed || nowUs < connectionSpeakUs(connection)) return;
  pingWrite(shared.writer);
  const uint64_t quarter = connection.timeoutUs / 4;
  connection.keepAliveUs = std::min({2 * connection.keepAliveUs, KEEP_ALIVE_IDLE_US, quarter});
}

}  // namespace

// ---- To another address ----

size_t challengeTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                         size_t offset) {
  if (!sentReady(connection.sent)) return 0;
  omitDue(connection, shared, nowUs);
  // What becomes of it says nothing of the way to the peer: it asks the record for no ack.
  SentPacket& packet = *sentAdd(connection.sent, nowUs, 0, false);
  const int64_t number = packet.number;
  const size_t headerBytes = wrapHeader(connection, PACKET_PAYLOAD, number, out, offset);
  const size_t start = offset + headerBytes;
  writerSet(shared.writer, out, start, start + connection.payloadBytes);
  writeU8(shared.writer, 0);
  pathWrite(shared.writer, FRAME_CHALLENGE, connection.path.proof);
  const size_t bodyBytes = shared.writer.offset - start;
  packet.bytes = wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
  return packet.bytes;
}

}  // namespace netrt
