#!/usr/bin/env node
// `npm run scoreboard`: what the project promises of its reliability, measured now.
//
// Exits with 1 when a command failed, or with --gate when a figure is below its gate.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { findRoot } from "../faults/table.js";
import { type Board, boardAdd, boardRead, boardTotal, boardWrite } from "./board.js";
import { type Outcome, passes, type Size, shortfalls, shown } from "./figure.js";
import { measure } from "./measure.js";
import { ROWS, type Row } from "./rows.js";

const HELP = `npm run scoreboard -- [options]
Runs the project's commands one after the other, and prints what they told beside gate and goal.

  --quick        a few minutes, with amounts below their gates; without it some four hours
  --only NAME    this row; may be given more than once
  --scale N      amounts so many times larger, 1 to 100000
  --gate         exits with 1 when a figure is below its gate. With --quick amounts may be smaller, and rows
                 that take long are left out; what went wrong, and what is not reached, counts
  --add          adds the figures to docs/SCOREBOARD.md; the seeds of the next run are new ones
  --json         one object on standard output: { date, commit, size, passed, rows: [{ row, measure, seconds,
                 figures: [{ name, value, adds, least, most }], skipped, failed, below, gate, goal }] }
  --help         this text

Rows:
${ROWS.map(({ name, measure: what }) => `  ${name.padEnd(16)} ${what}`).join("\n")}
`;
const INTERRUPTED = 130;
const SCALE_MAX = 100_000;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    scale: { type: "string", default: "1" },
    gate: { type: "boolean", default: false },
    add: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const root = findRoot(import.meta.dirname);
const file = path.join(root, "docs/SCOREBOARD.md");
const size: Size = values.quick ? "quick" : "gate";

function refuse(what: string): never {
  console.error(`${what}; see --help`);
  process.exit(2);
}

function chosen(): readonly Row[] {
  const only = values.only ?? ROWS.map(({ name }) => name);
  const unknown = only.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0) refuse(`no row ${unknown.join(", ")}`);
  return ROWS.filter(({ name }) => only.includes(name));
}

function scaleOf(): number {
  const scale = Number(values.scale);
  if (Number.isInteger(scale) && scale >= 1 && scale <= SCALE_MAX) return scale;
  return refuse(`--scale is 1 to ${SCALE_MAX}, not ${values.scale}`);
}

/** Of the sources that were measured: with a mark when they are not what was committed. */
function commitOf(): string {
  const git = (...args: string[]) => {
    const stdio: ("ignore" | "pipe")[] = ["ignore", "pipe", "ignore"];
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio }).trim();
  };
  try {
    const changed = git("status", "--porcelain", "--", ".", ":!docs/SCOREBOARD.md");
    return git("rev-parse", "--short", "HEAD") + (changed === "" ? "" : "+");
  } catch {
    return "unknown";
  }
}

const board = (): Board => boardRead(fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "");

const rowOf = ({ row }: Outcome): Row => ROWS.find(({ name }) => name === row) as Row;

function line(outcome: Outcome): string {
  const { measure: what, gate, goal } = rowOf(outcome);
  const figures = outcome.figures.map(({ name, value }) => `${name} ${shown(value)}`).join(", ");
  const found = shortfalls(outcome, size);
  const without = outcome.skipped ?? outcome.failed ?? "";
  const verdict = outcome.skipped !== undefined ? "not run" : found.length === 0 ? "kept" : "BELOW";
  const told = figures === "" ? without : figures;
  return `| ${[what, told, gate, goal, verdict].join(" | ")} |`;
}

function print(outcomes: readonly Outcome[]): void {
  console.log("| measure | this run | gate | goal | |\n| --- | --- | --- | --- | --- |");
  for (const outcome of outcomes) console.log(line(outcome));
  for (const outcome of outcomes) {
    for (const what of shortfalls(outcome, size)) console.log(`${outcome.row}: ${what}`);
  }
}

async function main(): Promise<void> {
  if (values.help) return console.log(HELP);
  const rows = chosen();
  const scale = scaleOf();
  const before = board();
  const stamp = { date: new Date().toISOString().slice(0, 10), commit: commitOf() };
  const stopper = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => stopper.abort());
  }
  const outcomes: Outcome[] = [];
  const total = (row: string, figure: string) => boardTotal(before, row, figure);
  const say = (text: string) => console.error(`scoreboard: ${text}`);
  for await (const outcome of measure(rows, {
    root,
    size,
    scale,
    total,
    stop: stopper.signal,
    say,
  })) {
    outcomes.push(outcome);
    // At once: what took an hour is not lost when the next row is interrupted.
    if (values.add) fs.writeFileSync(file, boardWrite(boardAdd(board(), [outcome], stamp)));
  }
  const judged = outcomes.map((outcome) => {
    const { measure: what, gate, goal } = rowOf(outcome);
    return { ...outcome, measure: what, gate, goal, below: shortfalls(outcome, size) };
  });
  const passed = passes(outcomes, size, values.gate);
  if (values.json) console.log(JSON.stringify({ ...stamp, size, passed, rows: judged }));
  else print(outcomes);
  if (stopper.signal.aborted) process.exitCode = INTERRUPTED;
  else if (!passed) process.exitCode = 1;
}

await main();
