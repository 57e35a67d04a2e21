#!/usr/bin/env node
/*
 * `npm run teardown`: every stage of a process with every way to end it, both engines, many times.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { loadNative } from "../../lib/native.js";
import { findRoot } from "../faults/table.js";
import { copyPackages, type Ended, teardownAll } from "./matrix.js";
import { EXITS, STAGES } from "./plan.js";

const HELP = `npm run teardown -- [--rounds N] [--engine native|js] [--stage NAME] [--exit NAME]
                      [--at-a-time N] [--json]
  7 stages x 10 exits in processes of their own, N rounds of it (default 1): exit code or signal, no
  output but an error that was thrown, no hang, ports free again, and the peer notices.
  Prints a line for each cell that is wrong, and a sum; exits with 1 when any is.`;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1" },
    engine: { type: "string" },
    stage: { type: "string" },
    exit: { type: "string" },
    "at-a-time": { type: "string", default: "4" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

async function main(): Promise<void> {
  const began = performance.now();
  const root = findRoot(import.meta.dirname);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-teardown-"));
  const ended: Ended[] = [];
  const is = (wanted: string | undefined, name: string) => wanted === undefined || wanted === name;
  const engines = (["native", "js"] as const).filter(
    (engine) => is(values.engine, engine) && (engine === "js" || "binding" in loadNative()),
  );
  const cells = STAGES.filter((stage) => is(values.stage, stage)).flatMap((stage) =>
    EXITS.filter((exit) => is(values.exit, exit)).map((exit) => [stage, exit] as const),
  );
  try {
    const packages = copyPackages(root, path.join(root, "dist"), folder);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const engine of engines) {
        const done = await teardownAll(packages, engine, cells, Number(values["at-a-time"]));
        for (const { stage, exit, wrong } of done) {
          for (const what of wrong) console.error(`${engine} ${stage}, ${exit}: ${what}`);
        }
        ended.push(...done);
      }
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  const failures = ended.filter(({ wrong }) => wrong.length > 0);
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  const clean = ended.length - failures.length;
  if (values.json) console.log(JSON.stringify({ exits: ended.length, clean, seconds, failures }));
  else console.log(`${ended.length} exits, ${clean} of them clean; ${seconds} s`);
  if (failures.length > 0 || ended.length === 0) process.exitCode = 1;
}

if (values.help) console.log(HELP);
else await main();
