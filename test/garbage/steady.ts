#!/usr/bin/env node
/*
 * A server in steady state, whose garbage is counted: 64 peers (in a worker, which has a heap of its own)
 * answer each state with an input; each tenth tick all get a reliable message too.
 *
 *   node --expose-gc --max-semi-space-size=64 dist/test/garbage/steady.js [--io inline|thread] [--engine …]
 *        [--peers N] [--ticks N] [--plant]
 *
 * Prints one line of JSON: bytes of heap that the counted ticks took, and the messages of them. Nothing may be
 * collected meanwhile, or the count would say nothing: `collections` tells. With --plant the handler of
 * each message makes a small object, which has to show.
 */
import { once } from "node:events";
import { PerformanceObserver } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { getHeapSpaceStatistics } from "node:v8";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { workload } from "../../bench/workload.js";
import { type Client, connect, createServer, type Peer, type Server } from "../../lib/index.js";

const TICK_HZ = 250;
/** By then the compilers know all that a tick does. */
const WARM_TICKS = 1500;
const RELIABLE_EVERY = 10;
const MESSAGES = 0;
const TICKED = 1;

interface Wanted {
  readonly address: string;
  readonly peers: number;
}

async function crowd({ address, peers }: Wanted): Promise<void> {
  const clients: Client<typeof workload>[] = [];
  const input = new Uint8Array(40);
  for (let index = 0; index < peers; index++) {
    const client = await connect(workload, { insecure: true, address });
    client.channel("state").on("message", (state) => {
      input[0] = state[0];
      client.send("input", input);
    });
    clients.push(client);
  }
  parentPort?.postMessage("connected");
  parentPort?.once("message", () => {
    for (const client of clients) void client.close();
  });
}

const kept: object[] = [];

function serve(
  server: Server<typeof workload>,
  peers: readonly Peer<typeof workload>[],
  plant: boolean,
  counts: Counts,
): void {
  const state = new Uint8Array(200);
  const reliable = new Uint8Array(32);
  server.channel("input").on("message", (_peer, bytes) => {
    counts.sums[MESSAGES] += 1;
    state[1] = bytes[0];
    if (plant) kept[counts.sums[MESSAGES] & 7] = { tick: counts.sums[TICKED] };
  });
  // A function of its own: what comes once, below, has the compiler forget what it knows of the rest.
  const sendAll = (tick: number): void => {
    state[0] = tick;
    for (const peer of peers) {
      if (peer.send("state", state)) counts.sums[MESSAGES] += 1;
      if (tick % RELIABLE_EVERY === 0 && peer.send("event", reliable)) counts.sums[MESSAGES] += 1;
    }
  };
  server.on("tick", (tick) => {
    sendAll(tick);
    counts.sums[TICKED] += 1;
    if (counts.sums[TICKED] === WARM_TICKS) counts.begin();
    if (counts.sums[TICKED] === WARM_TICKS + counts.ticksMax) counts.end();
  });
}

/** Bytes of objects. Compiled code is none that a message makes, though the compilers may still be at it. */
function heapUsed(): number {
  const spaces = getHeapSpaceStatistics().filter(
    ({ space_name: name }) => !name.startsWith("code"),
  );
  return spaces.reduce((sum, { space_used_size: bytes }) => sum + bytes, 0);
}

class Counts {
  /** Messages, ticks: memory, as a number in an object may become an object of its own. */
  readonly sums = new Uint32Array(2);
  readonly ticksMax: number;
  readonly done: Promise<void>;
  heapBytes = 0;
  counted = 0;
  beginMs = 0;
  endMs = 0;
  #finish!: () => void;

  constructor(ticksMax: number) {
    this.ticksMax = ticksMax;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  begin(): void {
    global.gc?.();
    this.beginMs = performance.now();
    this.counted = -this.sums[MESSAGES];
    this.heapBytes = -heapUsed();
  }

  end(): void {
    this.heapBytes += heapUsed();
    this.counted += this.sums[MESSAGES];
    this.endMs = performance.now();
    this.#finish();
  }
}

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: { io: text, engine: text, peers: text, ticks: text, plant: { type: "boolean" } },
  });
  if (global.gc === undefined) throw new Error("start it with --expose-gc");
  const peers = Number(values.peers ?? 64);
  const engine = values.engine === "js" ? "js" : "native";
  const io = values.io === "thread" ? "thread" : "inline";
  const options = { address: "127.0.0.1:0", insecure: true, tickRate: TICK_HZ, engine } as const;
  const server = await createServer(workload, { ...options, ...(engine === "js" ? {} : { io }) });
  const connected: Peer<typeof workload>[] = [];
  server.on("connect", (peer) => connected.push(peer));
  const wanted: Wanted = { address: server.address, peers };
  const worker = new Worker(new URL(import.meta.url), { workerData: wanted });
  await once(worker, "message");
  const counts = new Counts(Number(values.ticks ?? 1000));
  const collectedMs: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { startTime } of list.getEntries()) collectedMs.push(startTime);
  });
  serve(server, connected, values.plant ?? false, counts);
  observer.observe({ entryTypes: ["gc"] });
  await counts.done;
  // Entries come after the fact.
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  const { heapBytes, counted, beginMs, endMs } = counts;
  const collections = collectedMs.filter((ms) => ms > beginMs && ms < endMs).length;
  const line = { heapBytes, messages: counted, collections };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  worker.postMessage("end");
  await server.close();
}

if (isMainThread) await main();
else await crowd(workerData as Wanted);
