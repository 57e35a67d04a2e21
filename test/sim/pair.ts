// pair: one host in every engine under test, given the same calls; and the comparison of all that
// comes out of them.
//
// Never decides anything: what it is asked to do, it does to all of them.

import { BATCH_STRIDE } from "../../lib/engine/host.js";
import { CHANNELS_MAX, COMPLETION_RESERVE_BYTES } from "../../lib/engine/limits.js";
import { RING_CONTROL_BYTES } from "../../lib/engine/ring.js";
import {
  CHANNEL_COUNTERS,
  PEER_WORDS,
  statsChannelWord,
  statsHostWord,
  statsPeerWord,
  statsRejectWord,
} from "../../lib/engine/stats.js";
import {
  ADDRESS_WORDS,
  MEMORY_WORDS,
  openSimHost,
  type SimHost,
  type SimHostOptions,
  simPush,
} from "../hosts.js";

export type EngineName = "js" | "native";

/** The engines differ, or an engine broke an invariant. */
export class SimError extends Error {
  override readonly name = "SimError";
}

export class Pair {
  readonly hosts: readonly SimHost[];
  readonly #memory: readonly Uint32Array[];
  readonly #scratch = new Uint8Array(4096);

  constructor(engines: readonly EngineName[], options: SimHostOptions) {
    this.hosts = engines.map((engine) => openSimHost(engine, options));
    this.#memory = engines.map(() => new Uint32Array(MEMORY_WORDS));
  }

  /** The host whose output is believed: the first engine's. */
  get first(): SimHost {
    return this.hosts[0];
  }

  #each(call: (host: SimHost) => void): void {
    for (const host of this.hosts) call(host);
  }

  #same<T>(what: string, ask: (host: SimHost) => T): T {
    const [answer, ...others] = this.hosts.map(ask);
    for (const [index, other] of others.entries()) {
      if (other !== answer) this.#differ(what, String(answer), String(other), index + 1);
    }
    return answer;
  }

  #differ(what: string, first: string, other: string, index: number): never {
    const names = `${this.first.engine} ${first}, ${this.hosts[index].engine} ${other}`;
    throw new SimError(`the engines differ in ${what}: ${names}`);
  }

  connect(token: Uint8Array, nowUs: number): void {
    this.#each((host) => host.connect(token, nowUs));
  }

  push(
    kind: number,
    words: readonly [number, number, number, number],
    payload: Uint8Array,
  ): boolean {
    return this.#same("submission room", (host) => simPush(host, kind, words, payload));
  }

  submit(nowUs: number): void {
    this.#each((host) => host.submit(nowUs));
  }

  ready(): boolean {
    return this.#same("ready", (host) => host.ready());
  }

  receive(
    nowUs: number,
    receivedUs: number,
    unixSeconds: number,
    from: Uint32Array,
    bytes: Uint8Array,
  ): void {
    for (const host of this.hosts) {
      // Opened in place: each engine gets its own.
      this.#scratch.set(bytes, 16);
      const length = bytes.length;
      host.receive(nowUs, receivedUs, unixSeconds, from, this.#scratch, 16, length);
    }
  }

  advance(nowUs: number): void {
    this.#each((host) => host.advance(nowUs));
  }

  flush(): void {
    this.#each((host) => host.flush());
  }

  transmit(nowUs: number): number {
    const count = this.#same("datagrams of a batch", (host) => host.transmit(nowUs));
    for (let other = 1; other < this.hosts.length; other++) this.#compareBatch(count, other);
    return count;
  }

  #compareBatch(count: number, other: number): void {
    const one = this.first;
    const two = this.hosts[other];
    for (let index = 0; index < count; index++) {
      const which = `datagram ${index} of ${count}`;
      const length = one.lengths[index];
      if (length !== two.lengths[index]) {
        this.#differ(`the length of ${which}`, `${length}`, `${two.lengths[index]}`, other);
      }
      const start = index * BATCH_STRIDE;
      const left = one.batchBytes.subarray(start, start + length);
      const right = two.batchBytes.subarray(start, start + length);
      if (Buffer.compare(left, right) !== 0) {
        const place = left.findIndex((byte, at) => byte !== right[at]);
        this.#differ(`byte ${place} of ${which}`, hex(left), hex(right), other);
      }
      for (let word = index * ADDRESS_WORDS; word < (index + 1) * ADDRESS_WORDS; word++) {
        if (one.addresses[word] !== two.addresses[word]) {
          this.#differ(`the address of ${which}`, `${word}`, `${two.addresses[word]}`, other);
        }
      }
    }
  }

  /** Whether the user's ring has room for whatever a turn may bring forth. */
  get roomy(): boolean {
    const { in: ring } = this.first;
    const used = (Atomics.load(ring.control, 0) - Atomics.load(ring.control, 16)) >>> 0;
    return ring.capacity - used > COMPLETION_RESERVE_BYTES;
  }

  publish(): void {
    this.#each((host) => host.publish());
  }

  deadlineUs(): number {
    return this.#same("deadlines", (host) => host.deadlineUs());
  }

  /** The free parts of the pools. */
  memory(): Uint32Array {
    const [first, ...others] = this.#memory;
    this.hosts.forEach((host, index) => {
      host.memory(this.#memory[index]);
    });
    for (const [index, other] of others.entries()) {
      if (Buffer.compare(bytesOf(first), bytesOf(other)) !== 0) {
        this.#differ("free memory", `${first}`, `${other}`, index + 1);
      }
    }
    return first;
  }

  /** Compares rings, page, memory and deadline; throws SimError at the first difference. */
  compare(): void {
    this.deadlineUs();
    this.memory();
    for (let other = 1; other < this.hosts.length; other++) {
      const one = this.first;
      const two = this.hosts[other];
      if (Buffer.compare(bytesOf(one.page), bytesOf(two.page)) !== 0) {
        const word = one.page.findIndex((value, index) => value !== two.page[index]);
        const [left, right] = [one.page[word], two.page[word]];
        this.#differ(`the page, ${pageWordName(word)}`, `${left}`, `${right}`, other);
      }
      for (const ring of ["completion", "submission"] as const) {
        if (Buffer.compare(one[ring], two[ring]) !== 0) {
          const place = one[ring].findIndex((value, index) => value !== two[ring][index]);
          const start = Math.max(place - 32, 0);
          const cut = (host: SimHost) => hex(host[ring].subarray(start, place + 32));
          const where = place < RING_CONTROL_BYTES ? "control" : place - RING_CONTROL_BYTES;
          this.#differ(`the ${ring} ring at ${where}`, cut(one), cut(two), other);
        }
      }
    }
  }

  close(): void {
    this.#each((host) => host.close());
  }
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Where a word of the page stands, for people. */
export function pageWordName(word: number): string {
  if (word >= statsPeerWord(0)) {
    const inRows = word - statsPeerWord(0);
    return `peer row ${Math.trunc(inRows / PEER_WORDS)} word ${inRows % PEER_WORDS}`;
  }
  if (word >= statsChannelWord(0, 0)) {
    const pair = (word - statsChannelWord(0, 0)) >> 1;
    return `channel ${Math.min(Math.trunc(pair / CHANNEL_COUNTERS), CHANNELS_MAX)} counter ${pair % CHANNEL_COUNTERS}`;
  }
  return word >= statsRejectWord(0)
    ? `reject reason ${(word - statsRejectWord(0)) >> 1}`
    : `host counter ${(word - statsHostWord(0)) >> 1}`;
}
