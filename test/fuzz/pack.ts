/*
 * pack: the kept corpora. A pack is a file of inputs, each its length in two bytes, low first, and its bytes.
 * .ci/fuzz.mjs writes them, test/fuzz/replay.cc reads them too.
 */
import fs from "node:fs";
import path from "node:path";
import type { TargetName } from "./targets.js";

/** The kept inputs of a pack. */
export function packRead(file: string): Uint8Array[] {
  const bytes = fs.readFileSync(file);
  const inputs: Uint8Array[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const end = offset + 2 + bytes.readUInt16LE(offset);
    if (end > bytes.length) throw new Error(`${file} ends within an input`);
    inputs.push(new Uint8Array(bytes.subarray(offset + 2, end)));
    offset = end;
  }
  return inputs;
}

/** Where the kept inputs of a target are, from the sources and from what tsc made of them alike. */
export function packFile(target: TargetName): string {
  const file = (root: string) => path.join(root, "test/fuzz/corpus", `${target}.pack`);
  const root = path.resolve(import.meta.dirname, "../..");
  return fs.existsSync(file(root)) ? file(root) : file(path.dirname(root));
}
