/*
 * Owns the test of the twins' codec: what is written is read back, nothing is read or written past
 * the end, longer forms are refused, and both languages agree on every program of calls.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CoreProbe, OPERATION, twins } from "../twins.js";

type Step = readonly [operation: number, value: number, count: number];

const CAPACITY = 64;

function program(steps: readonly Step[]): Uint32Array {
  return Uint32Array.from(steps.flat());
}

function write(core: CoreProbe, steps: readonly Step[], end = CAPACITY, offset = 0) {
  const bytes = new Uint8Array(CAPACITY).fill(0xaa);
  const state = new Uint32Array(3);
  const source = Uint8Array.from({ length: 32 }, (_, index) => 0xe0 + index);
  core.writeProgram(program(steps), bytes, offset, end, source, state);
  const [at, bitOffset, failed] = state;
  return { bytes, at, bitOffset, failed: failed === 1 };
}

function read(core: CoreProbe, steps: readonly Step[], bytes: Uint8Array, offset = 0, end = -1) {
  const state = new Uint32Array(3);
  const values = new Uint32Array(steps.length);
  const copy = new Uint8Array(64);
  const last = end < 0 ? bytes.length : end;
  core.readProgram(program(steps), bytes, offset, last, copy, values, state);
  const [at, bitOffset, failed] = state;
  return { values: [...values], copy, at, bitOffset, failed: failed === 1 };
}

const one = (operation: number, value = 0, count = 0): Step[] => [[operation, value, count]];
const written = (core: CoreProbe, steps: readonly Step[]) => {
  const { bytes, at } = write(core, steps);
  return [...bytes.subarray(0, at)];
};

describe.each(twins)("bytes of $name", ({ core }) => {
  test("integers are little-endian (R-1)", () => {
    expect(written(core, one(OPERATION.U8, 0x1ff))).toEqual([0xff]);
    expect(written(core, one(OPERATION.U16, 0x1234))).toEqual([0x34, 0x12]);
    expect(written(core, one(OPERATION.U32, 0x89abcdef))).toEqual([0xef, 0xcd, 0xab, 0x89]);
    const bytes = Uint8Array.of(0xef, 0xcd, 0xab, 0x89, 0x34, 0x12, 0xff);
    const steps: Step[] = [
      [OPERATION.U32, 0, 0],
      [OPERATION.U16, 0, 0],
      [OPERATION.U8, 0, 0],
    ];
    const { values, failed } = read(core, steps, bytes);
    expect(values).toEqual([0x89abcdef, 0x1234, 0xff]);
    expect(failed).toBe(false);
  });

  test.each([
    [0, [0]],
    [1, [1]],
    [0x7f, [0x7f]],
    [0x80, [0x80, 0x01]],
    [0x3fff, [0xff, 0x7f]],
    [0x4000, [0x80, 0x80, 0x01]],
    [0x1fffff, [0xff, 0xff, 0x7f]],
    [0x200000, [0x80, 0x80, 0x80, 0x01]],
    [0x0fffffff, [0xff, 0xff, 0xff, 0x7f]],
  ])("varint %i", (value, bytes) => {
    expect(written(core, one(OPERATION.VARINT, value))).toEqual(bytes);
    expect(core.varintBytes(value)).toBe(bytes.length);
    const result = read(core, one(OPERATION.VARINT), Uint8Array.from(bytes));
    expect(result.values).toEqual([value]);
    expect(result.failed).toBe(false);
    expect(result.at).toBe(bytes.length);
  });

  test.each([
    ["longer than the shortest form", [0x80, 0x00]],
    ["longer, three bytes", [0x81, 0x80, 0x00]],
    ["longer, four bytes", [0xff, 0xff, 0xff, 0x00]],
    ["a fifth byte", [0xff, 0xff, 0xff, 0xff, 0x01]],
    ["cut", [0x80]],
    ["empty", []],
  ])("varint refused: %s", (_name, bytes) => {
    const result = read(core, one(OPERATION.VARINT), Uint8Array.from(bytes));
    expect(result).toMatchObject({ values: [0], failed: true, at: bytes.length });
  });

  test("a number past 28 bits has no varint", () => {
    expect(core.varintBytes(0x10000000)).toBe(0);
    expect(core.varintBytes(0xffffffff)).toBe(0);
    expect(write(core, one(OPERATION.VARINT, 0x10000000))).toMatchObject({ failed: true });
  });

  test("bits go from the lowest, over byte borders", () => {
    const steps: Step[] = [
      [OPERATION.BITS, 0b101, 3],
      [OPERATION.BITS, 0xffffffff, 32],
      [OPERATION.BITS, 0, 1],
      [OPERATION.ALIGN, 0, 0],
      [OPERATION.U8, 9, 0],
    ];
    const bytes = written(core, steps);
    expect(bytes).toEqual([0xfd, 0xff, 0xff, 0xff, 0x07, 9]);
    expect(read(core, steps, Uint8Array.from(bytes)).values).toEqual([5, 0xffffffff, 0, 0, 9]);
  });

  test("a padding bit that is set is refused (R-2)", () => {
    const steps: Step[] = [
      [OPERATION.BITS, 0, 3],
      [OPERATION.ALIGN, 0, 0],
    ];
    expect(read(core, steps, Uint8Array.of(0b00000111)).failed).toBe(false);
    for (let bit = 3; bit < 8; bit++) {
      expect(read(core, steps, Uint8Array.of(1 << bit)).failed).toBe(true);
    }
  });

  test("what does not fit fails, and so does all after it (R-1)", () => {
    for (const [operation, needs] of [
      [OPERATION.U16, 2],
      [OPERATION.U32, 4],
      [OPERATION.SKIP, 5],
      [OPERATION.BYTES, 5],
    ] as const) {
      const steps: Step[] = [
        [operation, 0, needs],
        [OPERATION.U8, 1, 0],
      ];
      for (let room = 0; room < needs; room++) {
        const reading = read(core, steps, new Uint8Array(room).fill(7));
        expect(reading).toMatchObject({ values: [0, 0], at: room, failed: true });
        const writing = write(core, steps, room);
        expect(writing).toMatchObject({ at: room, failed: true });
        expect([...writing.bytes]).toEqual(new Array(CAPACITY).fill(0xaa));
      }
    }
  });

  test("offset and end bound both ends", () => {
    const bytes = Uint8Array.of(1, 2, 3, 4, 5);
    const steps = one(OPERATION.U16);
    expect(read(core, steps, bytes, 1, 3)).toMatchObject({ values: [0x0302], at: 3 });
    expect(read(core, steps, bytes, 2, 3)).toMatchObject({ values: [0], at: 3, failed: true });
    const result = write(core, one(OPERATION.U16, 0x1122), 5, 3);
    expect([...result.bytes.subarray(2, 6)]).toEqual([0xaa, 0x22, 0x11, 0xaa]);
  });

  test("bytes are copied both ways", () => {
    expect(written(core, one(OPERATION.BYTES, 0, 3))).toEqual([0xe0, 0xe1, 0xe2]);
    const result = read(core, one(OPERATION.BYTES, 0, 3), Uint8Array.of(4, 5, 6, 7));
    expect([...result.copy.subarray(0, 4)]).toEqual([4, 5, 6, 0]);
    expect(result.at).toBe(3);
  });
});

const word = fc.integer({ min: 0, max: 0xffffffff });
const small = fc.integer({ min: 0, max: 20 });
const bits = fc.integer({ min: 1, max: 32 });

/** One call, or bits with the alignment that whole bytes need after them. */
const calls: fc.Arbitrary<Step[]> = fc.oneof(
  fc.tuple(fc.constant(OPERATION.U8), word, fc.constant(0)).map((step) => [step]),
  fc.tuple(fc.constant(OPERATION.U16), word, fc.constant(0)).map((step) => [step]),
  fc.tuple(fc.constant(OPERATION.U32), word, fc.constant(0)).map((step) => [step]),
  fc
    .tuple(fc.constant(OPERATION.VARINT), word, fc.integer({ min: 0, max: 31 }))
    .map(([operation, value, shift]) => [[operation, value >>> shift, 0] as const]),
  fc.tuple(fc.constant(OPERATION.SKIP), word, small).map((step) => [step]),
  fc.tuple(fc.constant(OPERATION.BYTES), word, small).map((step) => [step]),
  fc
    .array(fc.tuple(fc.constant(OPERATION.BITS), word, bits), { minLength: 1, maxLength: 6 })
    .map((steps): Step[] => [...steps, [OPERATION.ALIGN, 0, 0]]),
);
const programs = fc.array(calls, { maxLength: 16 }).map((steps) => steps.flat());

describe.each(twins)("bytes of $name, any program", ({ core }) => {
  test("what was written is read back", () => {
    fc.assert(
      fc.property(programs, (steps) => {
        const result = write(core, steps);
        fc.pre(!result.failed);
        const back = read(core, steps, result.bytes, 0, result.at);
        expect(back).toMatchObject({ at: result.at, bitOffset: 0, failed: false });
        steps.forEach(([operation, value, count], index) => {
          if (operation === OPERATION.VARINT || operation === OPERATION.U32) {
            expect(back.values[index]).toBe(value);
          } else if (operation === OPERATION.BITS) {
            expect(back.values[index]).toBe(value % 2 ** count);
          }
        });
      }),
    );
  });

  test("a varint has one form (R-2, R-4)", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 6 }), (bytes) => {
        const result = read(core, one(OPERATION.VARINT), bytes);
        fc.pre(!result.failed);
        expect(written(core, one(OPERATION.VARINT, result.values[0]))).toEqual([
          ...bytes.subarray(0, result.at),
        ]);
      }),
    );
  });
});

describe.runIf(twins.length > 1)("the twins agree on", () => {
  const [js, native] = twins;

  test("any program of writes in any room", () => {
    fc.assert(
      fc.property(programs, fc.integer({ min: 0, max: CAPACITY }), (steps, end) => {
        expect(write(native.core, steps, end)).toEqual(write(js.core, steps, end));
      }),
    );
  });

  test("any program of reads on any bytes", () => {
    fc.assert(
      fc.property(programs, fc.uint8Array({ maxLength: CAPACITY }), (steps, bytes) => {
        expect(read(native.core, steps, bytes)).toEqual(read(js.core, steps, bytes));
      }),
    );
  });
});
