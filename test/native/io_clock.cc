// io/clock: the way from the kernel's wall-clock stamps to monotonic time, also when the wall clock
// is moved.
#include <time.h>

#include "check.h"
#include "io/clock.h"

namespace {

using namespace netrt;

constexpr int64_t MS = 1000000;
constexpr int64_t SECOND = 1000000000;
constexpr int64_t WALL = 1700000000 * SECOND;  // some day in 2023

// xorshift: the same run every time.
uint32_t random32(uint32_t& state) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

// A map that has been running for a while: monotonic 100 s is wall WALL + 100 s.
ClockMap mapOf() {
  ClockMap map = {WALL, 50 * 1000000, 0};
  clockMapUpdate(map, 100 * SECOND, WALL + 100 * SECOND, 0);
  return map;
}

}  // namespace

TEST(clockRunsForward) {
  uint64_t last = clockNowUs();
  CHECK(last > 0);
  for (int round = 0; round < 100000; round++) {
    const uint64_t now = clockNowUs();
    NEED(now >= last);
    last = now;
  }
}

TEST(clockTellsWallSeconds) {
  const uint64_t before = static_cast<uint64_t>(time(nullptr));
  const uint64_t told = clockWallSeconds();
  const uint64_t after = static_cast<uint64_t>(time(nullptr));
  // time() may be a tick behind clock_gettime().
  CHECK(told >= before && told <= after + 1);
}

TEST(clockMapsStamps) {
  const ClockMap map = mapOf();
  CHECK_EQUAL(map.settledUs, 0u);
  CHECK_EQUAL(clockMapStamp(map, WALL + 100 * SECOND), 100u * 1000000);
  CHECK_EQUAL(clockMapStamp(map, WALL + 100 * SECOND - 3 * MS), 100u * 1000000 - 3000);
  CHECK_EQUAL(clockMapStamp(map, WALL + 100 * SECOND - 999 * MS), 100u * 1000000 - 999000);
}

TEST(clockClampsStamps) {
  const ClockMap map = mapOf();
  // Never the future, never older than a minute, whatever the kernel claims.
  CHECK_EQUAL(clockMapStamp(map, WALL + 101 * SECOND), 100u * 1000000);
  CHECK_EQUAL(clockMapStamp(map, WALL + 40 * SECOND), 40u * 1000000);
  CHECK_EQUAL(clockMapStamp(map, WALL + 39 * SECOND), 40u * 1000000);
  CHECK_EQUAL(clockMapStamp(map, 0), 40u * 1000000);
  CHECK_EQUAL(clockMapStamp(map, 2 * WALL), 100u * 1000000);
}

// A process that stood still for just less than its time-out finds datagrams of all that time.
TEST(clockBelievesStampsOfAStall) {
  const ClockMap map = mapOf();
  for (int64_t age = 0; age <= 5 * SECOND; age += 100 * MS) {
    CHECK_EQUAL(clockMapStamp(map, WALL + 100 * SECOND - age),
                static_cast<uint64_t>((100 * SECOND - age) / 1000));
  }
}

TEST(clockClampsNearItsOrigin) {
  ClockMap map = {WALL, 0, 0};
  clockMapUpdate(map, 300 * MS, WALL + 300 * MS, 0);
  CHECK_EQUAL(clockMapStamp(map, WALL - SECOND), 0u);
  CHECK_EQUAL(clockMapStamp(map, WALL + 100 * MS), 100000u);
}

TEST(clockKeepsItsOffsetThroughNoise) {
  ClockMap map = mapOf();
  // The readings lie apart, but no further than they say.
  clockMapUpdate(map, 101 * SECOND, WALL + 101 * SECOND + 5 * MS, 5 * MS);
  CHECK_EQUAL(map.offsetNs, WALL);
  CHECK_EQUAL(map.settledUs, 0u);
  clockMapUpdate(map, 102 * SECOND, WALL + 102 * SECOND - CLOCK_STEP_NS, 0);
  CHECK_EQUAL(map.offsetNs, WALL);
  clockMapUpdate(map, 103 * SECOND, WALL + 103 * SECOND - CLOCK_STEP_NS - 1, 0);
  CHECK_EQUAL(map.offsetNs, WALL - CLOCK_STEP_NS - 1);
  CHECK_EQUAL(map.settledUs, 103u * 1000000);
}

TEST(clockSurvivesStepsForward) {
  ClockMap map = mapOf();
  // Half a second is added to the wall clock. A datagram from just before still has the old time.
  clockMapUpdate(map, 101 * SECOND, WALL + 101 * SECOND + 500 * MS, 0);
  CHECK_EQUAL(clockMapStamp(map, WALL + 101 * SECOND - MS), 101u * 1000000);
  // The queue takes two batches: the second one does not look half a second old either.
  clockMapUpdate(map, 101 * SECOND + MS, WALL + 101 * SECOND + 501 * MS, 0);
  CHECK_EQUAL(clockMapStamp(map, WALL + 101 * SECOND - MS), 101u * 1000000);
  // New stamps are exact again.
  CHECK_EQUAL(clockMapStamp(map, WALL + 101 * SECOND + 500 * MS + MS / 2), 101u * 1000000 + 500);
}

TEST(clockSurvivesStepsBackward) {
  ClockMap map = mapOf();
  clockMapUpdate(map, 101 * SECOND, WALL + 101 * SECOND - 3600 * SECOND, 0);
  CHECK_EQUAL(clockMapStamp(map, WALL + 101 * SECOND - MS), 101u * 1000000);
  clockMapUpdate(map, 102 * SECOND, WALL + 102 * SECOND - 3600 * SECOND, 0);
  CHECK_EQUAL(clockMapStamp(map, WALL + 102 * SECOND - 3600 * SECOND - 7 * MS), 101993000u);
}

// Whatever happens to the wall clock: a stamp is never in the future and never older than its
// bound, and without a step since the datagram came it is exact.
TEST(clockHoldsItsPromiseOverRandomSteps) {
  uint32_t state = 20240229;
  int64_t now = 1000 * SECOND;
  int64_t offset = WALL;
  ClockMap map = {offset, static_cast<uint64_t>(now / 1000), static_cast<uint64_t>(now / 1000)};
  for (int round = 0; round < 200000; round++) {
    const int64_t arrived = now + random32(state) % (2 * MS);
    const int64_t stamp = arrived + offset;
    bool stepped = false;
    if (random32(state) % 50 == 0) {
      const int64_t step = static_cast<int64_t>(random32(state) % 2000000000) - 1000 * MS;
      stepped = step > CLOCK_STEP_NS || step < -CLOCK_STEP_NS;
      if (stepped) offset += step;
    }
    now = arrived + static_cast<int64_t>(random32(state) % 80000) * MS;
    clockMapUpdate(map, now, now + offset, 0);
    const uint64_t mapped = clockMapStamp(map, stamp);
    const uint64_t truth = static_cast<uint64_t>(arrived / 1000);
    NEED(mapped <= map.nowUs);
    NEED(mapped + STAMP_AGE_MAX_US >= map.nowUs);
    NEED(!stepped || mapped == map.nowUs);
    NEED(stepped || truth + STAMP_AGE_MAX_US < map.nowUs || mapped == truth ||
         mapped == map.settledUs);
  }
}

TEST(clockSamplesItself) {
  ClockMap map;
  clockMapOpen(map);
  const uint64_t opened = map.nowUs;
  CHECK_EQUAL(map.settledUs, opened);
  for (int round = 0; round < 1000; round++) clockMapSample(map);
  CHECK(map.nowUs >= opened && map.nowUs <= clockNowUs());
  timespec wall;
  clock_gettime(CLOCK_REALTIME, &wall);
  const int64_t wallNs = wall.tv_sec * SECOND + wall.tv_nsec;
  clockMapSample(map);
  const uint64_t mapped = clockMapStamp(map, wallNs);
  CHECK(mapped >= opened && mapped <= map.nowUs);
}
