/*
 * Owns a sample of every type of netrt/schema: the type, values of it, and how near a decoded value
 * comes. The property tests run over all of them.
 */
import fc from "fast-check";
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
  string,
  subset,
  type Type,
  u8,
  u16,
  u32,
  u64,
  union,
  varint,
  vec2,
  vec3,
  zigzag,
} from "../../../lib/schema/index.js";

export interface Sample {
  readonly name: string;
  readonly type: Type<unknown>;
  readonly values: fc.Arbitrary<unknown>;
  /** Whether a decoded value is as near as promised; equal where it is left out. */
  readonly near?: (decoded: never, value: never) => boolean;
}

const safe = (least: number, most: number) =>
  fc.maxSafeInteger().map((n) => {
    const span = most - least + 1;
    return Number.isSafeInteger(span) ? least + (((n % span) + span) % span) : Math.abs(n);
  });

const within =
  (resolution: number) =>
  (decoded: number, value: number): boolean =>
    Math.abs(decoded - value) <= resolution / 2 + 1e-9;

const anyFloat = fc.oneof(fc.float(), fc.constantFrom(Number.NaN, -0, Number.POSITIVE_INFINITY));
const anyDouble = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, -0, 5e-324));
const text = (bytesMax: number) =>
  fc
    .string({ unit: "binary", maxLength: bytesMax })
    .filter((value) => new TextEncoder().encode(value).length <= bytesMax);
const indices = (size: number, maxLength: number) =>
  fc
    .uniqueArray(fc.integer({ min: 0, max: size - 1 }), { maxLength })
    .map((list) => list.sort((left, right) => left - right));
const part = fc.double({ min: -1, max: 1, noNaN: true });
/** Rotations, those with parts alike among them. */
const rotation = fc
  .oneof(
    fc.record({ x: part, y: part, z: part, w: part }),
    fc
      .tuple(...[0, 1, 2, 3].map(() => fc.constantFrom(-1, 0, 1, 0.999, 1.001)))
      .map(([x, y, z, w]) => ({ x, y, z, w })),
  )
  .filter(({ x, y, z, w }) => Math.hypot(x, y, z, w) > 0.01)
  .map(({ x, y, z, w }) => {
    const length = Math.hypot(x, y, z, w);
    return { x: x / length, y: y / length, z: z / length, w: w / length };
  });
const sameRotation =
  (bitsOfPart: number) =>
  (decoded: Quaternion, value: Quaternion): boolean => {
    const { x, y, z, w } = value;
    const dot = decoded.x * x + decoded.y * y + decoded.z * z + decoded.w * w;
    // The greatest step that parts alike are moved by, over four parts.
    const step = Math.SQRT1_2 / (2 ** (bitsOfPart - 1) - 1);
    return Math.abs(dot) >= 1 - 16 * step * step - 1e-9;
  };
const turned =
  (steps: number) =>
  (decoded: number, value: number): boolean => {
    const turn = 2 * Math.PI;
    const off = (((decoded - value) % turn) + turn) % turn;
    return (
      Math.min(off, turn - off) <= turn / steps / 2 + 1e-9 &&
      decoded >= -Math.PI &&
      decoded < Math.PI
    );
  };

function sample<T>(
  name: string,
  type: Type<T>,
  values: fc.Arbitrary<T>,
  near?: (decoded: T, value: T) => boolean,
): Sample {
  return { name, type, values, ...(near && { near }) } as Sample;
}

const shape = object({ id: u8, alive: bool, health: range(0, 100), name: optional(string(8)) });
const shapes = fc.record(
  {
    id: fc.integer({ min: 0, max: 255 }),
    alive: fc.boolean(),
    health: fc.integer({ min: 0, max: 100 }),
    name: text(8),
  },
  { requiredKeys: ["id", "alive", "health"] },
);

export const samples: readonly Sample[] = [
  sample("bool", bool, fc.boolean()),
  ...[1, 3, 4, 7, 8, 13, 25, 26, 31, 32, 33, 48, 53].map((count) =>
    sample(`bits(${count})`, bits(count), safe(0, 2 ** count - 1)),
  ),
  sample("bits(64)", bits(64), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  sample("u64 small", u64, fc.bigInt({ min: 0n, max: 2n ** 20n })),
  ...(
    [
      [0, 5],
      [7, 7],
      [-3, 12],
      [-100, -90],
      [0, 1000],
      [1000, 66_536],
      [-(2 ** 31), 2 ** 31 - 1],
      [2 ** 31 - 5, 2 ** 31 + 5],
      [-(2 ** 40), 2 ** 40],
      [2 ** 52, 2 ** 53 - 1],
    ] as const
  ).map(([least, most]) =>
    sample(`range(${least},${most})`, range(least, most), safe(least, most)),
  ),
  sample("u8", u8, fc.integer({ min: 0, max: 255 })),
  sample("u16", u16, fc.integer({ min: 0, max: 65_535 })),
  sample("u32", u32, fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  sample("i8", i8, fc.integer({ min: -128, max: 127 })),
  sample("i16", i16, fc.integer({ min: -32_768, max: 32_767 })),
  sample("i32", i32, fc.integer()),
  sample("varint", varint, fc.oneof(fc.nat(), fc.nat(300), fc.maxSafeNat())),
  sample(
    "zigzag",
    zigzag,
    fc.oneof(fc.integer(), fc.integer({ min: -99, max: 99 }), safe(-(2 ** 51), 2 ** 51)),
  ),
  sample("float32", float32, anyFloat, (decoded, value) => Object.is(decoded, Math.fround(value))),
  sample("float64", float64, anyDouble, (decoded, value) => Object.is(decoded, value)),
  ...(
    [
      [-1, 1, 0.002],
      [-Math.PI, Math.PI, 0.001],
      [0, 1, 0.1],
      [-256, 256, 1 / 512],
      [100, 200, 1e-6],
      [-0.3, 0.9, 0.3],
    ] as const
  ).map(([least, most, resolution]) =>
    sample(
      `quantized(${least},${most},${resolution})`,
      quantized(least, most, resolution),
      fc.double({ min: least, max: most, noNaN: true }),
      within(resolution),
    ),
  ),
  ...[1, 8, 12, 31, 32].map((count) =>
    sample(
      `angle(${count})`,
      angle(count),
      fc.double({ min: -50, max: 50, noNaN: true }),
      turned(2 ** count),
    ),
  ),
  sample("vec2", vec2(u8), fc.record({ x: fc.nat(255), y: fc.nat(255) })),
  sample("vec3", vec3(quantized(-1, 1, 0.002)), fc.record({ x: part, y: part, z: part }), (a, b) =>
    (["x", "y", "z"] as const).every((name) => within(0.002)(a[name], b[name])),
  ),
  ...[2, 5, 9, 15, 24].map((count) =>
    sample(`quaternion(${count})`, quaternion(count), rotation, sameRotation(count)),
  ),
  sample("string(20)", string(20), text(20)),
  sample("string(200)", string(200), text(200)),
  sample("bytes(30)", bytes(30), fc.uint8Array({ maxLength: 30 })),
  sample("array", array(range(0, 5), 9), fc.array(fc.nat(5), { maxLength: 9 })),
  sample(
    "fixedArray",
    fixedArray(bits(5), 3),
    fc.array(fc.nat(31), { minLength: 3, maxLength: 3 }),
  ),
  sample("array of objects", array(shape, 5), fc.array(shapes, { maxLength: 5 })),
  sample("optional", optional(u16), fc.option(fc.nat(65_535), { nil: undefined })),
  sample("literal", literal("hi"), fc.constant("hi" as const)),
  sample("enumeration", enumeration("a", "b", 3, true), fc.constantFrom("a", "b", 3, true)),
  sample(
    "flags",
    flags("jump", "fire", "duck"),
    fc.record({ jump: fc.boolean(), fire: fc.boolean(), duck: fc.boolean() }),
  ),
  sample("object", shape, shapes),
  sample(
    "union",
    union("kind", {
      hit: { target: u8, where: vec2(bits(3)) },
      jump: {},
      say: { text: string(6) },
    }),
    fc.oneof(
      fc.record({
        kind: fc.constant("hit" as const),
        target: fc.nat(255),
        where: fc.record({ x: fc.nat(7), y: fc.nat(7) }),
      }),
      fc.record({ kind: fc.constant("jump" as const) }),
      fc.record({ kind: fc.constant("say" as const), text: text(6) }),
    ),
  ),
  sample("relativeIndices(1000,20)", relativeIndices(1000, 20), indices(1000, 20)),
  sample("relativeIndices(8)", relativeIndices(8), indices(8, 8)),
  sample("subset(64)", subset(64), indices(64, 64)),
  sample("subset(3)", subset(3), indices(3, 3)),
  sample("subset(4096)", subset(4096), indices(4096, 50)),
  sample(
    "align",
    object({ a: bits(3), gap: align(), b: u8, c: bool, end: align() }),
    fc.record({ a: fc.nat(7), b: fc.nat(255), c: fc.boolean() }),
  ),
  sample(
    "align after what varies",
    object({ a: optional(bool), gap: align(), b: string(3) }),
    fc.record({ a: fc.boolean(), b: text(3) }, { requiredKeys: ["b"] }),
  ),
  sample(
    "check",
    object({ a: bits(3), mark: check(), list: array(bool, 3), end: check(7) }),
    fc.record({ a: fc.nat(7), list: fc.array(fc.boolean(), { maxLength: 3 }) }),
  ),
];

/** Values as they are compared: what is missing counts like what is undefined. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, plain(field)]),
  );
}
