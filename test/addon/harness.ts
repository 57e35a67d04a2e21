/*
 * Owns what the addon's tests share: engines with a hand-written configuration on loopback, and the
 * few words of the rings that they exchange messages by. Child programs and workers run it too.
 * Never goes through lib/driver.ts: what is under test here is the seam below it.
 */
import {
  CONFIG_ADDRESSES,
  CONFIG_CARRIEDS,
  CONFIG_CHANNELS,
  CONFIG_CHUNKS,
  CONFIG_MESSAGES,
  CONFIG_PAYLOAD_BYTES_MAX,
  CONFIG_PEERS_MAX,
  CONFIG_PENDING_MAX,
  CONFIG_POLICIES,
  CONFIG_PROTOCOL_LOW,
  CONFIG_QUEUE_BYTES_MAX,
  CONFIG_QUEUE_MESSAGES_MAX,
  CONFIG_RATE,
  CONFIG_ROLE,
  CONFIG_TOKENS_MAX,
  CONFIG_WORDS,
  ENTROPY_BYTES,
  ROLE_CLIENT,
  ROLE_SERVER,
} from "../../lib/engine/config.js";
import {
  NO_ROOM,
  RECORD_BYTES,
  RECORD_CONNECT,
  RECORD_MESSAGE,
  RECORD_SEND,
  Ring,
  ringBytes,
  ringNext,
  ringPeek,
  ringPublish,
  ringPush,
  ringRelease,
  ringSet,
  TTL_DEFAULT,
} from "../../lib/engine/ring.js";
import {
  PEER_QUEUED_MESSAGES,
  PEER_RELEASED_MESSAGES,
  statsPeerWord,
  statsWords,
} from "../../lib/engine/stats.js";
import { insecureKey } from "../../lib/insecure.js";
import { openNative } from "../../lib/native.js";
import { mintToken } from "../../lib/token.js";
import {
  type Engine,
  type EngineOptions,
  type IoMode,
  type SocketAddress,
  TURN_FLUSH,
  TURN_RECEIVE,
  TURN_TRANSMIT,
} from "../../lib/turn.js";

export const TURN_ALL = TURN_RECEIVE | TURN_FLUSH | TURN_TRANSMIT;
export const PROTOCOL_ID = 0x6e657472;
const LOOPBACK = 0x7f000001;
const RELIABLE = [2, 3, 1, 0, 10_000, 1, 1100, 3, 77];
const SUBMISSION_BYTES = 1 << 16;
const COMPLETION_BYTES = 1 << 20;
const SOCKET_BUFFER_BYTES = 1 << 20;
const PATIENCE_MS = 10_000;

/** Programs that run these helpers in processes of their own are told by their environment. */
const defaultIo: IoMode = process.env.NETRT_TEST_IO === "thread" ? "thread" : "inline";

export function loopback(port: number): SocketAddress {
  return { type: 1, port, words: [LOOPBACK, 0, 0, 0] };
}

/** The words of a host with one reliable channel. */
export function configWords(role: number, peersMax = 16): Uint32Array {
  const config = new Uint32Array(CONFIG_WORDS);
  config[CONFIG_ROLE] = role;
  config[CONFIG_PROTOCOL_LOW] = PROTOCOL_ID;
  config[CONFIG_PEERS_MAX] = role === ROLE_CLIENT ? 1 : peersMax;
  config[CONFIG_CHANNELS] = 1;
  config[CONFIG_PAYLOAD_BYTES_MAX] = 1200;
  config[CONFIG_RATE] = 12_500_000;
  config[CONFIG_QUEUE_BYTES_MAX] = 1 << 18;
  config[CONFIG_QUEUE_MESSAGES_MAX] = 1024;
  config[CONFIG_CHUNKS] = 4096;
  config[CONFIG_MESSAGES] = 4096;
  config[CONFIG_CARRIEDS] = 16_384;
  config[CONFIG_PENDING_MAX] = 64;
  config[CONFIG_TOKENS_MAX] = 1024;
  if (role === ROLE_SERVER) config.set([1, 1, 0, LOOPBACK, 0, 0, 0], CONFIG_ADDRESSES);
  config.set(RELIABLE, CONFIG_POLICIES);
  return config;
}

/** What opens an engine; the memory of its rings is in it. */
export function engineOptions(
  role: number,
  onWake: () => void = () => {},
  port = 0,
  io: IoMode = defaultIo,
): EngineOptions & { readonly config: Uint32Array } {
  const config = configWords(role);
  return {
    config,
    privateKey: insecureKey(),
    entropy: new Uint8Array(ENTROPY_BYTES).fill(role + 1),
    submission: new Uint8Array(ringBytes(SUBMISSION_BYTES)),
    completion: new Uint8Array(ringBytes(COMPLETION_BYTES)),
    page: new Uint32Array(statsWords(config[CONFIG_PEERS_MAX])),
    bind: loopback(port),
    socketBufferBytes: SOCKET_BUFFER_BYTES,
    io,
    reusePort: false,
    onWake,
  };
}

export function tokenFor(port: number, clientId: number, timeoutSeconds = 5): Uint8Array {
  const servers = [`127.0.0.1:${port}`];
  return mintToken({
    protocolId: PROTOCOL_ID,
    key: insecureKey(),
    clientId,
    servers,
    timeoutSeconds,
  });
}

/** One record of the completion ring. */
export interface Completed {
  readonly kind: number;
  readonly peer: number;
  readonly word4: number;
  readonly payload: Uint8Array;
}

/** An engine with its rings on JavaScript's side. */
export class End {
  readonly engine: Engine;
  readonly options: EngineOptions;
  readonly #submission = new Ring();
  readonly #completion = new Ring();
  /** Handle of the first peer that connected. */
  peer = 0;
  readonly messages: Uint8Array[] = [];
  turned = 0;

  constructor(engine: Engine, options: EngineOptions) {
    this.engine = engine;
    this.options = options;
    ringSet(this.#submission, options.submission);
    ringSet(this.#completion, options.completion);
  }

  static async open(options: EngineOptions): Promise<End> {
    return new End(await openNative(options), options);
  }

  get port(): number {
    return this.engine.bound.port;
  }

  /** Messages that wait for the peer of the first slot, as the last turn left it. */
  get waiting(): number {
    const { page } = this.options;
    const row = statsPeerWord(0);
    return (page[row + PEER_QUEUED_MESSAGES] - page[row + PEER_RELEASED_MESSAGES]) >>> 0;
  }

  /** False: the ring has no room before the next turn. */
  send(bytes: Uint8Array, tag = 0): boolean {
    const ring = this.#submission;
    const word = ringPush(ring, RECORD_SEND, bytes.length);
    if (word === NO_ROOM) return false;
    ring.words.set([this.peer, 0], word + 1);
    ring.words.set([TTL_DEFAULT, tag], word + 4);
    ring.bytes.set(bytes, word * 4 + RECORD_BYTES);
    ringPublish(ring);
    return true;
  }

  /** Everything that the completion ring holds. */
  drain(): Completed[] {
    const ring = this.#completion;
    const records: Completed[] = [];
    for (let word = ringPeek(ring); word !== NO_ROOM; word = ringPeek(ring)) {
      const start = word * 4 + RECORD_BYTES;
      records.push({
        kind: ring.words[word] >>> 24,
        peer: ring.words[word + 1],
        word4: ring.words[word + 4],
        payload: ring.bytes.slice(start, start + ring.words[word + 3]),
      });
      ringNext(ring, word);
    }
    ringRelease(ring);
    return records;
  }

  /** A turn, and what it brought sorted out. */
  turn(flags = TURN_ALL): Completed[] {
    this.turned = this.engine.turn(flags);
    const records = this.drain();
    for (const { kind, peer, payload } of records) {
      if (kind === RECORD_CONNECT && this.peer === 0) this.peer = peer;
      if (kind === RECORD_MESSAGE) this.messages.push(payload);
    }
    return records;
  }
}

export interface Pair {
  readonly server: End;
  readonly client: End;
}

export async function openPair(onWake: () => void = () => {}, io?: IoMode): Promise<Pair> {
  const server = await End.open(engineOptions(ROLE_SERVER, onWake, 0, io));
  const client = await End.open(engineOptions(ROLE_CLIENT, onWake, 0, io));
  return { server, client };
}

export function closePair({ server, client }: Pair): void {
  server.engine.close();
  client.engine.close();
}

/** Turns both until `done`; false when it takes too long. */
export async function turnUntil({ server, client }: Pair, done: () => boolean): Promise<boolean> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    client.turn();
    server.turn();
    if (done()) return true;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return false;
}

/** Connects the pair: both know their peer. */
export async function connectPair(pair: Pair, clientId = 1): Promise<void> {
  pair.client.engine.connect(tokenFor(pair.server.port, clientId));
  if (await turnUntil(pair, () => pair.client.peer !== 0 && pair.server.peer !== 0)) return;
  throw new Error("the pair did not connect");
}
