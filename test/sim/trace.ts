// trace: everything that a world's hosts sent and told, as one number, so that two runs can be compared.
//
// Owns the hash: FNV-1a, 32 bits. Never keeps what it saw, but for the place of the first thing that a
// second run has otherwise.
import { RECORD_BYTES, type Ring } from "../../lib/engine/ring.js";

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export class Trace {
  /** The hash after each thing. */
  readonly hashes: number[] = [];
  #hash = FNV_OFFSET;

  #byte(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value & 0xff), FNV_PRIME);
  }

  #number(value: number): void {
    for (let rest = value, count = 0; count < 7; count++, rest = Math.floor(rest / 256)) {
      this.#byte(rest % 256);
    }
  }

  #bytes(bytes: Uint8Array): void {
    for (const value of bytes) this.#byte(value);
    this.hashes.push(this.#hash >>> 0);
  }

  /** `atUs` since the world began. */
  datagram(atUs: number, from: number, to: number, bytes: Uint8Array): void {
    this.#number(atUs);
    this.#byte(from);
    this.#byte(to);
    this.#bytes(bytes);
  }

  /** A record that a user read. */
  record(atUs: number, node: number, ring: Ring, word: number): void {
    this.#number(atUs);
    this.#byte(node);
    const start = word * 4;
    this.#bytes(ring.bytes.subarray(start, start + RECORD_BYTES + ring.words[word + 3]));
  }

  /** The first thing in which another trace differs; -1 where there is none. */
  differs(other: Trace): number {
    const { hashes } = this;
    const count = Math.max(hashes.length, other.hashes.length);
    for (let index = 0; index < count; index++) {
      if (hashes[index] !== other.hashes[index]) return index;
    }
    return -1;
  }
}
