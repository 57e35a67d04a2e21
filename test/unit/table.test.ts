/*
 * From a hash to the indices that have it, against a Map (R-17: the hashes are keyed, so chains stay short; here they
 * are made long on purpose).
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_INDEX } from "../../lib/engine/table.js";
import { type EngineProbe, type TableHandle, twins } from "../twins.js";

const CAPACITY = 40;

function chain(engine: EngineProbe, table: TableHandle, hash: number): number[] {
  const found: number[] = [];
  let index = engine.tableFirst(table, hash);
  for (; index !== NO_INDEX; index = engine.tableNext(table, index)) found.push(index);
  return found;
}

const sorted = (numbers: Iterable<number>) => [...numbers].sort((left, right) => left - right);

/** Equal ones, equal ones in the low bits, and the ends of the range. */
const hash = fc.oneof(
  fc.nat(3),
  fc.nat(5).map((high) => (high * 64 + 1) >>> 0),
  fc.constantFrom(0, 0x7fffffff, 0x80000000, 0xffffffff),
);
const step = fc.record({ index: fc.nat(CAPACITY - 1), hash });

describe.each(twins)("table of $name", ({ engine }) => {
  test("an empty table has nothing", () => {
    for (const capacity of [1, 15, 16, 17, 1000]) {
      const table = engine.tableOpen(capacity);
      for (const value of [0, 1, 0xffffffff]) {
        expect(engine.tableFirst(table, value)).toBe(NO_INDEX);
      }
    }
  });

  test("the first and the last index of a table of any size", () => {
    for (const capacity of [1, 2, 16, 17, 256]) {
      const table = engine.tableOpen(capacity);
      const ends = sorted(new Set([0, capacity - 1]));
      for (const index of ends) engine.tableInsert(table, 0xffffffff, index);
      expect(sorted(chain(engine, table, 0xffffffff))).toEqual(ends);
    }
  });

  test("a hash is compared whole, not by its bucket", () => {
    const table = engine.tableOpen(16);
    engine.tableInsert(table, 5, 0);
    engine.tableInsert(table, 5 + 16, 1);
    engine.tableInsert(table, (5 + 2 ** 31) >>> 0, 2);
    expect(chain(engine, table, 5)).toEqual([0]);
    expect(chain(engine, table, 21)).toEqual([1]);
    expect(chain(engine, table, (5 + 2 ** 31) >>> 0)).toEqual([2]);
  });

  test("taking out the first, one in the middle and the last of a chain", () => {
    for (const gone of [0, 1, 2, 3]) {
      const table = engine.tableOpen(4);
      for (const index of [0, 1, 2, 3]) engine.tableInsert(table, 9, index);
      engine.tableRemove(table, gone);
      expect(sorted(chain(engine, table, 9))).toEqual([0, 1, 2, 3].filter((i) => i !== gone));
    }
  });

  test("taking out what is not in changes nothing", () => {
    const table = engine.tableOpen(4);
    engine.tableInsert(table, 9, 0);
    engine.tableRemove(table, 3);
    engine.tableRemove(table, 0);
    engine.tableRemove(table, 0);
    engine.tableInsert(table, 9, 1);
    expect(chain(engine, table, 9)).toEqual([1]);
  });

  test("any sequence, against a Map", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const table = engine.tableOpen(CAPACITY);
        const model = new Map<number, number>();
        for (const { index, hash: value } of steps) {
          // In the table already: out with it, as a slot that becomes free.
          if (model.delete(index)) {
            engine.tableRemove(table, index);
          } else {
            engine.tableInsert(table, value, index);
            model.set(index, value);
          }
          const expected = [...model].filter((entry) => entry[1] === value).map(([at]) => at);
          expect(sorted(chain(engine, table, value))).toEqual(sorted(expected));
        }
      }),
      { numRuns: 300 },
    );
  });
});
