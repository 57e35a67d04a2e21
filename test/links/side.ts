/*
 * Owns the program that runs inside a namespace: `side.js JSON`, as a server, as some clients, or as the relay before a server.
 * Prints one JSON value a line: `{ ready: true }`, then its report. Ends with its standard input: nobody is left
 * behind when the parent dies.
 */
import { withResolvers } from "../../lib/client.js";
import { connect, createServer } from "../../lib/index.js";
import type { LinkOptions } from "../../lib/sim/link.js";
import { createRelay } from "../../lib/sim/relay.js";
import { mintToken } from "../../lib/token.js";
import { everyTick, LANES, type Lane, type LaneReport, protocol, Traffic } from "./traffic.js";

const KEY = new Uint8Array(32).fill(42);
/** Silence that ends a connection. */
const TIMEOUT_SECONDS = 5;

export type SideOptions =
  | {
      readonly role: "server";
      readonly engine: "native" | "js";
      readonly bind: string;
      readonly publicAddress: string;
      readonly clients: number;
      readonly seconds: number;
    }
  | {
      readonly role: "clients";
      readonly engine: "native" | "js";
      readonly server: string;
      /** Ids from here on. */
      readonly firstId: number;
      readonly count: number;
      readonly seconds: number;
    }
  | {
      readonly role: "relay";
      readonly port: number;
      readonly targetPort: number;
      readonly link: LinkOptions;
    };

/** What one side of one connection saw. */
export interface PeerReport {
  readonly id: number;
  readonly engine: "native" | "js";
  readonly lanes: Readonly<Record<Lane, LaneReport>>;
  readonly undelivered: number;
  /** How the connection ended: reason and text. */
  readonly end: string;
  readonly rttMs: number;
  readonly packetsSent: number;
  readonly packetsLost: number;
}

export interface SideReport {
  readonly peers: readonly PeerReport[];
}

function print(value: unknown): void {
  console.log(JSON.stringify(value));
}

interface Seen {
  readonly id: number;
  readonly traffic: Traffic;
  end: string;
  rttMs: number;
  packetsSent: number;
  packetsLost: number;
}

function reportOf(engine: "native" | "js", seen: Seen): PeerReport {
  const { traffic, ...rest } = seen;
  return { ...rest, engine, lanes: traffic.report(), undelivered: traffic.undelivered };
}

async function serve(options: SideOptions & { role: "server" }): Promise<void> {
  const { engine, bind, publicAddress, clients, seconds } = options;
  const server = await createServer(protocol, {
    address: bind,
    publicAddresses: [publicAddress],
    secret: KEY,
    maxPeers: clients,
    tickRate: 60,
    engine,
  });
  const all = new Map<bigint, Seen>();
  const over = withResolvers<void>();
  let gone = 0;
  server.on("connect", (peer) => {
    const traffic = new Traffic(peer, seconds);
    const seen: Seen = {
      id: Number(peer.id),
      traffic,
      end: "",
      rttMs: 0,
      packetsSent: 0,
      packetsLost: 0,
    };
    all.set(peer.id, seen);
    peer.on("disconnect", ({ reason, text }) => {
      seen.end = `${reason}: ${text}`;
      gone += 1;
      if (gone === clients) over.resolve();
    });
  });
  for (const lane of LANES) {
    server.channel(lane).on("message", (peer, bytes) => {
      all.get(peer.id)?.traffic.receive(lane, bytes);
    });
  }
  server.on("tick", () => {
    for (const peer of server.peers) {
      const seen = all.get(peer.id);
      if (seen === undefined) continue;
      seen.traffic.tick();
      ({ rttMs: seen.rttMs, packetsSent: seen.packetsSent } = peer.stats);
      seen.packetsLost = peer.stats.packetsLost;
    }
  });
  print({ ready: true });
  await over.promise;
  print({ peers: [...all.values()].map((seen) => reportOf(server.engine, seen)) });
  await server.close();
}

async function join(options: SideOptions & { role: "clients" }): Promise<void> {
  const { engine, server, firstId, count, seconds } = options;
  print({ ready: true });
  const one = async (id: number): Promise<PeerReport> => {
    const token = mintToken({
      protocol,
      key: KEY,
      clientId: id,
      servers: [server],
      timeoutSeconds: TIMEOUT_SECONDS,
    });
    const client = await connect(protocol, token, { engine });
    const traffic = new Traffic(client, seconds);
    const seen: Seen = { id, traffic, end: "", rttMs: 0, packetsSent: 0, packetsLost: 0 };
    const ended = withResolvers<void>();
    client.on("disconnect", ({ reason, text }) => {
      seen.end = `${reason}: ${text}`;
      ended.resolve();
    });
    let closed: Promise<void> | null = null;
    const settle = () => {
      if (!traffic.done || closed !== null) return;
      const { stats } = client;
      ({ rttMs: seen.rttMs, packetsSent: seen.packetsSent } = stats);
      seen.packetsLost = stats.packetsLost;
      // What the server has not acked yet goes first.
      closed = client.close({ drain: true, reason: "done" });
    };
    for (const lane of LANES) {
      client.channel(lane).on("message", (bytes) => traffic.receive(lane, bytes));
    }
    const stop = everyTick(() => {
      traffic.tick();
      settle();
    });
    await ended.promise;
    stop();
    // The goodbyes are still to be sent.
    await closed;
    return reportOf(client.engine, seen);
  };
  const ids = Array.from({ length: count }, (_, index) => firstId + index);
  print({ peers: await Promise.all(ids.map(one)) });
}

async function relay(options: SideOptions & { role: "relay" }): Promise<void> {
  const { port, targetPort, link } = options;
  const running = await createRelay({ port, targetPort, up: link, down: link });
  print({ ready: true });
  // Whoever asks is told what it did.
  process.stdin.on("data", () => print(running.counters));
}

process.stdin.on("end", () => process.exit(1)).resume();
const options = JSON.parse(process.argv[2]) as SideOptions;
if (options.role === "relay") await relay(options);
else await (options.role === "server" ? serve(options) : join(options));
// A relay runs until it is ended; the others are done.
if (options.role !== "relay") process.exit(0);
