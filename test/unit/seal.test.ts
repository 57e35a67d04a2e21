/*
 * Owns the test of sealing as the engine uses it: kept keys, nonces by sequence, limits, forgeries; and
 * that both languages seal to the same bytes. The ciphers' published answers are in test/vectors.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CoreProbe, type KeyHandle, twins } from "../twins.js";

const TAG_BYTES = 16;
const PAYLOAD_BYTES_MAX = 1200;
const NONE = new Uint8Array(0);

const bytes32 = (seed: number) => Uint8Array.from({ length: 32 }, (_, index) => seed * 31 + index);

function keyOf(core: CoreProbe, seed: number): KeyHandle {
  const key = core.sealKeyOpen();
  core.sealKeySet(key, bytes32(seed), 0);
  return key;
}

/** Plain bytes with room for the tag, some bytes in front and some behind. */
function framed(plain: Uint8Array, before = 3, after = 5): Uint8Array {
  const bytes = new Uint8Array(before + plain.length + TAG_BYTES + after).fill(0xaa);
  bytes.set(plain, before);
  return bytes;
}

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const body = fc.uint8Array({ maxLength: 200 });

describe.each(twins)("seal of $name", ({ core }) => {
  const associated = Uint8Array.from({ length: 22 }, (_, index) => index);

  test("in place, and nowhere else", () => {
    const key = keyOf(core, 1);
    for (const length of [0, 1, 63, 64, 65, 300, 1199, 1200]) {
      const plain = new Uint8Array(length).map((_, index) => index * 7);
      const bytes = framed(plain);
      expect(core.sealPacket(key, 1, 2, associated, bytes, 3, length)).toBe(length + TAG_BYTES);
      expect([...bytes.subarray(0, 3)]).toEqual([0xaa, 0xaa, 0xaa]);
      expect([...bytes.subarray(-5)]).toEqual(new Array(5).fill(0xaa));
      const sealed = length + TAG_BYTES;
      expect(core.openPacket(key, 1, 2, associated, bytes, 3, sealed)).toBe(length);
      expect(bytes.subarray(3, 3 + length)).toEqual(plain);
    }
  });

  test("more than a payload is refused, both ways", () => {
    const key = keyOf(core, 1);
    const bytes = new Uint8Array(PAYLOAD_BYTES_MAX + 100).fill(3);
    const before = bytes.slice();
    expect(core.sealPacket(key, 0, 0, NONE, bytes, 0, PAYLOAD_BYTES_MAX + 1)).toBe(-1);
    expect(core.openPacket(key, 0, 0, NONE, bytes, 0, PAYLOAD_BYTES_MAX + TAG_BYTES + 1)).toBe(-1);
    expect(bytes).toEqual(before);
  });

  test("fewer bytes than a tag are refused", () => {
    const key = keyOf(core, 1);
    for (let length = 0; length < TAG_BYTES; length++) {
      expect(core.openPacket(key, 0, 0, NONE, new Uint8Array(32), 0, length)).toBe(-1);
    }
  });

  test("a key that was never set, and one that was cleared, do nothing", () => {
    const key = core.sealKeyOpen();
    const bytes = new Uint8Array(64);
    expect(core.sealPacket(key, 0, 0, NONE, bytes, 0, 8)).toBe(-1);
    core.sealKeySet(key, bytes32(1), 0);
    const total = core.sealPacket(key, 0, 0, NONE, bytes, 0, 8);
    expect(total).toBe(24);
    core.sealKeyClear(key);
    expect(core.openPacket(key, 0, 0, NONE, bytes, 0, total)).toBe(-1);
    expect(core.sealPacket(key, 0, 0, NONE, bytes, 0, 8)).toBe(-1);
    core.sealKeySet(key, bytes32(1), 0);
    expect(core.openPacket(key, 0, 0, NONE, bytes, 0, total)).toBe(8);
  });

  test("a key is taken from its offset, and may be set again", () => {
    const both = Uint8Array.from([...bytes32(1), ...bytes32(2)]);
    const key = keyOf(core, 1);
    const bytes = new Uint8Array(24);
    core.sealPacket(keyOf(core, 2), 5, 0, NONE, bytes, 0, 8);
    expect(core.openPacket(key, 5, 0, NONE, bytes, 0, 24)).toBe(-1);
    core.sealKeySet(key, both, 32);
    expect(core.openPacket(key, 5, 0, NONE, bytes, 0, 24)).toBe(8);
  });

  test("one kept key seals and opens in any order, around refusals", () => {
    const key = keyOf(core, 3);
    const packets = Array.from({ length: 50 }, (_, sequence) => {
      const bytes = new Uint8Array(40 + TAG_BYTES).fill(sequence);
      core.sealPacket(key, sequence, 0, associated, bytes, 0, 40);
      return bytes;
    });
    for (const [sequence, bytes] of packets.entries()) {
      const forged = bytes.slice();
      forged[sequence % forged.length] ^= 0x20;
      expect(core.openPacket(key, sequence, 0, associated, forged, 0, 56)).toBe(-1);
      expect(core.openPacket(key, sequence, 1, associated, bytes, 0, 56)).toBe(-1);
      expect(core.openPacket(key, sequence, 0, associated, bytes, 0, 56)).toBe(40);
      expect(bytes.subarray(0, 40)).toEqual(new Uint8Array(40).fill(sequence));
    }
  });

  test("each byte of a sealed packet counts, each truncation is refused, and bytes stay", () => {
    const key = keyOf(core, 4);
    const plain = Uint8Array.from({ length: 48 }, (_, index) => index);
    const sealed = framed(plain, 0, 0);
    core.sealPacket(key, 9, 0, associated, sealed, 0, plain.length);
    for (let index = 0; index < sealed.length; index++) {
      for (const change of [1, 0x80, 0xff]) {
        const bytes = sealed.slice();
        bytes[index] ^= change;
        const before = bytes.slice();
        expect(core.openPacket(key, 9, 0, associated, bytes, 0, bytes.length)).toBe(-1);
        expect(bytes).toEqual(before);
      }
      expect(core.openPacket(key, 9, 0, associated, sealed.slice(), 0, index)).toBe(-1);
    }
  });

  test("the nonce is the sequence: every bit of it counts", () => {
    const key = keyOf(core, 5);
    const seen = new Set<string>();
    for (let bit = -1; bit < 64; bit++) {
      const lo = bit >= 0 && bit < 32 ? (1 << bit) >>> 0 : 0;
      const hi = bit >= 32 ? (1 << (bit - 32)) >>> 0 : 0;
      const bytes = new Uint8Array(16 + TAG_BYTES);
      core.sealPacket(key, lo, hi, NONE, bytes, 0, 16);
      seen.add(Buffer.from(bytes).toString("hex"));
    }
    expect(seen.size).toBe(65);
  });

  test("a token opens with its key, nonce and associated data only", () => {
    const nonce = Uint8Array.from({ length: 24 }, (_, index) => index + 1);
    const associated29 = new Uint8Array(29).fill(9);
    const token = new Uint8Array(1024).fill(7, 0, 1008);
    expect(core.sealToken(bytes32(1), nonce, associated29, token, 0, 1008)).toBe(1024);
    const open = (key: Uint8Array, n: Uint8Array, a: Uint8Array) =>
      core.openToken(key, n, a, token.slice(), 0, 1024);
    expect(open(bytes32(1), nonce, associated29)).toBe(1008);
    expect(open(bytes32(2), nonce, associated29)).toBe(-1);
    for (let index = 0; index < 24; index++) {
      const other = nonce.slice();
      other[index] ^= 1;
      expect(open(bytes32(1), other, associated29)).toBe(-1);
    }
    for (let index = 0; index < 29; index++) {
      const other = associated29.slice();
      other[index] ^= 1;
      expect(open(bytes32(1), nonce, other)).toBe(-1);
    }
    for (let index = 0; index < 1024; index++) {
      const forged = token.slice();
      forged[index] ^= 1;
      expect(core.openToken(bytes32(1), nonce, associated29, forged, 0, 1024)).toBe(-1);
    }
  });
});

describe.runIf(twins.length > 1)("the twins seal alike", () => {
  const [js, native] = twins;

  test("any packet", () => {
    const keys = [keyOf(js.core, 6), keyOf(native.core, 6)];
    fc.assert(
      fc.property(u32, u32, fc.uint8Array({ maxLength: 40 }), body, (lo, hi, extra, plain) => {
        const sealed = [js, native].map(({ core }, index) => {
          const bytes = framed(plain);
          core.sealPacket(keys[index], lo, hi, extra, bytes, 3, plain.length);
          return bytes;
        });
        expect(sealed[0]).toEqual(sealed[1]);
        const length = plain.length + TAG_BYTES;
        // Each opens what the other sealed.
        expect(js.core.openPacket(keys[0], lo, hi, extra, sealed[1], 3, length)).toBe(plain.length);
        expect(native.core.openPacket(keys[1], lo, hi, extra, sealed[0], 3, length)).toBe(
          plain.length,
        );
        expect(sealed[0]).toEqual(sealed[1]);
      }),
      { numRuns: 500 },
    );
  });

  test("any token", () => {
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const nonce = fc.uint8Array({ minLength: 24, maxLength: 24 });
    fc.assert(
      fc.property(key, nonce, body, (key32, nonce24, plain) => {
        const sealed = [js, native].map(({ core }) => {
          const bytes = framed(plain);
          core.sealToken(key32, nonce24, plain, bytes, 3, plain.length);
          return bytes;
        });
        expect(sealed[0]).toEqual(sealed[1]);
        const iv = nonce24.subarray(0, 16);
        expect([...native.core.hchacha(key32, iv)]).toEqual([...js.core.hchacha(key32, iv)]);
      }),
    );
  });
});
