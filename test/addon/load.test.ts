// The addon as a file: how it is found, what it needs of the runtime, and that both sides of the seam
// count alike.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import * as native from "../../lib/native.js";
import * as turn from "../../lib/turn.js";

const ROOT = path.resolve(import.meta.dirname, "../..");
const BUILT = path.join(ROOT, "build/Release/netrt.node");
const PLATFORM = `${process.platform}-${process.arch}`;
const folders: string[] = [];

function folderWith(files: Record<string, string>): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-load-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), content);
  }
  return folder;
}

afterAll(() => {
  for (const folder of folders) fs.rmSync(folder, { recursive: true });
});

describe("finding the addon", () => {
  it("finds the checkout's build", () => {
    expect(native.addonFiles(ROOT)[0]).toBe(BUILT);
    expect(native.loadNative()).toHaveProperty("binding");
    expect(native.loadNative()).toBe(native.loadNative());
  });

  it("prefers a build to a prebuilt binary, and the one with more tags that fit", () => {
    const prebuilt = `prebuilds/${PLATFORM}`;
    const musl = spawnSync("ldd", ["--version"], { encoding: "utf8" }).stderr.includes("musl");
    const [mine, other] = musl ? ["musl", "glibc"] : ["glibc", "musl"];
    const folder = folderWith({
      [`${prebuilt}/netrt.node`]: "",
      [`${prebuilt}/netrt.${mine}.node`]: "",
      [`${prebuilt}/netrt.${other}.node`]: "",
      [`${prebuilt}/netrt.napi.${mine}.node`]: "",
      [`${prebuilt}/netrt.abi115.node`]: "",
      [`${prebuilt}/another.node`]: "",
      [`${prebuilt}/netrt.md`]: "",
      "prebuilds/another-arch/netrt.node": "",
      "build/Debug/netrt.node": "",
    });
    expect(native.addonFiles(folder).map((file) => path.relative(folder, file))).toEqual([
      "build/Debug/netrt.node",
      `${prebuilt}/netrt.napi.${mine}.node`,
      `${prebuilt}/netrt.${mine}.node`,
      `${prebuilt}/netrt.node`,
    ]);
  });

  it("says why there is none, and does not throw", () => {
    expect(native.loadAddon(folderWith({}))).toEqual({
      reason: `no addon for ${PLATFORM} in build/ or prebuilds/`,
    });
    const broken = native.loadAddon(folderWith({ "build/Release/netrt.node": "not a library" }));
    expect(broken).toHaveProperty("reason", expect.stringContaining("does not load"));
    const empty = native.loadAddon(folderWith({ "build/Release/netrt.node": "" }));
    expect(empty).toHaveProperty("reason", expect.stringContaining("it is empty"));
  });

  it("takes the next file when one does not load", () => {
    const folder = folderWith({ "build/Release/netrt.node": "not a library" });
    fs.mkdirSync(path.join(folder, "build/Debug"));
    fs.copyFileSync(BUILT, path.join(folder, "build/Debug/netrt.node"));
    expect(native.loadAddon(folder)).toHaveProperty("binding");
  });

  it("falls back where the runtime has no ciphers", () => {
    const program = `
      const { seal } = require(${JSON.stringify(BUILT)});
      console.log(seal());`;
    const env = { ...process.env, NETRT_SEAL: "another" };
    const run = spawnSync(process.execPath, ["-e", program], { env, encoding: "utf8" });
    expect(run.stdout.trim()).toBe("null");
  });
});

describe("the seam", () => {
  const header = fs.readFileSync(path.join(ROOT, "native/io/turn.h"), "utf8");
  const constants = [...header.matchAll(/constexpr uint32_t (\w+) = (\d+);/g)];
  const typescript: Record<string, unknown> = { ...turn, ...native };

  it("has the same numbers on both sides", () => {
    const cpp = Object.fromEntries(constants.map(([, name, value]) => [name, Number(value)]));
    const names = Object.keys(typescript).filter((name) => /^(TURN|TURNED|PUBLISHED)_/.test(name));
    expect(names.length).toBeGreaterThan(10);
    expect(Object.fromEntries(names.map((name) => [name, typescript[name]]))).toEqual(cpp);
  });
});

describe.skipIf(process.platform !== "linux")("the binary", () => {
  const symbols = spawnSync("nm", ["-D", BUILT], { encoding: "utf8" })
    .stdout.trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).slice(-2) as [kind: string, name: string]);

  // A sanitizer's build needs that sanitizer, under names without a version.
  const sanitized = symbols.some(([, name]) => /^__(a|t|ub)san_/.test(name));

  it.skipIf(sanitized)("needs Node-API and the C and C++ libraries, nothing else", () => {
    const needed = symbols.filter(([kind]) => kind === "U").map(([, name]) => name);
    const foreign = needed.filter(
      (name) => !/^napi_\w+$/.test(name) && !/@(GLIBC|GLIBCXX|CXXABI|GCC)_/.test(name),
    );
    expect(needed.some((name) => name.startsWith("napi_"))).toBe(true);
    expect(foreign).toEqual([]);
  });

  it("shows its two entries, and none of its own or libsodium's functions", () => {
    const shown = symbols.filter(([kind]) => "TDBRVW".includes(kind)).map(([, name]) => name);
    expect(shown.sort()).toEqual(["napi_register_module_v1", "node_api_module_get_api_version_v1"]);
  });
});
