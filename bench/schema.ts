/*
 * What messages cost: as JSON, MessagePack, Protocol Buffers, packed by hand, and with netrt/schema. Sizes,
 * the time to encode and decode, to memory and objects of their own and to those that are there, and the
 * garbage of doing so.
 *
 *   npm run bench:schema [-- --quick] [-- --json]
 *
 * Owns: the measuring. The packer by hand checks sizes and ranges where bytes come in and nothing of the
 * values that go out; the schema checks both.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Form, type Kind, kinds } from "./messages.js";

const HELP = `usage: npm run bench:schema [-- options]

Sizes and times of three messages in five forms.

  --quick   a thirtieth of the time: figures for a look, within seconds
  --json    one object on stdout
  --help    this text`;

/** The schema's time is to be at most so many times the packer's by hand. */
const TARGET_RATIO = 1.3;
const MEMORY_BYTES = 4096;
/** Time of one sample. The fastest of the samples counts: what disturbs only adds. */
const SAMPLE_MS = 25;
const SAMPLES = 12;
const SAMPLE_QUICK_MS = 5;
const SAMPLES_QUICK = 4;
/** Calls of one look at the heap, which counts by pages of 256 KiB now and then. */
const HEAP_CALLS = 32_000;
const HEAP_LOOKS = 9;

/** What one form costs. Times in ns a message, garbage in bytes a message; null where a form has no such call. */
export interface Row {
  readonly form: string;
  /** Mean size in bytes. */
  readonly bytes: number;
  readonly encodeNs: number | null;
  readonly encodeIntoNs: number | null;
  readonly decodeNs: number | null;
  readonly decodeIntoNs: number | null;
  readonly decodeIntoGarbageBytes: number | null;
}

export interface Result {
  readonly message: string;
  readonly rows: readonly Row[];
  /** The schema's times to those of the packer by hand, to memory and objects that are there. */
  readonly encodeRatio: number;
  readonly decodeRatio: number;
}

export interface Report {
  readonly node: string;
  readonly targetRatio: number;
  readonly messages: readonly Result[];
}

let sunk: unknown;

/**
 * The time of one call in one sample, in ns of the process's CPU: what else runs on the machine counts as
 * little as can be, and collecting the garbage counts, whichever thread does it.
 */
function sampleNs<A>(
  args: readonly A[],
  call: (arg: A, memory: Uint8Array) => unknown,
  sampleMs: number,
): number {
  const memory = new Uint8Array(MEMORY_BYTES);
  const start = process.cpuUsage();
  let calls = 0;
  let us = 0;
  while (us < sampleMs * 1000) {
    for (let round = 0; round < 8; round++) for (const arg of args) sunk = call(arg, memory);
    calls += 8 * args.length;
    const { user, system } = process.cpuUsage(start);
    us = user + system;
  }
  return (us * 1000) / calls;
}

/** A call that is measured, and where its time goes. */
interface Probe {
  run(sampleMs: number): number;
  bestNs: number;
}

function probeOf<A>(
  args: readonly A[],
  call: ((arg: A, memory: Uint8Array) => unknown) | undefined,
): Probe | null {
  if (call === undefined) return null;
  return { run: (sampleMs) => sampleNs(args, call, sampleMs), bestNs: Number.POSITIVE_INFINITY };
}

/**
 * Bytes of garbage of one call: the median of several looks, as a collection makes one smaller and the
 * compiler's own work makes one greater.
 */
export function garbagePerCall<A>(args: readonly A[], call: (arg: A) => unknown): number {
  const look = (): number => {
    const before = process.memoryUsage().heapUsed;
    for (let calls = 0; calls < HEAP_CALLS; calls += args.length) {
      for (const arg of args) sunk = call(arg);
    }
    return process.memoryUsage().heapUsed - before;
  };
  const looks = Array.from({ length: HEAP_LOOKS }, look).sort((left, right) => left - right);
  return Math.max(0, looks[HEAP_LOOKS >>> 1]) / HEAP_CALLS;
}

function probeForm<T>(list: readonly T[], form: Form<T>) {
  const encoded = list.map((value) => form.encode(value));
  return {
    form,
    encoded,
    encode: probeOf(list, (value) => form.encode(value)),
    encodeInto: probeOf(list, form.encodeInto),
    decode: probeOf(encoded, form.decode),
    decodeInto: probeOf(encoded, form.decodeInto),
  };
}

function rowOf({ form, encoded, ...probes }: ReturnType<typeof probeForm>): Row {
  const { encode, encodeInto, decode, decodeInto } = probes;
  return {
    form: form.name,
    bytes: encoded.reduce((sum, { length }) => sum + length, 0) / encoded.length,
    encodeNs: encode?.bestNs ?? null,
    encodeIntoNs: encodeInto?.bestNs ?? null,
    decodeNs: decode?.bestNs ?? null,
    decodeIntoNs: decodeInto?.bestNs ?? null,
    decodeIntoGarbageBytes: form.decodeInto ? garbagePerCall(encoded, form.decodeInto) : null,
  };
}

/** All forms by turns, so that what disturbs the machine disturbs all of them. */
function measureKind({ name, list, forms }: Kind, quick: boolean): Result {
  const samples = quick ? SAMPLES_QUICK : SAMPLES;
  const sampleMs = quick ? SAMPLE_QUICK_MS : SAMPLE_MS;
  const probed = forms.map((form) => probeForm(list, form));
  for (let sample = 0; sample < samples; sample++) {
    for (const { encode, encodeInto, decode, decodeInto } of probed) {
      for (const probe of [encode, encodeInto, decode, decodeInto]) {
        if (probe !== null) probe.bestNs = Math.min(probe.bestNs, probe.run(sampleMs));
      }
    }
  }
  const rows = probed.map(rowOf);
  const [hand, ours] = rows.slice(-2);
  const ratio = (one: number | null, other: number | null): number => (one ?? 0) / (other ?? 0);
  return {
    message: name,
    rows,
    encodeRatio: ratio(ours.encodeIntoNs, hand.encodeIntoNs),
    decodeRatio: ratio(ours.decodeIntoNs, hand.decodeIntoNs),
  };
}

/** Measures all messages in all forms. */
export function benchmark(quick = false): Report {
  // The loop has seen many functions and inlines none, as little as a server would that sends from many
  // places.
  for (const each of [Math.sin, Math.cos, Math.tan, Math.abs, Math.exp])
    sampleNs([1], each, SAMPLE_QUICK_MS);
  return {
    node: process.version,
    targetRatio: TARGET_RATIO,
    messages: kinds.map((kind) => measureKind(kind, quick)),
  };
}

function print({ node, targetRatio, messages }: Report): void {
  const cell = (value: number | null, width: number): string => {
    const text = value === null ? "-" : value.toFixed(value < 100 ? 1 : 0);
    return text.padStart(width);
  };
  console.log(`node ${node}; ns of CPU a message; target: at most ${targetRatio} x by hand`);
  for (const { message, rows, encodeRatio, decodeRatio } of messages) {
    console.log(
      `\n${message.padEnd(22)}   bytes   encode  encodeInto   decode  decodeInto  garbage (B)`,
    );
    for (const row of rows) {
      const cells = [
        cell(row.bytes, 8),
        cell(row.encodeNs, 9),
        cell(row.encodeIntoNs, 12),
        cell(row.decodeNs, 9),
        cell(row.decodeIntoNs, 12),
        cell(row.decodeIntoGarbageBytes, 13),
      ];
      console.log(row.form.padEnd(22) + cells.join(""));
    }
    const ratios = `encodeInto x ${encodeRatio.toFixed(2)}, decodeInto x ${decodeRatio.toFixed(2)}`;
    console.log(`netrt/schema to by hand: ${ratios}`);
  }
}

function main(): void {
  const { values } = parseArgs({
    options: { quick: { type: "boolean" }, json: { type: "boolean" }, help: { type: "boolean" } },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const report = benchmark(values.quick);
  if (values.json) console.log(JSON.stringify(report, null, 2));
  else print(report);
  if (sunk === globalThis) throw new Error("never: but the compiler can't know");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
