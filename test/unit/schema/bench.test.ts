/*
 * Owns what of bench/schema.ts is the same on every machine: it runs to its end, all forms bring back what
 * they were given, the schema's messages are the smallest.
 */
import { expect, test } from "vitest";
import { kinds } from "../../../bench/messages.js";
import { benchmark } from "../../../bench/schema.js";

test("it runs to its end; the schema's messages are the smallest", () => {
  const { messages } = benchmark(true);
  expect(messages.map(({ message }) => message)).toEqual(kinds.map(({ name }) => name));
  for (const { rows, encodeRatio, decodeRatio } of messages) {
    const ours = rows.find(({ form }) => form === "netrt/schema");
    const hand = rows.find(({ form }) => form === "by hand");
    expect(ours?.bytes).toBeLessThanOrEqual(Math.min(...rows.map(({ bytes }) => bytes)));
    expect(ours?.bytes).toBe(hand?.bytes);
    for (const row of rows) {
      expect(row.encodeNs).toBeGreaterThan(0);
      expect(row.decodeNs ?? row.decodeIntoNs).toBeGreaterThan(0);
    }
    expect(encodeRatio).toBeGreaterThan(0);
    expect(decodeRatio).toBeGreaterThan(0);
  }
});

test.each(kinds)("$name, packed by hand and by schema", ({ name, list, forms, schema }) => {
  const hand = forms.find((form) => form.name === "by hand");
  if (hand === undefined) throw new Error("no packer by hand");
  for (const value of list) {
    const bytes = hand.encode(value);
    expect(hand.decodeInto?.(bytes)).toBe(true);
    // The length of a chat line has eight bits by hand; all else is the same layout.
    if (name !== "chat line") expect(schema.encode(value)).toEqual(bytes);
    else expect(schema.encode(value)).toHaveLength(bytes.length);
  }
});
