/*
 * Owns one shape over the hosts of both engines, sans-IO: `SimHost`. Tests turn them by hand, with a
 * time and a network of their own.
 * Never adds behaviour: each call is one verb of lib/engine/host.ts, or of its twin through the probe.
 * Invariant: a host's rings and page are memory of this side, so what the engines wrote can be
 * compared byte by byte.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Address } from "../lib/engine/address.js";
import { CONFIG_PEERS_MAX, CONFIG_SUITES } from "../lib/engine/config.js";
import { hostReady, hostReceive } from "../lib/engine/demux.js";
import {
  BATCH_STRIDE,
  Batch,
  hostAdvance,
  hostConnect,
  hostDeadlineUs,
  hostFlush,
  hostOpen,
  hostPublish,
  hostTransmit,
} from "../lib/engine/host.js";
import { BATCH_PACKETS } from "../lib/engine/limits.js";
import {
  NO_ROOM,
  RECORD_BYTES,
  Ring,
  ringBytes,
  ringPublish,
  ringPush,
  ringSet,
} from "../lib/engine/ring.js";
import { Host } from "../lib/engine/slots.js";
import { statsWords } from "../lib/engine/stats.js";
import { hostSubmit } from "../lib/engine/submit.js";
import { hardwareSuites } from "../lib/hardware.js";

/** Words of an address: type, port, a, b, c, d. */
export const ADDRESS_WORDS = 6;
/** Words of `SimHost.memory`. */
export const MEMORY_WORDS = 5;

export interface SimHostOptions {
  /** Words of lib/engine/config.ts. */
  readonly config: Uint32Array;
  /** 32 bytes. */
  readonly privateKey: Uint8Array;
  /** ENTROPY_BYTES bytes. */
  readonly entropy: Uint8Array;
  /** Powers of two. */
  readonly submissionCapacity: number;
  readonly completionCapacity: number;
}

/** A host of one engine. Times are µs. */
export interface SimHost {
  readonly engine: "js" | "native";
  readonly page: Uint32Array;
  readonly submission: Uint8Array;
  readonly completion: Uint8Array;
  /** Where `transmit` puts packets: BATCH_STRIDE apart, their lengths, ADDRESS_WORDS words each. */
  readonly batchBytes: Uint8Array;
  readonly lengths: Uint32Array;
  readonly addresses: Uint32Array;
  /** The user's ends of the rings: the producer's of `submission`, the consumer's of `completion`. */
  readonly out: Ring;
  readonly in: Ring;
  connect(token: Uint8Array, nowUs: number): void;
  submit(nowUs: number): void;
  ready(): boolean;
  receive(
    nowUs: number,
    receivedUs: number,
    unixSeconds: number,
    address: Uint32Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
  advance(nowUs: number): void;
  flush(): void;
  /** How many packets are in the batch now; call again until 0. */
  transmit(nowUs: number): number;
  deadlineUs(): number;
  publish(): void;
  /** Free chunks, messages, records of what packets carried, pending entries, slots. */
  memory(words: Uint32Array): void;
  /** Leaves out packet numbers of the connection in slot 0, of which nothing is in flight. */
  skip(count: number): void;
  close(): void;
}

/** The calls of native/addon/probe_host.cc. */
interface HostProbe {
  hostCreate(
    config: Uint32Array,
    page: Uint32Array,
    privateKey: Uint8Array,
    entropy: Uint8Array,
    submission: Uint8Array,
    completion: Uint8Array,
  ): HostHandle | null;
  hostClose(host: HostHandle): void;
  hostConnect(host: HostHandle, token: Uint8Array, nowUs: number): void;
  hostSubmit(host: HostHandle, nowUs: number): void;
  hostReady(host: HostHandle): boolean;
  hostReceive(
    host: HostHandle,
    nowUs: number,
    receivedUs: number,
    unixSeconds: number,
    address: Uint32Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
  hostAdvance(host: HostHandle, nowUs: number): void;
  hostFlush(host: HostHandle): void;
  hostTransmit(
    host: HostHandle,
    nowUs: number,
    batchBytes: Uint8Array,
    lengths: Uint32Array,
    addressWords: Uint32Array,
  ): number;
  hostDeadlineUs(host: HostHandle): number;
  hostPublish(host: HostHandle): void;
  hostMemory(host: HostHandle, words: Uint32Array): void;
  hostSkip(host: HostHandle, slot: number, count: number): void;
}

type HostHandle = { readonly hostHandle: unique symbol };

const PROBE_FILE = "build/Release/netrt_probe.node";
let probe: HostProbe | undefined;

/** The probe's file; NETRT_PROBE names another build of it, such as one with a sanitizer. */
export function hostProbeFile(): string {
  // From the sources (test) and from what tsc made of them (dist/test) alike.
  let root = path.resolve(import.meta.dirname, "..");
  if (!existsSync(path.join(root, "binding.gyp"))) root = path.dirname(root);
  return path.resolve(root, process.env.NETRT_PROBE ?? PROBE_FILE);
}

function hostProbe(): HostProbe {
  probe ??= createRequire(import.meta.url)(hostProbeFile()) as HostProbe;
  return probe;
}

/** What both engines' hosts have: the memory that is the user's. */
class UserSide {
  readonly page: Uint32Array;
  readonly submission: Uint8Array;
  readonly completion: Uint8Array;
  readonly batchBytes = new Uint8Array(BATCH_PACKETS * BATCH_STRIDE);
  readonly lengths = new Uint32Array(BATCH_PACKETS);
  readonly addresses = new Uint32Array(BATCH_PACKETS * ADDRESS_WORDS);
  readonly out = new Ring();
  readonly in = new Ring();

  constructor(options: SimHostOptions) {
    this.page = new Uint32Array(statsWords(options.config[CONFIG_PEERS_MAX]));
    this.submission = new Uint8Array(ringBytes(options.submissionCapacity));
    this.completion = new Uint8Array(ringBytes(options.completionCapacity));
    ringSet(this.out, this.submission);
    ringSet(this.in, this.completion);
  }
}

class JsHost extends UserSide implements SimHost {
  readonly engine = "js";
  readonly #host: Host;
  readonly #batch = new Batch();
  readonly #from = new Address();

  constructor(options: SimHostOptions) {
    super(options);
    this.#host = new Host(options.config, this.page, options.privateKey, options.entropy);
    hostOpen(this.#host, this.submission, this.completion);
  }

  connect(token: Uint8Array, nowUs: number): void {
    hostConnect(this.#host, token, nowUs);
  }

  submit(nowUs: number): void {
    hostSubmit(this.#host, nowUs);
  }

  ready(): boolean {
    return hostReady(this.#host);
  }

  receive(
    nowUs: number,
    receivedUs: number,
    unixSeconds: number,
    address: Uint32Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const from = this.#from;
    from.type = address[0];
    from.port = address[1];
    from.a = address[2];
    from.b = address[3];
    from.c = address[4];
    from.d = address[5];
    hostReceive(this.#host, nowUs, receivedUs, unixSeconds, from, bytes, offset, length);
  }

  advance(nowUs: number): void {
    hostAdvance(this.#host, nowUs);
  }

  flush(): void {
    hostFlush(this.#host);
  }

  transmit(nowUs: number): number {
    const batch = this.#batch;
    const count = hostTransmit(this.#host, nowUs, batch);
    for (let index = 0; index < count; index++) {
      const start = index * BATCH_STRIDE;
      const length = batch.lengths[index];
      this.batchBytes.set(batch.bytes.subarray(start, start + length), start);
      this.lengths[index] = length;
      this.#address(batch.addresses[index], index * ADDRESS_WORDS);
    }
    return count;
  }

  #address(from: Address, word: number): void {
    const { addresses } = this;
    addresses[word] = from.type;
    addresses[word + 1] = from.port;
    addresses[word + 2] = from.a;
    addresses[word + 3] = from.b;
    addresses[word + 4] = from.c;
    addresses[word + 5] = from.d;
  }

  deadlineUs(): number {
    return hostDeadlineUs(this.#host);
  }

  publish(): void {
    hostPublish(this.#host);
  }

  memory(words: Uint32Array): void {
    const { outlet, handshake, free } = this.#host;
    const { chunksFree, messagesFree, carriedsFree } = outlet.pool;
    const pendingFree = handshake.pendingFree.length;
    words[0] = chunksFree;
    words[1] = messagesFree;
    words[2] = carriedsFree;
    words[3] = pendingFree;
    words[4] = free.length;
  }

  skip(count: number): void {
    const { sent } = this.#host.connections[0];
    if (sent.eliciting > 0) throw new Error("something is in flight");
    sent.nextNumber += count;
    sent.verdictNext = sent.nextNumber;
  }

  close(): void {}
}

class NativeHost extends UserSide implements SimHost {
  readonly engine = "native";
  readonly #probe = hostProbe();
  readonly #host: HostHandle;

  constructor(options: SimHostOptions) {
    super(options);
    const { config, privateKey, entropy } = options;
    const { page, submission, completion } = this;
    const host = this.#probe.hostCreate(config, page, privateKey, entropy, submission, completion);
    if (host === null) throw new Error("the native host did not open");
    this.#host = host;
  }

  connect(token: Uint8Array, nowUs: number): void {
    this.#probe.hostConnect(this.#host, token, nowUs);
  }

  submit(nowUs: number): void {
    this.#probe.hostSubmit(this.#host, nowUs);
  }

  ready(): boolean {
    return this.#probe.hostReady(this.#host);
  }

  receive(
    nowUs: number,
    receivedUs: number,
    unixSeconds: number,
    address: Uint32Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const host = this.#host;
    this.#probe.hostReceive(host, nowUs, receivedUs, unixSeconds, address, bytes, offset, length);
  }

  advance(nowUs: number): void {
    this.#probe.hostAdvance(this.#host, nowUs);
  }

  flush(): void {
    this.#probe.hostFlush(this.#host);
  }

  transmit(nowUs: number): number {
    const { batchBytes, lengths, addresses } = this;
    return this.#probe.hostTransmit(this.#host, nowUs, batchBytes, lengths, addresses);
  }

  deadlineUs(): number {
    return this.#probe.hostDeadlineUs(this.#host);
  }

  publish(): void {
    this.#probe.hostPublish(this.#host);
  }

  memory(words: Uint32Array): void {
    this.#probe.hostMemory(this.#host, words);
  }

  skip(count: number): void {
    this.#probe.hostSkip(this.#host, 0, count);
  }

  close(): void {
    this.#probe.hostClose(this.#host);
  }
}

/** Opens a host of the engine that is named. */
export function openSimHost(engine: "js" | "native", options: SimHostOptions): SimHost {
  const config = options.config.slice();
  // As the engines do it above their cores.
  config[CONFIG_SUITES] &= hardwareSuites();
  const all = { ...options, config };
  return engine === "js" ? new JsHost(all) : new NativeHost(all);
}

/**
 * Puts a record into a host's submission ring, visible at once; false when the ring is full.
 * Words 1, 2, 4 and 5 of the record depend on its kind (lib/engine/ring.ts).
 */
export function simPush(
  host: SimHost,
  kind: number,
  words: readonly [peer: number, channel: number, word4: number, word5: number],
  payload: Uint8Array,
): boolean {
  const ring = host.out;
  const word = ringPush(ring, kind, payload.length);
  if (word === NO_ROOM) return false;
  ring.words[word + 1] = words[0];
  ring.words[word + 2] = words[1];
  ring.words[word + 4] = words[2];
  ring.words[word + 5] = words[3];
  ring.bytes.set(payload, word * 4 + RECORD_BYTES);
  ringPublish(ring);
  return true;
}
