/*
 * Owns the test of NETCODE packet headers: each sequence length, the order of refusals, the
 * sizes of each type.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CoreProbe, twins } from "../twins.js";

const TOO_SHORT = 1;
const TYPE = 2;
const SEQUENCE_BYTES = 3;
const TAG_BYTES = 16;

const u64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: -2, max: 2 })).map(([bits, near]) => {
    return BigInt.asUintN(64, (1n << BigInt(bits)) + BigInt(near));
  }),
);
const halves = (value: bigint): [number, number] => [
  Number(value & 0xffffffffn),
  Number(value >> 32n),
];

function read(core: CoreProbe, bytes: Uint8Array, offset = 0, length = bytes.length - offset) {
  const header = new Uint32Array(4);
  const reason = core.packetHeaderRead(bytes, offset, length, header);
  const [type, lo, hi, count] = header;
  return { reason, type, sequence: (BigInt(hi) << 32n) | BigInt(lo), bytes: count };
}

/** A packet of an empty body. */
function packet(prefix: number, ...sequence: number[]): Uint8Array {
  return Uint8Array.of(prefix, ...sequence, ...new Array(TAG_BYTES).fill(0));
}

describe.each(twins)("packet header of $name", ({ core }) => {
  test.each([
    [0n, [0x15, 0]],
    [1n, [0x15, 1]],
    [0xffn, [0x15, 0xff]],
    [0x100n, [0x25, 0, 1]],
    [1000n, [0x25, 0xe8, 0x03]],
    [0xffffffffn, [0x45, 0xff, 0xff, 0xff, 0xff]],
    [0x100000000n, [0x55, 0, 0, 0, 0, 1]],
    [2n ** 63n, [0x85, 0, 0, 0, 0, 0, 0, 0, 0x80]],
    [2n ** 64n - 1n, [0x85, ...new Array(8).fill(0xff)]],
  ])("sequence %s", (sequence, bytes) => {
    const out = new Uint8Array(12);
    expect(core.packetHeaderWrite(5, ...halves(sequence), out, 2)).toBe(bytes.length);
    expect([...out.subarray(2, 2 + bytes.length)]).toEqual(bytes);
    const read_ = read(core, packet(bytes[0], ...bytes.slice(1)));
    expect(read_).toEqual({ reason: 0, type: 5, sequence, bytes: bytes.length });
  });

  test("a sequence longer than it need be is accepted, as the standard has it", () => {
    for (let count = 1; count <= 8; count++) {
      const bytes = packet((count << 4) | 4, 7, ...new Array(count - 1).fill(0));
      expect(read(core, bytes)).toEqual({ reason: 0, type: 4, sequence: 7n, bytes: 1 + count });
    }
  });

  test("fewer than 18 bytes are too short, whatever they say", () => {
    for (let length = 0; length < 18; length++) {
      expect(read(core, new Uint8Array(length).fill(0x15)).reason).toBe(TOO_SHORT);
    }
    expect(read(core, packet(0x15, 0)).reason).toBe(0);
  });

  test("a prefix byte of zero is a request; every other of type 0 is refused", () => {
    const bytes = new Uint8Array(1078);
    expect(read(core, bytes)).toEqual({ reason: 0, type: 0, sequence: 0n, bytes: 1 });
    for (let count = 1; count < 16; count++) {
      bytes[0] = count << 4;
      expect(read(core, bytes).reason).toBe(TYPE);
    }
  });

  test("all 256 prefix bytes", () => {
    for (let prefix = 1; prefix < 256; prefix++) {
      const bytes = new Uint8Array(64);
      bytes[0] = prefix;
      const type = prefix & 15;
      const count = prefix >> 4;
      // A session packet has one prefix byte, and a moving one another.
      const badType = type === 0 || (type >= 7 && prefix !== 0x37 && prefix !== 0x38);
      const expected = badType ? TYPE : count < 1 || count > 8 ? SEQUENCE_BYTES : 0;
      expect(read(core, bytes).reason).toBe(expected);
    }
  });

  test("too short for its sequence and a tag", () => {
    for (let count = 1; count <= 8; count++) {
      const prefix = (count << 4) | 1;
      for (let length = 18; length < 1 + count + TAG_BYTES; length++) {
        const bytes = new Uint8Array(64);
        bytes[0] = prefix;
        expect(read(core, bytes, 0, length).reason).toBe(TOO_SHORT);
      }
    }
  });

  test("a moving packet has eight bytes more before its body (R-68)", () => {
    const bytes = new Uint8Array(64);
    bytes.set([0x38, 1, 2, 3]);
    expect(read(core, bytes)).toEqual({ reason: 0, type: 8, sequence: 0x030201n, bytes: 12 });
    for (let length = 0; length < 12 + TAG_BYTES; length++) {
      expect(read(core, bytes, 0, length).reason).toBe(TOO_SHORT);
    }
    expect(read(core, bytes, 0, 12 + TAG_BYTES).reason).toBe(0);
  });

  test("any sequence comes back, at any offset", () => {
    fc.assert(
      fc.property(u64, fc.integer({ min: 1, max: 6 }), fc.nat({ max: 9 }), (sequence, type, at) => {
        const bytes = new Uint8Array(64);
        const count = core.packetHeaderWrite(type, ...halves(sequence), bytes, at);
        expect(read(core, bytes, at)).toEqual({ reason: 0, type, sequence, bytes: count });
        // High zero bytes are left out, and the last byte written is not one.
        expect(count === 2 || bytes[at + count - 1] !== 0).toBe(true);
      }),
    );
  });

  test("associated data", () => {
    const out = new Uint8Array(22);
    core.packetAssociatedData(0x55667788, 0x11223344, 0x15, out);
    expect(Buffer.from(out).toString("hex")).toBe(
      "4e4554434f444520312e3032008877665544332211" + "15",
    );
  });

  test("sizes of each type", () => {
    const sizes: Record<number, (bytes: number) => boolean> = {
      1: (bytes) => bytes === 0,
      2: (bytes) => bytes === 308,
      3: (bytes) => bytes === 308,
      4: (bytes) => bytes === 8,
      5: (bytes) => bytes >= 1 && bytes <= 1200,
      6: (bytes) => bytes === 0,
      7: (bytes) => bytes <= 1200,
      8: (bytes) => bytes >= 1 && bytes <= 1192,
    };
    for (let type = 0; type < 16; type++) {
      for (let bytes = 0; bytes <= 1300; bytes++) {
        expect(core.packetBodyValid(type, bytes)).toBe(sizes[type]?.(bytes) ?? false);
      }
    }
  });
});

describe.runIf(twins.length > 1)("the twins agree on", () => {
  const [js, native] = twins;

  test("any bytes as a header", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(read(native.core, bytes)).toEqual(read(js.core, bytes));
      }),
      { numRuns: 1000 },
    );
  });
});
