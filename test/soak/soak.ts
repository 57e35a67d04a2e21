/*
 * Owns a soak: a server and its clients in processes of their own, a lossy relay between them, and what
 * is measured of them over time.
 * Invariant: a soak in which little arrived is wrong, whatever else it shows.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createRelay } from "../../lib/sim/relay.js";
import { type Bench, type EngineName, Host } from "../faults/pair.js";
import type { EndReport } from "./end.js";

export interface SoakOptions {
  readonly engine: EngineName;
  readonly seconds: number;
  readonly peers: number;
  /** Of packets each way, in percent. */
  readonly loss: number;
  readonly seed: number;
}

export interface Soak {
  readonly engine: EngineName;
  readonly seconds: number;
  readonly messages: number;
  readonly connections: number;
  readonly packetsLost: number;
  /** How the resident memory of server and clients grew, in bytes per second, once warm. */
  readonly rssSlope: readonly [server: number, clients: number];
  /** The same of their heaps after a collection. */
  readonly heapSlope: readonly [server: number, clients: number];
  readonly wrong: readonly string[];
}

/**
 * What is given back goes back to the system. By default glibc learns from the first big block that is
 * freed to keep such blocks, and to clear them when they are wanted again: an engine's pools, of which
 * most pages are never touched, then count in full, for each client up to the most there ever were.
 */
const ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: "131072" };
const DELAY_US = 20_000;
const JITTER_US = 5000;
/** Between two looks at the memory: a look costs two collections. */
const LOOK_MS = 1000;
/** The part of a soak before it is warm. */
const WARM = 1 / 3;
/** What a heap may have grown by over a whole soak, in bytes: noise of a heap, and no leak of an hour. */
const HEAP_GROWTH_MAX = 6 << 20;
/** The same of the resident memory, which an allocator gives back as it likes. */
const RSS_GROWTH_MAX = 24 << 20;
/**
 * The rings of a client. Their pages come into being as the first lap touches them, which takes a client
 * longer than a short soak is: till then they are no leak.
 */
const RINGS_BYTES = 1_310_720;
const LAP_SECONDS = 120;
/** Messages that a client sends per second at least: 35, on a machine that has time. */
const SENT_MIN = 4;
/** The part of them that the server got, and so back, at any time: RealTime loses some. */
const ARRIVED_MIN = 0.8;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Look {
  readonly seconds: number;
  readonly ends: readonly [EndReport, EndReport];
}

/** Least squares: what a value grows by per second. */
function slope(looks: readonly Look[], read: (look: Look) => number): number {
  const count = looks.length;
  if (count < 2) return 0;
  const x = looks.reduce((sum, { seconds }) => sum + seconds, 0) / count;
  const y = looks.reduce((sum, look) => sum + read(look), 0) / count;
  let above = 0;
  let below = 0;
  for (const look of looks) {
    above += (look.seconds - x) * (read(look) - y);
    below += (look.seconds - x) ** 2;
  }
  return above / below;
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** Looks at both ends until the time is over. */
async function watch(hosts: readonly Host[], seconds: number, wrong: string[]): Promise<Look[]> {
  const looks: Look[] = [];
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  while (elapsed() < seconds && wrong.length === 0) {
    await sleep(LOOK_MS);
    const reports = hosts.map((host) => host.ask("report") as Promise<EndReport>);
    const ends = (await Promise.all(reports)) as [EndReport, EndReport];
    for (const { errors } of ends) wrong.push(...errors);
    looks.push({ seconds: elapsed(), ends });
  }
  return looks;
}

/** What the two processes leave behind when everything is closed, beside what they had before. */
async function leftovers(hosts: readonly Host[], before: readonly number[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const [index, host] of hosts.entries()) {
    const { handles, errors } = (await host.ask("report")) as EndReport;
    wrong.push(...errors);
    const more = handles - before[index]!;
    if (more > 0) wrong.push(`${["server", "clients"][index]}: ${more} handles or threads leaked`);
  }
  return wrong;
}

/** The handles of a process that has opened and closed before: what Node keeps is no leak. */
async function handlesOf(host: Host): Promise<number> {
  return ((await host.ask("report")) as EndReport).handles;
}

export async function soak(bench: Bench, options: SoakOptions): Promise<Soak> {
  const { engine, seconds, peers, loss, seed } = options;
  const link = { loss, delayUs: DELAY_US, jitterUs: JITTER_US };
  const targetPort = await freePort();
  const relay = await createRelay({ targetPort, up: link, down: link, seed, idleMs: 10_000 });
  const program = "test/soak/end.js";
  const soaking = { ...bench, program, shimFile: null, environment: ENVIRONMENT };
  const hosts = [
    await Host.open(soaking, engine, ["--expose-gc"]),
    await Host.open(soaking, engine, ["--expose-gc"]),
  ] as const;
  const [server, clients] = hosts;
  const wrong: string[] = [];
  let looks: Look[] = [];
  try {
    const before = await Promise.all(hosts.map(handlesOf));
    const own = `127.0.0.1:${targetPort}`;
    const ends = { address: own, publicAddress: `127.0.0.1:${relay.port}`, peers };
    await server.ask("server", ends);
    await clients.ask("clients", ends);
    await clients.ask("begin");
    looks = await watch(hosts, seconds, wrong);
    await clients.ask("stop");
    await server.ask("close");
    wrong.push(...(await leftovers(hosts, before)));
  } catch (error) {
    wrong.push((error as Error).message);
  }
  for (const host of hosts) {
    const stderr = await host.close();
    if (stderr !== "") wrong.push(stderr);
  }
  const packetsLost = relay.counters.up.lost + relay.counters.down.lost;
  await relay.close();
  return { engine, seconds, packetsLost, ...judge(looks, options, wrong) };
}

function judge(
  looks: readonly Look[],
  { seconds, peers }: SoakOptions,
  wrong: string[],
): Omit<Soak, "engine" | "seconds" | "packetsLost"> {
  const warm = looks.filter((look) => look.seconds >= seconds * WARM);
  const slopes = (read: (end: EndReport) => number): [number, number] => [
    slope(warm, ({ ends }) => read(ends[0])),
    slope(warm, ({ ends }) => read(ends[1])),
  ];
  const rssSlope = slopes(({ rssBytes }) => rssBytes);
  const heapSlope = slopes(({ heapBytes }) => heapBytes);
  const rings = seconds * WARM < LAP_SECONDS ? peers * RINGS_BYTES : 0;
  for (const [what, slope, most] of [
    ["resident memory", Math.max(...rssSlope), RSS_GROWTH_MAX + rings],
    ["heap", Math.max(...heapSlope), HEAP_GROWTH_MAX],
  ] as const) {
    const grown = slope * seconds;
    if (grown > most) wrong.push(`${what} grew by ${Math.round(grown)} bytes`);
  }
  const last = looks.at(-1)?.ends;
  const [server, clients] = [last?.[0].received ?? 0, last?.[1].received ?? 0];
  const messages = server + clients;
  const sent = last?.[1].sent ?? 0;
  if (sent < peers * seconds * SENT_MIN) wrong.push(`only ${sent} messages were sent`);
  const arrived = Math.min(server, clients);
  if (arrived < sent * ARRIVED_MIN) wrong.push(`of ${sent} messages ${arrived} arrived`);
  return { messages, connections: last?.[1].connections ?? 0, rssSlope, heapSlope, wrong };
}
