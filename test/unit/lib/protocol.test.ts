// defineProtocol: names, numbers, hashes and types.
import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import type { ErrorCode } from "../../../lib/errors.js";
import { NetrtError } from "../../../lib/errors.js";
import type { RealTimePolicy, ReliablePolicy } from "../../../lib/policy.js";
import {
  type ChannelName,
  type Channels,
  defineProtocol,
  type MessageOf,
  type Protocol,
} from "../../../lib/protocol.js";
import { realTime, reliable } from "../../../lib/strategy.js";

const arena = defineProtocol("arena/1", {
  input: realTime({ redundancy: "high" }),
  state: realTime(),
  chat: reliable(),
});

// Computed apart from this code, from the definitions in the docstrings.
const ARENA_ID = 0x119202e604ce94dcn;
const ARENA_HASHES = [0x1027894f, 0x8677b65b, 0xd18f9e8f];

function codeOf(call: () => unknown): ErrorCode | "none" {
  try {
    call();
    return "none";
  } catch (error) {
    if (error instanceof NetrtError) return error.code;
    throw error;
  }
}

describe("defineProtocol", () => {
  it("numbers channels by declaration", () => {
    expect(arena.name).toBe("arena/1");
    expect(arena.channelNames).toEqual(["input", "state", "chat"]);
    expect(arena.channelIndex("input")).toBe(0);
    expect(arena.channelIndex("chat")).toBe(2);
    expect(arena.channels.state).toEqual(realTime());
  });

  it("is frozen, and does not change with its argument", () => {
    const channels: { a: ReliablePolicy; b?: ReliablePolicy } = { a: reliable() };
    const protocol: Protocol = defineProtocol("copy", channels as { a: ReliablePolicy });
    channels.b = reliable();
    expect(protocol.channelNames).toEqual(["a"]);
    expect(Object.keys(protocol.channels)).toEqual(["a"]);
    expect(Object.isFrozen(protocol)).toBe(true);
    expect(Object.isFrozen(protocol.channels)).toBe(true);
    expect(Object.isFrozen(protocol.channelNames)).toBe(true);
  });

  it("has the published FNV-1a hash of its name", () => {
    // draft-eastlake-fnv, test vectors: "a" and "foobar".
    expect(defineProtocol("a", { x: reliable() }).id).toBe(0xaf63dc4c8601ec8cn);
    expect(defineProtocol("foobar", { x: reliable() }).id).toBe(0x85944171f73967e8n);
    expect(defineProtocol("a", { x: reliable() }).nameHash).toBe(0xe40c292c);
    expect(defineProtocol("foobar", { x: reliable() }).nameHash).toBe(0xbf9cf968);
  });

  it("keeps its hashes: peers of older builds compare them", () => {
    expect(arena.id).toBe(ARENA_ID);
    expect(arena.channelNames.map((_, index) => arena.channelHash(index))).toEqual(ARENA_HASHES);
  });

  it("hashes a channel by its name and all of its policy", () => {
    const hash = (channels: Channels) => defineProtocol("p", channels).channelHash(0);
    const hashes = [
      hash({ a: reliable() }),
      hash({ b: reliable() }),
      hash({ a: realTime() }),
      hash({ a: reliable({ redundancy: "high" }) }),
      hash({ a: reliable({ expiry: "short" }) }),
      hash({ a: reliable({ priority: 65 }) }),
      hash({ a: reliable({ messageBytesMax: 1099 }) }),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hash({ a: reliable(), b: realTime() })).toBe(hashes[0]);
    for (const value of hashes) expect(value).toBe(value >>> 0);
  });

  it("takes 1 to 64 channels", () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`c${index}`, reliable()]));
    expect(codeOf(() => defineProtocol("p", many(0)))).toBe("ERR_NETRT_ARGUMENT");
    expect(codeOf(() => defineProtocol("p", many(1)))).toBe("none");
    expect(codeOf(() => defineProtocol("p", many(64)))).toBe("none");
    expect(codeOf(() => defineProtocol("p", many(65)))).toBe("ERR_NETRT_ARGUMENT");
    expect(defineProtocol("p", many(64)).channelIndex("c63")).toBe(63);
  });

  it("takes names of 1 to 64 bytes of UTF-8", () => {
    const named = (name: string) => codeOf(() => defineProtocol("p", { [name]: reliable() }));
    for (const check of [
      named,
      (name: string) => codeOf(() => defineProtocol(name, { a: reliable() })),
    ]) {
      expect(check("")).toBe("ERR_NETRT_ARGUMENT");
      expect(check("x".repeat(64))).toBe("none");
      expect(check("x".repeat(65))).toBe("ERR_NETRT_ARGUMENT");
      expect(check("ä".repeat(32))).toBe("none");
      expect(check("ä".repeat(33))).toBe("ERR_NETRT_ARGUMENT");
      expect(check("\ud800")).toBe("ERR_NETRT_ARGUMENT");
      expect(check("😀")).toBe("none");
    }
    expect(named("__proto__")).toBe("none");
  });

  it("refuses whole numbers as channel names, which JavaScript would reorder", () => {
    expect(() => defineProtocol("p", { b: reliable(), 7: reliable() })).toThrow(
      "channel name must be not a whole number",
    );
  });

  it.each([
    ["no name", undefined, { a: reliable() }],
    ["a number for a name", 7, { a: reliable() }],
    ["no channels", "p", undefined],
    ["an array of channels", "p", [reliable()]],
    ["a channel that is a word", "p", { a: "reliable" }],
    ["a channel that is nothing", "p", { a: null }],
  ])("refuses %s", (_what, name, channels) => {
    expect(codeOf(() => defineProtocol(name as string, channels as never))).toBe(
      "ERR_NETRT_ARGUMENT",
    );
  });

  it("refuses forged policies with the rule they break", () => {
    const forged = { ...reliable(), redundancy: "none" };
    expect(codeOf(() => defineProtocol("p", { a: forged as never }))).toBe("ERR_NETRT_STRATEGY");
  });

  it("lists its channels when asked for another", () => {
    // @ts-expect-error: no such channel
    expect(() => arena.channelIndex("trade")).toThrow(
      'protocol "arena/1" has no channel "trade"; it has input, state, chat',
    );
    expect(codeOf(() => arena.channelIndex("toString" as never))).toBe("ERR_NETRT_UNKNOWN_CHANNEL");
    expect(codeOf(() => arena.channelHash(3))).toBe("ERR_NETRT_ARGUMENT");
    expect(codeOf(() => arena.channelHash(-1))).toBe("ERR_NETRT_ARGUMENT");
  });

  it("gives equal definitions equal hashes", () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,12}$/), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{1,12}\/\d$/), names, (name, channels) => {
        const make = () =>
          defineProtocol(
            name,
            Object.fromEntries(channels.map((channel) => [channel, reliable()])),
          );
        const [a, b] = [make(), make()];
        expect(a.id).toBe(b.id);
        expect(a.channelNames).toEqual(channels);
        channels.forEach((channel, index) => {
          expect(a.channelIndex(channel)).toBe(index);
          expect(a.channelHash(index)).toBe(b.channelHash(index));
        });
      }),
    );
  });
});

describe("types", () => {
  it("know the channels", () => {
    expectTypeOf<ChannelName<typeof arena>>().toEqualTypeOf<"input" | "state" | "chat">();
    expectTypeOf(arena.channelNames).toEqualTypeOf<readonly ("input" | "state" | "chat")[]>();
    expectTypeOf(arena.channels.input).toExtend<RealTimePolicy>();
    expectTypeOf(arena.id).toEqualTypeOf<bigint>();
    expectTypeOf<MessageOf<typeof arena, "chat">>().toEqualTypeOf<Uint8Array>();
    expectTypeOf<MessageOf<typeof arena, "trade">>().toEqualTypeOf<never>();
  });

  it("take any protocol where none in particular is asked for", () => {
    const idOf = (protocol: Protocol): bigint => protocol.id;
    const first = <P extends Protocol>(protocol: P): ChannelName<P> => protocol.channelNames[0];
    expect(idOf(arena)).toBe(arena.id);
    expectTypeOf(first(arena)).toEqualTypeOf<"input" | "state" | "chat">();
    expectTypeOf<typeof arena>().toExtend<Protocol>();
  });

  it("refuse what is no policy", () => {
    // @ts-expect-error: a word is no policy
    expect(() => defineProtocol("p", { a: "reliable" })).toThrow(NetrtError);
  });
});
