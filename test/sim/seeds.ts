// seeds: the cases that failed once, kept in seeds.json beside this file: they run before any other.
//
// Owns the reading. An entry is a case and a note of what was wrong then.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { SimCase } from "./sim.js";

const FILE = "test/sim/seeds.json";

/** A case with what was wrong when it failed. */
export interface KeptCase extends SimCase {
  readonly note: string;
}

/** Reads the kept cases. */
export function seedsRead(): KeptCase[] {
  // From the sources and from what tsc made of them (dist/test) alike.
  let root = path.resolve(import.meta.dirname, "../..");
  if (!existsSync(path.join(root, "binding.gyp"))) root = path.dirname(root);
  return JSON.parse(readFileSync(path.join(root, FILE), "utf8")) as KeptCase[];
}
