// trace: everything that a world's hosts sent and told, as numbers, so that two runs can be compared.
//
// Owns the hashes: FNV-1a, 32 bits, of each thing with all before it. What is sent and what is told stand in
// two rows, since a turn may tell before or after it sends.
import { RECORD_BYTES, type Ring } from "../../lib/engine/ring.js";

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const NUMBER_BYTES = 7;
/** By kind (lib/engine/ring.ts). */
const RECORD_NAMES = ["", "connect", "disconnect", "message", "fate", "state"];

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

/** The last things that were sent and told, as lines, for whoever looks for a bug. */
export class Journal extends Trace {
  readonly #lines: string[] = [];
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  #add(atUs: number, line: string): void {
    this.#lines.push(`${(atUs / 1000).toFixed(3).padStart(12)} ms  ${line}`);
    if (this.#lines.length > this.#most) this.#lines.shift();
  }

  override datagram(atUs: number, from: number, to: number, bytes: Uint8Array): void {
    this.#add(atUs, `${from} -> ${to}  type ${bytes[0] & 15}, ${bytes.length} B`);
  }

  override record(atUs: number, node: number, ring: Ring, word: number): void {
    const [first, peer, channel, bytes, word4, word5] = ring.words.subarray(word, word + 6);
    const kind = RECORD_NAMES[first >>> 24] ?? `record ${first >>> 24}`;
    const what = `peer ${peer}, channel ${channel}, ${bytes} B, ${word4 | 0}, ${word5}`;
    this.#add(atUs, `${node} is told ${kind}: ${what}`);
  }

  override toString(): string {
    return this.#lines.join("\n");
  }
}
