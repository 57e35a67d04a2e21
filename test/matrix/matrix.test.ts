// The delivery matrix at the size of a gate: 60 cells on each engine, and the figures. `npm run matrix` runs all.
import { describe, expect, it } from "vitest";
import type { EngineName } from "../sim/rig.js";
import { bottleneckRun } from "./bottleneck.js";
import { cellRun } from "./cell.js";
import { contractBroken } from "./contract.js";
import { figuresRun } from "./figures.js";
import { type Cell, type CellRow, cellsOf, matrixRun } from "./matrix.js";

const SECONDS = 5;
const ENGINES: readonly EngineName[] =
  process.env.NETRT_TEST_TWINS === "js" ? ["js"] : ["js", "native"];

const run = (cells: readonly Cell[], engine: EngineName): CellRow[] => [
  ...matrixRun(cells, { engine, seed: 1, seeds: 1, seconds: SECONDS }),
];

describe.each(ENGINES)("the delivery matrix, %s", (engine) => {
  const cells = cellsOf(true);

  it("has the cells of a gate", () => {
    expect(cells).toHaveLength(60);
  });

  it.each(cells)("$name: kept", (cell) => {
    const [{ broken, result }] = run([cell], engine);
    expect(broken).toEqual([]);
    expect(result.sent).toBeGreaterThan(600);
    expect(result.arrived).toBeGreaterThan(cell.weather.loss === 90 ? 50 : 500);
  });
});

describe("the same cell", () => {
  const [cell] = cellsOf(true, "reliable").filter(({ name }) => name.includes("20% 200ms"));

  it.skipIf(ENGINES.length === 1)("is the same in both engines, to the byte", () => {
    const [js, native] = ENGINES.map((engine) => run([cell], engine)[0].result);
    expect(native).toEqual(js);
  });

  it("is another with another seed", () => {
    const one = cellRun({ ...cell, seed: 1, engine: "js", seconds: SECONDS });
    const two = cellRun({ ...cell, seed: 2, engine: "js", seconds: SECONDS });
    expect(two.latency).not.toEqual(one.latency);
  });
});

describe("a contract", () => {
  const [cell] = cellsOf(true, "reliable");
  const kept = cellRun({ ...cell, seed: 1, engine: "js", seconds: 2 });
  const { policy, weather } = cell;

  it("is kept in good weather", () => {
    expect(contractBroken(policy, weather, kept)).toEqual([]);
  });

  it.each([
    ["duplicates", { duplicates: 1 }],
    ["out of order", { disordered: 1 }],
    ["other bytes", { corrupted: 1 }],
    ["without a fate", { unknown: 1 }],
    ["in silence", { silent: 1 }],
    ["twice", { fatesWrong: 1 }],
    ["ended", { ends: [{ reason: 3, local: true, text: "" }, null] }],
  ])("is broken by what is wrong: %s", (said, change) => {
    const broken = contractBroken(policy, weather, { ...kept, ...change });
    expect(broken).toHaveLength(1);
    expect(broken[0]).toContain(said);
  });
});

describe("a link that is full for a minute", () => {
  it.each([1, 4])("has no queue that passes for its length: %i peers", (clients) => {
    const options = { clients, rateBytes: 2_500_000, lossPercent: 1 };
    const { use, queueP95 } = bottleneckRun("js", 1, options, 60);
    expect(use).toBeGreaterThan(0.85);
    expect(queueP95).toBeLessThan(12);
  });
});

describe("the figures", () => {
  const figures = figuresRun(ENGINES.at(-1) as EngineName, 1, true);

  it.each(figures)("$name", ({ reached, measured }) => {
    expect({ reached, measured }).toMatchObject({ reached: true });
  });
});
