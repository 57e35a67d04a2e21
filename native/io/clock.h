// Owns the reading of the machine's clocks. Two leave this file: a monotonic one in µs, which
// everything in netrt counts by, and wall-clock seconds, which only the expiry of tokens looks at.
// And the way between them: the kernel stamps a datagram on arrival, but with the wall clock, which
// an administrator or a time server can move at any moment. ClockMap carries such a stamp over.
// Never sleeps, never keeps state of its own.
// Invariants:
//  - a mapped stamp is not later than the sample it is mapped with, and at most STAMP_AGE_MAX_US
//    earlier;
//  - a step of the wall clock, either way and of any size, never makes a datagram look older than
//    the moment at which the step was noticed. A stamp may then be as good as none, never worse.
#ifndef NETRT_IO_CLOCK_H_
#define NETRT_IO_CLOCK_H_

#include <cstdint>

namespace netrt {

// A stamp older than this says nothing useful. Longer than any time-out that is sensible: what a
// process finds after it stood still came when it came. With a second here, a stall of 5 s once
// made each datagram that had waited look a second old, and the RTT 2 s long (test/faults, stalls).
constexpr uint64_t STAMP_AGE_MAX_US = 60000000;

// Two samples of (wall - monotonic) that differ by more than this, in ns, mean that the wall clock
// was stepped. It lies above what reading two clocks in turn costs, and a step below it can't hurt
// an RTT.
constexpr int64_t CLOCK_STEP_NS = 200000;

// The distance between the two clocks, and since when it holds.
struct ClockMap {
  int64_t offsetNs;  // wall - monotonic
  uint64_t nowUs;    // monotonic time of the last sample
  uint64_t
      settledUs;  // monotonic time since which the offset holds: stamps are never mapped before it
};

// Monotonic time in µs (CLOCK_MONOTONIC; origin unspecified, never runs backwards).
uint64_t clockNowUs();

// Wall-clock time in whole seconds since 1970.
uint64_t clockWallSeconds();

// First sample of a map. Call when the socket opens, before it can hold datagrams.
void clockMapOpen(ClockMap& map);

// Sample both clocks. Call once per batch, after the batch was read, so that its stamps lie in the
// past.
void clockMapSample(ClockMap& map);

// The same with the readings given: what clockMapSample does with its readings, and what tests
// call. `spanNs` is how far apart the two readings may lie.
void clockMapUpdate(ClockMap& map, int64_t monotonicNs, int64_t wallNs, int64_t spanNs);

// The monotonic time in µs of a wall-clock stamp from the kernel.
uint64_t clockMapStamp(const ClockMap& map, int64_t wallNs);

}  // namespace netrt

#endif  // NETRT_IO_CLOCK_H_
