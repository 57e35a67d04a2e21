// congestion: how much may be on its way to a peer unacked, and how fast it goes out.
//
// Owns the window and the two controllers: by delay (after Swift, Kumar et al., SIGCOMM 2020: a
// target of queueing delay, additive increase, decrease once a round trip), and Glenn Fiedler's
// binary mode ("Reliability and Congestion Avoidance over UDP"). Never sees a packet's content, never
// holds a packet back: it answers, the connection waits.
// Invariant: CONGESTION_WINDOW_MIN <= windowBytes <= CONGESTION_WINDOW_MAX.

import {
  BINARY_BAD_HZ,
  BINARY_GOOD_HZ,
  BINARY_PENALTY_MAX_US,
  BINARY_PENALTY_MIN_US,
  BINARY_PENALTY_US,
  BINARY_PERIOD_US,
  BINARY_RTT_US,
  CONGESTION_CLEAR_ROUNDS,
  CONGESTION_LOSS_FLOOR,
  CONGESTION_LOSS_PACKETS,
  CONGESTION_LOSS_SHARE,
  CONGESTION_PROBE_US,
  CONGESTION_STEP,
  CONGESTION_TARGET_US,
  CONGESTION_WINDOW_INITIAL,
  CONGESTION_WINDOW_MAX,
  CONGESTION_WINDOW_MIN,
} from "./limits.js";
import type { Rtt } from "./rtt.js";

/** No controller: the send rate alone bounds. */
export const CONGESTION_FIXED = 0;
/** Delay and loss. */
export const CONGESTION_DELAY = 1;
/** Good or bad. */
export const CONGESTION_BINARY = 2;

export const NO_SAMPLE = -1;

export class Congestion {
  mode = CONGESTION_FIXED;
  windowBytes = CONGESTION_WINDOW_MAX;
  /** The window doubles each round trip until the first sign of a queue. */
  starting = true;
  /** The round trip that runs: it ends when a packet with this number or a later one is acked. */
  roundEnd = 0;
  /** The lowest queueing delay of it (µs), or NO_SAMPLE. */
  roundDelayUs = NO_SAMPLE;
  /** The most that was on its way in it. */
  roundFlightBytes = 0;
  /** Packets acked and lost when it began. */
  roundAcked = 0;
  roundLost = 0;
  /** The window has another size: what the next round trip shows was sent before. */
  settling = false;
  /** When a round trip last showed no queue (µs), and the window to come back to after a look beneath it; 0 for none. */
  emptyUs = 0;
  probedBytes = 0;
  /** Round trips in a row without a queue. */
  clearRounds = 0;
  /** The last queueing delay that counted (µs), for the user's eyes. */
  delayUs = 0;

  // --- binary ---
  good = true;
  penaltyUs = BINARY_PENALTY_US;
  /** Since when the mode is what it is, when good last halved the penalty, and since when conditions are what they are (µs). */
  modeUs = 0;
  halvedUs = 0;
  conditionsUs = 0;
  conditionsGood = true;
}

export function congestionReset(congestion: Congestion, mode: number, nowUs: number): void {
  congestion.mode = mode;
  congestion.windowBytes =
    mode === CONGESTION_DELAY ? CONGESTION_WINDOW_INITIAL : CONGESTION_WINDOW_MAX;
  congestion.starting = true;
  congestion.roundEnd = 0;
  congestion.roundDelayUs = NO_SAMPLE;
  congestion.roundFlightBytes = 0;
  congestion.roundAcked = 0;
  congestion.roundLost = 0;
  congestion.settling = false;
  congestion.emptyUs = nowUs;
  congestion.probedBytes = 0;
  congestion.clearRounds = 0;
  congestion.delayUs = 0;
  congestion.good = true;
  congestion.penaltyUs = BINARY_PENALTY_US;
  congestion.modeUs = nowUs;
  congestion.halvedUs = nowUs;
  congestion.conditionsUs = nowUs;
  congestion.conditionsGood = true;
}

/** Whether another packet with something to lose may go out while so many bytes are on their way. */
export function congestionOpen(congestion: Congestion, flightBytes: number): boolean {
  return flightBytes < congestion.windowBytes;
}

/** The rate at which the window goes out (bytes a second), no more than `rate`. */
export function congestionRate(congestion: Congestion, rtt: Rtt, rate: number): number {
  if (congestion.mode !== CONGESTION_DELAY) {
    return rate;
  }
  // Twice the window in a round trip while it doubles, else five quarters: what pacing holds back
  // would not fill the window.
  const quarters = congestion.starting ? 8 : 5;
  const smoothedUs = Math.max(rtt.smoothedUs, 1);
  return Math.min(Math.trunc((congestion.windowBytes * quarters * 250_000) / smoothedUs), rate);
}

/** Packets a second in binary mode, or 0 for no bound. */
export function congestionPacketRate(congestion: Congestion): number {
  if (congestion.mode !== CONGESTION_BINARY) {
    return 0;
  }
  return congestion.good ? BINARY_GOOD_HZ : BINARY_BAD_HZ;
}

/** A packet goes out: so many bytes are on their way now. */
export function congestionSent(congestion: Congestion, flightBytes: number): void {
  congestion.roundFlightBytes = Math.max(congestion.roundFlightBytes, flightBytes);
}

/** An ack brought a new sample of the round-trip time. */
export function congestionSample(congestion: Congestion, rtt: Rtt): void {
  const delayUs = Math.max(rtt.latestUs - rtt.minimumUs, 0);
  const lower = congestion.roundDelayUs === NO_SAMPLE || delayUs < congestion.roundDelayUs;
  congestion.roundDelayUs = lower ? delayUs : congestion.roundDelayUs;
}

/**
 * After acks took effect: `ackedLatest` is the highest number acked, `nextNumber` the next to send,
 * `acked` and `lost` count verdicts.
 */
export function congestionAcked(
  congestion: Congestion,
  rtt: Rtt,
  ackedLatest: number,
  nextNumber: number,
  acked: number,
  lost: number,
  nowUs: number,
): void {
  if (congestion.mode !== CONGESTION_DELAY || ackedLatest < congestion.roundEnd) {
    return;
  }
  if (congestion.roundDelayUs !== NO_SAMPLE) {
    roundEnded(congestion, rtt, acked - congestion.roundAcked, lost - congestion.roundLost, nowUs);
  }
  congestion.roundEnd = nextNumber;
  congestion.roundDelayUs = NO_SAMPLE;
  congestion.roundFlightBytes = 0;
  congestion.roundAcked = acked;
  congestion.roundLost = lost;
}

/** One step a round trip. What doesn't use its window learns nothing of the path. */
function roundEnded(
  congestion: Congestion,
  rtt: Rtt,
  acked: number,
  lost: number,
  nowUs: number,
): void {
  const delayUs = congestion.roundDelayUs;
  congestion.delayUs = delayUs;
  if (delayUs < CONGESTION_TARGET_US / 4) {
    congestion.emptyUs = nowUs;
  }
  if (congestion.roundFlightBytes < Math.trunc(congestion.windowBytes / 2)) {
    return;
  }
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
  const drained = Math.trunc((congestion.windowBytes * rtt.minimumUs) / (rtt.minimumUs + delayUs));
  if (nowUs - congestion.emptyUs >= CONGESTION_PROBE_US && !congestion.starting) {
    // A queue that is always there would pass for the path's own length once the minimum is forgotten, and the next
    // would stand on it.
    congestion.probedBytes = congestion.windowBytes;
    resize(congestion, Math.max(Math.trunc((drained * 3) / 4), CONGESTION_WINDOW_MIN));
    return;
  }
  const packets = acked + lost;
  // A lossy link is none of ours: without a queue only heavy loss counts, as behind a policer.
  const share =
    delayUs >= CONGESTION_TARGET_US / 4 ? CONGESTION_LOSS_SHARE : 3 * CONGESTION_LOSS_SHARE;
  const lossy = packets >= CONGESTION_LOSS_PACKETS && lost * 65536 >= packets * share;
  if (delayUs > CONGESTION_TARGET_US) {
    // What empties the queue: then whoever came late sees the path without it.
    shrink(congestion, drained, CONGESTION_WINDOW_MIN);
  } else if (lossy) {
    shrink(congestion, Math.trunc((congestion.windowBytes * 7) / 10), CONGESTION_LOSS_FLOOR);
  } else if (congestion.roundFlightBytes >= Math.trunc((congestion.windowBytes * 7) / 8)) {
    // The lowest shows a queue that stays; one that comes and goes, between stalls, is in the mean. So are
    // hosts that are slow: they must not hold a small window down.
    const meanUs = rtt.smoothedUs - rtt.minimumUs - rtt.jitterUs;
    const wide = congestion.windowBytes > CONGESTION_WINDOW_INITIAL;
    grow(congestion, wide ? Math.max(delayUs, meanUs) : delayUs);
  }
}

/** What the next round trip shows was sent before. */
function resize(congestion: Congestion, bytes: number): void {
  congestion.windowBytes = bytes;
  congestion.settling = true;
}

function shrink(congestion: Congestion, bytes: number, least: number): void {
  congestion.starting = false;
  congestion.clearRounds = 0;
  congestion.probedBytes = 0;
  congestion.windowBytes = Math.min(congestion.windowBytes, Math.max(bytes, least));
}

function grow(congestion: Congestion, delayUs: number): void {
  // Less the nearer the target: many who share a queue once overshot it by all their steps together.
  const leftUs = Math.max(CONGESTION_TARGET_US - delayUs, 0);
  const step = Math.trunc((CONGESTION_STEP * leftUs) / CONGESTION_TARGET_US);
  let bytes = congestion.windowBytes + step;
  if (congestion.starting) {
    congestion.starting = delayUs <= CONGESTION_TARGET_US / 2;
    bytes = congestion.starting ? 2 * congestion.windowBytes : bytes;
  } else if (delayUs < CONGESTION_TARGET_US / 4) {
    congestion.clearRounds += 1;
    if (congestion.clearRounds > CONGESTION_CLEAR_ROUNDS) {
      bytes += Math.trunc(congestion.windowBytes / 8);
      congestion.settling = true;
    }
  } else {
    congestion.clearRounds = 0;
  }
  congestion.windowBytes = Math.min(bytes, CONGESTION_WINDOW_MAX);
}

/** No ack came in time: half the window, and doubling from there once acks come again. */
export function congestionTimedOut(congestion: Congestion): void {
  if (congestion.mode === CONGESTION_DELAY) {
    shrink(congestion, Math.trunc(congestion.windowBytes / 2), CONGESTION_LOSS_FLOOR);
    congestion.starting = true;
  }
}

// --- binary (R-59) ---

/** Looks at the conditions; the mode follows them down at once, and up after the penalty. */
export function congestionJudge(congestion: Congestion, rtt: Rtt, nowUs: number): void {
  if (congestion.mode !== CONGESTION_BINARY) {
    return;
  }
  // A player far away is not congested: the path's own length counts too.
  const good = rtt.smoothedUs <= BINARY_RTT_US || rtt.smoothedUs <= 2 * rtt.minimumUs;
  if (good !== congestion.conditionsGood) {
    congestion.conditionsGood = good;
    congestion.conditionsUs = nowUs;
  }
  if (congestion.good && !good) {
    const quick = nowUs - congestion.modeUs < BINARY_PERIOD_US;
    if (quick) {
      congestion.penaltyUs = Math.min(2 * congestion.penaltyUs, BINARY_PENALTY_MAX_US);
    }
    congestion.good = false;
    congestion.modeUs = nowUs;
  } else if (congestion.good && nowUs - congestion.halvedUs >= BINARY_PERIOD_US) {
    congestion.penaltyUs = Math.max(Math.trunc(congestion.penaltyUs / 2), BINARY_PENALTY_MIN_US);
    congestion.halvedUs = nowUs;
  } else if (!congestion.good && good && nowUs - congestion.conditionsUs >= congestion.penaltyUs) {
    congestion.good = true;
    congestion.modeUs = nowUs;
    congestion.halvedUs = nowUs;
  }
}
