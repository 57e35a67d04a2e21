/*
 * Owns what is refused: values that do not fit, by name of the field, and bytes that are no message, with
 * a reason and a place (S-2); and that a peer's lengths take no memory.
 */
import { describe, expect, test } from "vitest";
import {
  align,
  array,
  bits,
  bool,
  bytes,
  check,
  enumeration,
  fixedArray,
  float32,
  float64,
  i8,
  literal,
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
  u16,
  u32,
  union,
  varint,
  vec3,
  zigzag,
} from "../../../lib/schema/index.js";

const both = <T>(type: Type<T>): Schema<T>[] => [schema(type), schema(type, { compile: false })];
const forms = ["compiled", "interpreted"] as const;

const misfits: [Type<unknown>, unknown, place: string][] = [
  [bool, 1, "message"],
  [u8, 256, "message"],
  [u8, -1, "message"],
  [u8, 1.5, "message"],
  [u8, "1", "message"],
  [u8, undefined, "message"],
  [i8, 128, "message"],
  [i8, -129, "message"],
  [range(5, 9), 4, "message"],
  [range(5, 9), 10, "message"],
  [bits(53), 2 ** 53, "message"],
  [bits(40), -1, "message"],
  [bits(64), 1, "message"],
  [bits(64), -1n, "message"],
  [bits(64), 2n ** 64n, "message"],
  [varint, -1, "message"],
  [varint, 2 ** 53, "message"],
  [zigzag, 2 ** 52, "message"],
  [float32, 1e39, "message"],
  [float32, "1", "message"],
  [float64, 1n, "message"],
  [quantized(0, 1, 0.1), Number.NaN, "message"],
  [quantized(0, 1, 0.1), "0", "message"],
  [vec3(u8), { x: 1, y: 2 }, "message.z"],
  [quaternion(9), { x: 0, y: 0, z: 0, w: 0 }, "message"],
  [quaternion(9), { x: 0, y: 0, z: Number.NaN, w: 1 }, "message.z"],
  [quaternion(9), null, "message"],
  [string(3), "four", "message"],
  [string(3), "éé", "message"],
  [string(3), "\ud800", "message"],
  [string(3), 3, "message"],
  [bytes(2), new Uint8Array(3), "message"],
  [bytes(2), [1, 2], "message"],
  [array(u8, 2), [1, 2, 3], "message"],
  [array(u8, 2), [1, 256], "message[1]"],
  [array(u8, 2), { length: 1, 0: 1 }, "message"],
  [fixedArray(u8, 2), [1], "message"],
  [optional(u8), null, "message"],
  [literal("a"), "b", "message"],
  [enumeration("a", "b"), "c", "message"],
  [object({ a: u8, b: object({ c: array(bool, 3) }) }), { a: 1, b: { c: [true, 0] } }, "b.c[1]"],
  [object({ a: u8 }), undefined, "message"],
  [union("kind", { hit: { by: u8 } }), { kind: "miss" }, "kind"],
  [union("kind", { hit: { by: u8 } }), { kind: "hit", by: -1 }, "by"],
  [union("kind", { hit: { by: u8 } }), 7, "message"],
  [relativeIndices(10, 3), [1, 1], "message[1]"],
  [relativeIndices(10, 3), [10], "message[0]"],
  [relativeIndices(10, 3), [1, 2, 3, 4], "message"],
  [subset(4), [3, 2], "message[1]"],
  [subset(4), "0", "message"],
];

describe.each(forms)("%s", (form) => {
  test.each(misfits)("of $0.layout, %j is refused at %s", (type, value, place) => {
    const one = both(type)[forms.indexOf(form)];
    const wanted = expect.objectContaining({
      code: "ERR_NETRT_ARGUMENT",
      message: expect.stringContaining(place) as string,
    });
    expect(() => one.encode(value)).toThrow(wanted);
    expect(() => one.measure(value)).toThrow(wanted);
    expect(() => one.encodeInto(value, new Uint8Array(64))).toThrow(wanted);
    expect(() => one.encodeDelta(value, value)).toThrow(wanted);
  });
});

const refusals: [Type<unknown>, bytes: number[], reason: string, field: string][] = [
  [u8, [], "truncated", ""],
  [u8, [1, 2], "trailing", ""],
  [bits(3), [0b1000], "padding", ""],
  [range(0, 5), [6], "range", ""],
  [object({ a: u8, b: range(0, 5) }), [1, 7], "range", "b"],
  [object({ a: object({ b: range(0, 5) }) }), [7], "range", "a.b"],
  [array(range(0, 5), 3), [0b0111_01], "range", "[]"],
  [object({ list: array(object({ x: range(0, 2) }), 3) }), [0b11_01], "range", "list[].x"],
  [array(bool, 4), [0b101], "range", ""],
  [array(u8, 200), [100, 1, 2, 3], "truncated", ""],
  [array(u8, 100_000), [0x00, 0x80, 0x00], "truncated", ""],
  [string(200), [201], "range", ""],
  [string(200), [3, 65, 66], "truncated", ""],
  [string(200), [1, 0x80], "text", ""],
  [string(200), [2, 0xc0, 0x80], "text", ""],
  [string(200), [3, 0xed, 0xa0, 0x80], "text", ""],
  [string(200), [4, 0xf4, 0x90, 0x80, 0x80], "text", ""],
  [string(200), [2, 0xc3, 0x28], "text", ""],
  [bytes(2 ** 23), [0xff, 0xff, 0x7f, 0x00], "truncated", ""],
  [varint, [0x80, 0x00], "form", ""],
  [varint, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f], "range", ""],
  [varint, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "range", ""],
  [float32, [1, 0, 0xc0, 0x7f], "form", ""],
  [float64, [1, 0, 0, 0, 0, 0, 0xf8, 0x7f], "form", ""],
  [enumeration("a", "b", "c"), [3], "range", ""],
  [object({ event: union("kind", { a: {}, b: {}, c: {} }) }), [3], "range", "event.kind"],
  [object({ a: bits(3), gap: align(), b: u8 }), [0b1000, 1], "padding", "gap"],
  [object({ a: u8, word: check(7) }), [1, 8, 0, 0, 0], "check", "word"],
  [quaternion(2), [0b0_0000_0011], "form", ""],
  [relativeIndices(1000, 3), [0b1000_0010, 0b1], "truncated", ""],
  [relativeIndices(4, 3), [0b0_1110_01], "range", ""],
  [subset(8), [0b0_00000_00, 0], "form", ""],
  [subset(1_000_000), [0], "truncated", ""],
];

test.each(refusals)(
  "of $0.layout, the bytes %j are refused as %s at %j",
  (type, given, reason, field) => {
    for (const one of both(type)) {
      expect(one.decode(Uint8Array.from(given))).toBeUndefined();
      expect(one.rejected).toEqual({ reason, field });
    }
  },
);

test("what was refused is forgotten with the next message", () => {
  const one = schema({ a: u8 });
  expect(one.decode(new Uint8Array(0))).toBeUndefined();
  expect(one.rejected).toEqual({ reason: "truncated", field: "" });
  expect(one.decode(Uint8Array.of(5))).toEqual({ a: 5 });
  expect(one.rejected).toBeUndefined();
});

test("a length of a peer's takes no memory", () => {
  // Three bytes that announce 8 MiB, a million elements and a subset of a million.
  const announced: [Type<unknown>, number[]][] = [
    [bytes(2 ** 23), [0xff, 0xff, 0x7f, 0x00]],
    [string(2 ** 23), [0xff, 0xff, 0x7f, 0x00]],
    [array(u32, 1_000_000), [0xff, 0x3f, 0x0f]],
    [array(optional(fixedArray(u8, 100)), 100_000), [0xa0, 0x86, 0xff]],
    [subset(1_000_000), [0xfe, 0xff, 0xff]],
    [relativeIndices(1_000_000), [0x40, 0x42, 0x0f]],
  ];
  for (const [type, given] of announced) {
    const [compiled, interpreted] = both(type);
    for (const one of [compiled, interpreted]) {
      const message = Uint8Array.from(given);
      const before = process.memoryUsage();
      for (let round = 0; round < 100; round++) expect(one.decode(message)).toBeUndefined();
      const after = process.memoryUsage();
      // A hundred times 8 MiB, or a million elements, would show.
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(2 ** 22);
      expect(after.heapUsed - before.heapUsed).toBeLessThan(2 ** 25);
    }
  }
});

test("arguments of another kind are the caller's error", () => {
  const one = schema({ a: u16 });
  const wrong = expect.objectContaining({ code: "ERR_NETRT_ARGUMENT" });
  expect(() => one.decode([1, 2] as unknown as Uint8Array)).toThrow(wrong);
  expect(() => one.decodeInto("12" as unknown as Uint8Array, { a: 1 })).toThrow(wrong);
  expect(() => one.decodeInto(Uint8Array.of(1, 2), 7 as unknown as { a: number })).toThrow(wrong);
  expect(() => one.encodeInto({ a: 1 }, [] as unknown as Uint8Array)).toThrow(wrong);
  expect(() => one.encodeInto({ a: 1 }, new Uint8Array(4), -1)).toThrow(wrong);
  expect(() => one.encodeInto({ a: 1 }, new Uint8Array(4), 5)).toThrow(wrong);
  const base = { a: 1 };
  expect(() => one.decodeDelta(Uint8Array.of(0), base, base)).toThrow(wrong);
  expect(() => one.decodeDelta(Uint8Array.of(0), { a: -1 })).toThrow(wrong);
  const small = expect.objectContaining({ code: "ERR_NETRT_MESSAGE_TOO_LARGE" });
  expect(() => one.encodeInto({ a: 1 }, new Uint8Array(1))).toThrow(small);
  expect(() => one.encodeInto({ a: 1 }, new Uint8Array(4), 3)).toThrow(small);
});
