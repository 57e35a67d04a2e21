// measure: runs the rows' commands and reads what they print.
//
// Invariant: an outcome has figures of its own run, or the reason why it has none; never both a zero and no reason.
import { type Command, type Printed, runCommand } from "./command.js";
import type { Figure, Outcome, Size } from "./figure.js";
import type { Plan, Row } from "./rows.js";

export interface Measuring {
  readonly root: string;
  readonly size: Size;
  readonly scale: number;
  readonly total: (row: string, figure: string) => number;
  readonly stop: AbortSignal;
  /** A line about what goes on. */
  readonly say: (line: string) => void;
}

/** Between two lines about a row that still runs. */
const PROGRESS_MS = 30_000;
/** npm's own words, and the object it would print of a failure, are none of the command's. */
const NPM = ["run", "--silent", "--json=false"];
const VITEST = ["node_modules/vitest/vitest.mjs", "run", "--reporter=json"];

export function commandOf({ script, args, secondsMax }: Plan): Command {
  if (script === undefined) {
    return { program: process.execPath, args: [...VITEST, ...args], secondsMax };
  }
  return { program: "npm", args: [...NPM, script, "--", ...args], secondsMax };
}

/** What runs of one plan come to: what adds up is added, of the rest the last counts. */
export function merged(before: readonly Figure[], more: readonly Figure[]): Figure[] {
  return more.map((figure) => {
    const same = before.find(({ name }) => name === figure.name);
    return figure.adds && same ? { ...figure, value: same.value + figure.value } : figure;
  });
}

/** Reads a run. What a command that failed still told counts as well: that is what failed. */
export function outcomeOf(row: Row, printed: readonly Printed[]): Outcome {
  const seconds = printed.reduce((sum, one) => sum + one.seconds, 0);
  const problems = printed.map(({ problem }) => problem).filter((problem) => problem !== "");
  let figures: Figure[] = [];
  for (const { object } of printed) {
    if (object === undefined) continue;
    try {
      figures = merged(figures, row.read(object));
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  const outcome = { row: row.name, seconds, figures };
  return problems.length === 0
    ? outcome
    : { ...outcome, failed: [...new Set(problems)].join("; ") };
}

async function measureRow(row: Row, measuring: Measuring): Promise<Outcome> {
  const { root, size, scale, total, stop, say } = measuring;
  const plan = row.plan(size, scale, (figure) => total(row.name, figure));
  if (typeof plan === "string") return { row: row.name, seconds: 0, figures: [], skipped: plan };
  const command = commandOf(plan);
  const times = plan.times ?? 1;
  const printed: Printed[] = [];
  for (let run = 0; run < times && !stop.aborted; run++) {
    const place = times > 1 ? ` (${run + 1} of ${times})` : "";
    say(`${row.name}${place}: at most ${command.secondsMax} s`);
    const began = performance.now();
    const tick = setInterval(() => {
      say(`${row.name}${place}: ${Math.round((performance.now() - began) / 1000)} s`);
    }, PROGRESS_MS);
    const one = await runCommand(command, root, stop);
    clearInterval(tick);
    // What was stopped on the way told nothing.
    if (!stop.aborted) printed.push(one);
  }
  return outcomeOf(row, printed);
}

/** One row after the other, so that none takes another's time. */
export async function* measure(
  rows: readonly Row[],
  measuring: Measuring,
): AsyncGenerator<Outcome, void> {
  for (const row of rows) {
    const outcome = await measureRow(row, measuring);
    if (measuring.stop.aborted) return;
    yield outcome;
  }
}
