// An engine's life: what it holds and gives back, what the system refuses, and when it wakes.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { ROLE_CLIENT, ROLE_SERVER } from "../../lib/engine/config.js";
import { openNative } from "../../lib/native.js";
import type { Engine } from "../../lib/turn.js";
import { compilePackage } from "./compile.js";
import { End, engineOptions, loopback } from "./harness.js";

const linux = process.platform === "linux";
const count = (folder: string) => (linux ? fs.readdirSync(folder).length : 0);
const handles = () => count("/proc/self/fd");
const threads = () => count("/proc/self/task");

const folder = compilePackage();
afterAll(() => fs.rmSync(folder, { recursive: true }));

function run(program: string, args: string[], wrap: string[] = [], io = "inline") {
  const command = [...wrap, process.execPath, ...args, path.join(folder, "test/addon", program)];
  const env = { ...process.env, NETRT_TEST_IO: io };
  return spawnSync(command[0]!, command.slice(1), { encoding: "utf8", timeout: 60_000, env });
}

describe.each(["inline", "thread"] as const)("opening and closing, io %s", (io) => {
  const optionsOf = (role: number) => engineOptions(role, undefined, 0, io);

  it("leaves no handle and no thread behind, 1,000 times", async () => {
    (await openNative(optionsOf(ROLE_SERVER))).close();
    await sleep(10);
    const before = [handles(), threads()];
    for (let round = 0; round < 1000; round++) {
      const engine = await openNative(optionsOf(round % 2));
      if (round % 3 > 0) engine.arm(engine.nowUs() + (round % 3) * 10, true);
      if (round % 5 === 0) engine.turn(7);
      engine.close();
    }
    await sleep(10);
    expect([handles(), threads()]).toEqual(before);
  });

  it("holds a hundred at a time", async () => {
    const before = [handles(), threads()];
    const engines: Engine[] = [];
    for (let index = 0; index < 100; index++)
      engines.push(await openNative(optionsOf(ROLE_SERVER)));
    expect(threads() - before[1]!).toBe(linux ? 100 : 0);
    expect(new Set(engines.map(({ bound }) => bound.port)).size).toBe(100);
    for (const engine of engines) engine.turn(7);
    for (const engine of engines) engine.close();
    await sleep(10);
    expect([handles(), threads()]).toEqual(before);
  });

  it("returns the memory: nothing of a closed engine is kept", () => {
    const result = run("leak.js", ["--expose-gc"], [], io);
    expect(result.stderr).toBe("");
    expect(JSON.parse(result.stdout)).toEqual({ collected: true, grownMiB: 0 });
  });
});

describe("what the system refuses", () => {
  it("is a port in use", async () => {
    const first = await openNative(engineOptions(ROLE_SERVER));
    const before = [handles(), threads()];
    const { port } = first.bound;
    await expect(openNative(engineOptions(ROLE_SERVER, () => {}, port))).rejects.toMatchObject({
      name: "NetrtError",
      code: "ERR_NETRT_PORT_IN_USE",
      message: `another socket has 127.0.0.1:${port}`,
      cause: {
        code: "EADDRINUSE",
        syscall: "bind",
        errno: expect.any(Number),
        message: `bind EADDRINUSE 127.0.0.1:${port}`,
      },
    });
    expect([handles(), threads()]).toEqual(before);
    first.close();
    const again = await openNative(engineOptions(ROLE_SERVER, () => {}, port));
    expect(again.bound).toEqual(loopback(port));
    again.close();
  });

  it("is an address that this machine has not", async () => {
    const bind = { type: 1, port: 0, words: [0xc0000201, 0, 0, 0] } as const;
    await expect(openNative({ ...engineOptions(ROLE_SERVER), bind })).rejects.toMatchObject({
      code: "ERR_NETRT_ADDRESS_NOT_AVAILABLE",
      cause: { code: "EADDRNOTAVAIL" },
    });
  });

  it.runIf(linux)("is one more file than the process may open", () => {
    const result = run("exhaust.js", [], ["sh", "-c", 'ulimit -n 60; exec "$@"', "sh"]);
    expect(result.stderr).toBe("");
    expect(JSON.parse(result.stdout)).toEqual({
      code: "ERR_NETRT_IO",
      cause: "EMFILE",
      openedAtLeastTwo: true,
      handlesReturned: true,
    });
  });

  it("is not IPv6, where there is any", async () => {
    const bind = { type: 2, port: 0, words: [0, 0, 0, 1] } as const;
    const opened = await openNative({ ...engineOptions(ROLE_SERVER), bind }).catch(
      (error) => error,
    );
    if (opened instanceof Error) {
      expect(opened).toMatchObject({ code: expect.stringMatching(/^ERR_NETRT_/) });
    } else {
      expect(opened.bound).toEqual({ ...bind, port: opened.bound.port });
      opened.close();
    }
  });
});

describe("a socket that is gone", () => {
  it.runIf(linux)("is an error of the turn, not the end of the process", async () => {
    const isSocket = (name: string) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${name}`).startsWith("socket:");
      } catch {
        return false;
      }
    };
    const sockets = () => fs.readdirSync("/proc/self/fd").filter(isSocket);
    const before = sockets();
    const engine = await openNative(engineOptions(ROLE_SERVER));
    const [its] = sockets().filter((name) => !before.includes(name));
    fs.closeSync(Number(its));
    for (let turns = 0; turns < 2; turns++) {
      expect(() => engine.turn(7)).toThrow(
        expect.objectContaining({
          name: "NetrtError",
          code: "ERR_NETRT_IO",
          message: "the socket is gone: EBADF",
        }),
      );
    }
    engine.arm(0, true);
    await sleep(10);
    engine.close();
  });
});

describe("waking", () => {
  /** An engine whose wakes are counted, with their times. */
  async function watched() {
    const wokeUs: number[] = [];
    let engine: Engine | undefined;
    engine = await openNative(
      engineOptions(ROLE_SERVER, () => wokeUs.push((engine as Engine).nowUs())),
    );
    return { engine, wokeUs };
  }

  /** A datagram to the engine, from a socket of another engine. */
  async function datagramTo(port: number): Promise<void> {
    const { tokenFor } = await import("./harness.js");
    const client = await End.open(engineOptions(ROLE_CLIENT));
    client.engine.connect(tokenFor(port, 9));
    client.turn();
    client.engine.close();
  }

  it("comes once for each arming, not before its deadline", async () => {
    const { engine, wokeUs } = await watched();
    await sleep(20);
    expect(wokeUs).toEqual([]);
    const deadlineUs = engine.nowUs() + 20_000;
    engine.arm(deadlineUs, false);
    await sleep(60);
    expect(wokeUs).toHaveLength(1);
    expect(wokeUs[0]).toBeGreaterThanOrEqual(deadlineUs);
    await sleep(40);
    expect(wokeUs).toHaveLength(1);
    engine.close();
  });

  it("comes for a datagram, when that is watched for", async () => {
    const { engine, wokeUs } = await watched();
    engine.arm(engine.nowUs() + 60_000_000, false);
    await datagramTo(engine.bound.port);
    await sleep(30);
    expect(wokeUs).toHaveLength(0);
    engine.arm(engine.nowUs() + 60_000_000, true);
    await sleep(30);
    expect(wokeUs).toHaveLength(1);
    // It was not read: watching again tells again.
    engine.arm(engine.nowUs() + 60_000_000, true);
    await sleep(30);
    expect(wokeUs).toHaveLength(2);
    expect(engine.turn(7)).toBe(0);
    engine.arm(engine.nowUs() + 60_000_000, true);
    await sleep(30);
    expect(wokeUs).toHaveLength(2);
    expect(engine.socketStats().datagramsReceived).toBe(1);
    engine.close();
  });

  it("is replaced by the next arming", async () => {
    const { engine, wokeUs } = await watched();
    engine.arm(engine.nowUs() + 10_000, false);
    engine.arm(engine.nowUs() + 60_000_000, false);
    await sleep(50);
    expect(wokeUs).toEqual([]);
    engine.arm(0, false);
    await sleep(30);
    expect(wokeUs).toHaveLength(1);
    engine.close();
  });

  it("is one call, however long JavaScript was busy", async () => {
    const { engine, wokeUs } = await watched();
    for (let round = 0; round < 20; round++) {
      engine.arm(engine.nowUs(), true);
      const untilUs = engine.nowUs() + 2000;
      while (engine.nowUs() < untilUs) {
        // busy
      }
    }
    await sleep(30);
    expect(wokeUs).toHaveLength(1);
    engine.close();
  });

  it("does not come after close, however close they are", async () => {
    for (let round = 0; round < 200; round++) {
      const { engine, wokeUs } = await watched();
      engine.arm(engine.nowUs() + (round % 50), true);
      const untilUs = engine.nowUs() + (round % 40);
      while (engine.nowUs() < untilUs) {
        // until just before or just after the deadline
      }
      engine.close();
      await new Promise((resolve) => setImmediate(resolve));
      expect(wokeUs).toEqual([]);
    }
  });
});
