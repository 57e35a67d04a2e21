// rows: what the scoreboard measures, with which command, at which size, and what it reads of it.
//
// Owns the gates. Has no figure of its own: each is read from what a command printed in this run.
import type { Figure, Size } from "./figure.js";
import { listAt, numberAt, sumOf, wordAt } from "./read.js";

/** A command of package.json, or a suite, for one run of a row. */
export interface Plan {
  /** Of `npm run`; none: vitest over the suites in `args`. */
  readonly script?: string;
  readonly args: readonly string[];
  readonly secondsMax: number;
  /** How often it runs, one after the other; its figures are added up. */
  readonly times?: number;
}

export interface Row {
  readonly name: string;
  readonly measure: string;
  readonly gate: string;
  readonly goal: string;
  /**
   * What to run; a text says why nothing. Scale makes amounts so many times larger; total is what the recorded runs
   * of this row add up to, so that the next run takes seeds that none had.
   */
  plan(size: Size, scale: number, total: (figure: string) => number): Plan | string;
  read(printed: unknown): Figure[];
}

const STATELESS = ["bytes", "packet", "frame", "token"];
const STATEFUL = ["handshake", "connection", "script", "host"];
const FUZZ_SECONDS = { quick: 5, gate: 60 };
/** Until the fuzzers, the sanitizers' builds or the planted bugs' copies are compiled. */
const BUILD_SECONDS = 600;
const HOSTILE_PEERS = 22;
const FLAKE_RUNS = 20;
/** Seeds that come to 100 connection hours: 3,000 steps are about 57 s of one pair's packets. */
const SIM_SEEDS = { quick: 60, gate: 6500 };
const LOCKSTEP_STEPS = { quick: 200_000, gate: 50_000_000 };
/** A shorter soak shows how pages come into being, and no slope. */
const SLOPE_SECONDS = 600;
const NOT_QUICK = "not at quick size";

const added = (name: string, value: number, least?: number): Figure =>
  least === undefined ? { name, value, adds: true } : { name, value, adds: true, least };
/** What went wrong: none is allowed, and what there was stays counted. */
const wrong = (name: string, value: number): Figure => ({ name, value, adds: true, most: 0 });

function fuzzRow(
  name: string,
  targets: readonly string[],
  rest: Omit<Row, "name" | "plan" | "read">,
): Row {
  return {
    name,
    ...rest,
    plan(size, scale) {
      const seconds = FUZZ_SECONDS[size] * scale;
      const named = targets.flatMap((target) => ["--target", target]);
      return {
        script: "fuzz",
        args: ["--seconds", String(seconds), ...named, "--json"],
        secondsMax: BUILD_SECONDS + targets.length * (seconds + 60),
      };
    },
    read(printed) {
      const results = listAt(printed, "targets");
      const rates = results.map((result) => numberAt(result, "perProcessorSecond"));
      return [
        added("executions", sumOf(results, "executions")),
        added("seconds", sumOf(results, "seconds"), targets.length * FUZZ_SECONDS.gate),
        wrong("failed", results.filter((result) => wordAt(result, "passed") !== "true").length),
        { name: "executions a second, slowest target", value: Math.min(...rates) },
        { name: "new edges", value: sumOf(results, "newEdges") },
      ];
    },
  };
}

/** Suites of `npm test`, run alone. */
function suiteRow(suites: readonly string[], rest: Omit<Row, "plan" | "read">): Row {
  return {
    ...rest,
    plan: () => ({ args: suites, secondsMax: 300 }),
    read: (printed) => [
      { name: "tests", value: numberAt(printed, "numPassedTests"), least: 1 },
      { name: "failed tests", value: numberAt(printed, "numFailedTests"), most: 0 },
    ],
  };
}

function percentAt(printed: unknown, path: string): number {
  const [covered, count] = listAt(printed, path).map(Number);
  return (100 * covered) / count;
}

export const ROWS: readonly Row[] = [
  {
    name: "lockstep",
    measure: "lockstep: C++ = TS in bytes, events, deadlines, counters after every step",
    gate: "5×10⁷ steps, 0 differences",
    goal: "10¹¹",
    plan: (size, scale, total) => ({
      script: "lockstep",
      args: [
        "--steps",
        String(LOCKSTEP_STEPS[size] * scale),
        "--seed",
        String(1 + total("worlds")),
        "--json",
      ],
      secondsMax: { quick: 120, gate: 7200 }[size] * scale,
    }),
    read: (printed) => {
      const differences = listAt(printed, "failures").length;
      return [
        added("steps", numberAt(printed, "inputs"), LOCKSTEP_STEPS.gate),
        added("worlds", numberAt(printed, "worlds") + differences),
        wrong("differences", differences),
        { name: "steps a second", value: numberAt(printed, "cpuRate") },
      ];
    },
  },
  {
    name: "sim",
    measure: "swarm simulation, safety then liveness, seeded",
    gate: "2,000 seeds, 100 vch",
    goal: "100 connection-years, 10⁶ seeds",
    plan: (size, scale, total) => ({
      script: "sim",
      args: [
        "--seeds",
        String(SIM_SEEDS[size] * scale),
        "--from",
        String(1 + total("seeds")),
        "--json",
      ],
      secondsMax: { quick: 240, gate: 7200 }[size] * scale,
    }),
    read: (printed) => {
      const failed = listAt(printed, "failures").length;
      return [
        added("seeds", numberAt(printed, "worlds") + failed, 2000),
        added("connection hours", numberAt(printed, "connectionHours"), 100),
        wrong("failed", failed),
        wrong("planted bugs missed", listAt(printed, "missed").length),
      ];
    },
  },
  fuzzRow("stateless fuzz", STATELESS, {
    measure: "stateless fuzz (bytes, packet, frame, token), libFuzzer + ASan/UBSan",
    gate: "60 s each",
    goal: "10¹⁰ executions, no new edge in the last 10⁹",
  }),
  fuzzRow("stateful fuzz", STATEFUL, {
    measure:
      "stateful fuzz (handshake after decryption, connection, script of two ends, host with many peers)",
    gate: "60 s each",
    goal: "10⁹ each",
  }),
  {
    name: "coverage",
    measure: "core coverage line / branch / MC/DC; lib by branch",
    gate: "100 / 100 / ≥ 95 %",
    goal: "100 / 100 / 100 %, ≤ 10 written exclusions",
    plan: (size) =>
      size === "quick" ? NOT_QUICK : { script: "coverage", args: ["--json"], secondsMax: 2400 },
    read: (printed) => {
      const all = listAt(printed, "lib").find((file) => wordAt(file, "file") === "all");
      return [
        { name: "% of lines", value: percentAt(printed, "core.total.lines"), least: 100 },
        { name: "% of branches", value: percentAt(printed, "core.total.branches"), least: 100 },
        { name: "% of MC/DC", value: percentAt(printed, "core.total.mcdc"), least: 95 },
        { name: "exclusions", value: listAt(printed, "core.exclusions").length },
        { name: "% of branches of lib", value: percentAt(all, "branches") },
      ];
    },
  },
  {
    name: "planted bugs",
    measure: "planted historical bugs caught",
    gate: "24 of 24, each < 60 s",
    goal: "40 of 40",
    plan: (size) => ({
      script: "mutants",
      args: [...(size === "quick" ? ["--side", "js"] : []), "--json"],
      secondsMax: { quick: 600, gate: 3600 }[size],
    }),
    read: (printed) => {
      const planted = listAt(printed, "mutants");
      const names = new Set(planted.map((one) => wordAt(one, "name")));
      const missed = planted.filter((one) => wordAt(one, "caught") !== "true");
      for (const one of missed) names.delete(wordAt(one, "name"));
      const slowest = Math.max(...planted.map((one) => numberAt(one, "ms") / 1000));
      return [
        { name: "caught", value: names.size, least: 24 },
        { name: "missed", value: missed.length, most: 0 },
        { name: "slowest, s", value: slowest, most: 60 },
      ];
    },
  },
  {
    name: "delivery matrix",
    measure: "delivery matrix: loss 0–90 %, RTT 1–600 ms, reorder, duplication, per strategy",
    gate: "60 cells",
    goal: "300 cells × 1,000 seeds",
    plan: (size, scale, total) => ({
      script: "matrix",
      args: [
        "--quick",
        ...(size === "quick" ? ["--no-figures"] : []),
        ...[
          "--seeds",
          String(scale),
          "--seed",
          String(1 + Math.ceil(total("cells") / 60)),
          "--json",
        ],
      ],
      secondsMax: 600 * scale,
    }),
    read: (printed) => [
      added("cells", listAt(printed, "cells").length, 60),
      { name: "broken", value: numberAt(printed, "broken"), most: 0 },
      { name: "figures missed", value: numberAt(printed, "missed") },
    ],
  },
  {
    name: "hostile peers",
    measure: "hostile peers",
    gate: "22 of 22",
    goal: "at line rate, honest p99 bounded",
    plan: (_size, scale) => ({
      script: "hostile",
      args: ["--scale", String(scale), "--json"],
      secondsMax: 300 * scale,
    }),
    read: (printed) => {
      const outcomes = listAt(printed, "outcomes");
      const broken = outcomes.filter((one) => wordAt(one, "result") !== "held");
      const held = new Set(outcomes.map((one) => numberAt(one, "number")));
      for (const one of [...broken, ...listAt(printed, "absent")])
        held.delete(numberAt(one, "number"));
      return [
        { name: "of 22 held", value: held.size, least: HOSTILE_PEERS },
        { name: "broken", value: numberAt(printed, "broken"), most: 0 },
      ];
    },
  },
  {
    name: "kernel faults",
    measure: "kernel faults: each errno at each call, and 1 call in 100",
    gate: "the whole table",
    goal: "10⁹ faulted calls",
    plan: (size, scale, total) => {
      const calls = { quick: 5000, gate: 20_000 }[size] * scale;
      return {
        script: "faults",
        args: ["--calls", String(calls), "--seed", String(1 + total("cells")), "--json"],
        secondsMax: 900 * scale,
      };
    },
    read: (printed) => [
      added("cells", numberAt(printed, "cells"), 1),
      added("calls", numberAt(printed, "calls"), 1),
      added("faulted calls", numberAt(printed, "faults"), 1),
      wrong("wrong", numberAt(printed, "wrong")),
    ],
  },
  {
    name: "teardown",
    measure: "teardown: 7 stages × 10 exits, both engines",
    gate: "70 × 3",
    goal: "10⁵ clean exits",
    plan: (size, scale) => {
      const rounds = { quick: 1, gate: 3 }[size] * scale;
      return {
        script: "teardown",
        args: ["--rounds", String(rounds), "--json"],
        secondsMax: 180 * rounds,
      };
    },
    read: (printed) => {
      const [exits, clean] = [numberAt(printed, "exits"), numberAt(printed, "clean")];
      return [added("clean exits", clean, 70 * 3), wrong("others", exits - clean)];
    },
  },
  {
    name: "soak",
    measure: "soak on real sockets, 64 peers, lossy link",
    gate: "60 s",
    goal: "72 h, RSS slope < 1 MB/day",
    plan: (size, scale, total) => {
      const minutes = { quick: 0.25, gate: 1 }[size] * scale;
      const seed = 1 + Math.ceil(total("seconds"));
      return {
        script: "soak",
        args: ["--minutes", String(minutes), "--seed", String(seed), "--json"],
        secondsMax: 120 + 2 * 90 * minutes,
      };
    },
    read: (printed) => {
      const soaks = listAt(printed, "soaks");
      const slopes = soaks
        .filter((one) => numberAt(one, "seconds") >= SLOPE_SECONDS)
        .flatMap((one) => listAt(one, "rssSlope").map(Number));
      const slope = { name: "RSS slope, MB/day", value: (Math.max(...slopes) * 86_400) / 1e6 };
      return [
        added("seconds", sumOf(soaks, "seconds"), 2 * 60),
        added("messages", sumOf(soaks, "messages"), 1),
        wrong("wrong", soaks.flatMap((one) => listAt(one, "wrong")).length),
        ...(slopes.length > 0 ? [slope] : []),
      ];
    },
  },
  {
    name: "heap",
    measure: "allocations in the core after open; JS heap per message in steady state",
    gate: "0; 0 B",
    goal: "0; 0 B",
    plan: (size) =>
      size === "quick"
        ? NOT_QUICK
        : { script: "bench", args: ["--quick", "--json"], secondsMax: BUILD_SECONDS },
    read: (printed) => {
      const rows = listAt(printed, "rows").filter((row) => wordAt(row, "name").startsWith("netrt"));
      const bytes = rows.flatMap((row) => {
        const { heapBytesPerMessage } = row as { heapBytesPerMessage?: number | null };
        return typeof heapBytesPerMessage === "number" ? [heapBytesPerMessage] : [];
      });
      if (bytes.length === 0)
        throw new Error("no row of netrt with its heap in what the command printed");
      return [{ name: "B of heap a message, worst row", value: Math.max(...bytes), most: 0 }];
    },
  },
  suiteRow(["test/vectors", "test/unit/seal", "test/unit/token"], {
    name: "crypto vectors",
    measure: "crypto vectors: RFC 8439, XChaCha draft, in the manner of Wycheproof; both engines",
    gate: "all",
    goal: "all",
  }),
  suiteRow(["test/tidy/rules", "test/oracle"], {
    name: "rules",
    measure:
      "rules of PROTOCOL.md cited in C++, TS and a test; a third decoder written only from the text",
    gate: "100 %",
    goal: "+ a third decoder",
  }),
  {
    name: "mutation score",
    measure: "mutation score of the core",
    gate: "–",
    goal: "≥ 98 %",
    plan: () => "no command makes mutants by rule yet; `npm run mutants` plants known bugs",
    read: () => [],
  },
  {
    name: "flakes",
    measure: "flakes: runs of npm test with a failure",
    gate: "0 in 20",
    goal: "0 in 200",
    plan: (size, scale) =>
      size === "quick"
        ? NOT_QUICK
        : {
            script: "test",
            args: ["--reporter=json"],
            secondsMax: 1200,
            times: FLAKE_RUNS * scale,
          },
    read: (printed) => [
      added("runs", 1, FLAKE_RUNS),
      wrong("runs with a failure", numberAt(printed, "numFailedTests") > 0 ? 1 : 0),
    ],
  },
  {
    name: "sanitizers",
    measure: "C++ tests and the addon under ASan, UBSan, LSan and TSan; canaries caught",
    gate: "4 parts",
    goal: "4 parts",
    plan: (size) =>
      size === "quick" ? NOT_QUICK : { script: "sanitize", args: ["--json"], secondsMax: 1800 },
    read: (printed) => {
      const parts = listAt(printed, "parts");
      const passed = parts.filter((part) => wordAt(part, "passed") === "true").length;
      return [{ name: "parts passed", value: passed, least: 4 }];
    },
  },
  {
    name: "links",
    measure: "real links: network namespaces with loss, duplication, rate, delay and reorder",
    gate: "every scenario",
    goal: "every scenario",
    plan: (size, scale) => {
      const seconds = { quick: 1, gate: 4 }[size] * scale;
      const args = ["--seconds", String(seconds), "--require", "--json"];
      return { script: "links", args, secondsMax: 300 + 60 * seconds };
    },
    read: (printed) => {
      const missing = wordAt(printed, "skipped");
      if (missing !== "") throw new Error(missing);
      const runs = listAt(printed, "scenarios");
      return [
        added("runs", runs.length, 1),
        wrong("broken", runs.filter((run) => listAt(run, "broken").length > 0).length),
      ];
    },
  },
];
