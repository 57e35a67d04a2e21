// pacing: how many bytes a connection may send now, as a token bucket.
//
// Owns the budget. Never drops or delays anything itself: it answers, the connection waits.
// The rate is fixed (bytes per second); the bucket holds PACING_BURST_US of it, but always a few
// full packets so that a slow rate can still send one.
// Invariant: credit <= burst; credit is kept in bytes times microseconds per second, without rounding.

import { PACING_BURST_PACKETS, PACING_BURST_US, PACKET_BYTES_MAX } from "./limits.js";

const MICROSECONDS = 1_000_000;

export class Pacing {
  /** Bytes per second. */
  rate = 0;
  /** Bytes * 10^6. */
  credit = 0;
  burst = 0;
  updatedUs = 0;
}

export function pacingReset(pacing: Pacing, rate: number, nowUs: number): void {
  pacing.rate = rate;
  pacing.burst = Math.max(
    rate * PACING_BURST_US,
    PACING_BURST_PACKETS * PACKET_BYTES_MAX * MICROSECONDS,
  );
  pacing.credit = pacing.burst;
  pacing.updatedUs = nowUs;
}

function refill(pacing: Pacing, nowUs: number): void {
  // Longer than a second fills every bucket; the bound keeps the product far below 2^53.
  const elapsedUs = Math.min(Math.max(nowUs - pacing.updatedUs, 0), MICROSECONDS * 8);
  pacing.credit = Math.min(pacing.credit + elapsedUs * pacing.rate, pacing.burst);
  pacing.updatedUs = Math.max(nowUs, pacing.updatedUs);
}

/** Whether a packet may go out now. A packet may overdraw the bucket: its size is known only later. */
export function pacingReady(pacing: Pacing, nowUs: number): boolean {
  refill(pacing, nowUs);
  return pacing.credit > 0;
}

export function pacingSpend(pacing: Pacing, bytes: number): void {
  pacing.credit -= bytes * MICROSECONDS;
}

/** When pacingReady will hold again (µs); now where it already does. */
export function pacingNextUs(pacing: Pacing, nowUs: number): number {
  if (pacing.credit > 0) {
    return nowUs;
  }
  return pacing.updatedUs + Math.trunc(-pacing.credit / pacing.rate) + 1;
}
