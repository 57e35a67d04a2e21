/*
 * Owns the test of HalfSipHash-1-3: known answers, and the twins.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { twins } from "../twins.js";

const KEY = Uint32Array.of(0x03020100, 0x07060504);
const WORDS = new Uint32Array(Uint8Array.from({ length: 64 }, (_, index) => index).buffer);

describe.each(twins)("HalfSipHash-1-3 of $name", ({ core }) => {
  // Linux, lib/tests/siphash_kunit.c, its vectors for 32 bits: every fourth, since words are whole here.
  test.each([
    [0, 0x5814c896],
    [1, 0x7e059ea6],
    [2, 0x577999b1],
    [3, 0x6b28096c],
    [4, 0x8b31d501],
    [5, 0x911bb605],
    [6, 0x57150ad7],
    [7, 0x0a4100d0],
    [8, 0xbc6dda8d],
    [15, 0x88b4c4cc],
  ])("of the first %i words", (count, hash) => {
    expect(core.sipHash(KEY, WORDS, count)).toBe(hash);
  });

  test("depends on each word of the key", () => {
    const base = core.sipHash(KEY, WORDS, 2);
    expect(core.sipHash(Uint32Array.of(KEY[0] ^ 1, KEY[1]), WORDS, 2)).not.toBe(base);
    expect(core.sipHash(Uint32Array.of(KEY[0], KEY[1] ^ 1), WORDS, 2)).not.toBe(base);
  });
});

describe.runIf(twins.length > 1)("the twins agree on", () => {
  const [js, native] = twins;
  const word = fc.nat({ max: 0xffffffff });

  test("any words and any key", () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 9 }), word, word, (words, first, second) => {
        const key = Uint32Array.of(first, second);
        const all = Uint32Array.from(words);
        expect(native.core.sipHash(key, all, all.length)).toBe(
          js.core.sipHash(key, all, all.length),
        );
      }),
    );
  });
});
