// pair: one host in every engine under test, given the same calls; and the comparison of all that
// comes out of them.
//
// Never decides anything: what it is asked to do, it does to all of them.

import { BATCH_STRIDE } from "../../lib/engine/host.js";
import { CHANNELS_MAX, COMPLETION_RESERVE_BYTES } from "../../lib/engine/limits.js";
import { RECORD_BYTES, RING_CONTROL_BYTES, ringPublish, ringPush } from "../../lib/engine/ring.js";
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

/** Comparisons from one of whole rings to the next. */
const WHOLE_EVERY = 512;

function headOf(host: SimHost): number {
  return Atomics.load(host.in.control, 0);
}

/** Views of a host's memory, for comparisons. */
class Views {
  readonly page: Buffer;
  readonly completion: Buffer;
  readonly submission: Buffer;
  readonly memoryWords = new Uint32Array(MEMORY_WORDS);
  readonly memory = asBuffer(this.memoryWords);

  constructor(host: SimHost) {
    this.page = asBuffer(host.page);
    this.completion = asBuffer(host.completion);
    this.submission = asBuffer(host.submission);
  }
}

export class Pair {
  readonly hosts: readonly SimHost[];
  readonly #views: readonly Views[];
  readonly #scratch = new Uint8Array(4096);
  /** The head up to which the completion rings were compared. */
  #compared = 0;
  #comparisons = 0;
  /** What the hosts answered since they were last asked for anything else. */
  #deadlineUs = Number.NaN;
  /** Inputs that were given to all engines, after each of which they were compared. */
  steps = 0;

  constructor(engines: readonly EngineName[], options: SimHostOptions) {
    this.hosts = engines.map((engine) => openSimHost(engine, options));
    this.#views = this.hosts.map((host) => new Views(host));
  }

  /** The host whose output is believed: the first engine's. */
  get first(): SimHost {
    return this.hosts[0];
  }

  #same<T>(what: string, ask: (host: SimHost) => T): T {
    const { hosts } = this;
    const answer = ask(hosts[0]);
    for (let index = 1; index < hosts.length; index++) {
      const other = ask(hosts[index]);
      if (other !== answer) this.#differ(what, String(answer), String(other), index);
    }
    return answer;
  }

  #differ(what: string, first: string, other: string, index: number): never {
    const names = `${this.first.engine} ${first}, ${this.hosts[index].engine} ${other}`;
    throw new SimError(`the engines differ in ${what}: ${names}`);
  }

  // --- inputs ---

  /** An input was given to all: they must show the same now, rings aside, which are published later. */
  #stepped(): void {
    this.steps += 1;
    this.#deadlineUs = Number.NaN;
    if (this.hosts.length === 1) return;
    this.deadlineUs();
    this.memory();
    for (let other = 1; other < this.hosts.length; other++) {
      if (this.#views[0].page.compare(this.#views[other].page) !== 0) this.#differPage(other);
    }
  }

  connect(token: Uint8Array, nowUs: number): void {
    for (const host of this.hosts) host.connect(token, nowUs);
    this.#stepped();
  }

  push(
    kind: number,
    words: readonly [number, number, number, number],
    payload: Uint8Array,
  ): boolean {
    return this.#same("submission room", (host) => simPush(host, kind, words, payload));
  }

  /** Reserves a record, which the caller fills in the first engine's ring: its first word, or NO_ROOM. */
  reserve(kind: number, bytes: number): number {
    return this.#same("submission room", (host) => ringPush(host.out, kind, bytes));
  }

  /** A reserved record is filled: all engines get it. */
  commit(word: number): void {
    const { out } = this.first;
    const start = word * 4;
    const record = out.bytes.subarray(start, start + RECORD_BYTES + out.words[word + 3]);
    for (const host of this.hosts) {
      if (host !== this.first) host.out.bytes.set(record, start);
      ringPublish(host.out);
    }
  }

  submit(nowUs: number): void {
    for (const host of this.hosts) host.submit(nowUs);
    this.#stepped();
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
    this.#stepped();
  }

  advance(nowUs: number): void {
    for (const host of this.hosts) host.advance(nowUs);
    this.#stepped();
  }

  flush(): void {
    for (const host of this.hosts) host.flush();
    this.#stepped();
  }

  transmit(nowUs: number): number {
    const count = this.#same("datagrams of a batch", (host) => host.transmit(nowUs));
    for (let other = 1; other < this.hosts.length; other++) this.#compareBatch(count, other);
    this.#stepped();
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
    for (const host of this.hosts) host.publish();
  }

  deadlineUs(): number {
    if (Number.isNaN(this.#deadlineUs)) {
      this.#deadlineUs = this.#same("deadlines", (host) => host.deadlineUs());
    }
    return this.#deadlineUs;
  }

  /** The free parts of the pools. */
  memory(): Uint32Array {
    const views = this.#views;
    this.hosts[0].memory(views[0].memoryWords);
    for (let other = 1; other < this.hosts.length; other++) {
      this.hosts[other].memory(views[other].memoryWords);
      if (views[0].memory.compare(views[other].memory) !== 0) {
        const [left, right] = [views[0].memoryWords, views[other].memoryWords];
        this.#differ("free memory", `${left}`, `${right}`, other);
      }
    }
    return views[0].memoryWords;
  }

  /** Compares the rings, once published; throws SimError at the first difference. */
  compare(): void {
    if (this.hosts.length === 1) return;
    for (const [what, start, end] of this.#written()) {
      for (let other = 1; other < this.hosts.length; other++) {
        const [left, right] = [this.#views[0][what], this.#views[other][what]];
        if (left.compare(right, start, end, start, end) !== 0) {
          this.#differRing(what, left, right, other);
        }
      }
    }
    this.#compared = headOf(this.first);
  }

  #differPage(other: number): never {
    const [left, right] = [this.first.page, this.hosts[other].page];
    const word = left.findIndex((value, index) => value !== right[index]);
    return this.#differ(
      `the page, ${pageWordName(word)}`,
      `${left[word]}`,
      `${right[word]}`,
      other,
    );
  }

  /**
   * What may have changed of the rings since the last comparison: the positions, and what lies between the last
   * head and this one. All of both every so often, in case something was written where nothing should be.
   */
  #written(): (readonly [what: "completion" | "submission", start: number, end: number])[] {
    const { completion, submission, in: ring } = this.first;
    this.#comparisons += 1;
    if (this.#comparisons % WHOLE_EVERY === 0) {
      return [
        ["completion", 0, completion.length],
        ["submission", 0, submission.length],
      ];
    }
    const parts: (readonly ["completion" | "submission", number, number])[] = [
      ["completion", 0, RING_CONTROL_BYTES],
      ["submission", 0, RING_CONTROL_BYTES],
    ];
    const head = headOf(this.first);
    const bytes = (head - this.#compared) >>> 0;
    if (bytes === 0) return parts;
    const from = this.#compared & (ring.capacity - 1);
    const first = Math.min(bytes, ring.capacity - from);
    const data = RING_CONTROL_BYTES;
    parts.push(["completion", data + from, data + from + first]);
    if (first < bytes) parts.push(["completion", data, data + bytes - first]);
    return parts;
  }

  #differRing(what: string, left: Uint8Array, right: Uint8Array, other: number): never {
    const place = left.findIndex((value, index) => value !== right[index]);
    const start = Math.max(place - 32, 0);
    const cut = (bytes: Uint8Array) => hex(bytes.subarray(start, place + 32));
    const where = place < RING_CONTROL_BYTES ? "control" : place - RING_CONTROL_BYTES;
    return this.#differ(`the ${what} ring at ${where}`, cut(left), cut(right), other);
  }

  close(): void {
    for (const host of this.hosts) host.close();
  }
}

function asBuffer(bytes: Uint8Array | Uint32Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
