// Builds this platform's binary as users get it: prebuilds/<platform>-<arch>/netrt.<libc>.node. Its script is `prebuilds`:
// npm runs one named `prebuild` before each `build`.
// It builds in a copy that holds only what the package ships, so that a source missing from the package shows here,
// and the checkout's own build (which has the probe) stays as it is.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { headerEnvironment } from "./build.mjs";
import { ROOT } from "./sources.mjs";

const SHIPPED = ["package.json", "binding.gyp", "native"];

const copy = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-prebuild-"));
try {
  for (const name of SHIPPED) {
    fs.cpSync(path.join(ROOT, name), path.join(copy, name), {
      recursive: true,
      filter: (source) => !path.basename(source).startsWith("probe"),
    });
  }
  fs.symlinkSync(path.join(ROOT, "node_modules"), path.join(copy, "node_modules"), "junction");
  const prebuildify = path.join(ROOT, "node_modules", "prebuildify", "bin.js");
  const target = process.versions.node;
  const result = spawnSync(
    process.execPath,
    [prebuildify, "--napi", "--strip", "--tag-libc", "--target", target, "--out", ROOT],
    { cwd: copy, env: headerEnvironment(), stdio: ["ignore", 2, 2] },
  );
  process.exitCode = result.status ?? 1;
} finally {
  fs.rmSync(copy, { recursive: true, force: true });
}
