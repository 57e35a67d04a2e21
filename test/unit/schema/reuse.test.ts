/*
 * Owns decoding into what is there already: the same objects, nothing left of the last message, no
 * garbage.
 */
import { describe, expect, test } from "vitest";
import {
  array,
  bits,
  bool,
  bytes,
  fixedArray,
  type Infer,
  object,
  optional,
  quantized,
  quaternion,
  relativeIndices,
  schema,
  string,
  subset,
  u8,
  u32,
  union,
  varint,
  vec3,
} from "../../../lib/schema/index.js";

describe.each([true, false])("compiled: %s", (compile) => {
  test("objects, arrays and byte arrays stay the same ones", () => {
    const one = schema(
      {
        id: u8,
        at: vec3(bits(10)),
        turn: quaternion(9),
        list: array(object({ a: u8 }), 5),
        pair: fixedArray(u8, 2),
        raw: bytes(4),
        some: subset(16),
        near: relativeIndices(100, 4),
      },
      { compile },
    );
    const value = {
      id: 1,
      at: { x: 1, y: 2, z: 3 },
      turn: { x: 0, y: 0, z: 0, w: 1 },
      list: [{ a: 1 }, { a: 2 }],
      pair: [5, 6],
      raw: Uint8Array.of(1, 2),
      some: [1, 5],
      near: [2, 50],
    };
    const target = one.decode(one.encode(value));
    if (target === undefined) throw new Error("refused");
    expect(target).toEqual(value);
    const { at, turn, list, pair, raw, some, near } = target;
    const [first] = list;
    const other = {
      ...value,
      id: 2,
      at: { x: 9, y: 8, z: 7 },
      list: [{ a: 7 }],
      raw: Uint8Array.of(8, 9),
      some: [0],
      near: [],
    };
    expect(one.decodeInto(one.encode(other), target)).toBe(true);
    expect(target).toEqual(other);
    expect([target.at, target.turn, target.list, target.list[0]]).toEqual([at, turn, list, first]);
    expect(target.at).toBe(at);
    expect(target.turn).toBe(turn);
    expect(target.list).toBe(list);
    expect(target.list[0]).toBe(first);
    expect(target.pair).toBe(pair);
    expect(target.raw).toBe(raw);
    expect(target.some).toBe(some);
    expect(target.near).toBe(near);
  });

  test("a list that was longer has its elements again", () => {
    const one = schema(array(object({ a: u8 }), 5), { compile });
    const target = one.decode(one.encode([{ a: 1 }, { a: 2 }, { a: 3 }])) ?? [];
    const kept = [...target];
    expect(one.decodeInto(one.encode([{ a: 9 }]), target)).toBe(true);
    expect(target).toEqual([{ a: 9 }]);
    expect(one.decodeInto(one.encode([{ a: 4 }, { a: 5 }, { a: 6 }, { a: 7 }]), target)).toBe(true);
    expect(target).toEqual([{ a: 4 }, { a: 5 }, { a: 6 }, { a: 7 }]);
    expect(target.slice(0, 3).every((element, index) => element === kept[index])).toBe(true);
  });

  test("what is missing is missing again, and members of a union keep nothing", () => {
    const one = schema(
      {
        name: optional(string(4)),
        event: union("kind", { hit: { by: u8, at: vec3(u8) }, say: { text: string(5) } }),
      },
      { compile },
    );
    type Event = Infer<typeof one>;
    const hit: Event = { name: "ada", event: { kind: "hit", by: 3, at: { x: 1, y: 2, z: 3 } } };
    const say: Event = { event: { kind: "say", text: "hello" } };
    const target = one.decode(one.encode(hit));
    if (target === undefined) throw new Error("refused");
    const { event } = target;
    expect(one.decodeInto(one.encode({ ...hit, name: "bob" }), target)).toBe(true);
    expect(target.event).toBe(event);
    expect(one.decodeInto(one.encode(say), target)).toBe(true);
    expect(target.name).toBeUndefined();
    expect(target.event).toEqual({ kind: "say", text: "hello" });
  });

  test("a decoded value keeps nothing of the bytes", () => {
    const one = schema({ raw: bytes(4), text: string(4) }, { compile });
    const message = one.encode({ raw: Uint8Array.of(1, 2, 3), text: "abc" });
    const value = one.decode(message);
    message.fill(0xff);
    expect(value).toEqual({ raw: Uint8Array.of(1, 2, 3), text: "abc" });
  });
});

test("decodeInto leaves no garbage", () => {
  const one = schema({
    tick: u32,
    count: varint,
    players: array(object({ id: u8, alive: bool, at: vec3(quantized(-1, 1, 0.01)) }), 20),
    seen: subset(64),
  });
  const player = (id: number) => ({
    id,
    alive: id % 2 === 0,
    at: { x: id / 40, y: -id / 40, z: 0.125 },
  });
  const messages = [20, 3, 11].map((count) =>
    one.encode({
      tick: 2 ** 32 - count,
      count: 2 ** count,
      players: Array.from({ length: count }, (_, id) => player(count - id)),
      seen: [count],
    }),
  );
  const target = one.decode(messages[0]);
  if (target === undefined) throw new Error("refused");
  const run = (rounds: number): number => {
    const before = process.memoryUsage().heapUsed;
    for (let round = 0; round < rounds; round++) {
      for (const message of messages) if (!one.decodeInto(message, target)) throw new Error("no");
    }
    return process.memoryUsage().heapUsed - before;
  };
  run(20_000);
  // A collection within a run makes it smaller, the compiler's own work greater: the median counts. One
  // boxed number of 16 bytes for each message were 480,000.
  const runs = Array.from({ length: 9 }, () => run(10_000)).sort((left, right) => left - right);
  expect(runs[4]).toBeLessThan(100_000);
});
