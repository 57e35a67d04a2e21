// The round-trip time of a connection: see rtt.h.
#include "core/rtt.h"

#include <algorithm>

namespace netrt {

namespace {

// Moves an average by a share of its error; the division truncates toward zero in both languages.
void smooth(uint32_t& average, int32_t error, int32_t share) {
  average = static_cast<uint32_t>(static_cast<int32_t>(average) + error / share);
}

int32_t magnitude(int32_t value) { return value < 0 ? -value : value; }

void rttMinimum(Rtt& rtt, uint32_t sampleUs, uint64_t nowUs) {
  if (sampleUs < rtt.windowMinimumUs) rtt.windowMinimumUs = sampleUs;
  if (sampleUs < rtt.minimumUs) rtt.minimumUs = sampleUs;
  if (nowUs >= rtt.windowEndsUs) {
    rtt.minimumUs = rtt.windowMinimumUs;
    rtt.windowMinimumUs = sampleUs;
    rtt.windowEndsUs = nowUs + RTT_MINIMUM_WINDOW_US;
  }
}

}  // namespace

void rttReset(Rtt& rtt) { rtt = Rtt(); }

void rttHeld(Rtt& rtt, uint64_t heldUs) {
  rtt.heldUs = std::max({heldUs, rtt.heldUs - rtt.heldUs / 16, ACK_HOLD_US});
}

void rttSample(Rtt& rtt, int64_t rawUs, uint64_t nowUs) {
  int64_t bounded = rawUs < 1 ? 1 : rawUs;
  if (bounded > static_cast<int64_t>(RTT_SAMPLE_MAX_US)) bounded = RTT_SAMPLE_MAX_US;
  const uint32_t sampleUs = static_cast<uint32_t>(bounded);
  if (rtt.samples == 0) {
    rtt.smoothedUs = sampleUs;
    rtt.varianceUs = sampleUs / 2;
    rtt.minimumUs = sampleUs;
    rtt.windowMinimumUs = sampleUs;
    rtt.windowEndsUs = nowUs + RTT_MINIMUM_WINDOW_US;
  } else {
    const int32_t sample = static_cast<int32_t>(sampleUs);
    const int32_t error = sample - static_cast<int32_t>(rtt.smoothedUs);
    const int32_t change = sample - static_cast<int32_t>(rtt.latestUs);
    smooth(rtt.varianceUs, magnitude(error) - static_cast<int32_t>(rtt.varianceUs), 4);
    smooth(rtt.smoothedUs, error, 8);
    smooth(rtt.jitterUs, magnitude(change) - static_cast<int32_t>(rtt.jitterUs), 16);
    rttMinimum(rtt, sampleUs, nowUs);
  }
  rtt.latestUs = sampleUs;
  rtt.samples += 1;
  rtt.backoff = 0;
}

namespace {

uint64_t baseTimeoutUs(const Rtt& rtt) {
  const uint64_t timeoutUs = uint64_t{rtt.smoothedUs} + 4 * uint64_t{rtt.varianceUs};
  return std::max(timeoutUs, uint64_t{RTO_MIN_US});
}

}  // namespace

uint64_t rttTimeoutUs(const Rtt& rtt, uint64_t sentUs) {
  const uint32_t backoff = rttBackedOff(rtt, sentUs) ? rtt.backoffBefore : rtt.backoff;
  return std::min(baseTimeoutUs(rtt) << backoff, uint64_t{RTO_MAX_US});
}

uint64_t rttExpiryUs(const Rtt& rtt, uint64_t sentUs) {
  return sentUs + rttTimeoutUs(rtt, sentUs) + rtt.heldUs;
}

uint64_t rttProbeUs(const Rtt& rtt) {
  const uint64_t probeUs = std::min(2 * uint64_t{rtt.smoothedUs}, baseTimeoutUs(rtt));
  return std::min(probeUs, uint64_t{RTO_MAX_US}) + rtt.heldUs;
}

uint64_t rttSettleUs(const Rtt& rtt) {
  return 2 * (std::min(baseTimeoutUs(rtt), uint64_t{RTO_MAX_US}) + rtt.heldUs);
}

void rttBackOff(Rtt& rtt, uint64_t nowUs) {
  rtt.backedOffUs = nowUs;
  rtt.backoffBefore = rtt.backoff;
  if ((baseTimeoutUs(rtt) << rtt.backoff) < RTO_MAX_US) rtt.backoff += 1;
}

uint64_t rttReorderUs(const Rtt& rtt) {
  const uint32_t base = rtt.smoothedUs > rtt.latestUs ? rtt.smoothedUs : rtt.latestUs;
  return uint64_t{base} + base / 8;
}

}  // namespace netrt
