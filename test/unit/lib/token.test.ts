/*
 * Owns the test of `netrt/token`: a minted token opens with its key, says what it was asked to, and every
 * bad option is refused with the right code.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { formatAddress } from "../../../lib/address.js";
import { openToken } from "../../../lib/engine/seal.js";
import {
  ConnectToken,
  PrivateToken,
  tokenAssociatedData,
  tokenPrivateRead,
  tokenPublicRead,
} from "../../../lib/engine/token.js";
import { defineProtocol } from "../../../lib/protocol.js";
import { reliable } from "../../../lib/strategy.js";
import {
  decodeToken,
  generateKey,
  type MintTokenOptions,
  mintToken,
  protocolIdOf,
  tokenFromBase64,
  tokenToBase64,
} from "../../../lib/token.js";

const key = generateKey();
const base: MintTokenOptions = {
  protocol: "arena/1",
  key,
  clientId: 42n,
  servers: ["192.0.2.7:40000", "[2001:db8::7]:40001"],
  now: 1_700_000_000_999,
};
const code = (value: string) => expect.objectContaining({ code: value });

/** Both parts of a token, read the way a client and a server do. */
function open(bytes: Uint8Array, secret = key) {
  const token = new ConnectToken();
  expect(tokenPublicRead(bytes, 0, bytes.length, token)).toBe(true);
  const associated = new Uint8Array(29);
  tokenAssociatedData(
    token.protocolIdLo,
    token.protocolIdHi,
    token.expireTimestampLo,
    token.expireTimestampHi,
    associated,
  );
  const opened = openToken(secret, token.nonce, associated, token.privateBytes, 0, 1024);
  const inner = new PrivateToken();
  const read = opened === 1008 && tokenPrivateRead(token.privateBytes, 0, opened, inner);
  return { token, inner, read };
}

describe("mintToken", () => {
  test("a server opens what was minted", () => {
    const userData = Uint8Array.of(1, 2, 3);
    const bytes = mintToken({ ...base, userData, timeoutSeconds: 7 });
    expect(bytes).toHaveLength(2048);
    const { token, inner, read } = open(bytes);
    expect(read).toBe(true);
    expect([inner.clientIdLo, inner.clientIdHi]).toEqual([42, 0]);
    expect([inner.timeoutSeconds, token.timeoutSeconds]).toEqual([7, 7]);
    const servers = inner.servers.slice(0, inner.serverCount).map(formatAddress);
    expect(servers).toEqual(base.servers);
    expect([...inner.userData.subarray(0, 4)]).toEqual([1, 2, 3, 0]);
    expect(inner.clientToServerKey).toEqual(token.clientToServerKey);
    expect(inner.serverToClientKey).toEqual(token.serverToClientKey);
    expect(inner.clientToServerKey).not.toEqual(inner.serverToClientKey);
    expect(open(bytes, generateKey()).read).toBe(false);
  });

  test("no two tokens share a nonce or a key", () => {
    const seen = new Set<string>();
    for (let index = 0; index < 50; index++) {
      const { token } = open(mintToken(base));
      for (const part of [token.nonce, token.clientToServerKey, token.serverToClientKey]) {
        seen.add(Buffer.from(part).toString("hex"));
      }
    }
    expect(seen.size).toBe(150);
  });

  test("what everybody can read of it", () => {
    expect(decodeToken(mintToken(base))).toEqual({
      protocolId: protocolIdOf("arena/1"),
      createdSeconds: 1_700_000_000,
      expiresSeconds: 1_700_000_045,
      timeoutSeconds: 5,
      servers: ["192.0.2.7:40000", "[2001:db8::7]:40001"],
    });
  });

  test("Infinity for expiry and time-out is the standard's way to say never", () => {
    const never = { expireSeconds: Infinity, timeoutSeconds: Infinity };
    const bytes = mintToken({ ...base, ...never });
    const { token, inner } = open(bytes);
    expect([token.expireTimestampLo, token.expireTimestampHi]).toEqual([0xffffffff, 0xffffffff]);
    expect([token.timeoutSeconds, inner.timeoutSeconds]).toEqual([-1, -1]);
    expect(decodeToken(bytes)).toMatchObject({
      expiresSeconds: Infinity,
      timeoutSeconds: Infinity,
    });
  });

  test("the time is the time", () => {
    const { now: _now, ...rest } = base;
    const { createdSeconds } = decodeToken(mintToken(rest));
    expect(Math.abs(createdSeconds - Date.now() / 1000)).toBeLessThan(5);
  });

  test("ids of 64 bits, as bigint and as number", () => {
    const { inner, token } = open(
      mintToken({
        key,
        servers: base.servers,
        clientId: 2n ** 64n - 1n,
        protocolId: 0x1122334455667788n,
      }),
    );
    expect([inner.clientIdLo, inner.clientIdHi]).toEqual([0xffffffff, 0xffffffff]);
    expect([token.protocolIdLo, token.protocolIdHi]).toEqual([0x55667788, 0x11223344]);
    const max = open(mintToken({ ...base, clientId: Number.MAX_SAFE_INTEGER })).inner;
    expect([max.clientIdLo, max.clientIdHi]).toEqual([0xffffffff, 0x1fffff]);
  });

  test("a protocol by name, by definition and by id is one", () => {
    const protocol = defineProtocol("arena/1", { chat: reliable() });
    const { protocol: _name, ...rest } = base;
    const ids = [base, { ...rest, protocol }, { ...rest, protocolId: protocol.id }].map(
      (options) => decodeToken(mintToken(options)).protocolId,
    );
    expect(new Set(ids)).toEqual(new Set([protocol.id]));
  });

  test("a key as base64, in both alphabets", () => {
    const bytes = new Uint8Array(32).fill(0xfb);
    const text = Buffer.from(bytes);
    for (const spelled of [text.toString("base64"), text.toString("base64url")]) {
      expect(open(mintToken({ ...base, key: spelled }), bytes).read).toBe(true);
    }
  });

  test("32 servers and 256 bytes of user data", () => {
    const servers = Array.from({ length: 32 }, (_, index) => `[2001:db8::${index + 1}]:1`);
    const userData = new Uint8Array(256).fill(9);
    const { inner, read } = open(mintToken({ ...base, servers, userData }));
    expect(read).toBe(true);
    expect(inner.serverCount).toBe(32);
    expect(inner.userData).toEqual(userData);
  });
});

const ARGUMENT = "ERR_NETRT_ARGUMENT";
const ADDRESS = "ERR_NETRT_ADDRESS";
const KEY_SIZE = "ERR_NETRT_KEY_SIZE";

describe("mintToken refuses", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["no protocol", { protocol: undefined }, ARGUMENT],
    ["two protocols", { protocolId: 1 }, ARGUMENT],
    ["an empty name", { protocol: "" }, ARGUMENT],
    ["a long name", { protocol: "x".repeat(65) }, ARGUMENT],
    ["a name of half a character", { protocol: "\ud800" }, ARGUMENT],
    ["a protocol without an id", { protocol: {} }, ARGUMENT],
    ["null for a protocol", { protocol: null }, ARGUMENT],
    ["a negative protocol id", { protocol: undefined, protocolId: -1 }, ARGUMENT],
    ["a protocol id past 64 bits", { protocol: undefined, protocolId: 2n ** 64n }, ARGUMENT],
    ["an inexact protocol id", { protocol: undefined, protocolId: 2 ** 53 }, ARGUMENT],
    ["no client id", { clientId: undefined }, ARGUMENT],
    ["a fractional client id", { clientId: 1.5 }, ARGUMENT],
    ["a textual client id", { clientId: "42" }, ARGUMENT],
    ["no key", { key: undefined }, KEY_SIZE],
    ["a short key", { key: new Uint8Array(31) }, KEY_SIZE],
    ["a long key", { key: new Uint8Array(33) }, KEY_SIZE],
    ["a key of text", { key: "not base64!" }, KEY_SIZE],
    ["a key of too little text", { key: "AAAA" }, KEY_SIZE],
    ["no servers", { servers: [] }, ARGUMENT],
    ["one server's text", { servers: "192.0.2.7:1" }, ARGUMENT],
    ["33 servers", { servers: new Array(33).fill("192.0.2.7:1") }, ARGUMENT],
    ["a server's name", { servers: ["example.com:40000"] }, ADDRESS],
    ["a server's port 0", { servers: ["192.0.2.7:0"] }, ADDRESS],
    ["every address for a server", { servers: ["0.0.0.0:40000"] }, ADDRESS],
    ["every IPv6 address for a server", { servers: ["[::]:40000"] }, ADDRESS],
    ["an expiry of 0", { expireSeconds: 0 }, ARGUMENT],
    ["a fractional expiry", { expireSeconds: 1.5 }, ARGUMENT],
    ["an expiry past 31 bits", { expireSeconds: 2 ** 31 }, ARGUMENT],
    ["a negative time-out", { timeoutSeconds: -1 }, ARGUMENT],
    ["a time-out that is no number", { timeoutSeconds: Number.NaN }, ARGUMENT],
    ["257 bytes of user data", { userData: new Uint8Array(257) }, KEY_SIZE],
    ["user data of text", { userData: "text" }, KEY_SIZE],
    ["a negative time", { now: -1 }, ARGUMENT],
    ["a Date", { now: new Date() }, ARGUMENT],
  ])("%s", (_name, change, expected) => {
    const options = { ...base, ...change } as MintTokenOptions;
    expect(() => mintToken(options)).toThrow(code(expected));
  });

  test("no options", () => {
    expect(() => mintToken(undefined as unknown as MintTokenOptions)).toThrow(code(ARGUMENT));
  });

  test("never with the key in the message", () => {
    const secret = "c2VjcmV0IHRoYXQgbXVzdCBub3QgYmUgcHJpbnRlZA";
    try {
      mintToken({ ...base, key: secret });
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain(secret.slice(0, 8));
    }
  });
});

describe("the text form", () => {
  test("is 2732 characters of base64, and comes back", () => {
    const token = mintToken(base);
    const text = tokenToBase64(token);
    expect(text).toHaveLength(2732);
    expect(tokenFromBase64(text)).toEqual(token);
    expect(tokenFromBase64(`${text}\n`)).toEqual(token);
    expect(tokenFromBase64(Buffer.from(token).toString("base64url"))).toEqual(token);
    expect(decodeToken(text)).toEqual(decodeToken(token));
    expect(JSON.stringify({ token: text })).toHaveLength(2744);
  });

  test("a view into other memory is written as itself", () => {
    const memory = new Uint8Array(3000);
    const token = mintToken(base);
    memory.set(token, 100);
    expect(tokenFromBase64(tokenToBase64(memory.subarray(100, 2148)))).toEqual(token);
  });

  test.each(["", "AAAA", "*".repeat(2732), "A".repeat(2729), "A".repeat(4000)])(
    "other text is refused",
    (text) => {
      expect(() => tokenFromBase64(text)).toThrow(code("ERR_NETRT_TOKEN_INVALID"));
    },
  );

  test("bytes of another size have none", () => {
    expect(() => tokenToBase64(new Uint8Array(2047))).toThrow(code(ARGUMENT));
  });
});

describe("decodeToken", () => {
  test("refuses what is no token", () => {
    const token = mintToken(base);
    const other = token.slice();
    other[11] ^= 1;
    for (const bytes of [token.subarray(1), new Uint8Array(2048), other]) {
      expect(() => decodeToken(bytes)).toThrow(code("ERR_NETRT_TOKEN_INVALID"));
    }
    for (const value of [undefined, 5, {}]) {
      expect(() => decodeToken(value as unknown as string)).toThrow(
        code("ERR_NETRT_TOKEN_INVALID"),
      );
    }
  });
});

describe("the module", () => {
  // draft-eastlake-fnv, appendix C.
  test.each([
    ["a", 0xaf63dc4c8601ec8cn],
    ["foobar", 0x85944171f73967e8n],
  ])("protocolIdOf(%j) is FNV-1a 64", (name, id) => {
    expect(protocolIdOf(name)).toBe(id);
  });

  test("keys are 32 random bytes", () => {
    expect(generateKey()).toHaveLength(32);
    expect(generateKey()).not.toEqual(generateKey());
  });

  test("loads nothing but the engine's codec: no addon, no socket", () => {
    const seen = new Set<string>();
    const visit = (url: URL): void => {
      if (seen.has(url.pathname)) return;
      seen.add(url.pathname);
      const source = readFileSync(url, "utf8");
      for (const [, from] of source.matchAll(/^(?! \*).*\bfrom "([^"]+)";$/gm)) {
        if (from.startsWith(".")) visit(new URL(from.replace(/\.js$/, ".ts"), url));
        else expect(["node:crypto", "node:util"]).toContain(from);
      }
    };
    visit(new URL("../../../lib/token.ts", import.meta.url));
    const names = [...seen].map((name) => name.split("/lib/").pop());
    expect(names.sort()).toEqual([
      "address.ts",
      "engine/address.ts",
      "engine/bytes.ts",
      "engine/limits.ts",
      "engine/packet.ts",
      "engine/seal.ts",
      "engine/sip.ts",
      "engine/token.ts",
      "errors.ts",
      "token.ts",
    ]);
  });
});
