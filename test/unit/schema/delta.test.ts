/*
 * Owns what a delta costs: a bit for equal (S-11), small changes in few bits (S-12), each type in its own
 * way (S-13, S-14); and that a delta needs its baseline.
 */
import { describe, expect, test } from "vitest";
import {
  align,
  angle,
  array,
  bits,
  bool,
  bytes,
  check,
  enumeration,
  fixedArray,
  float32,
  float64,
  object,
  optional,
  quantized,
  quaternion,
  range,
  relativeIndices,
  type Schema,
  schema,
  string,
  subset,
  type Type,
  u8,
  u64,
  union,
  varint,
} from "../../../lib/schema/index.js";

const metre = quantized(-256, 256, 1 / 512);
const turn = (angleOf: number) => ({ x: 0, y: Math.sin(angleOf), z: 0, w: Math.cos(angleOf) });

// Bits of a change: the one that says that there is one among them.
const costs: [Type<unknown>, base: unknown, value: unknown, changeBits: number][] = [
  [bool, false, true, 1],
  [bits(3), 1, 7, 1 + 3],
  // Steps of 2 and 4 bits, and the number.
  [u8, 100, 101, 1 + 1 + 2],
  [u8, 100, 98, 1 + 1 + 2],
  [u8, 100, 110, 1 + 2 + 4],
  [u8, 100, 200, 1 + 2 + 8],
  // As in Fiedler's cubes: 5 and 9 bits of 18.
  [metre, 10, 10 + 16 / 512, 1 + 1 + 5],
  [metre, 10, 10.5, 1 + 2 + 9],
  [metre, 10, 200, 1 + 2 + 19],
  [angle(10), Math.PI - 0.001, -Math.PI + 0.01, 1 + 1 + 3],
  [u64, 2n ** 63n, 2n ** 63n + 1000n, 1 + 1 + 16],
  [u64, 0n, 2n ** 31n, 1 + 2 + 32],
  [u64, 0n, 2n ** 63n, 1 + 2 + 64],
  [float32, 1, 1 + 2 ** -23, 1 + 1 + 9],
  [float64, 1, 1 + 2 ** -52, 1 + 1 + 16],
  [varint, 1000, 1010, 1 + 1 + 6],
  [varint, 1000, 2000, 1 + 1 + 16],
  [quaternion(9), turn(0.1), turn(0.102), 1 + 1 + 1 + (1 + 1 + 3) + 1],
  [string(20), "hello", "hallo", 1 + 5 + 40],
  [bytes(7), Uint8Array.of(1), Uint8Array.of(2), 1 + 3 + 8],
  [optional(u8), undefined, 5, 1 + 8],
  [optional(u8), 5, undefined, 1 + 1],
  [optional(u8), 5, 6, 1 + 1 + 3],
  [enumeration("a", "b", "c"), "a", "c", 1 + 2],
  [object({ a: u8, b: bool }), { a: 1, b: true }, { a: 2, b: true }, 1 + 4 + 1],
  [array(u8, 7), [1, 2, 3], [1, 2, 4], 1 + 1 + 1 + 1 + 4],
  [array(u8, 7), [1, 2], [1, 2, 9], 1 + 1 + 3 + 1 + 1 + 8],
  [array(u8, 7), [1, 2, 3], [1], 1 + 1 + 3 + 1],
  [fixedArray(u8, 2), [1, 2], [1, 3], 1 + 1 + 4],
  [union("k", { a: { x: u8 }, b: {} }), { k: "a", x: 1 }, { k: "b" }, 1 + 1 + 1],
  [union("k", { a: { x: u8 }, b: {} }), { k: "a", x: 1 }, { k: "a", x: 2 }, 1 + 1 + 4],
  [relativeIndices(1000, 7), [1, 900], [1, 2, 900], 1 + 4 + 4],
  [subset(64), [1, 2, 3], [1, 2, 3, 4], 1 + 1 + 7 + 4],
];

describe.each(costs)("of $0.layout from %j", (type, base, value, changeBits) => {
  test("the change costs what it should, and no change a bit", () => {
    const one = schema(type);
    expect(one.measureDelta(base, base)).toBe(1);
    expect(one.encodeDelta(base, base)).toEqual(Uint8Array.of(0));
    expect(one.measureDelta(value, base)).toBe(changeBits);
    const delta = one.encodeDelta(value, base);
    expect(delta).toHaveLength(Math.ceil(changeBits / 8));
    expect(one.encode(one.decodeDelta(delta, base))).toEqual(one.encode(value));
  });
});

test("a field that has but one value costs nothing, and marks have no part", () => {
  const one = schema({ a: range(5, 5), gap: align(), word: check(), b: u8 });
  expect(one.measureDelta({ a: 5, b: 1 }, { a: 5, b: 1 })).toBe(1);
  expect(one.measureDelta({ a: 5, b: 2 }, { a: 5, b: 1 })).toBe(1 + 4);
});

test("64 players of whom three moved", () => {
  const player = object({ id: u8, alive: bool, x: metre, y: metre });
  const one = schema({ players: array(player, 64) });
  const players = Array.from({ length: 64 }, (_, id) => ({ id, alive: true, x: id, y: -id }));
  const moved = players.map((each) => (each.id % 25 === 1 ? { ...each, x: each.x + 0.01 } : each));
  expect(one.measure({ players })).toBe(7 + 64 * 47);
  // The snapshot, the list, its length, 64 players, and of three of them four fields with a step.
  expect(one.measureDelta({ players: moved }, { players })).toBe(1 + 1 + 1 + 64 + 3 * (4 + 6));
});

describe("decodeDelta", () => {
  const one: Schema<{ at: { x: number; y: number }; list: number[] }> = schema({
    at: object({ x: metre, y: metre }),
    list: array(u8, 5),
  });
  const base = { at: { x: 1, y: 2 }, list: [1, 2, 3] };
  const next = { at: { x: 1, y: 3 }, list: [1, 2] };

  test("makes a value of its own, the baseline stays", () => {
    const value = one.decodeDelta(one.encodeDelta(next, base), base);
    expect(value).toEqual(next);
    expect(value?.at).not.toBe(base.at);
    expect(value?.list).not.toBe(base.list);
    expect(base).toEqual({ at: { x: 1, y: 2 }, list: [1, 2, 3] });
  });

  test("reads into an object that is there", () => {
    const into = { at: { x: 0, y: 0 }, list: [] };
    const { at, list } = into;
    const value = one.decodeDelta(one.encodeDelta(next, base), base, into);
    expect(value).toBe(into);
    expect(value).toEqual(next);
    expect(value?.at).toBe(at);
    expect(value?.list).toBe(list);
  });

  test.each([
    ["nothing", [], "truncated", ""],
    ["more than the delta", [0, 0], "trailing", ""],
    ["a bit after its end", [0b10], "padding", ""],
    ["a change of nothing", [0b001], "form", ""],
    ["the length that it has", [0b011_0_1_0_1], "form", "list"],
    ["a step past the end", [0b1011], "truncated", ""],
  ])("refuses %s", (_what, bytes, reason, field) => {
    expect(one.decodeDelta(Uint8Array.from(bytes), base)).toBeUndefined();
    expect(one.rejected).toEqual({ reason, field });
  });
});
