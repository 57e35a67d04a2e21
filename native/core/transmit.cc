// The next packet of a connection: see transmit.h.
#include "core/transmit.h"

#include <algorithm>

#include "core/gap.h"
#include "core/packet.h"
#include "core/plan.h"
#include "core/stats.h"

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
void ackWrite(Connection& connection, Shared& shared, uint64_t nowUs);
void helloAdd(Connection& connection, Shared& shared, SentPacket& packet);
void skipsAdd(Connection& connection, Shared& shared, SentPacket& packet);
void nacksAdd(Connection& connection, Shared& shared, uint64_t nowUs);
void messagesAdd(Connection& connection, Shared& shared, SentPacket& packet, uint64_t nowUs);
void ranksPlan(Connection& connection, Shared& shared);
void planWrite(Connection& connection, Shared& shared, SentPacket& packet, uint64_t nowUs);
bool messageAdd(Connection& connection, Shared& shared, SentPacket& packet, Message& message,
                uint64_t nowUs);
void copiesSchedule(Connection& connection, bool first, uint64_t nowUs);
void keepAliveAdd(Connection& connection, Shared& shared, uint64_t nowUs, size_t acksEnd);

}  // namespace

size_t connectionTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                          size_t offset) {
  if (connection.state == CONNECTION_FREE) return 0;
  if (connection.state == CONNECTION_CLOSING) {
    return farewellTransmit(connection, shared, nowUs, out, offset);
  }
  if (!connectionReady(connection, nowUs)) return 0;
  if (!connection.confirmed && !connection.preceded) {
    connection.preceded = true;
    return keepAliveTransmit(connection, shared, nowUs, out, offset);
  }
  connection.preceded = false;
  return shared.config->raw ? rawTransmit(connection, shared, nowUs, out, offset)
                            : payloadTransmit(connection, shared, nowUs, out, offset);
}

// ---- Sealing ----

namespace {

size_t headerWrite(uint8_t type, int64_t number, uint8_t* out, size_t offset) {
  return packetHeaderWrite(type, static_cast<uint64_t>(number), out, offset);
}

// Seals a packet whose body of so many bytes stands behind its header; the packet's bytes.
size_t seal(Connection& connection, Shared& shared, int64_t number, uint64_t nowUs, uint8_t* out,
            size_t offset, size_t headerBytes, size_t bodyBytes) {
  packetAssociatedData(shared.config->protocolId, out[offset], shared.associated);
  const int sealedBytes =
      sealPacket(connection.sendKey, static_cast<uint64_t>(number), shared.associated,
                 PACKET_ASSOCIATED_BYTES, out, offset + headerBytes, bodyBytes);
  // A cipher that fails sends nothing; the number is used up all the same.
  if (sealedBytes < 0) return 0;
  const size_t bytes = headerBytes + static_cast<size_t>(sealedBytes);
  const size_t row = statsPeerWord(connection.slot);
  uint32_t* page = shared.outlet->page;
  page[row + PEER_PACKETS_SENT] += 1;
  statsAdd(page, row + PEER_BYTES_SENT, static_cast<uint32_t>(bytes));
  pacingSpend(connection.pacing, static_cast<uint32_t>(bytes));
  connection.spokenUs = nowUs;
  return bytes;
}

// ---- Packets without frames ----

// A NETCODE keep-alive: tells an unconfirmed client its slot, keeps a bare peer alive.
size_t keepAliveTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                         size_t offset) {
  connection.keepAliveUs = std::max(connection.keepAliveUs, KEEP_ALIVE_US);
  const int64_t number = shared.config->raw ? sentUnrecorded(connection.sent)
                                            : sentAdd(connection.sent, nowUs, 0, false)->number;
  const size_t headerBytes = headerWrite(PACKET_KEEP_ALIVE, number, out, offset);
  Writer& writer = shared.writer;
  writerSet(writer, out, offset + headerBytes, offset + PACKET_BYTES_MAX);
  writeU32(writer, connection.slot);
  writeU32(writer, shared.config->peersMax);
  return seal(connection, shared, number, nowUs, out, offset, headerBytes, KEEP_ALIVE_BODY_BYTES);
}

// One goodbye: with the reason at first, the standard's bare disconnect at the end.
size_t farewellTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                        size_t offset) {
  if (connection.farewells == 0 || nowUs < connection.farewellDueUs) return 0;
  connection.farewells -= 1;
  connection.farewellDueUs = nowUs + FAREWELL_INTERVAL_US;
  const int64_t number = sentUnrecorded(connection.sent);
  if (connection.farewellsWithReason == 0) {
    const size_t headerBytes = headerWrite(PACKET_DISCONNECT, number, out, offset);
    return seal(connection, shared, number, nowUs, out, offset, headerBytes, 0);
  }
  connection.farewellsWithReason -= 1;
  const size_t headerBytes = headerWrite(PACKET_PAYLOAD, number, out, offset);
  Writer& writer = shared.writer;
  const size_t start = offset + headerBytes;
  writerSet(writer, out, start, offset + PACKET_BYTES_MAX);
  writeU8(writer, 0);
  closeWrite(writer, static_cast<uint8_t>(connection.closeReason), connection.closeText,
             connection.closeTextBytes);
  const size_t bodyBytes = writer.offset - start;
  return seal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
}

// Bare NETCODE: the oldest waiting payload as it is, or a keep-alive.
size_t rawTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                   size_t offset) {
  Channel& channel = connection.channels[0];
  const Message* message = channel.fresh;
  if (message == nullptr) return keepAliveTransmit(connection, shared, nowUs, out, offset);
  const int64_t number = sentUnrecorded(connection.sent);
  const size_t headerBytes = headerWrite(PACKET_PAYLOAD, number, out, offset);
  const uint32_t bodyBytes = message->bytes;
  bodyCopy(shared.outlet->pool, message->body, bodyBytes, out, offset + headerBytes);
  channelPass(channel, *shared.outlet, connection.handle);
  return seal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
}

// ---- A payload of frames ----

size_t payloadTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                       size_t offset) {
  const int64_t number = connection.sent.nextNumber;
  const size_t headerBytes = headerWrite(PACKET_PAYLOAD, number, out, offset);
  const size_t start = offset + headerBytes;
  const size_t end = start + shared.config->payloadBytesMax;
  writerSet(shared.writer, out, start, end);
  ackWrite(connection, shared, nowUs);
  const size_t acksEnd = shared.writer.offset;
  SentPacket& packet = *sentAdd(connection.sent, nowUs, 0, false);
  packet.reported = connection.received.latest;
  helloAdd(connection, shared, packet);
  skipsAdd(connection, shared, packet);
  nacksAdd(connection, shared, nowUs);
  messagesAdd(connection, shared, packet, nowUs);
  if (packet.carried == nullptr && connectionWants(connection)) {
    // A message that does not fit beside a hello, or a pool that is empty: packets without it would
    // follow each other as fast as the budget allows (test/lockstep).
    connection.stalledUntilUs = nowUs + STALL_RETRY_US;
  }
  keepAliveAdd(connection, shared, nowUs, acksEnd);
  const size_t bodyBytes = shared.writer.offset - start;
  const size_t bytes = seal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
  packet.bytes = bytes;
  if (shared.writer.offset > acksEnd) {
    packet.eliciting = true;
    connection.sent.eliciting += 1;
  }
  return bytes;
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
  const HostConfig& config = *shared.config;
  helloWrite(shared.writer, NETRT_VERSION, config.nameHash, config.channelCount);
  for (uint32_t channel = 0; channel < config.channelCount; channel++) {
    writeU32(shared.writer, config.policies[channel].hash);
  }
  packet.hello = true;
  connection.helloInFlight += 1;
}

void skipsAdd(Connection& connection, Shared& shared, SentPacket& packet) {
  for (uint32_t index = 0; index < connection.channelCount; index++) {
    Channel& channel = connection.channels[index];
    if (!channelSkipDue(channel)) continue;
    Carried* carried = carriedCreate(shared.outlet->pool);
    if (carried == nullptr) return;
    carried->channel = static_cast<uint8_t>(channel.index);
    carried->skipId = channelSkipId(channel);
    carried->next = packet.carried;
    packet.carried = carried;
    channel.skipping = carried->skipId;
    skipWrite(shared.writer, channel.index, carried->skipId);
  }
}

// Names what is missing. A nack that is lost is followed by the next.
void nacksAdd(Connection& connection, Shared& shared, uint64_t nowUs) {
  Writer& writer = shared.writer;
  for (uint32_t index = 0; index < connection.channelCount; index++) {
    Channel& channel = connection.channels[index];
    if (nowUs < channel.nackDueUs || writer.end - writer.offset < NACK_BYTES_MAX) continue;
    const uint32_t bytes = gapMissing(channel, shared.nackBits, 0);
    nackWrite(writer, channel.index, channel.expectedId, bytes);
    writeBytes(writer, shared.nackBits, 0, bytes);
    channel.nackDueUs = nowUs + std::max(rttReorderUs(connection.rtt), NACK_REPEAT_MIN_US);
  }
}

// Chooses messages by rank, then writes them by channel and age, oldest first.
void messagesAdd(Connection& connection, Shared& shared, SentPacket& packet, uint64_t nowUs) {
  Plan& plan = shared.plan;
  planReset(plan, shared.writer.end - shared.writer.offset);
  if (shared.outlet->pool.carriedsFree < MESSAGES_PER_PACKET_MAX + CHANNELS_MAX) {
    copiesSchedule(connection, false, nowUs);
    return;
  }
  Channel* channels = connection.channels;
  const uint32_t* order = shared.config->channelOrder;
  const uint32_t* end = order + connection.channelCount;
  for (const uint32_t* index = order; index < end; index++) {
    if (channels[*index].policy->order == ORDER_SEQUENCED) channelPlanFresh(channels[*index], plan);
  }
  bool stuck = false;
  for (const uint32_t* index = order; index < end; index++) {
    stuck = stuck || channelStuck(channels[*index]);
  }
  if (stuck) {
    for (const uint32_t* index = order; index < end; index++) {
      channelPlanHead(channels[*index], plan);
    }
  } else {
    ranksPlan(connection, shared);
  }
  planWrite(connection, shared, packet, nowUs);
}

// What rides in the room that the newest real-time messages leave.
void ranksPlan(Connection& connection, Shared& shared) {
  Plan& plan = shared.plan;
  Channel* channels = connection.channels;
  const uint32_t* order = shared.config->channelOrder;
  const uint32_t* end = order + connection.channelCount;
  for (const uint32_t* index = order; index < end; index++) {
    if (channels[*index].policy->copiesForced) channelPlanCopies(channels[*index], plan);
  }
  for (const uint32_t* index = order; index < end; index++) {
    channelPlanResends(channels[*index], plan);
  }
  for (const uint32_t* index = order; index < end; index++) {
    if (channels[*index].policy->order != ORDER_SEQUENCED) channelPlanFresh(channels[*index], plan);
  }
  for (const uint32_t* index = order; index < end; index++) {
    channelPlanCopies(channels[*index], plan);
  }
}

void planWrite(Connection& connection, Shared& shared, SentPacket& packet, uint64_t nowUs) {
  Plan& plan = shared.plan;
  Writer& writer = shared.writer;
  size_t last = 0;
  uint32_t lastBytes = 0;
  bool first = false;
  for (uint32_t index = 0; index < plan.count; index++) {
    Message& message = *plan.messages[index];
    plan.messages[index] = nullptr;
    last = writer.offset;
    lastBytes = message.bytes;
    first = messageAdd(connection, shared, packet, message, nowUs) || first;
  }
  if (plan.count > 0) messageShorten(writer, last, lastBytes);
  copiesSchedule(connection, first, nowUs);
  if (first) {
    for (uint32_t index = 0; index < connection.channelCount; index++) {
      channelTrim(connection.channels[index], *shared.outlet, connection.handle);
    }
  }
}

// Writes one message into the payload; true when it rides for the first time.
bool messageAdd(Connection& connection, Shared& shared, SentPacket& packet, Message& message,
                uint64_t nowUs) {
  Outlet& outlet = *shared.outlet;
  Writer& writer = shared.writer;
  Channel& channel = connection.channels[message.channel];
  const uint32_t bytes = message.bytes;
  const uint32_t body = message.body;
  Carried* carried = carriedCreate(outlet.pool);
  if (carried == nullptr) return false;
  carried->message = &message;
  carried->channel = static_cast<uint8_t>(channel.index);
  carried->next = packet.carried;
  packet.carried = carried;
  const int64_t id = message.sent ? message.id : channel.nextId;
  messageHeadWrite(writer, channel.index, id, bytes);
  bodyCopy(outlet.pool, body, bytes, writer.bytes, writer.offset);
  writer.offset += bytes;
  const uint32_t ride = channelCarried(channel, outlet, message, connection.sent.lossShare, nowUs);
  statsAdd(outlet.page, statsChannelWord(channel.index, CHANNEL_BYTES_SENT), bytes);
  const size_t row = statsPeerWord(connection.slot);
  if (ride == RIDE_RESEND) {
    statsAdd(outlet.page, statsChannelWord(channel.index, CHANNEL_RESENT), 1);
    outlet.page[row + PEER_RESENT] += 1;
  } else if (ride == RIDE_COPY) {
    statsAdd(outlet.page, statsChannelWord(channel.index, CHANNEL_COPIES), 1);
    statsAdd(outlet.page, row + PEER_COPY_BYTES, bytes);
  }
  return ride == RIDE_FIRST;
}

// A copy that finds no packet to ride in gets one of its own, a little later than the next is due
//
void copiesSchedule(Connection& connection, bool first, uint64_t nowUs) {
  if (first) {
    connection.streamIntervalUs =
        connection.streamUs == 0 ? NO_DEADLINE : nowUs - connection.streamUs;
    connection.streamUs = nowUs;
  }
  uint32_t copying = 0;
  for (uint32_t index = 0; index < connection.channelCount; index++) {
    copying += connection.channels[index].copying;
  }
  if (copying == 0) {
    connection.copyDueUs = NO_DEADLINE;
    return;
  }
  const uint64_t interval = connection.streamIntervalUs;
  const bool steady = interval <= COPY_DELAY_MAX_US;
  const uint64_t delay =
      steady ? std::min(std::max(interval + interval / 2, COPY_DELAY_MIN_US), COPY_DELAY_MAX_US)
             : COPY_DELAY_LONE_US;
  connection.copyDueUs = nowUs + delay;
}

// Idle: a ping, which the peer acks. Busy: the next silence may be short again.
void keepAliveAdd(Connection& connection, Shared& shared, uint64_t nowUs, size_t acksEnd) {
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
  if (nowUs < connection.spokenUs + connection.keepAliveUs) return;
  pingWrite(shared.writer);
  const uint64_t quarter = connection.timeoutUs / 4;
  connection.keepAliveUs = std::min({2 * connection.keepAliveUs, KEEP_ALIVE_IDLE_US, quarter});
}

}  // namespace

}  // namespace netrt
