/*
 * Owns what holds for every type: what is written is read back, what is accepted is canonical, sizes are
 * as measured, deltas come back, and the compiled form does what the plain one does.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Schema, schema } from "../../../lib/schema/index.js";
import { plain, type Sample, samples } from "./samples.js";

const RUNS = 150;
const runs = { numRuns: RUNS };

function expectNear({ near }: Sample, decoded: unknown, value: unknown): void {
  if (near === undefined) expect(plain(decoded)).toEqual(plain(value));
  else expect(near(decoded as never, value as never), JSON.stringify([decoded, value])).toBe(true);
}

/** Random bytes, and messages with a bit turned: most of the former end in the first field. */
function hostile({ type, values }: Sample): fc.Arbitrary<Uint8Array> {
  const one = schema(type);
  const most = Math.min(one.maxBytes + 2, 64);
  return fc.oneof(
    fc.uint8Array({ maxLength: most }),
    fc.uint8Array({ minLength: Math.ceil(one.minBits / 8), maxLength: Math.ceil(one.minBits / 8) }),
    fc.tuple(values, fc.nat(), fc.nat(9)).map(([value, bit, cut]) => {
      const bytes = one.encode(value);
      if (bytes.length > 0 && cut > 1) bytes[bit % bytes.length] ^= 1 << (bit % 8);
      return cut === 1 ? bytes.slice(0, -1) : bytes;
    }),
  );
}

describe.each(samples)("$name", (sample) => {
  const compiled = schema(sample.type);
  const interpreted = schema(sample.type, { compile: false });
  const both = [compiled, interpreted];

  test("decode(encode(x)) is x, of the size measured", () => {
    expect([compiled.compiled, interpreted.compiled]).toEqual([true, false]);
    fc.assert(
      fc.property(sample.values, (value) => {
        const [bytes, other] = both.map((one) => one.encode(value));
        expect(other).toEqual(bytes);
        for (const one of both) {
          const measured = one.measure(value);
          expect(Math.ceil(measured / 8)).toBe(bytes.length);
          expect(measured).toBeGreaterThanOrEqual(one.minBits);
          expect(measured).toBeLessThanOrEqual(one.maxBits);
          const decoded = one.decode(bytes);
          expect(one.rejected).toBeUndefined();
          expectNear(sample, decoded, value);
          expect(one.encode(decoded)).toEqual(bytes);
        }
      }),
      runs,
    );
  });

  test("any memory, at any offset", () => {
    fc.assert(
      fc.property(sample.values, fc.nat(5), fc.boolean(), (value, offset, forAny) => {
        const bytes = compiled.encode(value);
        for (const one of both) {
          const room = forAny ? one.maxBytes : bytes.length;
          const target = new Uint8Array(room + 20).fill(0xaa);
          expect(one.encodeInto(value, target, offset)).toBe(bytes.length);
          const end = offset + bytes.length;
          expect(target.slice(offset, end)).toEqual(bytes);
          expect(target.every((byte, at) => (at >= offset && at < end) || byte === 0xaa)).toBe(
            true,
          );
          expect(plain(one.decode(target.subarray(offset, end)))).toEqual(plain(one.decode(bytes)));
        }
      }),
      { numRuns: 30 },
    );
  });

  test("encode(decode(b)) is b for accepted b; both forms say the same", () => {
    fc.assert(
      fc.property(hostile(sample), (bytes) => {
        const [left, right] = both.map((one) => one.decode(bytes));
        expect(plain(left)).toEqual(plain(right));
        // Of several reasons one form finds this first, the other that: whole runs of fields are there, or not.
        expect(compiled.rejected === undefined).toBe(interpreted.rejected === undefined);
        if (compiled.rejected === undefined) {
          for (const one of both) expect(one.encode(left)).toEqual(bytes);
        } else if (compiled.rejected.reason !== "truncated") {
          expect(compiled.rejected).toEqual(interpreted.rejected);
        }
      }),
      { numRuns: 400 },
    );
  });

  test("deltas: a bit for equal, and back again", () => {
    fc.assert(
      fc.property(sample.values, sample.values, (value, other) => {
        const base = compiled.decode(compiled.encode(other));
        const wanted = compiled.decode(compiled.encode(value));
        const delta = compiled.encodeDelta(value, base);
        expect(interpreted.encodeDelta(value, base)).toEqual(delta);
        for (const one of both) expectDelta(one, delta, value, base, wanted);
      }),
      runs,
    );
  });

  function expectDelta(
    one: Schema<unknown>,
    delta: Uint8Array,
    value: unknown,
    base: unknown,
    wanted: unknown,
  ): void {
    expect(Math.ceil(one.measureDelta(value, base) / 8)).toBe(delta.length);
    const decoded = one.decodeDelta(delta, base);
    expect(one.rejected).toBeUndefined();
    expect(plain(decoded)).toEqual(plain(wanted));
    expect(one.encodeDelta(decoded, base)).toEqual(delta);
    expect(one.measureDelta(wanted, wanted)).toBe(one.maxBits === 0 ? 0 : 1);
    expect(plain(one.decodeDelta(one.encodeDelta(wanted, wanted), wanted))).toEqual(plain(wanted));
  }

  test("hostile deltas: accepted ones are canonical", () => {
    fc.assert(
      fc.property(
        sample.values,
        sample.values,
        fc.uint8Array({ maxLength: 12 }),
        fc.nat(),
        (value, other, noise, bit) => {
          const base = compiled.decode(compiled.encode(other));
          const turned = compiled.encodeDelta(value, base);
          turned[bit % turned.length] ^= 1 << (bit % 8);
          for (const bytes of [noise, turned]) {
            const [left, right] = both.map((one) => one.decodeDelta(bytes, base));
            expect(compiled.rejected).toEqual(interpreted.rejected);
            expect(plain(left)).toEqual(plain(right));
            if (compiled.rejected !== undefined) continue;
            expect(compiled.encodeDelta(left, base)).toEqual(bytes);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
