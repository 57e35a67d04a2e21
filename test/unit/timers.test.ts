/*
 * The earliest of many deadlines, against a list that is searched: the caller is always told the earliest,
 * and a deadline that was taken out is never told again.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_DEADLINE } from "../../lib/engine/timers.js";
import { type EngineProbe, twins } from "../twins.js";

const SLOTS = 20;

const step = fc.record({
  slot: fc.nat(SLOTS - 1),
  deadlineUs: fc.oneof(
    // Few values, so that equal deadlines meet.
    fc.nat(9),
    fc.nat(2 ** 45),
    fc.constantFrom(NO_DEADLINE, NO_DEADLINE - 1, 2 ** 32 - 1, 2 ** 32),
  ),
});

/** Every slot in the order in which they are served. */
function drain(engine: EngineProbe, steps: readonly { slot: number; deadlineUs: number }[]) {
  const timers = engine.timersOpen(SLOTS);
  for (const { slot, deadlineUs } of steps) engine.timersSet(timers, slot, deadlineUs);
  const order: number[] = [];
  while (engine.timersNext(timers) !== NO_DEADLINE) {
    order.push(engine.timersFirst(timers));
    engine.timersSet(timers, order[order.length - 1], NO_DEADLINE);
  }
  return order;
}

describe.each(twins)("timers of $name", ({ engine }) => {
  test("without a deadline there is none to wait for", () => {
    expect(engine.timersNext(engine.timersOpen(1))).toBe(NO_DEADLINE);
  });

  test("one slot: set, moved, taken out", () => {
    const timers = engine.timersOpen(1);
    for (const deadlineUs of [5, 3, 9, NO_DEADLINE, 0, NO_DEADLINE]) {
      engine.timersSet(timers, 0, deadlineUs);
      expect(engine.timersNext(timers)).toBe(deadlineUs);
    }
  });

  test("all slots at once come out sorted", () => {
    const timers = engine.timersOpen(1000);
    const deadlines = Array.from({ length: 1000 }, (_, slot) => (slot * 7919) % 1009);
    deadlines.forEach((deadlineUs, slot) => {
      engine.timersSet(timers, slot, deadlineUs);
    });
    const sorted = [...deadlines].sort((left, right) => left - right);
    const served = sorted.map(() => {
      const deadlineUs = engine.timersNext(timers);
      const slot = engine.timersFirst(timers);
      expect(deadlines[slot]).toBe(deadlineUs);
      engine.timersSet(timers, slot, NO_DEADLINE);
      return deadlineUs;
    });
    expect(served).toEqual(sorted);
    expect(engine.timersNext(timers)).toBe(NO_DEADLINE);
  });

  test("what takes the place of one that is taken out finds its own, up or down", () => {
    // In the heap the last stands below another parent than the one that goes, and before it.
    const deadlines = [1, 10, 2, 11, 12, 3, 4, 13, 14, 15, 16, 31, 32, 33, 5];
    for (let gone = 0; gone < deadlines.length; gone++) {
      const timers = engine.timersOpen(deadlines.length);
      deadlines.forEach((deadlineUs, slot) => {
        engine.timersSet(timers, slot, deadlineUs);
      });
      engine.timersSet(timers, gone, NO_DEADLINE);
      const rest = deadlines.filter((_, slot) => slot !== gone).sort((left, right) => left - right);
      for (const deadlineUs of rest) {
        expect(engine.timersNext(timers)).toBe(deadlineUs);
        engine.timersSet(timers, engine.timersFirst(timers), NO_DEADLINE);
      }
    }
  });

  test("any sequence of settings, against a list", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const timers = engine.timersOpen(SLOTS);
        const model = new Array<number>(SLOTS).fill(NO_DEADLINE);
        for (const { slot, deadlineUs } of steps) {
          engine.timersSet(timers, slot, deadlineUs);
          model[slot] = deadlineUs;
          const earliest = Math.min(...model);
          expect(engine.timersNext(timers)).toBe(earliest);
          if (earliest < NO_DEADLINE) {
            expect(model[engine.timersFirst(timers)]).toBe(earliest);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("each slot that is set is served exactly once", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const last = new Map(steps.map(({ slot, deadlineUs }) => [slot, deadlineUs]));
        const due = [...last.keys()].filter((slot) => last.get(slot) !== NO_DEADLINE);
        const order = drain(engine, steps);
        expect([...order].sort()).toEqual(due.sort());
      }),
      { numRuns: 300 },
    );
  });
});

test("equal deadlines are served in the same order by every engine", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const [first, ...others] = twins.map(({ engine }) => drain(engine, steps));
      for (const other of others) expect(other).toEqual(first);
    }),
    { numRuns: 200 },
  );
});
