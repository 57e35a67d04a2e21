/*
 * Owns the test of token layouts: full and smallest tokens, what a reader refuses, and that both
 * languages read and write alike. The reference's own tokens are in test/vectors.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ADDRESS_WORDS,
  CHALLENGE_BLOB,
  CHALLENGE_WORDS,
  CONNECT_BLOB,
  CONNECT_WORDS,
  type CoreProbe,
  PRIVATE_BLOB,
  PRIVATE_WORDS,
  REQUEST_BLOB,
  REQUEST_WORDS,
  twins,
} from "../twins.js";

const PRIVATE_BYTES = 1024;
const PRIVATE_PLAIN_BYTES = 1008;
const PUBLIC_BYTES = 2048;
const CHALLENGE_BYTES = 300;
const CHALLENGE_PLAIN_BYTES = 284;
const REQUEST_BYTES = 1078;
const SERVERS_MAX = 32;
/** Where the count of servers stands in the plain private and in the public token. */
const PRIVATE_COUNT_AT = 12;
const PUBLIC_COUNT_AT = 13 + 8 + 8 + 8 + 24 + 1024 + 4;

interface Fields {
  words: Uint32Array;
  blob: Uint8Array;
}

const word = fc.integer({ min: 0, max: 0xffffffff });
const address = fc
  .tuple(fc.boolean(), fc.integer({ min: 0, max: 0xffff }), word, word, word, word)
  .map(([ipv6, port, a, b, c, d]) => (ipv6 ? [2, port, a, b, c, d] : [1, port, a, 0, 0, 0]));
const servers = fc.array(address, { minLength: 1, maxLength: SERVERS_MAX });

/** Words in front, time-out and servers behind them. */
function fields(count: number, size: number, blobBytes: number): fc.Arbitrary<Fields> {
  const front = fc.array(word, { minLength: count, maxLength: count });
  const blob = fc.uint8Array({ minLength: blobBytes, maxLength: blobBytes });
  return fc.tuple(front, word, servers, blob).map(([first, timeout, list, bytes]) => {
    const words = new Uint32Array(size);
    words.set([...first, timeout, list.length, ...list.flat()]);
    return { words, blob: bytes };
  });
}

const privateFields = fields(2, PRIVATE_WORDS, PRIVATE_BLOB);
/** A connect token that was not created after its expiry. */
const connectFields = fields(6, CONNECT_WORDS, CONNECT_BLOB).map((token) => {
  const { words } = token;
  if (words[3] > words[5]) [words[3], words[5]] = [words[5], words[3]];
  if (words[3] === words[5] && words[2] > words[4]) [words[2], words[4]] = [words[4], words[2]];
  return token;
});

const full = (count: number, size: number, blobBytes: number): Fields => {
  const words = new Uint32Array(size);
  words[count + 1] = SERVERS_MAX;
  for (let index = 0; index < SERVERS_MAX; index++) {
    words.set([2, 1 + index, index, 2, 3, 4], count + 2 + index * ADDRESS_WORDS);
  }
  return { words, blob: new Uint8Array(blobBytes).fill(0x5a) };
};

type Kind = "tokenPrivate" | "tokenPublic" | "tokenChallenge" | "request";

function read(core: CoreProbe, kind: Kind, bytes: Uint8Array, length = bytes.length, offset = 0) {
  const sizes = {
    tokenPrivate: [PRIVATE_WORDS, PRIVATE_BLOB],
    tokenPublic: [CONNECT_WORDS, CONNECT_BLOB],
    tokenChallenge: [CHALLENGE_WORDS, CHALLENGE_BLOB],
    request: [REQUEST_WORDS, REQUEST_BLOB],
  } as const;
  const words = new Uint32Array(sizes[kind][0]);
  const blob = new Uint8Array(sizes[kind][1]);
  const ok = core[`${kind}Read`](bytes, offset, length, words, blob);
  return { ok, words, blob };
}

function write(core: CoreProbe, kind: Kind, { words, blob }: Fields, size: number, offset = 0) {
  const bytes = new Uint8Array(size + offset).fill(0xaa);
  const ok = core[`${kind}Write`](words, blob, bytes, offset);
  return { ok, bytes };
}

describe.each(twins)("tokens of $name", ({ core }) => {
  test("any private token comes back, and its padding is zero", () => {
    fc.assert(
      fc.property(privateFields, fc.nat({ max: 7 }), (token, offset) => {
        const { ok, bytes } = write(core, "tokenPrivate", token, PRIVATE_BYTES, offset);
        expect(ok).toBe(true);
        expect(bytes.subarray(offset + PRIVATE_PLAIN_BYTES)).toEqual(new Uint8Array(16));
        const result = read(core, "tokenPrivate", bytes, PRIVATE_PLAIN_BYTES, offset);
        expect(result).toEqual({ ok: true, ...token });
      }),
    );
  });

  test("any connect token comes back", () => {
    fc.assert(
      fc.property(connectFields, fc.nat({ max: 7 }), (token, offset) => {
        const { ok, bytes } = write(core, "tokenPublic", token, PUBLIC_BYTES, offset);
        expect(ok).toBe(true);
        const result = read(core, "tokenPublic", bytes, PUBLIC_BYTES, offset);
        expect(result).toEqual({ ok: true, ...token });
      }),
    );
  });

  test("any challenge token comes back", () => {
    const blob = fc.uint8Array({ minLength: CHALLENGE_BLOB, maxLength: CHALLENGE_BLOB });
    fc.assert(
      fc.property(fc.tuple(word, word), blob, (id, userData) => {
        const token = { words: Uint32Array.from(id), blob: userData };
        const { ok, bytes } = write(core, "tokenChallenge", token, CHALLENGE_BYTES);
        expect(ok).toBe(true);
        expect(bytes.subarray(8 + 256)).toEqual(new Uint8Array(CHALLENGE_BYTES - 264));
        const result = read(core, "tokenChallenge", bytes, CHALLENGE_PLAIN_BYTES);
        expect(result).toEqual({ ok: true, ...token });
      }),
    );
  });

  test("any request comes back, the private token where it is", () => {
    fc.assert(
      fc.property(connectFields, fc.nat({ max: 7 }), (token, offset) => {
        const { ok, bytes } = write(core, "request", token, REQUEST_BYTES, offset);
        expect(ok).toBe(true);
        const result = read(core, "request", bytes, REQUEST_BYTES, offset);
        expect(result.ok).toBe(true);
        const [protocolLo, protocolHi, , , expireLo, expireHi] = token.words;
        const privateAt = offset + REQUEST_BYTES - PRIVATE_BYTES;
        expect([...result.words]).toEqual([protocolLo, protocolHi, expireLo, expireHi, privateAt]);
        expect(result.blob).toEqual(token.blob.subarray(0, 24));
        expect(bytes.subarray(privateAt)).toEqual(token.blob.subarray(24, 24 + PRIVATE_BYTES));
      }),
    );
  });

  test("the fullest tokens fit", () => {
    const inner = full(2, PRIVATE_WORDS, PRIVATE_BLOB);
    const written = write(core, "tokenPrivate", inner, PRIVATE_BYTES);
    expect(written.ok).toBe(true);
    expect(read(core, "tokenPrivate", written.bytes, PRIVATE_PLAIN_BYTES)).toMatchObject(inner);
    const outer = full(6, CONNECT_WORDS, CONNECT_BLOB);
    const token = write(core, "tokenPublic", outer, PUBLIC_BYTES);
    expect(token.ok).toBe(true);
    expect(read(core, "tokenPublic", token.bytes)).toMatchObject(outer);
  });

  test("every other size is refused", () => {
    const sizes = [
      ["tokenPrivate", PRIVATE_PLAIN_BYTES, full(2, PRIVATE_WORDS, PRIVATE_BLOB)],
      ["tokenPublic", PUBLIC_BYTES, full(6, CONNECT_WORDS, CONNECT_BLOB)],
      ["request", REQUEST_BYTES, full(6, CONNECT_WORDS, CONNECT_BLOB)],
    ] as const;
    for (const [kind, size, token] of sizes) {
      const { bytes } = write(core, kind, token, PUBLIC_BYTES + 16);
      expect(read(core, kind, bytes, size).ok).toBe(true);
      for (let length = 0; length <= PUBLIC_BYTES + 16; length++) {
        if (length !== size) expect(read(core, kind, bytes, length).ok).toBe(false);
      }
    }
    for (let length = 0; length <= CHALLENGE_BYTES; length++) {
      const { ok } = read(core, "tokenChallenge", new Uint8Array(CHALLENGE_BYTES), length);
      expect(ok).toBe(length === CHALLENGE_PLAIN_BYTES);
    }
  });

  test.each([0, 33, 34, 0x100, 0x10000, 0x80000000, 0xffffffff])(
    "%i servers are refused",
    (count) => {
      const inner = full(2, PRIVATE_WORDS, PRIVATE_BLOB);
      const outer = full(6, CONNECT_WORDS, CONNECT_BLOB);
      for (const [kind, token, size, at, length] of [
        ["tokenPrivate", inner, PRIVATE_BYTES, PRIVATE_COUNT_AT, PRIVATE_PLAIN_BYTES],
        ["tokenPublic", outer, PUBLIC_BYTES, PUBLIC_COUNT_AT, PUBLIC_BYTES],
      ] as const) {
        const { bytes } = write(core, kind, token, size);
        new DataView(bytes.buffer).setUint32(at, count, true);
        expect(read(core, kind, bytes, length).ok).toBe(false);
        const words = token.words.slice();
        words[kind === "tokenPrivate" ? 3 : 7] = count;
        expect(write(core, kind, { words, blob: token.blob }, size).ok).toBe(false);
      }
    },
  );

  test("an address of another type is refused, in the last place too", () => {
    const inner = full(2, PRIVATE_WORDS, PRIVATE_BLOB);
    const { bytes } = write(core, "tokenPrivate", inner, PRIVATE_BYTES);
    for (const type of [0, 3, 255]) {
      for (const index of [0, SERVERS_MAX - 1]) {
        const changed = bytes.slice();
        changed[PRIVATE_COUNT_AT + 4 + index * 19] = type;
        expect(read(core, "tokenPrivate", changed, PRIVATE_PLAIN_BYTES).ok).toBe(false);
        const words = inner.words.slice();
        words[4 + index * ADDRESS_WORDS] = type;
        expect(write(core, "tokenPrivate", { words, blob: inner.blob }, PRIVATE_BYTES).ok).toBe(
          false,
        );
      }
    }
  });

  test("another version is refused, each byte of it", () => {
    const token = full(6, CONNECT_WORDS, CONNECT_BLOB);
    for (let index = 0; index < 13; index++) {
      const outer = write(core, "tokenPublic", token, PUBLIC_BYTES).bytes;
      outer[index] ^= 1;
      expect(read(core, "tokenPublic", outer).ok).toBe(false);
      const request = write(core, "request", token, REQUEST_BYTES).bytes;
      request[1 + index] ^= 1;
      expect(read(core, "request", request).ok).toBe(false);
    }
  });

  test("a request's prefix byte is zero", () => {
    const token = full(6, CONNECT_WORDS, CONNECT_BLOB);
    const { bytes } = write(core, "request", token, REQUEST_BYTES);
    for (let prefix = 1; prefix < 256; prefix++) {
      bytes[0] = prefix;
      expect(read(core, "request", bytes).ok).toBe(false);
    }
  });

  test.each([
    [[0, 0], [0, 0], true],
    [[1, 0], [0, 0], false],
    [[0, 1], [0xffffffff, 0], false],
    [[0xffffffff, 0], [0, 1], true],
    [[0, 0x80000000], [0, 0x7fffffff], false],
    [[5, 0], [0xffffffff, 0xffffffff], true],
  ])("created %j, expires %j: %s", (create, expire, ok) => {
    const token = full(6, CONNECT_WORDS, CONNECT_BLOB);
    token.words.set([...create, ...expire], 2);
    const { bytes } = write(core, "tokenPublic", token, PUBLIC_BYTES);
    expect(read(core, "tokenPublic", bytes).ok).toBe(ok);
  });

  test("time-outs are signed, and any is read", () => {
    for (const timeout of [0, 1, -1, 0x7fffffff, -0x80000000]) {
      const token = full(2, PRIVATE_WORDS, PRIVATE_BLOB);
      token.words[2] = timeout;
      const { bytes } = write(core, "tokenPrivate", token, PRIVATE_BYTES);
      const { words } = read(core, "tokenPrivate", bytes, PRIVATE_PLAIN_BYTES);
      expect(words[2] | 0).toBe(timeout);
    }
  });

  test("associated data", () => {
    const out = new Uint8Array(29);
    core.tokenAssociatedData(0x55667788, 0x11223344, 0x01020304, 0x05060708, out);
    expect(Buffer.from(out).toString("hex")).toBe(
      "4e4554434f444520312e303200" + "8877665544332211" + "0403020108070605",
    );
  });
});

describe.runIf(twins.length > 1)("the twins agree on", () => {
  const [js, native] = twins;

  test("any token, to the byte", () => {
    fc.assert(
      fc.property(privateFields, connectFields, (inner, outer) => {
        for (const [kind, token, size] of [
          ["tokenPrivate", inner, PRIVATE_BYTES],
          ["tokenPublic", outer, PUBLIC_BYTES],
          ["request", outer, REQUEST_BYTES],
        ] as const) {
          expect(write(native.core, kind, token, size)).toEqual(write(js.core, kind, token, size));
        }
      }),
    );
  });

  test("any damage to a token", () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 });
    const near = fc.array(fc.tuple(fc.nat({ max: 80 }), fc.nat({ max: 255 })), { maxLength: 4 });
    fc.assert(
      fc.property(privateFields, connectFields, damage, near, (inner, outer, far, close) => {
        for (const [kind, token, size, length, at] of [
          ["tokenPrivate", inner, PRIVATE_BYTES, PRIVATE_PLAIN_BYTES, PRIVATE_COUNT_AT],
          ["tokenPublic", outer, PUBLIC_BYTES, PUBLIC_BYTES, PUBLIC_COUNT_AT],
          ["request", outer, REQUEST_BYTES, REQUEST_BYTES, 0],
        ] as const) {
          const { bytes } = write(js.core, kind, token, size);
          for (const [index, value] of far) bytes[index % size] = value;
          for (const [index, value] of close) bytes[at + index] = value;
          expect(read(native.core, kind, bytes, length)).toEqual(
            read(js.core, kind, bytes, length),
          );
        }
      }),
      { numRuns: 300 },
    );
  });
});
