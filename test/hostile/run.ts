#!/usr/bin/env node
/*
 * `npm run hostile`: every attack against both engines, as a table or as JSON.
 * Exits with 1 when a promise is broken, with 2 for arguments that mean nothing.
 */
import { parseArgs } from "node:util";
import { type EngineName, engines } from "../engines.js";
import type { Attack, Figures, Missing } from "./attack.js";
import { attacks, missing } from "./attacks.js";

const HELP = `Attacks netrt as a hostile peer would, on both engines, and says which promises held.

  npm run hostile -- [--only NAME]... [--scale N] [--json]

  --only NAME   only the attack of this name; may be repeated
  --scale N     repeat what can be repeated N times as often (1 to 1000, default 1)
  --json        one JSON object instead of the table
  --help        this text

Attacks:
`;

interface Outcome {
  readonly number: number;
  readonly name: string;
  readonly engine: EngineName;
  readonly result: "held" | "broken";
  /** Why it broke. */
  readonly reason?: string;
  readonly promise: string;
  readonly seconds: number;
  readonly figures: Figures;
}

async function attempt(attack: Attack, engine: EngineName, scale: number): Promise<Outcome> {
  const { number, name, promise } = attack;
  const start = performance.now();
  const outcome = (rest: Pick<Outcome, "result" | "figures" | "reason">): Outcome => ({
    number,
    name,
    engine,
    promise,
    seconds: Math.round(performance.now() - start) / 1000,
    ...rest,
  });
  try {
    return outcome({ result: "held", figures: await attack.run(engine, scale) });
  } catch (error) {
    return outcome({ result: "broken", reason: (error as Error).message, figures: {} });
  }
}

function line(outcome: Outcome): string {
  const { number, name, engine, result, reason, seconds, figures } = outcome;
  const text =
    reason ??
    Object.entries(figures)
      .map(([key, value]) => `${key} ${value}`)
      .join(", ");
  const head = `${String(number).padStart(2)} ${name.padEnd(14)} ${engine.padEnd(6)}`;
  return `${head} ${result.padEnd(7)} ${seconds.toFixed(1).padStart(5)} s  ${text}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [] },
      scale: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    const list = [...attacks, ...missing].map(({ number, name, promise }) => {
      return `  ${String(number).padStart(2)} ${name.padEnd(14)} ${promise}`;
    });
    console.log(HELP + list.join("\n"));
    return;
  }
  const scale = Number(values.scale);
  if (!Number.isInteger(scale) || scale < 1 || scale > 1000) {
    throw new RangeError(`--scale must be a whole number from 1 to 1000, not ${values.scale}`);
  }
  const { only } = values;
  for (const name of only) {
    if (![...attacks, ...missing].some((attack) => attack.name === name)) {
      throw new RangeError(`--only: there is no attack ${name}; --help lists them`);
    }
  }
  const chosen = (name: string) => only.length === 0 || only.includes(name);
  const outcomes: Outcome[] = [];
  for (const attack of attacks.filter(({ name }) => chosen(name))) {
    for (const engine of engines) {
      const outcome = await attempt(attack, engine, scale);
      outcomes.push(outcome);
      if (!values.json) console.log(line(outcome));
    }
  }
  const absent = missing.filter(({ name }) => chosen(name));
  report(outcomes, absent, values.json);
}

function report(outcomes: readonly Outcome[], absent: readonly Missing[], json: boolean): void {
  const named = (result?: Outcome["result"]) =>
    new Set(
      outcomes.flatMap((one) => (result === undefined || one.result === result ? one.name : [])),
    );
  const broken = named("broken").size;
  const summary = { held: named().size - broken, broken, missing: absent.length };
  if (json) {
    console.log(JSON.stringify({ ...summary, outcomes, absent }, null, 2));
  } else {
    for (const { number, name, missing: what } of absent) {
      console.log(`${String(number).padStart(2)} ${name.padEnd(14)} not in the protocol: ${what}`);
    }
    console.log(`${summary.held} held, ${broken} broken, ${absent.length} not in the protocol yet`);
  }
  if (broken > 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
