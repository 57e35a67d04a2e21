// The words that carry a policy to an engine.
import { describe, expect, it } from "vitest";
import { MESSAGE_BYTES_MAX } from "../../../lib/engine/limits.js";
import { Policy, policyRead } from "../../../lib/engine/policy.js";
import { encodePolicy, POLICY_HASHED_WORDS } from "../../../lib/policy.js";
import { realTime, reliable } from "../../../lib/strategy.js";

describe("encodePolicy", () => {
  it.each([
    ["realTime low", realTime(), [1, 0, 1, 0, 0, 128, 1100, 1, 0]],
    ["realTime high", realTime({ redundancy: "high" }), [1, 0, 7, 1, 0, 128, 1100, 1, 0]],
    ["reliable long", reliable(), [2, 3, 1, 0, 10_000, 64, 1100, 3, 0]],
    ["reliable short", reliable({ expiry: "short" }), [2, 3, 1, 0, 200, 64, 1100, 3, 0]],
    [
      "reliable in numbers",
      reliable({ redundancy: "high", expiry: 1500, priority: 9, messageBytesMax: 32 }),
      [2, 3, 7, 1, 1500, 9, 32, 3, 0],
    ],
  ])("%s", (_name, policy, words) => {
    expect([...encodePolicy(policy)]).toEqual(words);
  });

  it("is what the engine reads", () => {
    const words = new Uint32Array(10);
    words.set(encodePolicy(reliable({ redundancy: "high" })).subarray(0, POLICY_HASHED_WORDS));
    const policy = new Policy();
    policyRead(policy, words, 0);
    expect(policy).toMatchObject({ order: 2, repair: 3, copies: 7, copiesForced: true });
    expect(policy).toMatchObject({ expiryMs: 10_000, priority: 64, strategy: 3 });
    expect(policy.messageBytesMax).toBe(MESSAGE_BYTES_MAX);
  });

  it("carries the longest block behind the rest", () => {
    expect(encodePolicy(reliable())[8]).toBe(0);
    expect(encodePolicy(reliable({ blockBytesMax: 5000 }))[8]).toBe(5000);
  });
});
