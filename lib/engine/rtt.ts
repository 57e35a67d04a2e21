// rtt: the round-trip time of a connection, its variation and the retransmission time-out.
//
// Owns the estimator. Never sees a packet: it is fed samples that already have the peer's ack delay
// subtracted. Microseconds, integers; divisions truncate toward zero.
// Invariant: 0 < minimumUs <= every sample of the last RTT_MINIMUM_WINDOW_US.

import {
  ACK_HOLD_US,
  CONGESTION_PING_US,
  CONGESTION_SILENCE_US,
  RTO_MAX_US,
  RTO_MIN_US,
  RTT_INITIAL_US,
  RTT_MINIMUM_WINDOW_US,
  RTT_SAMPLE_MAX_US,
} from "./limits.js";
import { NO_DEADLINE } from "./timers.js";

export class Rtt {
  smoothedUs = RTT_INITIAL_US;
  varianceUs = RTT_INITIAL_US / 2;
  latestUs = 0;
  minimumUs = 0;
  /** Mean difference of consecutive samples, after RFC 3550 section 6.4.1. */
  jitterUs = 0;
  samples = 0;
  /** When the last one came (µs). */
  sampledUs = 0;
  /** The time-out is shifted left by this, once for each time-out in a row. */
  backoff = 0;
  /** When it last was (µs), and what it was before. */
  backedOffUs = 0;
  backoffBefore = 0;
  /** The lowest sample of the running window, which becomes minimumUs when the window ends. */
  windowMinimumUs = 0;
  windowEndsUs = 0;
  /** For how long the peer lately held acks (µs): what it does so rarely that packets come seldom, too. */
  heldUs = ACK_HOLD_US;
  /** Packets below this number went another way: they say nothing. */
  fromNumber = 0;
}

export function rttReset(rtt: Rtt): void {
  rtt.smoothedUs = RTT_INITIAL_US;
  rtt.varianceUs = RTT_INITIAL_US / 2;
  rtt.latestUs = 0;
  rtt.minimumUs = 0;
  rtt.jitterUs = 0;
  rtt.samples = 0;
  rtt.sampledUs = 0;
  rtt.backoff = 0;
  rtt.backedOffUs = 0;
  rtt.backoffBefore = 0;
  rtt.windowMinimumUs = 0;
  rtt.windowEndsUs = 0;
  rtt.heldUs = ACK_HOLD_US;
  rtt.fromNumber = 0;
}

/**
 * The peer says how long it held an ack. A fixed time once made a peer that may send but 30 packets a
 * second lose everything to time-outs, for ever (test/sim).
 */
export function rttHeld(rtt: Rtt, heldUs: number): void {
  rtt.heldUs = Math.max(heldUs, rtt.heldUs - Math.trunc(rtt.heldUs / 16), ACK_HOLD_US);
}

/** Takes one sample (RFC 6298 section 2: gains 1/8 and 1/4) and ends the backoff. */
export function rttSample(rtt: Rtt, rawUs: number, nowUs: number): void {
  const sampleUs = Math.min(Math.max(rawUs, 1), RTT_SAMPLE_MAX_US);
  if (rtt.samples === 0) {
    rtt.smoothedUs = sampleUs;
    rtt.varianceUs = Math.trunc(sampleUs / 2);
    rtt.minimumUs = sampleUs;
    rtt.windowMinimumUs = sampleUs;
    rtt.windowEndsUs = nowUs + RTT_MINIMUM_WINDOW_US;
  } else {
    const error = sampleUs - rtt.smoothedUs;
    rtt.varianceUs += Math.trunc((Math.abs(error) - rtt.varianceUs) / 4);
    rtt.smoothedUs += Math.trunc(error / 8);
    rtt.jitterUs += Math.trunc((Math.abs(sampleUs - rtt.latestUs) - rtt.jitterUs) / 16);
    rttMinimum(rtt, sampleUs, nowUs);
  }
  rtt.latestUs = sampleUs;
  rtt.samples += 1;
  rtt.sampledUs = nowUs;
  rtt.backoff = 0;
}

function rttMinimum(rtt: Rtt, sampleUs: number, nowUs: number): void {
  if (sampleUs < rtt.windowMinimumUs) {
    rtt.windowMinimumUs = sampleUs;
  }
  if (sampleUs < rtt.minimumUs) {
    rtt.minimumUs = sampleUs;
  }
  if (nowUs >= rtt.windowEndsUs) {
    rtt.minimumUs = rtt.windowMinimumUs;
    rtt.windowMinimumUs = sampleUs;
    rtt.windowEndsUs = nowUs + RTT_MINIMUM_WINDOW_US;
  }
}

/** Whether the last time-out is one of this packet's flight as well: it was sent before. */
export function rttBackedOff(rtt: Rtt, sentUs: number): boolean {
  return rtt.backoff > 0 && sentUs < rtt.backedOffUs;
}

function baseTimeoutUs(rtt: Rtt): number {
  return Math.max(rtt.smoothedUs + 4 * rtt.varianceUs, RTO_MIN_US);
}

/**
 * The time-out of a packet that was sent then: srtt + 4 * var between RTO_MIN_US and RTO_MAX_US, doubled for
 * each time-out in a row before it was.
 */
export function rttTimeoutUs(rtt: Rtt, sentUs: number): number {
  const backoff = rttBackedOff(rtt, sentUs) ? rtt.backoffBefore : rtt.backoff;
  return Math.min(baseTimeoutUs(rtt) * 2 ** backoff, RTO_MAX_US);
}

/** When a packet that was sent then is timed out (µs): the peer may hold its ack as long as it lately did. */
export function rttExpiryUs(rtt: Rtt, sentUs: number): number {
  return sentUs + rttTimeoutUs(rtt, sentUs) + rtt.heldUs;
}

/**
 * How long after its sending the end of a burst is probed: after RFC 8985 section 7.2, two round trips,
 * but no longer than the time-out.
 */
export function rttProbeUs(rtt: Rtt): number {
  return Math.min(2 * rtt.smoothedUs, baseTimeoutUs(rtt), RTO_MAX_US) + rtt.heldUs;
}

/** How long after its sending an ack of a packet may still come: two time-outs that were not doubled. */
export function rttSettleUs(rtt: Rtt): number {
  return 2 * (Math.min(baseTimeoutUs(rtt), RTO_MAX_US) + rtt.heldUs);
}

/** After a time-out: what is sent from now on waits twice as long for the next. */
export function rttBackOff(rtt: Rtt, nowUs: number): void {
  rtt.backedOffUs = nowUs;
  rtt.backoffBefore = rtt.backoff;
  if (baseTimeoutUs(rtt) * 2 ** rtt.backoff < RTO_MAX_US) {
    rtt.backoff += 1;
  }
}

/** How long a packet may be overtaken before it counts as lost: RTT + RTT/8. */
export function rttReorderUs(rtt: Rtt): number {
  const base = Math.max(rtt.smoothedUs, rtt.latestUs);
  return base + Math.trunc(base / 8);
}

/**
 * When who waits for acks says something again, because they stay away (µs, R-15), or NO_DEADLINE. At 90 % loss ten
 * packets a second once left a peer without one for its time-out (test/matrix).
 */
export function rttSilentUs(rtt: Rtt, spokenUs: number): number {
  const silentUs = rtt.sampledUs + CONGESTION_SILENCE_US;
  return rtt.backoff > 1 && rtt.samples > 0
    ? Math.max(spokenUs + CONGESTION_PING_US, silentUs)
    : NO_DEADLINE;
}
