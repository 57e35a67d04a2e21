// The effects of a packet: see receive.h.
#include "core/receive.h"

#include <algorithm>
#include <cstring>

#include "core/advance.h"
#include "core/delivery.h"
#include "core/ending.h"
#include "core/gap.h"
#include "core/move.h"
#include "core/omit.h"
#include "core/packet.h"
#include "core/payload.h"
#include "core/repair.h"
#include "core/sequence.h"
#include "core/stats.h"
#include "core/window.h"

namespace netrt {

namespace {

constexpr char TEXT_PAYLOAD[] = "malformed payload";
constexpr char TEXT_NUMBER[] = "packet number out of range";
constexpr char TEXT_ACK[] = "ack of a packet never sent";
constexpr char TEXT_MESSAGE[] = "message id out of range";
constexpr char TEXT_HELLO[] = "message before hello";
constexpr char TEXT_PATH[] = "path frame of the other side";
constexpr uint8_t NO_TEXT[1] = {};
constexpr char TEXT_KEY[] = "public key of low order";

// Bytes of the longest text about a difference: "channel 63".
constexpr size_t DIFFERENCE_BYTES_MAX = 10;

int violate(Connection& connection, Shared& shared, const char* text, int reason, uint64_t nowUs);
int rawReceive(Connection& connection, Shared& shared, const uint8_t* bytes, size_t offset,
               size_t bodyBytes);
int payloadReceive(Connection& connection, Shared& shared, int64_t number, const uint8_t* bytes,
                   size_t offset, size_t bodyBytes, uint64_t receivedUs, uint64_t nowUs);
int layoutReceive(Connection& connection, Shared& shared, const uint8_t* bytes, size_t offset,
                  size_t bodyBytes);
void layoutFind(Connection& connection, Shared& shared, Reader& reader, Frame& frame);
bool framesReceive(Connection& connection, Shared& shared, Reader& reader, Frame& frame,
                   uint64_t nowUs);
bool channelFrame(Connection& connection, Shared& shared, const Reader& reader, uint8_t kind,
                  const Frame& frame, bool holds, uint64_t nowUs);
uint32_t nackReceive(Connection& connection, Shared& shared, Channel& channel, const Reader& reader,
                     const Frame& frame, uint64_t nowUs);
void helloReceive(Connection& connection, Shared& shared, Reader& reader, const Frame& frame,
                  uint64_t nowUs);
size_t helloDifference(Connection& connection, const Shared& shared, Reader& reader,
                       const Frame& frame, char* text);

}  // namespace

int connectionReceive(Connection& connection, Shared& shared, uint8_t type, uint64_t sequence,
                      const uint8_t* bytes, size_t offset, size_t bodyBytes, uint64_t receivedUs,
                      uint64_t nowUs) {
  uint32_t* page = shared.outlet->page;
  const size_t row = statsPeerWord(connection.slot);
  page[row + PEER_PACKETS_RECEIVED] += 1;
  statsAdd(page, row + PEER_BYTES_RECEIVED, static_cast<uint32_t>(bodyBytes));
  connection.heardUs = nowUs;
  // What was acked is handed over before more is taken: a goodbye would end it undelivered.
  if (connection.heldUp && !connectionRelease(connection, shared)) return REJECT_MEMORY;
  if (type == PACKET_DISCONNECT) {
    connectionDone(connection, shared, REASON_DISCONNECTED);
    return REJECT_NONE;
  }
  if (connection.state == CONNECTION_CLOSING) {
    return connection.awaiting && type == PACKET_PAYLOAD
               ? layoutReceive(connection, shared, bytes, offset, bodyBytes)
               : REJECT_STATE;
  }
  connection.confirmed = true;
  if (shared.config->raw) {
    return type == PACKET_KEEP_ALIVE ? REJECT_NONE
                                     : rawReceive(connection, shared, bytes, offset, bodyBytes);
  }
  // Higher numbers are the standard's to use, but not ours: a netrt peer never gets there.
  if (sequence > SEQUENCE_MAX) {
    return violate(connection, shared, TEXT_NUMBER, REJECT_PAYLOAD, nowUs);
  }
  const int64_t number = static_cast<int64_t>(sequence);
  if (type == PACKET_KEEP_ALIVE) {
    receivedAdd(connection.received, number, receivedUs, false, connection.sent.nextNumber);
    return REJECT_NONE;
  }
  return payloadReceive(connection, shared, number, bytes, offset, bodyBytes, receivedUs, nowUs);
}

namespace {

int violate(Connection& connection, Shared& shared, const char* text, int reason, uint64_t nowUs) {
  connectionClose(connection, shared, REASON_VIOLATION, reinterpret_cast<const uint8_t*>(text), 0,
                  static_cast<uint32_t>(std::strlen(text)), nowUs);
  return reason;
}

// Bare NETCODE: the payload is the user's.
int rawReceive(Connection& connection, Shared& shared, const uint8_t* bytes, size_t offset,
               size_t bodyBytes) {
  Ring& completion = shared.outlet->completion;
  const uint32_t count = static_cast<uint32_t>(bodyBytes);
  const int32_t word = ringPush(completion, RECORD_MESSAGE, count);
  if (word == NO_ROOM) return REJECT_MEMORY;
  uint32_t* words = completion.words + word;
  words[1] = connection.handle;
  words[2] = 0;
  words[4] = 0;
  words[5] = 0;
  std::memcpy(words + RECORD_WORDS, bytes + offset, bodyBytes);
  statsAdd(shared.outlet->page, statsChannelWord(0, CHANNEL_RECEIVED), 1);
  statsAdd(shared.outlet->page, statsChannelWord(0, CHANNEL_BYTES_RECEIVED), count);
  return REJECT_NONE;
}

// Checks a payload as a whole, then reads its ack header; false where it is malformed.
bool payloadBegin(const Connection& connection, Shared& shared, const uint8_t* bytes, size_t offset,
                  size_t end) {
  Reader& reader = shared.reader;
  Frame& frame = shared.frame;
  frame.payloadBytes = connection.payloadBytes;
  if (!payloadCheck(reader, shared.ackHeader, frame, bytes, offset, end,
                    shared.config->channelCount)) {
    return false;
  }
  readerSet(reader, bytes, offset, end);
  ackHeaderRead(reader, shared.ackHeader);
  frame.payloadBytes = connection.payloadBytes;
  frame.ageMs = 0;
  return true;
}

int payloadReceive(Connection& connection, Shared& shared, int64_t number, const uint8_t* bytes,
                   size_t offset, size_t bodyBytes, uint64_t receivedUs, uint64_t nowUs) {
  Reader& reader = shared.reader;
  AckHeader& ackHeader = shared.ackHeader;
  Frame& frame = shared.frame;
  const size_t end = offset + bodyBytes;
  if (!payloadBegin(connection, shared, bytes, offset, end)) {
    return violate(connection, shared, TEXT_PAYLOAD, REJECT_PAYLOAD, nowUs);
  }
  Sent& sent = connection.sent;
  int64_t latest = 0;
  if (ackHeader.present) {
    latest = sequenceExpand16(ackHeader.latest, static_cast<uint64_t>(sent.nextNumber));
    const int64_t lowest = acksLowest(latest, bytes, ackHeader.bitsOffset, ackHeader.bitBytes);
    const bool unsent = lowest < sent.firstNumber || latest >= sent.nextNumber;
    if (unsent || omitAcked(sent, latest, bytes, ackHeader.bitsOffset, ackHeader.bitBytes)) {
      return violate(connection, shared, TEXT_ACK, REJECT_ACK_UNSENT, nowUs);
    }
  }
  const bool eliciting = reader.offset < end;
  if (ackHeader.present) {
    const bool sampled =
        acksReceive(sent, connection.received, connection.rtt, latest, ackHeader.delay, bytes,
                    ackHeader.bitsOffset, ackHeader.bitBytes, receivedUs);
    pathAcked(connection.path, sent.ackedLatest);
    connectionVerdicts(connection, shared, nowUs);
    connectionCongestion(connection, sampled, nowUs);
  }
  // What finds its place takes effect even when something of the packet does not: acks, skips and
  // messages in their turn release the memory that is missing, and ends that refused them to each
  // other would wait until everything expired, or for ever.
  if (!framesReceive(connection, shared, reader, frame, nowUs)) return REJECT_MEMORY;
  receivedAdd(connection.received, number, receivedUs, eliciting, sent.nextNumber);
  return REJECT_NONE;
}

// After a mismatch nothing counts but what the peer says of the channel that differs.
int layoutReceive(Connection& connection, Shared& shared, const uint8_t* bytes, size_t offset,
                  size_t bodyBytes) {
  if (!payloadBegin(connection, shared, bytes, offset, offset + bodyBytes)) return REJECT_PAYLOAD;
  layoutFind(connection, shared, shared.reader, shared.frame);
  return REJECT_STATE;
}

// Looks through the frames that are left.
void layoutFind(Connection& connection, Shared& shared, Reader& reader, Frame& frame) {
  for (uint8_t kind = frameNext(reader, frame); kind != FRAME_END;
       kind = frameNext(reader, frame)) {
    if (kind == FRAME_LAYOUT && frame.channel == connection.layout) {
      connectionTold(connection, shared, reader.bytes, frame.offset, frame.bytes);
    }
  }
}

// Whether what comes before its turn may be held: some memory stays for sending, whoever sends
// gaps.
bool mayHold(const Shared& shared) {
  const HostConfig& config = *shared.config;
  const Pool& pool = shared.outlet->pool;
  return pool.messagesFree >= MESSAGES_PER_PACKET_MAX + config.messageCount / HOLD_RESERVE_PART &&
         pool.chunksFree >= HOLD_CHUNKS + config.chunkCount / HOLD_RESERVE_PART;
}

bool framesReceive(Connection& connection, Shared& shared, Reader& reader, Frame& frame,
                   uint64_t nowUs) {
  const bool holds = mayHold(shared);
  bool held = true;
  // An ack can end a drain, and then nothing of the packet comes after the end: what it
  // still carried once reached the user behind the end's report (test/lockstep).
  while (connection.state != CONNECTION_CLOSING) {
    const uint8_t kind = frameNext(reader, frame);
    if (kind == FRAME_END) return held;
    if (kind == FRAME_HELLO) {
      helloReceive(connection, shared, reader, frame, nowUs);
    } else if (kind == FRAME_CLOSE) {
      connectionPeerClosed(connection, shared, frame.code, reader.bytes, frame.offset, frame.bytes,
                           nowUs);
    } else if (kind == FRAME_CHALLENGE || kind == FRAME_RESPONSE) {
      const bool asked = kind == FRAME_CHALLENGE;
      if (!connectionProof(connection, shared, asked, reader.bytes, frame.offset, nowUs)) {
        violate(connection, shared, TEXT_PATH, REJECT_PAYLOAD, nowUs);
      }
    } else if (kind != FRAME_PING && kind != FRAME_AGE && kind != FRAME_LAYOUT) {
      held = channelFrame(connection, shared, reader, kind, frame, holds, nowUs) && held;
      frame.ageMs = 0;
    }
  }
  if (connection.awaiting) layoutFind(connection, shared, reader, frame);
  return held;
}

// False when a message found no memory to be held in.
bool channelFrame(Connection& connection, Shared& shared, const Reader& reader, uint8_t kind,
                  const Frame& frame, bool holds, uint64_t nowUs) {
  if (connection.state == CONNECTION_GREETING) {
    violate(connection, shared, TEXT_HELLO, REJECT_PAYLOAD, nowUs);
    return true;
  }
  Channel& channel = connection.channels[frame.channel];
  connectionBusy(connection, frame.channel);
  Outlet& outlet = *shared.outlet;
  uint32_t result;
  if (kind == FRAME_NACK) {
    result = nackReceive(connection, shared, channel, reader, frame, nowUs);
  } else if (kind == FRAME_SKIP) {
    result = deliverySkip(channel, outlet, connection.handle, frame.id);
  } else if (kind == FRAME_WINDOW) {
    result = channelConsumed(channel, frame.id) ? RECEIVE_OK : RECEIVE_VIOLATION;
  } else {
    result = deliveryReceive(channel, outlet, connection.handle, frame, reader.bytes, holds, nowUs);
  }
  gapUpdate(channel, nowUs, connectionNackDelayUs(connection), connection.rtt.smoothedUs / 2);
  connection.heldUp = connection.heldUp || result == RECEIVE_HELD;
  if (result == RECEIVE_VIOLATION) {
    violate(connection, shared, TEXT_MESSAGE, REJECT_PAYLOAD, nowUs);
  }
  return result != RECEIVE_REFUSED;
}

uint32_t nackReceive(Connection& connection, Shared& shared, Channel& channel, const Reader& reader,
                     const Frame& frame, uint64_t nowUs) {
  const bool lawful =
      channelNacked(channel, *shared.outlet, connection.handle, frame.id, reader.bytes,
                    frame.offset, frame.bytes, nowUs, connection.rtt.smoothedUs);
  connectionBroken(connection, shared, nowUs);
  return lawful ? RECEIVE_OK : RECEIVE_VIOLATION;
}

// What the peer takes bounds what it gets: a client may dictate rate and size.
void limitsReceive(Connection& connection, const Frame& frame, uint64_t nowUs) {
  connection.payloadBytes = frame.payloadBytes;
  if (frame.byteRateMax > 0) {
    connection.rateMax = std::min(connection.rateMax, std::max(frame.byteRateMax, PACING_RATE_MIN));
  }
  connection.packetRateMax = frame.packetRateMax;
  connectionRates(connection, nowUs);
}

// Compares the peer's protocol with ours; a difference is named and refused.
void helloReceive(Connection& connection, Shared& shared, Reader& reader, const Frame& frame,
                  uint64_t nowUs) {
  if (connection.state != CONNECTION_GREETING && frame.code == NETRT_VERSION) return;
  char text[DIFFERENCE_BYTES_MAX];
  const size_t textBytes = helloDifference(connection, shared, reader, frame, text);
  if (textBytes == 0) {
    limitsReceive(connection, frame, nowUs);
    const uint32_t problem =
        sessionDerive(connection, shared, frame.suites, reader.bytes, frame.keyOffset);
    if (problem == REASON_RESOURCES) {
      connectionClose(connection, shared, problem, NO_TEXT, 0, 0, nowUs);
    } else if (problem != 0) {
      violate(connection, shared, TEXT_KEY, REJECT_PAYLOAD, nowUs);
    } else {
      connectionOpen(connection, shared);
    }
    return;
  }
  statsAdd(shared.outlet->page, statsHostWord(HOST_MISMATCHES), 1);
  connection.payloadBytes = frame.payloadBytes;
  connectionClose(connection, shared, REASON_MISMATCH, reinterpret_cast<const uint8_t*>(text), 0,
                  static_cast<uint32_t>(textBytes), nowUs);
}

size_t put(char* text, size_t length, const char* more) {
  const size_t count = std::strlen(more);
  std::memcpy(text + length, more, count);
  return length + count;
}

size_t putNumber(char* text, size_t length, uint32_t number) {
  if (number >= 10) length = putNumber(text, length, number / 10);
  text[length] = static_cast<char>('0' + number % 10);
  return length + 1;
}

// Writes what differs, in the words of a close; its bytes, or 0 where nothing does. `layout`
// becomes the channel in which it does.
size_t helloDifference(Connection& connection, const Shared& shared, Reader& reader,
                       const Frame& frame, char* text) {
  const HostConfig& config = *shared.config;
  if (frame.code != NETRT_VERSION) return put(text, 0, "version");
  if (frame.nameHash != config.nameHash) return put(text, 0, "name");
  if (frame.channelCount != config.channelCount) {
    connection.layout = LAYOUT_CHANNELS;
    return put(text, 0, "channels");
  }
  const size_t rest = reader.offset;
  reader.offset = frame.offset;
  size_t length = 0;
  for (uint32_t channel = 0; channel < config.channelCount; channel++) {
    if (readU32(reader) != config.policies[channel].hash && length == 0) {
      length = putNumber(text, put(text, 0, "channel "), channel);
      connection.layout = channel;
    }
  }
  reader.offset = rest;
  return length;
}

}  // namespace

}  // namespace netrt
