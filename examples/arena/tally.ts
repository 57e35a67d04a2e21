/**
 * What arrived, compared with what was sent.
 *
 * Owns: the judgement of each message by its sequence: in order, a duplicate, or out of order.
 * Never does: ask the transport; its own counters are reported beside these, not instead.
 * Invariants: every message that is given in is counted in exactly one of `inOrder`, `outOfOrder`,
 * `duplicates` and `damaged`; delivered = inOrder + outOfOrder.
 */

/** Sequences remembered of a stream: 8 s at 128 Hz. */
const REMEMBERED = 1024;

/** Counts of one channel, summed over receivers. Plain data: it travels between the processes. */
export interface Counts {
  inOrder: number;
  outOfOrder: number;
  duplicates: number;
  /** Messages whose checksum, sender or content was not as it should be. */
  damaged: number;
}

export function noCounts(): Counts {
  return { inOrder: 0, outOfOrder: 0, duplicates: 0, damaged: 0 };
}

export function addCounts(sum: Counts, more: Counts): void {
  sum.inOrder += more.inOrder;
  sum.outOfOrder += more.outOfOrder;
  sum.duplicates += more.duplicates;
  sum.damaged += more.damaged;
}

export function deliveredOf(counts: Counts): number {
  return counts.inOrder + counts.outOfOrder;
}

/** The messages of one channel that one receiver has from one sender. */
export class Stream {
  readonly #counts: Counts;
  /** Sequence + 1 of the newest message with that remainder; 0: none yet. */
  readonly #seen = new Uint32Array(REMEMBERED);
  #expected = 0;

  /** @param counts where the stream counts; several may share them */
  constructor(counts: Counts) {
    this.#counts = counts;
  }

  /** Takes a message; true when it is a new one. */
  take(sequence: number): boolean {
    const place = sequence % REMEMBERED;
    if (this.#seen[place] === sequence + 1) {
      this.#counts.duplicates += 1;
      return false;
    }
    // A gap is no fault here: what never comes is missing in the sum, what comes late is seen below.
    if (sequence >= this.#expected) {
      this.#seen[place] = sequence + 1;
      this.#expected = sequence + 1;
      this.#counts.inOrder += 1;
    } else {
      // What is older than the memory reaches counts as out of order: no stream may go that far back.
      if (sequence + REMEMBERED >= this.#expected) this.#seen[place] = sequence + 1;
      this.#counts.outOfOrder += 1;
    }
    return true;
  }
}
