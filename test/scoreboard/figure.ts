// figure: what a row of the scoreboard measured, and whether it is enough.
//
// Owns the judgement. Never runs anything.
// Invariant: what was not measured is never enough.

/** One number that a command told. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** Runs add up: an amount, such as executions, or what went wrong in them. Else the last run counts. */
  readonly adds?: boolean;
  /** The gate. At quick size an amount may be as small as it likes; what went wrong may not. */
  readonly least?: number;
  readonly most?: number;
}

/** A quick run shows that everything works; a gate is what CI or a release asks for. */
export type Size = "quick" | "gate";

/** What came of a row: figures, or the reason why there are none. */
export interface Outcome {
  readonly row: string;
  readonly seconds: number;
  readonly figures: readonly Figure[];
  /** The row can't run here, or not at this size. */
  readonly skipped?: string;
  /** The command failed to run, to end in time, or told that something was wrong. */
  readonly failed?: string;
}

/** What is below the gate, in words; empty: nothing. */
export function below({ name, value, adds = false, least, most }: Figure, size: Size): string {
  if (!Number.isFinite(value)) return `${name}: not a number`;
  if (most !== undefined && value > most) return `${name}: ${shown(value)}, at most ${shown(most)}`;
  if (least === undefined || value >= least || (adds && size === "quick")) return "";
  return `${name}: ${shown(value)}, at least ${shown(least)}`;
}

/** Everything that keeps an outcome from its gate. A row that a quick run leaves out has none to keep. */
export function shortfalls(outcome: Outcome, size: Size): string[] {
  const found = outcome.figures.map((figure) => below(figure, size)).filter((text) => text !== "");
  if (outcome.failed !== undefined) found.unshift(outcome.failed);
  if (outcome.skipped !== undefined && size === "gate") found.unshift(outcome.skipped);
  return found;
}

/** Whether a run is good: no command failed and, when the gate is asked for, nothing is below it. */
export function passes(outcomes: readonly Outcome[], size: Size, gate: boolean): boolean {
  return outcomes.every(
    (outcome) => outcome.failed === undefined && (!gate || shortfalls(outcome, size).length === 0),
  );
}

/** As people read numbers: 12,345,678 and 98.9 and 0.016. */
export function shown(value: number): string {
  const digits = Math.abs(value) < 1 ? 3 : Math.abs(value) < 1000 ? 1 : 0;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}
