/*
 * The README's examples are programs: they are cut out of it, checked by the compiler as a user's
 * would be, and run against each other. Those of docs/STRATEGIES.md are checked and run, too.
 */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { translate } from "./addon/compile.js";
import { freePort, within } from "./api/harness.js";
import { type EngineName, engines } from "./engines.js";

const ROOT = path.resolve(import.meta.dirname, "..");
const README = fs.readFileSync(path.join(ROOT, "README.md"), "utf8");

const STRATEGIES = fs.readFileSync(path.join(ROOT, "docs/STRATEGIES.md"), "utf8");

/** The blocks of TypeScript of a document, in their order. */
const blocksOf = (text: string): string[] =>
  [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]);
const blocks = blocksOf(README);

function block(sign: RegExp): string {
  const found = blocks.filter((text) => sign.test(text));
  expect(found, `blocks with ${sign}`).toHaveLength(1);
  return found[0];
}

const programs = {
  "arena.ts": block(/^\/\/ arena\.ts/),
  "server.ts": block(/^\/\/ server\.ts/),
  "client.ts": block(/^\/\/ client\.ts/),
  "token.ts": block(/from "netrt\/token"/),
};

/** The token's block with its comments for server and client as the programs that they are. */
const production = `import { once } from "node:events";
import { connect, createServer } from "netrt";
import { arena } from "./arena.js";
${programs["token.ts"]
  .replace(
    /^\/\/ server: (.*)$/m,
    "const server = await $1;\nconst connected = once(server, 'connect');",
  )
  .replace(/^\/\/ client: (.*)$/m, "const client = await $1;")}
const [peer] = await connected;
console.log(peer.id, client.address);
await client.close();
await server.close();
`;

const strategies = Object.fromEntries(
  blocksOf(STRATEGIES).map((text, index) => [`strategies-${index}.ts`, text]),
);
const sources = { ...programs, ...strategies, "production.ts": production };
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-readme-"));
const modules = path.join(folder, "node_modules");
afterAll(() => fs.rmSync(folder, { recursive: true }));

// A user's project: the examples, and netrt as an installed package.
beforeAll(() => {
  fs.mkdirSync(path.join(modules, "netrt"), { recursive: true });
  translate("lib", path.join(modules, "netrt/dist"));
  fs.copyFileSync(path.join(ROOT, "package.json"), path.join(modules, "netrt/package.json"));
  fs.symlinkSync(path.join(ROOT, "build"), path.join(modules, "netrt/build"), "junction");
  fs.writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }');
  for (const [name, text] of Object.entries(sources)) {
    fs.writeFileSync(path.join(folder, name), text);
  }
});

/** Translates the examples with this port in the place of theirs; the folder that they are in. */
function withPort(port: number): string {
  const home = fs.mkdtempSync(path.join(folder, "run-"));
  for (const [name, text] of Object.entries(sources)) {
    const there = text
      .replaceAll("203.0.113.7:40000", `127.0.0.1:${port}`)
      .replaceAll(":40000", `:${port}`);
    const { outputText } = ts.transpileModule(there, {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
    });
    fs.writeFileSync(path.join(home, name.replace(/ts$/, "js")), outputText);
  }
  return home;
}

interface Running {
  readonly child: ChildProcess;
  /** Resolves once the output matches. */
  says(pattern: RegExp): Promise<string>;
}

function run(home: string, name: string, engine: EngineName): Running {
  const child = spawn(process.execPath, [path.join(home, name)], {
    env: { ...process.env, NETRT_ENGINE: engine },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const says = (pattern: RegExp): Promise<string> =>
    within(
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (pattern.test(output)) resolve(output);
        };
        child.stdout.on("data", look);
        child.on("close", () => reject(new Error(`${name} ended before ${pattern}:\n${output}`)));
        look();
      }),
      `${name} prints ${pattern}`,
    );
  return { child, says };
}

test("they compile as a user's would", () => {
  const names = Object.keys(sources).map((name) => path.join(folder, name));
  const lib = (name: string) => [path.join(ROOT, "lib", `${name}.ts`)];
  const program = ts.createProgram(names, {
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node"],
    typeRoots: [path.join(ROOT, "node_modules/@types")],
    paths: { netrt: lib("index"), "netrt/token": lib("token") },
  });
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const where = file === undefined ? "" : path.basename(file.fileName);
    return `${where}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
  expect(problems).toEqual([]);
});

describe.each(engines)("on %s", (engine) => {
  test("the client and the server, each in a process of its own", async () => {
    const home = withPort(await freePort());
    const server = run(home, "server.js", engine);
    // The client may well be the first of the two: it asks until somebody answers.
    const client = run(home, "client.js", engine);
    expect(await client.says(/Uint8Array\(1\) \[ \d+ \]/)).toMatch(/^welcome$/m);
    await server.says(/^\d+n Uint8Array\(3\) \[ 1, 2, 3 \]$/m);
  });

  test("the token, and the server and client of its comments", async () => {
    const port = await freePort();
    const { child, says } = run(withPort(port), "production.js", engine);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    await says(new RegExp(`^42n 127\\.0\\.0\\.1:${port}$`, "m"));
    expect(await within(ended, "the end of the program")).toBe(0);
  });
});

test("the programs of docs/STRATEGIES.md run to their end", async () => {
  const home = withPort(0);
  expect(Object.keys(strategies).length).toBeGreaterThan(1);
  for (const name of Object.keys(strategies)) {
    const { child } = run(home, name.replace(/ts$/, "js"), "js");
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    expect(await within(ended, `the end of ${name}`)).toBe(0);
  }
});

test("every block of TypeScript is one of these", () => {
  expect([...blocks].sort()).toEqual(Object.values(programs).sort());
});
