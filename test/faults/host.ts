/*
 * Owns the program that runs under the shim: one end of a connection, told over IPC what to do. It
 * echoes as a server and sends as a client, through the public API alone.
 * Never judges: it reports what happened.
 */
import { once } from "node:events";
import fs from "node:fs";
import {
  type Client,
  connect,
  createServer,
  type Peer,
  type Server,
  type SystemFaults,
} from "../../lib/index.js";
import { mintToken } from "../../lib/token.js";
import { type Channel, Ledger, message, protocol, SURE, type TrafficProtocol } from "./traffic.js";

export interface Report {
  readonly errors: readonly string[];
  /** Messages of sure channels that will not arrive, and connections that ended. */
  readonly losses: readonly string[];
  readonly warnings: readonly string[];
  readonly uncaught: readonly { readonly code: string; readonly message: string }[];
  readonly received: number;
  /** Sent, and never acked. */
  readonly packetsLost: number;
  readonly faults: SystemFaults;
  /** Datagrams refused for their size. */
  readonly rejectedSizes: number;
  readonly rssBytes: number;
}

type Asked = { readonly id: number; readonly verb: string; readonly argument?: unknown };

const LOSSES_MAX = 20;
/** Messages handed over in one go: enough that a flush is more than one packet. */
const BURST = 8;

const KEY = new Uint8Array(32).fill(7);

const ledger = new Ledger();
const losses: string[] = [];
const warnings: string[] = [];
const NO_FAULTS: SystemFaults = { blocked: 0, dropped: 0, tooLarge: 0, unreachable: 0, refused: 0 };
const uncaught: { code: string; message: string }[] = [];
/** How long each message is worked on. */
let handlerMs = 0;
let server: Server<TrafficProtocol> | null = null;
let client: Client<TrafficProtocol> | null = null;
/** The client as a server has it. */
let serverPeer: Peer<TrafficProtocol> | null = null;

process.on("warning", ({ name, message }) => {
  if (warnings.length < LOSSES_MAX) warnings.push(`${name}: ${message}`);
});
process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  if (uncaught.length < 1000) uncaught.push({ code: error.code ?? "", message: error.message });
});

/** Notes what must not happen to a connection. */
function watch(peer: Peer<TrafficProtocol>): void {
  peer.on("undelivered", ({ channel, fate }) => {
    if (channel !== "shots" && losses.length < LOSSES_MAX) losses.push(`${channel}: ${fate}`);
  });
  peer.on("disconnect", ({ reason, text }) => losses.push(`disconnected: ${reason} ${text}`));
}

/** Sends in order, however full the queue is. */
class Sender {
  readonly #peer: Peer<TrafficProtocol>;
  #waiting: [Channel, Uint8Array][] = [];

  constructor(peer: Peer<TrafficProtocol>) {
    this.#peer = peer;
    peer.on("drain", () => this.#flush());
  }

  send(channel: Channel, bytes: Uint8Array): void {
    this.#waiting.push([channel, bytes]);
    if (this.#waiting.length === 1) this.#flush();
  }

  #flush(): void {
    let taken = 0;
    for (const [channel, bytes] of this.#waiting) {
      if (!this.#peer.connected || !this.#peer.send(channel, bytes)) break;
      taken += 1;
    }
    this.#waiting = this.#waiting.slice(taken);
  }
}

// ---- The server ----

export interface EndArguments {
  readonly address: string;
  readonly publicAddress?: string;
  readonly sendRate?: number;
  /** Of the connection, with tokens in place of `insecure`. */
  readonly timeoutSeconds?: number;
}

async function openServer(options: EndArguments): Promise<string> {
  const { address, publicAddress, sendRate, timeoutSeconds } = options;
  server = await createServer(protocol, {
    address,
    ...(timeoutSeconds === undefined ? { insecure: true } : { secret: KEY }),
    maxPeers: 8,
    ...(publicAddress === undefined ? {} : { publicAddresses: [publicAddress] }),
    ...(sendRate === undefined ? {} : { sendRate }),
  });
  server.on("connect", (peer) => {
    serverPeer = peer;
    watch(peer);
    const sender = new Sender(peer);
    peer.on("message", (channel, bytes) => {
      if (channel === "beat" || channel === "bulk") return;
      ledger.take(channel, bytes);
      if (handlerMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, handlerMs);
      sender.send(channel, bytes.slice());
    });
  });
  return server.address;
}

/** Resolves once the server has a peer: a client may know of its connection before. */
async function joined(): Promise<void> {
  if (serverPeer === null) await once(server as Server<TrafficProtocol>, "connect");
}

// ---- The client ----

async function openClient({ address, sendRate, timeoutSeconds }: EndArguments): Promise<void> {
  const options = sendRate === undefined ? {} : { sendRate };
  const token = { protocol, key: KEY, clientId: 1n, servers: [address], timeoutSeconds };
  const insecure = { insecure: true, address } as const;
  client = await connect(
    protocol,
    timeoutSeconds === undefined ? insecure : mintToken({ ...token, timeoutSeconds }),
    options,
  );
  watch(client);
  client.on("message", (channel, bytes) => {
    if (channel !== "beat" && channel !== "bulk") ledger.take(channel, bytes);
  });
}

let numbered = 0;
let sender: Sender | null = null;

export interface TrafficArguments {
  readonly messages: number;
  readonly patienceMs: number;
  readonly small?: boolean;
}

/** Sends so many messages on every channel, and resolves once all that must come back is there. */
async function traffic({ messages, patienceMs, small = false }: TrafficArguments): Promise<void> {
  const own = client as Client<TrafficProtocol>;
  sender ??= new Sender(own);
  const until = performance.now() + patienceMs;
  const end = numbered + messages;
  while (numbered < end || SURE.some((channel) => ledger.count(channel) < end)) {
    for (let index = 0; index < BURST && numbered < end; index++, numbered++) {
      const bytes = message(numbered, small);
      for (const channel of SURE) sender.send(channel, bytes);
      own.send("state", bytes);
      own.send("shots", bytes);
    }
    if (performance.now() > until || !own.connected) {
      throw new Error(`of ${end} came back ${SURE.map((channel) => ledger.count(channel))}`);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

// ---- A steady flow, and standing still ----

export interface Moment {
  /** µs of the machine's monotonic clock, which all its processes share. */
  readonly us: number;
  readonly rttMs: number;
  readonly bytesSent: number;
}

const FLOW_BYTES = 100;
const moments: Moment[] = [];
let flow: NodeJS.Timeout | null = null;
function moment(peer: Peer<TrafficProtocol>): void {
  const { rttMs, bytesSent } = peer.stats;
  moments.push({ us: Number(process.hrtime.bigint() / 1000n), rttMs, bytesSent });
}

/** Sends state from now on, and keeps moments; with 0 ms between no more. */
function flowEvery(ms: number): void {
  if (flow !== null) clearInterval(flow);
  flow = null;
  if (ms === 0) return;
  const peer = client ?? (serverPeer as Peer<TrafficProtocol>);
  let number = 1_000_000;
  flow = setInterval(() => {
    if (!peer.connected) return;
    // Only the client's is checked there; a server's own flow has no ledger of its own.
    peer.send("beat", new Uint8Array(FLOW_BYTES).fill(number++));
    moment(peer);
  }, ms);
}

/** Blocks the event loop, as a debugger or a long collection does; then notes how it goes on. */
async function stall({ ms, backlog }: { ms: number; backlog: number }): Promise<void> {
  const peer = client ?? (serverPeer as Peer<TrafficProtocol>);
  for (let index = 0; index < backlog; index++) peer.send("bulk", new Uint8Array(1000));
  // What may go out at once does so before, and the rest is on its way.
  await new Promise((resolve) => setTimeout(resolve, 50));
  moments.length = 0;
  moment(peer);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  moment(peer);
  const until = performance.now() + 100;
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    moment(peer);
  }
}

// ---- Garbage ----

const collect = (): void => globalThis.gc?.();

/** Allocates and collects for a while, beside whatever else goes on. */
async function litter(ms: number): Promise<void> {
  const until = performance.now() + ms;
  let kept: unknown[] = [];
  while (performance.now() < until) {
    for (let index = 0; index < 2000; index++) {
      kept.push({ index, text: `garbage ${index}`, bytes: new Uint8Array(64) });
    }
    kept.push(new ArrayBuffer(1 << 20));
    if (kept.length > 50_000) kept = [];
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What is on the heap and beside it once all garbage is gone; buffers go a turn later than the rest. */
async function heap(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

// ---- Opening again and again ----

const handles = (): number => fs.readdirSync("/proc/self/fd").length;
const threads = (): number => fs.readdirSync("/proc/self/task").length;

export interface Attempt {
  /** "" when it opened. */
  readonly code: string;
  readonly cause: string;
  /** Handles and threads more than before. */
  readonly leaked: number;
}

/** Opens a server and closes it, or is refused. */
async function attempt(address: string): Promise<Attempt> {
  const before = handles() + threads();
  let code = "";
  let cause = "";
  try {
    const opened = await createServer(protocol, { address, insecure: true, maxPeers: 4 });
    await opened.close({ timeout: 0 });
  } catch (error) {
    const refused = error as Error & { code?: string; cause?: NodeJS.ErrnoException };
    code = refused.name === "NetrtError" ? (refused.code ?? "") : `${refused.name}, not ours`;
    cause = refused.cause?.code ?? "";
  }
  // A socket of dgram is given back a turn of the loop after its close.
  await new Promise((resolve) => setImmediate(resolve));
  return { code, cause, leaked: handles() + threads() - before };
}

// ---- Being told ----

function report(): Report {
  const stats = (client === null ? server?.stats : client.hostStats) ?? null;
  const peer = client ?? serverPeer;
  const received = SURE.reduce((sum, channel) => sum + ledger.count(channel), 0);
  return {
    errors: ledger.errors,
    losses: losses.splice(0),
    uncaught: uncaught.splice(0),
    received,
    packetsLost: (peer?.stats.packetsLost ?? 0) - (peer?.stats.packetsAckedLate ?? 0),
    faults: stats?.faults ?? NO_FAULTS,
    rejectedSizes: stats?.rejected.size ?? 0,
    warnings: warnings.splice(0),
    rssBytes: process.memoryUsage.rss(),
  };
}

const verbs: Record<string, (argument: never) => unknown> = {
  server: openServer,
  client: openClient,
  traffic,
  report,
  attempt,
  joined,
  slow(ms: number) {
    handlerMs = ms;
  },
  litter,
  heap,
  flow: flowEvery,
  stall,
  moments: () => moments.splice(0),
  async close() {
    await client?.close();
    await server?.close({ timeout: 500 });
    client = null;
    server = null;
  },
  exit() {
    flowEvery(0);
    setImmediate(() => process.disconnect?.());
  },
};

process.on("message", async ({ id, verb, argument }: Asked) => {
  try {
    const result = await verbs[verb]!(argument as never);
    process.send?.({ id, result });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.send?.({ id: 0 });
