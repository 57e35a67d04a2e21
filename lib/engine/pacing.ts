// pacing: how many bytes a connection may send now, as a token bucket.
//
// Owns the budget. Never drops or delays anything itself: it answers, the connection waits.
// The rate (bytes per second) is congestion's to set; the bucket holds PACING_BURST_US of it, but
// always a few full packets so that a slow rate can still send one. A packet rate, where there is
// one, keeps packets apart.
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
  /** Packets a second at most; 0 for any number. */
  packetRate = 0;
  /** When the next packet may go out, by the packet rate (µs). */
  packetUs = 0;
}

export function pacingReset(pacing: Pacing, rate: number, nowUs: number): void {
  pacing.rate = rate;
  pacing.burst = burstOf(rate);
  pacing.credit = pacing.burst;
  pacing.updatedUs = nowUs;
  pacing.packetRate = 0;
  pacing.packetUs = 0;
}

function burstOf(rate: number): number {
  return Math.max(rate * PACING_BURST_US, PACING_BURST_PACKETS * PACKET_BYTES_MAX * MICROSECONDS);
}

/** From now on another rate. What was saved up at the old one is kept, as far as it fits. */
export function pacingRate(pacing: Pacing, rate: number, nowUs: number): void {
  if (rate !== pacing.rate) {
    refill(pacing, nowUs);
    pacing.rate = rate;
    pacing.burst = burstOf(rate);
    pacing.credit = Math.min(pacing.credit, pacing.burst);
  }
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
  return pacing.credit > 0 && nowUs >= pacing.packetUs;
}

/** A packet went out. */
export function pacingSpend(pacing: Pacing, bytes: number, nowUs: number): void {
  pacing.credit -= bytes * MICROSECONDS;
  if (pacing.packetRate > 0) {
    // Counted from when it was due, within an interval: a late tick doesn't lower the rate.
    const intervalUs = Math.trunc(MICROSECONDS / pacing.packetRate);
    pacing.packetUs = Math.max(pacing.packetUs, nowUs - intervalUs, 0) + intervalUs;
  }
}

/** When pacingReady will hold again (µs); now where it already does. */
export function pacingNextUs(pacing: Pacing, nowUs: number): number {
  if (pacing.credit > 0) {
    return Math.max(nowUs, pacing.packetUs);
  }
  const creditUs = pacing.updatedUs + Math.trunc(-pacing.credit / pacing.rate) + 1;
  return Math.max(creditUs, pacing.packetUs);
}
