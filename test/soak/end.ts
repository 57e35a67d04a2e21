/*
 * Owns the program of the soak: the server, or all clients, told over IPC what to do. It counts and
 * checks while it runs, so that an hour of it needs no more memory than a minute.
 * Never judges its memory: it reports it, after a collection.
 */
import fs from "node:fs";
import { type Client, connect, createServer, type Peer, type Server } from "../../lib/index.js";
import { mintToken } from "../../lib/token.js";
import {
  type Channel,
  Ledger,
  message,
  protocol,
  SURE,
  type TrafficProtocol,
} from "../faults/traffic.js";

export interface EndReport {
  readonly errors: readonly string[];
  readonly received: number;
  readonly sent: number;
  readonly connections: number;
  readonly rssBytes: number;
  /** On V8's heap and beside it, after a collection. */
  readonly heapBytes: number;
  /** Open sockets, timers and the like, and threads. */
  readonly handles: number;
}

export interface SoakArguments {
  readonly address: string;
  readonly publicAddress: string;
  readonly peers: number;
}

const KEY = new Uint8Array(32).fill(9);
/** Milliseconds from one turn of the clients to the next. */
const TURN_MS = 50;
/** Turns from one sure message of a client to its next: 5 a second on each channel. */
const SURE_TURNS = 4;
/** Turns from one client that leaves, and another that comes, to the next: one a second. */
const CHURN_TURNS = 20;
/** What comes back of a client that is told to stop. */
const PATIENCE_MS = 15_000;
/** Of connections. A soak is about memory and order; a machine under load is to end none. */
const TIMEOUT_SECONDS = 20;
const ERRORS_MAX = 20;

const errors: string[] = [];
let received = 0;
let sent = 0;
let connections = 0;

function wrong(what: string): void {
  if (errors.length < ERRORS_MAX) errors.push(what);
}

function noteErrors(who: string, ledger: Ledger): void {
  for (const what of ledger.errors.splice(0)) wrong(`${who}: ${what}`);
}

// ---- The server ----

let server: Server<TrafficProtocol> | null = null;

function serve(peer: Peer<TrafficProtocol>): void {
  connections += 1;
  const ledger = new Ledger();
  const waiting: [Channel, Uint8Array][] = [];
  const echo = (): void => {
    while (waiting.length > 0 && peer.connected && peer.send(...waiting[0]!)) waiting.shift();
  };
  peer.on("drain", echo);
  peer.on("message", (channel, bytes) => {
    received += 1;
    ledger.take(channel, bytes);
    noteErrors(`server of ${peer.id}`, ledger);
    waiting.push([channel, bytes.slice()]);
    echo();
  });
  peer.on("disconnect", ({ reason }) => {
    if (reason !== "closed") wrong(`server of ${peer.id}: ${reason}`);
  });
}

async function openServer({ address, publicAddress, peers }: SoakArguments): Promise<string> {
  server = await createServer(protocol, {
    address,
    publicAddresses: [publicAddress],
    secret: KEY,
    // Those that left keep their slots while they say goodbye.
    maxPeers: 2 * peers,
    tickRate: 60,
  });
  server.on("connect", serve);
  return server.address;
}

// ---- The clients ----

/** One client: what it sent, and what came back. */
class Soaker {
  readonly #client: Client<TrafficProtocol>;
  readonly #ledger = new Ledger();
  readonly #next = new Map<Channel, number>();
  readonly #name: string;

  constructor(client: Client<TrafficProtocol>, name: string) {
    this.#client = client;
    this.#name = name;
    client.on("message", (channel, bytes) => {
      received += 1;
      this.#ledger.take(channel, bytes);
      noteErrors(name, this.#ledger);
    });
    client.on("undelivered", ({ channel, fate }) => {
      if (channel !== "shots") wrong(`${name}: ${channel} ${fate}`);
    });
    client.on("disconnect", ({ reason, local }) => {
      if (reason !== "closed" || !local) wrong(`${name}: ${reason}`);
    });
  }

  #send(channel: Channel): void {
    const number = this.#next.get(channel) ?? 0;
    if (!this.#client.connected || !this.#client.send(channel, message(number))) return;
    this.#next.set(channel, number + 1);
    sent += 1;
  }

  turn(count: number): void {
    this.#send("state");
    if (count % SURE_TURNS !== 0) return;
    for (const channel of SURE) this.#send(channel);
    this.#send("shots");
  }

  /** Whether all that must come back is back. */
  get settled(): boolean {
    return SURE.every((channel) => this.#ledger.count(channel) === (this.#next.get(channel) ?? 0));
  }

  async leave(): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    while (!this.settled && this.#client.connected && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (!this.settled) {
      const missing = SURE.map((channel) => {
        return `${this.#ledger.count(channel)} of ${this.#next.get(channel)} ${channel}`;
      });
      wrong(`${this.#name}: came back ${missing}`);
    }
    // What came back may still be unacked: the ack of it can be lost as well.
    await this.#client.close({ drain: true });
  }
}

const soakers: Soaker[] = [];
/** Clients on their way in and out. */
const underway = new Set<Promise<void>>();
let target = "";
let clients = 0n;
let clock: NodeJS.Timeout | null = null;

async function join(): Promise<void> {
  clients += 1n;
  const name = `client ${clients}`;
  const token = mintToken({
    protocol,
    key: KEY,
    clientId: clients,
    servers: [target],
    timeoutSeconds: TIMEOUT_SECONDS,
  });
  try {
    soakers.push(new Soaker(await connect(protocol, token), name));
    connections += 1;
  } catch (error) {
    wrong(`${name}: ${error}`);
  }
}

function track(way: Promise<void>): void {
  const tracked = way.finally(() => underway.delete(tracked));
  underway.add(tracked);
}

async function openClients({ publicAddress, peers }: SoakArguments): Promise<void> {
  target = publicAddress;
  await Promise.all(Array.from({ length: peers }, join));
}

function begin(): void {
  let count = 0;
  clock = setInterval(() => {
    count += 1;
    for (const [index, soaker] of soakers.entries()) soaker.turn(count + index);
    if (count % CHURN_TURNS !== 0) return;
    const oldest = soakers.shift();
    if (oldest !== undefined) track(oldest.leave());
    track(join());
  }, TURN_MS);
}

/** Stops sending; resolves once all that must is back and every client is closed. */
async function stop(): Promise<void> {
  if (clock !== null) clearInterval(clock);
  while (soakers.length > 0 || underway.size > 0) {
    for (const soaker of soakers.splice(0)) track(soaker.leave());
    await Promise.all(underway);
  }
}

// ---- Being told ----

function handles(): number {
  if (process.platform !== "linux") return 0;
  return fs.readdirSync("/proc/self/fd").length + fs.readdirSync("/proc/self/task").length;
}

/** Buffers go a turn later than what held them. */
async function report(): Promise<EndReport> {
  for (let round = 0; round < 2; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const counts = { received, sent, connections, handles: handles() };
  return { errors: errors.splice(0), ...counts, rssBytes: rss, heapBytes: heapUsed + external };
}

const verbs: Record<string, (argument: never) => unknown> = {
  server: openServer,
  clients: openClients,
  begin,
  stop,
  report,
  async close() {
    await server?.close({ timeout: 1000 });
    server = null;
  },
  exit() {
    setImmediate(() => process.disconnect?.());
  },
};

interface Asked {
  readonly id: number;
  readonly verb: string;
  readonly argument?: unknown;
}

process.on("message", async ({ id, verb, argument }: Asked) => {
  try {
    const result = await verbs[verb]!(argument as never);
    process.send?.({ id, result });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.send?.({ id: 0 });
