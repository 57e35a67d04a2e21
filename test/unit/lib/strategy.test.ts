// The four strategies: what they make, what they forbid (at compile time and at run time), and what
// is lawful but not in this release.
import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { NetrtError } from "../../../lib/errors.js";
import { type ChannelPolicy, encodePolicy, type ReliablePolicy } from "../../../lib/policy.js";
import { checkPolicy, critical, realTime, reliable, timeSensitive } from "../../../lib/strategy.js";

/** The code that a call throws, or what it returned. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (error instanceof NetrtError) return error.code;
    throw error;
  }
}

// The constructors as JavaScript sees them.
const untyped = { realTime, timeSensitive, reliable, critical } as unknown as Record<
  "realTime" | "timeSensitive" | "reliable" | "critical",
  (options?: unknown) => ChannelPolicy
>;

const NAMES = ["realTime", "timeSensitive", "reliable", "critical"] as const;

describe("realTime", () => {
  it("is sequenced, unrepaired, with low redundancy", () => {
    expect(realTime()).toEqual({
      strategy: "realTime",
      order: "sequenced",
      repair: "none",
      redundancy: "low",
      expiry: "immediate",
      priority: 128,
      messageBytesMax: 1100,
      blockBytesMax: 0,
    });
  });

  it("takes high redundancy, a priority and a size", () => {
    const policy = realTime({ redundancy: "high", priority: 255, messageBytesMax: 64 });
    expect(policy).toMatchObject({ redundancy: "high", priority: 255, messageBytesMax: 64 });
  });

  it("compiles with nothing that it forbids", () => {
    // @ts-expect-error: never retransmits
    expect(outcome(() => realTime({ repair: "ack" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: newest wins
    expect(outcome(() => realTime({ order: "ordered" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: low or high
    expect(outcome(() => realTime({ redundancy: "none" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: low or high
    expect(outcome(() => realTime({ redundancy: 3 }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: superseded by the newest
    expect(outcome(() => realTime({ expiry: "long" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: superseded by the newest
    expect(outcome(() => realTime({ expiry: 80 }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: no such option
    expect(outcome(() => realTime({ reliable: true }))).toBe("ERR_NETRT_ARGUMENT");
  });
});

describe("reliable", () => {
  it("is ordered, repaired both ways, with low redundancy and a long expiry", () => {
    expect(reliable()).toEqual({
      strategy: "reliable",
      order: "ordered",
      repair: "ack+nack",
      redundancy: "low",
      expiry: "long",
      priority: 64,
      messageBytesMax: 1100,
      blockBytesMax: 0,
    });
  });

  it("takes a short expiry or milliseconds", () => {
    expect(reliable({ expiry: "short" }).expiry).toBe("short");
    expect(reliable({ expiry: 1 }).expiry).toBe(1);
    expect(reliable({ expiry: 600_000 }).expiry).toBe(600_000);
    expect(outcome(() => reliable({ expiry: 0 }))).toBe("ERR_NETRT_ARGUMENT");
    expect(outcome(() => reliable({ expiry: 600_001 }))).toBe("ERR_NETRT_ARGUMENT");
    expect(outcome(() => reliable({ expiry: 1.5 }))).toBe("ERR_NETRT_ARGUMENT");
  });

  it("compiles with nothing that it forbids", () => {
    // @ts-expect-error: expires some time; critical never does
    expect(outcome(() => reliable({ expiry: "never" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: long or short
    expect(outcome(() => reliable({ expiry: "immediate" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: redundancy is mandatory
    expect(outcome(() => reliable({ redundancy: "none" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: ack and nack
    expect(outcome(() => reliable({ repair: "nack" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: never sequenced
    expect(outcome(() => reliable({ order: "sequenced" }))).toBe("ERR_NETRT_STRATEGY");
    // In numbers the type can't say it.
    expect(outcome(() => reliable({ redundancy: 0 }))).toBe("ERR_NETRT_STRATEGY");
  });

  it("may be unordered, adaptive, or have so many copies", () => {
    expect([...encodePolicy(reliable({ order: "none" }))].slice(0, 4)).toEqual([0, 3, 1, 0]);
    expect([...encodePolicy(reliable({ redundancy: "adaptive" }))].slice(2, 4)).toEqual([255, 1]);
    expect([...encodePolicy(reliable({ redundancy: 2 }))].slice(2, 4)).toEqual([2, 1]);
  });

  it("takes messages of 64 KiB, and blocks of 16 MiB where it is ordered", () => {
    expect(reliable({ messageBytesMax: 65_536 }).messageBytesMax).toBe(65_536);
    expect(outcome(() => reliable({ messageBytesMax: 65_537 }))).toBe("ERR_NETRT_ARGUMENT");
    expect(reliable({ blockBytesMax: 2 ** 24 }).blockBytesMax).toBe(2 ** 24);
    expect(outcome(() => reliable({ blockBytesMax: 2 ** 24 + 1 }))).toBe("ERR_NETRT_ARGUMENT");
    expect(outcome(() => reliable({ order: "none", blockBytesMax: 1 }))).toBe("ERR_NETRT_STRATEGY");
  });
});

describe("timeSensitive and critical", () => {
  it("have the defaults of the table", () => {
    expect(timeSensitive()).toMatchObject({ order: "ordered", repair: "nack", expiry: "short" });
    expect(timeSensitive().redundancy).toBe("none");
    expect(critical()).toMatchObject({ order: "ordered", repair: "ack+nack", expiry: "never" });
    expect(critical().redundancy).toBe("low");
  });

  it("keep to the table", () => {
    expect(timeSensitive({ expiry: 9_999 }).expiry).toBe(9_999);
    expect(critical({ expiry: 10_000 }).expiry).toBe(10_000);
    expect(outcome(() => timeSensitive({ expiry: 10_000 }))).toBe("ERR_NETRT_STRATEGY");
    expect(outcome(() => critical({ expiry: 9_999 }))).toBe("ERR_NETRT_STRATEGY");
  });

  it("compile with nothing that they forbid", () => {
    // @ts-expect-error: immediate or short
    expect(outcome(() => timeSensitive({ expiry: "long" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: nack alone
    expect(outcome(() => timeSensitive({ repair: "ack+nack" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: ordered
    expect(outcome(() => timeSensitive({ order: "none" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: nack is mandatory
    expect(outcome(() => critical({ repair: "ack" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: never or long
    expect(outcome(() => critical({ expiry: "short" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: low or high
    expect(outcome(() => critical({ redundancy: "adaptive" }))).toBe("ERR_NETRT_STRATEGY");
    // @ts-expect-error: redundancy is mandatory
    expect(outcome(() => critical({ redundancy: "none" }))).toBe("ERR_NETRT_STRATEGY");
  });
});

describe("every strategy", () => {
  it.each<[(typeof NAMES)[number], object, string]>([
    ["realTime", { repair: "nack" }, "RealTime never retransmits: repair is none"],
    ["timeSensitive", { expiry: "never" }, "TimeSensitive expiry is immediate or short"],
    ["reliable", { redundancy: "none" }, "Reliable redundancy is mandatory: at least low"],
    ["critical", { repair: "none" }, "Critical is repaired by ack and nack, both mandatory"],
  ])("names the rule that %s breaks", (name, options, rule) => {
    expect(() => untyped[name](options)).toThrow(rule);
  });

  it.each(NAMES)("%s refuses what is no policy at all", (name) => {
    const make = untyped[name];
    for (const options of [
      null,
      1,
      "high",
      [],
      { order: "reverse" },
      { order: 2 },
      { repair: true },
      { redundancy: "most" },
      { redundancy: 16 },
      { redundancy: -1 },
      { redundancy: null },
      { expiry: Number.NaN },
      { expiry: "80" },
      { priority: 0 },
      { priority: 256 },
      { priority: null },
      { messageBytesMax: 0 },
      { messageBytesMax: 65_537 },
      { retries: 3 },
    ]) {
      expect(outcome(() => make(options))).toBe("ERR_NETRT_ARGUMENT");
    }
  });

  it("makes frozen values, of a type of its own", () => {
    expect(Object.isFrozen(realTime())).toBe(true);
    expect(Object.isFrozen(reliable())).toBe(true);
    expectTypeOf(reliable).returns.toEqualTypeOf<ReliablePolicy>();
    expectTypeOf(realTime().redundancy).toEqualTypeOf<"low" | "high">();
    // @ts-expect-error: read-only
    expect(() => (reliable().priority = 1)).toThrow(TypeError);
    // @ts-expect-error: no combination of words makes a policy, only a lawful one
    const forged: ChannelPolicy = { ...reliable(), repair: "none" };
    expect(outcome(() => checkPolicy("it", forged))).toBe("ERR_NETRT_STRATEGY");
  });

  it("takes undefined as not given", () => {
    expect(untyped.reliable({ expiry: undefined, priority: undefined })).toEqual(reliable());
  });

  it("whatever is given: a lawful policy or a typed error, never something else", () => {
    const word = fc.constantFrom(
      ...["none", "sequenced", "ordered", "nack", "ack", "ack+nack", "low", "high"],
      ...["adaptive", "immediate", "short", "long", "never", "nonsense"],
    );
    const value = fc.oneof(word, fc.integer({ min: -2, max: 700_000 }), fc.anything());
    const options = fc.record(
      {
        order: value,
        repair: value,
        redundancy: value,
        expiry: value,
        priority: value,
        messageBytesMax: value,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), options, (name, given) => {
        const result = outcome(() => untyped[name](given));
        if (typeof result === "string") return result.startsWith("ERR_NETRT_");
        const policy = result as ChannelPolicy;
        expect(checkPolicy("it", policy)).toEqual(policy);
        return policy.strategy === name;
      }),
      { numRuns: 2000 },
    );
  });
});

describe("checkPolicy", () => {
  it("holds literals to the rules", () => {
    expect(checkPolicy("it", { strategy: "reliable" })).toEqual(reliable());
    expect(() => checkPolicy('channel "chat"', {})).toThrow(/^channel "chat" must be a policy/);
    for (const given of [null, undefined, "reliable", { strategy: "toString" }, { strategy: 3 }]) {
      expect(outcome(() => checkPolicy("it", given))).toBe("ERR_NETRT_ARGUMENT");
    }
  });
});
