/*
 * `npm run bench`: netrt beside what people would pick instead, in one run. See docs/BENCHMARKS.md.
 *
 * Owns: the order of the parts and where the result goes. No figure stands in the code: all of them
 * come from this run.
 */
import fs from "node:fs";
import { loadNative } from "../lib/native.js";
import { buildPrograms } from "./build.js";
import { spreadOf } from "./figures.js";
import { type IdleResult, runIdle, runRecovery, runTicker } from "./idle.js";
import { type LatencyResult, runLatency } from "./latency.js";
import {
  type Cores,
  chooseCores,
  describeMachine,
  type Machine,
  type Noise,
  watchNoise,
} from "./machine.js";
import { type MicroResult, runMicro } from "./micro.js";
import { type Options, readOptions, USAGE } from "./options.js";
import { pageOf } from "./page.js";
import { type Profile, profileRow, profileText } from "./profile.js";
import { type RowResult, runRounds } from "./rounds.js";
import { FLOOR, findRows, NATIVE, type Row } from "./rows.js";
import { judgeTargets, type Measured, type TargetResult } from "./targets.js";
import { latencyText, microText, noiseText, rowsText, targetsText } from "./text.js";
import { runTransfer } from "./transfer.js";

/** The object of `--json`. */
export interface Result {
  readonly machine: Machine;
  readonly noise: Noise;
  readonly rows: readonly RowResult[];
  readonly micro: readonly MicroResult[];
  readonly latency: readonly LatencyResult[];
  readonly idle: IdleResult | { readonly note: string } | null;
  readonly ticker: Measured["ticker"];
  readonly recovery: Measured["recovery"];
  readonly transfer: Measured["transfer"];
  readonly targets: readonly TargetResult[];
}

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

function chosen(rows: readonly Row[], options: Options): Row[] {
  return rows.filter(({ name, long = false }) => {
    if (options.rows.length > 0) {
      return name === FLOOR || options.rows.some((part) => name.includes(part));
    }
    return !(options.quick && long);
  });
}

async function runRows(
  rows: readonly Row[],
  options: Options,
  cores: Cores,
  print: (text: string) => void,
): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const mode of options.modes) {
    for (const peers of options.peers) {
      const fitting = rows.filter(({ modes }) => modes?.includes(mode) ?? true);
      const part = await runRounds(fitting, mode, peers, options, cores, say);
      results.push(...part);
      print(`${rowsText(part)}\n`);
    }
  }
  return results;
}

async function runParts(
  rows: readonly Row[],
  results: readonly RowResult[],
  options: Options,
  cores: Cores,
): Promise<Omit<Result, "machine" | "noise">> {
  const native = rows.find(({ name }) => name === NATIVE);
  const nothing = { latency: [], idle: null, ticker: null, recovery: null, transfer: null };
  if (options.rowsOnly || native === undefined) {
    const measured = { rows: results, ...nothing };
    return { ...measured, micro: [], targets: judgeTargets(measured) };
  }
  const latency = await runLatency(rows, options, cores, say);
  say("idle peers");
  const idle = await runIdle(native, options, cores);
  say("ticker");
  const ticker = await runTicker(native, options, cores);
  say("recovery");
  const recovery = await runRecovery(native, options, cores);
  say("transfer");
  const transfer = await runTransfer(options).catch((error: Error) => ({ note: error.message }));
  say("micro-benchmarks");
  const measured = { rows: results, latency, idle, ticker, recovery, transfer };
  return {
    ...measured,
    micro: await runMicro(options.quick, cores.server),
    targets: judgeTargets(measured),
  };
}

function floorSpread(rows: readonly RowResult[]): number | null {
  const spreads = rows.flatMap(({ name, cpuUsPerClientTick: figure }) =>
    name === FLOOR && figure !== null ? [spreadOf(figure)] : [],
  );
  return spreads.length === 0 ? null : Math.max(...spreads);
}

async function run(options: Options): Promise<Result> {
  const noise = watchNoise();
  const native = loadNative();
  const provider = "binding" in native ? native.binding.seal() : null;
  if (options.crypto !== null && provider !== options.crypto) {
    throw new Error(`this build has no ciphers by ${options.crypto}`);
  }
  const cores = chooseCores(options.priority);
  const machine = describeMachine(cores, provider);
  const print = (text: string): void => {
    if (!options.json) process.stdout.write(`${text}\n`);
  };
  const rows = chosen(await findRows(options.crypto), options);
  const results = await runRows(rows, options, cores, print);
  const parts = await runParts(rows, results, options, cores);
  const result = { machine, noise: noise(floorSpread(results)), ...parts };
  if (parts.latency.length > 0) print(`${latencyText(parts.latency)}\n`);
  if (parts.micro.length > 0) print(`${microText(parts.micro)}\n`);
  print(`${targetsText(parts.targets)}\n\n${noiseText(result.noise)}`);
  if (options.json) process.stdout.write(`${JSON.stringify(result, null, 1)}\n`);
  return result;
}

/** One row by function, netrt native unless others were asked for. */
async function profile(options: Options): Promise<void> {
  const names = options.rows.length > 0 ? options.rows : [NATIVE];
  const cores = chooseCores(options.priority);
  const profiles: Profile[] = [];
  for (const row of await findRows(options.crypto)) {
    if (row.missing !== null || !names.includes(row.name)) continue;
    for (const peers of options.peers) {
      say(`profiling ${row.name} with ${peers} peers`);
      const taken = await profileRow(row, peers, options, cores);
      profiles.push(taken);
      if (!options.json) process.stdout.write(`${profileText(taken)}\n\n`);
    }
  }
  if (options.json) process.stdout.write(`${JSON.stringify(profiles, null, 1)}\n`);
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  // Read when the ciphers are first asked for.
  if (options.crypto !== null) process.env.NETRT_SEAL = options.crypto;
  say("building the benchmark's programs");
  const reason = buildPrograms();
  if (reason !== null) throw new Error(`the benchmark needs CMake and a C++ compiler: ${reason}`);
  if (options.profile) return profile(options);
  const result = await run(options);
  if (options.html !== null) {
    fs.writeFileSync(options.html, pageOf(result));
    say(`the page is in ${options.html}`);
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
main().catch((error: Error) => {
  say(`bench: ${error.message}`);
  process.exitCode = 1;
});
