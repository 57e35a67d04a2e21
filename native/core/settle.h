// Owns until when an ack of a lost packet is waited for, and so the order in which lost
// packets give up what they carried. Never tells a fate (repair does), never changes a verdict.
// Invariant: what is left of a packet's load is taken before its record is used again: nothing is
// left IN_FLIGHT_MAX behind the next number, and a verdict is only asked for once nothing is to be
// settled.
#ifndef NETRT_CORE_SETTLE_H_
#define NETRT_CORE_SETTLE_H_

#include <cstdint>

#include "core/acks.h"

namespace netrt {

// Whether a packet may wait for settleVerdict.
inline bool settleWaits(const Sent& sent) {
  return sent.settleNext < sent.verdictNext || sent.lateHeld > 0;
}

// The next packet with the verdict lost that is still loaded and of which nothing more is expected,
// or null. Its state is SENT_LATE, or SENT_LOST where no ack came in time. The caller takes its
// load.
SentPacket* settleVerdict(Sent& sent, const Rtt& rtt, uint64_t nowUs);

// When settleVerdict may have news without another ack (µs), or NO_DEADLINE.
uint64_t settleDeadlineUs(const Sent& sent, const Rtt& rtt);

// Takes what is left of what a packet carried, because the connection ended.
Carried* settleTake(Sent& sent, int64_t number);

}  // namespace netrt

#endif  // NETRT_CORE_SETTLE_H_
