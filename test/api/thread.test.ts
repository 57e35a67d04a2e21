/*
 * The native engine's I/O thread: what it goes on with while JavaScript stands still, and that all
 * else is as it is inline. The busy loops here stand for a game's computing or a garbage collection.
 */
import { performance } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import type { IoMode } from "../../lib/index.js";
import { engines } from "../engines.js";
import { arena, encode, join, next, openServer } from "./harness.js";

const STALL_MS = 300;

describe.skipIf(!engines.includes("native"))("on native", () => {
  /**
   * A client with an I/O thread, which is an independent peer therefore, while the JavaScript thread
   * is busy and never comes back to its event loop. It sends every 10 ms. The server does what it
   * can: nothing inline, and everything but handlers on a thread of its own.
   */
  async function stall(io: IoMode) {
    const server = await openServer(arena, "native", { io });
    const { client, peer } = await join(server, "native", server.address, { io: "thread" });
    // A round trip, so that both have measured the link.
    server.channel("chat").on("message", (from, bytes) => from.send("chat", bytes));
    client.send("chat", encode("warm"));
    await next(client.channel("chat"), "message");
    const before = client.stats;
    const peerBefore = peer.stats;
    const end = performance.now() + STALL_MS;
    let sent = 0;
    for (let due = performance.now(); performance.now() < end; ) {
      if (performance.now() < due) continue;
      due += 10;
      client.send("input", Uint8Array.of(sent));
      client.flush();
      sent += 1;
    }
    return { sent, before, after: client.stats, peerBefore, peerAfter: peer.stats };
  }

  test("inline, a stall of JavaScript is one of the peer's acks", async () => {
    const { before, after, peerBefore, peerAfter } = await stall("inline");
    expect(after.packetsSent - before.packetsSent).toBeGreaterThan(15);
    // Of what was under way when it began, acks may have been too.
    expect(after.packetsAcked - before.packetsAcked).toBeLessThanOrEqual(before.packetsInFlight);
    expect(peerAfter.packetsReceived).toBe(peerBefore.packetsReceived);
    expect(peerAfter.packetsSent).toBe(peerBefore.packetsSent);
  });

  test("on a thread, acks go on and the round-trip time stays", async () => {
    const { sent, before, after, peerBefore, peerAfter } = await stall("thread");
    const packets = after.packetsSent - before.packetsSent;
    expect(packets).toBeGreaterThan(15);
    expect(sent).toBeGreaterThan(15);
    // All but what the last moments of the stall had no time for.
    expect(after.packetsAcked - before.packetsAcked).toBeGreaterThan(packets - 10);
    expect(after.packetsLost).toBe(before.packetsLost);
    expect(peerAfter.packetsReceived - peerBefore.packetsReceived).toBeGreaterThan(packets - 10);
    expect(after.rttMs).toBeLessThan(STALL_MS / 10);
  });
});
