// Builds the core alone with CMake, runs its C++ tests, and gives the fuzzers' kept inputs to it: `npm run test:native`.
//
//   node .ci/core.mjs [--sanitize address,undefined|thread]
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./sources.mjs";

const { values } = parseArgs({ options: { sanitize: { type: "string", default: "" } } });
const suffix = values.sanitize === "" ? "" : `-${values.sanitize.replaceAll(",", "-")}`;
const folder = path.join(ROOT, `build-core${suffix}`);
const corpus = path.join(ROOT, "test/fuzz/corpus");

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: "inherit" });
  if (status === 0) return;
  if (error) console.error(`${command}: ${error.message}`);
  process.exit(1);
}

run("cmake", [
  "-S",
  ROOT,
  "-B",
  folder,
  "-DNETRT_WERROR=ON",
  "-DNETRT_FUZZ=ON",
  `-DNETRT_SANITIZE=${values.sanitize}`,
]);
run("cmake", ["--build", folder, "--parallel"]);
run(path.join(folder, "core_tests"), []);
for (const name of fs.readdirSync(corpus)) {
  run(path.join(folder, "fuzz_replay"), [path.parse(name).name, path.join(corpus, name)]);
}
