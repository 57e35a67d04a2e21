/*
 * Owns the test of the replay window: nothing twice, nothing too old, and right at both ends of the
 * sequence space.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CoreProbe, twins } from "../twins.js";

const WINDOW = 256n;
const LAST = 2n ** 64n - 1n;

/** Which of the sequences are acceptable, where each acceptable one is then received. */
function receive(core: CoreProbe, sequences: readonly bigint[], advances?: readonly boolean[]) {
  const words = Uint32Array.from(
    sequences.flatMap((sequence) => [Number(sequence & 0xffffffffn), Number(sequence >> 32n)]),
  );
  const results = new Uint8Array(sequences.length);
  const advance = Uint8Array.from(sequences, (_, index) => ((advances?.[index] ?? true) ? 1 : 0));
  core.replayRun(words, advance, results);
  return [...results].map((result) => result === 1);
}

/** The rule itself, over every sequence that was received. */
function rule(sequences: readonly bigint[], advances?: readonly boolean[]): boolean[] {
  const seen = new Set<bigint>();
  let newest = 0n;
  return sequences.map((sequence, index) => {
    const acceptable = sequence > newest || (newest - sequence < WINDOW && !seen.has(sequence));
    if (advances?.[index] ?? true) {
      if (sequence > newest) newest = sequence;
      if (newest - sequence < WINDOW) seen.add(sequence);
    }
    return acceptable;
  });
}

const span = (first: bigint, count: number) =>
  Array.from({ length: count }, (_, index) => first + BigInt(index));

/** Sequences that crowd around one place, with jumps of about a window. */
const crowd = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(0n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, LAST),
      fc.bigInt({ min: 0n, max: LAST }),
    ),
    fc.array(fc.oneof(fc.bigInt({ min: -600n, max: 600n }), fc.bigInt({ min: -10n, max: 10n })), {
      minLength: 1,
      maxLength: 120,
    }),
  )
  .map(([start, steps]) =>
    steps.map((step) => {
      const sequence = start + step;
      return sequence < 0n ? -sequence : sequence > LAST ? 2n * LAST - sequence : sequence;
    }),
  );

describe.each(twins)("replay of $name", ({ core }) => {
  test("each sequence once, 0 too", () => {
    expect(receive(core, [0n, 0n, 1n, 0n, 1n, 2n])).toEqual([
      true,
      false,
      true,
      false,
      false,
      true,
    ]);
  });

  test("out of order within the window", () => {
    const sequences = [...span(0n, 256)].reverse();
    expect(receive(core, sequences)).toEqual(sequences.map(() => true));
    expect(receive(core, [...sequences, ...sequences]).slice(256)).not.toContain(true);
  });

  test("255 older is acceptable, 256 older is not", () => {
    expect(receive(core, [1000n, 745n, 744n, 743n])).toEqual([true, true, false, false]);
  });

  test("what was passed over is acceptable, whatever its bit said before", () => {
    // 5 and 261 share a bit.
    expect(receive(core, [5n, 262n, 261n, 261n, 5n])).toEqual([true, true, true, false, false]);
    expect(receive(core, [...span(0n, 256), 511n, ...span(256n, 255)]).slice(256)).not.toContain(
      false,
    );
  });

  test("a jump of a window or more forgets everything", () => {
    for (const jump of [256n, 257n, 511n, 512n, 2n ** 32n, LAST - 255n]) {
      const [newest] = [255n + jump];
      const sequences = [...span(0n, 256), newest, ...span(newest - 255n, 255)];
      expect(receive(core, sequences)).toEqual(rule(sequences));
    }
  });

  test("the last sequences of all are acceptable, once", () => {
    // The mistake of the reference: LAST - 5 + 256 wraps, and looks older than the newest.
    const sequences = [LAST - 300n, LAST - 5n, LAST - 6n, LAST, LAST - 255n, LAST - 256n, LAST];
    expect(receive(core, sequences)).toEqual([true, true, true, true, true, false, false]);
    const all = span(LAST - 999n, 1000);
    expect(receive(core, all)).not.toContain(false);
    expect(receive(core, [...all, ...all]).slice(1000)).not.toContain(true);
  });

  test("across the border of the low half", () => {
    const sequences = span(2n ** 32n - 300n, 600);
    expect(receive(core, [...sequences, ...sequences])).toEqual([
      ...sequences.map(() => true),
      ...sequences.map(() => false),
    ]);
  });

  test("a test moves nothing (R-6)", () => {
    const sequences = [10n, 5000n, 10n, 9n];
    expect(receive(core, sequences, [true, false, false, false])).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  test("too old a sequence moves nothing", () => {
    expect(receive(core, [1000n, 1n, 257n, 1000n - 255n])).toEqual([true, false, false, true]);
  });

  test("any crowd of sequences, as the rule has it", () => {
    fc.assert(
      fc.property(crowd, fc.array(fc.boolean(), { minLength: 120, maxLength: 120 }), (all, ok) => {
        expect(receive(core, all)).toEqual(rule(all));
        expect(receive(core, all, ok)).toEqual(rule(all, ok));
      }),
      { numRuns: 500 },
    );
  });
});
