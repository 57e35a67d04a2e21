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
  // What is longer than the bucket takes to fill says no more; the bound keeps the product within 53 bits.
  // A fixed bound of 8 s once left the slowest rates short of their burst.
  const elapsedUs = Math.max(nowUs - pacing.updatedUs, 0);
  const fullUs = Math.ceil((pacing.burst - pacing.credit) / pacing.rate);
  pacing.credit = elapsedUs < fullUs ? pacing.credit + elapsedUs * pacing.rate : pacing.burst;
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
