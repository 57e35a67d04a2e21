/*
 * Owns what an attack is: a number and a name of the project's list of hostile peers, what netrt promises against it,
 * and a run over one engine that throws when the promise is broken.
 * Never attacks anything itself.
 */
import type { EngineName } from "../engines.js";

/** What a run measured, by name and unit. */
export type Figures = Readonly<Record<string, number | string>>;

export interface Attack {
  /** Its place in the list. */
  readonly number: number;
  /** One word: its file, and what `--only` takes. */
  readonly name: string;
  /** What holds, in one sentence. */
  readonly promise: string;
  /** A promise that isn't kept yet, and why: the run fails. */
  readonly broken?: string;
  /** `scale` 1 is the gate's size; more repeats more. */
  run(engine: EngineName, scale: number): Figures | Promise<Figures>;
}

/** An attack on what isn't in the protocol. */
export interface Missing extends Pick<Attack, "number" | "name" | "promise"> {
  /** What is missing. */
  readonly missing: string;
}

/** A promise that was not kept. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}

function text(value: unknown): string {
  const plain = (_key: string, one: unknown) => (typeof one === "bigint" ? `${one}n` : one);
  return JSON.stringify(value, plain) ?? "undefined";
}

/** Throws unless it holds; `given` says what was found instead. */
export function check(holds: boolean, promise: string, given?: unknown): asserts holds {
  if (holds) return;
  const found = given === undefined ? "" : `; found ${text(given)}`;
  throw new BrokenPromise(`${promise}${found}`);
}

/** Throws unless both are the same number, text, or list of such. */
export function checkEqual(found: unknown, expected: unknown, what: string): void {
  const [left, right] = [text(found), text(expected)];
  if (left !== right) throw new BrokenPromise(`${what} must be ${right}; found ${left}`);
}
