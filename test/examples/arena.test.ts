/*
 * The arena as a user runs it: short runs of the built program, with every pairing of the engines,
 * and every way in which a run ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { Report } from "../../examples/arena/report.js";
import { engines, pairings } from "../engines.js";

const ROOT = path.resolve(import.meta.dirname, "../..");
/** `npm test` builds it. */
const PROGRAM = path.join(ROOT, "dist/examples/arena/arena.js");
const GONE_MS = 10_000;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the arena in a process group of its own, so that whoever outlives it can be found. */
function start(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended, printed: () => stdout + stderr };
}

function run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended> {
  return start(args, env).ended;
}

function groupLives(child: ChildProcess): boolean {
  try {
    process.kill(-(child.pid as number), 0);
    return true;
  } catch {
    return false;
  }
}

async function eventually(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + GONE_MS;
  while (!holds() && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(holds()).toBe(true);
}

/** What must hold of any run, however slow the machine is. */
function checkReport(report: Report, clients: number): void {
  expect(report.node).toBe(process.version);
  expect(report.peers).toBe(clients);
  expect(report.ticks).toBeGreaterThan(0);
  expect(report.ticks).toBeLessThanOrEqual(Math.ceil(report.tickRate * report.seconds) + 1);
  expect(report.tickSlipP99Us).toBeGreaterThan(0);
  expect(report.cpuUsPerClientTick).toBeGreaterThan(0);
  expect(report.datagramsPerSyscall.in).toBeGreaterThanOrEqual(1);
  expect(report.datagramsPerSyscall.out).toBeGreaterThanOrEqual(1);
  expect(Object.keys(report.channels)).toEqual(["input", "state", "shots", "score", "chat"]);
  for (const channel of Object.values(report.channels)) {
    expect(channel).toMatchObject({ duplicates: 0, outOfOrder: 0 });
    expect(channel.sent).toBeGreaterThan(0);
    expect(channel.delivered).toBe(channel.sent - channel.lost);
  }
  const { state, score, chat } = report.channels;
  expect(Object.values(report.channels).map(({ strategy }) => strategy)).toEqual([
    "RealTime",
    "RealTime",
    "TimeSensitive",
    "Critical",
    "Reliable",
  ]);
  expect([score.lost, chat.lost]).toEqual([0, 0]);
  expect(state.sent).toBe(report.ticks * clients);
}

test("the program is built", () => {
  expect(fs.existsSync(PROGRAM)).toBe(true);
});

describe.each(pairings)("a $server server and $client clients", ({ server, client }) => {
  test("every message is as its channel promises", async () => {
    const flags = ["--server-engine", server, "--client-engine", client, "--clients", "12"];
    const { code, stdout, stderr } = await run([...flags, "--seconds", "1.2", "--json"]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    // One object, on one line.
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
    const report = JSON.parse(stdout) as Report;
    expect(report.engine).toBe(server);
    expect(report.tickRate).toBe(128);
    checkReport(report, 12);
    expect(report.rttMsMedian).toBeGreaterThan(35);
    expect(report.lossPercent).toBeGreaterThan(1);
    expect(stderr).toContain(`on the ${client} engine`);
  });
});

describe.each(engines)("on the %s engine", (engine) => {
  test("a very bad link loses no line", async () => {
    const link = ["--loss", "25", "--rtt", "120", "--jitter", "20"];
    const flags = ["--engine", engine, "--clients", "4", "--seconds", "1", "--json"];
    const { code, stdout, stderr } = await run([...flags, ...link]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    checkReport(JSON.parse(stdout) as Report, 4);
  });
});

const ENGINE = engines[0];

test("without loss nothing is lost at all", async () => {
  const link = ["--loss", "0", "--rtt", "10", "--jitter", "0"];
  const flags = ["--engine", ENGINE, "--clients", "2", "--tick", "60", "--seconds", "1"];
  const { code, stdout } = await run([...flags, "--json", ...link]);
  expect(code).toBe(0);
  const { channels, tickRate } = JSON.parse(stdout) as Report;
  expect(tickRate).toBe(60);
  expect(Object.values(channels).map(({ lost }) => lost)).toEqual([0, 0, 0, 0, 0]);
});

test("NETRT_ENGINE=js serves 32 clients", async () => {
  const env = { NETRT_ENGINE: "js" };
  const { code, stdout, stderr } = await run(["--seconds", "1", "--json"], env);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const report = JSON.parse(stdout) as Report;
  expect(report.engine).toBe("js");
  checkReport(report, 32);
});

describe.skipIf(process.platform === "win32")("a run ends", () => {
  test("on Ctrl-C with its summary, and both processes are gone", async () => {
    const { child, ended, printed } = start(["--engine", ENGINE, "--clients", "3"]);
    await eventually(() => printed().includes("ticks/s"));
    // A terminal sends it to both processes, and npm once more to the first.
    process.kill(-(child.pid as number), "SIGINT");
    process.kill(child.pid as number, "SIGINT");
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^chat +Reliable +(\d+) +\1 +0 +0 +0$/m);
    await eventually(() => !groupLives(child));
  });

  test("on Ctrl-C before it began", async () => {
    const { child, ended } = start(["--engine", ENGINE, "--loss", "100"]);
    // Node has started by then, and clients that nobody answers give up 5 s after that.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(groupLives(child)).toBe(true);
    process.kill(-(child.pid as number), "SIGINT");
    const { code, stdout, stderr } = await ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toMatch(/interrupted before all clients were connected/);
    await eventually(() => !groupLives(child));
  });

  test("when the server's process is killed: the clients' goes too", async () => {
    const { child, ended, printed } = start(["--engine", ENGINE, "--clients", "3"]);
    await eventually(() => printed().includes("ticks/s"));
    child.kill("SIGKILL");
    await ended;
    await eventually(() => !groupLives(child));
  });
});

describe("what can't be is said in one line", () => {
  test("clients that don't get in", async () => {
    const flags = ["--engine", ENGINE, "--clients", "2", "--loss", "100"];
    const { code, stdout, stderr } = await run([...flags, "--seconds", "1", "--json"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe(
      "arena: only 0 of 2 clients got in; ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT: no server answered the connection request\n",
    );
  });

  test.each([
    [["--loss", "101"], 'arena: --loss must be a number from 0 to 100, not "101"\n'],
    [["--clients", "2.5"], 'arena: --clients must be a whole number, not "2.5"\n'],
    [["--engine", "rust"], 'arena: --engine must be native, js or auto, not "rust"\n'],
  ])("%j", async (args, stderr) => {
    expect(await run(args)).toEqual({ code: 1, stdout: "", stderr });
  });

  test("an unknown flag", async () => {
    const { code, stdout, stderr } = await run(["--fast"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^arena: Unknown option '--fast'.*--help lists the flags\n$/s);
  });

  test("help", async () => {
    const { code, stdout, stderr } = await run(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("--server-engine");
  });
});
