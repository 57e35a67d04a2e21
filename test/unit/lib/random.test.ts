// The seeded generator of the simulated links.
import { describe, expect, it } from "vitest";
import { Random } from "../../../lib/sim/random.js";

const take = (seed: number, count: number): number[] => {
  const random = new Random(seed);
  return Array.from({ length: count }, () => random.next32());
};

describe("Random", () => {
  it("is xoshiro128** seeded by SplitMix32", () => {
    // Computed apart from this code, with a generator that gives the published sequence for the
    // state 1, 2, 3, 4.
    expect(take(0, 6)).toEqual([
      0x6ab03720, 0x02ae349e, 0x96495024, 0xe5671339, 0x43d97292, 0x2ca867b9,
    ]);
    expect(take(1, 6)).toEqual([
      0x177119d4, 0x81962de5, 0xe3609ab3, 0x7cbcc17a, 0x6f2c548e, 0x81e3835f,
    ]);
    expect(take(-1, 4)).toEqual(take(0xffffffff, 4));
  });

  it("spreads evenly below a count", () => {
    const random = new Random(7);
    const seen = new Array<number>(10).fill(0);
    for (let index = 0; index < 100_000; index++) seen[random.below(10)]++;
    for (const count of seen) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    expect(random.below(1)).toBe(0);
    for (let index = 0; index < 100; index++) expect(random.below(2 ** 32)).toBeLessThan(2 ** 32);
  });

  it("has chances from never to always", () => {
    const random = new Random(7);
    const count = (percent: number): number => {
      let hits = 0;
      for (let index = 0; index < 100_000; index++) if (random.chance(percent)) hits++;
      return hits;
    };
    expect(count(0)).toBe(0);
    expect(count(100)).toBe(100_000);
    const hits = count(5);
    expect(hits / 1000).toBeGreaterThan(4.7);
    expect(hits / 1000).toBeLessThan(5.3);
  });
});
