/*
 * The planted bugs stay what they are: each still applies to the sources of today. And the runner tells the truth: it
 * says of a bug that nothing notices, of a text that does not compile and of an edit without a place that none is caught.
 * `npm run mutants` plants them all.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MUTANTS } from "./list.js";
import { edited, type Mutant, RottenError, repositoryRoot, SIDES, unit } from "./mutant.js";
import { mutate } from "./mutate.js";
import { Sandbox } from "./sandbox.js";

/** As many as docs/SCOREBOARD.md asks for at the gate. */
const COUNT_MIN = 24;

describe("the planted bugs", () => {
  test("are enough, each with a name of its own and a side that has it", () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(COUNT_MIN);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    for (const mutant of MUTANTS) expect(SIDES.some((side) => mutant[side])).toBe(true);
  });

  const placed = MUTANTS.flatMap((mutant) =>
    SIDES.flatMap((side) => {
      const edits = mutant[side];
      return edits === undefined ? [] : [{ name: mutant.name, side, edits }];
    }),
  );
  test.each(placed)("$name applies to $side", ({ edits }) => {
    expect(edited(repositoryRoot(), edits).size).toBeGreaterThan(0);
  });
});

describe("the runner", () => {
  let sandbox: Sandbox;
  beforeAll(() => {
    sandbox = new Sandbox();
  });
  afterAll(() => sandbox.remove());

  const file = "lib/engine/sequence.ts";
  const of = (name: string, find: string, put: string): Mutant => ({
    name,
    bug: name,
    gate: unit("sequence"),
    js: [{ file, find, put }],
  });
  const ahead = "return ahead !== 0 && ahead < HALF;";

  test("says that a bug was caught, and by which test", async () => {
    const result = await mutate(sandbox, of("plain", ahead, "return a > b;"), "js");
    expect(result).toMatchObject({ caught: true, by: expect.stringContaining("sequence of 'js'") });
  });

  test("says that what changes nothing survived", async () => {
    const result = await mutate(sandbox, of("none", ahead, `${ahead} // the same`), "js");
    expect(result).toMatchObject({ caught: false, by: "survived" });
  });

  test("does not count a text that is no program", async () => {
    const result = await mutate(sandbox, of("type", ahead, 'return "ahead";'), "js");
    expect(result.caught).toBe(false);
    expect(result.by).toContain("not assignable to type 'boolean'");
  });

  test("does not count an edit that has lost its place, or has two", async () => {
    for (const find of ["return ahead of its time;", "ahead"]) {
      expect(() => edited(repositoryRoot(), of("rotten", find, "x").js ?? [])).toThrow(RottenError);
      const result = await mutate(sandbox, of("rotten", find, "x"), "js");
      expect(result.caught).toBe(false);
      expect(result.by).toContain("RottenError");
    }
  });
});
