// Checks the format of every file, or with --write brings it about: biome for TypeScript, JavaScript and JSON,
// clang-format for C++. Where clang-format is absent a line says so; under CI that is a failure.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { ROOT } from "./sources.mjs";

const CPP_FOLDERS = ["native", "test/native", "test/fuzz", "bench"];
const write = process.argv.includes("--write");
let failed = false;

function run(command, args) {
  const result = spawnSync(command, args, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  if (result.status !== 0) failed = true;
  return result;
}

// `biome check` sorts imports too; what it lints stays with `npm run lint`.
run(path.join(ROOT, "node_modules/.bin/biome"), [
  "check",
  "--linter-enabled=false",
  ...(write ? ["--write"] : []),
  ".",
]);

const cpp = CPP_FOLDERS.filter((folder) => fs.existsSync(path.join(ROOT, folder))).flatMap(
  (folder) =>
    fs
      .readdirSync(path.join(ROOT, folder), { recursive: true })
      .filter((name) => /\.(h|cc)$/.test(name))
      .map((name) => path.join(folder, name)),
);
if (spawnSync("clang-format", ["--version"]).error) {
  console.error("clang-format is not installed: the C++ files were not looked at");
  if (process.env.CI) failed = true;
} else if (cpp.length > 0) {
  run("clang-format", [...(write ? ["-i"] : ["--dry-run", "--Werror"]), ...cpp]);
}
process.exitCode = failed ? 1 : 0;
