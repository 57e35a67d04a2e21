// A process may end at any moment, with engines in any state: its exit code is its own, nothing
// hangs, nothing crashes.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compilePackage } from "./compile.js";

const EXIT_CODE = 7;
const HANG_MS = 20_000;
const ROUNDS = 5;

const folder = compilePackage();
afterAll(() => fs.rmSync(folder, { recursive: true }));

interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a stage; `onOutput` sees its first line. */
function runWith(io: string, stage: string, onOutput?: (kill: () => void) => void): Promise<Exit> {
  const child = spawn(process.execPath, [path.join(folder, "test/addon/child.js"), stage], {
    env: { ...process.env, NETRT_TEST_IO: io },
    timeout: HANG_MS,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
    onOutput?.(() => child.kill("SIGTERM"));
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

describe.each(["inline", "thread"])("process.exit, io %s", (io) => {
  it.each([
    "created",
    "bound",
    "armed",
    "connected",
    "bursting",
    "inside-wake",
    "beside-traffic",
    "workers",
  ])(`ends the process at once, ${ROUNDS} times: %s`, async (stage) => {
    const exits = await Promise.all(Array.from({ length: ROUNDS }, () => runWith(io, stage)));
    for (const exit of exits) {
      expect(exit).toEqual({ code: EXIT_CODE, signal: null, stdout: "", stderr: "" });
    }
  });
});

describe.each(["inline", "thread"])("the process, io %s", (io) => {
  const run = (stage: string, onOutput?: (kill: () => void) => void) =>
    runWith(io, stage, onOutput);

  it("ends by itself once everything is closed", async () => {
    for (const stage of ["closed", "closed-in-wake"]) {
      expect(await run(stage)).toEqual({ code: EXIT_CODE, signal: null, stdout: "", stderr: "" });
    }
  });

  it("stays while a server is open", async () => {
    const exit = await run("listening", (kill) => setTimeout(kill, 500));
    expect(exit).toEqual({ code: null, signal: "SIGTERM", stdout: "listening\n", stderr: "" });
  });

  it("ends with the error that onWake throws", async () => {
    const exit = await run("throwing-wake");
    expect(exit).toMatchObject({ code: 1, signal: null });
    expect(exit.stderr).toContain("Error: thrown by onWake");
    expect(exit.stderr).not.toContain("DEP0168");
  });

  it("ends with a rejection that nobody listens to", async () => {
    const exit = await run("rejected");
    expect(exit).toMatchObject({ code: 1, signal: null });
    expect(exit.stderr).toContain("nobody listens");
  });

  it("ends by a signal", async () => {
    expect(await run("signalled")).toMatchObject({ code: null, signal: "SIGTERM", stderr: "" });
  });
});
