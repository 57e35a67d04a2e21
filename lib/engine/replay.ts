/*
 * Owns the memory of which of the last 256 sequences were received, so that none is taken twice.
 * Never moves on a packet that did not open: test, open, then advance.
 * Invariants: a sequence is acceptable if it is newer than the newest seen, or less than 256 older and
 * not seen. Distances are taken by subtraction: the reference once added the window to the sequence,
 * which wraps near 2^64 and refused honest packets there (test/unit/replay.test.ts pins it).
 * Bit `sequence mod 256` belongs to the one sequence of that residue that is inside the window.
 */
import { REPLAY_WINDOW_PACKETS } from "./limits.js";

const MASK = REPLAY_WINDOW_PACKETS - 1;

export class ReplayWindow {
  newestLo = 0;
  newestHi = 0;
  readonly seen = new Uint32Array(REPLAY_WINDOW_PACKETS / 32);
}

export function replayReset(window: ReplayWindow): void {
  window.newestLo = 0;
  window.newestHi = 0;
  window.seen.fill(0);
}

/** high - low of two 64-bit numbers, high >= low; REPLAY_WINDOW_PACKETS where it is that or more. */
function distance(highLo: number, highHi: number, lowLo: number, lowHi: number): number {
  const lo = (highLo - lowLo) >>> 0;
  const borrow = highLo < lowLo ? 1 : 0;
  const hi = highHi - lowHi - borrow;
  return hi === 0 && lo < REPLAY_WINDOW_PACKETS ? lo : REPLAY_WINDOW_PACKETS;
}

/** Whether a sequence is above all that were received. */
export function replayNewer(window: ReplayWindow, sequenceLo: number, sequenceHi: number): boolean {
  if (sequenceHi !== window.newestHi) return sequenceHi > window.newestHi;
  return sequenceLo > window.newestLo;
}

/** Whether a packet of this sequence may be opened: not seen, and not too old to know. */
export function replayTest(window: ReplayWindow, sequenceLo: number, sequenceHi: number): boolean {
  if (replayNewer(window, sequenceLo, sequenceHi)) return true;
  const behind = distance(window.newestLo, window.newestHi, sequenceLo, sequenceHi);
  if (behind >= REPLAY_WINDOW_PACKETS) return false;
  const bit = sequenceLo & MASK;
  return ((window.seen[bit >>> 5] >>> (bit & 31)) & 1) === 0;
}

/** Remembers the sequence of a packet that opened. */
export function replayAdvance(window: ReplayWindow, sequenceLo: number, sequenceHi: number): void {
  const seen = window.seen;
  if (replayNewer(window, sequenceLo, sequenceHi)) {
    const ahead = distance(sequenceLo, sequenceHi, window.newestLo, window.newestHi);
    if (ahead >= REPLAY_WINDOW_PACKETS) {
      seen.fill(0);
    } else {
      // The bits of the numbers passed over still tell of numbers 256 older.
      for (let step = 1; step < ahead; step++) {
        const bit = (window.newestLo + step) & MASK;
        seen[bit >>> 5] &= ~(1 << (bit & 31));
      }
    }
    window.newestLo = sequenceLo;
    window.newestHi = sequenceHi;
  } else if (
    distance(window.newestLo, window.newestHi, sequenceLo, sequenceHi) >= REPLAY_WINDOW_PACKETS
  ) {
    return;
  }
  const bit = sequenceLo & MASK;
  seen[bit >>> 5] |= 1 << (bit & 31);
}
