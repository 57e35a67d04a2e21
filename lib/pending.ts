/**
 * What was sent to one peer and is not on the page of counters yet, because the engine has not come
 * to it in the submission ring.
 *
 * Owns: bytes and messages between a peer's `send` and the engine's count of them.
 * Never does: look at the page.
 * Invariant: nothing is forgotten before the engine took it, and what it took is forgotten once what
 * was sent before the last look is taken too: an engine that takes while more is sent (on its own
 * thread) never lets the sums grow without bound. Positions are counted in bytes of the ring and don't
 * wrap.
 */

class Generation {
  bytes = 0;
  messages = 0;
  /** Where the last of them ends in the ring. */
  end = 0;
}

export class Pending {
  #older = new Generation();
  #newer = new Generation();

  /** A message was put into the ring, which ends at `end` with it. */
  add(bytes: number, end: number): void {
    this.#newer.bytes += bytes;
    this.#newer.messages += 1;
    this.#newer.end = end;
  }

  /** The engine has taken everything before `taken`. */
  settle(taken: number): void {
    for (let generation = 0; generation < 2; generation++) {
      const older = this.#older;
      if (older.messages > 0 && older.end > taken) return;
      older.bytes = 0;
      older.messages = 0;
      this.#older = this.#newer;
      this.#newer = older;
    }
  }

  get bytes(): number {
    return this.#older.bytes + this.#newer.bytes;
  }

  get messages(): number {
    return this.#older.messages + this.#newer.messages;
  }
}
