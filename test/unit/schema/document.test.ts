/*
 * Owns docs/MESSAGES.md and the rules S-n of docs/PROTOCOL.md: sizes are what the table says, examples
 * compile as a user's would and print what stands behind them, and every rule is cited.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as types from "../../../lib/schema/index.js";
import { type Quaternion, quaternion, schema, type Type } from "../../../lib/schema/index.js";
import { translate } from "../../addon/compile.js";
import { filesBelow, read } from "../../tidy/tree.js";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const MESSAGES = read("docs/MESSAGES.md");
const TIMEOUT_MS = 30_000;

// ---- Sizes ----

/** A type of the table, as its text makes it. */
function typeOf(text: string): Type<unknown> {
  const names = Object.keys(types);
  const make = new Function(...names, `return ${text};`);
  return make(...Object.values(types)) as Type<unknown>;
}

/** The rows of the table with this head: what stands in code first, and the second cell. */
function rows(head: RegExp): [text: string, bits: string][] {
  const lines = MESSAGES.split("\n");
  const start = lines.findIndex((line) => head.test(line));
  const end = lines.findIndex((line, index) => index > start && !line.startsWith("|"));
  return lines.slice(start + 2, end).map((line) => {
    const [, first, second] = line.split("|");
    return [/`(.*)`/.exec(first)?.[1] ?? "", second.trim()];
  });
}

const sizes = rows(/^\| type \| bits \|/);

test("the table has every type", () => {
  const text = sizes.map(([type]) => type).join();
  const constructors = Object.keys(types).filter(
    (name) => !/^(schema|firstDifference)$/.test(name),
  );
  // Those are named beside `u8` and `bits(64)`.
  const others = ["u32", "u64", "i8", "i16", "i32"];
  expect(constructors.filter((name) => !text.includes(name)).sort()).toEqual(others.sort());
});

test.each(sizes)("%s takes %s bits", (text, bits) => {
  const { minBits, maxBits } = schema(typeOf(text));
  expect(minBits === maxBits ? `${minBits}` : `${minBits}–${maxBits}`).toBe(bits);
});

test.each([
  [9, 0.5, 0.17],
  [15, 0.01, 0.003],
])("a quaternion of %d bits a part errs by %f° at most, and %f° on average", (bits, most, mean) => {
  const one = schema(quaternion(bits));
  let greatest = 0;
  let sum = 0;
  let count = 0;
  for (let first = -4; first <= 4; first++) {
    for (let second = -4; second <= 4; second++) {
      for (let third = -4; third <= 4; third++) {
        // All over the sphere, with ties and near them.
        const value = { x: first, y: second + 0.1, z: third + 0.01, w: 3 };
        const error = degrees(value, one.decode(one.encode(value)) as Quaternion);
        greatest = Math.max(greatest, error);
        sum += error;
        count += 1;
      }
    }
  }
  expect(greatest).toBeLessThan(most);
  expect(sum / count).toBeLessThan(mean * 1.2);
});

/** The angle of the rotation from one quaternion to another. */
function degrees(left: Quaternion, right: Quaternion): number {
  const length = Math.hypot(left.x, left.y, left.z, left.w);
  const dot = left.x * right.x + left.y * right.y + left.z * right.z + left.w * right.w;
  const sign = dot < 0 ? -1 : 1;
  const chord = Math.hypot(
    ...(["x", "y", "z", "w"] as const).map((name) => left[name] / length - sign * right[name]),
  );
  return (4 * Math.asin(Math.min(1, chord / 2)) * 180) / Math.PI;
}

// ---- Examples ----

const blocks = [...MESSAGES.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-messages-"));
const nameOf = (index: number) => path.join(folder, `example-${index}`);

// A user's project: the examples, and netrt as an installed package.
beforeAll(() => {
  const installed = path.join(folder, "node_modules/netrt");
  fs.mkdirSync(installed, { recursive: true });
  translate("lib", path.join(installed, "dist"));
  fs.copyFileSync(path.join(ROOT, "package.json"), path.join(installed, "package.json"));
  fs.symlinkSync(path.join(ROOT, "build"), path.join(installed, "build"), "junction");
  fs.writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }');
  for (const [index, text] of blocks.entries()) {
    fs.writeFileSync(`${nameOf(index)}.ts`, text);
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
    });
    fs.writeFileSync(`${nameOf(index)}.js`, outputText);
  }
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

test("the examples compile as a user's would", () => {
  const program = ts.createProgram(
    blocks.map((_, index) => `${nameOf(index)}.ts`),
    {
      target: ts.ScriptTarget.ES2023,
      lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ["node"],
      typeRoots: [path.join(ROOT, "node_modules/@types")],
      paths: {
        netrt: [path.join(ROOT, "lib/index.ts")],
        "netrt/schema": [path.join(ROOT, "lib/schema/index.ts")],
      },
    },
  );
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const where = file === undefined ? "" : path.basename(file.fileName);
    return `${where}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
  expect(problems).toEqual([]);
});

describe.each(["native", "js"])("on %s", (engine) => {
  test.each(blocks.map((text, index) => [index, text] as const))(
    "example %d prints what it says",
    (index, text) => {
      // Behind the call, or below it.
      const said = [...text.matchAll(/console\.log\(.*\);\s*\/\/ (.*)$/gm)].map(([, line]) => line);
      expect(said.length).toBe(text.split("console.log(").length - 1);
      const output = execFileSync(process.execPath, [`${nameOf(index)}.js`], {
        encoding: "utf8",
        env: { ...process.env, NETRT_ENGINE: engine },
        timeout: TIMEOUT_MS,
      });
      expect(output.trimEnd().split("\n")).toEqual(said);
    },
  );
});

// ---- Rules ----

describe("the rules S-n of docs/PROTOCOL.md", () => {
  const numbers = (text: string): number[] => [
    ...new Set([...text.matchAll(/\bS-(\d+)\b/g)].map(([, number]) => Number(number))),
  ];
  const section = read("docs/PROTOCOL.md").split("## Messages with a schema")[1];
  const rules = [...section.matchAll(/^- \*\*S-(\d+)\*\*/gm)].map(([, number]) => Number(number));
  const cited = (place: string): number[] =>
    numbers(
      filesBelow([place], [".ts"])
        .filter((file) => !file.endsWith("document.test.ts"))
        .map(read)
        .join("\n"),
    );

  test("are numbered without a gap", () => {
    expect(rules.length).toBeGreaterThan(10);
    expect([...rules].sort((left, right) => left - right)).toEqual(
      rules.map((_, index) => index + 1),
    );
  });

  test.each(["lib", "test"])("are all cited in %s, and no other is", (place) => {
    const ascending = cited(place).sort((left, right) => left - right);
    expect(ascending).toEqual(rules.map((_, index) => index + 1));
  });
});
