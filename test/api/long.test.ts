/*
 * What is longer than a packet, on every pairing of the engines and over a bad link: messages in
 * fragments, blocks with their progress, a consumer that asks to wait, what
 * one end takes of the other, and the verdict of every packet.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import type { BlockProgress } from "../../lib/assembly.js";
import { critical, defineProtocol, realTime, reliable, timeSensitive } from "../../lib/index.js";
import { createRelay } from "../../lib/sim/relay.js";
import { engines, pairings } from "../engines.js";
import type { Engines } from "./harness.js";
import {
  freePort,
  next,
  openClient,
  openServer,
  refusal,
  testEach,
  until,
  within,
} from "./harness.js";

const messageBytesMax = 65_536;
const long = defineProtocol("long/1", {
  state: realTime({ redundancy: "high", messageBytesMax }),
  shots: timeSensitive({ messageBytesMax }),
  loose: reliable({ order: "none", messageBytesMax }),
  chat: reliable({ messageBytesMax, blockBytesMax: 2 ** 24 }),
  trade: critical({ messageBytesMax, blockBytesMax: 2 ** 20 }),
});
const CHANNELS = ["state", "shots", "loose", "chat", "trade"] as const;

/** Bytes that differ from those of another seed, and from themselves in another place. */
function pattern(bytes: number, seed: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let value = seed;
  for (let index = 0; index < bytes; index++) {
    value = (Math.imul(value, 1_103_515_245) + 12_345) >>> 0;
    out[index] = value >>> 24;
  }
  return out;
}
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

async function open(engines: Engines, loss: number, receive = {}) {
  const link = { delayUs: 5000, loss };
  const targetPort = await freePort();
  const relay = await createRelay({ targetPort, seed: 7, up: link, down: link });
  onTestFinished(() => relay.close());
  const publicAddresses = [`127.0.0.1:${relay.port}`];
  const address = `127.0.0.1:${targetPort}`;
  const server = await openServer(long, engines.server, { address, publicAddresses });
  const client = await openClient(long, engines.client, `127.0.0.1:${relay.port}`, { receive });
  await until(server, "connect", "a peer", () => server.peerCount > 0);
  const [peer] = server.peers;
  return { server, client, peer };
}

testEach("messages at every edge of a fragment arrive as they were", pairings, async (pairing) => {
  const server = await openServer(long, pairing.server);
  const client = await openClient(long, pairing.client, server.address);
  const sizes = [1, 1100, 1101, 2048, 2049, 3000, 65_535, 65_536];
  // What a busy machine loses, the first two may lose for good: it is sent again.
  client.on("fate", ({ receipt, channel, fate }) => {
    const size = sent.get(receipt);
    if (fate !== "delivered" && size !== undefined && client.connected) send(channel, size);
  });
  const sent = new Map<number, number>();
  const send = (channel: (typeof CHANNELS)[number], size: number) =>
    sent.set(client.send(channel, pattern(size, size), { receipt: true }), size);
  for (const channel of CHANNELS) {
    const got = new Set<number>();
    server.channel(channel).on("message", (_peer, bytes) => {
      if (same(bytes, pattern(bytes.length, bytes.length))) got.add(bytes.length);
    });
    for (const size of sizes) {
      // RealTime keeps the newest: one at a time.
      send(channel, size);
      await until(server.channel(channel), "message", `${size} B`, () => got.has(size));
    }
    expect(server.stats.channels[channel].received).toBeGreaterThanOrEqual(sizes.length);
  }
});

testEach("over a lossy link they arrive in order, once, whole", pairings, async (pairing) => {
  const { client, peer } = await open(pairing, 0.1);
  const count = 30;
  const got = { chat: [] as boolean[], trade: [] as boolean[] };
  for (const channel of ["chat", "trade"] as const) {
    client.channel(channel).on("message", (bytes) => {
      const seed = got[channel].length;
      got[channel].push(same(bytes, pattern(500 + seed * 331, seed)));
    });
    for (let seed = 0; seed < count; seed++) {
      expect(peer.send(channel, pattern(500 + seed * 331, seed))).toBe(true);
    }
  }
  await until(client.channel("trade"), "message", "all", () => got.trade.length === count);
  await until(client.channel("chat"), "message", "all", () => got.chat.length === count);
  expect([...got.chat, ...got.trade].every((each) => each)).toBe(true);
});

testEach("a receipt of a long message tells one fate", pairings, async (pairing) => {
  const { client } = await open(pairing, 0.05);
  const receipt = client.send("chat", pattern(40_000, 1), { receipt: true });
  const fates: unknown[] = [];
  client.on("fate", (fate) => fates.push(fate));
  await next(client, "fate");
  client.send("chat", pattern(10, 2), { receipt: true });
  await until(client, "fate", "the second", () => fates.length === 2);
  expect(fates[0]).toEqual({ receipt, channel: "chat", fate: "delivered" });
});

testEach("a block arrives whole, and messages overtake it (R-56)", pairings, async (pairing) => {
  const { server, client, peer } = await open(pairing, 0.02);
  const bytes = pattern(600_000, 3);
  const sending: BlockProgress[] = [];
  const receiving: BlockProgress[] = [];
  peer.on("progress", (channel, progress) => {
    expect(channel).toBe("chat");
    receiving.push(progress);
  });
  const blocks: Uint8Array[] = [];
  let lines = 0;
  server.channel("chat").on("block", (_peer, block) => {
    // The line that was sent behind the block came before it.
    expect(lines).toBe(1);
    blocks.push(block);
  });
  server.channel("chat").on("message", () => {
    lines += 1;
  });
  const sent = client.sendBlock("chat", bytes, { onProgress: (each) => sending.push(each) });
  client.send("chat", pattern(10, 4));
  await within(sent, "the block");
  expect(blocks.map((block) => same(block, bytes))).toEqual([true]);
  expect(sending.at(-1)).toEqual({ doneBytes: 600_000, totalBytes: 600_000, state: "done" });
  expect(receiving.at(-1)).toEqual({ doneBytes: 600_000, totalBytes: 600_000, state: "done" });
  expect(sending.length).toBeGreaterThan(3);
  expect(receiving.length).toBeGreaterThan(3);
  for (const progress of [sending, receiving]) {
    const done = progress.map(({ doneBytes }) => doneBytes);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  }
});

testEach("blocks of a channel go one after the other", pairings, async (pairing) => {
  const { client, peer } = await open(pairing, 0);
  const got: number[] = [];
  client.channel("trade").on("block", (block) => got.push(block.length));
  const sizes = [1, 1024, 1025, 200_000];
  await within(Promise.all(sizes.map((size) => peer.sendBlock("trade", pattern(size, 1)))), "all");
  expect(got).toEqual(sizes);
});

testEach("a block that is aborted is given up at both ends", pairings, async (pairing) => {
  const { server, client, peer } = await open(pairing, 0);
  const abort = new AbortController();
  const progress: BlockProgress[] = [];
  peer.on("progress", (_channel, each) => progress.push(each));
  const sent = client.sendBlock("chat", pattern(2 ** 22, 5), { signal: abort.signal });
  const outcome = sent.then(
    () => "sent",
    (error: unknown) => error,
  );
  await until(peer, "progress", "a part of it", () => progress.length > 0);
  const reason = new Error("enough");
  abort.abort(reason);
  expect(await outcome).toBe(reason);
  await until(peer, "progress", "its end", () => progress.at(-1)?.state === "given up");
  // The next one is not disturbed by what was left of it.
  const got = next<[unknown, Uint8Array]>(server.channel("chat"), "block");
  await within(client.sendBlock("chat", pattern(5000, 6)), "the next");
  expect(same((await got)[1], pattern(5000, 6))).toBe(true);
});

testEach("close({ drain }) waits for blocks", pairings, async (pairing) => {
  const { server, client } = await open(pairing, 0);
  const got = next<[unknown, Uint8Array]>(server.channel("chat"), "block");
  const sent = client.sendBlock("chat", pattern(300_000, 7));
  await Promise.all([client.close({ drain: true }), sent]);
  expect((await got)[1].length).toBe(300_000);
});

testEach("a block ends with its connection", pairings, async (pairing) => {
  const { client, peer } = await open(pairing, 0);
  const refused = refusal(() => client.sendBlock("chat", pattern(2 ** 22, 8)));
  await next(peer, "progress");
  peer.close();
  expect((await refused).code).toBe("ERR_NETRT_CLOSED");
});

describe.each(engines)("on %s", (engine) => {
  test("a channel that takes no blocks says so, and one that does says how much", async () => {
    const { client } = await open({ server: engine, client: engine }, 0);
    const code = async (channel: "state" | "trade", bytes: number) =>
      (await refusal(() => client.sendBlock(channel, new Uint8Array(bytes)))).code;
    expect(await code("state", 1)).toBe("ERR_NETRT_STRATEGY");
    expect(await code("trade", 0)).toBe("ERR_NETRT_MESSAGE_TOO_LARGE");
    expect(await code("trade", 2 ** 20 + 1)).toBe("ERR_NETRT_MESSAGE_TOO_LARGE");
  });

  test("pause makes the peer wait, resume lets it go on; RealTime has nothing to pause", async () => {
    const { client, peer } = await open({ server: engine, client: engine }, 0);
    expect((await refusal(() => client.pause("state"))).code).toBe("ERR_NETRT_STRATEGY");
    client.pause("chat");
    let got = 0;
    client.channel("chat").on("message", () => {
      got += 1;
    });
    for (let index = 0; index < 700; index++) peer.send("chat", pattern(100, index));
    peer.send("trade", pattern(1, 1));
    await next(client.channel("trade"), "message");
    await until(client.channel("chat"), "message", "the window", () => got === 512);
    // Nothing is on its way, yet 188 wait.
    await within(
      (async () => {
        while (peer.stats.flightBytes > 0) await new Promise(setImmediate);
      })(),
      "a standstill",
    );
    expect(got).toBe(512);
    expect(peer.queueBytes).toBe(188 * 100);
    client.resume("chat");
    await until(client.channel("chat"), "message", "all", () => got === 700);
  });
});

testEach("a client dictates the size and number of packets (R-60)", pairings, async (pairing) => {
  const receive = { payloadBytes: 200, packetsPerSecond: 50, bytesPerSecond: 20_000 };
  const { client, peer } = await open(pairing, 0, receive);
  expect(peer.stats).toMatchObject({ payloadBytes: 200, packetRate: 50 });
  expect(peer.stats.sendRate).toBeLessThanOrEqual(20_000);
  const verdicts: { number: number; acked: boolean; bytes: number }[] = [];
  peer.on("packet", (verdict) => verdicts.push(verdict));
  const start = performance.now();
  const bytes = pattern(3000, 9);
  peer.send("chat", bytes);
  const [got] = await next<[Uint8Array]>(client.channel("chat"), "message");
  expect(same(got, bytes)).toBe(true);
  // 24 fragments of 128 B, each in a packet of its own, 20 ms apart.
  expect(performance.now() - start).toBeGreaterThan(23 * 20 - 40);
  await until(peer, "packet", "their verdicts", () => verdicts.length >= 24);
  for (const { bytes } of verdicts) expect(bytes).toBeLessThanOrEqual(200 + 25);
  // One verdict a packet, in the order of numbers, of which so many have one left out at most.
  const steps = verdicts.slice(1).map(({ number }, index) => number - verdicts[index].number);
  expect(steps.filter((step) => step !== 1)).toEqual(steps.includes(2) ? [2] : []);
  // Nothing was lost: what a busy machine let time out was acked late, each.
  await within(
    (async () => {
      while (peer.stats.packetsAckedLate < verdicts.filter(({ acked }) => !acked).length) {
        await new Promise(setImmediate);
      }
    })(),
    "acks of all packets",
  );
  expect(peer.stats.lossOut).toBe(0);
});

testEach("an option that can't be is refused", engines, async (engine) => {
  const address = "127.0.0.1:0";
  for (const options of [
    { congestion: "reno" },
    { receive: { payloadBytes: 199 } },
    { receive: { payloadBytes: 1201 } },
    { receive: { packetsPerSecond: 0 } },
    { receive: { bytesPerSecond: 999 } },
    { assemblyBytes: 1 },
  ]) {
    const error = await refusal(() =>
      openServer(long, engine, { address, ...(options as object) }),
    );
    expect(error.code).toBe("ERR_NETRT_ARGUMENT");
  }
});
