/*
 * `npm run bench`: netrt beside what people would pick instead, in one run. See docs/BENCHMARKS.md.
 *
 * Owns: the order of the parts and where the result goes. No figure stands in the code: all of them
 * come from this run.
 */
import { loadNative } from "../lib/native.js";
import { buildPrograms } from "./build.js";
import { spreadOf } from "./figures.js";
import { chooseCores, describeMachine, watchNoise } from "./machine.js";
import { type Options, readOptions, USAGE } from "./options.js";
import { type RowResult, runRounds } from "./rounds.js";
import { FLOOR, findRows, type Row } from "./rows.js";
import { rowsText } from "./text.js";

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

async function runRows(options: Options): Promise<RowResult[]> {
  const rows = chosen(await findRows(), options);
  const cores = chooseCores();
  const results: RowResult[] = [];
  for (const mode of options.modes) {
    for (const peers of options.peers) {
      const fitting = rows.filter(({ modes }) => modes?.includes(mode) ?? true);
      const part = await runRounds(fitting, mode, peers, options, cores, say);
      results.push(...part);
      if (!options.json) process.stdout.write(`\n${rowsText(part)}\n\n`);
    }
  }
  return results;
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  say("building the benchmark's programs");
  const reason = buildPrograms();
  if (reason !== null) throw new Error(`the benchmark needs CMake and a C++ compiler: ${reason}`);
  const noise = watchNoise();
  const native = loadNative();
  const machine = describeMachine(
    chooseCores(),
    "binding" in native ? native.binding.seal() : null,
  );
  const rows = await runRows(options);
  const spreads = rows
    .filter(({ name }) => name === FLOOR)
    .map(({ cpuUsPerClientTick: figure }) => (figure === null ? 0 : spreadOf(figure)));
  const result = { machine, noise: noise(spreads.length > 0 ? Math.max(...spreads) : null), rows };
  if (options.json) process.stdout.write(`${JSON.stringify(result, null, 1)}\n`);
}

main().catch((error: Error) => {
  say(`bench: ${error.message}`);
  process.exitCode = 1;
});
