// Blocks in the simulator: a few worlds that are known to have them, as a gate for planted bugs. `sim.test.ts`
// and `npm run sim` have them in half of theirs.
import { describe, expect, it } from "vitest";
import { type Engines, type SimResult, simRun } from "./sim.js";

const ENGINES: Engines = process.env.NETRT_TEST_TWINS === "js" ? "js" : "mix";
const SEEDS = [4, 5, 14];
const STEPS = 800;

describe("worlds with blocks", () => {
  const results: SimResult[] = [];

  it.each(SEEDS)("%i keeps its promises and comes to rest", (seed) => {
    results.push(simRun({ seed, steps: STEPS, engines: ENGINES }));
    expect(results.at(-1)?.faults).toContain("blocks");
  });

  it("had blocks that arrived", () => {
    expect(results.reduce((sum, { blocks }) => sum + blocks, 0)).toBeGreaterThan(20);
  });
});
