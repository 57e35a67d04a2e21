/**
 * `netrt/schema`: messages with a schema, bit-packed, from one definition.
 *
 * Owns: the constructors of types and of schemas.
 *
 * @module
 */
import { argumentError, checkInteger } from "../errors.js";
import { OptionalNode, UnionNode } from "./choice.js";
import { type Difference, firstDifference } from "./difference.js";
import { EnumerationNode, type Literal, LiteralNode, ObjectNode } from "./group.js";
import { RelativeNode, SubsetNode } from "./indices.js";
import { ArrayNode } from "./list.js";
import { AlignNode, CheckNode } from "./mark.js";
import { Node, type Reason, type Rejected } from "./node.js";
import { BigNode, BoolNode, NUMBER_BITS_MAX, RangeNode, VarintNode } from "./number.js";
import { AngleNode, DoubleNode, FloatNode, QuantizedNode } from "./real.js";
import { type Quaternion, QuaternionNode } from "./rotation.js";
import { Codec, type Schema, type SchemaOptions } from "./schema.js";
import { checkValidator, type StandardResult, type StandardSchema } from "./standard.js";
import { BytesNode, StringNode } from "./text.js";

export type {
  Difference,
  Literal,
  Quaternion,
  Reason,
  Rejected,
  Schema,
  SchemaOptions,
  StandardResult,
  StandardSchema,
};
export { firstDifference };

/** The type of a field, made by one of the functions here. */
export type Type<T> = Node<T>;
/** A field that may be missing. */
export type OptionalType<T> = Node<T | undefined> & { readonly isOptional: true };
/** What stands in a message and is no value: `align` and `check`. */
export type Mark = Node<undefined> & { readonly isMark: true };
/** Types by name. */
export type Fields = { readonly [name: string]: Node<unknown> };

/** The value of a type or of a schema. */
export type Infer<S> = S extends Schema<infer T> ? T : S extends Node<infer T> ? T : never;

type Flat<T> = { [K in keyof T]: T[K] } & {};
/** The object that fields make. */
export type Value<F extends Fields> = Flat<
  {
    -readonly [K in keyof F as F[K] extends Mark | { readonly isOptional: true }
      ? never
      : K]: Infer<F[K]>;
  } & {
    -readonly [K in keyof F as F[K] extends { readonly isOptional: true } ? K : never]?: Infer<
      F[K]
    >;
  }
>;

/** A vector of two parts. */
export interface Vector2 {
  x: number;
  y: number;
}

/** A vector of three parts. */
export interface Vector3 extends Vector2 {
  z: number;
}

/**
 * Makes a schema of fields, or of any one type.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT` for what is no definition
 *
 * @example
 * ```ts
 * import { bits, type Infer, quantized, range, schema, vec3 } from "netrt/schema";
 *
 * const Input = schema({
 *   sequence: range(0, 65535), // 16 bits
 *   buttons: bits(6), // 6 bits
 *   yaw: quantized(-Math.PI, Math.PI, 0.001), // 13 bits
 *   aim: vec3(quantized(-1, 1, 0.002)), // 3 x 10 bits
 * });
 * type Input = Infer<typeof Input>;
 *
 * const bytes = Input.encode({ sequence: 7, buttons: 3, yaw: 1.5, aim: { x: 0, y: 0, z: 1 } });
 * console.log(bytes.length, Input.decode(bytes)?.sequence); // 9 7
 * ```
 */
export function schema<T>(type: Type<T>, options?: SchemaOptions<T>): Schema<T>;
export function schema<F extends Fields>(
  fields: F,
  options?: SchemaOptions<Value<F>>,
): Schema<Value<F>>;
export function schema(
  definition: Node<unknown> | Fields,
  options: SchemaOptions<unknown> = {},
): Schema<unknown> {
  if (options.validator !== undefined) checkValidator(options.validator);
  const node = definition instanceof Node ? definition : new ObjectNode(definition);
  if (node.isMark) throw argumentError("schema", node.layout, "a type that has a value");
  return new Codec(node, options);
}

/** True or false: 1 bit. */
export const bool: Type<boolean> = new BoolNode();

/**
 * A whole number of so many bits, 1 to 53; `bits(64)` is a bigint.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function bits(count: 64): Type<bigint>;
export function bits(count: number): Type<number>;
export function bits(count: number): Type<bigint> | Type<number> {
  if (count === 64) return u64;
  checkInteger("bits: count", count, 1, NUMBER_BITS_MAX);
  return new RangeNode(0, 2 ** count - 1);
}

/**
 * A whole number from `least` to `most`: the bits that `most - least` needs.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function range(least: number, most: number): Type<number> {
  return new RangeNode(least, most);
}

/** 0 to 255: 8 bits. */
export const u8: Type<number> = range(0, 0xff);
/** 0 to 65,535: 16 bits. */
export const u16: Type<number> = range(0, 0xffff);
/** 0 to 2^32 - 1: 32 bits. */
export const u32: Type<number> = range(0, 0xffff_ffff);
/** A bigint from 0 to 2^64 - 1: 64 bits. */
export const u64: Type<bigint> = new BigNode();
/** -128 to 127: 8 bits. */
export const i8: Type<number> = range(-0x80, 0x7f);
/** -32,768 to 32,767: 16 bits. */
export const i16: Type<number> = range(-0x8000, 0x7fff);
/** -2^31 to 2^31 - 1: 32 bits. */
export const i32: Type<number> = range(-0x8000_0000, 0x7fff_ffff);
/** 0 to 2^53 - 1, small ones short: 8 bits for every 7 bits of the number. */
export const varint: Type<number> = new VarintNode(false);
/** -2^52 to 2^52 - 1, those near 0 short: 8 bits for every 7. */
export const zigzag: Type<number> = new VarintNode(true);
/** A number as an IEEE 754 single: 32 bits. */
export const float32: Type<number> = new FloatNode();
/** A number as it is: 64 bits. */
export const float64: Type<number> = new DoubleNode();

/**
 * A number from `least` to `most` on a grid of this resolution or a little finer: the bits of the number
 * of steps. What lies outside is taken to the nearer end, as Fiedler's compressed floats are.
 *
 * @param resolution the greatest step; what is decoded differs by half of it at most
 * @throws NetrtError `ERR_NETRT_ARGUMENT`, also for more than 2^32 - 1 steps
 */
export function quantized(least: number, most: number, resolution: number): Type<number> {
  return new QuantizedNode(least, most, resolution);
}

/**
 * An angle in radians, any number of turns; decoded it is from -π up to and without π.
 *
 * @param bits 1 to 32: 2^bits steps around the circle
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function angle(bits: number): Type<number> {
  return new AngleNode(bits);
}

/** Two numbers of one type, x and y. */
export function vec2(part: Type<number>): Type<Vector2> {
  return vector(["x", "y"], part);
}

/** Three numbers of one type, x, y and z. */
export function vec3(part: Type<number>): Type<Vector3> {
  return vector(["x", "y", "z"], part);
}

/** Not from a literal: V8 would take vectors that users write so for holders of types (`shape`). */
function vector<T>(names: readonly string[], part: Type<number>): Type<T> {
  return asType(new ObjectNode(Object.fromEntries(names.map((name) => [name, part]))));
}

/**
 * A rotation as a quaternion: 2 bits, and three parts of so many bits. It is normalized; what is decoded
 * may be the negative of it, which is the same rotation.
 *
 * @param bits per part, 2 to 24; Fiedler has 9 (29 bits, errors up to 0.5°, 0.17° on average) to 15
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function quaternion(bits: number): Type<Quaternion> {
  return new QuaternionNode(bits);
}

/**
 * Text: the bits that `bytesMax` needs, and 8 for each byte of UTF-8.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function string(bytesMax: number): Type<string> {
  return new StringNode(bytesMax);
}

/**
 * Bytes: the bits that `bytesMax` needs, and 8 for each byte. What is decoded is a copy.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function bytes(bytesMax: number): Type<Uint8Array> {
  return new BytesNode(bytesMax);
}

/**
 * Up to so many values of one type: the bits that `countMax` needs, and the values.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function array<T>(element: Type<T>, countMax: number): Type<T[]> {
  return new ArrayNode(element, 0, countMax);
}

/**
 * So many values of one type, no bits more.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function fixedArray<T>(element: Type<T>, count: number): Type<T[]> {
  return new ArrayNode(element, count, count);
}

/** A value or `undefined`: 1 bit, and the value. */
export function optional<T>(type: Type<T>): OptionalType<T> {
  return new OptionalNode(type);
}

/** One value that both sides know: no bits. */
export function literal<const T extends Literal>(value: T): Type<T> {
  return new LiteralNode(value);
}

/**
 * One of a list of values: the bits of its number in the list.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function enumeration<const T extends readonly [Literal, ...Literal[]]>(
  ...values: T
): Type<T[number]> {
  return new EnumerationNode(values);
}

/** Truth values by name: 1 bit each. */
export function flags<const N extends readonly string[]>(
  ...names: N
): Type<{ [K in N[number]]: boolean }> {
  return asType(new ObjectNode(Object.fromEntries(names.map((name) => [name, bool]))));
}

/**
 * Fields by name, in this order: the sum of their bits.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function object<F extends Fields>(fields: F): Type<Value<F>> {
  return asType(new ObjectNode(fields));
}

/**
 * One of several objects, told apart by the field `tag`: the bits of its number, and its fields.
 *
 * @example
 * ```ts
 * const Event = union("kind", { hit: { target: u8, damage: u8 }, jump: {} });
 * ```
 */
export function union<const N extends string, M extends { readonly [name: string]: Fields }>(
  tag: N,
  members: M,
): Type<{ [K in keyof M & string]: Flat<{ [T in N]: K } & Value<M[K]>> }[keyof M & string]> {
  return asType(new UnionNode(tag, members));
}

/**
 * Indices below `size`, ascending: the bits that `countMax` needs, and for each its distance from the
 * one before: 1 in 1 bit, up to 5 in 4, 13 in 6, 29 in 8, 61 in 10, 125 in 12, else 6 bits and those of an index.
 *
 * @param countMax `size` by default
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function relativeIndices(size: number, countMax: number = size): Type<number[]> {
  return new RelativeNode(size, countMax);
}

/**
 * Any of the indices below `size`, ascending: 1 bit, and a bitmap or a list, whichever is shorter.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function subset(size: number): Type<number[]> {
  return new SubsetNode(size);
}

/** Zeros to the next byte border, 0 to 7 bits; the field has no value. */
export function align(): Mark {
  return new AlignNode();
}

/**
 * A word that must be right, 32 bits; the field has no value. A message of another layout, or one that
 * was read wrongly up to here, is refused.
 *
 * @param word 0 to 2^32 - 1
 */
export function check(word = CHECK_WORD): Mark {
  return new CheckNode(word);
}

/** The check word that Fiedler's articles use. */
const CHECK_WORD = 0x1234_5678;

/** What the definition says is what the nodes make; the compiler can't see that. */
function asType<T>(node: ObjectNode | UnionNode): Type<T> {
  return node as unknown as Type<T>;
}
