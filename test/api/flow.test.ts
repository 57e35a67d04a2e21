/*
 * Back-pressure and fates: what `send` answers when a queue is full, when `drain` comes, and what is
 * told of messages that will not arrive. What expired is skipped, what is
 * beyond the rate superseded.
 */
import { describe, expect, test } from "vitest";
import { CHANNEL_WINDOW } from "../../lib/engine/limits.js";
import type { Undelivered } from "../../lib/index.js";
import { engines, pairings } from "../engines.js";
import {
  arena,
  decode,
  encode,
  join,
  next,
  openClient,
  openLinkedPair,
  openPair,
  openServer,
  testEach,
  until,
  within,
} from "./harness.js";

const QUEUE_BYTES = 16_384;
const MESSAGE_BYTES = 1000;
const line = (index: number): Uint8Array => encode(`line ${index} `.padEnd(MESSAGE_BYTES, "."));

describe.each(engines)("on %s", (engine) => {
  const both = { server: engine, client: engine };

  test("drain comes once for each time that the queue was full", async () => {
    const { client, server } = await openPair(both, {});
    let drains = 0;
    client.on("drain", () => {
      drains += 1;
    });
    while (client.send("chat", new Uint8Array(1000)));
    client.send("chat", new Uint8Array(1000));
    await next(client, "drain");
    client.send("chat", encode("last"));
    const got: number[] = [];
    server.channel("chat").on("message", (_peer, bytes) => got.push(bytes.length));
    await until(server.channel("chat"), "message", "the last line", () => got.at(-1) === 4);
    expect(drains).toBe(1);
  });

  test("drain is for those who were refused only", async () => {
    const { client, peer, server } = await openPair(both);
    let drains = 0;
    client.on("drain", () => {
      drains += 1;
    });
    peer.on("drain", () => {
      drains += 1;
    });
    client.send("chat", encode("up"));
    await next(server.channel("chat"), "message");
    peer.send("chat", encode("down"));
    await next(client.channel("chat"), "message");
    expect(drains).toBe(0);
  });
});

test("an unread iterator of a RealTime channel keeps the newest 64", async () => {
  const { client, peer } = await openPair({ server: "js", client: "js" });
  const states = client.messages("state");
  let sent = 0;
  client.channel("state").on("message", () => {
    if (sent < 100) peer.send("state", Uint8Array.of(++sent));
  });
  peer.send("state", Uint8Array.of(0));
  await until(client.channel("state"), "message", "100 states", () => sent === 100);
  await next(client.channel("state"), "message");
  const kept: number[] = [];
  for (let index = 0; index < 64; index++) kept.push((await states.next()).value[0]);
  expect(kept).toEqual(Array.from({ length: 64 }, (_, index) => index + 37));
});

testEach(
  "an unread iterator makes the server wait, and loses nothing (R-57)",
  pairings,
  async (pairing) => {
    const { client, peer } = await openPair(pairing, { queueBytes: 65_536 });
    const lines = client.messages("chat");
    let received = 0;
    client.channel("chat").on("message", () => {
      received += 1;
    });
    const count = 3000;
    let sent = 0;
    let refusals = 0;
    const fill = (): void => {
      while (sent < count && peer.send("chat", line(sent))) sent += 1;
      if (sent < count) refusals += 1;
    };
    peer.on("drain", fill);
    fill();
    // It stands still: what was sent before it heard of it came, a window of messages, and nothing is on its way.
    await within(
      (async () => {
        while (received < 64 + CHANNEL_WINDOW || peer.stats.flightBytes > 0) {
          await new Promise(setImmediate);
        }
      })(),
      "a standstill",
    );
    expect(received).toBeLessThanOrEqual(64 + CHANNEL_WINDOW + 64);
    expect(refusals).toBeGreaterThan(0);
    for (let index = 0; index < count; index++) {
      const { value } = await lines.next();
      if (decode(value) !== decode(line(index))) expect.unreachable(`line ${index}`);
    }
    expect(sent).toBe(count);
  },
);

// --- what takes its time ---

testEach(
  "over a slow link send says no, drain says when, and all of it arrives",
  pairings,
  async (pairing) => {
    const { server, client } = await openLinkedPair(
      pairing,
      { delayUs: 5000, rateBytes: 400_000 },
      {},
      { queueBytes: QUEUE_BYTES },
    );
    const count = 300;
    const received: string[] = [];
    server.channel("chat").on("message", (_peer, bytes) => received.push(decode(bytes)));
    let sent = 0;
    let refusals = 0;
    const fill = (): void => {
      expect(client.writable).toBe(true);
      while (sent < count && client.send("chat", line(sent))) sent += 1;
      expect(client.queueBytes).toBeLessThanOrEqual(QUEUE_BYTES);
      if (sent === count) return;
      refusals += 1;
      expect(client.queueBytes).toBeGreaterThan(QUEUE_BYTES - MESSAGE_BYTES);
      expect(client.send("chat", line(sent))).toBe(false);
    };
    client.on("drain", fill);
    fill();
    await until(server.channel("chat"), "message", "300 lines", () => received.length === count);
    expect(received).toEqual(Array.from({ length: count }, (_, index) => decode(line(index))));
    // 16 of them fit the queue, and it is filled anew when half of it is free.
    expect(refusals).toBeGreaterThan(10);
  },
);

testEach("a queue is full by its bytes, or by 1,024 messages", engines, async (engine) => {
  const both = { server: engine, client: engine };
  const { client, relay } = await openLinkedPair(both, {}, {}, { queueBytes: 10_000 });
  relay.partitioned = true;
  for (let index = 0; index < 10; index++) {
    expect(client.writable).toBe(true);
    expect(client.send("chat", new Uint8Array(1000))).toBe(true);
  }
  expect(client.queueBytes).toBe(10_000);
  expect(client.writable).toBe(false);
  expect(client.send("chat", new Uint8Array(1))).toBe(false);
  expect(client.send("chat", new Uint8Array(0))).toBe(true);
  const { client: other } = await openPair(both);
  for (let index = 0; index < 1024; index++)
    expect(other.send("chat", new Uint8Array(1))).toBe(true);
  expect(other.queueBytes).toBe(1024);
  expect(other.send("chat", new Uint8Array(1))).toBe(false);
  await next(other, "drain");
  expect(other.writable).toBe(true);
  expect(other.queueBytes).toBeLessThanOrEqual(512);
});

testEach(
  "what a full queue misses of a broadcast is counted, and told where it was promised",
  engines,
  async (engine) => {
    const both = { server: engine, client: engine };
    const { server, peer, relay } = await openLinkedPair(both, {}, { queueBytes: 4096 });
    relay.partitioned = true;
    const fates: Undelivered[] = [];
    peer.on("undelivered", (message) => fates.push(message));
    for (let index = 0; index < 4; index++) server.broadcast("chat", new Uint8Array(1000));
    expect(server.broadcast("chat", new Uint8Array(1000))).toBe(true);
    await until(peer, "undelivered", "a fate", () => fates.length === 1);
    expect(fates).toEqual([{ channel: "chat", fate: "dropped" }]);
    expect(server.stats.channels.chat.dropped).toBe(1);
  },
);

testEach("a message that ran out of time is told, and holds nobody up", engines, async (engine) => {
  const both = { server: engine, client: engine };
  const { server, client, relay } = await openLinkedPair(both);
  const received: string[] = [];
  server.channel("chat").on("message", (_peer, bytes) => received.push(decode(bytes)));
  const fates: Undelivered[] = [];
  client.on("undelivered", (message) => fates.push(message));
  client.send("chat", encode("first"));
  await until(server.channel("chat"), "message", "the first", () => received.length === 1);
  relay.partitioned = true;
  client.send("chat", encode("too late"), { ttl: 30 });
  client.send("chat", encode("in time"));
  await until(client, "undelivered", "the expiry", () => fates.length === 1);
  expect(fates).toEqual([{ channel: "chat", fate: "expired" }]);
  relay.partitioned = false;
  client.send("chat", encode("last"));
  await until(server.channel("chat"), "message", "the last", () => received.includes("last"));
  expect(received).toEqual(["first", "in time", "last"]);
  expect(client.hostStats.channels.chat.expired).toBe(1);
  expect(server.stats.channels.chat.skipped).toBe(1);
});

testEach(
  "a close gives up what is queued, tells of each, and then of the end",
  engines,
  async (engine) => {
    const both = { server: engine, client: engine };
    const { client, peer, relay } = await openLinkedPair(both);
    relay.partitioned = true;
    for (const end of [client, peer]) {
      const told: string[] = [];
      end.on("undelivered", ({ channel, fate }) => told.push(`${channel} ${fate}`));
      end.on("disconnect", ({ local }) => told.push(`disconnect ${local}`));
      end.send("chat", encode("one"));
      end.send("chat", encode("two"));
      end.send("state", encode("nobody promised it"));
      const over = next(end, "disconnect");
      end.close();
      await over;
      expect(told).toEqual(["chat dropped", "chat dropped", "disconnect true"]);
    }
  },
);

testEach(
  "RealTime beyond the rate is superseded by the newest, never late",
  engines,
  async (engine) => {
    const server = await openServer(arena, engine, { sendRate: 20_000, tickRate: 128 });
    const client = await openClient(arena, engine, server.address);
    const received: number[] = [];
    client.channel("state").on("message", (bytes) => {
      received.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
    });
    server.on("tick", (tick) => {
      const state = new Uint8Array(1000);
      new DataView(state.buffer).setUint32(0, tick);
      server.broadcast("state", state);
    });
    await until(client.channel("state"), "message", "30 states", () => received.length >= 30);
    expect(received).toEqual([...received].sort((left, right) => left - right));
    const { superseded, sent } = server.stats.channels.state;
    expect(superseded).toBeGreaterThan(0);
    expect(sent).toBeLessThan(server.stats.ticks);
  },
);

testEach(
  "time goes on for all in a process that is held up again and again",
  engines,
  async (engine) => {
    const both = { server: engine, client: engine };
    const { server, peer, relay } = await openLinkedPair(both);
    // Somebody keeps the server busy, so that there is always another datagram.
    const busy = await join(server, engine);
    server
      .channel("chat")
      .on("message", (from, bytes) => from.connected && from.send("chat", bytes));
    busy.client.channel("chat").on("message", (bytes) => {
      if (busy.client.connected) busy.client.send("chat", bytes);
    });
    for (let index = 0; index < 8; index++) busy.client.send("chat", Uint8Array.of(index));
    const hold = setInterval(() => {
      const untilMs = performance.now() + 25;
      while (performance.now() < untilMs);
    }, 40);
    relay.partitioned = true;
    peer.send("chat", encode("too late"), { ttl: 50 });
    const told = next<[Undelivered]>(peer, "undelivered");
    const [message] = await told.finally(() => clearInterval(hold));
    expect(message).toEqual({ channel: "chat", fate: "expired" });
  },
);
