/*
 * Owns the test of FNV-1a: the published answers, the seed, and the bounds.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { twins } from "../twins.js";

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

describe.each(twins)("hash of $name", ({ core }) => {
  // draft-eastlake-fnv, appendix C, and the authors' test suite.
  test.each([
    ["", 0x811c9dc5],
    ["a", 0xe40c292c],
    ["b", 0xe70c2de5],
    ["foo", 0xa9f37ed7],
    ["foobar", 0xbf9cf968],
  ])("of %j", (text, hash) => {
    const bytes = bytesOf(text);
    expect(core.hash32(bytes, 0, bytes.length, 0)).toBe(hash);
  });

  test("covers offset to offset + length, and no more", () => {
    expect(core.hash32(bytesOf("xxfoobarxx"), 2, 6, 0)).toBe(0xbf9cf968);
  });

  test("depends on the seed", () => {
    const bytes = bytesOf("foobar");
    expect(core.hash32(bytes, 0, 6, 1)).not.toBe(core.hash32(bytes, 0, 6, 2));
  });
});

describe.runIf(twins.length > 1)("the twins agree on", () => {
  const [js, native] = twins;

  test("any bytes and any seed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 0xffffffff }), (bytes, seed) => {
        expect(native.core.hash32(bytes, 0, bytes.length, seed)).toBe(
          js.core.hash32(bytes, 0, bytes.length, seed),
        );
      }),
    );
  });
});
