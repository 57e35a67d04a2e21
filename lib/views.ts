/**
 * Where a message lies while its handlers run.
 *
 * Owns: the memory of the completion ring with room for one message behind it, and a view of that room for
 * each length that a message had. A view's length is fixed, and a new one for every message would be all
 * the garbage that a steady server makes (test/garbage).
 * Never does: know what a message is.
 * Invariant: what `lend` gave out holds its message until `lend` is called again.
 */
import { PAYLOAD_BYTES_MAX } from "./engine/limits.js";
import { RING_CONTROL_BYTES, ringBytes } from "./engine/ring.js";

export class Views {
  /** The ring, to be used as if it were alone. */
  readonly ring: Uint8Array<ArrayBuffer>;
  readonly #memory: Uint8Array<ArrayBuffer>;
  readonly #room: number;
  readonly #views: (Uint8Array | undefined)[] = [];

  /** @param capacity bytes of the ring's data */
  constructor(capacity: number) {
    this.#room = ringBytes(capacity);
    this.#memory = new Uint8Array(this.#room + PAYLOAD_BYTES_MAX);
    this.ring = this.#memory.subarray(0, this.#room);
  }

  /** A copy of a message of at most one packet, at `start` of the ring's data. */
  lend(start: number, length: number): Uint8Array {
    const from = RING_CONTROL_BYTES + start;
    this.#memory.copyWithin(this.#room, from, from + length);
    let view = this.#views[length];
    if (view === undefined) {
      view = new Uint8Array(this.#memory.buffer, this.#room, length);
      this.#views[length] = view;
    }
    return view;
  }
}
