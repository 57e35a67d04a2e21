// Everything native under sanitizers: `npm run sanitize`.
//   canaries  a leak, an overflow, an undefined shift and a race, each of which must be caught
//   cpp       the C++ tests and the fuzzers' kept inputs under ASan, UBSan and LSan
//   thread    the same under TSan: the waker and its thread
//   addon     the addon in Node under ASan, UBSan and LSan: test/addon/exercise.ts
// Ends with 1 when a part failed.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./sources.mjs";

const HELP = `npm run sanitize -- [options]

  --only PART   canaries, cpp, thread or addon; may be given more than once (all)
  --json        one object on stdout
  --help`;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const COMPILER = process.env.CXX || "c++";
const MEMORY = "address,undefined";
const ADDON_FOLDER = path.join(ROOT, "build-addon-address-undefined");
const TIMEOUT_MS = 900_000;
// What a canary did not do within this time it doesn't do.
const CANARY_TIMEOUT_MS = 60_000;

const say = (line) => console.error(line);

function run(command, args, options = {}) {
  const settings = { cwd: ROOT, stdio: ["ignore", 2, 2], timeout: TIMEOUT_MS, ...options };
  const { status, signal, error } = spawnSync(command, args, settings);
  if (error) say(`${command}: ${error.message}`);
  if (status !== 0) say(`${command} ${args.join(" ")}: ${signal ?? status}`);
  return status === 0;
}

// --- canaries: what is not caught here would not be caught there ---

const CANARIES = {
  overflow: { sanitize: MEMORY, body: "char* a = new char[4]; a[n + 3] = 1; delete[] a;" },
  leak: { sanitize: MEMORY, body: "volatile char* a = new char[40]; a[0] = 1; a = nullptr;" },
  shift: { sanitize: MEMORY, body: "volatile int s = 32 + n; volatile int v = 1 << s; (void)v;" },
  race: {
    sanitize: "thread",
    body: "static int v; std::thread t([] { v = 1; }); v = 2; t.join();",
  },
};

function caught(name) {
  const { sanitize, body } = CANARIES[name];
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-canary-"));
  try {
    const program = path.join(folder, name);
    const flags = [`-fsanitize=${sanitize}`, "-fno-sanitize-recover=all", "-std=c++17", "-g"];
    const source = `#include <thread>\nint main(int n, char**) { ${body} return 0; }\n`;
    const args = [...flags, "-x", "c++", "-", "-o", program, "-lpthread"];
    const built = spawnSync(COMPILER, args, { input: source, stdio: ["pipe", "ignore", 2] });
    if (built.status !== 0) return false;
    const { status, stderr } = spawnSync(program, [], {
      encoding: "utf8",
      timeout: CANARY_TIMEOUT_MS,
    });
    return status !== 0 && /Sanitizer|runtime error/.test(stderr);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function canaries() {
  const missed = Object.keys(CANARIES).filter((name) => !caught(name));
  if (missed.length > 0) say(`not caught: ${missed.join(", ")}`);
  return missed.length === 0;
}

// --- the addon ---

/** Headers of this Node: of its installation, or those that node-gyp fetched for it. */
function nodeHeaders() {
  const prefix = path.resolve(path.dirname(fs.realpathSync(process.execPath)), "..");
  const cache = path.join(os.homedir(), ".cache/node-gyp", process.versions.node);
  const known = [process.env.npm_config_nodedir, prefix, cache].filter(Boolean);
  const folders = known.map((folder) => path.join(folder, "include/node"));
  return folders.find((folder) => fs.existsSync(path.join(folder, "node_api.h")));
}

/** A copy of the package whose addon has sanitizers in it. */
function addonPackage() {
  const headers = nodeHeaders();
  if (headers === undefined) {
    say("no headers of this Node: npx node-gyp install fetches them");
    return undefined;
  }
  const settings = [`-DCMAKE_JS_INC=${headers}`, `-DNETRT_SANITIZE=${MEMORY}`, "-DNETRT_WERROR=ON"];
  const jobs = String(os.availableParallelism());
  const built =
    run("cmake", ["-S", ROOT, "-B", ADDON_FOLDER, ...settings]) &&
    run("cmake", ["--build", ADDON_FOLDER, "--parallel", jobs]) &&
    run(process.execPath, [".ci/build.mjs", "--only", "ts"]);
  if (!built) return undefined;
  const copy = path.join(ADDON_FOLDER, "package");
  const release = path.join(copy, "build/Release");
  fs.rmSync(copy, { recursive: true, force: true });
  fs.mkdirSync(release, { recursive: true });
  fs.cpSync(path.join(ROOT, "dist"), path.join(copy, "dist"), { recursive: true });
  fs.copyFileSync(path.join(ROOT, "package.json"), path.join(copy, "package.json"));
  fs.copyFileSync(path.join(ADDON_FOLDER, "netrt.node"), path.join(release, "netrt.node"));
  return copy;
}

/** Node itself has no sanitizer: their libraries have to be there before anything else. */
function sanitizedNode() {
  const libraries = ["libasan.so", "libubsan.so", "libstdc++.so"].map((name) => {
    const { stdout } = spawnSync(COMPILER, [`-print-file-name=${name}`], { encoding: "utf8" });
    return fs.realpathSync(stdout.trim());
  });
  return {
    ...process.env,
    LD_PRELOAD: libraries.join(":"),
    ASAN_OPTIONS: "detect_leaks=1:malloc_context_size=12",
    UBSAN_OPTIONS: "print_stacktrace=1",
  };
}

function addon() {
  const copy = addonPackage();
  if (copy === undefined) return false;
  const args = ["--expose-gc", path.join(copy, "dist/test/addon/exercise.js")];
  return run(process.execPath, args, { cwd: copy, env: sanitizedNode() });
}

const core = (sanitize) => run(process.execPath, [".ci/core.mjs", "--sanitize", sanitize]);

const PARTS = { canaries, cpp: () => core(MEMORY), thread: () => core("thread"), addon };

function main() {
  if (values.help) return console.log(HELP);
  const unknown = values.only.filter((name) => !(name in PARTS));
  if (unknown.length > 0) {
    say(`no part ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}`);
    process.exitCode = 2;
    return;
  }
  const names = values.only.length > 0 ? values.only : Object.keys(PARTS);
  const parts = names.map((name) => {
    const begin = Date.now();
    const passed = PARTS[name]();
    const seconds = Math.round((Date.now() - begin) / 1000);
    if (!values.json)
      console.log(`${name.padEnd(10)} ${passed ? "passed" : "FAILED"} (${seconds} s)`);
    return { name, passed, seconds };
  });
  const passed = parts.every((part) => part.passed);
  if (values.json) console.log(JSON.stringify({ passed, parts }));
  if (!passed) process.exitCode = 1;
}

main();
