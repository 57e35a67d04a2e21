// Builds the core alone with CMake and runs its C++ tests: `npm run test:native`.
//
//   node .ci/core.mjs [--sanitize address,undefined|thread]
import { spawnSync } from "node:child_process";
import path from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./sources.mjs";

const { values } = parseArgs({ options: { sanitize: { type: "string", default: "" } } });
const suffix = values.sanitize === "" ? "" : `-${values.sanitize.replaceAll(",", "-")}`;
const folder = path.join(ROOT, `build-core${suffix}`);

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
  `-DNETRT_SANITIZE=${values.sanitize}`,
]);
run("cmake", ["--build", folder, "--parallel"]);
run(path.join(folder, "core_tests"), []);
