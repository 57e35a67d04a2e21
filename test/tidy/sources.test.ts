// The C++ sources stand in binding.gyp, which builds what users get, and in CMakeLists.txt, which builds what the
// developers of the core use. Both lists name every source on disk, and nothing else.
import { describe, expect, it } from "vitest";
import { filesBelow, read } from "./tree.js";

const LISTS: Record<string, (file: string) => boolean> = {
  core_sources: (file) => file.startsWith("native/core/"),
  io_sources: (file) => file.startsWith("native/io/"),
  addon_sources: (file) => /^native\/addon\/(?!probe)/.test(file),
  probe_sources: (file) => file.startsWith("native/addon/probe"),
};

const onDisk = filesBelow(["native/core", "native/io", "native/addon"], [".cc", ".cpp", ".c"]);

function listed(text: string, open: string, close: string): string[] {
  const start = text.indexOf(open);
  if (start < 0) return [];
  const body = text.slice(start + open.length, text.indexOf(close, start));
  return body.split(/[\s",]+/).filter((word) => word !== "");
}

describe("source lists", () => {
  const gyp = read("binding.gyp");
  const cmake = read("CMakeLists.txt");

  it.each(Object.keys(LISTS))("%s: binding.gyp, CMakeLists.txt and the disk agree", (list) => {
    const expected = onDisk.filter(LISTS[list]!);
    expect(expected).not.toEqual([]);
    expect(listed(gyp, `"${list}": [`, "]").sort()).toEqual(expected);
    expect(listed(cmake, `set(${list.toUpperCase()}\n`, ")").sort()).toEqual(expected);
  });

  it("leave no source out", () => {
    const homeless = onDisk.filter((file) => !Object.values(LISTS).some((owns) => owns(file)));
    expect(homeless).toEqual([]);
  });

  it("are of a package that runs no script at its users' installation", () => {
    const { gypfile, scripts } = JSON.parse(read("package.json")) as {
      gypfile: boolean;
      scripts: Record<string, string>;
    };
    expect(gypfile).toBe(false);
    for (const name of ["preinstall", "install", "postinstall", "prepare", "prepublish"]) {
      expect(scripts[name]).toBeUndefined();
    }
  });

  it("have a lock file that names no place of download", () => {
    expect(read("package-lock.json")).not.toMatch(/"resolved"\s*:/);
  });
});
