// Two engines over loopback, through their rings and nothing else: messages, order, back-pressure,
// and time that stands still.
import { createSocket } from "node:dgram";
import { afterEach, describe, expect, it } from "vitest";
import { ROLE_CLIENT, ROLE_SERVER } from "../../lib/engine/config.js";
import { RECORD_CONNECT, RECORD_DISCONNECT, RECORD_STATE } from "../../lib/engine/ring.js";
import { CLIENT_CONNECTED, CLIENT_TOKEN_INVALID } from "../../lib/engine/state.js";
import { HOST_CONNECTED, HOST_DATAGRAMS_IN, statsHostWord } from "../../lib/engine/stats.js";
import { TURN_FLUSH, TURN_RECEIVE, TURN_TRANSMIT, TURNED_MORE } from "../../lib/turn.js";
import {
  closePair,
  connectPair,
  End,
  engineOptions,
  openPair,
  type Pair,
  TURN_ALL,
  tokenFor,
  turnUntil,
} from "./harness.js";

/** Messages that the configuration lets wait for a peer. */
const QUEUE_MESSAGES = 250;

const pairs: Pair[] = [];

async function connected(): Promise<Pair> {
  const pair = await openPair();
  pairs.push(pair);
  await connectPair(pair);
  return pair;
}

afterEach(() => {
  for (const pair of pairs.splice(0)) closePair(pair);
});

const numbered = (value: number, bytes: number) => {
  const message = new Uint8Array(bytes);
  new DataView(message.buffer).setUint32(0, value);
  return message;
};
const numberOf = (message: Uint8Array) =>
  new DataView(message.buffer, message.byteOffset).getUint32(0);

describe("a pair", () => {
  it("connects, and both hear of it", async () => {
    const pair = await openPair();
    pairs.push(pair);
    const states: number[] = [];
    const connects: number[] = [];
    pair.client.engine.connect(tokenFor(pair.server.port, 5));
    for (let turns = 0; turns < 1000 && connects.length < 2; turns++) {
      for (const end of [pair.client, pair.server]) {
        for (const { kind, word4 } of end.turn()) {
          if (kind === RECORD_STATE) states.push(word4 | 0);
          if (kind === RECORD_CONNECT) connects.push(word4);
        }
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(connects).toHaveLength(2);
    expect(states).toEqual([1, 2, CLIENT_CONNECTED]);
    expect(pair.server.options.page[statsHostWord(HOST_CONNECTED)]).toBe(1);
    expect(pair.server.options.page[statsHostWord(HOST_DATAGRAMS_IN)]).toBeGreaterThan(1);
  });

  it("exchanges messages, in order and unharmed", async () => {
    const pair = await connected();
    const total = 3000;
    let sent = 0;
    const done = await turnUntil(pair, () => {
      const most = Math.min(total, sent + 100);
      const room = QUEUE_MESSAGES - Math.max(pair.client.waiting, pair.server.waiting);
      for (; sent < most && room > 100; sent++) {
        const size = 4 + ((sent * 37) % 1000);
        expect(pair.client.send(numbered(sent, size))).toBe(true);
        expect(pair.server.send(numbered(sent, size))).toBe(true);
      }
      return pair.server.messages.length === total && pair.client.messages.length === total;
    });
    expect(done).toBe(true);
    for (const { messages } of [pair.server, pair.client]) {
      expect(messages.map(numberOf)).toEqual(Array.from({ length: total }, (_, index) => index));
      expect(messages.every(({ length }, index) => length === 4 + ((index * 37) % 1000))).toBe(
        true,
      );
    }
    const stats = pair.server.engine.socketStats();
    expect(stats.datagramsReceived).toBeGreaterThan(100);
    expect(stats.datagramsSent).toBeGreaterThan(100);
    expect(stats.receiveCalls).toBeGreaterThan(0);
    expect(stats).toMatchObject({ truncated: 0, localLoss: 0, unreachable: 0 });
  });

  it("sends only in a turn that transmits, and flushes only in one that flushes", async () => {
    const pair = await connected();
    await turnUntil(pair, () => pair.client.engine.deadlineUs() > pair.client.engine.nowUs());
    const sent = () => pair.client.engine.socketStats().datagramsSent;
    const before = sent();
    pair.client.send(numbered(1, 8));
    pair.client.turn(TURN_FLUSH);
    expect(sent()).toBe(before);
    pair.client.turn(TURN_TRANSMIT);
    expect(sent()).toBe(before + 1);
    const calls = pair.client.engine.socketStats().receiveCalls;
    pair.client.turn(TURN_RECEIVE);
    expect(pair.client.engine.socketStats().receiveCalls).toBeGreaterThan(calls);
  });

  it("tells when it wants its next turn", async () => {
    const { client, server } = await connected();
    for (const { engine } of [client, server]) {
      expect(engine.deadlineUs()).toBeLessThan(engine.nowUs() + 2_000_000);
    }
    const idle = await End.open(engineOptions(ROLE_SERVER));
    idle.turn();
    expect(idle.engine.deadlineUs()).toBe(Number.MAX_SAFE_INTEGER);
    idle.engine.close();
  });

  it("says goodbye when one of them is gone", async () => {
    const pair = await openPair();
    pairs.push(pair);
    pair.client.engine.connect(tokenFor(pair.server.port, 6, 1));
    expect(await turnUntil(pair, () => pair.client.peer !== 0 && pair.server.peer !== 0)).toBe(
      true,
    );
    pair.server.engine.close();
    let ended = false;
    for (const end = Date.now() + 5000; !ended && Date.now() < end; ) {
      ended = pair.client.turn().some(({ kind }) => kind === RECORD_DISCONNECT);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(ended).toBe(true);
  });
});

describe("a client", () => {
  it("reports a token that is none", async () => {
    const client = await End.open(engineOptions(ROLE_CLIENT));
    client.engine.connect(new Uint8Array(2048));
    const records = client.turn();
    expect(records.map(({ kind, word4 }) => [kind, word4 | 0])).toEqual([
      [RECORD_STATE, CLIENT_TOKEN_INVALID],
    ]);
    client.engine.close();
  });
});

/** Datagrams that are no packets, ahead of all that comes later. */
async function strangersSend(port: number, count: number): Promise<void> {
  const socket = createSocket("udp4");
  const junk = Buffer.alloc(20, 255);
  for (let index = 0; index < count; index++) {
    await new Promise((resolve) => socket.send(junk, port, "127.0.0.1", resolve));
  }
  socket.close();
}

describe("a process that stood still", () => {
  it("does not time out a peer whose datagrams wait to be read", async () => {
    const pair = await openPair();
    pairs.push(pair);
    pair.client.engine.connect(tokenFor(pair.server.port, 7, 1));
    expect(await turnUntil(pair, () => pair.client.peer !== 0 && pair.server.peer !== 0)).toBe(
      true,
    );
    await strangersSend(pair.server.port, 2000);
    // The server takes no turn for longer than the time-out. The client only sends: without looking
    // into its socket it lets no time pass either.
    for (const end = Date.now() + 1500; Date.now() < end; ) {
      pair.client.send(numbered(0, 100));
      pair.client.turn(TURN_FLUSH | TURN_TRANSMIT);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const records: number[] = [];
    do {
      records.push(...pair.server.turn(TURN_ALL).map(({ kind }) => kind));
    } while ((pair.server.turned & TURNED_MORE) !== 0);
    expect(records).not.toContain(RECORD_DISCONNECT);
    expect(pair.server.messages.length).toBeGreaterThan(10);
  });
});

describe("a completion ring that is full", () => {
  it("leaves datagrams where they are, and loses none", async () => {
    const pair = await connected();
    const total = 4000;
    let sent = 0;
    let sawMore = false;
    for (const end = Date.now() + 20_000; pair.server.messages.length < total; ) {
      if (Date.now() > end) break;
      for (let room = QUEUE_MESSAGES - 60 - pair.client.waiting; room > 0 && sent < total; room--) {
        if (!pair.client.send(numbered(sent, 1000))) break;
        sent += 1;
      }
      pair.client.turn();
      // The server takes its datagrams and does not look at what they brought, until it must.
      const turned = pair.server.engine.turn(TURN_ALL);
      const full = (turned & TURNED_MORE) !== 0;
      if (full) sawMore = true;
      if (full || (sent === total && pair.client.waiting === 0)) pair.server.turn();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sawMore).toBe(true);
    expect(pair.server.messages.map(numberOf)).toEqual(
      Array.from({ length: total }, (_, index) => index),
    );
  });
});
