/*
 * Owns the worker thread of the tests: `mode` says what it does with the addon. It tells its parent
 * with one message when it is there, and goes on until it is terminated or done.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { IoMode } from "../../lib/turn.js";
import { closePair, connectPair, openPair, turnUntil } from "./harness.js";

export interface WorkerData {
  readonly mode: "burst" | "once" | "exit-in-wake" | "open";
  readonly id: number;
  /** Default inline. */
  readonly io?: IoMode;
}

const { mode, id, io } = workerData as WorkerData;
const payload = new Uint8Array(300).fill(id);

const tell = (what: string) => parentPort?.postMessage(what);

if (mode === "burst") {
  const pair = await openPair(() => step(), io);
  await connectPair(pair, id);
  const step = () => {
    for (const end of [pair.server, pair.client]) {
      while (end.send(payload)) {
        // until the ring is full
      }
      end.turn();
      end.engine.arm(end.engine.nowUs() + 100, true);
    }
  };
  step();
  tell("bursting");
} else if (mode === "once") {
  const pair = await openPair(undefined, io);
  await connectPair(pair, id);
  pair.client.send(payload);
  await turnUntil(pair, () => pair.server.messages.length === 1);
  tell(`received ${pair.server.messages[0]?.length}`);
  closePair(pair);
} else if (mode === "open") {
  // Open and armed when it ends: the environment's clean-up closes it.
  const pair = await openPair(undefined, io);
  pair.server.engine.arm(pair.server.engine.nowUs(), true);
  tell("open");
  process.exit(0);
} else {
  const pair = await openPair(() => process.exit(3), io);
  pair.server.engine.arm(pair.server.engine.nowUs() + 1000, true);
  tell("armed");
}
