#!/usr/bin/env node
// `npm run sim`: worlds of the simulator, one after the other.
//
// Exits with 1 when a world broke a promise, when what must be the same was not, or when a planted bug
// was not caught. A failure is shrunk and printed as the line that replays it.
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { CANARIES, type Canary } from "./canary.js";
import { FAULTS, type Fault } from "./faults.js";
import { seedsRead } from "./seeds.js";
import { failureOf, shrink } from "./shrink.js";
import {
  type Engines,
  type SimCase,
  type SimFailure,
  type SimResult,
  simRun,
  simSame,
} from "./sim.js";
import { speedRun } from "./speed.js";
import { Journal } from "./trace.js";

const HELP = `npm run sim -- [options]
  --seeds N        so many worlds (default 200), from --from (default 1)
  --from SEED
  --seed SEED      one world, and what was in it
  --log N          with --seed: the last N things that were sent and told (default 0)
  --steps N        steps of a world (default 3000)
  --engine NAME    native, js or mix (default: each host draws its engine)
  --clients N      1 to 5, in place of what the seed says
  --without LIST   faults that are taken away: ${FAULTS.join(", ")}
  --same N         every so many-th world also runs with clocks that start later, in each engine and with
                   datagrams one by one, and must be the same (default 20; 0: none)
  --canary NAME    plants a bug: ${CANARIES.join(", ")}
  --no-canaries    does not prove first that planted bugs are caught
  --no-kept        does not run the kept seeds first
  --no-shrink      prints a failure as it came
  --speed          measures how fast the virtual clock goes, and nothing else
  --json           one JSON object on standard output
`;
/** Seeds within which a planted bug must be caught, and the steps of their worlds. */
const CANARY_SEEDS = 20;
const CANARY_STEPS = 1500;
/** Packets of one pair, 60 a second each way, in one hour. */
const CONNECTION_HOUR_PACKETS = 2 * 60 * 3600;
/** Virtual time to real time that a native pair should reach. */
const FACTOR_WANTED = 1000;

const { values } = parseArgs({
  allowNegative: true,
  options: {
    help: { type: "boolean", default: false },
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    log: { type: "string", default: "0" },
    steps: { type: "string", default: "3000" },
    engine: { type: "string", default: "mix" },
    clients: { type: "string" },
    without: { type: "string", default: "" },
    same: { type: "string", default: "20" },
    canary: { type: "string" },
    canaries: { type: "boolean", default: true },
    kept: { type: "boolean", default: true },
    shrink: { type: "boolean", default: true },
    speed: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

function integer(name: string, text: string, least: number, most = 2 ** 32 - 1): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  return refuse(`--${name}: a whole number from ${least} to ${most}, not ${text}`);
}

function oneOf<T extends string>(name: string, text: string, all: readonly T[]): T {
  if ((all as readonly string[]).includes(text)) return text as T;
  return refuse(`--${name}: one of ${all.join(", ")}, not ${text}`);
}

const say = (line: string) => {
  if (!values.json) console.log(line);
};

function commitOf(): string {
  try {
    const stdio: ("ignore" | "pipe")[] = ["ignore", "pipe", "ignore"];
    const args = ["rev-parse", "--short", "HEAD"];
    return execFileSync("git", args, { encoding: "utf8", stdio }).trim();
  } catch {
    return "unknown";
  }
}

function caseOf(seed: number): SimCase {
  const without = values.without.split(",").filter((name) => name !== "");
  return {
    seed,
    steps: integer("steps", values.steps, 1),
    engines: oneOf<Engines>("engine", values.engine, ["native", "js", "mix"]),
    without: without.map((name) => oneOf<Fault>("without", name, FAULTS)),
    ...(values.clients === undefined ? {} : { clients: integer("clients", values.clients, 1, 5) }),
  };
}

/** Planted bugs that no world catches. */
function canariesMissed(): Canary[] {
  return CANARIES.filter((canary) => {
    for (let seed = 1; seed <= CANARY_SEEDS; seed++) {
      const one: SimCase = { seed, steps: CANARY_STEPS, engines: "js" };
      if (failureOf(() => simRun(one, { canary })) !== null) return false;
    }
    return true;
  });
}

function report(failure: SimFailure): string {
  const small = values.shrink ? shrink(failure, (one) => failureOf(() => simRun(one))) : failure;
  const shrunk = small === failure ? "" : `\nshrunk to ${small.message}`;
  return `FAILED at commit ${commitOf()}: ${failure.message}${shrunk}`;
}

interface Totals {
  worlds: number;
  same: number;
  virtualSeconds: number;
  datagrams: number;
  sessions: number;
  messages: number;
  fates: number;
  blocks: number;
}

function runSeeds(failures: string[]): Totals {
  const totals: Totals = {
    worlds: 0,
    same: 0,
    virtualSeconds: 0,
    datagrams: 0,
    sessions: 0,
    messages: 0,
    fates: 0,
    blocks: 0,
  };
  const every = integer("same", values.same, 0);
  const from = integer("from", values.from, 0);
  const keptCases: readonly SimCase[] = values.kept ? seedsRead() : [];
  const seeds = Array.from({ length: integer("seeds", values.seeds, 1) }, (_, at) => from + at);
  const cases = [...keptCases, ...seeds.map(caseOf)];
  for (const [index, one] of cases.entries()) {
    const failure = failureOf(() => {
      const result = simRun(one);
      totals.worlds += 1;
      for (const field of [
        "virtualSeconds",
        "datagrams",
        "sessions",
        "messages",
        "fates",
        "blocks",
      ] as const) {
        totals[field] += result[field];
      }
      if (every > 0 && index % every === 0) totals.same += simSame(one) > 0 ? 1 : 0;
    });
    if (failure === null) continue;
    failures.push(report(failure));
    say(failures.at(-1) as string);
  }
  return totals;
}

function runOne(seed: number): void {
  const one = caseOf(seed);
  const canary = values.canary === undefined ? null : oneOf("canary", values.canary, CANARIES);
  const lines = integer("log", values.log, 0);
  const journal = lines > 0 ? new Journal(lines) : null;
  const failure = failureOf(() => {
    const result: SimResult = simRun(one, { canary, trace: journal });
    console.log(JSON.stringify(result, null, values.json ? undefined : 1));
    if (canary === null) say(`the same in ${simSame(one)} things`);
  });
  if (journal !== null) say(String(journal));
  if (failure === null) return;
  console.error(canary === null ? report(failure) : failure.message);
  process.exitCode = 1;
}

function runSpeed(): void {
  const results = (["native", "js"] as const).map(speedRun);
  if (values.json) console.log(JSON.stringify({ results, wanted: FACTOR_WANTED }));
  for (const { engine, factor, datagrams, cpuSeconds, realSeconds } of results) {
    const us = ((cpuSeconds * 1e6) / datagrams).toFixed(2);
    const wall = Math.round((factor * cpuSeconds) / realSeconds);
    say(
      `${engine}: ${Math.round(factor)} x processor time (${wall} x real time), ${us} us a datagram`,
    );
  }
  if (results[0].factor < FACTOR_WANTED) process.exitCode = 1;
}

function main(): void {
  if (values.help) console.log(HELP);
  else if (values.speed) runSpeed();
  else if (values.seed !== undefined) runOne(integer("seed", values.seed, 0));
  else runMany();
}

function runMany(): void {
  const began = performance.now();
  const missed = values.canaries ? canariesMissed() : [];
  if (missed.length > 0) say(`planted bugs that were not caught: ${missed.join(", ")}`);
  const failures: string[] = [];
  const totals = runSeeds(failures);
  const realSeconds = (performance.now() - began) / 1000;
  const connectionHours = totals.datagrams / CONNECTION_HOUR_PACKETS;
  if (values.json) {
    const canaries = values.canaries ? CANARIES.length - missed.length : 0;
    const commit = commitOf();
    console.log(
      JSON.stringify({
        commit,
        ...totals,
        connectionHours,
        canaries,
        missed,
        failures,
        realSeconds,
      }),
    );
  } else {
    say(
      `${totals.worlds} worlds, ${failures.length} failed; ${(totals.virtualSeconds / 3600).toFixed(1)} h of theirs, ` +
        `${totals.datagrams} datagrams (${connectionHours.toFixed(2)} connection hours), ${totals.messages} messages, ${totals.blocks} blocks, ` +
        `${totals.sessions} sessions; ${totals.same} the same in all ways; ${realSeconds.toFixed(1)} s`,
    );
  }
  if (failures.length + missed.length > 0) process.exitCode = 1;
}

main();
