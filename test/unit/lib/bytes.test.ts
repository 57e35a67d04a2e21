/*
 * Owns the test of `netrt/bytes`: what is written is read back, what a peer sends never throws, and what
 * a caller gets wrong always does.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../lib/bytes.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const code = (value: string) => expect.objectContaining({ code: value });

type Field =
  | { kind: "u8" | "u16" | "u32" | "i8" | "i16" | "i32" | "varint" | "zigzag"; value: number }
  | { kind: "u64" | "i64"; value: bigint }
  | { kind: "f32" | "f64"; value: number }
  | { kind: "bytes"; value: Uint8Array }
  | { kind: "string"; value: string }
  | { kind: "bits"; value: number; count: number }
  | { kind: "bool"; value: boolean }
  | { kind: "align" };

const integer = (kind: Field["kind"], min: number, max: number) =>
  fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max)).map((value) => ({ kind, value }));

const fields = fc.array(
  fc.oneof(
    integer("u8", 0, 0xff),
    integer("u16", 0, 0xffff),
    integer("u32", 0, 0xffffffff),
    integer("i8", -128, 127),
    integer("i16", -32768, 32767),
    integer("i32", -(2 ** 31), 2 ** 31 - 1),
    integer("varint", 0, Number.MAX_SAFE_INTEGER),
    integer("varint", 0, 300),
    integer("zigzag", -(2 ** 52), 2 ** 52 - 1),
    integer("zigzag", -100, 100),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => ({ kind: "u64", value })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ kind: "i64", value })),
    fc.float().map((value) => ({ kind: "f32", value })),
    fc.double().map((value) => ({ kind: "f64", value })),
    fc.uint8Array({ maxLength: 40 }).map((value) => ({ kind: "bytes", value })),
    fc.string({ unit: "binary", maxLength: 40 }).map((value) => ({ kind: "string", value })),
    fc
      .tuple(fc.integer({ min: 1, max: 32 }), fc.integer({ min: 0, max: 0xffffffff }))
      .map(([count, value]) => ({ kind: "bits", count, value: value % 2 ** count })),
    fc.boolean().map((value) => ({ kind: "bool", value })),
    fc.constant({ kind: "align" }),
  ) as fc.Arbitrary<Field>,
  { maxLength: 30 },
);

function writeField(writer: ByteWriter, field: Field): void {
  if (field.kind === "align") writer.align();
  else if (field.kind === "bits") writer.bits(field.value, field.count);
  else (writer[field.kind] as (value: unknown) => ByteWriter)(field.value);
}

function readField(reader: ByteReader, field: Field): unknown {
  if (field.kind === "align") return reader.align();
  if (field.kind === "bits") return reader.bits(field.count);
  if (field.kind === "bytes") return reader.bytes(field.value.length);
  return reader[field.kind]();
}

function writeAll(list: readonly Field[], writer = new ByteWriter(8)): Uint8Array {
  for (const field of list) writeField(writer, field);
  return writer.finish();
}

describe("ByteWriter and ByteReader", () => {
  test("the example of the documentation", () => {
    const writer = new ByteWriter();
    const bytes = writer.u16(7).varint(1200).bool(true).bits(5, 3).string("north").finish();
    expect(bytes).toHaveLength(11);
    const reader = new ByteReader(bytes);
    expect(reader.u16()).toBe(7);
    expect(reader.varint()).toBe(1200);
    expect(reader.bool()).toBe(true);
    expect(reader.bits(3)).toBe(5);
    expect(reader.string(16)).toBe("north");
    expect(reader.finish()).toBe(true);
  });

  test("the bytes of each field", () => {
    const write = (fill: (writer: ByteWriter) => ByteWriter) =>
      hex(fill(new ByteWriter()).finish());
    expect(write((w) => w.u8(0x12).u16(0x1234).u32(0x12345678))).toBe("12341278563412");
    expect(write((w) => w.i8(-1).i16(-2).i32(-3))).toBe("fffefffdffffff");
    expect(write((w) => w.u64(0x0102030405060708n).i64(-2n))).toBe(
      "0807060504030201feffffffffffffff",
    );
    expect(write((w) => w.f32(1).f64(-2))).toBe("0000803f00000000000000c0");
    expect(write((w) => w.varint(0).varint(127).varint(128).varint(300))).toBe("007f8001ac02");
    expect(write((w) => w.varint(Number.MAX_SAFE_INTEGER))).toBe("ffffffffffffff0f");
    expect(write((w) => w.zigzag(0).zigzag(-1).zigzag(1).zigzag(-2).zigzag(-0))).toBe("0001020300");
    expect(write((w) => w.string("é").bytes(Uint8Array.of(1, 2)))).toBe("02c3a90102");
    expect(write((w) => w.bool(true).bool(false).bits(3, 2).u8(1).bool(true))).toBe("0d0101");
  });

  test("anything comes back", () => {
    fc.assert(
      fc.property(fields, (list) => {
        const bytes = writeAll(list);
        const reader = new ByteReader(bytes);
        for (const field of list) {
          const value = readField(reader, field);
          if (field.kind !== "align") expect(value).toEqual(field.value);
        }
        expect(reader.finish()).toBe(true);
        expect(reader.remaining).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });

  test("any bytes are read without a throw, and failure lasts", () => {
    fc.assert(
      fc.property(fields, fc.uint8Array({ maxLength: 60 }), (list, bytes) => {
        const reader = new ByteReader(bytes);
        let failed = false;
        for (const field of list) {
          readField(reader, field);
          expect(reader.failed || !failed).toBe(true);
          failed = reader.failed;
        }
        if (failed) expect(reader.finish()).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test("each truncation is noticed", () => {
    fc.assert(
      fc.property(fields, (list) => {
        const bytes = writeAll(list);
        for (let length = 0; length < bytes.length; length++) {
          const reader = new ByteReader(bytes.subarray(0, length));
          for (const field of list) readField(reader, field);
          expect(reader.finish()).toBe(false);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("ByteReader", () => {
  test("finish says no to bytes left over and to padding that is set", () => {
    expect(new ByteReader(Uint8Array.of(1, 2)).finish()).toBe(false);
    const reader = new ByteReader(Uint8Array.of(0b10));
    expect(reader.bool()).toBe(false);
    expect(reader.finish()).toBe(false);
    expect(new ByteReader().finish()).toBe(true);
  });

  test.each([
    ["8000", "longer than need be"],
    ["ffffffffffffff00", "longer than need be, eight bytes"],
    ["ffffffffffffff10", "past 2^53"],
    ["ffffffffffffff7f", "past 2^53"],
    ["ffffffffffffffff01", "nine bytes"],
    ["80", "cut"],
  ])("varint %s is refused: %s", (text) => {
    const reader = new ByteReader(new Uint8Array(Buffer.from(text, "hex")));
    expect(reader.varint()).toBe(0);
    expect(reader.failed).toBe(true);
  });

  test("a string is bounded and must be UTF-8", () => {
    const bytes = new ByteWriter().string("héllo").finish();
    expect(new ByteReader(bytes).string(6)).toBe("héllo");
    const short = new ByteReader(bytes);
    expect(short.string(5)).toBe("");
    expect(short.failed).toBe(true);
    for (const bad of [
      [1, 0x80],
      [2, 0xc0, 0x80],
      [3, 0xed, 0xa0, 0x80],
      [5, 0x61],
      [0xff, 0xff, 0xff, 0x7f],
    ]) {
      const reader = new ByteReader(Uint8Array.from(bad));
      expect(reader.string()).toBe("");
      expect(reader.failed).toBe(true);
    }
    // A byte order mark is a character like any other.
    expect(new ByteReader(new ByteWriter().string("\ufeffa").finish()).string()).toBe("\ufeffa");
  });

  test("bytes are views of the message", () => {
    const message = Uint8Array.of(1, 2, 3, 4);
    const view = new ByteReader(message.subarray(1)).bytes(2);
    expect(view.buffer).toBe(message.buffer);
    expect([...view]).toEqual([2, 3]);
  });

  test("reset serves the next message, failure forgotten, floats included", () => {
    const reader = new ByteReader(new ByteWriter().f64(1.5).finish());
    expect(reader.f64()).toBe(1.5);
    reader.u8();
    expect(reader.failed).toBe(true);
    const shared = new Uint8Array(32);
    shared.set(new ByteWriter().f64(2.5).finish(), 5);
    expect(reader.reset(shared.subarray(5, 13)).f64()).toBe(2.5);
    expect(reader.finish()).toBe(true);
  });

  test("remaining counts whole bytes", () => {
    const reader = new ByteReader(new Uint8Array(4));
    expect(reader.remaining).toBe(4);
    reader.bits(3);
    expect(reader.remaining).toBe(3);
    reader.u8();
    expect(reader.remaining).toBe(2);
  });

  test("a caller's mistake throws", () => {
    const reader = new ByteReader(new Uint8Array(8));
    expect(() => reader.bits(0)).toThrow(code("ERR_NETRT_ARGUMENT"));
    expect(() => reader.bits(33)).toThrow(code("ERR_NETRT_ARGUMENT"));
    expect(() => reader.bytes(-1)).toThrow(code("ERR_NETRT_ARGUMENT"));
    expect(() => reader.reset("text" as unknown as Uint8Array)).toThrow(code("ERR_NETRT_ARGUMENT"));
  });
});

describe("ByteWriter", () => {
  test("grows from a number, and keeps what it has", () => {
    const writer = new ByteWriter(1);
    for (let index = 0; index < 1000; index++) writer.u8(index & 255);
    expect(writer.length).toBe(1000);
    expect([...writer.finish()]).toEqual(Array.from({ length: 1000 }, (_, index) => index & 255));
    expect(writer.reset().f32(1).length).toBe(4);
  });

  test("never leaves the memory it was given", () => {
    const memory = new Uint8Array(8).fill(0xaa);
    const writer = new ByteWriter(memory.subarray(2, 6));
    writer.u16(0x1122).u8(0x33);
    expect(() => writer.u16(1)).toThrow(code("ERR_NETRT_MESSAGE_TOO_LARGE"));
    writer.bits(1, 8);
    expect(() => writer.bool(true)).toThrow(code("ERR_NETRT_MESSAGE_TOO_LARGE"));
    expect([...memory]).toEqual([0xaa, 0xaa, 0x22, 0x11, 0x33, 0x01, 0xaa, 0xaa]);
    expect(writer.finish().buffer).toBe(memory.buffer);
  });

  test("a growing writer stops at 16 MiB", () => {
    const writer = new ByteWriter();
    writer.bytes(new Uint8Array(16 * 1024 * 1024));
    expect(() => writer.u8(1)).toThrow(code("ERR_NETRT_MESSAGE_TOO_LARGE"));
  });

  test("length counts a begun byte", () => {
    const writer = new ByteWriter();
    expect(writer.length).toBe(0);
    expect(writer.bool(true).length).toBe(1);
    expect(writer.bits(0, 7).length).toBe(1);
    expect(writer.bool(true).align().align().length).toBe(2);
  });

  test.each<[string, (writer: ByteWriter) => unknown]>([
    ["u8 256", (w) => w.u8(256)],
    ["u8 -1", (w) => w.u8(-1)],
    ["u8 0.5", (w) => w.u8(0.5)],
    ["u8 NaN", (w) => w.u8(Number.NaN)],
    ["u8 text", (w) => w.u8("1" as unknown as number)],
    ["u16 65536", (w) => w.u16(65536)],
    ["u32 2^32", (w) => w.u32(2 ** 32)],
    ["u64 number", (w) => w.u64(1 as unknown as bigint)],
    ["u64 -1", (w) => w.u64(-1n)],
    ["u64 2^64", (w) => w.u64(2n ** 64n)],
    ["i8 128", (w) => w.i8(128)],
    ["i8 -129", (w) => w.i8(-129)],
    ["i16 32768", (w) => w.i16(32768)],
    ["i32 2^31", (w) => w.i32(2 ** 31)],
    ["i64 2^63", (w) => w.i64(2n ** 63n)],
    ["i64 number", (w) => w.i64(0 as unknown as bigint)],
    ["f32 text", (w) => w.f32("1" as unknown as number)],
    ["f64 undefined", (w) => w.f64(undefined as unknown as number)],
    ["varint -1", (w) => w.varint(-1)],
    ["varint 2^53", (w) => w.varint(2 ** 53)],
    ["zigzag 2^52", (w) => w.zigzag(2 ** 52)],
    ["zigzag -2^52 - 1", (w) => w.zigzag(-(2 ** 52) - 1)],
    ["bytes array", (w) => w.bytes([1] as unknown as Uint8Array)],
    ["string number", (w) => w.string(1 as unknown as string)],
    ["string too long", (w) => w.string("abc", 2)],
    ["bits past count", (w) => w.bits(8, 3)],
    ["bits count 0", (w) => w.bits(0, 0)],
    ["bits count 33", (w) => w.bits(0, 33)],
    ["bool number", (w) => w.bool(1 as unknown as boolean)],
    ["target 0", () => new ByteWriter(0)],
    ["target text", () => new ByteWriter("x" as unknown as number)],
  ])("%s throws, and writes nothing", (_name, call) => {
    const writer = new ByteWriter();
    expect(() => call(writer)).toThrow(code("ERR_NETRT_ARGUMENT"));
    expect(writer.length).toBe(0);
  });
});
