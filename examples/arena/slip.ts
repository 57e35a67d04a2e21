/**
 * How late ticks begin, over any span of time: `server.stats` has it since the server opened, connecting
 * clients included; here it is wanted of the game alone, and of each second.
 *
 * Owns: when ticks are due, as their numbers tell: tick n is due n periods after tick 0 (lib/ticker.ts).
 * Invariants: tick 0 is taken to be due when the most punctual of all ticks so far began. A server that is
 * still empty begins its ticks within some µs, so that is by how much the slip here may be too small.
 */
import { createHistogram } from "node:perf_hooks";

export class Slip {
  readonly #periodUs: number;
  readonly #all = createHistogram();
  readonly #recent = createHistogram();
  #originUs = Number.POSITIVE_INFINITY;

  constructor(tickRate: number) {
    this.#periodUs = 1_000_000 / tickRate;
  }

  /** A tick begins. @param count whether it counts, or only tells how punctual ticks can be */
  record(tick: number, count: boolean): void {
    const originUs = performance.now() * 1000 - tick * this.#periodUs;
    this.#originUs = Math.min(this.#originUs, originUs);
    if (!count) return;
    const slipUs = Math.max(1, Math.round(originUs - this.#originUs));
    this.#all.record(slipUs);
    this.#recent.record(slipUs);
  }

  /** Of all ticks that counted: 99 of 100 began no later than this, in µs. */
  get p99Us(): number {
    return this.#all.count > 0 ? this.#all.percentile(99) : 0;
  }

  /** The same since it was asked last. */
  takeRecentP99Us(): number {
    const slipUs = this.#recent.count > 0 ? this.#recent.percentile(99) : 0;
    this.#recent.reset();
    return slipUs;
  }
}
