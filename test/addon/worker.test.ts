// The addon in worker threads: each has its own, and may be ended at any moment.
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compilePackage } from "./compile.js";
import { closePair, connectPair, openPair, turnUntil } from "./harness.js";
import type { WorkerData } from "./worker.js";

const linux = process.platform === "linux";
const threads = () => (linux ? fs.readdirSync("/proc/self/task").length : 0);

/**
 * Open sockets, timers and the like. Not files: Node leaves those open that it was reading when a
 * worker was terminated.
 */
function handles(): number {
  if (!linux) return 0;
  const targets = fs.readdirSync("/proc/self/fd").map((name) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return ""; // the handle of the folder itself
    }
  });
  return targets.filter((target) => /^(socket:|anon_inode:)/.test(target)).length;
}

let folder = "";
beforeAll(() => {
  folder = compilePackage();
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

interface Running {
  readonly worker: Worker;
  /** What it told first. */
  readonly told: Promise<string>;
  readonly exited: Promise<number>;
}

function start(workerData: WorkerData): Running {
  const worker = new Worker(path.join(folder, "test/addon/worker.js"), { workerData });
  const told = new Promise<string>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const exited = new Promise<number>((resolve) => worker.once("exit", resolve));
  return { worker, told, exited };
}

/** Handles and threads, once a first worker has come and gone: what Node keeps for the next. */
async function settled(): Promise<[number, number]> {
  const { told, exited } = start({ mode: "once", id: 1 });
  await told;
  await exited;
  await sleep(50);
  return [handles(), threads()];
}

describe.each(["inline", "thread"] as const)("a worker, io %s", (io) => {
  it("runs engines of its own beside those of the main thread", async () => {
    const pair = await openPair(undefined, io);
    await connectPair(pair, 3);
    const workers = [1, 2].map((id) => start({ mode: "once", id, io }));
    expect(await Promise.all(workers.map(({ told }) => told))).toEqual([
      "received 300",
      "received 300",
    ]);
    expect(await Promise.all(workers.map(({ exited }) => exited))).toEqual([0, 0]);
    pair.server.send(new Uint8Array(10));
    expect(await turnUntil(pair, () => pair.client.messages.length === 1)).toBe(true);
    closePair(pair);
  });

  it("can be terminated in the middle of traffic, 20 times", async () => {
    const before = await settled();
    for (let round = 0; round < 20; round++) {
      const { worker, told } = start({ mode: "burst", id: round + 1, io });
      expect(await told).toBe("bursting");
      await sleep(round % 7);
      expect(await worker.terminate()).toBe(1);
    }
    await sleep(50);
    expect([handles(), threads()]).toEqual(before);
  });

  it("can be terminated while it starts, 20 times", async () => {
    const before = await settled();
    for (let round = 0; round < 20; round++) {
      const { worker, told } = start({ mode: "burst", id: round + 1, io });
      told.catch(() => {});
      await sleep(20 + round * 4);
      await worker.terminate();
    }
    await sleep(50);
    expect([handles(), threads()]).toEqual(before);
  });

  it("may exit with engines open, and within a wake-up", async () => {
    const before = await settled();
    for (let round = 0; round < 5; round++) {
      const open = start({ mode: "open", id: 1, io });
      const waking = start({ mode: "exit-in-wake", id: 2, io });
      expect(await Promise.all([open.exited, waking.exited])).toEqual([0, 3]);
    }
    await sleep(50);
    expect([handles(), threads()]).toEqual(before);
  });
});
