#!/usr/bin/env node
// `npm run matrix`: the delivery matrix, and the figures that have to be reached.
//
// Exits with 1 where a contract broke or a figure was missed.
import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import type { EngineName } from "../sim/rig.js";
import { type Figure, figuresRun } from "./figures.js";
import { type CellRow, cellsOf, matrixRun } from "./matrix.js";
import { plotsWrite } from "./plot.js";

const HELP = `npm run matrix -- [options]
  --json           one JSON object on standard output
  --quick          60 cells of 5 s in place of 1,008 of 20 s
  --engine NAME    native (default) or js
  --seed N         default 1
  --seeds N        runs each cell with so many seeds, default 1
  --seconds N      measured in each cell
  --strategy NAME  realTime, timeSensitive, reliable or critical alone
  --cell TEXT      cells whose name contains it, such as "reliable 5% 200ms"
  --no-figures     the cells alone; --no-cells: the figures alone
  --plots DIR      writes SVG plots of latency and overhead over loss into DIR, and nothing else
`;

const { values } = parseArgs({
  allowNegative: true,
  options: {
    help: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    engine: { type: "string", default: "native" },
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    seconds: { type: "string" },
    strategy: { type: "string" },
    cell: { type: "string", default: "" },
    figures: { type: "boolean", default: true },
    cells: { type: "boolean", default: true },
    plots: { type: "string" },
  },
});

function integer(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`--${name}: a whole number above 0, not ${text}`);
  process.exit(2);
}

function printCell(row: CellRow): void {
  const { result } = row;
  const share = (value: number) => `${(100 * value).toFixed(2)}%`;
  const { p50, p99, max } = result.latency;
  console.log(
    `${row.name.padEnd(44)} arrived ${share(result.arrivedShare).padStart(8)}` +
      `  p50 ${p50.toFixed(0).padStart(5)}  p99 ${p99.toFixed(0).padStart(6)}` +
      `  max ${max.toFixed(0).padStart(6)} ms  bytes ${result.overhead.toFixed(2).padStart(6)}x` +
      `  expired ${result.expired}  lost ${result.lost}  dropped ${result.dropped}` +
      `  refused ${result.refused}  misreported ${result.misreported}` +
      `${row.broken.length > 0 ? `  BROKEN: ${row.broken.join("; ")}` : ""}`,
  );
}

function printFigure(figure: Figure): void {
  const mark = figure.reached ? "reached" : "MISSED ";
  console.log(`${mark}  ${figure.name}: ${figure.measured} (wanted ${figure.wanted})`);
}

function main(): void {
  if (values.help) {
    console.log(HELP);
    return;
  }
  if (values.engine !== "native" && values.engine !== "js") {
    console.error(`--engine: native or js, not ${values.engine}`);
    process.exit(2);
  }
  const engine: EngineName = values.engine;
  const seed = integer("seed", values.seed);
  const seconds = integer("seconds", values.seconds ?? (values.quick ? "5" : "20"));
  if (values.plots !== undefined) {
    mkdirSync(values.plots, { recursive: true });
    for (const file of plotsWrite(values.plots, engine, seed, seconds)) console.log(file);
    return;
  }
  const began = performance.now();
  const cells = values.cells
    ? cellsOf(values.quick, values.strategy).filter(({ name }) => name.includes(values.cell))
    : [];
  const rows = matrixRun(cells, { engine, seed, seconds, seeds: integer("seeds", values.seeds) });
  const kept: CellRow[] = [];
  for (const row of rows) {
    kept.push(row);
    if (!values.json) printCell(row);
  }
  const figures = values.figures ? figuresRun(engine, seed, values.quick) : [];
  const broken = kept.filter((row) => row.broken.length > 0).length;
  const missed = figures.filter((figure) => !figure.reached).length;
  const realSeconds = (performance.now() - began) / 1000;
  if (values.json) {
    const summary = { engine, seed, seconds, cells: kept, figures, broken, missed, realSeconds };
    console.log(JSON.stringify(summary));
  } else {
    for (const figure of figures) printFigure(figure);
    const took = realSeconds.toFixed(1);
    console.log(
      `${kept.length} cells, ${broken} broken; ${figures.length} figures, ${missed} missed; ${took} s`,
    );
  }
  if (broken + missed > 0) process.exitCode = 1;
}

main();
