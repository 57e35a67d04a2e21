// Owns the estimator of a connection's round-trip time, its variation and the retransmission
// time-out.
// Never sees a packet: it is fed samples that already have the peer's ack delay subtracted.
// Microseconds, integers; divisions truncate toward zero.
// Invariant: 0 < minimumUs <= every sample of the last RTT_MINIMUM_WINDOW_US.
#ifndef NETRT_CORE_RTT_H_
#define NETRT_CORE_RTT_H_

#include <cstdint>

#include "core/limits.h"

namespace netrt {

// A sample is at most RTT_SAMPLE_MAX_US, so that everything derived from samples fits 32 bits.
struct Rtt {
  uint32_t smoothedUs = RTT_INITIAL_US;
  uint32_t varianceUs = RTT_INITIAL_US / 2;
  uint32_t latestUs = 0;
  uint32_t minimumUs = 0;
  // Mean difference of consecutive samples, after RFC 3550 section 6.4.1.
  uint32_t jitterUs = 0;
  // The time-out is shifted left by this, once for each time-out in a row.
  uint32_t backoff = 0;
  // What it was before the last time-out, and when that was (µs).
  uint32_t backoffBefore = 0;
  uint64_t backedOffUs = 0;
  uint64_t samples = 0;
  // When the last one came (µs).
  uint64_t sampledUs = 0;
  uint64_t windowEndsUs = 0;
  // For how long the peer lately held acks (µs).
  uint64_t heldUs = ACK_HOLD_US;
  // Packets below this number went another way: they say nothing.
  int64_t fromNumber = 0;
  // The lowest sample of the running window, which becomes minimumUs when the window ends.
  uint32_t windowMinimumUs = 0;
};

static_assert(4 * RTT_SAMPLE_MAX_US <= INT32_MAX, "samples and their sums fit 32 bits");

void rttReset(Rtt& rtt);

// Takes one sample (RFC 6298 section 2: gains 1/8 and 1/4) and ends the backoff.
void rttSample(Rtt& rtt, int64_t rawUs, uint64_t nowUs);

// The peer says how long it held an ack. A fixed time once made a peer that may send but 30 packets
// a second lose everything to time-outs, for ever (test/sim).
void rttHeld(Rtt& rtt, uint64_t heldUs);

// Whether the last time-out is one of this packet's flight as well: it was sent before.
inline bool rttBackedOff(const Rtt& rtt, uint64_t sentUs) {
  return rtt.backoff > 0 && sentUs < rtt.backedOffUs;
}

// The time-out of a packet that was sent then: srtt + 4 * var between RTO_MIN_US and RTO_MAX_US,
// doubled for each time-out in a row before it was.
uint64_t rttTimeoutUs(const Rtt& rtt, uint64_t sentUs);

// When a packet that was sent then is timed out (µs): the peer may hold its ack as long as it
// lately did.
uint64_t rttExpiryUs(const Rtt& rtt, uint64_t sentUs);

// How long after its sending the end of a burst is probed: after RFC 8985 section 7.2, two
// round trips, but no longer than the time-out.
uint64_t rttProbeUs(const Rtt& rtt);

// How long after its sending an ack of a packet may still come: two time-outs that were not
// doubled.
uint64_t rttSettleUs(const Rtt& rtt);

// After a time-out: what is sent from now on waits twice as long for the next.
void rttBackOff(Rtt& rtt, uint64_t nowUs);

// How long a packet may be overtaken before it counts as lost: RTT + RTT/8.
uint64_t rttReorderUs(const Rtt& rtt);

// When who waits for acks says something again, because they stay away (µs, R-15), or NO_DEADLINE.
// At 90 % loss ten packets a second once left a peer without one for its time-out (test/matrix).
uint64_t rttSilentUs(const Rtt& rtt, uint64_t spokenUs);

}  // namespace netrt

#endif  // NETRT_CORE_RTT_H_
