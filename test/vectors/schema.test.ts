/*
 * Owns the known answers of netrt/schema (schema.json): layouts, hashes, messages (S-1, S-4, S-5, S-6,
 * S-7, S-8, S-9, S-10) and deltas, bit for bit, compiled and not; and that the bit writer and reader of
 * both engines make the same bytes of the same bits, so that an implementation in C++ needs no other.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Sink } from "../../lib/schema/node.js";
import { schema } from "../../lib/schema/index.js";
import { type CoreProbe, OPERATION, twins } from "../twins.js";
import { definitions, fromJson } from "./definitions.js";

/** A number and its bits, or the way to the next byte. */
type Put = readonly [value: number, bits: number] | "align";

interface Vector {
  readonly definition: string;
  readonly value: unknown;
  readonly bits: number;
  readonly bytes: string;
  readonly puts: readonly Put[];
}
interface Vectors {
  readonly layouts: Record<string, { layout: string; hash: number }>;
  readonly messages: readonly Vector[];
  readonly deltas: readonly (Vector & { readonly base: unknown })[];
}

const vectors = JSON.parse(
  readFileSync(new URL("schema.json", import.meta.url), "utf8"),
) as Vectors;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const forms = [true, false] as const;

/** Notes what a type puts. */
class Recorder implements Sink {
  readonly puts: Put[] = [];

  put(value: number, bits: number): void {
    this.puts.push([value, bits]);
  }

  align(): void {
    this.puts.push("align");
  }

  mark(): number {
    return this.puts.length;
  }

  rewind(mark: number): void {
    this.puts.length = mark;
  }
}

test("every definition has its layout and hash, and answers", () => {
  expect(Object.keys(vectors.layouts)).toEqual(Object.keys(definitions));
  for (const [name, type] of Object.entries(definitions)) {
    const { layout, hash } = schema(type);
    expect({ layout, hash }).toEqual(vectors.layouts[name]);
    expect(vectors.messages.some(({ definition }) => definition === name)).toBe(true);
  }
});

test.each(vectors.messages)("$definition: $value is $bytes", (vector) => {
  const type = definitions[vector.definition];
  const value = fromJson(vector.value);
  for (const compile of forms) {
    const one = schema(type, { compile });
    expect(hex(one.encode(value))).toBe(vector.bytes);
    expect(one.measure(value)).toBe(vector.bits);
    const decoded = one.decode(unhex(vector.bytes));
    expect(one.rejected).toBeUndefined();
    expect(hex(one.encode(decoded))).toBe(vector.bytes);
  }
  const recorder = new Recorder();
  type.write(recorder, value);
  expect(recorder.puts).toEqual(vector.puts);
});

test.each(vectors.deltas)("$definition: from $base to $value is $bytes", (vector) => {
  const type = definitions[vector.definition];
  const one = schema(type);
  const base = fromJson(vector.base);
  const value = fromJson(vector.value);
  expect(hex(one.encodeDelta(value, base))).toBe(vector.bytes);
  expect(one.measureDelta(value, base)).toBe(vector.bits);
  const decoded = one.decodeDelta(unhex(vector.bytes), base);
  expect(one.rejected).toBeUndefined();
  expect(one.encode(decoded)).toEqual(one.encode(value));
  const recorder = new Recorder();
  type.writeDelta(recorder, value, base);
  expect(recorder.puts).toEqual(vector.puts);
});

describe.each(twins)("the bits of $name", ({ core }) => {
  test.each([...vectors.messages, ...vectors.deltas])("$definition: $bytes", ({ puts, bytes }) => {
    const program = Uint32Array.from(
      puts.flatMap((put) =>
        put === "align" ? [OPERATION.ALIGN, 0, 0] : [OPERATION.BITS, put[0], put[1]],
      ),
    );
    expect(hex(write(core, program, bytes.length / 2))).toBe(bytes);
    const values = puts.map((put) => (put === "align" ? 0 : put[0]));
    expect(read(core, program, unhex(bytes))).toEqual(values);
  });
});

function write(core: CoreProbe, program: Uint32Array, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const state = new Uint32Array(3);
  core.writeProgram(program, bytes, 0, count, new Uint8Array(0), state);
  const [offset, bitOffset, failed] = state;
  expect([offset + (bitOffset > 0 ? 1 : 0), failed]).toEqual([count, 0]);
  return bytes;
}

function read(core: CoreProbe, program: Uint32Array, bytes: Uint8Array): number[] {
  const values = new Uint32Array(program.length / 3);
  const state = new Uint32Array(3);
  core.readProgram(program, bytes, 0, bytes.length, new Uint8Array(0), values, state);
  const [offset, bitOffset, failed] = state;
  expect([offset + (bitOffset > 0 ? 1 : 0), failed]).toEqual([bytes.length, 0]);
  return [...values];
}
