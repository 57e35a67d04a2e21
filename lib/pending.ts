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

export class Pending {
  // Two generations, in one object: each peer's are out of the cache whenever it is sent something.
  #olderBytes = 0;
  #olderMessages = 0;
  /** Where the last of them ends in the ring. */
  #olderEnd = 0;
  #newerBytes = 0;
  #newerMessages = 0;
  #newerEnd = 0;

  /** A message was put into the ring, which ends at `end` with it. */
  add(bytes: number, end: number): void {
    this.#newerBytes += bytes;
    this.#newerMessages += 1;
    this.#newerEnd = end;
  }

  /** The engine has taken everything before `taken`. */
  settle(taken: number): void {
    for (let generation = 0; generation < 2; generation++) {
      if (this.#olderMessages > 0 && this.#olderEnd > taken) return;
      this.#olderBytes = this.#newerBytes;
      this.#olderMessages = this.#newerMessages;
      this.#olderEnd = this.#newerEnd;
      this.#newerBytes = 0;
      this.#newerMessages = 0;
    }
  }

  get bytes(): number {
    return this.#olderBytes + this.#newerBytes;
  }

  get messages(): number {
    return this.#olderMessages + this.#newerMessages;
  }
}
