// Finds a static libsodium for binding.gyp: `node native/sodium.cjs archive|include` prints the path of
// libsodium.a or its header folder, or an empty line where there is none. The environment variable
// NETRT_SODIUM_ARCHIVE overrides: `none`, or the path of an archive (header folder: its ../include).
// It never downloads and never fails: without libsodium the addon uses the ciphers of Node's OpenSSL.
"use strict";
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const ARCHIVE = "libsodium.a";
const HEADER = "sodium.h";

function run(command, args, input = "") {
  const result = spawnSync(command, args, { input, encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : "";
}

function pair(archive, include) {
  const found = fs.existsSync(archive) && fs.existsSync(path.join(include, HEADER));
  return found ? { archive, include } : undefined;
}

function fromPkgConfig() {
  const libdir = run("pkg-config", ["--variable=libdir", "libsodium"]);
  const include = run("pkg-config", ["--variable=includedir", "libsodium"]);
  return libdir && include ? pair(path.join(libdir, ARCHIVE), include) : undefined;
}

function fromCompiler() {
  const cc = process.env.CC || "cc";
  const archive = run(cc, [`-print-file-name=${ARCHIVE}`]);
  // A compiler that does not find the file prints its bare name.
  return path.isAbsolute(archive) ? pair(archive, "/usr/include") : undefined;
}

function find() {
  const given = process.env.NETRT_SODIUM_ARCHIVE;
  if (given === "none" || process.platform === "win32") return undefined;
  if (given) return pair(given, path.join(path.dirname(given), "..", "include"));
  return fromPkgConfig() ?? fromCompiler();
}

console.log(find()?.[process.argv[2]] ?? "");
