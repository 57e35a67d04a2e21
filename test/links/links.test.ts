/*
 * Real links at gate size, where this machine lets us make them; and that the links are what they say, and leave nothing
 * behind, whatever ends the run. `npm run links` goes through every scenario.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { compilePackage } from "../addon/compile.js";
import { engines } from "../engines.js";
import { closeLinks, ENDS, linksLeft, linksMissing, MissingError, NetLink, sweep } from "./net.js";
import { runScenario, SCENARIOS } from "./scenario.js";

const missing = linksMissing();
const folder = compilePackage("test/links");
const program = (name: string) => path.join(folder, "test/links", name);
beforeAll(sweep);
afterAll(() => {
  closeLinks();
  fs.rmSync(folder, { recursive: true, force: true });
});

if (missing !== "") console.log(`test/links: skipped: ${missing}`);

/** Scenarios of the gate: a bad link, a bad link with everything, and the other family. */
const GATE = ["six", "everything"];

function list(pid: number): string[] {
  const { stdout } = spawnSync("ip", ["netns", "list"], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line.startsWith(`netrt-link-${pid}-`));
}

/** Waits until something holds, by looking. */
async function until(holds: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function running(args: readonly string[]): { child: ChildProcess; exit: Promise<number | null> } {
  const child = spawn(process.execPath, [program("run.js"), ...args], { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exit = new Promise<number | null>((resolve) => child.on("exit", resolve));
  return { child, exit };
}

describe.skipIf(missing !== "")("over a real link", () => {
  const runs = SCENARIOS.filter(({ name }) => GATE.includes(name)).flatMap((scenario) =>
    engines.map((server) => ({ name: scenario.name, server, scenario })),
  );

  test.each(runs)("$name, server $server: the contracts hold", async ({ scenario, server }) => {
    const options = { server, clients: engines, clientsEach: 2, seconds: 1 };
    const result = await runScenario(scenario, options, program("side.js"));
    expect(result.skipped).toBe("");
    expect(result.broken).toEqual([]);
    expect(result.peers).toHaveLength(2 * 2 * engines.length);
    expect(linksLeft()).toBe(0);
  });

  test("a contract that is broken is told", async () => {
    const [clean] = SCENARIOS;
    // More than everything can't arrive; and a link that loses nothing can't have lost.
    const scenario = { ...clean, shares: { state: 1.5, shots: 0 } };
    const options = { server: "js", clients: ["js"], clientsEach: 1, seconds: 1 } as const;
    const result = await runScenario(scenario, options, program("side.js"));
    expect(result.broken).toHaveLength(2);
    for (const what of result.broken) expect(what).toContain("state: only");
    expect(linksLeft()).toBe(0);
  });
});

describe.skipIf(missing !== "")("a link", () => {
  /** Sends so many datagrams of so many bytes; how many came. */
  function count(link: NetLink, datagrams: number, bytes: number): number {
    const receiver = `
      const socket = require("dgram").createSocket({ type: "udp4", recvBufferSize: 4194304 });
      let count = 0;
      socket.on("message", (message) => {
        if (message.length > 1) count += 1;
        else { console.log(count); process.exit(0); }
      });
      socket.bind(5000, "10.99.0.1", () => console.log("ready"));`;
    const sender = `
      const socket = require("dgram").createSocket("udp4");
      const send = (bytes) => new Promise((sent) => socket.send(bytes, 5000, "10.99.0.1", sent));
      (async () => {
        for (let index = 0; index < ${datagrams}; index++) await send(Buffer.alloc(${bytes}));
        for (let index = 0; index < ${ENDERS}; index++) await send(Buffer.alloc(1));
        process.exit(0);
      })();`;
    const script = `
      exec 3< <(exec ip netns exec ${link.name("server")} "$NODE" -e "$RECEIVER")
      read -r line <&3
      ip netns exec ${link.name("client")} "$NODE" -e "$SENDER"
      read -r line <&3; echo "$line"`;
    const env = { ...process.env, NODE: process.execPath, RECEIVER: receiver, SENDER: sender };
    const { stdout, stderr } = spawnSync("bash", ["-c", script], { env, encoding: "utf8" });
    if (!/^\d+$/.test(stdout.trim())) throw new Error(`no count: ${stdout}${stderr}`);
    return Number(stdout);
  }

  // Few enough that the receiver's buffer holds them all, whenever it gets to run.
  const FEW = 150;
  const MANY = 3000;
  const ENDERS = 200;
  /** Six standard deviations of so many throws. */
  const within = (throws: number, share: number) => 6 * Math.sqrt(throws * share * (1 - share));

  test("loses the share that was asked for, and no more", () => {
    using clean = new NetLink({ family: 4 });
    expect(count(clean, FEW, 100)).toBe(FEW);
    expect(clean.counters("server")).toMatchObject({ lost: 0, duplicated: 0, fragments: 0 });
    clean.close();
    using lossy = new NetLink({ family: 4, lossPercent: 20 });
    expect(count(lossy, MANY, 100)).toBeLessThan(MANY);
    const { lost } = lossy.counters("server");
    const sent = MANY + ENDERS;
    expect(Math.abs(lost - sent * 0.2)).toBeLessThan(within(sent, 0.2));
  });

  test("duplicates, and counts pieces of what is too long for it", () => {
    using link = new NetLink({ family: 4, duplicatePercent: 50 });
    const came = count(link, FEW, 100);
    expect(Math.abs(came - FEW * 1.5)).toBeLessThan(within(FEW, 0.5));
    expect(link.counters("client").duplicated).toBeGreaterThanOrEqual(came - FEW);
    expect(link.counters("server").fragments).toBe(0);
    link.close();
    using narrow = new NetLink({ family: 4 });
    count(narrow, 10, 2000);
    expect(narrow.counters("server").fragments).toBeGreaterThanOrEqual(20);
  });

  test("that can't be made is an error with a reason, and leaves nothing", () => {
    expect(() => new NetLink({ family: 4, lossPercent: 1e12 })).toThrow(MissingError);
    expect(linksLeft()).toBe(0);
  });

  test("goes with its process: ended by a signal at once, killed at the next sweep", async () => {
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const { child, exit } = running(["--only", "clean", "--engine", "js", "--seconds", "60"]);
      const pid = child.pid as number;
      await until(() => list(pid).length === ENDS.length, "namespaces of a run");
      child.kill(signal);
      await exit;
      if (signal === "SIGKILL") sweep();
      expect(list(pid)).toEqual([]);
    }
  });
});

describe("where links can't be made", () => {
  const env = { ...process.env, PATH: folder };
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [program("run.js"), ...args], { env, encoding: "utf8" });

  test("the run says why and is no failure", () => {
    const { status, stdout } = run();
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^skipped: .+/)]);
    const json = run("--json");
    expect([json.status, JSON.parse(json.stdout)]).toEqual([
      0,
      { passed: true, skipped: expect.stringMatching(/.+/), scenarios: [] },
    ]);
  });

  test("it is one with --require", () => {
    expect(run("--require").status).toBe(1);
    const { status, stdout } = run("--require", "--json");
    expect([status, JSON.parse(stdout).passed]).toEqual([1, false]);
  });

  test("what it does not know it says", () => {
    for (const args of [
      ["--only", "x"],
      ["--engine", "x"],
      ["--seconds", "0"],
    ]) {
      expect(run(...args).status).toBe(2);
    }
  });
});
