/*
 * What the counters tell: names, plausible values, and that malformed datagrams of every kind move
 * their own counter and nothing else.
 */
import type { Socket } from "node:dgram";
import { describe, expect, test } from "vitest";
import { SUITES_AES } from "../../lib/engine/limits.js";
import { ConnectToken, requestWrite, tokenPublicRead } from "../../lib/engine/token.js";
import { hardwareSuites } from "../../lib/hardware.js";
import {
  type Client,
  connect,
  type PeerStats,
  type Server,
  type ServerStats,
} from "../../lib/index.js";
import { insecureKey } from "../../lib/insecure.js";
import { generateKey, mintToken } from "../../lib/token.js";
import { engines, pairings } from "../engines.js";
import {
  type Arena,
  arena,
  encode,
  join,
  joinSoon,
  next,
  openPair,
  openServer,
  openSocket,
  until,
} from "./harness.js";

const HOST_NAMES = [
  "engine",
  "io",
  "peers",
  "connected",
  "disconnected",
  "denied",
  "challenged",
  "mismatched",
  "repliesDropped",
  "messagesRefused",
  "datagramsIn",
  "datagramsOut",
  "bytesIn",
  "bytesOut",
  "datagramsPerSyscall",
  "kernelDrops",
  "faults",
  "rejected",
  "channels",
];
const SERVER_NAMES = [
  ...HOST_NAMES,
  "ticks",
  "ticksSkipped",
  "tickSlipP50Us",
  "tickSlipP99Us",
  "tickSlipMaxUs",
  "tickSlipHistogram",
  "transportUsPerTick",
  "transportUsPerTickP99",
];

/** The suite that every two engines of this machine agree on (PROTOCOL R-61). */
const CIPHER = (hardwareSuites() & SUITES_AES) !== 0 ? "aes-256-gcm" : "chacha20-poly1305";

/** A session packet with a number that was not used yet. */
function ahead(bytes: Uint8Array): Uint8Array {
  const packet = Buffer.from(bytes);
  packet.writeUIntLE((packet.readUIntLE(1, 3) + 100) & 0xffffff, 1, 3);
  return packet;
}

/** Every number in an object of objects is one, and not below zero. */
function expectNumbers(value: object): void {
  for (const [name, field] of Object.entries(value)) {
    if (typeof field === "object") expectNumbers(field);
    else if (name === "cipher") expect(field).toBe(CIPHER);
    else if (name !== "engine" && name !== "io")
      expect(field, name).toSatisfy((n) => Number.isFinite(n) && n >= 0);
  }
}

describe.each(pairings)("server on $server, client on $client", (pairing) => {
  test("what was exchanged is what was counted", async () => {
    const { server, client, peer } = await openPair(pairing);
    const sizes = Array.from({ length: 50 }, (_, index) => 10 + index);
    for (const size of sizes) client.send("chat", new Uint8Array(size));
    const { chat: queue } = server.stats.channels;
    expect(queue.received).toBe(0);
    let received = 0;
    server.channel("chat").on("message", () => {
      received += 1;
    });
    await until(server.channel("chat"), "message", "50 lines", () => received === 50);
    // Its packet tells the client that all 50 arrived.
    peer.send("state", encode("world"));
    await next(client.channel("state"), "message");
    // A round more, so that both have measured the link.
    client.send("input", encode("input"));
    await next(server.channel("input"), "message");
    const { hostStats, stats: clientStats } = client;
    const { stats: serverStats } = server;
    const peerStats = peer.stats;
    for (const stats of [hostStats, clientStats, serverStats, peerStats]) expectNumbers(stats);
    expect(Object.keys(serverStats).sort()).toEqual([...SERVER_NAMES].sort());
    expect(Object.keys(hostStats).sort()).toEqual([...HOST_NAMES].sort());
    expect(Object.keys(serverStats.channels)).toEqual(["input", "state", "chat"]);
    const bytes = sizes.reduce((sum, size) => sum + size);
    expect(hostStats.channels.chat).toMatchObject({ sent: 50, acked: 50, expired: 0, dropped: 0 });
    expect(hostStats.channels.chat.bytesSent).toBeGreaterThanOrEqual(bytes);
    expect(serverStats.channels.chat).toMatchObject({ received: 50, bytesReceived: bytes });
    expect(serverStats.channels.state).toMatchObject({ sent: 1, bytesSent: 5 });
    expect(hostStats.channels.state).toMatchObject({ received: 1, bytesReceived: 5 });
    expect(serverStats).toMatchObject({ peers: 1, connected: 1, disconnected: 0, challenged: 1 });
    expect([serverStats.engine, hostStats.engine]).toEqual([pairing.server, pairing.client]);
    expect(serverStats.bytesIn).toBeGreaterThan(bytes);
    expect(serverStats.datagramsIn).toBeLessThanOrEqual(hostStats.datagramsOut);
    expect(serverStats.datagramsPerSyscall.out).toBeGreaterThan(0);
    expect(Object.values(serverStats.rejected).every((count) => count === 0)).toBe(true);
    for (const stats of [clientStats, peerStats]) expectPlausible(stats);
    expect(clientStats.packetsAcked).toBeGreaterThan(0);
    expect(clientStats.packetsReceived).toBeLessThanOrEqual(peerStats.packetsSent);
  });
});

function expectPlausible(stats: PeerStats): void {
  expect(stats.rttMs).toBeGreaterThan(0);
  expect(stats.rttMs).toBeLessThan(1000);
  expect(stats.rttMinimumMs).toBeLessThanOrEqual(stats.rttMs + stats.rttVarianceMs * 4);
  expect(stats.packetsSent).toBeGreaterThan(0);
  expect(stats.packetsReceived).toBeGreaterThan(0);
  expect(stats.packetsAcked + stats.packetsLost + stats.packetsInFlight).toBeLessThanOrEqual(
    stats.packetsSent,
  );
  expect([stats.lossOut, stats.lossIn, stats.packetsLost, stats.packetsMissed]).toEqual([
    0, 0, 0, 0,
  ]);
  // What the window of congestion control leaves of a gigabit.
  expect(stats.sendRate).toBeGreaterThan(1000);
  expect(stats.sendRate).toBeLessThanOrEqual(125_000_000);
  expect(stats.queueMs).toBeCloseTo((stats.queueBytes * 1000) / stats.sendRate);
}

// --- malformed datagrams ---

/** A connection request with the token that these options mint. */
function request(options: Partial<Parameters<typeof mintToken>[0]>): Uint8Array {
  const token = mintToken({
    protocol: arena,
    key: generateKey(),
    clientId: 77n,
    servers: ["127.0.0.1:9"],
    ...options,
  });
  const read = new ConnectToken();
  expect(tokenPublicRead(token, 0, token.length, read)).toBe(true);
  const bytes = new Uint8Array(1078);
  requestWrite(read, bytes, 0);
  return bytes;
}

/** A packet with this prefix byte, long enough for any header and a tag. */
function packet(prefix: number, length = 60): Uint8Array {
  return new Uint8Array(length).fill(7).fill(prefix, 0, 1);
}

const change = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = bytes.slice();
  copy[at] ^= 1;
  return copy;
};

function send(socket: Socket, bytes: Uint8Array, address: string): Promise<void> {
  const port = Number(address.split(":")[1]);
  return new Promise((resolve, reject) => {
    socket.send(bytes, port, "127.0.0.1", (error) => (error === null ? resolve() : reject(error)));
  });
}

/** A message of an honest client: what was sent to the server before it has been looked at then. */
async function settle(server: Server<Arena>, client: Client<Arena>): Promise<ServerStats<Arena>> {
  client.send("chat", encode("still here"));
  client.flush();
  await next(server.channel("chat"), "message");
  return server.stats;
}

/** What must not change, whatever strangers send. */
function still({ stats, peerCount }: Server<Arena>): object {
  const { peers, connected, disconnected, denied, challenged, mismatched, repliesDropped } = stats;
  const { messagesRefused } = stats;
  return {
    ...{ peers, connected, disconnected, denied, challenged, mismatched, repliesDropped },
    ...{ messagesRefused, peerCount },
  };
}

describe.each(engines)("on %s", (engine) => {
  const secret = generateKey();

  test("a stranger's malformed datagrams are counted, by reason, and change nothing else", async () => {
    const server = await openServer(arena, engine, { secret });
    const key = secret;
    const servers = [server.address];
    const token = mintToken({ protocol: arena, key, clientId: 5n, servers });
    const client = await connect(arena, token, { engine });
    await settle(server, client);
    const before = still(server);
    const events: string[] = [];
    for (const event of ["connect", "disconnect"] as const) {
      server.once(event, () => events.push(event));
    }
    const stranger = await openSocket();
    stranger.once("message", () => events.push("an answer"));
    const good = { key, servers };
    const cases: [keyof ServerStats<Arena>["rejected"], Uint8Array[]][] = [
      ["size", [new Uint8Array(0), packet(0x15, 1), packet(0x15, 17), packet(0x15, 1226)]],
      ["size", [packet(0x15, 1400), packet(0x15, 9000), packet(0, 1077), packet(0, 1079)]],
      ["type", [packet(0x17), packet(0x1f), packet(0x11), packet(0x12)]],
      ["sequenceBytes", [packet(0x05), packet(0x95), packet(0xf6)]],
      ["address", [packet(0x13), packet(0x14), packet(0x15), packet(0x16), packet(0x15, 1225)]],
      ["version", [change(request(good), 12)]],
      ["protocol", [request({ ...good, protocol: "other/1" })]],
      ["expired", [request({ ...good, now: Date.now() - 60_000 })]],
      ["token", [request({ servers }), change(request(good), 1077), change(request(good), 30)]],
      ["server", [request({ ...good, servers: ["127.0.0.1:9"] })]],
      ["clientConnected", [request({ ...good, clientId: 5n })]],
    ];
    for (const [reason, datagrams] of cases) {
      const { rejected } = server.stats;
      for (const bytes of datagrams) await send(stranger, bytes, server.address);
      const after = await settle(server, client);
      expect(after.rejected).toEqual({
        ...rejected,
        [reason]: rejected[reason] + datagrams.length,
      });
      expect(still(server)).toEqual(before);
    }
    expect(events).toEqual([]);
    await client.close();
  });

  test("used tokens, full servers, replays and forgeries", async () => {
    const front = await openSocket();
    const back = await openSocket();
    const address = `127.0.0.1:${front.address().port}`;
    const publicAddresses = [address, "127.0.0.1:0"];
    const server = await openServer(arena, engine, { publicAddresses, maxPeers: 2 });
    let client = 0;
    let last = new Uint8Array(0);
    let first = new Uint8Array(0);
    front.on("message", (bytes, from) => {
      client = from.port;
      last = new Uint8Array(bytes);
      if ((bytes[0] & 15) === 0) first = last;
      void send(back, bytes, server.address);
    });
    back.on("message", (bytes) => front.send(bytes, client, "127.0.0.1"));
    const joined = await join(server, engine, address);
    const before = still(server);
    const cases: [keyof ServerStats<Arena>["rejected"], () => Uint8Array][] = [
      ["replay", () => last],
      ["seal", () => change(ahead(last), last.length - 1)],
      ["key", () => packet(0x86, 26).fill(0x10, 1, 9)],
      ["addressConnected", () => first],
    ];
    for (const [reason, make] of cases) {
      const { rejected } = await settle(server, joined.client);
      await send(back, make(), server.address);
      const after = await settle(server, joined.client);
      expect(after.rejected).toEqual({ ...rejected, [reason]: rejected[reason] + 1 });
      expect(still(server)).toEqual(before);
    }
    const stranger = await openSocket();
    await joined.client.close();
    const second = await joinSoon(server, engine);
    await send(stranger, first, server.address);
    const { rejected } = await settle(server, second.client);
    expect(rejected.tokenUsed).toBe(1);
    await joinSoon(server, engine);
    const { denied } = server.stats;
    const answer = next(stranger, "message");
    const late = request({ key: insecureKey(), servers: [address] });
    await send(stranger, late, server.address);
    const [bytes] = await answer;
    expect(bytes.length).toBeLessThan(late.length);
    const full = await settle(server, second.client);
    expect(full.rejected.full).toBe(1);
    expect(full.denied).toBe(denied + 1);
  });

  test("a client counts what strangers send it, and goes on", async () => {
    const { server, client, peer } = await openPair({ server: engine, client: engine });
    const stranger = await openSocket();
    for (const bytes of [packet(0x15), packet(0x12), packet(0, 1078), packet(0x15, 3)]) {
      await send(stranger, bytes, peer.address);
    }
    peer.send("chat", encode("hello"));
    await next(client.channel("chat"), "message");
    const { rejected } = client.hostStats;
    expect(rejected).toMatchObject({ address: 2, type: 1, size: 1 });
    expect([client.connected, server.peerCount]).toEqual([true, 1]);
  });
});
