/*
 * What a host is told when it opens: every word arrives in its place, and channels are served by priority, equal ones as
 * they were declared.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CONFIG_ADDRESS_WORDS,
  CONFIG_ADDRESSES,
  CONFIG_ADDRESSES_MAX,
  CONFIG_CHANNELS,
  CONFIG_CONGESTION,
  CONFIG_NAME_HASH,
  CONFIG_POLICIES,
  CONFIG_SUITES,
  CONFIG_WORDS,
} from "../../lib/engine/config.js";
import { CHANNELS_MAX } from "../../lib/engine/limits.js";
import { POLICY_WORDS } from "../../lib/engine/policy.js";
import { type EngineProbe, twins } from "../twins.js";

/** Words of the struct before the addresses, without their count: four stand behind the addresses. */
const PLAIN = CONFIG_NAME_HASH + 5;
const PRIORITY = 5;

function read(engine: EngineProbe, words: Uint32Array) {
  const out = new Float64Array(2048);
  const numbers = [...out.subarray(0, engine.configRead(words, out))];
  const addresses = numbers[PLAIN] * CONFIG_ADDRESS_WORDS;
  const channels = numbers[CONFIG_CHANNELS];
  let end = PLAIN + 1;
  const take = (count: number) => {
    end += count;
    return numbers.slice(end - count, end);
  };
  return {
    plain: numbers.slice(0, PLAIN),
    addresses: take(addresses),
    order: take(channels),
    policies: take(channels * POLICY_WORDS),
    rest: numbers.length - end,
  };
}

/** Every word different, but for those with a meaning of their own. */
function configWords(channels: number, addresses: number): Uint32Array {
  const words = Uint32Array.from({ length: CONFIG_WORDS }, (_, index) => 0xffff0000 + index);
  words[CONFIG_CHANNELS] = channels;
  words[CONFIG_ADDRESSES] = addresses;
  for (let index = 0; index < addresses; index++) {
    // Type and port have fewer bits.
    const start = CONFIG_ADDRESSES + 1 + index * CONFIG_ADDRESS_WORDS;
    words[start] = 1 + (index & 1);
    words[start + 1] = 60_000 + index;
  }
  return words;
}

describe.each(twins)("config of $name", ({ engine }) => {
  test.each([
    [1, 0],
    [1, 1],
    [2, CONFIG_ADDRESSES_MAX - 1],
    [CHANNELS_MAX - 1, CONFIG_ADDRESSES_MAX],
    [CHANNELS_MAX, CONFIG_ADDRESSES_MAX],
  ])("every word of %i channels and %i addresses arrives in its place", (channels, addresses) => {
    const words = configWords(channels, addresses);
    const config = read(engine, words);
    const expected = [
      ...words.subarray(0, CONFIG_NAME_HASH + 1),
      ...words.subarray(CONFIG_CONGESTION, CONFIG_SUITES + 1),
    ];
    // `raw` is a truth.
    expected[1] = 1;
    expect(config.plain).toEqual(expected);
    const start = CONFIG_ADDRESSES + 1;
    expect(config.addresses).toEqual([
      ...words.subarray(start, start + addresses * CONFIG_ADDRESS_WORDS),
    ]);
    expect(config.policies).toHaveLength(channels * POLICY_WORDS);
    expect(config.rest).toBe(0);
  });

  test("raw is 0 or anything else", () => {
    const words = configWords(1, 0);
    words[1] = 0;
    expect(read(engine, words).plain[1]).toBe(0);
  });

  test("channels are served by priority, equal ones as declared (R-46)", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: CHANNELS_MAX }),
        fc.boolean(),
        (given, few) => {
          const priorities = few ? given.map((priority) => 1 + (priority & 3)) : given;
          const words = configWords(priorities.length, 0);
          priorities.forEach((priority, channel) => {
            words[CONFIG_POLICIES + channel * POLICY_WORDS + PRIORITY] = priority;
          });
          const expected = priorities
            .map((priority, channel) => ({ priority, channel }))
            .sort((left, right) => right.priority - left.priority)
            .map(({ channel }) => channel);
          expect(read(engine, words).order).toEqual(expected);
        },
      ),
      { numRuns: 200 },
    );
  });
});
