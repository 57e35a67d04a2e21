// The budget of a connection: see pacing.h.
#include "core/pacing.h"

#include <algorithm>

#include "core/limits.h"

namespace netrt {

namespace {

constexpr int64_t MICROSECONDS = 1000000;
constexpr int64_t ELAPSED_MAX_US = 3600 * MICROSECONDS;

void refill(Pacing& pacing, uint64_t nowUs) {
  // What is longer than the bucket takes to fill says no more. A fixed bound of 8 s once left the
  // slowest rates short of their burst; this one is an hour, so that the product fits.
  const int64_t elapsedUs =
      nowUs > pacing.updatedUs ? static_cast<int64_t>(nowUs - pacing.updatedUs) : 0;
  // Multiplied, where TypeScript, whose numbers end sooner, divides: a division for each packet
  // costs more than the rest of this file.
  const int64_t gained = std::min(elapsedUs, ELAPSED_MAX_US) * pacing.rate;
  pacing.credit = std::min(pacing.credit + gained, pacing.burst);
  if (nowUs > pacing.updatedUs) pacing.updatedUs = nowUs;
}

int64_t burstOf(uint32_t rate) {
  const int64_t least = int64_t{PACING_BURST_PACKETS} * PACKET_BYTES_MAX * MICROSECONDS;
  return std::max(int64_t{rate} * static_cast<int64_t>(PACING_BURST_US), least);
}

}  // namespace

void pacingReset(Pacing& pacing, uint32_t rate, uint64_t nowUs) {
  pacing.rate = rate;
  pacing.burst = burstOf(rate);
  pacing.credit = pacing.burst;
  pacing.updatedUs = nowUs;
  pacing.packetRate = 0;
  pacing.packetUs = 0;
}

void pacingRate(Pacing& pacing, uint32_t rate, uint64_t nowUs) {
  if (rate == pacing.rate) return;
  refill(pacing, nowUs);
  pacing.rate = rate;
  pacing.burst = burstOf(rate);
  pacing.credit = std::min(pacing.credit, pacing.burst);
}

bool pacingReady(Pacing& pacing, uint64_t nowUs) {
  refill(pacing, nowUs);
  return pacing.credit > 0 && nowUs >= pacing.packetUs;
}

void pacingSpend(Pacing& pacing, uint32_t bytes, uint64_t nowUs) {
  pacing.credit -= bytes * MICROSECONDS;
  if (pacing.packetRate == 0) return;
  // Counted from when it was due, within an interval: a late tick doesn't lower the rate.
  const uint64_t intervalUs = static_cast<uint64_t>(MICROSECONDS) / pacing.packetRate;
  const uint64_t leastUs = nowUs > intervalUs ? nowUs - intervalUs : 0;
  pacing.packetUs = std::max(pacing.packetUs, leastUs) + intervalUs;
}

uint64_t pacingNextUs(const Pacing& pacing, uint64_t nowUs) {
  if (pacing.credit > 0) return std::max(nowUs, pacing.packetUs);
  const uint64_t creditUs =
      pacing.updatedUs + static_cast<uint64_t>(-pacing.credit / pacing.rate) + 1;
  return std::max(creditUs, pacing.packetUs);
}

}  // namespace netrt
