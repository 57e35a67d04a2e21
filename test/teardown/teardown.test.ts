// A process may end at any moment and in any way: cleanly, at once, and its peer notices. Each stage with
// each exit once; `npm run teardown -- --rounds N` does it N times. test/addon has the same of the addon
// alone, without the API above it.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compilePackage } from "../addon/compile.js";
import { engines } from "../engines.js";
import { findRoot } from "../faults/table.js";
import { copyPackages, type Packages, teardownAll } from "./matrix.js";
import { EXITS, STAGES } from "./plan.js";

const AT_A_TIME = 4;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-teardown-"));
let packages: Packages;
beforeAll(() => {
  const compiled = compilePackage("test/teardown");
  packages = copyPackages(findRoot(import.meta.dirname), compiled, folder);
  fs.rmSync(compiled, { recursive: true });
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

it.each(engines)(`${STAGES.length} stages, ${EXITS.length} exits: %s`, async (engine) => {
  const cells = STAGES.flatMap((stage) => EXITS.map((exit) => [stage, exit] as const));
  const ended = await teardownAll(packages, engine, cells, AT_A_TIME);
  expect(ended.filter(({ wrong }) => wrong.length > 0)).toEqual([]);
  expect(ended).toHaveLength(70);
});
