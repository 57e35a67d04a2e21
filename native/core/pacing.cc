// The budget of a connection: see pacing.h.
#include "core/pacing.h"

#include "core/limits.h"

namespace netrt {

namespace {

constexpr int64_t MICROSECONDS = 1000000;

void refill(Pacing& pacing, uint64_t nowUs) {
  // What is longer than the bucket takes to fill says no more; the bound keeps the product within
  // 53 bits. A fixed bound of 8 s once left the slowest rates short of their burst.
  const int64_t elapsedUs =
      nowUs > pacing.updatedUs ? static_cast<int64_t>(nowUs - pacing.updatedUs) : 0;
  const int64_t fullUs = (pacing.burst - pacing.credit + pacing.rate - 1) / pacing.rate;
  pacing.credit = elapsedUs < fullUs ? pacing.credit + elapsedUs * pacing.rate : pacing.burst;
  if (nowUs > pacing.updatedUs) pacing.updatedUs = nowUs;
}

}  // namespace

void pacingReset(Pacing& pacing, uint32_t rate, uint64_t nowUs) {
  const int64_t least = int64_t{PACING_BURST_PACKETS} * PACKET_BYTES_MAX * MICROSECONDS;
  pacing.rate = rate;
  pacing.burst = int64_t{rate} * PACING_BURST_US;
  if (pacing.burst < least) pacing.burst = least;
  pacing.credit = pacing.burst;
  pacing.updatedUs = nowUs;
}

bool pacingReady(Pacing& pacing, uint64_t nowUs) {
  refill(pacing, nowUs);
  return pacing.credit > 0;
}

void pacingSpend(Pacing& pacing, uint32_t bytes) { pacing.credit -= bytes * MICROSECONDS; }

uint64_t pacingNextUs(const Pacing& pacing, uint64_t nowUs) {
  if (pacing.credit > 0) return nowUs;
  return pacing.updatedUs + static_cast<uint64_t>(-pacing.credit / pacing.rate) + 1;
}

}  // namespace netrt
