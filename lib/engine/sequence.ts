/*
 * Owns the arithmetic of packet and message numbers that travel as their low 16 or 24 bits.
 * Never keeps state.
 * Invariants: of two numbers exactly half the range apart neither is newer, so `newer` can't hold in
 * both directions; expansion prefers the lower of two equally near numbers, because a number from
 * the past was sent and one from the future was not.
 */
import { SEQUENCE_MAX } from "./limits.js";

const HALF = 0x8000;

/** The number nearest to `reference` that has these low bits, the lower of two; or -1. */
function expand(low: number, bits: number, reference: number): number {
  const range = 2 ** bits;
  const ahead = (low - reference) & (range - 1);
  // The difference first: near SEQUENCE_MAX `reference + ahead` is past what a number holds exactly.
  const nearest = reference + (ahead < range / 2 ? ahead : ahead - range);
  return nearest < 0 || nearest > SEQUENCE_MAX ? -1 : nearest;
}

/** Whether `a` was given out after `b`, for numbers less than half the range apart. */
export function sequenceNewer16(a: number, b: number): boolean {
  const ahead = (a - b) & 0xffff;
  return ahead !== 0 && ahead < HALF;
}

/**
 * The number nearest to `reference` whose low 16 bits are `low16`, or -1 where that number would be
 * below zero or past SEQUENCE_MAX.
 */
export function sequenceExpand16(low16: number, reference: number): number {
  return expand(low16, 16, reference);
}

/** The same of the low 24 bits. */
export function sequenceExpand24(low24: number, reference: number): number {
  return expand(low24, 24, reference);
}
