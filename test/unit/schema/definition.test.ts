/*
 * Owns what a definition says: sizes in bits, layouts and hashes (S-3), TypeScript types, and the definitions
 * that are refused.
 */
import { describe, expect, expectTypeOf, test } from "vitest";
import { NetrtError } from "../../../lib/index.js";
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
  flags,
  float32,
  float64,
  type Infer,
  i8,
  i16,
  i32,
  literal,
  object,
  optional,
  type Quaternion,
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
  u64,
  union,
  type Vector2,
  type Vector3,
  varint,
  vec2,
  vec3,
  zigzag,
} from "../../../lib/schema/index.js";

const sizes: [type: Type<unknown>, minBits: number, maxBits: number][] = [
  [bool, 1, 1],
  [bits(1), 1, 1],
  [bits(53), 53, 53],
  [bits(64), 64, 64],
  [range(0, 0), 0, 0],
  [range(5, 6), 1, 1],
  [range(0, 100), 7, 7],
  [range(0, 127), 7, 7],
  [range(0, 128), 8, 8],
  [range(-1000, 1000), 11, 11],
  [u8, 8, 8],
  [u16, 16, 16],
  [u32, 32, 32],
  [u64, 64, 64],
  [i8, 8, 8],
  [i16, 16, 16],
  [i32, 32, 32],
  [varint, 8, 64],
  [zigzag, 8, 64],
  [float32, 32, 32],
  [float64, 64, 64],
  [quantized(-1, 1, 0.002), 10, 10],
  [quantized(-Math.PI, Math.PI, 0.001), 13, 13],
  [quantized(-256, 256, 1 / 512), 19, 19],
  [angle(12), 12, 12],
  [vec2(u8), 16, 16],
  [vec3(quantized(-1, 1, 0.002)), 30, 30],
  [quaternion(9), 29, 29],
  [quaternion(15), 47, 47],
  [string(120), 7, 967],
  [bytes(255), 8, 2048],
  [array(u8, 15), 4, 124],
  [fixedArray(u8, 4), 32, 32],
  [optional(u16), 1, 17],
  [literal("hello"), 0, 0],
  [enumeration("a"), 0, 0],
  [enumeration("a", "b", "c"), 2, 2],
  [flags("jump", "fire", "duck"), 3, 3],
  [object({ a: u8, b: bool }), 9, 9],
  [union("kind", { hit: { by: u8 }, jump: {}, say: { text: string(3) } }), 2, 28],
  [relativeIndices(64, 7), 3, 3 + 7 * 12],
  [subset(64), 8, 65],
  [object({ a: bool, gap: align() }), 1, 8],
  [object({ a: bool, word: check() }), 33, 33],
];

test.each(sizes)("$0.layout has from $1 to $2 bits", (type, minBits, maxBits) => {
  const one = schema(type);
  expect([one.minBits, one.maxBits]).toEqual([minBits, maxBits]);
  expect(one.maxBytes).toBe(Math.ceil(maxBits / 8));
});

test("fields add up, marks aside", () => {
  const Input = schema({
    sequence: range(0, 65535),
    buttons: bits(6),
    yaw: quantized(-Math.PI, Math.PI, 0.001),
    aim: vec3(quantized(-1, 1, 0.002)),
  });
  expect([Input.minBits, Input.maxBits, Input.maxBytes]).toEqual([65, 65, 9]);
  const value = { sequence: 7, buttons: 3, yaw: 1.5, aim: { x: 0, y: 0, z: 1 } };
  const message = Input.encode(value);
  expect(message).toHaveLength(9);
  expect(Input.decode(message)).toEqual({ ...value, yaw: expect.closeTo(1.5, 3) });
});

describe("the hash", () => {
  const one = schema({ a: u8, b: string(20) });

  test("is FNV-1a 32 of the layout", () => {
    expect(one.layout).toBe('{"a":range(0,255),"b":string(20)}');
    let hash = 0x811c9dc5;
    for (const byte of Buffer.from(one.layout)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    expect(one.hash).toBe(hash);
  });

  test.each([
    ["another name", schema({ A: u8, b: string(20) })],
    ["another order", schema({ b: string(20), a: u8 })],
    ["another size", schema({ a: u8, b: string(21) })],
    ["a field more", schema({ a: u8, b: string(20), c: bool })],
  ])("differs for %s", (_what, other) => expect(other.hash).not.toBe(one.hash));

  test("is the same for what is the same on the wire", () => {
    expect(schema({ a: bits(8), b: string(20) }).hash).toBe(one.hash);
  });
});

const refused: [string, () => unknown][] = [
  ["bits(0)", () => bits(0)],
  ["bits(54)", () => bits(54)],
  ["bits(1.5)", () => bits(1.5)],
  ["an empty range", () => range(2, 1)],
  ["a range with a fraction", () => range(0, 1.5)],
  ["a range that is no number's", () => range(-(2 ** 53) + 1, 2 ** 53 - 1)],
  ["quantized without a span", () => quantized(1, 1, 0.1)],
  ["quantized without a resolution", () => quantized(0, 1, 0)],
  ["quantized coarser than its span", () => quantized(0, 1, 2)],
  ["quantized finer than 32 bits", () => quantized(0, 1, 1e-10)],
  ["quantized finer than its numbers", () => quantized(1e16, 1e16 + 16, 1)],
  ["quantized to infinity", () => quantized(0, Number.POSITIVE_INFINITY, 1)],
  ["angle(0)", () => angle(0)],
  ["angle(33)", () => angle(33)],
  ["quaternion(1)", () => quaternion(1)],
  ["quaternion(25)", () => quaternion(25)],
  ["string(-1)", () => string(-1)],
  ["bytes of 17 MiB", () => bytes(17 * 2 ** 20)],
  ["array of no type", () => array("u8" as unknown as Type<number>, 3)],
  ["array of nothing", () => array(literal(1), 3)],
  ["fixed array of nothing", () => fixedArray(object({}), 3)],
  ["array of marks", () => array(align() as Type<unknown>, 3)],
  ["array of -1", () => array(u8, -1)],
  ["optional mark", () => optional(check() as Type<unknown>)],
  ["literal of a fraction", () => literal(0.5)],
  ["enumeration of nothing", () => enumeration(...([] as unknown as ["a"]))],
  ["enumeration of twins", () => enumeration("a", "b", "a")],
  ["object of no type", () => object({ a: 8 as unknown as Type<number> })],
  ["object with a number for a name", () => object({ a: u8, 1: u8 })],
  ["object with __proto__", () => object({ ["__proto__"]: u8 })],
  ["object of an array", () => object([u8] as unknown as { a: Type<number> })],
  ["union of nothing", () => union("kind", {})],
  ["union of null", () => union("kind", null as unknown as Record<string, never>)],
  ["union without fields", () => union("kind", { a: null as unknown as Record<string, never> })],
  ["union without a tag", () => union("", { a: {} })],
  ["union with a number for a member", () => union("kind", { 7: {} })],
  ["union with its tag in a member", () => union("kind", { a: { kind: u8 } })],
  ["relative indices of none", () => relativeIndices(0)],
  ["more relative indices than there are", () => relativeIndices(8, 9)],
  ["subset of none", () => subset(0)],
  ["check of 33 bits", () => check(2 ** 32)],
  ["a schema of a mark", () => schema(align() as Type<unknown>)],
  ["a schema of text", () => schema("u8" as unknown as Type<number>)],
  ["a schema beyond 16 MiB", () => schema(array(string(1024), 20_000))],
  ["a validator that is none", () => schema({ a: u8 }, { validator: {} as never })],
];

test.each(refused)("refused: %s", (_what, define) => {
  expect(define).toThrow(NetrtError);
  expect(define).toThrow(expect.objectContaining({ code: "ERR_NETRT_ARGUMENT" }));
});

test("types are inferred", () => {
  expectTypeOf<Infer<typeof bool>>().toEqualTypeOf<boolean>();
  expectTypeOf<Infer<typeof u64>>().toEqualTypeOf<bigint>();
  expectTypeOf(bits(64)).toEqualTypeOf<Type<bigint>>();
  expectTypeOf(bits(8)).toEqualTypeOf<Type<number>>();
  expectTypeOf(vec2(u8)).toEqualTypeOf<Type<Vector2>>();
  expectTypeOf(vec3(float32)).toEqualTypeOf<Type<Vector3>>();
  expectTypeOf(quaternion(9)).toEqualTypeOf<Type<Quaternion>>();
  expectTypeOf(array(string(3), 3)).toEqualTypeOf<Type<string[]>>();
  expectTypeOf(enumeration("a", "b", 3)).toEqualTypeOf<Type<"a" | "b" | 3>>();
  expectTypeOf(literal("a")).toEqualTypeOf<Type<"a">>();
  expectTypeOf(flags("jump", "fire")).toEqualTypeOf<Type<{ jump: boolean; fire: boolean }>>();
  expectTypeOf(subset(9)).toEqualTypeOf<Type<number[]>>();
  const shape = schema({
    id: u8,
    gap: align(),
    name: optional(string(8)),
    event: union("kind", { hit: { by: u8 }, jump: {} }),
    word: check(),
  });
  interface Shape {
    id: number;
    name?: string | undefined;
    event: { kind: "hit"; by: number } | { kind: "jump" };
  }
  expectTypeOf<Infer<typeof shape>>().toEqualTypeOf<Shape>();
  expectTypeOf(shape).toExtend<Schema<Shape>>();
  expectTypeOf(shape.decode(new Uint8Array(0))).toEqualTypeOf<Shape | undefined>();
  // At run time alone: a mark is a type without a value.
  expect(() => array(align(), 3)).toThrow(NetrtError);
  // @ts-expect-error: text is no number
  expect(() => shape.encode({ id: "1", event: { kind: "jump" } })).toThrow(NetrtError);
  // @ts-expect-error: a hit has a `by`
  expect(() => shape.encode({ id: 1, event: { kind: "hit" } })).toThrow(NetrtError);
  // @ts-expect-error: parts of vectors are numbers
  expect(() => vec3(bool).check({ x: 1 }, "")).toThrow(NetrtError);
});
