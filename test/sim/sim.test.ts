// The simulator at the size of a gate: kept seeds, new worlds, planted bugs, and what must make no difference.
// `npm run sim -- --seeds 2000` goes on for longer.
import { describe, expect, it } from "vitest";
import { CANARIES } from "./canary.js";
import { FAULTS, type Fault } from "./faults.js";
import { seedsRead } from "./seeds.js";
import { failureOf, shrink } from "./shrink.js";
import { type Engines, replayOf, type SimCase, type SimResult, simRun, simSame } from "./sim.js";

const JS_ONLY = process.env.NETRT_TEST_TWINS === "js";
const ENGINES: Engines = JS_ONLY ? "js" : "mix";
/** About half a minute of worlds. */
const SEEDS = Array.from({ length: 60 }, (_, index) => 1000 + index);
const STEPS = 2000;
const CANARY_SEEDS = 20;
const CANARY_STEPS = 1500;

const caseOf = (seed: number, steps = STEPS): SimCase => ({ seed, steps, engines: ENGINES });

describe("kept seeds", () => {
  const kept = seedsRead().filter(({ engines }) => !JS_ONLY || engines === "js");

  it.each(kept)("$seed, $steps steps: $note", (one) => {
    expect(failureOf(() => simRun(one))).toBeNull();
  });
});

describe("worlds", () => {
  const results: SimResult[] = [];

  it.each(SEEDS)("%i keeps its promises and comes to rest", (seed) => {
    expect(failureOf(() => results.push(simRun(caseOf(seed))))?.message).toBeUndefined();
  });

  it("were worlds in which something happened", () => {
    const sum = (field: "sessions" | "messages" | "fates") =>
      results.reduce((total, result) => total + result[field], 0);
    expect(sum("sessions")).toBeGreaterThan(SEEDS.length * 10);
    expect(sum("messages")).toBeGreaterThan(SEEDS.length * 200);
    expect(sum("fates")).toBeGreaterThan(SEEDS.length * 200);
  });

  it("had every fault, and none had all", () => {
    const seen = new Set<Fault>(results.flatMap(({ faults }) => faults));
    expect([...seen].sort()).toEqual([...FAULTS].sort());
    const most = Math.max(...results.map(({ faults }) => faults.length));
    expect(most).toBeLessThan(FAULTS.length);
  });
});

describe("planted bugs", () => {
  it.each(CANARIES)("%s is caught", (canary) => {
    const seeds = Array.from({ length: CANARY_SEEDS }, (_, index) => index + 1);
    const caught = seeds.some((seed) => {
      const one: SimCase = { seed, steps: CANARY_STEPS, engines: "js" };
      return failureOf(() => simRun(one, { canary })) !== null;
    });
    expect(caught).toBe(true);
  });

  it("are shrunk, and replay as the line says", () => {
    const fails = (one: SimCase) => failureOf(() => simRun(one, { canary: "bytes" }));
    const first = fails({ seed: 4, steps: CANARY_STEPS, engines: "js" });
    if (first === null) throw new Error("the canary was not caught");
    const small = shrink(first, fails);
    expect(small.failed.steps).toBeLessThanOrEqual(first.step + 1);
    expect(small.failed.without?.length).toBeGreaterThan(5);
    expect(fails(small.failed)?.problem).toBe(small.problem);
    expect(replayOf(small.failed)).toMatch(/^npm run sim -- --seed 4 --steps \d+ --engine js/);
    expect(small.message).toContain(replayOf(small.failed));
  });
});

describe.skipIf(JS_ONLY)("what must make no difference makes none", () => {
  it.each([1, 2, 3, 4, 6, 8, 11, 14])("world %i", (seed) => {
    expect(simSame(caseOf(seed, 1000))).toBeGreaterThan(100);
  });

  it("and the trace tells one world from another", () => {
    const one = caseOf(1, 300);
    expect(() => simSame(one)).not.toThrow();
    expect(simRun(one)).not.toEqual(simRun(caseOf(2, 300)));
  });
});
