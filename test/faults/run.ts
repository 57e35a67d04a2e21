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
  isBearable,
  MODES,
  type Mode,
  openingCells,
  runningCell,
  stormCell,
} from "./cells.js";
import { buildShim } from "./control.js";
import { type Bench, closePair, type EngineName, type Engines, openPair } from "./pair.js";
import { type Fault, faultTable, findRoot } from "./table.js";

const HELP = `npm run faults -- [--seed S] [--calls N] [--only PART] [--engine native|js] [--json]
  The errno table of native/io/fault.cc against running processes, by a shim in LD_PRELOAD:
    running  each errno at each call that sends, receives or waits: every third call, and an outage
    storm    1 call in 100 fails, until N calls could have (default 20000)
    fatal    what says that the socket is gone
    opening  each errno at each call of an open
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
const cells: Cell[] = [];

function note(...more: readonly Cell[]): void {
  for (const cell of more) {
    cells.push(cell);
    for (const what of cell.wrong) console.error(`${cell.name}: ${what}`);
  }
}

const wants = (part: string): boolean => values.only === undefined || values.only === part;

async function runEngines(bench: Bench, engines: Engines, faults: readonly Fault[]): Promise<void> {
  const seed = Number(values.seed);
  const pair = await openPair(bench, engines);
  if (wants("running")) {
    for (const fault of faults.filter(isBearable)) {
      for (const mode of Object.keys(MODES) as Mode[]) {
        note(await runningCell(pair, engines, fault, mode));
      }
    }
  }
  if (wants("storm")) {
    const calls = Number(values.calls);
    note(await stormCell(pair, engines, faults, { seed, calls, oneIn: ONE_IN }));
  }
  const name = `${engines.server}-${engines.client} the end`;
  note({ name, calls: 0, faults: 0, ms: 0, wrong: await closePair(pair) });
}

async function main(): Promise<void> {
  const root = findRoot(import.meta.dirname);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-faults-"));
  const began = performance.now();
  try {
    const shim = buildShim(root, folder);
    if ("reason" in shim) {
      console.error(`skipped: ${shim.reason}`);
      if (values.json) console.log(JSON.stringify({ skipped: shim.reason }));
      return;
    }
    const bench = { home: path.join(root, "dist"), library: shim.library, folder };
    const faults = faultTable(root);
    const engines = (["native", "js"] as const).filter(
      (engine) =>
        (values.engine === undefined || values.engine === engine) &&
        (engine === "js" || "binding" in loadNative()),
    );
    for (const engine of engines as EngineName[]) {
      if (wants("opening")) note(...(await openingCells(bench, engine, faults)));
      if (wants("running") || wants("storm")) {
        await runEngines(bench, { server: engine, client: engine }, faults);
      }
    }
    if (wants("fatal") && engines.includes("native")) {
      for (const fault of faults) {
        if (fault.action === "FATAL" && (fault.call === "receive" || fault.call === "send")) {
          note(await fatalCell(bench, fault));
        }
      }
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  sum(performance.now() - began);
}

function sum(ms: number): void {
  const wrong = cells.filter((cell) => cell.wrong.length > 0);
  const total = {
    cells: cells.length,
    wrong: wrong.length,
    calls: cells.reduce((count, cell) => count + cell.calls, 0),
    faults: cells.reduce((count, cell) => count + cell.faults, 0),
    seconds: Math.round(ms / 100) / 10,
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
