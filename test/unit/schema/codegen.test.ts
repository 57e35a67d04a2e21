/*
 * Owns the place where code may not be made of strings: the same messages, without compiled readers and
 * writers.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { translate } from "../../addon/compile.js";

const TIMEOUT_MS = 30_000;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-schema-"));
beforeAll(() => {
  fs.writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }');
  translate("lib", path.join(folder, "dist"));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

const PROGRAM = `
import { array, bool, quantized, range, schema, string, u32, vec3 } from "./dist/lib/schema/index.js";
const one = schema({
  tick: u32,
  name: string(9),
  list: array(vec3(quantized(-1, 1, 0.01)), 4),
  dead: bool,
  health: range(0, 100),
});
const at = { x: 0.5, y: -1, z: 0.25 };
const bytes = one.encode({ tick: 2 ** 31, name: "ada", list: [at, at], dead: true, health: 99 });
const decoded = one.decode(bytes);
const ended = one.decode(bytes.subarray(1));
console.log(JSON.stringify({
  compiled: one.compiled, bytes: [...bytes], decoded, ended, rejected: one.rejected,
  delta: [...one.encodeDelta({ ...decoded, health: 98 }, decoded)],
}));
`;

function run(...options: string[]): { compiled: boolean; bytes: number[] } {
  const file = path.join(folder, "program.js");
  fs.writeFileSync(file, PROGRAM);
  const output = execFileSync(process.execPath, [...options, file], {
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  return JSON.parse(output) as { compiled: boolean; bytes: number[] };
}

test("--disallow-code-generation-from-strings changes nothing but `compiled`", () => {
  const usual = run();
  const strict = run("--disallow-code-generation-from-strings");
  expect(usual.compiled).toBe(true);
  expect(strict.compiled).toBe(false);
  expect(usual.bytes.length).toBeGreaterThan(10);
  expect({ ...strict, compiled: true }).toEqual(usual);
});
