/*
 * Owns the test of 16-bit sequence arithmetic: wraparound, the exact half of the range, expansion.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { twins } from "../twins.js";

const low16 = fc.integer({ min: 0, max: 0xffff });
const sequence = fc.oneof(
  fc.nat({ max: 200_000 }),
  fc.maxSafeNat(),
  fc.nat({ max: 200_000 }).map((below) => Number.MAX_SAFE_INTEGER - below),
);

describe.each(twins)("sequence of $name", ({ core }) => {
  test.each([
    [1, 0, true],
    [0, 1, false],
    [0, 0, false],
    [0, 0xffff, true],
    [0xffff, 0, false],
    [0x7fff, 0, true],
    [0x8000, 0, false],
    [0, 0x8000, false],
    [0x8001, 0, false],
    [0, 0x8001, true],
  ])("newer(%i, %i) is %s", (a, b, newer) => {
    expect(core.sequenceNewer16(a, b)).toBe(newer);
  });

  test("never is each of two numbers newer than the other; neither is at half the range only", () => {
    fc.assert(
      fc.property(low16, low16, (a, b) => {
        const forward = core.sequenceNewer16(a, b);
        const backward = core.sequenceNewer16(b, a);
        const half = ((a - b) & 0xffff) === 0x8000;
        expect(forward && backward).toBe(false);
        expect(!forward && !backward).toBe(a === b || half);
      }),
    );
  });

  test.each([
    [0, 0, 0],
    [1, 0, 1],
    [0xffff, 0, -1],
    [0xffff, 65_536, 65_535],
    [0, 65_535, 65_536],
    [0x7fff, 0, 0x7fff],
    [0x8000, 0, -1],
    [0x8000, 65_536, 32_768],
    [0x7fff, 65_536, 98_303],
    [0xffff, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [0, Number.MAX_SAFE_INTEGER, -1],
    [0x8000, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 0x7fff],
  ])("expand(%i, %i) is %i", (low, reference, expanded) => {
    expect(core.sequenceExpand16(low, reference)).toBe(expanded);
  });

  test("expansion finds the nearest number with these bits", () => {
    fc.assert(
      fc.property(low16, sequence, (low, reference) => {
        const expanded = core.sequenceExpand16(low, reference);
        const ahead = (low - reference) & 0xffff;
        const nearest = BigInt(reference) + BigInt(ahead < 0x8000 ? ahead : ahead - 0x10000);
        const lawful = nearest >= 0n && nearest <= BigInt(Number.MAX_SAFE_INTEGER);
        expect(BigInt(expanded)).toBe(lawful ? nearest : -1n);
      }),
    );
  });

  test("a number less than half the range away comes back", () => {
    fc.assert(
      fc.property(sequence, fc.integer({ min: -0x8000, max: 0x7fff }), (reference, offset) => {
        const sent = reference + offset;
        fc.pre(sent >= 0 && Number.isSafeInteger(sent));
        expect(core.sequenceExpand16(sent % 0x10000, reference)).toBe(sent);
      }),
    );
  });
});
