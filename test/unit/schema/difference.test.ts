/*
 * Owns naming the first field in which two definitions differ.
 */
import { describe, expect, test } from "vitest";
import {
  array,
  enumeration,
  firstDifference,
  literal,
  object,
  optional,
  quantized,
  range,
  type Schema,
  schema,
  string,
  type Type,
  u8,
  u16,
  union,
  vec3,
} from "../../../lib/schema/index.js";
import { samples } from "./samples.js";

const player = (part: Type<number>) => object({ id: u8, aim: vec3(part) });
const base = schema({
  tick: u16,
  players: array(player(u8), 8),
  name: optional(string(9)),
  event: union("kind", { hit: { by: u8 }, say: { text: string(9) } }),
});

const differences: [
  what: string,
  other: Schema<never>,
  field: string,
  left: string,
  right: string,
][] = [
  ["a size", { ...fields(), tick: u8 }, "tick", "range(0,65535)", "range(0,255)"],
  [
    "a field of an array's element",
    { ...fields(), players: array(player(range(0, 7)), 8) },
    "players[].aim.x",
    "range(0,255)",
    "range(0,7)",
  ],
  [
    "an array's length",
    { ...fields(), players: array(player(u8), 9) },
    "players",
    `array(${'{"id":range(0,255),"aim":{"x":range(0,255),"y":range(0,255),"z":range(0,255)}}'},0,8)`,
    `array(${'{"id":range(0,255),"aim":{"x":range(0,255),"y":range(0,255),"z":range(0,255)}}'},0,9)`,
  ],
  ["an optional", { ...fields(), name: optional(string(8)) }, "name", "string(9)", "string(8)"],
  [
    "what is not optional",
    { ...fields(), name: string(9) },
    "name",
    "optional(string(9))",
    "string(9)",
  ],
  [
    "a member of a union",
    { ...fields(), event: union("kind", { hit: { by: u8 }, say: { text: string(7) } }) },
    "event.text",
    "string(9)",
    "string(7)",
  ],
  [
    "a member's name",
    { ...fields(), event: union("kind", { hit: { by: u8 }, tell: { text: string(9) } }) },
    "event.kind",
    'literal("say")',
    'literal("tell")',
  ],
  ["a field more", { ...fields(), more: u8 }, "more", "", '"more":range(0,255)'],
  [
    "a field less",
    { tick: u16 },
    "players",
    expect.stringContaining('"players":array') as never,
    "",
  ],
  ["another name", { tock: u16 }, "tick", '"tick":range(0,65535)', '"tock":range(0,65535)'],
].map(([what, other, ...rest]) => [what, schema(other as never), ...rest] as never);

function fields() {
  return {
    tick: u16,
    players: array(player(u8), 8),
    name: optional(string(9)),
    event: union("kind", { hit: { by: u8 }, say: { text: string(9) } }),
  };
}

test.each(differences)("%s", (_what, other, field, left, right) => {
  expect(firstDifference(base, other)).toEqual({ field, left, right });
  expect(firstDifference(base.layout, other.layout)).toEqual({ field, left, right });
  expect(firstDifference(other, base)).toMatchObject({ left: right, right: left });
});

test("a member of a union more is a difference of the union", () => {
  const one = schema(union("kind", { a: {} }));
  const two = schema(union("kind", { a: {}, b: {} }));
  expect(firstDifference(one, two)).toEqual({ field: "", left: one.layout, right: two.layout });
});

describe("of every type", () => {
  test.each(samples)("$name has no difference from itself, and one from others", ({ type }) => {
    const one = schema(type);
    expect(firstDifference(one, one.layout)).toBeUndefined();
    const { layout } = schema(literal("other"));
    expect(firstDifference(one, layout)).toEqual({ field: "", left: one.layout, right: layout });
  });

  test("names and words of any kind", () => {
    const one = schema({ 'a "quoted", {name}': enumeration('x")', "\\", ""), b: literal(-1.0) });
    const two = schema({ 'a "quoted", {name}': enumeration('x")', "\\", ""), b: literal(-2) });
    expect(firstDifference(one, two)).toEqual({
      field: "b",
      left: "literal(-1)",
      right: "literal(-2)",
    });
    const fine = schema({ a: quantized(-1e-20, 1e21, 1e20) });
    expect(firstDifference(fine, fine.layout)).toBeUndefined();
  });
});

test.each(["", "{", '{"a"}', '{"a":u8,}x', "range(1", "a,b", '{"a":b "c":d}'])(
  "%j is no layout",
  (text) => {
    const wanted = expect.objectContaining({ code: "ERR_NETRT_ARGUMENT" });
    expect(() => firstDifference(base, text)).toThrow(wanted);
  },
);
