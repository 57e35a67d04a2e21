// trace: everything that a world's hosts sent and told, as numbers, so that two runs can be compared.
//
// Owns the hashes: FNV-1a, 32 bits, of each thing with all before it. What is sent and what is told stand in
// two rows, since a turn may tell before or after it sends.
import { RECORD_BYTES, type Ring } from "../../lib/engine/ring.js";

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const NUMBER_BYTES = 7;

class Row {
  /** The hash after each thing. */
  readonly hashes: number[] = [];
  #hash = FNV_OFFSET;

  add(numbers: readonly number[], bytes: Uint8Array): void {
    let hash = this.#hash;
    for (const number of numbers) {
      let rest = number;
      for (let count = 0; count < NUMBER_BYTES; count++) {
        hash = Math.imul(hash ^ (rest % 256), FNV_PRIME);
        rest = Math.floor(rest / 256);
      }
    }
    for (const value of bytes) hash = Math.imul(hash ^ value, FNV_PRIME);
    this.#hash = hash;
    this.hashes.push(hash >>> 0);
  }

  differs(other: Row): number {
    const count = Math.max(this.hashes.length, other.hashes.length);
    for (let index = 0; index < count; index++) {
      if (this.hashes[index] !== other.hashes[index]) return index;
    }
    return -1;
  }
}

export class Trace {
  readonly #sent = new Row();
  readonly #told = new Row();

  /** `atUs` since the world began. */
  datagram(atUs: number, from: number, to: number, bytes: Uint8Array): void {
    this.#sent.add([atUs, from, to], bytes);
  }

  /** A record that a user read. */
  record(atUs: number, node: number, ring: Ring, word: number): void {
    const start = word * 4;
    const bytes = ring.bytes.subarray(start, start + RECORD_BYTES + ring.words[word + 3]);
    this.#told.add([atUs, node], bytes);
  }

  /** Things in it. */
  get count(): number {
    return this.#sent.hashes.length + this.#told.hashes.length;
  }

  /** The first thing in which another trace differs; -1 where there is none. */
  differs(other: Trace): number {
    const told = this.#told.differs(other.#told);
    return told >= 0 ? told : this.#sent.differs(other.#sent);
  }
}
