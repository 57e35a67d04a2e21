/**
 * A queue of things that are due at a time.
 *
 * Owns: a binary min-heap by time; what is due at the same time comes out in the order it went in.
 * Never does: look at a clock.
 */

interface Entry<T> {
  readonly dueUs: number;
  readonly order: number;
  readonly value: T;
}

export class DueHeap<T> {
  readonly #entries: Entry<T>[] = [];
  #order = 0;

  /** Things in the queue. */
  get size(): number {
    return this.#entries.length;
  }

  /** When the first is due, in µs; Infinity when the queue is empty. */
  get nextUs(): number {
    return this.#entries[0]?.dueUs ?? Number.POSITIVE_INFINITY;
  }

  push(dueUs: number, value: T): void {
    const entries = this.#entries;
    const entry = { dueUs, order: this.#order++, value };
    let index = entries.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!earlier(entry, entries[parent])) break;
      entries[index] = entries[parent];
      index = parent;
    }
    entries[index] = entry;
  }

  /** Takes the first thing that is due at `nowUs`; undefined when none is. */
  pop(nowUs: number): T | undefined {
    const entries = this.#entries;
    if (this.nextUs > nowUs) return undefined;
    const first = entries[0];
    const last = entries.pop() as Entry<T>;
    if (entries.length > 0) this.#sink(last);
    return first.value;
  }

  clear(): void {
    this.#entries.length = 0;
  }

  #sink(entry: Entry<T>): void {
    const entries = this.#entries;
    const count = entries.length;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= count) break;
      if (child + 1 < count && earlier(entries[child + 1], entries[child])) child++;
      if (!earlier(entries[child], entry)) break;
      entries[index] = entries[child];
      index = child;
    }
    entries[index] = entry;
  }
}

function earlier<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.dueUs < b.dueUs || (a.dueUs === b.dueUs && a.order < b.order);
}
