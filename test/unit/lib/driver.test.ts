// The driver over an engine that does nothing by itself: what it asks of the engine, and when.
import { beforeEach, describe, expect, it, vi } from "vitest";
import { configureRaw } from "../../../lib/configure.js";
import { Driver, type DriverEvents } from "../../../lib/driver.js";
import { ROLE_CLIENT } from "../../../lib/engine/config.js";
import {
  NO_ROOM,
  RECORD_MESSAGE,
  RECORD_SEND,
  Ring,
  ringPublish,
  ringPush,
  ringSet,
} from "../../../lib/engine/ring.js";
import {
  type Engine,
  type EngineOptions,
  type IoMode,
  TURN_FLUSH,
  TURN_RECEIVE,
  TURN_TRANSMIT,
} from "../../../lib/turn.js";

/** Remembers what it is asked. It takes nothing from the submission ring. */
class Still implements Engine {
  readonly name = "native";
  readonly bound = { type: 1, port: 1, words: [0, 0, 0, 0] as [number, number, number, number] };
  readonly io: IoMode;
  readonly completion = new Ring();
  readonly turns: number[] = [];
  readonly arms: [deadlineUs: number, watch: boolean][] = [];
  readonly flushes: boolean[] = [];
  wake: () => void;
  timeUs = 1000;
  closed = false;

  constructor(options: EngineOptions) {
    this.io = options.io;
    this.wake = options.onWake;
    ringSet(this.completion, options.completion);
  }
  nowUs(): number {
    return this.timeUs;
  }
  turn(flags: number): number {
    if (this.closed) throw new Error("a turn of an engine that is closed");
    this.turns.push(flags);
    return 0;
  }
  deadlineUs(): number {
    return Number.MAX_SAFE_INTEGER;
  }
  arm(deadlineUs: number, watch: boolean, flush = false): void {
    this.arms.push([deadlineUs, watch]);
    this.flushes.push(flush);
  }
  connect(): void {}
  socketStats(): never {
    throw new Error("nobody asks");
  }
  close(): void {
    this.closed = true;
  }
  /** As if a message of one byte had come. */
  receive(): void {
    expect(ringPush(this.completion, RECORD_MESSAGE, 1)).not.toBe(NO_ROOM);
    ringPublish(this.completion);
  }
}

const opened: Still[] = [];

vi.mock("../../../lib/choice.js", () => ({
  chooseEngine: ({ io }: { io: IoMode }) => ({
    open: async (options: EngineOptions) => {
      const engine = new Still(options);
      opened.push(engine);
      return engine;
    },
    io,
    reusePort: false,
  }),
}));

beforeEach(() => {
  opened.length = 0;
});

const silent: DriverEvents = {
  connected: () => {},
  disconnected: () => {},
  message: () => {},
  fragment: () => {},
  packet: () => {},
  fate: () => {},
  clientState: () => {},
  failed: () => {},
  turned: () => {},
};

async function open(
  io: IoMode,
  events: Partial<DriverEvents> = {},
  tickRate?: number,
): Promise<{ driver: Driver; engine: Still }> {
  const driver = await Driver.open(
    {
      wanted: { engine: "native", io, reusePort: false },
      sizes: configureRaw(ROLE_CLIENT, 1n, 1, {}),
      privateKey: new Uint8Array(32),
      bind: { type: 1, port: 0, words: [0, 0, 0, 0] },
      tickRate,
    },
    { ...silent, ...events },
  );
  return { driver, engine: opened[0] };
}

const FLUSH = TURN_FLUSH | TURN_TRANSMIT;

describe("a close that finds no room", () => {
  function fill(driver: Driver): void {
    while (driver.push(RECORD_SEND, 1000) !== NO_ROOM) driver.submitted();
  }

  it("is made after the ring was read", async () => {
    const { driver, engine } = await open("inline");
    fill(driver);
    driver.closePeer(1, 1, new Uint8Array(0), false);
    const before = engine.turns.length;
    engine.wake();
    // Receive, the turn that is to make room for the close, flush, and the same after the flush.
    expect(engine.turns.slice(before).filter((flags) => flags === 0).length).toBeGreaterThan(0);
    driver.close();
  });

  it("is not made any more once the driver is closed", async () => {
    const { driver, engine } = await open("inline", { message: () => driver.close() });
    fill(driver);
    driver.closePeer(1, 1, new Uint8Array(0), false);
    engine.receive();
    engine.wake();
    expect(engine.closed).toBe(true);
  });
});

describe("with an I/O thread", () => {
  it("a flush sends, and hands nothing out in the middle of a call", async () => {
    const heard: number[] = [];
    const { driver, engine } = await open("thread", { message: (peer) => heard.push(peer) });
    engine.receive();
    driver.push(RECORD_SEND, 1);
    driver.submitted();
    driver.flush();
    expect(engine.turns).toEqual([FLUSH]);
    expect(heard).toEqual([]);
    engine.wake();
    expect(heard.length).toBe(1);
    driver.close();
  });

  it("inline, a flush hands out what its turn brought", async () => {
    const heard: number[] = [];
    const { driver, engine } = await open("inline", { message: (peer) => heard.push(peer) });
    engine.receive();
    driver.push(RECORD_SEND, 1);
    driver.submitted();
    driver.flush();
    expect(heard.length).toBe(1);
    driver.close();
  });

  it("records that are held back are not watched for", async () => {
    const { driver, engine } = await open("thread", { message: () => driver.hold() });
    expect(engine.arms.at(-1)?.[1]).toBe(true);
    engine.receive();
    engine.receive();
    engine.wake();
    expect(engine.arms.at(-1)?.[1]).toBe(false);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(engine.arms.at(-1)?.[1]).toBe(true);
    driver.close();
  });

  it("whoever waits for room is looked after each millisecond, and told once", async () => {
    const { driver, engine } = await open("thread");
    let relieved = false;
    let told = 0;
    driver.waiters.add({
      get relieved() {
        return relieved;
      },
      relieve: () => {
        told += 1;
      },
    });
    driver.push(RECORD_SEND, 1);
    driver.submitted();
    driver.flush();
    expect(engine.arms.at(-1)).toEqual([engine.timeUs + 1000, true]);
    engine.wake();
    expect([told, engine.arms.at(-1)]).toEqual([0, [engine.timeUs + 1000, true]]);
    relieved = true;
    engine.wake();
    expect(told).toBe(1);
    expect(engine.arms.at(-1)?.[0]).toBeGreaterThan(engine.timeUs + 1000);
    driver.close();
  });

  it("with ticks it sleeps until the tick, whatever comes", async () => {
    const { driver, engine } = await open("thread", {}, 100);
    expect(engine.arms.at(-1)).toEqual([engine.timeUs, false]);
    engine.turns.length = 0;
    engine.wake();
    expect(engine.arms.at(-1)).toEqual([engine.timeUs + 10_000, false]);
    // One call has it send, and wake us again.
    expect([engine.turns, engine.flushes.at(-1)]).toEqual([[TURN_RECEIVE], true]);
    driver.close();
  });

  it("inline, a tick flushes by a turn of its own", async () => {
    const { driver, engine } = await open("inline", {}, 100);
    engine.wake();
    expect([engine.turns, engine.flushes.at(-1)]).toEqual([[TURN_RECEIVE, FLUSH], false]);
    driver.close();
  });
});
