/*
 * Owns the definitions that schema.json has known answers for, by name, and how its values are told in JSON.
 */
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
  literal,
  object,
  optional,
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
} from "../../lib/schema/index.js";

export const definitions: Record<string, Type<unknown>> = {
  bool,
  "bits(3)": bits(3),
  "bits(48)": bits(48),
  "bits(53)": bits(53),
  u8,
  u16,
  u32,
  u64,
  i8,
  "range(-3,12)": range(-3, 12),
  "range(100,1000)": range(100, 1000),
  "range(7,7)": range(7, 7),
  varint,
  zigzag,
  float32,
  float64,
  "quantized(-1,1,0.002)": quantized(-1, 1, 0.002),
  "quantized(-256,256,1/512)": quantized(-256, 256, 1 / 512),
  "angle(8)": angle(8),
  "angle(12)": angle(12),
  "vec2(u8)": vec2(u8),
  "vec3(quantized(-1,1,0.002))": vec3(quantized(-1, 1, 0.002)),
  "quaternion(9)": quaternion(9),
  "quaternion(15)": quaternion(15),
  "string(20)": string(20),
  "bytes(5)": bytes(5),
  "array(bits(5),6)": array(bits(5), 6),
  "fixedArray(bool,3)": fixedArray(bool, 3),
  "optional(u16)": optional(u16),
  "literal(hi)": literal("hi"),
  "enumeration(red,green,blue)": enumeration("red", "green", "blue"),
  "flags(jump,fire,duck)": flags("jump", "fire", "duck"),
  "object(a:u8,b:bool,c:bits(3))": object({ a: u8, b: bool, c: bits(3) }),
  "union(hit,jump,say)": union("kind", { hit: { by: u8 }, jump: {}, say: { text: string(6) } }),
  "relativeIndices(1000,20)": relativeIndices(1000, 20),
  "subset(64)": subset(64),
  "align and check": object({ a: bits(3), gap: align(), b: u8, word: check() }),
  input: object({
    sequence: range(0, 65535),
    buttons: bits(6),
    yaw: quantized(-Math.PI, Math.PI, 0.001),
    aim: vec3(quantized(-1, 1, 0.002)),
  }),
};

/** A value from its JSON: what JSON has not is told as an object of one field that begins with `$`. */
export function fromJson(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(fromJson);
  if (typeof json !== "object" || json === null) return json;
  const [[name, text], ...more] = Object.entries(json).concat([["", ""]]);
  if (more.length === 1 && typeof text === "string") {
    if (name === "$bigint") return BigInt(text);
    if (name === "$number") return Number(text);
    if (name === "$bytes") return Uint8Array.from(Buffer.from(text, "hex"));
    if (name === "$undefined") return undefined;
  }
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, fromJson(value)]));
}
