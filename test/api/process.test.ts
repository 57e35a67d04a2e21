/*
 * What an API keeps alive, lets go and survives: programs in processes of their own. What they do is
 * in child.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { compilePackage } from "../addon/compile.js";
import { type EngineName, engines } from "../engines.js";
import { within } from "./harness.js";

const folder = compilePackage("test/api");
/** The same package as it is where no addon was built. */
const bare = compilePackage("test/api");
fs.unlinkSync(path.join(bare, "build"));
afterAll(() => {
  for (const made of [folder, bare]) fs.rmSync(made, { recursive: true });
});

interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly lines: unknown[];
  readonly stderr: string;
}

interface Running {
  readonly child: ChildProcess;
  /** The first line that it prints. */
  readonly first: Promise<unknown>;
  readonly exit: Promise<Exit>;
}

function run(
  home: string,
  stage: string[],
  engine: EngineName | undefined,
  environment: Record<string, string> = {},
): Running {
  const { NETRT_ENGINE: _, ...inherited } = process.env;
  const chosen = engine === undefined ? {} : { NETRT_ENGINE: engine };
  const child = spawn(process.execPath, [path.join(home, "test/api/child.js"), ...stage], {
    env: { ...inherited, ...chosen, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: unknown[] = [];
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const output = createInterface({ input: child.stdout });
  const first = new Promise<unknown>((resolve) => {
    output.on("line", (line) => {
      lines.push(JSON.parse(line));
      resolve(lines[0]);
    });
  });
  const exit = new Promise<Exit>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, lines, stderr }));
  });
  return {
    child,
    first: within(first, `a line of ${stage}`),
    exit: within(exit, `the end of ${stage}`),
  };
}

describe.each(engines)("on %s", (engine) => {
  test("a server without peers keeps its process alive, and close lets it end", async () => {
    const server = run(folder, ["server"], engine);
    const address = (await server.first) as string;
    // It is there for whoever comes, twice, with nobody in between.
    for (let round = 0; round < 2; round++) {
      const client = run(folder, ["client", address], engine);
      expect(await client.exit).toEqual({ code: 0, signal: null, lines: [1], stderr: "" });
    }
    server.child.kill("SIGTERM");
    expect(await server.exit).toEqual({
      code: 0,
      signal: null,
      lines: [address, "closed", "nothing left to wait for"],
      stderr: "",
    });
  });

  test.each([20, 128])(
    "handlers that throw lose nothing of what comes after, at %d Hz",
    async (rate) => {
      const { code, lines, stderr } = await run(folder, ["throwing", String(rate)], engine).exit;
      expect(stderr).toBe("");
      const [{ thrown, received, echoes }] = lines as [
        { thrown: string[]; received: number[]; echoes: number },
      ];
      expect([...thrown].sort()).toEqual(
        ["client disconnect", "connect", "disconnect", "echo", "message", "tick"].sort(),
      );
      expect(received).toEqual(Array.from({ length: 20 }, (_, index) => index));
      expect(echoes).toBe(2);
      expect(code).toBe(0);
    },
  );
});

describe("without the addon", () => {
  test("the JavaScript engine runs, and one warning says so", async () => {
    const { code, lines, stderr } = await run(bare, ["engines"], undefined).exit;
    expect(code).toBe(0);
    expect(lines).toEqual([
      {
        default: "js",
        server: "js",
        client: "js",
        native: expect.stringMatching(/^ERR_NETRT_ENGINE_UNAVAILABLE: .*no addon for /),
        nativeClient: expect.stringMatching(/^ERR_NETRT_ENGINE_UNAVAILABLE: .*no addon for /),
      },
    ]);
    const warnings = stderr
      .split("\n")
      .filter((line) => line.includes("netrt") || /Netrt/.test(line));
    expect(warnings).toEqual([
      expect.stringMatching(
        /^\(node:\d+\) NetrtWarning: the JavaScript engine runs: no addon for /,
      ),
    ]);
  });

  test("asked for by NETRT_ENGINE, native is refused and js needs no warning", async () => {
    const native = await run(bare, ["default"], "native").exit;
    expect(native.lines).toEqual([
      expect.stringMatching(/^ERR_NETRT_ENGINE_UNAVAILABLE: .*no addon/),
    ]);
    const js = await run(bare, ["default"], "js").exit;
    expect(js).toEqual({ code: 0, signal: null, lines: ["js", "nothing thrown"], stderr: "" });
    const auto = await run(bare, ["default"], undefined, { NETRT_ENGINE: "auto" }).exit;
    expect(auto.lines).toEqual(["js", "nothing thrown"]);
  });
});
