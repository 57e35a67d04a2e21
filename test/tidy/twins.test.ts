// The twins: native/core and lib/engine are one program in two languages. Same file names, same exported names,
// same constants. What one has and the other lacks stands below, with the reason.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { cppConstants, cppNames, tsNames } from "./names.js";
import { filesBelow, ROOT } from "./tree.js";

type Exceptions = Record<string, Record<string, string>>;

/** Files that only one language has. */
const FILES_OF_ONE: Record<string, string> = {
  fetch: "asks the memory ahead, which JavaScript can't",
  provider: "the table of ciphers behind C++'s seal; TypeScript's seal has node:crypto alone",
  evp: "a provider: the OpenSSL of the Node that runs",
  sodium: "a provider: the libsodium that was linked in",
  seam: "where tests put ciphers of their own; in TypeScript they replace node:crypto's",
};

/** Names that only C++ has, by file. */
const CPP_ONLY: Exceptions = {
  bytes: {
    readU64: "a 64-bit integer is two halves in TypeScript, read one after the other",
    writeU64: "a 64-bit integer is two halves in TypeScript, written one after the other",
  },
  channel: {
    channelIdle:
      "C++ alone leaves out channels that are quiet; TypeScript looks at all, and lockstep compares",
  },
  connection: {
    connectionBusy: "as channelIdle",
    connectionNextBusy: "as channelIdle",
    connectionQuiet: "as channelIdle",
  },
  limits: {
    assertFailed: "the caller's mistakes end a C++ process; TypeScript's public code throws",
  },
  ring: { ringBehind: "what fetch asks the memory for" },
  slots: {
    slotsOpen: "takes the memory of all slots; TypeScript's Host makes its own",
    slotsClose: "as slotsOpen",
  },
  seal: {
    sealWipe: "a TypeScript engine can't wipe: node:crypto keeps copies of keys of its own",
    SealScratch: "the room of a provider's work, made once; node:crypto brings its own",
    sealScratchOpen: "as SealScratch",
    sealScratchClose: "as SealScratch",
  },
};

/** Names that only TypeScript has, by file. */
const TS_ONLY: Exceptions = {
  seal: {
    SealAvailability: "as sealAvailable",
    sealAvailable:
      "tells people why node:crypto of this runtime does not do; C++ falls back to this",
  },
};

const words = (folder: string, end: string) =>
  filesBelow([folder], [end])
    .filter((file) => path.dirname(file) === folder)
    .map((file) => path.basename(file, end));

const cppWords = words("native/core", ".h");
const tsWords = words("lib/engine", ".ts");
const pairs = cppWords.filter((word) => tsWords.includes(word));
const tsTypes = new Set(tsWords.flatMap((word) => tsNames(`lib/engine/${word}.ts`)));
const without = (names: string[], listed: Record<string, string> | undefined) =>
  names.filter((name) => !(listed && Object.hasOwn(listed, name)));

/** C++'s `tableOpen` and `tableClose` take and give back the memory of what TypeScript has `class Table` for. */
function isMemory(name: string): boolean {
  const word = /^([a-z]\w*?)(Open|Close)$/.exec(name)?.[1];
  return word !== undefined && tsTypes.has(word[0].toUpperCase() + word.slice(1));
}

describe("the twins", () => {
  it("have the same files", () => {
    const only = (names: string[]) => names.filter((name) => !Object.hasOwn(FILES_OF_ONE, name));
    expect(only(tsWords)).toEqual(only(cppWords));
  });

  it("have one body for each header", () => {
    const bodies = words("native/core", ".cc").filter((word) => !cppWords.includes(word));
    expect(bodies.filter((word) => !Object.hasOwn(FILES_OF_ONE, word))).toEqual([]);
  });

  it.each(pairs)("%s: the same exported names", (word) => {
    const cpp = cppNames(`native/core/${word}.h`);
    const typescript = tsNames(`lib/engine/${word}.ts`);
    expect({
      onlyInCpp: without(cpp, CPP_ONLY[word]).filter(
        (name) => !typescript.includes(name) && !isMemory(name),
      ),
      onlyInTypeScript: without(typescript, TS_ONLY[word]).filter((name) => !cpp.includes(name)),
    }).toEqual({ onlyInCpp: [], onlyInTypeScript: [] });
  });

  it("have no exception that has gone stale", () => {
    const stale: string[] = [];
    const cppFiles = [...cppWords, ...words("native/core", ".cc")];
    for (const word of Object.keys(FILES_OF_ONE)) {
      if (cppFiles.includes(word) === tsWords.includes(word)) stale.push(word);
    }
    for (const [listed, mine, other] of [
      [CPP_ONLY, cppNames, tsNames],
      [TS_ONLY, tsNames, cppNames],
    ] as const) {
      for (const [word, names] of Object.entries(listed)) {
        const files = [`native/core/${word}.h`, `lib/engine/${word}.ts`];
        const [own, twin] = mine === cppNames ? files : files.reverse();
        for (const name of Object.keys(names)) {
          if (!mine(own!).includes(name) || other(twin!).includes(name)) {
            stale.push(`${word}: ${name}`);
          }
        }
      }
    }
    expect(stale).toEqual([]);
  });
});

// The values of C++'s constants come from a C++ compiler: nothing else knows them for sure.
const compiler = process.env.CXX || "c++";
const hasCompiler = spawnSync(compiler, ["--version"]).status === 0;

function cppValues(constants: Map<string, string[]>): Map<string, string> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-constants-"));
  try {
    const lines = [...constants].flatMap(([word, names]) =>
      names.map((name) => `  show("${word} ${name}", netrt::${name});`),
    );
    const source = [
      "#include <cstdio>",
      "#include <type_traits>",
      ...[...constants.keys()].map((word) => `#include "core/${word}.h"`),
      // Tables of tables are printed flat.
      "template <typename T> void show(const char* name, const T& value) {",
      "  using Scalar = typename std::remove_all_extents<T>::type;",
      "  const Scalar* scalars = reinterpret_cast<const Scalar*>(&value);",
      '  std::printf("%s", name);',
      "  for (size_t index = 0; index < sizeof(value) / sizeof(Scalar); index++) {",
      "    const long long scalar = static_cast<long long>(scalars[index]);",
      '    std::printf("%s%lld", index == 0 ? " " : ",", scalar);',
      "  }",
      '  std::printf("\\n");',
      "}",
      "int main() {",
      ...lines,
      "}",
    ].join("\n");
    const file = path.join(folder, "constants.cc");
    const program = path.join(folder, "constants");
    fs.writeFileSync(file, source);
    const args = ["-std=c++17", "-O0", "-w", "-I", path.join(ROOT, "native"), file, "-o", program];
    const built = spawnSync(compiler, args, { encoding: "utf8" });
    if (built.status !== 0) throw new Error(built.stderr);
    const printed = spawnSync(program, [], { encoding: "utf8" }).stdout.trim().split("\n");
    return new Map(printed.map((line) => line.split(/ (?=\S+$)/) as [string, string]));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function flat(value: unknown): unknown[] {
  if (typeof value === "boolean") return [Number(value)];
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) return [value];
  return Array.from(value as unknown[]).flatMap(flat);
}

describe("constants", () => {
  it.skipIf(!hasCompiler)("have the same values in both languages", async () => {
    const twins = new Map<string, string[]>();
    for (const word of pairs) {
      const exported = tsNames(`lib/engine/${word}.ts`);
      const names = cppConstants(`native/core/${word}.h`).filter((name) => exported.includes(name));
      if (names.length > 0) twins.set(word, names);
    }
    const cpp = cppValues(twins);
    const typescript = new Map<string, string>();
    for (const [word, names] of twins) {
      const module = (await import(
        pathToFileURL(path.join(ROOT, `lib/engine/${word}.ts`)).href
      )) as Record<string, unknown>;
      for (const name of names) {
        typescript.set(`${word} ${name}`, flat(module[name]).join());
      }
    }
    expect(twins.get("limits")?.length ?? 0).toBeGreaterThan(0);
    for (const [name, value] of cpp) {
      // A C++ array that was set from a string has the string's own NUL at its end.
      if (value === `${typescript.get(name)},0`) cpp.set(name, typescript.get(name)!);
    }
    expect(Object.fromEntries(typescript)).toEqual(Object.fromEntries(cpp));
  });
});
