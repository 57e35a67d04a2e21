// What the tests reach: `npm run coverage`.
//   core  by line, branch and MC/DC (clang): the C++ tests, the fuzzers' kept inputs, and the suites that see the core
//         through the probe: test/unit, test/lockstep, test/fuzz
//   lib   by line and branch (v8): every suite
// Not counted are branches that only a broken assertion takes (a test that takes one has ended the process) and
// conditions that never hold (NETRT_NEVER): those are listed, each with the reason that stands above it.
// Ends with 1 when a part could not be measured, or when a figure is below LEAST.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./sources.mjs";

/**
 * Percent that a change must not fall below: just below what was reached, since some of it is reached by inputs that
 * are drawn.
 */
const LEAST = {
  core: { lines: 99.9, branches: 99.8, mcdc: 99 },
  lib: { lines: 0, branches: 0 },
};
/** Conditions of the core that may be left out of it. */
const EXCLUSIONS_MAX = 10;

const HELP = `npm run coverage -- [options]

  --only PART     core or lib (both)
  --fast          core without the suites: the C++ tests and the kept inputs alone; no figure is too low then
  --show FILE     core: a file line by line, with what was not reached, such as acks.cc
  --json          one object on stdout
  --help`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    fast: { type: "boolean", default: false },
    show: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const FOLDER = path.join(ROOT, "build-coverage");
const ADDON_FOLDER = path.join(ROOT, "build-coverage-addon");
const RAW = path.join(FOLDER, "raw");
const PROFILE = path.join(FOLDER, "core.profdata");
const LIB_REPORT = path.join(ROOT, "coverage");
const CORPUS = path.join(ROOT, "test/fuzz/corpus");
const SUITES = ["test/unit", "test/lockstep", "test/fuzz"];
const TIMEOUT_MS = 1_200_000;
// Places in a branch's and in a decision's record, as llvm-cov exports them.
const LINE = 0;
const TAKEN = 4;
const NOT_TAKEN = 5;
const CONDITIONS = 6;

const say = (line) => console.error(line);

function fail(line) {
  say(`coverage: ${line}`);
  process.exit(1);
}

function run(command, args, options = {}) {
  const settings = { cwd: ROOT, stdio: ["ignore", 2, 2], timeout: TIMEOUT_MS, ...options };
  const result = spawnSync(command, args, { maxBuffer: 1 << 28, encoding: "utf8", ...settings });
  if (result.error) fail(`${command}: ${result.error.message}`);
  return result;
}

function must(command, args, options) {
  const { status, signal } = run(command, args, options);
  if (status !== 0) fail(`${command} ${args.slice(0, 4).join(" ")} …: ${signal ?? status}`);
}

// --- the tools: MC/DC came with clang 18 ---

function tools() {
  for (const version of ["19", "20", "21", "18"]) {
    const names = [`clang++-${version}`, `llvm-cov-${version}`, `llvm-profdata-${version}`];
    if (names.every((name) => !spawnSync(name, ["--version"]).error)) {
      return { clang: names[0], cov: names[1], profdata: names[2] };
    }
  }
  return fail("no clang with its tools: apt-get install clang-19 libclang-rt-19-dev llvm-19");
}

function build(clang, folder, settings) {
  const options = [`-DCMAKE_CXX_COMPILER=${clang}`, "-DCMAKE_BUILD_TYPE=Debug"];
  must("cmake", ["-S", ROOT, "-B", folder, ...options, "-DNETRT_COVERAGE=ON", ...settings]);
  must("cmake", ["--build", folder, "--parallel", String(os.availableParallelism())]);
}

function nodeHeaders() {
  const prefix = path.resolve(path.dirname(fs.realpathSync(process.execPath)), "..");
  const cache = path.join(os.homedir(), ".cache/node-gyp", process.versions.node);
  const known = [process.env.npm_config_nodedir, prefix, cache].filter(Boolean);
  const folders = known.map((folder) => path.join(folder, "include/node"));
  return folders.find((folder) => fs.existsSync(path.join(folder, "node_api.h")));
}

const profiled = (name) => ({
  ...process.env,
  LLVM_PROFILE_FILE: path.join(RAW, `${name}-%p-%m.profraw`),
});

// --- the core ---

function runPrograms() {
  must(path.join(FOLDER, "core_tests"), [], { env: profiled("tests") });
  for (const name of fs.readdirSync(CORPUS)) {
    const args = [path.parse(name).name, path.join(CORPUS, name)];
    must(path.join(FOLDER, "fuzz_replay"), args, { env: profiled("corpus") });
  }
}

/** The suites over a probe that counts. A test that fails is the business of `npm test`; what it reached counts. */
function runSuites(clang) {
  const headers = nodeHeaders();
  if (headers === undefined) fail("no headers of this Node: npx node-gyp install fetches them");
  build(clang, ADDON_FOLDER, [`-DCMAKE_JS_INC=${headers}`]);
  const environment = {
    ...profiled("suites"),
    NETRT_PROBE: path.join(ADDON_FOLDER, "netrt_probe.node"),
  };
  const args = ["node_modules/vitest/vitest.mjs", "run", ...SUITES];
  const { status } = run(process.execPath, args, { env: environment });
  if (status !== 0) say("coverage: some test failed");
}

function measureCore() {
  const { clang, cov, profdata } = tools();
  fs.rmSync(RAW, { recursive: true, force: true });
  fs.mkdirSync(RAW, { recursive: true });
  build(clang, FOLDER, ["-DNETRT_FUZZ=ON"]);
  runPrograms();
  if (!values.fast) runSuites(clang);
  const raw = fs.readdirSync(RAW).map((name) => path.join(RAW, name));
  must(profdata, ["merge", "-sparse", ...raw, "-o", PROFILE]);
  const objects = ["core_tests", "fuzz_replay"].map((name) => path.join(FOLDER, name));
  if (!values.fast) objects.push(path.join(ADDON_FOLDER, "netrt_probe.node"));
  const [first, ...others] = objects;
  const common = [first, ...others.map((name) => `-object=${name}`), `-instr-profile=${PROFILE}`];
  if (values.show !== undefined) return show(cov, common);
  const sources = path.join(ROOT, "native/core");
  const { stdout, status } = run(cov, ["export", ...common, sources], {
    stdio: ["ignore", "pipe", 2],
  });
  if (status !== 0) fail("llvm-cov could not read the profile");
  // limits.h has no code but the assertion itself.
  const isCode = ({ filename }) => !filename.endsWith("/limits.h");
  return JSON.parse(stdout).data[0].files.filter(isCode).map(countFile);
}

function show(cov, common) {
  const file = path.join(ROOT, "native/core", values.show);
  const options = ["-show-branches=count", "-show-mcdc", "-show-line-counts"];
  must(cov, ["show", ...options, ...common, file], { stdio: "inherit" });
  return undefined;
}

/** The lines, branches and conditions of a file; each branch is two: taken and not taken. */
function countFile({ filename, summary, branches, mcdc_records: decisions }) {
  const lines = fs.readFileSync(filename, "utf8").split("\n");
  const asserted = (line) => /NETRT_ASSERT|static_assert/.test(lines[line - 1] ?? "");
  const sides = branches
    .filter((branch) => !asserted(branch[LINE]))
    .flatMap((branch) => [TAKEN, NOT_TAKEN].map((side) => [branch[LINE], branch[side]]));
  const conditions = decisions
    .filter((decision) => !asserted(decision[LINE]))
    .flatMap((decision) => decision[CONDITIONS].map((met) => [decision[LINE], met ? 1 : 0]));
  const missed = (list) => [...new Set(list.filter(([, count]) => count === 0).map(([at]) => at))];
  return {
    file: path.basename(filename),
    lines: [summary.lines.covered, summary.lines.count],
    branches: [sides.filter(([, count]) => count > 0).length, sides.length],
    mcdc: [conditions.filter(([, met]) => met > 0).length, conditions.length],
    missedBranches: missed(sides),
    missedConditions: missed(conditions),
  };
}

const percent = ([covered, count]) => (count === 0 ? 100 : (100 * covered) / count);
/** Rounded down, so that 100 is all. */
const shown = (pair) => `${(Math.floor(percent(pair) * 10) / 10).toFixed(1)} % of ${pair[1]}`;

function sum(files, field) {
  return files.reduce(([a, b], file) => [a + file[field][0], b + file[field][1]], [0, 0]);
}

function printCore(files) {
  const row = (name, { lines, branches, mcdc }, rest = "") =>
    console.log(
      [name.padEnd(14), ...[lines, branches, mcdc].map((pair) => shown(pair).padEnd(16)), rest]
        .join("  ")
        .trimEnd(),
    );
  console.log("core            lines             branches          MC/DC             lines missed");
  for (const file of files) {
    const missed = [...new Set([...file.missedBranches, ...file.missedConditions])];
    missed.sort((a, b) => a - b);
    row(file.file, file, missed.join(" "));
  }
  row("all", totals(files));
  const excluded = exclusions();
  console.log(`\n${excluded.length} conditions of the core never hold, and are left out:`);
  for (const { file, line, condition, reason } of excluded) {
    console.log(`${file}:${line}  ${condition}: ${reason}`);
  }
}

/** What the core says never to be; each stands alone in its `if`, below the reason. */
function exclusions() {
  const folder = path.join(ROOT, "native/core");
  const files = fs.readdirSync(folder).filter((name) => name !== "limits.h");
  return files.flatMap((file) => {
    const lines = fs.readFileSync(path.join(folder, file), "utf8").split("\n");
    return lines.flatMap((text, index) => {
      if (!text.includes("NETRT_NEVER")) return [];
      const condition = /^ *if \(NETRT_NEVER\((.*)\)\) [^&|]*;$/.exec(text)?.[1];
      let first = index;
      while (/^ *\/\//.test(lines[first - 1] ?? "")) first -= 1;
      const comment = lines.slice(first, index).map((line) => line.replace(/^ *\/\/ */, ""));
      if (condition === undefined || comment.length === 0) {
        fail(`${file}:${index + 1}: NETRT_NEVER stands alone in an if, below its reason`);
      }
      return [{ file, line: index + 1, condition, reason: comment.join(" ") }];
    });
  });
}

function totals(files) {
  return Object.fromEntries(["lines", "branches", "mcdc"].map((name) => [name, sum(files, name)]));
}

// --- lib ---

function measureLib() {
  const reporters = ["json", "json-summary"].map((name) => `--coverage.reporter=${name}`);
  const coverage = ["--coverage.enabled", "--coverage.provider=v8", "--coverage.include=lib/**"];
  const args = ["node_modules/vitest/vitest.mjs", "run", ...coverage, ...reporters];
  fs.rmSync(LIB_REPORT, { recursive: true, force: true });
  const { status } = run(process.execPath, [...args, "--coverage.reportOnFailure"]);
  if (status !== 0) say("coverage: some test failed");
  const file = path.join(LIB_REPORT, "coverage-summary.json");
  if (!fs.existsSync(file)) fail("vitest wrote no coverage");
  const summary = JSON.parse(fs.readFileSync(file, "utf8"));
  const details = JSON.parse(fs.readFileSync(path.join(LIB_REPORT, "coverage-final.json"), "utf8"));
  return Object.entries(summary).map(([name, { lines, branches }]) => ({
    file: name === "total" ? "all" : path.relative(ROOT, name),
    lines: [lines.covered, lines.total],
    branches: [branches.covered, branches.total],
    missedBranches: name === "total" ? [] : missedOf(details[name]),
  }));
}

/** The lines of branches that were not taken. */
function missedOf({ branchMap, b: counts }) {
  const missed = Object.entries(branchMap).flatMap(([key, { locations }]) =>
    locations.filter((_, index) => counts[key][index] === 0).map(({ start }) => start.line),
  );
  return [...new Set(missed)].sort((left, right) => left - right);
}

function printLib(files) {
  console.log("\nlib                       lines             branches          lines missed");
  for (const { file, lines, branches, missedBranches } of files) {
    const parts = [file.padEnd(24), shown(lines).padEnd(16), shown(branches).padEnd(16)];
    console.log([...parts, missedBranches.join(" ")].join("  ").trimEnd());
  }
}

/** What is below its least, in words. */
function shortfalls(core, lib) {
  const all = {
    core: core === undefined || values.fast ? {} : totals(core),
    lib: lib?.find(({ file }) => file === "all") ?? {},
  };
  const found = Object.entries(LEAST).flatMap(([part, least]) =>
    Object.entries(least)
      .filter(([name, wanted]) => name in all[part] && percent(all[part][name]) < wanted)
      .map(([name, wanted]) => `${name} of ${part}: ${shown(all[part][name])}, least ${wanted} %`),
  );
  const excluded = core === undefined ? 0 : exclusions().length;
  if (excluded > EXCLUSIONS_MAX)
    found.push(`${excluded} conditions left out, most ${EXCLUSIONS_MAX}`);
  return found;
}

function main() {
  if (values.help) return console.log(HELP);
  if (values.only !== undefined && !["core", "lib"].includes(values.only)) {
    fail(`no part ${values.only}; there are core and lib`);
  }
  const core = values.only === "lib" ? undefined : measureCore();
  if (values.show !== undefined) return;
  const lib = values.only === "core" ? undefined : measureLib();
  const short = shortfalls(core, lib);
  const passed = short.length === 0;
  for (const line of short) say(`coverage: ${line}`);
  if (values.json) {
    const all = { files: core, total: core && totals(core), exclusions: exclusions() };
    console.log(JSON.stringify({ passed, core: core && all, lib, least: LEAST }));
  } else {
    if (core !== undefined) printCore(core);
    if (lib !== undefined) printLib(lib);
  }
  if (!passed) process.exitCode = 1;
}

main();
