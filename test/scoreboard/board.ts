// board: docs/SCOREBOARD.md, what all recorded runs came to.
//
// Owns the document: it is read, added to and written as a whole. Never measures anything.
// Invariant: what an amount was, it never falls below; a figure that does not add up is the last run's.
import type { Figure, Outcome } from "./figure.js";
import { ROWS } from "./rows.js";

export interface Entry {
  readonly row: string;
  readonly figure: string;
  readonly value: number;
  readonly runs: number;
  /** Of the last run, as 2026-01-31. */
  readonly date: string;
  readonly commit: string;
}

export type Board = readonly Entry[];

/** When and what a run was of. */
export interface Stamp {
  readonly date: string;
  readonly commit: string;
}

const HEAD = `# Scoreboard

What the machine that attacks netrt has done so far: amounts are added up over all recorded runs, other figures are those of the
last. \`npm run scoreboard -- --add\` measures and records; what went wrong in a run stays counted here. Written by that command alone.

| measure | figure | so far | runs | last run | commit | gate | goal |
| --- | --- | --- | --- | --- | --- | --- | --- |
`;
const COLUMNS = 8;

const cells = (line: string) =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

/** Reads the document. An empty one is a board without entries; one that is not ours is an error. */
export function boardRead(text: string): Board {
  return text.split("\n").flatMap((line) => {
    if (!line.startsWith("|") || /^\| (measure|---) /.test(line)) return [];
    const [row = "", figure = "", value = "", runs = "", date = "", commit = ""] = cells(line);
    const entry = { row, figure, value: number(value), runs: number(runs), date, commit };
    if (cells(line).length === COLUMNS && entry.runs >= 1 && Number.isFinite(entry.value))
      return [entry];
    throw new Error(`docs/SCOREBOARD.md has a line that is none of its: ${line}`);
  });
}

const number = (text: string): number =>
  text === "" ? Number.NaN : Number(text.replaceAll(",", ""));

/** What the recorded runs of a row add up to; 0 before the first. */
export function boardTotal(board: Board, row: string, figure: string): number {
  return board.find((entry) => entry.row === row && entry.figure === figure)?.value ?? 0;
}

function entryOf(board: Board, row: string, figure: Figure, stamp: Stamp): Entry {
  const before = board.find((entry) => entry.row === row && entry.figure === figure.name);
  const value = figure.value + (figure.adds ? (before?.value ?? 0) : 0);
  return { row, figure: figure.name, value, runs: (before?.runs ?? 0) + 1, ...stamp };
}

/** The board after more runs. Rows that told nothing leave it as it was. */
export function boardAdd(board: Board, outcomes: readonly Outcome[], stamp: Stamp): Board {
  const entries = new Map(board.map((entry) => [`${entry.row}|${entry.figure}`, entry]));
  for (const { row, figures } of outcomes) {
    for (const figure of figures) {
      entries.set(`${row}|${figure.name}`, entryOf(board, row, figure, stamp));
    }
  }
  const place = ({ row }: Entry) => ROWS.findIndex(({ name }) => name === row);
  return [...entries.values()].sort((a, b) => place(a) - place(b));
}

/** Finer than for people: parts that are added many times must not be rounded away. */
const exact = (value: number) => value.toLocaleString("en-US", { maximumFractionDigits: 3 });

export function boardWrite(board: Board): string {
  const lines = board.map(({ row, figure, value, runs, date, commit }) => {
    const { gate = "", goal = "" } = ROWS.find(({ name }) => name === row) ?? {};
    return `| ${[row, figure, exact(value), exact(runs), date, commit, gate, goal].join(" | ")} |\n`;
  });
  return HEAD + lines.join("");
}
