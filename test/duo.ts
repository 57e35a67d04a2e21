/*
 * Owns a server and a client in virtual time, turned by hand, and a look at every packet between them: its type, number
 * and frames. A test decides what arrives. It can also seal packets of its own under the session's keys.
 * Never adds a rule: what goes out and what comes of it is an engine's.
 */
import { parseAddress } from "../lib/address.js";
import { configureAddresses, configureProtocol } from "../lib/configure.js";
import {
  ENTROPY_BYTES,
  ENTROPY_KEYS,
  ENTROPY_NUMBER,
  ROLE_CLIENT,
  ROLE_SERVER,
} from "../lib/engine/config.js";
import { BATCH_STRIDE } from "../lib/engine/host.js";
import { KEY_BYTES, TOKEN_PUBLIC_BYTES } from "../lib/engine/limits.js";
import { PACKET_KEEP_ALIVE, PACKET_PAYLOAD } from "../lib/engine/packet.js";
import {
  NO_ROOM,
  PEER_RECORD_BYTES,
  RECORD_BYTES,
  RECORD_CLOSE,
  RECORD_CONNECT,
  RECORD_DISCONNECT,
  RECORD_FATE,
  RECORD_LAYOUT,
  RECORD_MESSAGE,
  RECORD_MISMATCH,
  RECORD_SEND,
  ringNext,
  ringPeek,
  ringRelease,
  TTL_DEFAULT,
} from "../lib/engine/ring.js";
import {
  statsChannelWord,
  statsHostWord,
  statsPeerWord,
  statsRejectWord,
} from "../lib/engine/stats.js";
import { ConnectToken, tokenPublicRead } from "../lib/engine/token.js";
import type { Protocol } from "../lib/index.js";
import { mintToken } from "../lib/token.js";
import { jsEngine } from "./engine-probe-js.js";
import { MEMORY_WORDS, openSimHost, type SimHost, simPush } from "./hosts.js";
import { type FrameValue, type Payload, readPayload, writePayload } from "./payload.js";
import { KeyPairs, Tap } from "./tap.js";

export const MS = 1000;
const SERVER = "10.0.0.1:4000";
const CLIENT = "10.0.0.2:5000";
export const UNIX_SECONDS = 1_700_000_000;
const START_US = 1_000_000;

export interface Packet {
  readonly bytes: Uint8Array;
  readonly type: number;
  readonly number: number;
  /** Of a payload: what stands in it. */
  readonly payload: Payload | null;
  /** Bytes of the payload before its seal. */
  readonly bodyBytes: number;
  /** The key that it is sealed under; null for a request. */
  readonly key: Uint8Array | null;
}

export type DuoEvent =
  | { readonly kind: "connect" }
  | { readonly kind: "disconnect"; reason: number; text: string; local: boolean }
  | { readonly kind: "mismatch"; text: string; local: boolean; channel: number; layout: Uint8Array }
  | { readonly kind: "message"; channel: number; body: Uint8Array }
  | { readonly kind: "fate"; channel: number; tag: number; fate: number };

export interface SideOptions {
  /** Changes words of lib/engine/config.ts. */
  readonly configure?: (config: Uint32Array) => void;
  readonly sendRate?: number;
  readonly protocol?: Protocol;
  readonly completionCapacity?: number;
}

/** What a host is made of here. Its packets are numbered from 0 on, so that tests can say numbers. */
function entropyOf(role: number): Uint8Array {
  return new Uint8Array(ENTROPY_BYTES).fill(role + 1).fill(0, ENTROPY_NUMBER, ENTROPY_KEYS);
}

/** One end: its host, its user, and its packets. */
export class Side {
  readonly host: SimHost;
  readonly #duo: Duo;
  readonly address: Uint32Array;
  peer = 0;
  /** Everything that the user was told, in order. */
  readonly events: DuoEvent[] = [];

  constructor(
    duo: Duo,
    engine: "js" | "native",
    role: number,
    key: Uint8Array,
    options: SideOptions & { protocol: Protocol; entropy: Uint8Array },
  ) {
    this.#duo = duo;
    const { protocol, sendRate, completionCapacity = 1_048_576 } = options;
    const limits = sendRate === undefined ? {} : { sendRate };
    const { config } = configureProtocol(role, protocol, 1, limits);
    const address = parseAddress(role === ROLE_SERVER ? SERVER : CLIENT);
    if (role === ROLE_SERVER) configureAddresses(config, [address]);
    options.configure?.(config);
    this.host = openSimHost(engine, {
      config,
      privateKey: key,
      entropy: options.entropy,
      submissionCapacity: 1_048_576,
      completionCapacity,
    });
    const { type, port, a, b, c, d } = address;
    this.address = Uint32Array.of(type, port, a, b, c, d);
  }

  // --- the user ---

  send(
    channel: number,
    body: Uint8Array | number,
    options: { ttl?: number; tag?: number } = {},
  ): void {
    const bytes = typeof body === "number" ? Uint8Array.of(body) : body;
    const { ttl = TTL_DEFAULT, tag = 0 } = options;
    const taken = simPush(this.host, RECORD_SEND, [this.peer, channel, ttl, tag], bytes);
    if (!taken) throw new Error("the submission ring is full");
  }

  close(reason: number, text = "", drain = false): void {
    const words = [this.peer, 0, reason, drain ? 1 : 0] as const;
    simPush(this.host, RECORD_CLOSE, words, new TextEncoder().encode(text));
  }

  /** What is said of a channel to a peer of another protocol. */
  describe(channel: number, layout: Uint8Array): void {
    simPush(this.host, RECORD_LAYOUT, [0, channel, 0, 0], layout);
  }

  /** What the user is told since; `events` keeps all of it. */
  drain(): DuoEvent[] {
    const ring = this.host.in;
    const fresh: DuoEvent[] = [];
    for (let word = ringPeek(ring); word !== NO_ROOM; word = ringPeek(ring)) {
      const [first, peer, channel, bytes, word4, word5] = ring.words.subarray(word, word + 6);
      const start = word * 4 + RECORD_BYTES;
      const payload = ring.bytes.slice(start, start + bytes);
      const kind = first >>> 24;
      if (kind === RECORD_CONNECT) {
        this.peer = peer;
        fresh.push({ kind: "connect" });
      } else if (kind === RECORD_DISCONNECT) {
        const text = new TextDecoder().decode(payload);
        fresh.push({ kind: "disconnect", reason: word4, text, local: word5 === 1 });
      } else if (kind === RECORD_MISMATCH) {
        const layout = payload.subarray(PEER_RECORD_BYTES + word4);
        const text = new TextDecoder().decode(
          payload.subarray(PEER_RECORD_BYTES).subarray(0, word4),
        );
        fresh.push({ kind: "mismatch", text, local: word5 === 1, channel, layout });
      } else if (kind === RECORD_MESSAGE) {
        fresh.push({ kind: "message", channel, body: payload });
      } else if (kind === RECORD_FATE) {
        fresh.push({ kind: "fate", channel, tag: word4, fate: word5 });
      }
      ringNext(ring, word);
    }
    ringRelease(ring);
    this.events.push(...fresh);
    return fresh;
  }

  /** First bytes of the messages of a channel that the user got, so far. */
  received(channel = 0): number[] {
    return this.events.flatMap((event) =>
      event.kind === "message" && event.channel === channel ? [event.body[0]] : [],
    );
  }

  get end(): DuoEvent | undefined {
    return this.events.find(({ kind }) => kind === "disconnect");
  }

  // --- the host ---

  /** A turn at the duo's time; the packets that go out. Without a flush only what is due goes. */
  turn(flush = true): Packet[] {
    const { host } = this;
    const nowUs = this.#duo.nowUs;
    host.submit(nowUs);
    host.advance(nowUs);
    if (flush) host.flush();
    const packets: Packet[] = [];
    for (let count = host.transmit(nowUs); count > 0; count = host.transmit(nowUs)) {
      for (let index = 0; index < count; index++) {
        const start = index * BATCH_STRIDE;
        packets.push(this.#open(host.batchBytes.slice(start, start + host.lengths[index])));
      }
    }
    host.publish();
    this.drain();
    return packets;
  }

  /** Takes a datagram of the other side; `receivedUs` is when the kernel got it. */
  receive(packet: Packet | Uint8Array, receivedUs = this.#duo.nowUs): void {
    const bytes = packet instanceof Uint8Array ? packet : packet.bytes;
    const from = this === this.#duo.server ? this.#duo.client : this.#duo.server;
    const nowUs = this.#duo.nowUs;
    // Opened in place: the test's packet stays as it is.
    const copy = bytes.slice();
    this.host.receive(nowUs, receivedUs, UNIX_SECONDS, from.address, copy, 0, copy.length);
    this.host.publish();
    this.drain();
  }

  #open(bytes: Uint8Array): Packet {
    const packet = this.#look(bytes);
    this.#duo.sent.push(packet);
    return packet;
  }

  #look(bytes: Uint8Array): Packet {
    const opened = this.#duo.tap.see(bytes, this === this.#duo.client);
    if (opened === undefined) {
      return { bytes, type: bytes[0] & 15, number: 0, payload: null, bodyBytes: 0, key: null };
    }
    const { type, sequence, body, key } = opened;
    const payload = type === PACKET_PAYLOAD ? readPayload(jsEngine, Uint8Array.from(body)) : null;
    return { bytes, type, number: Number(sequence), payload, bodyBytes: body.length, key };
  }

  /** A packet as this side would seal it, with whatever body. */
  forge(number: number, body: Uint8Array, type = PACKET_PAYLOAD): Uint8Array {
    return this.#duo.tap.seal(this === this.#duo.client, type, BigInt(number), body);
  }

  /** The same with frames. */
  forgeFrames(number: number, frames: readonly FrameValue[]): Uint8Array {
    return this.forge(number, writePayload(jsEngine, { ack: null, frames }));
  }

  // --- counters ---

  deadlineUs(): number {
    return this.host.deadlineUs();
  }

  channelCounter(counter: number, channel = 0): number {
    return this.host.page[statsChannelWord(channel, counter)];
  }

  rejected(reason: number): number {
    return this.host.page[statsRejectWord(reason)];
  }

  hostCounter(counter: number): number {
    return this.host.page[statsHostWord(counter)];
  }

  peerWord(word: number): number {
    return this.host.page[statsPeerWord(0) + word];
  }

  /** Free chunks, messages, records of what packets carried, pending entries, slots. */
  memory(): number[] {
    const words = new Uint32Array(MEMORY_WORDS);
    this.host.memory(words);
    return [...words];
  }
}

export interface DuoOptions {
  readonly server?: SideOptions;
  readonly client?: SideOptions;
  readonly timeoutSeconds?: number;
  /** A connect token that was used before, and what the hosts are made of. */
  readonly token?: Uint8Array;
  readonly entropy?: (role: number) => Uint8Array;
}

export class Duo {
  nowUs = START_US;
  readonly server: Side;
  readonly client: Side;
  readonly tap: Tap;
  readonly token: Uint8Array;
  /** Every packet that a side sent. */
  readonly sent: Packet[] = [];

  constructor(
    engines: { server: "js" | "native"; client: "js" | "native" },
    protocol: Protocol,
    options: DuoOptions = {},
  ) {
    const key = new Uint8Array(KEY_BYTES).fill(7);
    const { timeoutSeconds = 5, entropy = entropyOf } = options;
    const minted = mintToken({
      protocol,
      key,
      clientId: 1,
      servers: [SERVER],
      timeoutSeconds,
      now: UNIX_SECONDS * 1000,
    });
    const bytes = options.token ?? minted;
    const token = new ConnectToken();
    tokenPublicRead(bytes, 0, TOKEN_PUBLIC_BYTES, token);
    const { serverToClientKey, clientToServerKey } = token;
    const keys = { protocolId: protocol.id, serverToClientKey, clientToServerKey };
    this.tap = new Tap(keys, new KeyPairs(entropy(ROLE_SERVER), entropy(ROLE_CLIENT)));
    this.server = new Side(this, engines.server, ROLE_SERVER, key, {
      protocol,
      ...options.server,
      entropy: entropy(ROLE_SERVER),
    });
    this.client = new Side(this, engines.client, ROLE_CLIENT, key, {
      protocol,
      ...options.client,
      entropy: entropy(ROLE_CLIENT),
    });
    this.token = bytes;
    this.client.host.connect(bytes, this.nowUs);
  }

  other(side: Side): Side {
    return side === this.server ? this.client : this.server;
  }

  /** One turn of each side, of which nothing is lost, then so much time. */
  round(waitUs = 10 * MS, flush = true): void {
    for (const side of [this.client, this.server]) {
      for (const packet of side.turn(flush)) this.other(side).receive(packet);
    }
    this.nowUs += waitUs;
  }

  rounds(count: number, waitUs = 10 * MS): void {
    for (let index = 0; index < count; index++) this.round(waitUs);
  }

  /** Until NETCODE has connected the client, but no payload has passed. */
  handshake(): void {
    for (let round = 0; round < 6; round++) {
      for (const side of [this.client, this.server]) {
        for (const packet of side.turn()) {
          if (packet.type !== PACKET_PAYLOAD) this.other(side).receive(packet);
          if (side === this.server && packet.type === PACKET_KEEP_ALIVE) return;
        }
      }
      this.nowUs += 100 * MS;
    }
    throw new Error("the client was not accepted");
  }

  /** Until both users know of each other, every hello is acked and nothing waits. */
  connect(): void {
    this.rounds(40);
    if (this.server.peer === 0 || this.client.peer === 0) throw new Error("not connected");
  }

  close(): void {
    this.server.host.close();
    this.client.host.close();
  }
}
