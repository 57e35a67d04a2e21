#!/usr/bin/env node
// `npm run lockstep`: the engines side by side in worlds from a seed on, until so many turns were compared.
//
// Exits with 1 at a difference or a broken promise, which is printed with the line that repeats it.
//
// With ciphers that cost next to nothing a step takes two thirds of its time with node:crypto. Where the rest goes
// (--cpu-prof, 19 µs a step on two busy cores): the TypeScript engine itself a third; the C++ one with the way to it a
// sixth; the world and its users a quarter; comparing all of it a tenth; the ciphers and garbage a sixth. --js alone
// takes 13 µs, so 100,000 steps a second of a core need a quicker TypeScript engine first.
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { hostProbeFile } from "../hosts.js";
import type { CoreProbe } from "../probe.js";
import { standIn } from "../standin.js";
import { type LockstepResult, lockstepRun } from "./lockstep.js";

const HELP = `npm run lockstep -- [options]
  --steps N   inputs that both engines are given, and compared after (a submission, a datagram, time, a flush, an
              ask for packets; default 500000), in worlds of --turns turns, one after the other
  --seed S    the first world's seed (default 1)
  --turns N   turns of one world (default 5000); on the way to rest it takes more, which count
  --real N    the worlds whose seed N divides seal with the real ciphers (default 16; 1: all), the others with
              ones that cost next to nothing (test/standin.ts): what is compared there is the rest
  --js        the TypeScript engine alone; --native: the C++ engine alone (to see what each costs)
  --json      one JSON object on standard output
`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    steps: { type: "string", default: "500000" },
    seed: { type: "string", default: "1" },
    turns: { type: "string", default: "5000" },
    real: { type: "string", default: "16" },
    js: { type: "boolean", default: false },
    native: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

function integer(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`--${name}: a whole number above 0, not ${text}`);
  process.exit(2);
}

/** Both engines' ciphers for a world. */
function ciphers(probe: CoreProbe | null, real: boolean): void {
  standIn(!real);
  probe?.standIn(!real);
}

function main(): void {
  if (values.help) {
    console.log(HELP);
    return;
  }
  const most = integer("steps", values.steps);
  const steps = integer("turns", values.turns);
  const realEvery = integer("real", values.real);
  const probe = values.js ? null : (createRequire(import.meta.url)(hostProbeFile()) as CoreProbe);
  const began = performance.now();
  const cpu = process.cpuUsage();
  const total = {
    worlds: 0,
    real: 0,
    inputs: 0,
    turns: 0,
    datagrams: 0,
    sessions: 0,
    messages: 0,
    fates: 0,
    blocks: 0,
  };
  const failures: string[] = [];
  for (let seed = integer("seed", values.seed); total.inputs < most; seed++) {
    const real = seed % realEvery === 0;
    ciphers(probe, real);
    try {
      const result: LockstepResult = lockstepRun({
        seed,
        steps,
        engines: values.js ? ["js"] : values.native ? ["native"] : ["js", "native"],
      });
      total.worlds += 1;
      total.real += real ? 1 : 0;
      for (const field of [
        "inputs",
        "turns",
        "datagrams",
        "sessions",
        "messages",
        "fates",
        "blocks",
      ] as const) {
        total[field] += result[field];
      }
    } catch (error) {
      failures.push((error as Error).message);
      // It counts as done: the next seed goes on.
      total.inputs += steps;
      if (!values.json) console.error(failures.at(-1));
      process.exitCode = 1;
    }
  }
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  const rate = Math.round(total.inputs / seconds);
  const cpuRate = Math.round(total.inputs / cpuSeconds);
  if (values.json) {
    console.log(JSON.stringify({ ...total, failures, seconds, cpuSeconds, rate, cpuRate }));
  } else {
    console.log(
      `${total.inputs} steps in ${total.turns} turns of ${total.worlds} worlds (${total.real} with real ciphers), ${total.datagrams} datagrams, ` +
        `${total.messages} messages, ${total.blocks} blocks, ${failures.length} differences; ` +
        `${seconds.toFixed(1)} s, ${rate} steps/s (${cpuRate} a second of processor time)`,
    );
  }
}

main();
