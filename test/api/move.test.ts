/*
 * A client behind a NAT that changes its mind: the connection goes on from the new address, in order, each message once,
 * and the server's user hears of it; on every pairing of engines, and on an I/O thread.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import type { IoMode, Peer } from "../../lib/index.js";
import { engines, pairings } from "../engines.js";
import { type Arena, join, next, openLinkedPair, type Pair, testEach, until } from "./harness.js";

const MESSAGES = 150;
const BEFORE = 30;
const EVERY_MS = 8;
/** The token's, which an insecure connection has as well: who doesn't move is gone by then. */
const TIMEOUT_MS = 5000;
const LINK = { loss: 2, delayUs: 5000, jitterUs: 1000 };

const bytesOf = (number: number) => Uint8Array.of(number & 0xff, number >>> 8);
const numberOf = (bytes: Uint8Array) => bytes[0] + 256 * bytes[1];
const numbers = Array.from({ length: MESSAGES }, (_, index) => index);

/** A round trip: both know by then that the other has the keys, before which no connection moves. */
async function greet({ client, peer }: Omit<Pair, "server">): Promise<void> {
  client.send("chat", bytesOf(0));
  await next(peer, "message");
  peer.send("chat", bytesOf(0));
  await next(client, "message");
}

interface Case {
  readonly server: "native" | "js";
  readonly client: "native" | "js";
  readonly io?: IoMode;
}

const threads: readonly Case[] = engines.includes("native")
  ? [{ server: "native", client: "native", io: "thread" }]
  : [];

describe("a client at another address", () => {
  testEach<Case>("stays connected under traffic", [...pairings, ...threads], async (one) => {
    const io = one.io === undefined ? {} : { io: one.io };
    const pair = await openLinkedPair(one, LINK, io, io);
    const { server, client, peer, relay } = pair;
    const up: number[] = [];
    const down: number[] = [];
    server.channel("chat").on("message", (_, bytes) => up.push(numberOf(bytes)));
    client.channel("chat").on("message", (bytes) => down.push(numberOf(bytes)));
    // Both say a number now and then, whatever happens.
    let said = 0;
    const timer = setInterval(() => {
      client.send("chat", bytesOf(said));
      peer.send("chat", bytesOf(said));
      said += 1;
      if (said === MESSAGES) clearInterval(timer);
    }, EVERY_MS);
    onTestFinished(() => clearInterval(timer));
    await until(server.channel("chat"), "message", "a beginning", () => up.length >= BEFORE);
    const before = peer.address;
    const moves: [peer: Peer<Arena>, from: string, to: string][] = [];
    peer.on("move", (from) => moves.push([peer, from, peer.address]));
    const beganMs = performance.now();
    relay.rebind();
    const [moved, from] = await next<[Peer<Arena>, string]>(server, "move");
    expect(performance.now() - beganMs).toBeLessThan(TIMEOUT_MS);
    expect(moved).toBe(peer);
    expect(from).toBe(before);
    expect(peer.address).not.toBe(before);
    expect(moves).toEqual([[peer, before, peer.address]]);
    await Promise.all([
      until(server.channel("chat"), "message", "all of the client", () => up.length >= MESSAGES),
      until(client.channel("chat"), "message", "all of the server", () => down.length >= MESSAGES),
    ]);
    expect(up).toEqual(numbers);
    expect(down).toEqual(numbers);
    expect([peer.stats.moves, client.stats.moves]).toEqual([1, 1]);
    expect(client.address).toBe(pair.address);
    expect(client.disconnected ?? peer.disconnected).toBeNull();
  });

  testEach("is found again though nobody says a word", pairings, async (one) => {
    const pair = await openLinkedPair(one);
    const { server, peer, client, relay } = pair;
    await greet(pair);
    for (const count of [1, 2]) {
      relay.rebind();
      await next(server, "move");
      expect(peer.stats.moves).toBe(count);
    }
    peer.send("chat", bytesOf(7));
    const [bytes] = await next<[Uint8Array]>(client.channel("chat"), "message");
    expect(numberOf(bytes)).toBe(7);
  });

  test.each(engines)("of several that move at once each stays itself (%s)", async (engine) => {
    const first = await openLinkedPair({ server: engine, client: engine });
    const { server, relay, address } = first;
    const all: Omit<Pair, "server">[] = [first];
    while (all.length < 4) all.push(await join(server, engine, address));
    await Promise.all(all.map(greet));
    const moved = new Set<Peer<Arena>>();
    server.on("move", (peer) => moved.add(peer));
    relay.rebind();
    await until(server, "move", "all to move", () => moved.size === all.length);
    expect(new Set(all.map(({ peer }) => peer.address)).size).toBe(all.length);
    const heard = all.map(({ client }) => next<[Uint8Array]>(client.channel("chat"), "message"));
    for (const [index, { peer }] of all.entries()) peer.send("chat", bytesOf(index));
    const got = await Promise.all(heard);
    expect(got.map(([bytes]) => numberOf(bytes))).toEqual([0, 1, 2, 3]);
  });
});
