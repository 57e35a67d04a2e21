#!/usr/bin/env node
/*
 * `npm run faults`: the whole errno table against running processes, and calls that fail by chance.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { loadNative } from "../../lib/native.js";
import {
  type Cell,
  fatalCell,
  openingCells,
  runningCells,
  stormCell,
  warningCell,
} from "./cells.js";
import { buildShim } from "./control.js";
import { type Bench, closePair, type EngineName, type Engines, openPair } from "./pair.js";
import { garbage, slowConsumer } from "./pressure.js";
import { stallRun, WHO } from "./stalls.js";
import { type Fault, faultTable, findRoot, isEnding } from "./table.js";

const HELP = `npm run faults -- [--seed S] [--calls N] [--only PART] [--engine native|js] [--json]
  The errno table of native/io/fault.cc against running processes, by a shim in LD_PRELOAD:
    running  each errno at each call that sends, receives or waits: every third call, and an outage
    storm    1 call in 100 fails, until N calls could have (default 20000)
    fatal    what says that the socket is gone
    opening  each errno at each call of an open
  And without a shim, what a process does to itself:
    stalls   its event loop stands still for 0.3, 1 and 4.7 s; time-outs, RTT, the burst afterwards
    pressure garbage collected all the while; handlers slower than messages come
  Prints a line for each cell that is wrong, and a sum; exits with 1 when any is.`;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    calls: { type: "string", default: "20000" },
    only: { type: "string" },
    engine: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const ONE_IN = 100;
const STALLS_MS = [300, 1000, 4700];
const cells: Cell[] = [];

function note(...more: readonly Cell[]): void {
  for (const cell of more) {
    cells.push(cell);
    for (const what of cell.wrong) console.error(`${cell.name}: ${what}`);
  }
}

const wants = (part: string): boolean => values.only === undefined || values.only === part;

async function runEngines(bench: Bench, engines: Engines, faults: readonly Fault[]): Promise<void> {
  if (!wants("running") && !wants("storm")) return;
  // Mixed pairs have no call that pairs of one engine haven't: chance is enough for them.
  if (wants("running") && engines.server === engines.client) {
    note(...(await runningCells(bench, engines, faults)));
  }
  if (!wants("storm")) return;
  const [seed, calls] = [Number(values.seed), Number(values.calls)];
  const pair = await openPair(bench, engines);
  note(await stormCell(pair, engines, faults, { seed, calls, oneIn: ONE_IN }));
  note(await warningCell(pair, engines, faults));
  const name = `${engines.server}-${engines.client} after the storm`;
  note({ name, calls: 0, faults: 0, ms: 0, wrong: await closePair(pair) });
}

/** What a process does to itself, as cells. */
async function runAlone(bench: Bench, engine: EngineName): Promise<void> {
  const bare = { ...bench, shimFile: null };
  if (wants("stalls")) {
    const runs = WHO.map((who) => stallRun(bare, engine, who, STALLS_MS));
    for (const { who, ms, rttMoved, burstBytes, wrong } of (await Promise.all(runs)).flat()) {
      const moved = `RTT moved ${Math.round(rttMoved * 100)} %, ${burstBytes} B in 100 ms after`;
      const name = `${engine} ${who} stood still for ${ms} ms: ${moved}`;
      note({ name, calls: 0, faults: 0, ms, wrong });
      if (!values.json) console.error(name);
    }
  }
  if (!wants("pressure")) return;
  const engines = { server: engine, client: engine };
  for (const press of [garbage, slowConsumer]) {
    note({ ...(await press(bare, engines)), calls: 0, faults: 0 });
  }
}

async function runShimmed(
  bench: Bench,
  engines: readonly EngineName[],
  faults: readonly Fault[],
): Promise<void> {
  for (const engine of engines) {
    if (wants("opening")) note(...(await openingCells(bench, engine, faults)));
  }
  for (const server of engines) {
    for (const client of engines) await runEngines(bench, { server, client }, faults);
  }
  if (!wants("fatal") || !engines.includes("native")) return;
  for (const fault of faults.filter(isEnding)) note(await fatalCell(bench, fault));
}

async function main(): Promise<void> {
  const root = findRoot(import.meta.dirname);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-faults-"));
  const began = performance.now();
  const engines = (["native", "js"] as const).filter(
    (engine) =>
      (values.engine === undefined || values.engine === engine) &&
      (engine === "js" || "binding" in loadNative()),
  );
  try {
    const shim = buildShim(root, folder);
    if ("reason" in shim) console.error(`skipped what needs the shim: ${shim.reason}`);
    const shimFile = "reason" in shim ? null : shim.shimFile;
    const bench = { home: path.join(root, "dist"), shimFile, folder };
    if (shimFile !== null) await runShimmed(bench, engines, faultTable(root));
    for (const engine of engines) await runAlone(bench, engine);
    sum(performance.now() - began, "reason" in shim ? shim.reason : null);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

function sum(ms: number, skipped: string | null): void {
  const wrong = cells.filter((cell) => cell.wrong.length > 0);
  const total = {
    cells: cells.length,
    wrong: wrong.length,
    calls: cells.reduce((count, cell) => count + cell.calls, 0),
    faults: cells.reduce((count, cell) => count + cell.faults, 0),
    seconds: Math.round(ms / 100) / 10,
    skipped,
  };
  if (values.json) console.log(JSON.stringify({ ...total, failures: wrong }));
  else {
    const { cells: count, calls, faults, seconds } = total;
    console.log(
      `${count} cells, ${wrong.length} wrong; ${faults} of ${calls} calls failed; ${seconds} s`,
    );
  }
  if (wrong.length > 0) process.exitCode = 1;
}

if (values.help) console.log(HELP);
else await main();
