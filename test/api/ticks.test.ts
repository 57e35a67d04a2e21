/*
 * A server's ticks: their numbers and times, and what the two rhythms do with messages. From 30 Hz on
 * everything happens on the tick; below, and without ticks, datagrams are served as they come.
 */
import { performance } from "node:perf_hooks";
import { expect, test } from "vitest";
import { DATAGRAMS_PER_TURN_MAX } from "../../lib/engine/limits.js";
import { type EngineName, engines } from "../engines.js";
import { arena, encode, openPair, openServer, openSocket, testEach, until } from "./harness.js";

const rates = engines.flatMap((engine) => [20, 128].map((rate) => ({ engine, rate })));

testEach("ticks count up, none before its time", rates, async ({ engine, rate }) => {
  const beganMs = performance.now();
  const server = await openServer(arena, engine, { tickRate: rate });
  const ticks: number[] = [];
  const earlyMs: number[] = [];
  server.on("tick", (tick) => {
    ticks.push(tick);
    earlyMs.push((tick * 1000) / rate - (performance.now() - beganMs));
  });
  await until(server, "tick", "half a second of ticks", () => ticks.length >= rate / 2);
  const { stats } = server;
  expect(ticks[0]).toBe(0);
  for (let index = 1; index < ticks.length; index++) {
    expect(ticks[index]).toBeGreaterThan(ticks[index - 1]);
  }
  expect(stats.ticks).toBe(ticks.length);
  // Every number either ran or was skipped.
  expect(stats.ticks + stats.ticksSkipped).toBe((ticks.at(-1) as number) + 1);
  expect(Math.max(...earlyMs)).toBeLessThan(0.1);
  expect(stats.tickSlipP50Us).toBeGreaterThanOrEqual(1);
  expect(stats.tickSlipP99Us).toBeGreaterThanOrEqual(stats.tickSlipP50Us);
  expect(stats.tickSlipP50Us).toBeLessThan(50_000);
  expect(stats.tickSlipMaxUs).toBeGreaterThanOrEqual(stats.tickSlipP99Us);
  const { tickSlipHistogram: buckets } = stats;
  expect(buckets.reduce((sum, bucket) => sum + bucket.ticks, 0)).toBe(stats.ticks);
  const slowest = buckets.findLastIndex((bucket) => bucket.ticks > 0);
  expect(stats.tickSlipMaxUs).toBeLessThanOrEqual(buckets[slowest].upToUs);
  if (rate === 128) {
    expect(stats.transportUsPerTick).toBeGreaterThan(0);
    expect(stats.transportUsPerTick).toBeLessThan(8000);
  }
});

// the end of a tick is a flush.
testEach("what a tick sends goes out together at its end", engines, async (engine) => {
  const { server, client, peer } = await openPair(
    { server: engine, client: engine },
    { tickRate: 128 },
  );
  const received: string[] = [];
  client.on("message", (channel, bytes) => received.push(`${channel} ${bytes.length}`));
  const outAtStart: number[] = [];
  let sent = 0;
  server.on("tick", () => {
    outAtStart.push(peer.stats.packetsSent);
    if (sent === 20) return;
    sent += 1;
    for (const channel of ["input", "state", "chat", "chat"] as const) {
      peer.send(channel, new Uint8Array(100));
      server.broadcast(channel, new Uint8Array(100));
    }
    expect(peer.stats.packetsSent).toBe(outAtStart.at(-1));
  });
  const lines = () => received.filter((line) => line.startsWith("chat")).length;
  await until(client, "message", "all lines", () => lines() === 80);
  // 160 messages; the 800 bytes of a tick fill most of one packet, and late ticks share some.
  const packets = peer.stats.packetsSent - outAtStart[0];
  expect(packets).toBeGreaterThan(10);
  expect(packets).toBeLessThan(80);
});

/** One tick of a server that answers at once. */
interface Round {
  /** Round trips since the tick before. */
  readonly trips: number;
  /** Whether this tick and those before it began on time, in a process that was not held up. */
  readonly onTime: boolean;
}

async function rounds(engine: EngineName, tickRate: number): Promise<Round[]> {
  const { server, client } = await openPair({ server: engine, client: engine }, { tickRate });
  const trips: number[] = [];
  const lateMs: number[] = [];
  let count = 0;
  server.channel("chat").on("message", (peer, bytes) => {
    count += 1;
    peer.send("chat", bytes);
  });
  client.channel("chat").on("message", (bytes) => void client.send("chat", bytes));
  server.on("tick", (tick) => {
    trips.push(count);
    lateMs.push(performance.now() - (tick * 1000) / tickRate);
    count = 0;
  });
  client.send("chat", encode("go"));
  await until(server, "tick", "twenty ticks", () => trips.length >= 20);
  const startMs = Math.min(...lateMs);
  const isOnTime = (index: number): boolean => lateMs[index] - startMs < 3;
  return trips.map((number, index) => {
    const before = [index - 3, index - 2, index - 1, index];
    return { trips: number, onTime: index >= 3 && before.every(isOnTime) };
  });
}

testEach("from 30 Hz on messages wait for the tick", engines, async (engine) => {
  // A process that was held up takes what came meanwhile at once, and some turns more.
  for (const { trips, onTime } of await rounds(engine, 30)) {
    if (onTime) expect(trips).toBeLessThanOrEqual(1);
  }
});

testEach("below 30 Hz they are served as they come", engines, async (engine) => {
  const trips = (await rounds(engine, 25)).map((round) => round.trips);
  expect(Math.max(...trips)).toBeGreaterThan(2);
});

testEach("the fastest tick", engines, async (engine) => {
  const { server, client } = await openPair({ server: engine, client: engine }, { tickRate: 1000 });
  await until(server, "tick", "100 ticks", () => server.stats.ticks >= 100);
  expect([server.peerCount, client.connected]).toEqual([1, true]);
});

// The JavaScript engine alone: what the native one leaves for the tick waits in the kernel, which has
// its own idea of how much.
test("datagrams that are too many for one turn do not wait for another tick", async () => {
  const { server } = await openPair({ server: "js", client: "js" }, { tickRate: 30 });
  const port = Number(server.address.split(":")[1]);
  const stranger = await openSocket();
  // Connected, so that a send costs no look-up.
  await new Promise<void>((resolve) => stranger.connect(port, "127.0.0.1", resolve));
  const taken: number[] = [0];
  const steps = (): number[] => taken.slice(1).map((size, index) => size - taken[index]);
  server.on("tick", () => taken.push(server.stats.rejected.size));
  const isSeen = (): boolean => Math.max(...steps()) > DATAGRAMS_PER_TURN_MAX;
  const seen = until(server, "tick", "a tick with more than one turn holds", isSeen);
  let over = false;
  const sending = (async () => {
    while (!over) {
      // As many as the loop takes from a socket at once.
      for (let index = 0; index < 32; index++) stranger.send(Uint8Array.of(1));
      await new Promise(setImmediate);
    }
  })();
  await seen.finally(() => {
    over = true;
  });
  await sending;
});
