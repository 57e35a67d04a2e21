/*
 * Owns the attacks' real sockets: a server and an honest client of the public API on 127.0.0.1, and floods of them.
 * Never measures time against a promise but where the promise is of seconds: the machine may be loaded.
 */
import { once } from "node:events";
import { existsSync } from "node:fs";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { type Client, connect, createServer, type Server } from "../../lib/index.js";
import { Random } from "../../lib/sim/random.js";
import { mintToken } from "../../lib/token.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import type { FlooderData, FlooderReport } from "./flooder.js";
import { forgedAnything, forgedRequest } from "./stranger.js";
import { arena } from "./world.js";

type Arena = typeof arena;

const FLOOD_SOCKETS = 4;
const FORGED = 256;
/** Datagrams a second at the gate's size, so that the kernel's buffer isn't all that is tried; beyond, all that go. */
const GATE_RATE = 20_000;
const CONNECT_LIMIT_MS = 3000;
const PEERS_MAX = 256;
/** A flood ends by itself, even when its test died. */
const FLOOD_LIMIT_MS = 20_000;
/** Clients one after the other until one is in time: a loaded machine may hold one up. */
const TRIES = 3;
/** What came of the flood before the clients count. */
const FLOOD_DATAGRAMS = 10_000;
/** A connection that takes longer has failed. */
const PATIENCE_MS = 15_000;

/** A thread runs JavaScript: the compiled one, wherever this file itself runs from. */
function flooderFile(): string {
  const here = path.resolve(import.meta.dirname, "flooder.js");
  if (existsSync(here)) return here;
  const root = path.resolve(import.meta.dirname, "..", "..");
  return path.join(root, "dist", "test", "hostile", "flooder.js");
}

/** Floods a port until the body is done. */
async function underFlood<Result>(
  port: number,
  datagrams: readonly Uint8Array[],
  rate: number,
  body: () => Promise<Result>,
): Promise<{ result: Result; report: FlooderReport }> {
  const workerData: FlooderData = {
    port,
    sockets: FLOOD_SOCKETS,
    datagrams,
    limitMs: FLOOD_LIMIT_MS,
    rate,
  };
  const worker = new Worker(flooderFile(), { workerData });
  try {
    await once(worker, "message");
    const result = await body();
    worker.postMessage("stop");
    const [report] = (await once(worker, "message")) as [FlooderReport];
    return { result, report };
  } finally {
    await worker.terminate();
  }
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1));

const secret = new Uint8Array(32).fill(9);

async function openServer(engine: EngineName): Promise<Server<Arena>> {
  return createServer(arena, { address: "127.0.0.1:0", maxPeers: PEERS_MAX, engine, secret });
}

async function within<Value>(promise: Promise<Value>, what: string): Promise<Value> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), PATIENCE_MS);
  try {
    return await Promise.race([
      promise,
      once(late.signal, "abort").then((): Value => {
        throw new Error(`did not happen: ${what}`);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long an honest client takes to connect (ms). */
async function joinMs(
  server: Server<Arena>,
  engine: EngineName,
  clientId: number,
  clients: Client<Arena>[],
) {
  const token = mintToken({ protocol: arena, key: secret, clientId, servers: [server.address] });
  const start = performance.now();
  const client = await within(connect(arena, token, { engine }), "a connection under a flood");
  clients.push(client);
  return performance.now() - start;
}
/** Attack 1 on real sockets. */
export async function realFlood(engine: EngineName, scale: number): Promise<Figures> {
  const server = await openServer(engine);
  const clients: Client<Arena>[] = [];
  try {
    const random = new Random(1);
    const expire = BigInt(Math.floor(Date.now() / 1000) + 600);
    const forged = Array.from({ length: FORGED }, (_, index) =>
      index % 2 === 0
        ? forgedRequest(random, arena.id, expire)
        : forgedAnything(random, arena.id, expire),
    );
    const { result, report } = await underFlood(
      portOf(server.address),
      forged,
      scale === 1 ? GATE_RATE : 0,
      async () => {
        let best = Number.POSITIVE_INFINITY;
        const floods = () => server.stats.datagramsIn > FLOOD_DATAGRAMS;
        for (let id = 1, tries = 0; tries < TRIES; id++) {
          const one = await joinMs(server, engine, id, clients);
          if (!floods()) continue;
          best = Math.min(best, one);
          if (best <= CONNECT_LIMIT_MS) break;
          tries += 1;
        }
        return best;
      },
    );
    check(
      result <= CONNECT_LIMIT_MS,
      `an honest client connects within ${CONNECT_LIMIT_MS} ms of real flood`,
      result,
    );
    const { stats } = server;
    check(stats.rejected.token > 0, "the flood came as far as the seal", stats.rejected);
    checkEqual([report.datagramsIn, report.bytesIn], [0, 0], "what the flood got back");
    check(stats.bytesOut <= stats.bytesIn, "out is no more than in", stats);
    return {
      "real forged": report.datagramsOut,
      "real datagrams in": stats.datagramsIn,
      "real connect ms": Math.round(result),
    };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await server.close({ timeout: 0 });
  }
}
