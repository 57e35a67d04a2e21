// Until when an ack of a lost packet is waited for: see settle.h.
#include "core/settle.h"

#include "core/timers.h"

namespace netrt {

namespace {

bool isLoaded(const SentPacket& packet, int64_t number) {
  return packet.number == number && packet.carried != nullptr;
}

// The first packet that was acked late and is still loaded; there is one.
SentPacket* settleLate(const Sent& sent) {
  for (int64_t number = sent.settleNext;; number++) {
    SentPacket* packet = recordOf(sent, number);
    if (isLoaded(*packet, number) && packet->state == SENT_LATE) return packet;
  }
}

}  // namespace

SentPacket* settleVerdict(Sent& sent, const Rtt& rtt, uint64_t nowUs) {
  if (sent.lateHeld > 0) {
    sent.lateHeld -= 1;
    return settleLate(sent);
  }
  for (; sent.settleNext < sent.verdictNext; sent.settleNext++) {
    SentPacket* packet = recordOf(sent, sent.settleNext);
    if (!isLoaded(*packet, sent.settleNext)) continue;
    const bool behind = sent.nextNumber - packet->number > static_cast<int64_t>(IN_FLIGHT_MAX);
    return behind || nowUs >= packet->sentUs + rttSettleUs(rtt) ? packet : nullptr;
  }
  return nullptr;
}

uint64_t settleDeadlineUs(const Sent& sent, const Rtt& rtt) {
  if (!settleWaits(sent)) return NO_DEADLINE;
  // A late ack still waits when what it tells found no room in the user's ring.
  if (sent.lateHeld > 0) return 0;
  return recordOf(sent, sent.settleNext)->sentUs + rttSettleUs(rtt);
}

Carried* settleTake(Sent& sent, int64_t number) {
  SentPacket* packet = recordOf(sent, number);
  if (packet->number != number) return nullptr;
  Carried* carried = packet->carried;
  packet->carried = nullptr;
  return carried;
}

}  // namespace netrt
