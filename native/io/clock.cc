#include "io/clock.h"

#include <time.h>

namespace netrt {

namespace {

constexpr int64_t NS_PER_SECOND = 1000000000;
constexpr int64_t NS_PER_US = 1000;

// Readings are repeated until they lie this close together: a preemption between them would look
// like a step of the wall clock.
constexpr int64_t SAMPLE_SPAN_NS = 20000;
constexpr int SAMPLE_ATTEMPTS = 4;

int64_t readNs(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);  // can't fail: both clocks exist on every system we build for
  return static_cast<int64_t>(time.tv_sec) * NS_PER_SECOND + time.tv_nsec;
}

struct Reading {
  int64_t monotonicNs;
  int64_t wallNs;
  int64_t spanNs;
};

// The wall clock between two readings of the monotonic one; the narrowest of a few attempts.
Reading readBoth() {
  Reading best = {0, 0, INT64_MAX};
  for (int attempt = 0; attempt < SAMPLE_ATTEMPTS; attempt++) {
    const int64_t before = readNs(CLOCK_MONOTONIC);
    const int64_t wall = readNs(CLOCK_REALTIME);
    const int64_t after = readNs(CLOCK_MONOTONIC);
    if (after - before < best.spanNs) best = {after, wall, after - before};
    if (best.spanNs <= SAMPLE_SPAN_NS) break;
  }
  return best;
}

}  // namespace

uint64_t clockNowUs() { return static_cast<uint64_t>(readNs(CLOCK_MONOTONIC) / NS_PER_US); }

uint64_t clockWallSeconds() {
  const int64_t seconds = readNs(CLOCK_REALTIME) / NS_PER_SECOND;
  return seconds > 0 ? static_cast<uint64_t>(seconds) : 0;
}

void clockMapOpen(ClockMap& map) {
  const Reading reading = readBoth();
  map.offsetNs = reading.wallNs - reading.monotonicNs;
  map.nowUs = static_cast<uint64_t>(reading.monotonicNs / NS_PER_US);
  map.settledUs = map.nowUs;
}

void clockMapSample(ClockMap& map) {
  const Reading reading = readBoth();
  clockMapUpdate(map, reading.monotonicNs, reading.wallNs, reading.spanNs);
}

void clockMapUpdate(ClockMap& map, int64_t monotonicNs, int64_t wallNs, int64_t spanNs) {
  const int64_t offsetNs = wallNs - monotonicNs;
  const int64_t movedNs =
      offsetNs > map.offsetNs ? offsetNs - map.offsetNs : map.offsetNs - offsetNs;
  map.nowUs = static_cast<uint64_t>(monotonicNs / NS_PER_US);
  // Both clocks are slewed alike, so their distance changes by steps only. What is below a step is
  // the noise of reading them, and is not followed: stamps of one batch and the next stay
  // comparable.
  if (movedNs <= CLOCK_STEP_NS + spanNs) return;
  // Stamps from before the step are wrong by its size. All of them were received before now, so no
  // stamp is mapped to before now from here on: the earliest time that can still be vouched for.
  map.offsetNs = offsetNs;
  map.settledUs = map.nowUs;
}

uint64_t clockMapStamp(const ClockMap& map, int64_t wallNs) {
  uint64_t earliestUs = map.nowUs > STAMP_AGE_MAX_US ? map.nowUs - STAMP_AGE_MAX_US : 0;
  if (map.settledUs > earliestUs) earliestUs = map.settledUs;
  const int64_t stampUs = (wallNs - map.offsetNs) / NS_PER_US;
  if (stampUs < 0 || static_cast<uint64_t>(stampUs) < earliestUs) return earliestUs;
  return static_cast<uint64_t>(stampUs) > map.nowUs ? map.nowUs : static_cast<uint64_t>(stampUs);
}

}  // namespace netrt
