// Congestion control: see congestion.h.
#include "core/congestion.h"

#include <algorithm>

namespace netrt {

void congestionReset(Congestion& congestion, uint32_t mode, uint64_t nowUs) {
  congestion = Congestion();
  congestion.mode = mode;
  congestion.windowBytes =
      mode == CONGESTION_DELAY ? CONGESTION_WINDOW_INITIAL : CONGESTION_WINDOW_MAX;
  congestion.emptyUs = nowUs;
  congestion.modeUs = nowUs;
  congestion.halvedUs = nowUs;
  congestion.conditionsUs = nowUs;
}

bool congestionOpen(const Congestion& congestion, uint32_t flightBytes) {
  return flightBytes < congestion.windowBytes;
}

uint32_t congestionRate(const Congestion& congestion, const Rtt& rtt, uint32_t rate) {
  if (congestion.mode != CONGESTION_DELAY) return rate;
  // Twice the window in a round trip while it doubles, else five quarters: what pacing holds back
  // would not fill the window.
  const uint64_t quarters = congestion.starting ? 8 : 5;
  const uint64_t smoothedUs = std::max<uint64_t>(rtt.smoothedUs, 1);
  const uint64_t paced = congestion.windowBytes * quarters * 250000 / smoothedUs;
  return static_cast<uint32_t>(std::min<uint64_t>(paced, rate));
}

uint32_t congestionPacketRate(const Congestion& congestion) {
  if (congestion.mode != CONGESTION_BINARY) return 0;
  return congestion.good ? BINARY_GOOD_HZ : BINARY_BAD_HZ;
}

void congestionSent(Congestion& congestion, uint32_t flightBytes) {
  congestion.roundFlightBytes = std::max(congestion.roundFlightBytes, flightBytes);
}

void congestionSample(Congestion& congestion, const Rtt& rtt) {
  const int64_t delayUs =
      rtt.latestUs > rtt.minimumUs ? int64_t{rtt.latestUs} - int64_t{rtt.minimumUs} : 0;
  const bool lower = congestion.roundDelayUs == NO_SAMPLE || delayUs < congestion.roundDelayUs;
  if (lower) congestion.roundDelayUs = delayUs;
}

namespace {

void roundEnded(Congestion& congestion, const Rtt& rtt, uint32_t acked, uint32_t lost,
                uint64_t nowUs);
void resize(Congestion& congestion, uint32_t bytes);
void shrink(Congestion& congestion, uint32_t bytes, uint32_t least);
void grow(Congestion& congestion, uint64_t delayUs);

}  // namespace

void congestionAcked(Congestion& congestion, const Rtt& rtt, int64_t ackedLatest,
                     int64_t nextNumber, uint32_t acked, uint32_t lost, uint64_t nowUs) {
  if (congestion.mode != CONGESTION_DELAY || ackedLatest < congestion.roundEnd) return;
  if (congestion.roundDelayUs != NO_SAMPLE) {
    roundEnded(congestion, rtt, acked - congestion.roundAcked, lost - congestion.roundLost, nowUs);
  }
  congestion.roundEnd = nextNumber;
  congestion.roundDelayUs = NO_SAMPLE;
  congestion.roundFlightBytes = 0;
  congestion.roundAcked = acked;
  congestion.roundLost = lost;
}

namespace {

// One step a round trip. What doesn't use its window learns nothing of the path.
void roundEnded(Congestion& congestion, const Rtt& rtt, uint32_t acked, uint32_t lost,
                uint64_t nowUs) {
  const uint64_t delayUs = static_cast<uint64_t>(congestion.roundDelayUs);
  congestion.delayUs = static_cast<uint32_t>(delayUs);
  if (delayUs < CONGESTION_TARGET_US / 4) congestion.emptyUs = nowUs;
  if (congestion.roundFlightBytes < congestion.windowBytes / 2) return;
  if (congestion.settling) {
    congestion.settling = false;
    return;
  }
  if (congestion.probedBytes > 0) {
    resize(congestion, congestion.probedBytes);
    congestion.probedBytes = 0;
    congestion.emptyUs = nowUs;
    return;
  }
  const uint64_t minimumUs = rtt.minimumUs;
  const uint64_t drained = congestion.windowBytes * minimumUs / (minimumUs + delayUs);
  if (nowUs >= congestion.emptyUs + CONGESTION_PROBE_US && !congestion.starting) {
    // A queue that is always there would pass for the path's own length once the minimum is
    // forgotten, and the next would stand on it.
    congestion.probedBytes = congestion.windowBytes;
    resize(congestion,
           std::max(static_cast<uint32_t>(drained * 3 / 4), uint32_t{CONGESTION_WINDOW_MIN}));
    return;
  }
  const uint64_t packets = uint64_t{acked} + lost;
  // A lossy link is none of ours: without a queue only heavy loss counts, as behind a policer.
  const uint64_t share = delayUs >= CONGESTION_TARGET_US / 4 ? uint64_t{CONGESTION_LOSS_SHARE}
                                                             : 3 * uint64_t{CONGESTION_LOSS_SHARE};
  const bool lossy =
      packets >= CONGESTION_LOSS_PACKETS && uint64_t{lost} * 65536 >= packets * share;
  if (delayUs > CONGESTION_TARGET_US) {
    // What empties the queue: then whoever came late sees the path without it.
    shrink(congestion, static_cast<uint32_t>(drained), CONGESTION_WINDOW_MIN);
  } else if (lossy) {
    shrink(congestion, congestion.windowBytes * 7 / 10, CONGESTION_LOSS_FLOOR);
  } else if (congestion.roundFlightBytes >= uint64_t{congestion.windowBytes} * 7 / 8) {
    // The lowest shows a queue that stays; one that comes and goes, between stalls, is in the mean.
    // So are hosts that are slow: they must not hold a small window down.
    const uint64_t lessUs = uint64_t{rtt.minimumUs} + rtt.jitterUs;
    const uint64_t meanUs = rtt.smoothedUs > lessUs ? rtt.smoothedUs - lessUs : 0;
    const bool wide = congestion.windowBytes > CONGESTION_WINDOW_INITIAL;
    grow(congestion, wide ? std::max(delayUs, meanUs) : delayUs);
  }
}

// What the next round trip shows was sent before.
void resize(Congestion& congestion, uint32_t bytes) {
  congestion.windowBytes = bytes;
  congestion.settling = true;
}

void shrink(Congestion& congestion, uint32_t bytes, uint32_t least) {
  congestion.starting = false;
  congestion.clearRounds = 0;
  congestion.probedBytes = 0;
  congestion.windowBytes = std::min(congestion.windowBytes, std::max(bytes, least));
}

void grow(Congestion& congestion, uint64_t delayUs) {
  // Less the nearer the target: many who share a queue once overshot it by all their steps
  // together.
  const uint64_t leftUs = delayUs < CONGESTION_TARGET_US ? CONGESTION_TARGET_US - delayUs : 0;
  const uint64_t step = CONGESTION_STEP * leftUs / CONGESTION_TARGET_US;
  uint32_t bytes = congestion.windowBytes + static_cast<uint32_t>(step);
  if (congestion.starting) {
    congestion.starting = delayUs <= CONGESTION_TARGET_US / 2;
    bytes = congestion.starting ? 2 * congestion.windowBytes : bytes;
  } else if (delayUs < CONGESTION_TARGET_US / 4) {
    congestion.clearRounds += 1;
    if (congestion.clearRounds > CONGESTION_CLEAR_ROUNDS) {
      bytes += congestion.windowBytes / 8;
      congestion.settling = true;
    }
  } else {
    congestion.clearRounds = 0;
  }
  congestion.windowBytes = std::min(bytes, CONGESTION_WINDOW_MAX);
}

}  // namespace

void congestionTimedOut(Congestion& congestion) {
  if (congestion.mode != CONGESTION_DELAY) return;
  shrink(congestion, congestion.windowBytes / 2, CONGESTION_LOSS_FLOOR);
  congestion.starting = true;
}

// ---- Binary (R-59) ----

void congestionJudge(Congestion& congestion, const Rtt& rtt, uint64_t nowUs) {
  if (congestion.mode != CONGESTION_BINARY) return;
  // A player far away is not congested: the path's own length counts too.
  const bool good =
      rtt.smoothedUs <= BINARY_RTT_US || rtt.smoothedUs <= 2 * uint64_t{rtt.minimumUs};
  if (good != congestion.conditionsGood) {
    congestion.conditionsGood = good;
    congestion.conditionsUs = nowUs;
  }
  if (congestion.good && !good) {
    const bool quick = nowUs - congestion.modeUs < BINARY_PERIOD_US;
    if (quick) congestion.penaltyUs = std::min(2 * congestion.penaltyUs, BINARY_PENALTY_MAX_US);
    congestion.good = false;
    congestion.modeUs = nowUs;
  } else if (congestion.good && nowUs - congestion.halvedUs >= BINARY_PERIOD_US) {
    congestion.penaltyUs = std::max(congestion.penaltyUs / 2, BINARY_PENALTY_MIN_US);
    congestion.halvedUs = nowUs;
  } else if (!congestion.good && good && nowUs - congestion.conditionsUs >= congestion.penaltyUs) {
    congestion.good = true;
    congestion.modeUs = nowUs;
    congestion.halvedUs = nowUs;
  }
}

}  // namespace netrt
