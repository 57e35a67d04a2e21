/*
 * Owns a server of one engine in virtual time, the peers around it and the datagrams between them: `World`.
 * Never sleeps, never opens a socket; what attacks are about sockets is in sockets.
 * A step is: honest clients send, the server has one turn as its driver would give it, everybody gets what is for
 * them, time passes. The way takes no time of its own, so a round trip lasts one step.
 * Invariant, checked at every turn: no deadline stays in the past.
 */
import { parseAddress } from "../../lib/address.js";
import { configureAddresses, configureProtocol } from "../../lib/configure.js";
import {
  ENTROPY_BYTES,
  ENTROPY_KEYS,
  ENTROPY_NUMBER,
  ROLE_CLIENT,
  ROLE_SERVER,
} from "../../lib/engine/config.js";
import { BATCH_STRIDE } from "../../lib/engine/host.js";
import {
  DATAGRAMS_PER_TURN_MAX,
  FRAGMENTED_BYTES_MAX,
  KEY_BYTES,
} from "../../lib/engine/limits.js";
import {
  statsChannelWord,
  statsHostWord,
  statsPeerWord,
  statsRejectWord,
} from "../../lib/engine/stats.js";
import {
  critical,
  defineProtocol,
  type Protocol,
  realTime,
  reliable,
  timeSensitive,
} from "../../lib/index.js";
import { Random } from "../../lib/sim/random.js";
import type { EngineName } from "../engines.js";
import { ADDRESS_WORDS, MEMORY_WORDS, openSimHost, type SimHost } from "../hosts.js";
import { mintReferenceToken } from "../peers/netcode.js";
import { check } from "./attack.js";
import { type Told, User } from "./user.js";

export const MS = 1000;
export const SECOND = 1_000_000;
export const SERVER = "10.0.0.1:4000";
const START_US = SECOND;
const START_SECONDS = 1_700_000_000;
/** A tick of 100 Hz. */
export const STEP_US = 10 * MS;

/** One channel of each strategy. */
export const arena = defineProtocol("hostile/1", {
  state: realTime(),
  shots: timeSensitive({ expiry: "short" }),
  chat: reliable(),
  trade: critical(),
});
const messageBytesMax = FRAGMENTED_BYTES_MAX;
/** The same with messages as long as they get. */
export const longArena = defineProtocol("hostile-long/1", {
  state: realTime({ messageBytesMax }),
  shots: timeSensitive({ expiry: "short", messageBytesMax }),
  chat: reliable({ messageBytesMax }),
  trade: critical({ messageBytesMax }),
});
export const STATE = 0;
export const SHOTS = 1;
export const CHAT = 2;
export const TRADE = 3;

/** The words of an address, and their text as a map's key. */
export function wordsOf(address: string): Uint32Array {
  const { type, port, a, b, c, d } = parseAddress(address);
  return Uint32Array.of(type, port, a, b, c, d);
}

/** What a host is made of here; its packets are numbered from 0 on, so that attacks can say numbers. */
export function entropyOf(byte: number): Uint8Array {
  return new Uint8Array(ENTROPY_BYTES).fill(byte).fill(0, ENTROPY_NUMBER, ENTROPY_KEYS);
}

/** What was said to an address and by it. */
export interface Traffic {
  datagramsIn: number;
  bytesIn: number;
  datagramsOut: number;
  bytesOut: number;
}

export interface Datagram {
  readonly from: Uint32Array;
  readonly bytes: Uint8Array;
}

/** Somebody who gets what the server sends to an address. */
export interface Recipient {
  readonly address: string;
  take(bytes: Uint8Array): void;
}

/** A client of netrt that keeps the rules. */
export class Honest implements Recipient {
  address: string;
  readonly user: User;
  readonly #world: World;
  #from: Uint32Array;
  readonly #server = wordsOf(SERVER);
  /** Percent of its datagrams that the way loses, each way. */
  loss = 0;

  constructor(world: World, address: string, token: Uint8Array) {
    this.#world = world;
    this.address = address;
    this.#from = wordsOf(address);
    const { config } = configureProtocol(ROLE_CLIENT, world.protocol, 1, {});
    this.user = new User(
      openSimHost(world.engine, {
        config,
        privateKey: new Uint8Array(KEY_BYTES),
        entropy: entropyOf(3),
        submissionCapacity: 1_048_576,
        completionCapacity: 1_048_576,
      }),
    );
    this.user.host.connect(token, world.nowUs);
  }

  /** Its NAT changes its mind: it is at another address, and what goes to the old one gets lost. */
  rebind(address: string): void {
    this.#world.leave(this);
    this.address = address;
    this.#from = wordsOf(address);
    this.#world.join(this);
  }

  get connected(): boolean {
    const { peer } = this.user;
    return peer !== 0 && this.user.of(peer).end === undefined;
  }

  get told(): Told {
    return this.user.of(this.user.peer);
  }

  send(channel: number, body: Uint8Array, tag = 0): boolean {
    return this.user.send(this.user.peer, channel, body, tag);
  }

  turn(): void {
    const { host } = this.user;
    const { nowUs, random } = this.#world;
    host.submit(nowUs);
    host.advance(nowUs);
    host.flush();
    for (const { bytes } of sentBy(host, nowUs)) {
      if (!random.chance(this.loss)) this.#world.post(this.#from, bytes);
    }
    host.publish();
    this.user.drain();
  }

  take(bytes: Uint8Array): void {
    const { nowUs, unixSeconds, random } = this.#world;
    if (random.chance(this.loss)) return;
    this.user.host.receive(nowUs, nowUs, unixSeconds, this.#server, bytes, 0, bytes.length);
    this.user.host.publish();
    this.user.drain();
  }
}

/** Every datagram that a host sends now. */
export function sentBy(host: SimHost, nowUs: number): { to: Uint32Array; bytes: Uint8Array }[] {
  const sent: { to: Uint32Array; bytes: Uint8Array }[] = [];
  for (let count = host.transmit(nowUs); count > 0; count = host.transmit(nowUs)) {
    for (let index = 0; index < count; index++) {
      const start = index * BATCH_STRIDE;
      const bytes = host.batchBytes.slice(start, start + host.lengths[index]);
      const to = host.addresses.slice(index * ADDRESS_WORDS, (index + 1) * ADDRESS_WORDS);
      sent.push({ to, bytes });
    }
  }
  return sent;
}

export interface WorldOptions {
  readonly protocol?: Protocol;
  readonly peersMax?: number;
  readonly startUs?: number;
  /** Datagrams that the socket's buffer holds; what comes while it is full is lost. */
  readonly bufferDatagrams?: number;
  readonly sendRate?: number;
  /** Changes words of lib/engine/config.ts. */
  readonly configure?: (config: Uint32Array) => void;
  readonly seed?: number;
  /** Byte of which the host's entropy consists. */
  readonly entropy?: number;
}

export class World {
  readonly engine: EngineName;
  readonly protocol: Protocol;
  readonly key = new Uint8Array(KEY_BYTES).fill(7);
  readonly random: Random;
  readonly server: User;
  readonly recipients = new Map<string, Recipient>();
  readonly traffic = new Map<string, Traffic>();
  readonly honest: Honest[] = [];
  nowUs: number;
  /** Sees every datagram on the way in, and may keep it; and every one on the way out. */
  onIn: ((datagram: Datagram) => "kept" | undefined) | undefined;
  onOut: ((to: Uint32Array, bytes: Uint8Array) => void) | undefined;
  datagramsPerTurnMost = 0;
  turns = 0;
  overflowed = 0;
  readonly #startUs: number;
  readonly #bufferDatagrams: number;
  #inbox: Datagram[] = [];
  #late = 0;
  #clientIds = 0n;

  constructor(engine: EngineName, options: WorldOptions = {}) {
    const { protocol = arena, peersMax = 16, startUs = START_US, sendRate, seed = 1 } = options;
    this.engine = engine;
    this.protocol = protocol;
    this.random = new Random(seed);
    this.nowUs = startUs;
    this.#startUs = startUs;
    this.#bufferDatagrams = options.bufferDatagrams ?? Number.MAX_SAFE_INTEGER;
    const limits = sendRate === undefined ? {} : { sendRate };
    const sizes = configureProtocol(ROLE_SERVER, protocol, peersMax, limits);
    configureAddresses(sizes.config, [parseAddress(SERVER)]);
    options.configure?.(sizes.config);
    this.server = new User(
      openSimHost(engine, {
        config: sizes.config,
        privateKey: this.key,
        entropy: entropyOf(options.entropy ?? 5),
        submissionCapacity: sizes.submissionBytes,
        completionCapacity: sizes.completionBytes,
      }),
    );
  }

  get unixSeconds(): number {
    return START_SECONDS + Math.floor((this.nowUs - this.#startUs) / SECOND);
  }

  get waiting(): number {
    return this.#inbox.length;
  }

  // --- who is there ---

  token(options: { clientId?: bigint; expireSeconds?: number; timeoutSeconds?: number } = {}) {
    const { clientId = ++this.#clientIds, ...rest } = options;
    return mintReferenceToken({
      protocolId: this.protocol.id,
      privateKey: this.key,
      clientId,
      servers: [SERVER],
      createTimestamp: BigInt(this.unixSeconds),
      ...rest,
    });
  }

  join(recipient: Recipient): void {
    this.recipients.set(wordsOf(recipient.address).join(), recipient);
  }

  leave(recipient: Recipient): void {
    const key = wordsOf(recipient.address).join();
    if (this.recipients.get(key) === recipient) this.recipients.delete(key);
  }

  /** A client that keeps the rules and is on its way in. */
  honestClient(address: string, token: Uint8Array = this.token()): Honest {
    const client = new Honest(this, address, token);
    this.join(client);
    this.honest.push(client);
    return client;
  }

  /** One that is in. */
  honestConnected(address: string): Honest {
    const client = this.honestClient(address);
    this.until("an honest client connects", () => client.connected);
    this.run(500 * MS);
    return client;
  }

  // --- datagrams ---

  /** A datagram on its way to the server; it arrives with the next turn. */
  post(from: Uint32Array | string, bytes: Uint8Array): void {
    const words = typeof from === "string" ? wordsOf(from) : from;
    if (this.#inbox.length >= this.#bufferDatagrams) {
      this.overflowed += 1;
      return;
    }
    const datagram = { from: words, bytes: Uint8Array.from(bytes) };
    if (this.onIn?.(datagram) !== "kept") this.#inbox.push(datagram);
  }

  trafficOf(from: Uint32Array | string): Traffic {
    const key = (typeof from === "string" ? wordsOf(from) : from).join();
    let traffic = this.traffic.get(key);
    if (traffic === undefined) {
      traffic = { datagramsIn: 0, bytesIn: 0, datagramsOut: 0, bytesOut: 0 };
      this.traffic.set(key, traffic);
    }
    return traffic;
  }

  // --- time ---

  /** The server's turn. */
  turn(): void {
    const { server, nowUs } = this;
    const { host } = server;
    host.submit(nowUs);
    const taken = this.#receive();
    this.datagramsPerTurnMost = Math.max(this.datagramsPerTurnMost, taken);
    this.turns += 1;
    host.advance(nowUs);
    host.flush();
    for (const { to, bytes } of sentBy(host, nowUs)) this.#deliver(to, bytes);
    const deadlineUs = host.deadlineUs();
    this.#late = deadlineUs < nowUs ? this.#late + 1 : 0;
    check(this.#late < 2, "a deadline is never in the past twice running (R-19)", {
      lateUs: nowUs - deadlineUs,
    });
    host.publish();
    server.drain();
  }

  #receive(): number {
    const { host } = this.server;
    const inbox = this.#inbox;
    let taken = 0;
    for (; taken < inbox.length && taken < DATAGRAMS_PER_TURN_MAX && host.ready(); taken++) {
      const { from, bytes } = inbox[taken];
      const traffic = this.trafficOf(from);
      traffic.datagramsIn += 1;
      traffic.bytesIn += bytes.length;
      host.receive(this.nowUs, this.nowUs, this.unixSeconds, from, bytes, 0, bytes.length);
    }
    this.#inbox = inbox.slice(taken);
    return taken;
  }

  #deliver(to: Uint32Array, bytes: Uint8Array): void {
    const traffic = this.trafficOf(to);
    traffic.datagramsOut += 1;
    traffic.bytesOut += bytes.length;
    this.onOut?.(to, bytes);
    this.recipients.get(to.join())?.take(bytes);
  }

  step(stepUs = STEP_US): void {
    for (const client of this.honest) client.turn();
    this.turn();
    this.nowUs += stepUs;
  }

  /** So much time; `each` acts before every step. */
  run(us: number, each?: () => void, stepUs = STEP_US): void {
    for (const endUs = this.nowUs + us; this.nowUs < endUs; ) {
      each?.();
      this.step(stepUs);
    }
  }

  /** Until something holds; answers how long that took (µs). */
  until(what: string, holds: () => boolean, limitUs = 30 * SECOND, each?: () => void): number {
    const startUs = this.nowUs;
    while (!holds()) {
      check(this.nowUs - startUs < limitUs, `${what} within ${limitUs / SECOND} s`);
      each?.();
      this.step();
    }
    return this.nowUs - startUs;
  }

  // --- counters ---

  /** Free chunks, messages, records of what packets carried, pending entries, slots. */
  memory(): number[] {
    const words = new Uint32Array(MEMORY_WORDS);
    this.server.host.memory(words);
    return [...words];
  }

  #pair(word: number): number {
    const { page } = this.server.host;
    return page[word + 1] * 2 ** 32 + page[word];
  }

  hostCounter(counter: number): number {
    return this.#pair(statsHostWord(counter));
  }

  rejected(reason: number): number {
    return this.#pair(statsRejectWord(reason));
  }

  channelCounter(channel: number, counter: number): number {
    return this.#pair(statsChannelWord(channel, counter));
  }

  /** A word of a peer's row on the page. */
  peerWord(peer: number, word: number): number {
    return this.server.host.page[statsPeerWord(peer & 0xffff) + word];
  }

  close(): void {
    for (const client of this.honest) client.user.host.close();
    this.server.host.close();
  }
}

/** Runs with a world and closes it, whatever happens. */
export function withWorld<Result>(
  engine: EngineName,
  options: WorldOptions,
  body: (world: World) => Result,
): Result {
  const world = new World(engine, options);
  try {
    return body(world);
  } finally {
    world.close();
  }
}
