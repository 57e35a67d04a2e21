// How the code reads, as far as a machine can tell. STYLE in short: docs/ARCHITECTURE.md.
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { bareCpp, exists, filesBelow, lineOf, parseTs, read, visit } from "./tree.js";

/** Lines of a file at most; past 400 look for the second idea in it. */
const FILE_LINES_MAX = 500;
/** The same for a suite: its cases stand on their own, one after the other. */
const SUITE_LINES_MAX = 700;
/** Lines of a function at most; past 60 look for the second idea in it. */
const FUNCTION_LINES_MAX = 100;

const cpp = filesBelow(["native", "test/native", "test/fuzz"], [".h", ".cc"]);
const core = cpp.filter((file) => file.startsWith("native/core/"));
const lib = filesBelow(["lib"], [".ts"]);
const engine = lib.filter((file) => file.startsWith("lib/engine/"));
const typescript = [...lib, ...filesBelow(["test", "bench", "examples"], [".ts"])];
const scripts = filesBelow([".ci", "native"], [".mjs", ".cjs"]);
const all = [...cpp, ...typescript, ...scripts];

/** `file:line: what` for each match of a pattern in the files. */
function matches(files: string[], pattern: RegExp, textOf: (file: string) => string): string[] {
  return files.flatMap((file) => {
    const text = textOf(file);
    return [...text.matchAll(pattern)].map(
      (match) => `${file}:${lineOf(text, match.index)}: ${match[0].trim()}`,
    );
  });
}

const bare = (file: string) => bareCpp(read(file));

/** TypeScript without comments; what stands in quotes is kept. */
function bareTs(file: string): string {
  const source = parseTs(file);
  let text = source.text;
  const blank = (range: ts.CommentRange) => {
    const comment = text.slice(range.pos, range.end).replace(/[^\n]/g, " ");
    text = text.slice(0, range.pos) + comment + text.slice(range.end);
  };
  visit(source, (node) => {
    ts.getLeadingCommentRanges(source.text, node.getFullStart())?.forEach(blank);
    ts.getTrailingCommentRanges(source.text, node.getEnd())?.forEach(blank);
  });
  return text;
}

describe("every file", () => {
  it(`has at most ${FILE_LINES_MAX} lines, a suite ${SUITE_LINES_MAX}`, () => {
    const long = all.map((file) => [file, read(file).trimEnd().split("\n").length] as const);
    const most = (file: string) => (file.endsWith(".test.ts") ? SUITE_LINES_MAX : FILE_LINES_MAX);
    expect(long.filter(([file, lines]) => lines > most(file))).toEqual([]);
  });

  it("opens with a comment that says what it is for", () => {
    // A body may leave it to its header, which says it for both.
    const speaks = (file: string) => /^(#!.*\n)?(\/\/|\/\*)/.test(read(file));
    const headed = (file: string) => file.endsWith(".cc") && exists(file.replace(/cc$/, "h"));
    expect(all.filter((file) => !headed(file) && !speaks(file))).toEqual([]);
  });

  it("has no note of work left over", () => {
    // The words are put together here, so that this file does not match itself.
    const words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|");
    expect(matches(all, new RegExp(`\\b(${words})\\b`, "g"), read)).toEqual([]);
  });
});

describe("functions", () => {
  it(`of lib have at most ${FUNCTION_LINES_MAX} lines`, () => {
    const long: string[] = [];
    for (const file of lib) {
      const source = parseTs(file);
      visit(source, (node) => {
        if (!ts.isFunctionLike(node) || !("body" in node) || !node.body) return;
        const line = (position: number) => source.getLineAndCharacterOfPosition(position).line;
        const first = line(node.getStart());
        const lines = line(node.getEnd()) - first + 1;
        if (lines > FUNCTION_LINES_MAX) long.push(`${file}:${first + 1}: ${lines} lines`);
      });
    }
    expect(long).toEqual([]);
  });

  it(`of native have at most ${FUNCTION_LINES_MAX} lines`, () => {
    const long: string[] = [];
    for (const file of cpp) {
      let first = -1;
      bare(file)
        .split("\n")
        .forEach((line, index) => {
          // The format puts a namespace's content, and so every function, at the first column.
          if (
            /^[A-Za-z].*\{$/.test(line) &&
            !/^(namespace|extern|struct|class|enum)\b/.test(line)
          ) {
            first = index;
          } else if (line.startsWith("}") && first >= 0) {
            const lines = index - first + 1;
            if (lines > FUNCTION_LINES_MAX) long.push(`${file}:${first + 1}: ${lines} lines`);
            first = -1;
          }
        });
    }
    expect(long).toEqual([]);
  });
});

describe("lib", () => {
  it("has no `any` and no comment that silences the compiler", () => {
    const found: string[] = [];
    for (const file of lib) {
      const source = parseTs(file);
      visit(source, (node) => {
        if (node.kind !== ts.SyntaxKind.AnyKeyword) return;
        found.push(`${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
      });
    }
    expect(found).toEqual([]);
    expect(matches(lib, /@ts-(ignore|expect-error|nocheck)|biome-ignore/g, read)).toEqual([]);
  });
});

describe("native", () => {
  it("uses Node-API alone: no libuv, no V8", () => {
    expect(matches(cpp, /\buv_\w+|\bv8::\w+|\bnode::\w+/g, bare)).toEqual([]);
    expect(matches(cpp, /#\s*include\s*[<"](uv|v8|node)(-[\w-]+)?\.h[>"]/g, read)).toEqual([]);
  });

  it("has no exceptions and no run-time type information in it", () => {
    expect(matches(cpp, /\b(throw|catch|dynamic_cast|typeid)\b/g, bare)).toEqual([]);
  });
});

describe("the core knows no machine", () => {
  it("in C++: no socket, clock, thread, environment or floating point", () => {
    const headers =
      /#\s*include\s*[<"](sys\/|netinet\/|arpa\/|unistd|poll|time\.h|ctime|chrono|thread|random|iostream|fstream|napi|node_api|io\/|addon\/)[^>"]*[>"]/g;
    expect(matches(core, headers, read)).toEqual([]);
    expect(matches(core, /\b(float|double)\b/g, bare)).toEqual([]);
  });

  it("in TypeScript: no module but its own, no clock, no chance, no BigInt", () => {
    const imports = matches(engine, /\bfrom "(?!\.\/)[^"]*"/g, bareTs);
    // The one seam: ciphers are Node's.
    const allowed = /^lib\/engine\/seal\.ts:\d+: from "node:crypto"$/;
    expect(imports.filter((line) => !allowed.test(line))).toEqual([]);
    const banned =
      /\b(Date\.now|new Date|performance\.|process\.|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask|BigInt|Buffer\.)|\b\d+n\b/g;
    expect(matches(engine, banned, bareTs)).toEqual([]);
  });
});
