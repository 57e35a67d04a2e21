// The budget of a connection: see pacing.h.
#include "core/pacing.h"

#include "core/limits.h"

namespace netrt {

namespace {

constexpr int64_t MICROSECONDS = 1000000;

void refill(Pacing& pacing, uint64_t nowUs) {
  // Longer than a second fills every bucket; the bound keeps the product far below 2^53.
  int64_t elapsedUs = nowUs > pacing.updatedUs ? static_cast<int64_t>(nowUs - pacing.updatedUs) : 0;
  if (elapsedUs > MICROSECONDS * 8) elapsedUs = MICROSECONDS * 8;
  pacing.credit += elapsedUs * pacing.rate;
  if (pacing.credit > pacing.burst) pacing.credit = pacing.burst;
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
