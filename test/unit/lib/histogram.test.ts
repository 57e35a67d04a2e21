// A tick's histogram against Node's own, which gets every value at once.
import { createHistogram } from "node:perf_hooks";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TickHistogram } from "../../../lib/histogram.js";

describe("TickHistogram", () => {
  it("has nothing at first", () => {
    expect(new TickHistogram().whole.count).toBe(0);
  });

  it("has every value that was recorded, whenever it is asked", () => {
    const value = fc.integer({ min: 1, max: 2 ** 40 });
    const rounds = fc.array(fc.array(value, { maxLength: 150 }), { maxLength: 4 });
    fc.assert(
      fc.property(rounds, (values) => {
        const histogram = new TickHistogram();
        const expected = createHistogram();
        for (const round of values) {
          for (const one of round) {
            histogram.record(one);
            expected.record(one);
          }
          const { whole } = histogram;
          expect(whole.count).toBe(expected.count);
          expect([whole.min, whole.max, whole.mean]).toEqual([
            expected.min,
            expected.max,
            expected.mean,
          ]);
          expect(whole.percentile(99)).toBe(expected.percentile(99));
        }
      }),
    );
  });
});
