// Owns the budget of a connection: how many bytes it may send now, as a token bucket.
// Never drops or delays anything itself: it answers, the connection waits.
// The rate (bytes per second) is congestion's to set; the bucket holds PACING_BURST_US of it, but
// always a few full packets so that a slow rate can still send one. A packet rate, where there is
// one, keeps packets apart.
// Invariant: credit <= burst; credit is kept in bytes times microseconds per second, without
// rounding.
#ifndef NETRT_CORE_PACING_H_
#define NETRT_CORE_PACING_H_

#include <cstdint>

namespace netrt {

struct Pacing {
  // Bytes per second.
  uint32_t rate = 0;
  // Bytes * 10^6.
  int64_t credit = 0;
  int64_t burst = 0;
  uint64_t updatedUs = 0;
  // Packets a second at most; 0 for any number.
  uint32_t packetRate = 0;
  // When the next packet may go out, by the packet rate (µs).
  uint64_t packetUs = 0;
};

// A full bucket; `rate` is from PACING_RATE_MIN to PACING_RATE_MAX.
void pacingReset(Pacing& pacing, uint32_t rate, uint64_t nowUs);

// From now on another rate. What was saved up at the old one is kept, as far as it fits.
void pacingRate(Pacing& pacing, uint32_t rate, uint64_t nowUs);

// Whether a packet may go out now. A packet may overdraw the bucket: its size is known only later.
bool pacingReady(Pacing& pacing, uint64_t nowUs);

// A packet went out.
void pacingSpend(Pacing& pacing, uint32_t bytes, uint64_t nowUs);

// When pacingReady will hold again (µs); now where it already does.
uint64_t pacingNextUs(const Pacing& pacing, uint64_t nowUs);

}  // namespace netrt

#endif  // NETRT_CORE_PACING_H_
