/*
 * Owns the arithmetic of packet and message numbers that travel as their low 16 bits.
 * Never keeps state.
 * Invariants: of two numbers exactly half the range apart neither is newer, so `newer` can't hold in
 * both directions; expansion prefers the lower of two equally near numbers, because a number from
 * the past was sent and one from the future was not.
 */
import { SEQUENCE_MAX } from "./limits.js";

const HALF = 0x8000;
const RANGE = 0x10000;

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
  const ahead = (low16 - reference) & 0xffff;
  // The difference first: near SEQUENCE_MAX `reference + ahead` is past what a number holds exactly.
  const nearest = reference + (ahead < HALF ? ahead : ahead - RANGE);
  return nearest < 0 || nearest > SEQUENCE_MAX ? -1 : nearest;
}
