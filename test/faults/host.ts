/*
 * Owns the program that runs under the shim: one end of a connection, told over IPC what to do. It
 * echoes as a server and sends as a client, through the public API alone.
 * Never judges: it reports what happened.
 */
import fs from "node:fs";
import { type Client, connect, createServer, type Peer, type Server } from "../../lib/index.js";
import { type Channel, Ledger, message, protocol, SURE, type TrafficProtocol } from "./traffic.js";

export interface Report {
  readonly errors: readonly string[];
  /** Messages of sure channels that will not arrive, and connections that ended. */
  readonly losses: readonly string[];
  readonly uncaught: readonly { readonly code: string; readonly message: string }[];
  readonly received: number;
  readonly stats: Readonly<Record<string, unknown>>;
  readonly rssBytes: number;
}

type Asked = { readonly id: number; readonly verb: string; readonly argument?: unknown };

/** Messages handed over in one go: enough that a flush is more than one packet. */
const BURST = 8;

const ledger = new Ledger();
const losses: string[] = [];
const uncaught: { code: string; message: string }[] = [];
let server: Server<TrafficProtocol> | null = null;
let client: Client<TrafficProtocol> | null = null;

process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  if (uncaught.length < 1000) uncaught.push({ code: error.code ?? "", message: error.message });
});

/** Notes what must not happen to a connection. */
function watch(peer: Peer<TrafficProtocol>): void {
  peer.on("undelivered", ({ channel, fate }) => {
    if (channel !== "shots") losses.push(`${channel}: ${fate}`);
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

async function openServer(address: string): Promise<string> {
  server = await createServer(protocol, { address, insecure: true, maxPeers: 8 });
  server.on("connect", (peer) => {
    watch(peer);
    const sender = new Sender(peer);
    peer.on("message", (channel, bytes) => {
      ledger.take(channel, bytes);
      sender.send(channel, bytes.slice());
    });
  });
  return server.address;
}

// ---- The client ----

async function openClient(address: string): Promise<void> {
  client = await connect(protocol, { insecure: true, address });
  watch(client);
  client.on("message", (channel, bytes) => void ledger.take(channel, bytes));
}

let numbered = 0;
let sender: Sender | null = null;

/** Sends so many messages on every channel, and resolves once all that must come back is there. */
async function traffic({ messages, patienceMs }: { messages: number; patienceMs: number }) {
  const own = client as Client<TrafficProtocol>;
  sender ??= new Sender(own);
  const until = performance.now() + patienceMs;
  const end = numbered + messages;
  while (numbered < end || SURE.some((channel) => ledger.count(channel) < end)) {
    for (let index = 0; index < BURST && numbered < end; index++, numbered++) {
      const bytes = message(numbered);
      for (const channel of SURE) sender.send(channel, bytes);
      own.send("state", bytes);
      own.send("shots", bytes);
    }
    if (performance.now() > until) {
      throw new Error(`of ${end} came back ${SURE.map((channel) => ledger.count(channel))}`);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
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
  const stats = client === null ? server?.stats : client.hostStats;
  const received = SURE.reduce((sum, channel) => sum + ledger.count(channel), 0);
  return {
    errors: ledger.errors,
    losses: losses.splice(0),
    uncaught: uncaught.splice(0),
    received,
    stats: { ...stats },
    rssBytes: process.memoryUsage.rss(),
  };
}

const verbs: Record<string, (argument: never) => unknown> = {
  server: openServer,
  client: openClient,
  traffic,
  report,
  attempt,
  async close() {
    await client?.close();
    await server?.close({ timeout: 500 });
    client = null;
    server = null;
  },
  exit() {
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
