// The engines in lockstep: whatever one does, the other does, byte for byte, in worlds that lose, delay and forge
// datagrams, run out of memory and break the rules. `npm run lockstep -- --seeds 1000` goes on for longer.
import { describe, expect, it } from "vitest";
import type { EngineName } from "../sim/pair.js";
import { type LockstepResult, lockstepRun } from "./lockstep.js";

const { LOCKSTEP_SEED, LOCKSTEP_STEPS, NETRT_TEST_TWINS } = process.env;
/** Steps of one world: a few thousand are a minute or two of its time. */
const STEPS = Number(LOCKSTEP_STEPS ?? 3000);
/** Worlds: about twenty seconds of ours. */
const SEEDS =
  LOCKSTEP_SEED === undefined
    ? Array.from({ length: 24 }, (_, index) => index + 1)
    : [Number(LOCKSTEP_SEED)];
const ENGINES: readonly EngineName[] = NETRT_TEST_TWINS === "js" ? ["js"] : ["js", "native"];

describe("lockstep", () => {
  const results: LockstepResult[] = [];

  it.each(SEEDS)("world %i: the engines agree and keep their promises", (seed) => {
    results.push(lockstepRun({ seed, steps: STEPS, engines: ENGINES }));
  });

  it.skipIf(SEEDS.length === 1)("worlds in which something happened", () => {
    const sum = (field: keyof LockstepResult) =>
      results.reduce((total, result) => total + result[field], 0);
    expect(sum("sessions")).toBeGreaterThan(SEEDS.length * 5);
    expect(sum("messages")).toBeGreaterThan(SEEDS.length * 200);
    expect(sum("fates")).toBeGreaterThan(SEEDS.length * 200);
  });
});
