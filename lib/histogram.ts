/**
 * A histogram for what happens once in a tick.
 *
 * Owns: the values that wait to be recorded. Node's own `record` is a call into C++, whose code is out
 * of the cache by the next tick: 5 µs each, where a store takes none.
 * Never does: count by itself; Node's histogram does.
 */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

/** Values that wait at most: a second's ticks, about. */
const WAITING_MAX = 64;

export class TickHistogram {
  readonly #histogram = createHistogram();
  readonly #waiting = new Float64Array(WAITING_MAX);
  #count = 0;

  /** @param value a whole number from 1 on */
  record(value: number): void {
    this.#waiting[this.#count] = value;
    this.#count += 1;
    if (this.#count === WAITING_MAX) this.#settle();
  }

  /** Node's histogram of all values so far. */
  get whole(): RecordableHistogram {
    this.#settle();
    return this.#histogram;
  }

  #settle(): void {
    for (let index = 0; index < this.#count; index++) this.#histogram.record(this.#waiting[index]);
    this.#count = 0;
  }
}
