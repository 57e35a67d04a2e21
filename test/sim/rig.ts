// rig: a server and its clients of one protocol, on one virtual clock, with trunks between them: what
// the delivery matrix and the single-figure checks measure on.
//
// Owns the clock and the order of events. Never measures: what hosts tell their users goes to a
// `RigUser`. Each host takes a turn as lib's driver does without ticks: when a datagram has arrived,
// when a deadline is due, and when its user has sent.
// Invariant: the same seed, engines and users give the same bytes at the same times.

import type { Fragment } from "../../lib/assembly.js";
import { configureAddresses, configureProtocol, type LimitOptions } from "../../lib/configure.js";
import { ENTROPY_BYTES, ROLE_CLIENT, ROLE_SERVER } from "../../lib/engine/config.js";
import { BATCH_STRIDE } from "../../lib/engine/host.js";
import { KEY_BYTES } from "../../lib/engine/limits.js";
import {
  FRAGMENT_RECORD_BYTES,
  NO_ROOM,
  RECORD_BLOCK,
  RECORD_BYTES,
  RECORD_CONNECT,
  RECORD_DISCONNECT,
  RECORD_FATE,
  RECORD_MESSAGE,
  RECORD_WORDS,
  ringNext,
  ringPeek,
  ringRelease,
} from "../../lib/engine/ring.js";
import type { Protocol } from "../../lib/protocol.js";
import type { LinkOptions } from "../../lib/sim/link.js";
import { Random } from "../../lib/sim/random.js";
import { ADDRESS_WORDS, openSimHost, type SimHost } from "../hosts.js";
import { addressOf, fillRandom, tokenMint } from "./tokens.js";
import { Trunk } from "./trunk.js";

export type EngineName = "js" | "native";

/** What a host tells its user. */
export interface RigUser {
  connected(handle: number): void;
  disconnected(reason: number, local: boolean, text: string): void;
  /** The bytes are the ring's, valid during the call. */
  message(channel: number, bytes: Uint8Array): void;
  fate(channel: number, tag: number, fate: number): void;
  /** A fragment of a block; its body as the bytes of a message. */
  block(fragment: Fragment): void;
}

export interface RigOptions {
  readonly seed: number;
  readonly protocol: Protocol;
  /** Default 1. */
  readonly clients?: number;
  readonly serverEngine: EngineName;
  readonly clientEngine: EngineName;
  readonly limits?: LimitOptions;
  /** Both ways, while nothing else is said. */
  readonly link: LinkOptions;
  /** One trunk each way for all clients, in place of one each. */
  readonly shared?: boolean;
}

const START_US = 1_000_000;
const UNIX_SECONDS = 1_700_000_000;
const TIMEOUT_SECONDS = 5;
const PORT = 40_000;
const PROTOCOL_KEY_SEED = 0x6e657472;
const SERVER = 0;

export class RigHost {
  /** The server's users by client, a client's own at 0. */
  readonly users: (RigUser | null)[] = [];
  readonly #userOf = new Map<number, number>();
  deadlineUs = 0;
  /** Its user has sent something or a datagram came: it takes a turn now. */
  due = true;
  flushing = false;

  constructor(
    readonly index: number,
    readonly host: SimHost,
    readonly address: Uint32Array,
  ) {}

  user(handle: number): RigUser | null {
    return this.users[this.#userOf.get(handle) ?? -1] ?? null;
  }

  bind(handle: number, user: number): void {
    this.#userOf.set(handle, user);
  }
}

export class Rig {
  readonly hosts: RigHost[] = [];
  /** Toward the server, and away from it; one each, or one for each client. */
  readonly up: Trunk[] = [];
  readonly down: Trunk[] = [];
  readonly random: Random;
  readonly #trunks: Trunk[];
  readonly #key: Uint8Array;
  readonly #protocol: Protocol;
  nowUs = START_US;
  datagrams = 0;
  bytes = 0;

  constructor(options: RigOptions) {
    const { seed, protocol, clients = 1, serverEngine, clientEngine, limits = {} } = options;
    this.random = new Random(seed ^ PROTOCOL_KEY_SEED);
    this.#protocol = protocol;
    this.#key = fillRandom(this.random, new Uint8Array(KEY_BYTES));
    for (let index = 0; index <= clients; index++) {
      const server = index === SERVER;
      const role = server ? ROLE_SERVER : ROLE_CLIENT;
      const peers = server ? clients : 1;
      const { config, submissionBytes, completionBytes } = configureProtocol(
        role,
        protocol,
        peers,
        limits,
      );
      const address = Uint32Array.of(1, PORT + index, 0x0a000001 + index, 0, 0, 0);
      if (server) configureAddresses(config, [addressOf(address)]);
      const host = openSimHost(server ? serverEngine : clientEngine, {
        config,
        privateKey: this.#key,
        entropy: fillRandom(this.random, new Uint8Array(ENTROPY_BYTES)),
        submissionCapacity: submissionBytes,
        completionCapacity: completionBytes,
      });
      this.hosts.push(new RigHost(index, host, address));
    }
    const trunks = options.shared === true ? 1 : clients;
    for (let index = 0; index < trunks; index++) {
      this.up.push(new Trunk(options.link, this.random.next32()));
      this.down.push(new Trunk(options.link, this.random.next32()));
    }
    this.#trunks = [...this.up, ...this.down];
  }

  get server(): RigHost {
    return this.hosts[SERVER];
  }

  /** Other weather on every trunk. */
  weather(link: LinkOptions): void {
    for (const trunk of this.#trunks) trunk.change(link);
  }

  close(): void {
    for (const { host } of this.hosts) host.close();
  }

  connect(client: number): void {
    const { id } = this.#protocol;
    const token = tokenMint(this.random, {
      protocolIdLo: Number(id & 0xffffffffn),
      protocolIdHi: Number(id >> 32n),
      privateKey: this.#key,
      clientIdLo: client,
      clientIdHi: 0,
      userWord: client,
      createSeconds: UNIX_SECONDS,
      expireSeconds: UNIX_SECONDS + 60,
      timeoutSeconds: TIMEOUT_SECONDS,
      servers: [this.server.address],
    });
    const host = this.hosts[client];
    host.host.connect(token.bytes, this.nowUs);
    host.due = true;
  }

  // --- time ---

  /** Lets time pass until then, event by event. */
  run(untilUs: number): void {
    for (;;) {
      this.#deliver();
      for (const host of this.hosts) {
        if (host.due || host.deadlineUs <= this.nowUs) this.#turn(host);
      }
      const nextUs = this.#nextUs();
      if (nextUs > untilUs) {
        this.nowUs = untilUs;
        return;
      }
      this.nowUs = Math.max(this.nowUs, nextUs);
    }
  }

  #nextUs(): number {
    let nextUs = Number.POSITIVE_INFINITY;
    for (const trunk of this.#trunks) nextUs = Math.min(nextUs, trunk.nextUs);
    for (const host of this.hosts) nextUs = Math.min(nextUs, host.deadlineUs);
    return nextUs;
  }

  #deliver(): void {
    const { nowUs, hosts } = this;
    const unixSeconds = UNIX_SECONDS + Math.trunc(nowUs / 1_000_000);
    for (const trunk of this.#trunks) {
      if (trunk.nextUs > nowUs) continue;
      trunk.deliver(nowUs, (from, to, bytes, offset) => {
        const target = hosts[to];
        const { address } = hosts[from];
        target.host.receive(
          nowUs,
          nowUs,
          unixSeconds,
          address,
          bytes,
          offset,
          bytes.length - offset,
        );
        target.due = true;
      });
    }
  }

  #turn(rigHost: RigHost): void {
    const { host } = rigHost;
    const { nowUs } = this;
    host.submit(nowUs);
    host.advance(nowUs);
    if (rigHost.flushing) host.flush();
    rigHost.flushing = false;
    rigHost.due = false;
    for (let count = host.transmit(nowUs); count > 0; count = host.transmit(nowUs)) {
      for (let index = 0; index < count; index++) this.#send(rigHost, index);
    }
    host.publish();
    this.#read(rigHost);
    rigHost.deadlineUs = host.deadlineUs();
  }

  #send({ host, index: from }: RigHost, index: number): void {
    const to = host.addresses[index * ADDRESS_WORDS + 1] - PORT;
    const trunks = to === SERVER ? this.up : this.down;
    const client = to === SERVER ? from : to;
    const trunk = trunks[trunks.length === 1 ? 0 : client - 1];
    const length = host.lengths[index];
    this.datagrams += 1;
    this.bytes += length;
    trunk.push(this.nowUs, from, to, host.batchBytes, index * BATCH_STRIDE, length);
  }

  #read(rigHost: RigHost): void {
    const ring = rigHost.host.in;
    for (let word = ringPeek(ring); word !== NO_ROOM; word = ringPeek(ring)) {
      this.#record(rigHost, word);
      ringNext(ring, word);
    }
    ringRelease(ring);
  }

  #record(rigHost: RigHost, word: number): void {
    const { words, bytes } = rigHost.host.in;
    const handle = words[word + 1];
    const start = word * 4 + RECORD_BYTES;
    const payload = () => bytes.subarray(start, start + words[word + 3]);
    switch (words[word] >>> 24) {
      case RECORD_CONNECT: {
        const view = new DataView(bytes.buffer, bytes.byteOffset + start);
        // A server knows its clients by the token's user data.
        rigHost.bind(handle, rigHost.index === SERVER ? view.getUint32(32, true) - 1 : 0);
        rigHost.user(handle)?.connected(handle);
        break;
      }
      case RECORD_DISCONNECT: {
        const text = Buffer.from(payload()).toString();
        rigHost.user(handle)?.disconnected(words[word + 4], words[word + 5] === 1, text);
        break;
      }
      case RECORD_MESSAGE:
        rigHost.user(handle)?.message(words[word + 2], payload());
        break;
      case RECORD_BLOCK:
        rigHost.user(handle)?.block({
          key: words[word + 4],
          index: words[word + 5],
          total: words[word + RECORD_WORDS],
          body: payload().subarray(FRAGMENT_RECORD_BYTES),
        });
        break;
      case RECORD_FATE:
        rigHost.user(handle)?.fate(words[word + 2], words[word + 4], words[word + 5]);
        break;
    }
  }
}
