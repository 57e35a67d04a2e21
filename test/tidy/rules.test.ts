// docs/PROTOCOL.md numbers its rules, …; the code of both languages and the tests cite the numbers. Every rule
// is cited in all three places, and every citation names a rule that there is.
import { describe, expect, it } from "vitest";
import { exists, filesBelow, read } from "./tree.js";

const DOCUMENT = "docs/PROTOCOL.md";
const RULE = /\bR-(\d+)\b/g;

const numbers = (text: string) =>
  new Set([...text.matchAll(RULE)].map((match) => Number(match[1])));
const ascending = (set: Iterable<number>) => [...set].sort((left, right) => left - right);

function cited(files: string[]): Map<number, string> {
  const found = new Map<number, string>();
  for (const file of files) {
    for (const rule of numbers(read(file))) found.set(rule, file);
  }
  return found;
}

const places = {
  "C++": cited(filesBelow(["native"], [".h", ".cc"])),
  TypeScript: cited(filesBelow(["lib"], [".ts"])),
  "a test": cited(
    filesBelow(["test"], [".ts", ".cc", ".h"]).filter((file) => !file.startsWith("test/tidy/")),
  ),
};

describe.skipIf(!exists(DOCUMENT))(`the rules of ${DOCUMENT}`, () => {
  const rules = exists(DOCUMENT) ? numbers(read(DOCUMENT)) : new Set<number>();

  it("are there, and numbered without a gap", () => {
    expect(rules.size).toBeGreaterThan(0);
    expect(ascending(rules)).toEqual([...rules].map((_rule, index) => index + 1));
  });

  it.each(Object.entries(places))("are all cited in %s", (_place, citations) => {
    expect(ascending(rules).filter((rule) => !citations.has(rule))).toEqual([]);
  });

  it.each(Object.entries(places))("are all that %s cites", (_place, citations) => {
    const unknown = [...citations].filter(([rule]) => !rules.has(rule));
    expect(unknown.map(([rule, file]) => `R-${rule} in ${file}`)).toEqual([]);
  });
});
