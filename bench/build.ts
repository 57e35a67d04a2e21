/*
 * Builds the benchmark's C++ programs with CMake, and says where they are.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

/** The checkout, from dist/bench/ and from bench/ alike. */
export const ROOT = findRoot(import.meta.dirname);

function findRoot(folder: string): string {
  return fs.existsSync(path.join(folder, "binding.gyp")) ? folder : findRoot(path.dirname(folder));
}

const FOLDER = path.join(ROOT, "build-bench");

/** The programs, by name. What this machine can't build is absent. */
export type Program = "bench_load" | "bench_raw" | "bench_enet" | "bench_core";

/** Where a program lies, or null where it could not be built. */
export function programPath(name: Program): string | null {
  const file = path.join(FOLDER, "bin", name);
  return fs.existsSync(file) ? file : null;
}

/** Builds what is not up to date. Returns null, or why it can't. */
export function buildPrograms(): string | null {
  const configure = ["-S", ROOT, "-B", FOLDER, "-DNETRT_BENCH=ON", "-DNETRT_TESTS=OFF"];
  for (const args of [configure, ["--build", FOLDER, "--parallel"]]) {
    const { status, error, stdout, stderr } = spawnSync("cmake", args, { encoding: "utf8" });
    if (error !== undefined) return `cmake does not run: ${error.message}`;
    if (status === 0) continue;
    const said = `${stdout}\n${stderr}`;
    return /^.*\b(?:error|Error)\b.*$/m.exec(said)?.[0].trim() ?? "cmake failed";
  }
  return null;
}
