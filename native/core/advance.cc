// Time and acks: see advance.h.
#include "core/advance.h"

#include "core/delivery.h"
#include "core/ending.h"
#include "core/gap.h"
#include "core/repair.h"
#include "core/settle.h"
#include "core/window.h"

namespace netrt {

namespace {

constexpr uint8_t NO_TEXT[1] = {};
constexpr uint8_t TEXT_HELLO[] = {'h', 'e', 'l', 'l', 'o'};

// Tells the user what became of a packet: Tribes' notification, one verdict a packet, in order
//
void packetReport(const Connection& connection, Shared& shared, const SentPacket& packet,
                  bool acked) {
  Ring& completion = shared.outlet->completion;
  const int32_t word = ringPush(completion, RECORD_PACKET, 8);
  // Each verdict was asked for while there was room for all that one brings forth.
  if (NETRT_NEVER(word == NO_ROOM)) return;
  const uint64_t number = static_cast<uint64_t>(packet.number);
  uint32_t* words = completion.words + word;
  words[1] = connection.handle;
  words[2] = 0;
  words[4] = static_cast<uint32_t>(number);
  words[5] = acked ? 1 : 0;
  words[RECORD_WORDS] = static_cast<uint32_t>(packet.bytes);
  words[RECORD_WORDS + 1] = static_cast<uint32_t>(number >> 32);
}

// Whether a channel waits for an ack of its last messages.
bool isTailed(const Connection& connection) {
  for (uint64_t left = connection.busy; left != 0;) {
    if (channelTailed(connectionNextBusy(connection, left))) return true;
  }
  return false;
}

// Whether what lost packets carried may be kept for late acks: where memory is scarce, the verdict
// settles it.
bool mayKeep(const Shared& shared) {
  const HostConfig& config = *shared.config;
  const Pool& pool = shared.outlet->pool;
  return pool.messagesFree >= config.messageCount / HOLD_RESERVE_PART &&
         pool.carriedsFree >= config.carriedCount / HOLD_RESERVE_PART;
}

// The fates of what a lost packet carried.
void packetSettled(Connection& connection, Shared& shared, SentPacket& packet, uint64_t nowUs) {
  Outlet& outlet = *shared.outlet;
  const bool acked = packet.state == SENT_LATE;
  Carried* carried = packet.carried;
  packet.carried = nullptr;
  while (carried != nullptr) {
    Carried* next = carried->next;
    Channel& channel = connection.channels[carried->channel];
    connectionBusy(connection, carried->channel);
    channelSettled(channel, outlet, connection.handle, *carried->message, acked, nowUs);
    carriedRelease(outlet.pool, carried);
    carried = next;
  }
}

void packetDecided(Connection& connection, Shared& shared, SentPacket& packet, uint64_t nowUs) {
  Outlet& outlet = *shared.outlet;
  const bool acked = packet.state == SENT_ACKED;
  if (!acked && packet.number < connection.rtt.fromNumber) connection.path.strayed += 1;
  const uint64_t arrivalUs = nowUs + connection.rtt.smoothedUs / 2;
  if (packet.hello) {
    connection.helloInFlight -= 1;
    connection.helloAcked = connection.helloAcked || acked;
    // What had no room beside it has room now.
    connection.stalledUntilUs = 0;
  }
  if (connection.watched) packetReport(connection, shared, packet, acked);
  Carried* carried = packet.carried;
  packet.carried = nullptr;
  while (carried != nullptr) {
    Carried* next = carried->next;
    Channel& channel = connection.channels[carried->channel];
    connectionBusy(connection, carried->channel);
    bool kept = false;
    if (carried->kind == CARRIED_SKIP) {
      channelSkipVerdict(channel, carried->id, acked);
    } else if (carried->kind == CARRIED_WINDOW) {
      channelWindowVerdict(channel, carried->id, acked);
    } else {
      kept = channelVerdict(channel, outlet, connection.handle, *carried->message, acked, nowUs,
                            arrivalUs);
    }
    if (kept) {
      carried->next = packet.carried;
      packet.carried = carried;
    } else {
      carriedRelease(outlet.pool, carried);
    }
    carried = next;
  }
  if (packet.carried != nullptr && !mayKeep(shared)) {
    packetSettled(connection, shared, packet, nowUs);
  }
}

}  // namespace

void connectionVerdicts(Connection& connection, Shared& shared, uint64_t nowUs) {
  Sent& sent = connection.sent;
  while (connectionRoom(shared)) {
    SentPacket* packet = settleWaits(sent) ? settleVerdict(sent, connection.rtt, nowUs) : nullptr;
    if (packet != nullptr) {
      packetSettled(connection, shared, *packet, nowUs);
      continue;
    }
    packet = acksVerdict(sent, connection.rtt, nowUs);
    if (packet == nullptr) break;
    packetDecided(connection, shared, *packet, nowUs);
  }
  connectionBroken(connection, shared, nowUs);
  connectionDrained(connection, shared, nowUs);
}

void connectionCongestion(Connection& connection, bool sampled, uint64_t nowUs) {
  Congestion& congestion = connection.congestion;
  const Sent& sent = connection.sent;
  if (sampled) congestionSample(congestion, connection.rtt);
  congestionAcked(congestion, connection.rtt, sent.ackedLatest, sent.nextNumber, sent.acked,
                  sent.lost - connection.path.strayed, nowUs);
  congestionJudge(congestion, connection.rtt, nowUs);
  connectionRates(connection, nowUs);
}

void connectionAdvance(Connection& connection, Shared& shared, uint64_t nowUs) {
  if (connection.state == CONNECTION_FREE) return;
  if (connection.state == CONNECTION_CLOSING) {
    if (connection.farewells == 0 && nowUs >= connection.farewellDueUs) {
      connectionDone(connection, shared, connection.closeReason);
    }
    return;
  }
  if (nowUs >= connection.heardUs + connection.timeoutUs) {
    connectionClose(connection, shared, REASON_TIMED_OUT, NO_TEXT, 0, 0, nowUs);
    return;
  }
  if (nowUs >= connection.greetingDueUs) {
    connectionClose(connection, shared, REASON_MISMATCH, TEXT_HELLO, 0, sizeof TEXT_HELLO, nowUs);
    return;
  }
  if (acksExpire(connection.sent, connection.rtt, nowUs)) {
    rttBackOff(connection.rtt, nowUs);
    // One alone is how a loss shows on a steady path; two without an ack between them are a
    // silence.
    if (connection.rtt.backoff > 1) {
      congestionTimedOut(connection.congestion);
      connectionRates(connection, nowUs);
    }
  }
  connectionVerdicts(connection, shared, nowUs);
  if (nowUs >= connection.probeDueUs && !isTailed(connection)) {
    connection.probeDueUs = NO_DEADLINE;
  }
  for (uint64_t left = connection.busy; left != 0;) {
    Channel& channel = connectionNextBusy(connection, left);
    channelExpire(channel, *shared.outlet, connection.handle, nowUs);
    gapExpire(channel, nowUs);
  }
  connectionBroken(connection, shared, nowUs);
  connectionRelease(connection, shared);
  for (uint64_t left = connection.busy; left != 0;) {
    gapUpdate(connectionNextBusy(connection, left), nowUs, connectionNackDelayUs(connection),
              connection.rtt.smoothedUs / 2);
  }
  connectionDrained(connection, shared, nowUs);
}

bool connectionRelease(Connection& connection, Shared& shared) {
  connection.heldUp = false;
  for (uint64_t left = connection.busy; left != 0;) {
    Channel& channel = connectionNextBusy(connection, left);
    const uint32_t result = deliveryRelease(channel, *shared.outlet, connection.handle);
    connection.heldUp = connection.heldUp || result == RECEIVE_HELD;
  }
  return !connection.heldUp;
}

}  // namespace netrt
