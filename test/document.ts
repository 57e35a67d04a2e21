/*
 * Owns reading docs/PROTOCOL.md, so that tests hold the code to what is printed there.
 * Never knows what a table means.
 */
import { readFileSync } from "node:fs";
import path from "node:path";

const FILE = path.resolve(import.meta.dirname, "..", "docs/PROTOCOL.md");

/** The rows of the first table below a heading, cell by cell, without its head. */
export function documentTable(heading: string): string[][] {
  const lines = readFileSync(FILE, "utf8").split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.endsWith(` ${heading}`));
  if (start < 0) throw new Error(`docs/PROTOCOL.md has no heading "${heading}"`);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 1)) {
    if (/^#/.test(line) || (rows.length > 0 && !line.startsWith("|"))) break;
    if (line.startsWith("|"))
      rows.push(
        line
          .slice(1, -1)
          .split("|")
          .map((cell) => cell.trim()),
      );
  }
  return rows.slice(2);
}
