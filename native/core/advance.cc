// Time and acks: see advance.h.
#include "core/advance.h"

#include "core/delivery.h"
#include "core/ending.h"
#include "core/gap.h"
#include "core/repair.h"

namespace netrt {

namespace {

constexpr uint8_t NO_TEXT[1] = {};

}  // namespace

void connectionVerdicts(Connection& connection, Shared& shared, uint64_t nowUs) {
  Outlet& outlet = *shared.outlet;
  const uint64_t arrivalUs = nowUs + connection.rtt.smoothedUs / 2;
  while (connectionRoom(shared)) {
    SentPacket* packet = acksVerdict(connection.sent, connection.rtt, nowUs);
    if (packet == nullptr) break;
    const bool acked = packet->state == SENT_ACKED;
    if (packet->hello) {
      connection.helloInFlight -= 1;
      connection.helloAcked = connection.helloAcked || acked;
      // What had no room beside it has room now.
      connection.stalledUntilUs = 0;
    }
    Carried* carried = packet->carried;
    packet->carried = nullptr;
    while (carried != nullptr) {
      Carried* next = carried->next;
      Channel& channel = connection.channels[carried->channel];
      if (carried->message == nullptr) {
        channelSkipVerdict(channel, carried->skipId, acked);
      } else {
        channelVerdict(channel, outlet, connection.handle, *carried->message, acked, nowUs,
                       arrivalUs);
      }
      carriedRelease(outlet.pool, carried);
      carried = next;
    }
  }
  connectionBroken(connection, shared, nowUs);
  connectionDrained(connection, shared, nowUs);
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
  if (acksExpire(connection.sent, connection.rtt, nowUs)) rttBackOff(connection.rtt);
  connectionVerdicts(connection, shared, nowUs);
  for (uint32_t index = 0; index < connection.channelCount; index++) {
    channelExpire(connection.channels[index], *shared.outlet, connection.handle, nowUs);
    gapExpire(connection.channels[index], nowUs);
  }
  connectionBroken(connection, shared, nowUs);
  connectionRelease(connection, shared);
  for (uint32_t index = 0; index < connection.channelCount; index++) {
    gapUpdate(connection.channels[index], nowUs, connectionNackDelayUs(connection));
  }
  connectionDrained(connection, shared, nowUs);
}

bool connectionRelease(Connection& connection, Shared& shared) {
  connection.heldUp = false;
  for (uint32_t index = 0; index < connection.channelCount; index++) {
    Channel& channel = connection.channels[index];
    const uint32_t result = deliveryRelease(channel, *shared.outlet, connection.handle);
    connection.heldUp = connection.heldUp || result == RECEIVE_HELD;
  }
  return !connection.heldUp;
}

}  // namespace netrt
