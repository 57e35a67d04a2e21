/*
 * Owns the test of addresses in the core: NETCODE's encoding, equality, and the keyed hash.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ADDRESS_WORDS, type CoreProbe, twins } from "../twins.js";

const word = fc.integer({ min: 0, max: 0xffffffff });
const port = fc.integer({ min: 0, max: 0xffff });
const ipv4 = fc.tuple(port, word).map(([p, a]) => Uint32Array.of(1, p, a, 0, 0, 0));
const ipv6 = fc
  .tuple(port, word, word, word, word)
  .map(([p, ...words]) => Uint32Array.of(2, p, ...words));
const addresses = fc.oneof(ipv4, ipv6);

const V4 = Uint32Array.of(1, 40_000, 0x7f000001, 0, 0, 0);
const V4_BYTES = [1, 127, 0, 0, 1, 0x40, 0x9c];
// 2001:db8::7, port 50001: each group little-endian.
const V6 = Uint32Array.of(2, 50_001, 0x20010db8, 0, 0, 7);
const V6_BYTES = [2, 0x01, 0x20, 0xb8, 0x0d, ...new Array(10).fill(0), 7, 0, 0x51, 0xc3];

const KEY = Uint32Array.of(1, 2);

function read(core: CoreProbe, bytes: Uint8Array, offset = 0, end = bytes.length) {
  const words = new Uint32Array(ADDRESS_WORDS);
  const at = core.addressRead(bytes, offset, end, words);
  return { at, words: [...words] };
}

function write(core: CoreProbe, words: Uint32Array, end = 32, offset = 0) {
  const bytes = new Uint8Array(32);
  const at = core.addressWrite(words, bytes, offset, end);
  return { at, bytes: [...bytes.subarray(0, Math.max(at, 0))] };
}

describe.each(twins)("address of $name", ({ core }) => {
  test.each([
    ["IPv4", V4, V4_BYTES],
    ["IPv6", V6, V6_BYTES],
  ])("%s: written and read", (_name, words, bytes) => {
    expect(write(core, words)).toEqual({ at: bytes.length, bytes });
    expect(read(core, Uint8Array.from(bytes))).toEqual({ at: bytes.length, words: [...words] });
  });

  test.each([V4_BYTES, V6_BYTES])("each truncation is refused", (...bytes) => {
    for (let length = 0; length < bytes.length; length++) {
      const cut = Uint8Array.from(bytes.slice(0, length));
      expect(read(core, cut)).toEqual({ at: -1, words: [0, 0, 0, 0, 0, 0] });
    }
  });

  test("each other type is refused, both ways", () => {
    for (let type = 0; type < 256; type++) {
      if (type === 1 || type === 2) continue;
      const bytes = new Uint8Array(32).fill(1);
      bytes[0] = type;
      expect(read(core, bytes).at).toBe(-1);
      expect(write(core, Uint32Array.of(type, 1, 1, 1, 1, 1)).at).toBe(-1);
    }
  });

  test("no room, no address", () => {
    for (let end = 0; end < 7; end++) expect(write(core, V4, end).at).toBe(-1);
    for (let end = 0; end < 19; end++) expect(write(core, V6, end).at).toBe(-1);
  });

  test("any address comes back", () => {
    fc.assert(
      fc.property(addresses, (words) => {
        const { at, bytes } = write(core, words);
        expect(read(core, Uint8Array.from(bytes))).toEqual({ at, words: [...words] });
      }),
    );
  });

  test("addresses are equal when every field is", () => {
    fc.assert(
      fc.property(addresses, fc.integer({ min: 0, max: 5 }), (words, field) => {
        expect(core.addressEqual(words, words.slice())).toBe(true);
        const other = words.slice();
        other[field] = field === 0 ? 3 - other[0] : other[field] ^ 1;
        expect(core.addressEqual(words, other)).toBe(false);
      }),
    );
  });

  test("the hash of equal addresses is equal, and depends on the key and each field", () => {
    const base = core.addressHash(V6, KEY);
    expect(core.addressHash(V6.slice(), KEY)).toBe(base);
    expect(core.addressHash(V6, Uint32Array.of(1, 3))).not.toBe(base);
    expect(core.addressHash(V6, Uint32Array.of(0, 2))).not.toBe(base);
    for (let field = 0; field < ADDRESS_WORDS; field++) {
      const other = V6.slice();
      other[field] ^= field === 0 ? 3 : 1;
      expect(core.addressHash(other, KEY)).not.toBe(base);
    }
  });

  test("the hash spreads neighbours over a table", () => {
    const buckets = new Array<number>(256).fill(0);
    for (let client = 0; client < 4096; client++) {
      const words = Uint32Array.of(1, 1024 + client, 0x0a000001, 0, 0, 0);
      buckets[core.addressHash(words, KEY) & 255]++;
    }
    // 16 on average; a binomial's bucket of 40 is past six standard deviations.
    expect(Math.max(...buckets)).toBeLessThan(40);
  });
});

describe.runIf(twins.length > 1)("the twins agree on", () => {
  const [js, native] = twins;

  test("the hash of any address", () => {
    fc.assert(
      fc.property(addresses, word, word, (words, first, second) => {
        const key = Uint32Array.of(first, second);
        expect(native.core.addressHash(words, key)).toBe(js.core.addressHash(words, key));
      }),
    );
  });

  test("any bytes as an address", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 24 }),
        fc.integer({ min: 0, max: 3 }),
        (bytes, type) => {
          if (bytes.length > 0) bytes[0] = type;
          expect(read(native.core, bytes)).toEqual(read(js.core, bytes));
        },
      ),
    );
  });
});
