/*
 * Owns what happens when a process stands still: no false time-out, an RTT that stays what it was, and
 * afterwards a burst that pacing allows.
 * The link is a relay of 50 ms each way in the process of the test, so that the machine's own noise is
 * not what is looked at.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createRelay } from "../../lib/sim/relay.js";
import type { Moment } from "./host.js";
import { type Bench, closePair, type EngineName, type Host, openHosts, type Pair } from "./pair.js";

/** Who stands still. */
export const WHO = ["client", "server"] as const;
export type Who = (typeof WHO)[number];

export interface Stall {
  readonly engine: EngineName;
  readonly who: Who;
  readonly ms: number;
  /** Most that the smoothed RTT moved at either end, as a part of what it was. */
  readonly rttMoved: number;
  /** What it moved by in as long a time without a stall. */
  readonly rttNoise: number;
  /** Bytes that went out in the 100 ms after. */
  readonly burstBytes: number;
  readonly wrong: readonly string[];
}

const DELAY_US = 50_000;
const FLOW_MS = 16;
const SEND_RATE = 200_000;
/** Messages of 1000 B that wait while the process stands still: more than the burst, and a while. */
const BACKLOG = 150;
/** How long the burst is watched (µs). */
const BURST_US = 100_000;
/** A bucket holds 20 ms of its rate, but at least 8 full packets (docs/PROTOCOL.md, R-36). */
const BURST_BYTES = Math.max(SEND_RATE * 0.02, 8 * 1225);
/** The packet that overdraws the bucket. */
const OVERDRAWN_BYTES = 1225;
/** What may move of a smoothed RTT, on a machine that is quiet. */
const RTT_MOVE_MAX = 0.1;
/** On one that is not, this many times what it moved by just before. */
const NOISE_FACTOR = 2;
const ATTEMPTS = 3;
/** How long the RTT is watched before and after. */
const WATCH_MS = 800;

/** With a backlog: as long as its rate would take to empty it. */
const BACKLOG_STALL_MS = 750;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function momentsOf(host: Host): Promise<Moment[]> {
  return (await host.ask("moments")) as Moment[];
}

/** How far RTTs went from the first, as a part of it. */
function moved(from: number, moments: readonly Moment[]): number {
  return Math.max(...moments.map(({ rttMs }) => Math.abs(rttMs - from) / from));
}

/** What went out since the stall ended, and how much more that was than a full bucket gives. */
function overspent(moments: readonly Moment[], sinceUs: number): { bytes: number; over: number } {
  const after = moments.filter(({ us }) => us >= sinceUs && us <= sinceUs + BURST_US);
  const [first] = after as [Moment];
  let over = Number.NEGATIVE_INFINITY;
  let bytes = 0;
  for (const { us, bytesSent } of after) {
    bytes = bytesSent - first.bytesSent;
    const allowed = BURST_BYTES + OVERDRAWN_BYTES + ((us - first.us) * SEND_RATE) / 1e6;
    over = Math.max(over, bytes - allowed);
  }
  return { bytes, over };
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

async function stallOnce(
  pair: Pair,
  engine: EngineName,
  who: Who,
  ms: number,
  backlog: number,
): Promise<Stall & { readonly doubts: readonly string[] }> {
  const still = pair[who];
  const other = who === "server" ? pair.client : pair.server;
  await Promise.all(pair.hosts.map(momentsOf));
  await sleep(WATCH_MS);
  const calm = await Promise.all([momentsOf(still), momentsOf(other)]);
  const before = calm.map((moments) => moments.at(-1)!.rttMs);
  await still.ask("stall", { ms, backlog });
  await sleep(WATCH_MS);
  const after = await Promise.all([momentsOf(still), momentsOf(other)]);
  const [begin, end] = after[0] as [Moment, Moment];
  const { bytes, over } = overspent(after[0]!, end.us);
  const wrong: string[] = [];
  if (end.us - begin.us < ms * 1000) wrong.push("it did not stand still");
  if (over > 0) wrong.push(`${Math.round(over)} bytes more went out than pacing allows`);
  const doubts: string[] = [];
  if (backlog > 0 && bytes < BURST_BYTES) doubts.push(`only ${bytes} bytes went out: no burst`);
  const rttMoved = Math.max(...after.map((moments, index) => moved(before[index]!, moments)));
  const rttNoise = Math.max(...calm.map((moments, index) => moved(before[index]!, moments)));
  // A backlog fills the link, and so the RTT; the JS engine has no receive times of the kernel.
  const most = Math.max(RTT_MOVE_MAX, NOISE_FACTOR * rttNoise);
  if (rttMoved > most && backlog === 0 && engine === "native") {
    const range = after.map((moments) => moments.map(({ rttMs }) => rttMs));
    doubts.push(
      `RTT went from ${before} ms to ${range.map((ms) => `${Math.min(...ms)}-${Math.max(...ms)}`)}`,
    );
  }
  for (const host of pair.hosts) {
    const { errors, losses, uncaught } = await host.report();
    wrong.push(...errors, ...losses, ...uncaught.map(({ message }) => message));
  }
  return { engine, who, ms, rttMoved, rttNoise, burstBytes: bytes, wrong, doubts };
}

/**
 * The same again while there are doubts: the machine's own noise may cause them once, a mistake does so
 * each time.
 */
async function stallCalmly(
  pair: Pair,
  engine: EngineName,
  who: Who,
  ms: number,
  backlog: number,
): Promise<Stall> {
  for (let attempt = 1; ; attempt++) {
    const { doubts, ...stall } = await stallOnce(pair, engine, who, ms, backlog);
    const wrong = [...stall.wrong, ...(attempt < ATTEMPTS ? [] : doubts)];
    if (doubts.length === 0 || wrong.length > 0) return { ...stall, wrong };
  }
}

/** Stands still for each of the times, on one connection. */
export async function stallRun(
  bench: Bench,
  engine: EngineName,
  who: Who,
  times: readonly number[],
): Promise<Stall[]> {
  const targetPort = await freePort();
  const delay = { delayUs: DELAY_US };
  const relay = await createRelay({ targetPort, up: delay, down: delay });
  const address = `127.0.0.1:${relay.port}`;
  const pair = await openHosts(bench, { server: engine, client: engine });
  const stalls: Stall[] = [];
  try {
    await pair.server.ask("server", {
      address: `127.0.0.1:${targetPort}`,
      publicAddress: address,
      sendRate: SEND_RATE,
    });
    await pair.client.ask("client", { address, sendRate: SEND_RATE });
    await pair.server.ask("joined");
    for (const host of pair.hosts) await host.ask("flow", FLOW_MS);
    await sleep(WATCH_MS);
    for (const ms of times) stalls.push(await stallCalmly(pair, engine, who, ms, 0));
    stalls.push(await stallCalmly(pair, engine, who, BACKLOG_STALL_MS, BACKLOG));
    await pair.client.ask("traffic", { messages: 20, patienceMs: 10_000 });
  } finally {
    for (const host of pair.hosts) await host.ask("flow", 0).catch(() => undefined);
    const wrong = await closePair(pair);
    await relay.close();
    if (wrong.length > 0) {
      const none = { rttMoved: 0, rttNoise: 0, burstBytes: 0 };
      stalls.push({ engine, who, ms: 0, ...none, wrong });
    }
  }
  return stalls;
}
