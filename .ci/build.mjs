// Builds a checkout: TypeScript into dist/, the addon into build/Release/. Does nothing where nothing changed.
// The addon is optional: without a compiler, or when its build fails, one line says so and the JS engine serves.
// Prints to stderr only, so that a program started after it owns stdout.
//
//   node .ci/build.mjs [--only ts|native]     with --only native, a failed addon is an error
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ROOT } from "./sources.mjs";

const TS_FOLDERS = ["lib", "test", "bench", "examples"];
const NATIVE_FOLDERS = ["native"];
const LOG_FILE = "build/build.log";

const say = (line) => console.error(`netrt: ${line}`);
const at = (...parts) => path.join(ROOT, ...parts);
const bin = (name) =>
  at("node_modules", ".bin", process.platform === "win32" ? `${name}.cmd` : name);

function filesBelow(folder, accepts) {
  if (!fs.existsSync(at(folder))) return [];
  return fs
    .readdirSync(at(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && accepts(entry.name))
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)))
    .sort();
}

// What a build was made from. Equal to the stamp of the last good build: nothing to do.
function stampOf(files, settings) {
  const stats = files.map((file) => {
    const { mtimeMs, size } = fs.statSync(at(file));
    return `${file} ${mtimeMs} ${size}`;
  });
  return JSON.stringify({ node: process.version, arch: process.arch, settings, stats }, null, 1);
}

const isFresh = (stampFile, stamp) =>
  fs.existsSync(at(stampFile)) && fs.readFileSync(at(stampFile), "utf8") === stamp;

function removeOrphans(folder) {
  for (const file of filesBelow(path.join("dist", folder), (name) => name.endsWith(".js"))) {
    const source = file.slice("dist/".length, -".js".length);
    if (fs.existsSync(at(`${source}.ts`))) continue;
    for (const end of [".js", ".js.map", ".d.ts"]) {
      fs.rmSync(at("dist", source + end), { force: true });
    }
  }
}

/** Compiles TypeScript. False: it has errors, which tsc has printed. */
export function buildTs() {
  if (!fs.existsSync(bin("tsc"))) {
    say("the development packages are missing: run `npm ci` first");
    return false;
  }
  const sources = TS_FOLDERS.flatMap((folder) =>
    filesBelow(folder, (name) => name.endsWith(".ts")),
  );
  const stamp = stampOf(["tsconfig.json", "package.json", ...sources], {});
  if (isFresh("dist/.stamp", stamp)) return true;
  const result = spawnSync(bin("tsc"), ["-p", ROOT], { stdio: ["ignore", 2, 2] });
  if (result.status !== 0) return false;
  for (const folder of TS_FOLDERS) removeOrphans(folder);
  fs.writeFileSync(at("dist/.stamp"), stamp);
  return true;
}

// Headers that came with this Node, so that node-gyp has nothing to download.
export function headerEnvironment() {
  const prefix = path.resolve(path.dirname(fs.realpathSync(process.execPath)), "..");
  const known = process.env.npm_config_nodedir;
  if (known || !fs.existsSync(path.join(prefix, "include/node/node_api.h"))) return process.env;
  return { ...process.env, npm_config_nodedir: prefix };
}

function hasCompiler() {
  if (process.platform === "win32") return true; // node-gyp looks for Visual Studio itself
  const found = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
  return found(process.env.CXX || "c++") && found("make");
}

// A failed build leaves the last good addon in place: worse than none, for it would run old code. And one that is
// interrupted leaves half a file, which make takes for a whole one: so they go before each build.
function dropAddon() {
  fs.rmSync(at("build/.stamp"), { force: true });
  for (const name of ["netrt.node", "netrt_probe.node"]) {
    fs.rmSync(at("build/Release", name), { force: true });
    fs.rmSync(at("build/Release/obj.target", name), { force: true });
  }
}

/** Builds the addon and the tests' probe. False: there is none, and the one line that tells why was printed. */
export function buildNative() {
  const sources = NATIVE_FOLDERS.flatMap((folder) => filesBelow(folder, () => true));
  const settings = Object.fromEntries(
    ["CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "NETRT_SODIUM_ARCHIVE"].map((name) => [
      name,
      process.env[name] ?? "",
    ]),
  );
  const stamp = stampOf(["binding.gyp", ...sources], settings);
  if (isFresh("build/.stamp", stamp)) return true;
  fs.mkdirSync(at("build"), { recursive: true });
  dropAddon();
  if (!hasCompiler()) {
    say("no C++ compiler and make: no addon, the JS engine serves");
    return false;
  }
  say("building the addon (once; about a minute)");
  const args = ["configure", "build", "--jobs=max", "--netrt_probe=1"];
  const result = spawnSync(bin("node-gyp"), args, {
    cwd: ROOT,
    env: headerEnvironment(),
    encoding: "utf8",
    maxBuffer: 1 << 28,
    shell: process.platform === "win32",
  });
  const log = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error ?? ""}`;
  fs.writeFileSync(at(LOG_FILE), log);
  if (result.status !== 0) {
    dropAddon();
    const first = /^.*\b(?:error:|gyp ERR! stack).*$/m.exec(log)?.[0] ?? "see the log";
    say(`the addon was not built, the JS engine serves: ${first.trim()} (${LOG_FILE})`);
    return false;
  }
  fs.writeFileSync(at("build/.stamp"), stamp);
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const ts = values.only === "native" || buildTs();
  const native = values.only === "ts" || buildNative();
  if (!ts || (!native && values.only === "native")) process.exitCode = 1;
}
