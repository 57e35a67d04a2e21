/*
 * The native engine's I/O thread: what it goes on with while JavaScript stands still, and that all
 * else is as it is inline. The busy loops here stand for a game's computing or a garbage collection.
 */
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { connect, createServer, type IoMode } from "../../lib/index.js";
import { compilePackage } from "../addon/compile.js";
import { engines } from "../engines.js";
import {
  arena,
  decode,
  encode,
  join,
  next,
  openClient,
  openPair,
  openServer,
  refusal,
  spin,
  until,
  within,
} from "./harness.js";
import { type ShareData, shared } from "./share.js";

const STALL_MS = 300;
const PACKETS = 20;

describe.skipIf(!engines.includes("native"))("on native", () => {
  /**
   * A client with an I/O thread, which is an independent peer therefore, while the JavaScript thread
   * is busy and never comes back to its event loop: for STALL_MS, and until the client has sent
   * PACKETS, and `done`. The server does what it can: nothing inline, and everything but handlers on
   * a thread of its own.
   */
  async function stall(io: IoMode, done: (acked: number) => boolean) {
    const server = await openServer(arena, "native", { io });
    const { client, peer } = await join(server, "native", server.address, { io: "thread" });
    // A round trip, so that both have measured the link.
    server.channel("chat").on("message", (from, bytes) => from.send("chat", bytes));
    client.send("chat", encode("warm"));
    await next(client.channel("chat"), "message");
    const before = client.stats;
    const peerBefore = peer.stats;
    const beganMs = performance.now();
    let dueMs = beganMs;
    const over = spin(() => {
      const nowMs = performance.now();
      const { packetsSent, packetsAcked } = client.stats;
      if (nowMs >= dueMs) {
        dueMs = nowMs + 10;
        client.send("input", Uint8Array.of(1));
        client.flush();
      }
      const sent = packetsSent - before.packetsSent;
      const acked = packetsAcked - before.packetsAcked;
      return nowMs - beganMs >= STALL_MS && sent >= PACKETS && done(acked);
    });
    expect(over).toBe(true);
    return { before, after: client.stats, peerBefore, peerAfter: peer.stats };
  }

  test("inline, a stall of JavaScript is one of the peer's acks", async () => {
    const { before, after, peerBefore, peerAfter } = await stall("inline", () => true);
    // Of what was under way when it began, acks may have been too.
    expect(after.packetsAcked - before.packetsAcked).toBeLessThanOrEqual(before.packetsInFlight);
    expect(peerAfter.packetsReceived).toBe(peerBefore.packetsReceived);
    expect(peerAfter.packetsSent).toBe(peerBefore.packetsSent);
  });

  test("on a thread, acks go on and the round-trip time stays", async () => {
    // Without that the stall does not end.
    const { after, peerBefore, peerAfter } = await stall("thread", (acked) => acked >= PACKETS);
    expect(peerAfter.packetsReceived - peerBefore.packetsReceived).toBeGreaterThanOrEqual(PACKETS);
    expect(after.rttMs).toBeLessThan(STALL_MS / 2);
  });

  test("a queue that is full tells when there is room, whatever the rhythm", async () => {
    for (const tickRate of [undefined, 128]) {
      const { server, client, peer } = await openPair(
        { server: "native", client: "native" },
        { io: "thread", sendRate: 12_500_000, ...(tickRate === undefined ? {} : { tickRate }) },
      );
      let received = 0;
      client.channel("chat").on("message", (bytes) => {
        expect(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)).toBe(received);
        received += 1;
      });
      const line = new Uint8Array(1000);
      let sent = 0;
      let refusals = 0;
      const fill = (): void => {
        for (; sent < 1500; sent++) {
          new DataView(line.buffer).setUint32(0, sent);
          if (peer.send("chat", line)) continue;
          refusals += 1;
          return;
        }
      };
      peer.on("drain", fill);
      fill();
      await until(client.channel("chat"), "message", "all lines", () => received === 1500);
      expect(refusals).toBeGreaterThan(1);
      expect(server.stats.channels.chat).toMatchObject({ sent: 1500, dropped: 0, expired: 0 });
      await client.close();
    }
  });

  test("messages that nobody reads yet do not keep the thread from the rest", async () => {
    const server = await openServer(arena, "native", { io: "thread" });
    const { client } = await join(server, "native", server.address, { io: "thread" });
    const before = client.stats.packetsAcked;
    let heard = 0;
    let acked = false;
    server.channel("chat").on("message", () => {
      heard += 1;
      // In the middle of reading the ring: more comes meanwhile, and is acked.
      if (heard > 1) return;
      client.send("input", Uint8Array.of(1));
      client.flush();
      acked = spin(() => client.stats.packetsAcked > before + 1);
    });
    client.send("chat", encode("one"));
    client.flush();
    client.send("chat", encode("two"));
    await until(server.channel("chat"), "message", "both lines", () => heard === 2);
    expect(acked).toBe(true);
  });
});

describe("what the engines have", () => {
  const open = { address: "127.0.0.1:0", insecure: true } as const;
  const target = { insecure: true, address: "127.0.0.1:9" } as const;

  test("the JavaScript engine has no I/O thread and shares no port", async () => {
    const error = { code: "ERR_NETRT_ENGINE_UNAVAILABLE" };
    const js = { engine: "js" } as const;
    for (const only of [{ io: "thread" }, { reusePort: true }] as const) {
      expect(await refusal(() => createServer(arena, { ...open, ...js, ...only }))).toMatchObject(
        error,
      );
    }
    expect(await refusal(() => connect(arena, target, { ...js, io: "thread" }))).toMatchObject(
      error,
    );
    const server = await openServer(arena, "js", { io: "inline", reusePort: false });
    expect(server.stats).toMatchObject({ engine: "js", io: "inline" });
  });

  test("nobody has what doesn't exist", async () => {
    for (const engine of engines) {
      const io = "threads" as IoMode;
      const error = { code: "ERR_NETRT_ARGUMENT" };
      expect(await refusal(() => createServer(arena, { ...open, engine, io }))).toMatchObject(
        error,
      );
      const reusePort = 1 as unknown as boolean;
      expect(
        await refusal(() => createServer(arena, { ...open, engine, reusePort })),
      ).toMatchObject(error);
    }
  });
});

describe.skipIf(!engines.includes("native") || process.platform !== "linux")("one port", () => {
  const folder = compilePackage("test/api");
  afterAll(() => fs.rmSync(folder, { recursive: true }));

  async function share(data: ShareData): Promise<{ worker: Worker; address: string }> {
    const worker = new Worker(path.join(folder, "test/api/share.js"), { workerData: data });
    onTestFinished(async () => void (await worker.terminate()));
    const [address] = await next<[string]>(worker, "message");
    return { worker, address };
  }

  async function ask(worker: Worker, what: string): Promise<unknown> {
    const answer = once(worker, "message");
    worker.postMessage(what);
    return (await within(answer, `an answer to ${what}`))[0];
  }

  test("is shared by servers in worker threads, and every client stays with one of them", async () => {
    const first = await share({ name: "first", port: 0, io: "inline" });
    const port = Number(first.address.split(":")[1]);
    const second = await share({ name: "second", port, io: "thread" });
    expect(second.address).toBe(first.address);
    // Only with those that ask for it.
    const alone = { address: first.address, insecure: true, engine: "native" } as const;
    expect(await refusal(() => createServer(shared, alone))).toMatchObject({
      code: "ERR_NETRT_PORT_IN_USE",
    });
    // By their ports alone, 32 clients come to one server once in 2^31 runs.
    const clients = await Promise.all(
      Array.from({ length: 32 }, () => openClient(shared, "native", first.address)),
    );
    const homes = await Promise.all(
      clients.map(async (client) => {
        const names = new Set<string>();
        for (let round = 0; round < 10; round++) {
          client.send("chat", encode("who?"));
          const [bytes] = await next<[Uint8Array]>(client.channel("chat"), "message");
          names.add(decode(bytes));
        }
        expect(names.size).toBe(1);
        return [...names][0];
      }),
    );
    for (const [name, { worker }] of [
      ["first", first],
      ["second", second],
    ] as const) {
      const count = homes.filter((home) => home === name).length;
      expect(count).toBeGreaterThan(0);
      expect(await ask(worker, "count")).toBe(count);
    }
    for (const client of clients) void client.close();
    for (const { worker } of [first, second]) {
      const exited = once(worker, "exit");
      worker.postMessage("close");
      expect(await within(exited, "the end of a worker")).toEqual([0]);
    }
  });
});
