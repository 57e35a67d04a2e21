/*
 * Single pieces of the engines, side by side: the same steps in C++ (native/addon/probe_bench.cc) and in
 * TypeScript, over the sizes of the workload. What a piece costs alone, in caches that are warm, is the
 * least that it costs in a server.
 */
import { createRequire } from "node:module";
import path from "node:path";
import {
  acksReceive,
  acksVerdict,
  Received,
  Sent,
  sentAdd,
  sentReset,
} from "../lib/engine/acks.js";
import { Reader, Writer, writeBytes, writerSet } from "../lib/engine/bytes.js";
import {
  AckHeader,
  ackHeaderWrite,
  Frame,
  messageHeadWrite,
  messageShorten,
} from "../lib/engine/frame.js";
import { PAYLOAD_BYTES_MAX, TAG_BYTES } from "../lib/engine/limits.js";
import { payloadCheck } from "../lib/engine/payload.js";
import { bodyCreate, messageCreate, messageRelease, Pool } from "../lib/engine/queue.js";
import {
  RECORD_BYTES,
  RECORD_MESSAGE,
  Ring,
  ringBytes,
  ringNext,
  ringPeek,
  ringPublish,
  ringPush,
  ringRelease,
  ringSet,
} from "../lib/engine/ring.js";
import { Rtt } from "../lib/engine/rtt.js";
import { openPacket, SealKey, sealKeySet, sealPacket } from "../lib/engine/seal.js";
import { Actor, type Place } from "./actor.js";
import { ROOT } from "./build.js";
import { type Figure, figureOf } from "./figures.js";
import { RELIABLE_BYTES, STATE_BYTES } from "./workload.js";

export interface MicroResult {
  readonly name: string;
  readonly engine: "native" | "js";
  /** Of one step, in ns; null where it can't run. */
  readonly ns: Figure | null;
  readonly note: string | null;
}

/** An ack of 65 packets: a second at 64 Hz. */
const ACK_BITS_BYTES = 8;
/** A state and a reliable message with their heads. */
const SEALED_BYTES = 240;
const CHANNELS = 3;
const RING_BYTES = 1 << 16;
const TICK_US = 16_667;

/** What is timed. `run` does so many steps and counts something of each, so that none is left out. */
interface Piece {
  readonly name: string;
  run(count: number): number;
}

function payloadWriter(): (index: number) => Writer {
  const payload = new Uint8Array(PAYLOAD_BYTES_MAX);
  const source = new Uint8Array(PAYLOAD_BYTES_MAX);
  const bits = new Uint8Array(ACK_BITS_BYTES).fill(0xff);
  const writer = new Writer();
  const header = new AckHeader();
  header.present = true;
  header.bitBytes = ACK_BITS_BYTES;
  return (index) => {
    writerSet(writer, payload, 0, payload.length);
    header.latest = index & 0xffff;
    ackHeaderWrite(writer, header);
    writeBytes(writer, bits, 0, ACK_BITS_BYTES);
    messageHeadWrite(writer, 1, index, STATE_BYTES);
    writeBytes(writer, source, 0, STATE_BYTES);
    const start = writer.offset;
    messageHeadWrite(writer, 2, index, RELIABLE_BYTES);
    writeBytes(writer, source, 0, RELIABLE_BYTES);
    messageShorten(writer, start, RELIABLE_BYTES);
    return writer;
  };
}

function encodeRun(count: number): number {
  const write = payloadWriter();
  let sum = 0;
  for (let index = 0; index < count; index++) sum += write(index).offset;
  return sum;
}

function decodeRun(count: number): number {
  const { bytes, offset: end } = payloadWriter()(1);
  const reader = new Reader();
  const header = new AckHeader();
  const frame = new Frame();
  let sum = 0;
  for (let index = 0; index < count; index++) {
    bytes[1] = index;
    if (payloadCheck(reader, header, frame, bytes, 0, end, CHANNELS)) sum += 1;
  }
  return sum;
}

function ackRun(count: number): number {
  const sent = new Sent();
  const received = new Received();
  const rtt = new Rtt();
  sentReset(sent, 0);
  const bits = new Uint8Array(ACK_BITS_BYTES).fill(0xff);
  let sum = 0;
  let nowUs = TICK_US;
  for (let index = 0; index < count; index++, nowUs += TICK_US) {
    const { number } = sentAdd(sent, nowUs, SEALED_BYTES, true);
    acksReceive(sent, received, rtt, number, 0, bits, 0, ACK_BITS_BYTES, nowUs + 1000);
    while (acksVerdict(sent, rtt, nowUs + 1000) !== null) sum += 1;
  }
  return sum;
}

function queueRun(count: number): number {
  const pool = new Pool(256, 256, 256);
  const source = new Uint8Array(STATE_BYTES);
  let sum = 0;
  for (let index = 0; index < count; index++) {
    const message = messageCreate(pool);
    if (message === null) break;
    message.body = bodyCreate(pool, source, 0, STATE_BYTES);
    message.bytes = STATE_BYTES;
    sum += message.body + 1;
    messageRelease(pool, message);
  }
  return sum;
}

function sealRun(count: number, opens: boolean): number {
  const key = new SealKey();
  const bytes = new Uint8Array(SEALED_BYTES + TAG_BYTES);
  const associated = new Uint8Array(22);
  sealKeySet(key, new Uint8Array(32), 0);
  let sum = 0;
  for (let index = 0; index < count; index++) {
    const length = sealPacket(key, index, 0, associated, bytes, 0, SEALED_BYTES);
    sum += length;
    if (opens) sum += openPacket(key, index, 0, associated, bytes, 0, length);
  }
  return sum;
}

function ringRun(count: number): number {
  const memory = new Uint8Array(ringBytes(RING_BYTES));
  const producer = new Ring();
  const consumer = new Ring();
  ringSet(producer, memory);
  ringSet(consumer, memory);
  const source = new Uint8Array(STATE_BYTES);
  let sum = 0;
  for (let index = 0; index < count; index++) {
    const word = ringPush(producer, RECORD_MESSAGE, STATE_BYTES);
    producer.bytes.set(source, word * 4 + RECORD_BYTES);
    ringPublish(producer);
    const read = ringPeek(consumer);
    sum += consumer.words[read + 3] as number;
    ringNext(consumer, read);
    ringRelease(consumer);
  }
  return sum;
}

/** In the order of probe_bench.cc's numbers. */
const PIECES: readonly Piece[] = [
  { name: "encode", run: encodeRun },
  { name: "decode", run: decodeRun },
  { name: "ack scan", run: ackRun },
  { name: "send queue", run: queueRun },
  { name: "seal", run: (count) => sealRun(count, false) },
  { name: "seal and open", run: (count) => sealRun(count, true) },
  { name: "ring", run: ringRun },
];

interface BenchProbe {
  benchRun(piece: number, count: number, sum: Float64Array): number;
}

function loadProbe(): BenchProbe | string {
  const file = path.join(ROOT, "build/Release/netrt_probe.node");
  try {
    return createRequire(import.meta.url)(file) as BenchProbe;
  } catch {
    return "the probe of the native core is not built";
  }
}

/** Time of a run in TypeScript, in ns. */
function timeJs(piece: Piece, count: number, sum: Float64Array): number {
  const start = process.hrtime.bigint();
  sum[0] = piece.run(count);
  return Number(process.hrtime.bigint() - start);
}

/** Several runs of about `runMs` each; how much each step took in each, in ns. */
function measure(
  time: (count: number, sum: Float64Array) => number,
  runs: number,
  runMs: number,
): Figure {
  const sum = new Float64Array(1);
  let count = 100;
  let ns = time(count, sum);
  while (ns < runMs * 2e5) {
    count *= 4;
    ns = time(count, sum);
  }
  count = Math.max(1, Math.round((count * runMs * 1e6) / ns));
  const samples = Array.from({ length: runs }, () => time(count, sum) / count);
  if (sum[0] === 0) throw new Error("a micro-benchmark counted nothing");
  return figureOf(samples) as Figure;
}

/** Runs every piece on both engines, in this process. */
function runHere(quick: boolean): MicroResult[] {
  const runs = quick ? 5 : 15;
  const runMs = quick ? 10 : 40;
  const probe = loadProbe();
  const results: MicroResult[] = [];
  for (const [index, piece] of PIECES.entries()) {
    const { name } = piece;
    if (typeof probe === "string") {
      results.push({ name, engine: "native", ns: null, note: probe });
    } else {
      const ns = measure((count, sum) => probe.benchRun(index, count, sum), runs, runMs);
      results.push({ name, engine: "native", ns, note: null });
    }
    const ns = measure((count, sum) => timeJs(piece, count, sum), runs, runMs);
    results.push({ name, engine: "js", ns, note: null });
  }
  return results;
}

/** Runs every piece on both engines, in a process of its own. */
export async function runMicro(quick: boolean, place: Place): Promise<MicroResult[]> {
  const args = [import.meta.filename, ...(quick ? ["--quick"] : [])];
  const child = new Actor(process.execPath, args, place);
  try {
    const { micro } = await child.next();
    return micro as MicroResult[];
  } finally {
    await child.end();
  }
}

if (process.argv[1] === import.meta.filename) {
  const micro = runHere(process.argv.includes("--quick"));
  process.stdout.write(`${JSON.stringify({ micro })}\n`);
}
