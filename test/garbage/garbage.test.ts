// Zero garbage: a thousand ticks of a server with 64 peers make no object for a message, in or out. No object
// of V8's is below 16 bytes, so one for each input alone would take more than the bound: what is under it is
// the tick's own (its time stamps, the events of Node), however many messages it has.
// test/native/garbage.cc is the same for memory that C++ takes.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { describe, expect, it } from "vitest";

const STEADY = path.resolve(import.meta.dirname, "../../dist/test/garbage/steady.js");
const MS_MAX = 120_000;
const PEERS = 64;
const TICKS = 1000;
/** Of a tick, whatever it carries. */
const TICK_BYTES_MAX = 1000;
const OBJECT_BYTES_MIN = 16;

interface Line {
  readonly heapBytes: number;
  readonly messages: number;
  readonly collections: number;
}

function steady(...args: string[]): Line {
  // Enough new space for all ticks: what is collected is not counted.
  const flags = ["--expose-gc", "--max-semi-space-size=64", "--min-semi-space-size=64"];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, STEADY, ...args], {
    encoding: "utf8",
    timeout: MS_MAX,
  });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const line = JSON.parse(stdout) as Line;
  expect(line.collections).toBe(0);
  // Two messages for each peer and tick, less what a busy machine makes late.
  expect(line.messages).toBeGreaterThan(PEERS * TICKS * 1.5);
  return line;
}

describe("a server in steady state", () => {
  it.each(["inline", "thread"])(
    "makes no garbage for a message, its turns %s",
    (io) => {
      const { heapBytes } = steady("--io", io);
      expect(TICK_BYTES_MAX).toBeLessThan(PEERS * OBJECT_BYTES_MIN);
      expect(heapBytes / TICKS).toBeLessThan(TICK_BYTES_MAX);
    },
    MS_MAX,
  );

  it(
    "would show a small object for each message",
    () => {
      const { heapBytes } = steady("--plant");
      expect(heapBytes / TICKS).toBeGreaterThan(PEERS * OBJECT_BYTES_MIN);
    },
    MS_MAX,
  );
});
