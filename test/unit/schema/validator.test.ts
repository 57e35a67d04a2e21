/*
 * Owns the validator that may be attached: a Standard Schema, which sees what goes out and what came in.
 */
import { expect, test, vi } from "vitest";
import { type StandardSchema, schema, u8 } from "../../../lib/schema/index.js";

interface Pair {
  least: number;
  most: number;
}

const validate = vi.fn((value: unknown) => {
  const { least, most } = value as Pair;
  return least <= most ? { value: { least, most } } : { issues: [{ message: "turned around" }] };
});
const ordered: StandardSchema<Pair> = { "~standard": { version: 1, vendor: "test", validate } };

test.each([true, false])("a validator refuses both ways; compiled: %s", (compile) => {
  const one = schema({ least: u8, most: u8 }, { validator: ordered, compile });
  expect(one.compiled).toBe(compile);
  const bytes = one.encode({ least: 1, most: 2 });
  expect(one.decode(bytes)).toEqual({ least: 1, most: 2 });
  expect(one.decodeInto(bytes, { least: 0, most: 0 })).toBe(true);

  const refused = expect.objectContaining({ code: "ERR_NETRT_ARGUMENT" });
  expect(() => one.encode({ least: 2, most: 1 })).toThrow(refused);
  expect(() => one.encodeInto({ least: 2, most: 1 }, new Uint8Array(8))).toThrow(refused);
  expect(() => one.measure({ least: 2, most: 1 })).toThrow(refused);
  expect(() => one.encodeDelta({ least: 2, most: 1 }, { least: 1, most: 1 })).toThrow(refused);
  for (const read of [
    (given: Uint8Array) => one.decode(given) !== undefined,
    (given: Uint8Array) => one.decodeInto(given, { least: 0, most: 0 }),
  ]) {
    expect(read(Uint8Array.of(2, 1))).toBe(false);
    expect(one.rejected).toEqual({ reason: "invalid", field: "" });
  }
  const plain = schema({ least: u8, most: u8 });
  const base = { least: 1, most: 1 };
  expect(one.decodeDelta(plain.encodeDelta({ least: 2, most: 1 }, base), base)).toBeUndefined();
  expect(one.rejected).toEqual({ reason: "invalid", field: "" });
});

test("what does not fit the types is no business of the validator's", () => {
  const one = schema({ least: u8, most: u8 }, { validator: ordered });
  validate.mockClear();
  expect(() => one.encode({ least: 1, most: 256 })).toThrow("most");
  expect(one.decode(Uint8Array.of(1))).toBeUndefined();
  expect(validate.mock.calls.filter(([value]) => (value as Pair).most === 256)).toEqual([]);
});

test("a validator that makes one wait is none", () => {
  const slow: StandardSchema<Pair> = {
    "~standard": {
      version: 1,
      vendor: "slow",
      validate: async (value) => ({ value: value as Pair }),
    },
  };
  const one = schema({ least: u8, most: u8 }, { validator: slow });
  const wanted = expect.objectContaining({
    code: "ERR_NETRT_ARGUMENT",
    message: expect.stringContaining("synchronous") as string,
  });
  expect(() => one.encode({ least: 1, most: 2 })).toThrow(wanted);
});
