#!/usr/bin/env node
// `npm run mutants -- [--only NAME …] [--side js|native] [--json] [--list]`: each planted bug goes into a copy of the
// sources, which is built, and a cheap gate has to notice. Exits non-zero when a bug survives, or no longer applies,
// or does not compile, or when the copy without a bug does not pass the same gates.
import { parseArgs } from "node:util";
import { MUTANTS } from "./list.js";
import { SIDES, type Side } from "./mutant.js";
import { baseline, mutate, type Result } from "./mutate.js";
import { Sandbox } from "./sandbox.js";

const HELP = `npm run mutants [-- options]
Plants known bugs, one at a time, in a copy of the sources and shows that a named test notices each.

  --list        names and bugs, nothing is run
  --only NAME   this one; may be given more than once
  --side SIDE   js or native; both when left out
  --json        one object: { passed, seconds, baseline, mutants: [{ name, bug, side, gate, caught, by, ms }] }
  --help        this text`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      list: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      side: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const only = values.only ?? MUTANTS.map(({ name }) => name);
  const unknown = only.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
  const sides = SIDES.filter((side) => values.side === undefined || side === values.side);
  if (unknown.length > 0 || sides.length === 0) {
    const what = unknown.length > 0 ? `no mutant ${unknown.join(", ")}` : `no side ${values.side}`;
    console.error(`${what}; see --list and --help`);
    process.exitCode = 2;
    return;
  }
  const mutants = MUTANTS.filter(
    (mutant) => only.includes(mutant.name) && sides.some((side) => mutant[side] !== undefined),
  );
  if (values.list) {
    if (values.json) return console.log(JSON.stringify({ mutants }));
    for (const { name, bug } of mutants) console.log(`${name.padEnd(22)} ${bug}`);
    return;
  }
  const say = (line: string) => (values.json ? console.error(line) : console.log(line));
  const began = performance.now();
  const results: Result[] = [];
  const baselines: { side: Side; problem: string }[] = [];
  const sandboxes = new Map(sides.map((side) => [side, new Sandbox()]));
  const removeAll = () => {
    for (const sandbox of sandboxes.values()) sandbox.remove();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      removeAll();
      process.exit(1);
    });
  }
  // Each side in a copy of its own, at the same time.
  const plantAll = async ([side, sandbox]: readonly [Side, Sandbox]): Promise<void> => {
    const problem = await baseline(sandbox, mutants, side);
    baselines.push({ side, problem });
    say(`${side}: without a bug the gates ${problem === "" ? "pass" : `fail: ${problem}`}`);
    for (const mutant of mutants) {
      if (mutant[side] === undefined || problem !== "") continue;
      const result = await mutate(sandbox, mutant, side);
      results.push(result);
      const verdict = result.caught ? "caught  " : "SURVIVED";
      say(`${verdict} ${side.padEnd(6)} ${mutant.name.padEnd(22)} ${result.ms} ms  ${result.by}`);
    }
  };
  try {
    await Promise.all([...sandboxes].map(plantAll));
  } finally {
    removeAll();
  }
  const clean = baselines.every(({ problem }) => problem === "");
  const missed = mutants.filter(({ name }) => {
    const own = results.filter((result) => result.name === name);
    return own.length === 0 || own.some(({ caught }) => !caught);
  });
  const passed = clean && missed.length === 0;
  const seconds = Math.round((performance.now() - began) / 1000);
  if (values.json) {
    console.log(JSON.stringify({ passed, seconds, baseline: baselines, mutants: results }));
  } else {
    console.log(`${mutants.length - missed.length} of ${mutants.length} bugs caught, ${seconds} s`);
  }
  if (!passed) process.exitCode = 1;
}

await main();
