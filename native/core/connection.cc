// One peer with a slot: see connection.h.
#include "core/connection.h"

#include <algorithm>
#include <cstring>

#include "core/gap.h"
#include "core/omit.h"
#include "core/settle.h"
#include "core/stats.h"

namespace netrt {

namespace {

constexpr uint32_t HANDLE_STEP = 0x10000;

}  // namespace

void connectionQuiet(Connection& connection) {
  for (uint64_t left = connection.busy; left != 0;) {
    const Channel& channel = connectionNextBusy(connection, left);
    if (channelIdle(channel)) connection.busy &= ~(uint64_t{1} << channel.index);
  }
}

// ---- The beginning ----

void connectionAssign(Connection& connection, Shared& shared, const uint8_t* sendKey,
                      size_t sendKeyOffset, const uint8_t* receiveKey, size_t receiveKeyOffset,
                      int64_t firstNumber, uint64_t timeoutUs, uint64_t nowUs) {
  connection.state = connectionNext(connection.state, CONNECTION_EVENT_ASSIGN);
  connection.handle += HANDLE_STEP;
  if (connection.handle < HANDLE_STEP) connection.handle += HANDLE_STEP;
  sealKeySet(connection.sendKey, sendKey, sendKeyOffset);
  sealKeySet(connection.receiveKey, receiveKey, receiveKeyOffset);
  if (!shared.config->raw) sessionReset(connection.session, shared);
  pathReset(connection.path);
  replayReset(connection.replay);
  receivedReset(connection.received);
  sentReset(connection.sent, firstNumber);
  connection.omits = 0;
  omitNext(connection, shared);
  rttReset(connection.rtt);
  congestionReset(connection.congestion, shared.config->congestion, nowUs);
  connection.payloadBytes = shared.config->payloadBytesMax;
  connection.rateMax = shared.config->rate;
  connection.packetRateMax = 0;
  connection.watched = false;
  pacingReset(connection.pacing, connection.rateMax, nowUs);
  connectionRates(connection, nowUs);
  for (uint32_t index = 0; index < connection.channelCount; index++) {
    channelReset(connection.channels[index]);
  }
  connection.busy = 0;
  connection.confirmed = false;
  connection.preceded = false;
  connection.helloAcked = shared.config->raw;
  connection.helloInFlight = 0;
  connection.announced = false;
  connection.flushing = false;
  connection.flushBegun = false;
  connection.askedUs = nowUs;
  connection.greetingDueUs = nowUs + std::min(timeoutUs, GREETING_MAX_US);
  connection.heardUs = nowUs;
  connection.timeoutUs = timeoutUs;
  connection.spokenUs = nowUs;
  connection.keepAliveUs = KEEP_ALIVE_US;
  connection.streamUs = 0;
  connection.streamIntervalUs = NO_DEADLINE;
  connection.copyDueUs = NO_DEADLINE;
  connection.probeDueUs = NO_DEADLINE;
  connection.probeNumber = NO_NUMBER;
  connection.stalledUntilUs = 0;
  connection.layout = LAYOUT_NONE;
  connection.awaiting = false;
  connection.farewells = 0;
  connection.heldUp = false;
  uint32_t* row = shared.outlet->page + statsPeerWord(connection.slot);
  std::memset(row, 0, PEER_WORDS * sizeof(uint32_t));
  row[PEER_HANDLE] = connection.handle;
  if (shared.config->raw) connectionOpen(connection, shared);
}

void connectionOpen(Connection& connection, Shared& shared) {
  connection.state = connectionNext(connection.state, CONNECTION_EVENT_HELLO);
  connection.greetingDueUs = NO_DEADLINE;
  connection.announced = true;
  connectionStats(connection, shared.outlet->page);
  Ring& completion = shared.outlet->completion;
  const int32_t word = ringPush(completion, RECORD_CONNECT, PEER_RECORD_BYTES);
  if (word == NO_ROOM) return;
  uint32_t* words = completion.words + word;
  words[1] = connection.handle;
  words[2] = 0;
  words[4] = connection.slot;
  words[5] = 0;
  connectionRecord(connection, completion, word);
}

void connectionRecord(const Connection& connection, Ring& completion, int32_t word) {
  uint32_t* payload = completion.words + word + RECORD_WORDS;
  payload[0] = static_cast<uint32_t>(connection.clientId);
  payload[1] = static_cast<uint32_t>(connection.clientId >> 32);
  payload[2] = connection.address.type;
  payload[3] = connection.address.port;
  payload[4] = connection.address.a;
  payload[5] = connection.address.b;
  payload[6] = connection.address.c;
  payload[7] = connection.address.d;
  std::memcpy(payload + 8, connection.userData, USER_DATA_BYTES);
}

bool connectionRoom(const Shared& shared) {
  return ringRoom(shared.outlet->completion) >= COMPLETION_RESERVE_BYTES;
}

// ---- What is due ----

namespace {

// Acks don't wait for the budget, but for the packets that a peer takes: their sender would count
// what they ack as lost.
uint64_t ackDueUs(const Connection& connection) {
  return std::max(receivedDueUs(connection.received), connection.pacing.packetUs);
}

}  // namespace

uint64_t connectionDeadlineUs(const Connection& connection, uint64_t dueUs, uint64_t nowUs) {
  if (connection.state == CONNECTION_FREE) return NO_DEADLINE;
  if (connection.state == CONNECTION_CLOSING) return connection.farewellDueUs;
  if (connection.heldUp) return 0;
  uint64_t deadlineUs =
      std::min({connection.greetingDueUs, connection.heardUs + connection.timeoutUs,
                acksDeadlineUs(connection.sent, connection.rtt)});
  if (settleWaits(connection.sent)) {
    deadlineUs = std::min(deadlineUs, settleDeadlineUs(connection.sent, connection.rtt));
  }
  for (uint64_t left = connection.busy; left != 0;) {
    const Channel& channel = connectionNextBusy(connection, left);
    deadlineUs = std::min({deadlineUs, channel.earliestExpiryUs, gapDeadlineUs(channel)});
  }
  if (!sentReady(connection.sent)) return deadlineUs;
  const uint64_t pacedUs = std::max(dueUs, pacingNextUs(connection.pacing, nowUs));
  return std::min({deadlineUs, pacedUs, ackDueUs(connection)});
}

namespace {

bool windowOpen(const Connection& connection) {
  return congestionOpen(connection.congestion, connection.sent.flightBytes);
}

}  // namespace

uint64_t connectionDueUs(const Connection& connection) {
  if (connection.state == CONNECTION_CLOSING) {
    return connection.farewells > 0 ? connection.farewellDueUs : NO_DEADLINE;
  }
  if (!connection.helloAcked && connection.helloInFlight == 0) return 0;
  const uint64_t ackUs = receivedDueUs(connection.received);
  const uint64_t soonUs = std::min(ackUs, connectionSpeakUs(connection));
  uint64_t dueUs = std::min(soonUs, connection.path.dueUs);
  const uint64_t wantsUs = connectionWants(connection) ? connection.stalledUntilUs : NO_DEADLINE;
  const uint64_t askUs = std::min(std::min(wantsUs, connection.copyDueUs), connection.probeDueUs);
  dueUs = std::min(dueUs, std::max(askUs, connectionOpenUs(connection)));
  if (!windowOpen(connection)) dueUs = std::min(dueUs, connectionNewsUs(connection));
  for (uint64_t left = connection.busy; left != 0;) {
    dueUs = std::min(dueUs, connectionNextBusy(connection, left).nackDueUs);
  }
  return dueUs;
}

uint64_t connectionSpeakUs(const Connection& connection) {
  const uint64_t idleUs = connection.spokenUs + connection.keepAliveUs;
  const uint64_t soonUs = rttSilentUs(connection.rtt, connection.spokenUs);
  bool waits = false;
  for (uint64_t left = soonUs == NO_DEADLINE ? 0 : connection.busy; left != 0 && !waits;) {
    waits = connectionNextBusy(connection, left).first != nullptr;
  }
  return waits ? std::min(idleUs, soonUs) : idleUs;
}

uint64_t connectionOpenUs(const Connection& connection) {
  return windowOpen(connection) ? 0 : connection.askedUs + CONGESTION_FLOOR_US;
}

uint64_t connectionNewsUs(const Connection& connection) {
  uint64_t newsUs = NO_DEADLINE;
  for (uint64_t left = connection.busy; left != 0;) {
    const Channel& channel = connectionNextBusy(connection, left);
    if (channel.policy->order != ORDER_SEQUENCED) continue;
    if (channel.fresh != nullptr && connection.flushBegun) {
      newsUs = std::min(newsUs, connection.stalledUntilUs);
    } else if (channel.copying > 0) {
      newsUs = std::min(newsUs, connection.copyDueUs);
    }
  }
  return newsUs;
}

void connectionRates(Connection& connection, uint64_t nowUs) {
  Pacing& pacing = connection.pacing;
  pacingRate(pacing, congestionRate(connection.congestion, connection.rtt, connection.rateMax),
             nowUs);
  const uint32_t packetRate = congestionPacketRate(connection.congestion);
  const uint32_t most = connection.packetRateMax;
  pacing.packetRate = packetRate == 0 || (most > 0 && most < packetRate) ? most : packetRate;
}

bool connectionWants(const Connection& connection) {
  for (uint64_t left = connection.busy; left != 0;) {
    const Channel& channel = connectionNextBusy(connection, left);
    if (channelWants(channel, connection.flushing)) return true;
    if (connection.flushBegun && channelBlocked(channel)) return true;
  }
  return false;
}

uint64_t connectionNackDelayUs(const Connection& connection) {
  return std::min(uint64_t{connection.rtt.smoothedUs} / 8, NACK_DELAY_MAX_US);
}

bool connectionReady(Connection& connection, uint64_t dueUs, uint64_t nowUs) {
  if (nowUs < dueUs) return false;
  if (connection.state == CONNECTION_CLOSING) return true;
  return sentReady(connection.sent) &&
         (pacingReady(connection.pacing, nowUs) || nowUs >= ackDueUs(connection));
}

void connectionFlushed(Connection& connection) {
  // Without one, what waits for a flush once became stale, and went out, with any packet
  // (test/sim).
  if (!connection.flushing) return;
  bool left = false;
  for (uint64_t channels = connection.busy; channels != 0;) {
    Channel& channel = connectionNextBusy(connection, channels);
    channelFlushed(channel);
    left = left || channelUnsent(channel);
  }
  connection.flushing = left;
}

void connectionStats(const Connection& connection, uint32_t* page) {
  uint32_t* row = page + statsPeerWord(connection.slot);
  row[PEER_RTT_US] = connection.rtt.samples == 0 ? 0 : connection.rtt.smoothedUs;
  row[PEER_RTT_VARIANCE_US] = connection.rtt.varianceUs;
  row[PEER_RTT_MINIMUM_US] = connection.rtt.minimumUs;
  row[PEER_JITTER_US] = connection.rtt.jitterUs;
  row[PEER_PACKETS_ACKED] = connection.sent.acked;
  row[PEER_PACKETS_LOST] = connection.sent.lost;
  row[PEER_ACKS_LATE] = connection.sent.late;
  row[PEER_GAPS] = static_cast<uint32_t>(connection.received.gaps);
  row[PEER_IN_FLIGHT] = sentInFlight(connection.sent) - connection.sent.omitted;
  row[PEER_RATE] = connection.pacing.rate;
  row[PEER_WINDOW_BYTES] = connection.congestion.windowBytes;
  row[PEER_FLIGHT_BYTES] = connection.sent.flightBytes;
  row[PEER_QUEUE_DELAY_US] = connection.congestion.delayUs;
  row[PEER_PAYLOAD_BYTES] = connection.payloadBytes;
  row[PEER_PACKET_RATE] = connection.pacing.packetRate;
  row[PEER_CIPHER] =
      connection.session.sending ? CIPHER_SESSION + connection.session.suite : CIPHER_TOKEN;
}

}  // namespace netrt
