/*
 * The scoreboard tells what ran: figures are read from what commands print, a figure below its gate fails, what can't be
 * read is no zero, runs add up, and a command that takes too long or is interrupted ends with all that it started.
 */
import fs from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { exists, ROOT, read } from "../tidy/tree.js";
import { boardAdd, boardRead, boardTotal, boardWrite } from "./board.js";
import { failuresIn, objectIn, type Printed, runCommand } from "./command.js";
import { below, type Figure, type Outcome, passes, shortfalls } from "./figure.js";
import { merged, outcomeOf } from "./measure.js";
import { ROWS, type Row } from "./rows.js";

const rowOf = (name: string): Row => ROWS.find((row) => row.name === name) as Row;
const printed = (object: unknown, problem = ""): Printed => ({ object, problem, seconds: 1 });
const never = new AbortController().signal;

const file = { file: "all", lines: [9, 9], branches: [9, 10] };
const suites = { numPassedTests: 30, numFailedTests: 0 };
const target = { passed: true, executions: 9e6, seconds: 61, perProcessorSecond: 9e4, newEdges: 0 };
const held = Array.from({ length: 22 }, (_, index) => ({ number: index + 1, result: "held" }));
const mutants = Array.from({ length: 24 }, (_, index) => ({
  name: `bug-${index}`,
  caught: true,
  ms: 900,
}));

const reached = (lines: number[], branches: number[], mcdc: number[]) => ({
  core: { total: { lines, branches, mcdc }, exclusions: [] },
  lib: [file],
});

/** What each command prints when all is well, and an object of each that is not: below some gate of its row. */
const SAMPLES: Record<string, readonly [good: object, ...bad: object[]]> = {
  lockstep: [
    { inputs: 5e7, worlds: 900, failures: [], cpuRate: 3e4 },
    { inputs: 5e7, worlds: 900, failures: ["differs"], cpuRate: 3e4 },
    { inputs: 4e7, worlds: 900, failures: [], cpuRate: 3e4 },
  ],
  sim: [
    { worlds: 2000, connectionHours: 100, failures: [], missed: [] },
    { worlds: 2000, connectionHours: 99, failures: [], missed: [] },
    { worlds: 2000, connectionHours: 100, failures: [], missed: ["bytes"] },
    { worlds: 2000, connectionHours: 100, failures: ["lost"], missed: [] },
  ],
  "stateless fuzz": [
    { targets: Array(4).fill(target) },
    { targets: [target, target, target, { ...target, passed: false }] },
    { targets: [target, target, target] },
  ],
  "stateful fuzz": [{ targets: Array(4).fill(target) }, { targets: [target] }],
  coverage: [
    reached([9, 9], [9, 9], [95, 100]),
    reached([8, 9], [9, 9], [95, 100]),
    reached([9, 9], [8, 9], [95, 100]),
    reached([9, 9], [9, 9], [94, 100]),
  ],
  "planted bugs": [
    { mutants },
    { mutants: mutants.slice(1) },
    { mutants: [...mutants, { name: "bug-0", caught: false, ms: 900 }] },
    { mutants: [...mutants, { name: "slow", caught: true, ms: 61_000 }] },
  ],
  "delivery matrix": [
    { cells: Array(60).fill({}), broken: 0, missed: 0 },
    { cells: Array(59).fill({}), broken: 0, missed: 0 },
    { cells: Array(60).fill({}), broken: 1, missed: 0 },
  ],
  "hostile peers": [
    { outcomes: held, absent: [], broken: 0 },
    { outcomes: held.slice(1), absent: [], broken: 0 },
    { outcomes: held, absent: [{ number: 7 }], broken: 0 },
    { outcomes: [...held, { number: 7, result: "broken" }], absent: [], broken: 1 },
  ],
  "kernel faults": [
    { cells: 300, calls: 9000, faults: 90, wrong: 0 },
    { cells: 300, calls: 9000, faults: 90, wrong: 1 },
    { cells: 300, calls: 0, faults: 0, wrong: 0 },
  ],
  teardown: [
    { exits: 420, clean: 420 },
    { exits: 420, clean: 419 },
    { exits: 200, clean: 200 },
  ],
  soak: [
    { soaks: [{ seconds: 120, messages: 9, wrong: [], rssSlope: [1, 2] }] },
    { soaks: [{ seconds: 120, messages: 9, wrong: ["a handle left"], rssSlope: [1, 2] }] },
    { soaks: [{ seconds: 60, messages: 9, wrong: [], rssSlope: [1, 2] }] },
  ],
  heap: [
    { rows: [{ name: "netrt", heapBytesPerMessage: 0 }, { name: "ws" }] },
    { rows: [{ name: "netrt", heapBytesPerMessage: 90 }] },
    { rows: [{ name: "netrt", heapBytesPerMessage: null }] },
  ],
  "crypto vectors": [
    suites,
    { numPassedTests: 30, numFailedTests: 1 },
    { ...suites, numPassedTests: 0 },
  ],
  rules: [suites, { numPassedTests: 30, numFailedTests: 1 }],
  flakes: [suites, { numPassedTests: 30, numFailedTests: 1 }],
  sanitizers: [
    { parts: Array(4).fill({ passed: true }) },
    { parts: [{ passed: false }, ...Array(3).fill({ passed: true })] },
  ],
  links: [
    { skipped: "", scenarios: [{ broken: [] }] },
    { skipped: "", scenarios: [{ broken: ["state: only half"] }] },
    { skipped: "no nft", scenarios: [] },
  ],
};

describe("a row", () => {
  const rows = ROWS.filter(({ name }) => name in SAMPLES);

  test("is measured by a command that there is, within a time, or says why not", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const row of ROWS) {
      const plan = row.plan("gate", 1, () => 0);
      if (typeof plan === "string") expect(plan.length).toBeGreaterThan(20);
      else {
        expect(row.name in SAMPLES, row.name).toBe(true);
        expect(plan.secondsMax).toBeGreaterThan(0);
        if (plan.script === undefined) expect(plan.args.some((suite) => exists(suite))).toBe(true);
        else expect(Object.keys(scripts)).toContain(plan.script);
      }
    }
    expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length);
  });

  test.each(rows)("$name: what is well is kept, what is below the gate fails it", (row) => {
    const times = (row.plan("gate", 1, () => 0) as { times?: number }).times ?? 1;
    const outcome = (object: object) => outcomeOf(row, Array(times).fill(printed(object)));
    const [good, ...bad] = SAMPLES[row.name] as readonly object[];
    expect(shortfalls(outcome(good as object), "gate")).toEqual([]);
    expect(passes([outcome(good as object)], "gate", true)).toBe(true);
    expect(bad.length).toBeGreaterThan(0);
    for (const object of bad) {
      expect(shortfalls(outcome(object), "gate"), JSON.stringify(object)).not.toEqual([]);
      expect(passes([outcome(good as object), outcome(object)], "gate", true)).toBe(false);
    }
  });

  test.each(rows)("$name: what it can't read is a failure and no figure", (row) => {
    const outcome = outcomeOf(row, [printed({ other: 1 })]);
    expect(outcome.figures).toEqual([]);
    expect(outcome.failed).toMatch(/^no /);
    expect(passes([outcome], "quick", false)).toBe(false);
  });

  test("whose command failed fails, gate or not, and still shows what it told", () => {
    const [good] = SAMPLES.teardown as readonly object[];
    const outcome = outcomeOf(rowOf("teardown"), [printed(good, "ended with 1")]);
    expect(outcome.figures).not.toEqual([]);
    expect(passes([outcome], "gate", false)).toBe(false);
  });

  test("that did not run keeps no gate, but a quick run may leave it out", () => {
    const outcome: Outcome = { row: "links", seconds: 0, figures: [], skipped: "no nft" };
    expect(passes([outcome], "gate", true)).toBe(false);
    expect(passes([outcome], "quick", true)).toBe(true);
  });

  test("takes seeds that no recorded run had", () => {
    for (const name of ["lockstep", "sim", "kernel faults", "soak", "delivery matrix"]) {
      const plan = (done: number) => JSON.stringify(rowOf(name).plan("gate", 1, () => done));
      expect(plan(600)).not.toBe(plan(0));
    }
  });
});

describe("a figure", () => {
  const amount: Figure = { name: "steps", value: 10, adds: true, least: 100 };

  test("is judged at, below and above its gate", () => {
    expect(below({ name: "x", value: 100, least: 100 }, "gate")).toBe("");
    expect(below({ name: "x", value: 99.9, least: 100 }, "gate")).toBe("x: 99.9, at least 100");
    expect(below({ name: "x", value: 0, most: 0 }, "gate")).toBe("");
    expect(below({ name: "x", value: 1, most: 0 }, "gate")).toBe("x: 1, at most 0");
    expect(below({ name: "x", value: Number.NaN, most: 0 }, "quick")).not.toBe("");
  });

  test("that is an amount may be small in a quick run; what went wrong may not", () => {
    expect(below(amount, "quick")).toBe("");
    expect(below(amount, "gate")).not.toBe("");
    expect(below({ name: "x", value: 1, adds: true, most: 0 }, "quick")).not.toBe("");
    expect(below({ name: "x", value: 98, least: 100 }, "quick")).not.toBe("");
  });

  test("of several runs adds up, or is the last", () => {
    const last = (value: number): Figure => ({ name: "rate", value });
    expect(merged([amount, last(1)], [amount, last(2)])).toEqual([
      { ...amount, value: 20 },
      last(2),
    ]);
  });
});

describe("docs/SCOREBOARD.md", () => {
  const stamp = (day: number) => ({ date: `2026-01-0${day}`, commit: `c${day}` });
  const run = (steps: number, rate: number): Outcome[] => [
    {
      row: "lockstep",
      seconds: 1,
      figures: [
        { name: "steps", value: steps, adds: true },
        { name: "rate", value: rate },
      ],
    },
    { row: "links", seconds: 0, figures: [], skipped: "no nft" },
  ];

  test("adds runs up, keeps the last of what does not add up, with date and commit", () => {
    const once = boardAdd([], run(1_234_567.25, 9), stamp(1));
    const twice = boardAdd(boardRead(boardWrite(once)), run(2, 0.016), stamp(2));
    expect(boardRead(boardWrite(twice))).toEqual([
      { row: "lockstep", figure: "steps", value: 1_234_569.25, runs: 2, ...stamp(2) },
      { row: "lockstep", figure: "rate", value: 0.016, runs: 2, ...stamp(2) },
    ]);
    expect(boardTotal(twice, "lockstep", "steps")).toBe(1_234_569.25);
    expect(boardTotal(twice, "sim", "seeds")).toBe(0);
  });

  test("is refused when it is not what was written", () => {
    const text = boardWrite(boardAdd([], run(5, 9), stamp(1)));
    expect(() => boardRead(text.replace("| 5 |", "| five |"))).toThrow("is none of its");
    expect(() => boardRead(text.replace("| steps |", "|"))).toThrow("is none of its");
  });

  test("as it stands can be read, and has rows that there are", () => {
    const board = boardRead(read("docs/SCOREBOARD.md"));
    for (const { row, date } of board) {
      expect(ROWS.map(({ name }) => name)).toContain(row);
      expect(date).toMatch(/^\d{4}-\d\d-\d\d$/);
    }
    expect(boardWrite(board)).toBe(read("docs/SCOREBOARD.md"));
  });
});

describe("a command", () => {
  const pidFile = `${ROOT}/dist/scoreboard-test-${process.pid}`;
  afterAll(() => fs.rmSync(pidFile, { force: true }));
  const node = (script: string, secondsMax = 30) => ({
    program: process.execPath,
    args: ["-e", script],
    secondsMax,
  });
  /** Starts a process of its own that would run for a minute, and says so in a file. */
  const FAMILY = `
    const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"], { stdio: "inherit" });
    require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
    setTimeout(() => {}, 60000);`;
  const grandchild = () => Number(fs.readFileSync(pidFile, "utf8"));
  // A process that has ended and waits for its parent to notice answers signals still.
  const runs = (pid: number) => {
    try {
      return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return false;
    }
  };

  test("is read to its object, whatever stands before it", () => {
    expect(objectIn('{"a":1}\n')).toEqual({ a: 1 });
    expect(objectIn('said {\n{ not yet\n{\n "a": { "b": 2 }\n}\n')).toEqual({ a: { b: 2 } });
    expect(objectIn("7")).toBeUndefined();
    expect(objectIn('{"a":1')).toBeUndefined();
  });

  test("says which things failed", () => {
    const failures = ["seed 3: npm run sim -- --seed 3", { cell: "send EIO" }];
    expect(failuresIn({ failures })).toEqual([failures[0], '{"cell":"send EIO"}']);
    expect(failuresIn({ failures: 2 })).toEqual([]);
    expect(failuresIn(undefined)).toEqual([]);
  });

  test("tells its object and how it ended", async () => {
    const good = await runCommand(node('console.log("{}")'), ROOT, never);
    expect(good).toMatchObject({ object: {}, problem: "" });
    const bad = await runCommand(node('console.log("{}"); process.exitCode = 3'), ROOT, never);
    expect(bad).toMatchObject({ object: {}, problem: "ended with 3" });
    const mute = await runCommand(node(""), ROOT, never);
    expect(mute).toMatchObject({ object: undefined, problem: "printed no object" });
    const none = await runCommand({ ...node(""), program: "./no-such-program" }, ROOT, never);
    expect(none.problem).toContain("ENOENT");
  });

  test("that takes too long is ended, with what it started, and has no figures", async () => {
    const late = await runCommand(node(`console.log("{}"); ${FAMILY}`, 1), ROOT, never);
    expect(late).toMatchObject({ object: undefined, problem: "took more than 1 s" });
    expect(runs(grandchild())).toBe(false);
  });

  test("that is interrupted is ended, with what it started", async () => {
    fs.rmSync(pidFile, { force: true });
    const stop = new AbortController();
    const running = runCommand(node(FAMILY), ROOT, stop.signal);
    while (!fs.existsSync(pidFile) || grandchild() === 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    stop.abort();
    expect((await running).problem).toContain("SIGTERM");
    expect(runs(grandchild())).toBe(false);
  });
});
