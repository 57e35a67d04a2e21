/*
 * Owns the program that the exit tests run: `child.js <stage>` brings the addon to a stage of its
 * life and leaves there. What the process does then is what the tests look at.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { ROLE_SERVER } from "../../lib/engine/config.js";
import { loadNative } from "../../lib/native.js";
import { closePair, connectPair, End, engineOptions, openPair, turnUntil } from "./harness.js";

export const EXIT_CODE = 7;

const payload = new Uint8Array(500).fill(1);

function leave(): never {
  process.exit(EXIT_CODE);
}

/** Opens a server that watches its socket, and writes to it. */
async function wakeWith(onWake: (end: End) => void): Promise<void> {
  const end = await End.open(engineOptions(ROLE_SERVER, () => onWake(end)));
  end.engine.arm(end.engine.nowUs() + 1000, true);
}

/** Traffic that goes on by itself, from wake to wake. */
async function burst(): Promise<void> {
  const pair = await openPair(() => step());
  await connectPair(pair);
  const step = () => {
    for (const end of [pair.server, pair.client]) {
      while (end.send(payload)) {
        // until the ring is full
      }
      end.turn();
      end.engine.arm(end.engine.nowUs() + 200, true);
    }
  };
  step();
  await sleep(100);
}

const stages: Record<string, () => void | Promise<void>> = {
  async created() {
    if ("reason" in loadNative()) throw new Error("no addon");
    leave();
  },
  async bound() {
    await openPair();
    leave();
  },
  async armed() {
    const { server } = await openPair();
    server.engine.arm(server.engine.nowUs() + 60_000_000, true);
    await sleep(20);
    leave();
  },
  async connected() {
    await connectPair(await openPair());
    leave();
  },
  async bursting() {
    await burst();
    leave();
  },
  "inside-wake": () => wakeWith(leave),
  async "closed-in-wake"() {
    await wakeWith((end) => {
      end.engine.close();
      process.exitCode = EXIT_CODE;
    });
  },
  async "throwing-wake"() {
    await wakeWith(() => {
      throw new Error("thrown by onWake");
    });
  },
  /** Ends by itself once both are closed. */
  async closed() {
    const pair = await openPair();
    await connectPair(pair);
    closePair(pair);
    process.exitCode = EXIT_CODE;
  },
  /** An open server keeps its process, armed or not. */
  async listening() {
    await End.open(engineOptions(ROLE_SERVER));
    console.log("listening");
  },
  async rejected() {
    await burst();
    void Promise.reject(new Error("nobody listens"));
  },
  async signalled() {
    await burst();
    process.kill(process.pid, "SIGTERM");
  },
  /** The main thread leaves while two workers are busy. */
  async workers() {
    const file = new URL("./worker.js", import.meta.url);
    const ready = [1, 2].map(
      (id) =>
        new Promise((resolve) => {
          new Worker(file, { workerData: { mode: "burst", id } }).once("message", resolve);
        }),
    );
    await Promise.all(ready);
    await burst();
    leave();
  },
  async "beside-traffic"() {
    const pair = await openPair();
    await connectPair(pair);
    pair.client.send(payload);
    await turnUntil(pair, () => pair.server.messages.length === 1);
    closePair(pair);
    leave();
  },
};

const stage = stages[process.argv[2] ?? ""];
if (stage === undefined) throw new Error(`no such stage: ${process.argv[2]}`);
await stage();
