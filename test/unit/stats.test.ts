/*
 * The page of counters: the same layout in both engines, no two counters in one place, and pairs that carry over 2^32.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CHANNELS_MAX, PEERS_MAX } from "../../lib/engine/limits.js";
import {
  CHANNEL_COUNTERS,
  HOST_COUNTERS,
  PEER_WORDS,
  REJECT_REASONS,
} from "../../lib/engine/stats.js";
import { twins } from "../twins.js";

const SLOTS = 3;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

describe.each(twins)("stats of $name", ({ engine }) => {
  test("every word of the page belongs to exactly one counter", () => {
    const pairs = [
      ...numbers(HOST_COUNTERS).map(engine.statsHostWord),
      ...numbers(REJECT_REASONS).map(engine.statsRejectWord),
      ...numbers(CHANNELS_MAX).flatMap((channel) =>
        numbers(CHANNEL_COUNTERS).map((counter) => engine.statsChannelWord(channel, counter)),
      ),
    ];
    const words = [
      ...pairs.flatMap((word) => [word, word + 1]),
      ...numbers(SLOTS).flatMap((slot) =>
        numbers(PEER_WORDS).map((word) => engine.statsPeerWord(slot) + word),
      ),
    ];
    expect(words.sort((left, right) => left - right)).toEqual(numbers(engine.statsWords(SLOTS)));
  });

  test("the page of the most peers is as large as its rows ask", () => {
    for (const slots of [0, 1, PEERS_MAX - 1, PEERS_MAX]) {
      expect(engine.statsWords(slots)).toBe(engine.statsPeerWord(slots));
      expect(engine.statsWords(slots) - engine.statsWords(0)).toBe(slots * PEER_WORDS);
    }
  });

  test("a pair carries over 2^32, and nothing else moves", () => {
    const page = Uint32Array.of(7, 0xfffffffe, 3, 9);
    engine.statsAdd(page, 1, 1);
    expect([...page]).toEqual([7, 0xffffffff, 3, 9]);
    engine.statsAdd(page, 1, 0);
    expect([...page]).toEqual([7, 0xffffffff, 3, 9]);
    engine.statsAdd(page, 1, 1);
    expect([...page]).toEqual([7, 0, 4, 9]);
    engine.statsAdd(page, 1, 0xffffffff);
    expect([...page]).toEqual([7, 0xffffffff, 4, 9]);
    engine.statsAdd(page, 1, 0xffffffff);
    expect([...page]).toEqual([7, 0xfffffffe, 5, 9]);
  });

  test("any amounts add up", () => {
    const amount = fc.oneof(
      fc.nat(2000),
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.constant(0xffffffff),
    );
    fc.assert(
      fc.property(fc.array(amount), (amounts) => {
        const page = new Uint32Array(2);
        let sum = 0;
        for (const each of amounts) {
          engine.statsAdd(page, 0, each);
          sum += each;
        }
        expect(page[1] * 2 ** 32 + page[0]).toBe(sum);
      }),
    );
  });
});

test("the layout is the same in both engines", () => {
  const layouts = twins.map(({ engine }) => [
    engine.statsWords(SLOTS),
    ...numbers(HOST_COUNTERS).map(engine.statsHostWord),
    ...numbers(REJECT_REASONS).map(engine.statsRejectWord),
    ...numbers(CHANNELS_MAX).map((channel) => engine.statsChannelWord(channel, 5)),
    ...numbers(SLOTS).map(engine.statsPeerWord),
  ]);
  for (const layout of layouts) expect(layout).toEqual(layouts[0]);
});
