/*
 * Every way in which a connection, a client and a server end, and what is told of it at both ends.
 */
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { connect, createServer, type Disconnect, type Peer } from "../../lib/index.js";
import { generateKey, mintToken } from "../../lib/token.js";
import { engines, pairings } from "../engines.js";
import {
  type Arena,
  arena,
  decode,
  encode,
  join,
  joinSoon,
  next,
  openLinkedPair,
  openLinkedServer,
  openPair,
  openServer,
  refusal,
  testEach,
  until,
  within,
} from "./harness.js";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const badLink = { loss: 20, delayUs: 5000, jitterUs: 3000, jitterReorders: true };

/** How it ends at both ends. */
async function endsOf(client: Peer<Arena>, peer: Peer<Arena>): Promise<[Disconnect, Disconnect]> {
  const [[near], [far]] = await Promise.all([
    next<[Disconnect]>(client, "disconnect"),
    next<[Disconnect]>(peer, "disconnect"),
  ]);
  return [near, far];
}

describe.each(pairings)("server on $server, client on $client", (pairing) => {
  test("a client closes: both ends are told why, once", async () => {
    const { server, client, peer } = await openPair(pairing);
    const order: string[] = [];
    peer.on("disconnect", () => order.push("peer"));
    server.on("disconnect", (gone, end) => {
      expect(gone).toBe(peer);
      order.push(`server: ${end.text}`);
    });
    const ends = endsOf(client, peer);
    await client.close({ reason: "seen enough" });
    expect(await ends).toEqual([
      { reason: "closed", text: "seen enough", local: true },
      { reason: "closed", text: "seen enough", local: false },
    ]);
    expect(order).toEqual(["peer", "server: seen enough"]);
    expect(client.disconnected).toEqual((await ends)[0]);
    expect(peer.disconnected).toEqual((await ends)[1]);
    expect([client.connected, peer.connected, client.writable, peer.writable]).toEqual(
      Array(4).fill(false),
    );
    expect([client.queueBytes, peer.queueBytes]).toEqual([0, 0]);
  });

  test("a server closes one peer, and the others stay", async () => {
    const { server, client, peer } = await openPair(pairing);
    const other = await join(server, pairing.client);
    const ends = endsOf(client, peer);
    const reason = "ü".repeat(60);
    peer.close({ reason });
    expect(peer.connected).toBe(false);
    expect(await ends).toEqual([
      { reason: "closed", text: reason, local: false },
      { reason: "closed", text: reason, local: true },
    ]);
    other.client.send("chat", encode("still here"));
    await next(server.channel("chat"), "message");
    expect([...server.peers]).toEqual([other.peer]);
  });

  test("a server closes with all its peers", async () => {
    const { server, client, peer } = await openPair(pairing);
    const other = await join(server, pairing.client);
    const order: string[] = [];
    for (const [name, gone] of [
      ["one", peer],
      ["two", other.peer],
    ] as const) {
      gone.on("disconnect", () => order.push(name));
    }
    server.on("close", () => order.push("close"));
    const ends = Promise.all([endsOf(client, peer), endsOf(other.client, other.peer)]);
    const closed = server.close({ reason: "maintenance" });
    expect(server.close()).toBe(closed);
    await within(closed, "the end of the server");
    const far = { reason: "shutdown", text: "maintenance", local: false };
    expect(await ends).toEqual(Array(2).fill([far, { ...far, local: true }]));
    expect(order).toEqual(["one", "two", "close"]);
    expect(server.peerCount).toBe(0);
  });
});

describe.each(engines)("on %s", (engine) => {
  const both = { server: engine, client: engine };

  test("nothing can be sent after the end, and the error says how it ended", async () => {
    const { server, client, peer } = await openPair(both);
    const ends = endsOf(client, peer);
    peer.close({ reason: "kicked" });
    expect(() => peer.send("chat", encode("late"))).toThrow(
      expect.objectContaining({
        code: "ERR_NETRT_CLOSED",
        message: `the connection to ${peer.address} is closing`,
      }),
    );
    await ends;
    for (const end of [client, peer]) {
      expect(() => end.send("chat", encode("late"))).toThrow(
        expect.objectContaining({
          code: "ERR_NETRT_CLOSED",
          message: `the connection to ${end.address} is over (closed: kicked)`,
        }),
      );
    }
    const closing = server.close();
    expect((await refusal(() => server.broadcast("chat", encode("late")))).code).toBe(
      "ERR_NETRT_CLOSED",
    );
    await closing;
    expect((await refusal(() => server.broadcast("chat", encode("late")))).message).toBe(
      "the server is closed",
    );
    server.flush();
    client.flush();
  });

  test("closing again does nothing, whoever closed first", async () => {
    const { server, client, peer } = await openPair(both);
    const told: Disconnect[] = [];
    client.on("disconnect", (end) => told.push(end));
    const first = client.close({ reason: "first" });
    const second = client.close({ reason: "second", drain: true });
    await within(Promise.all([first, second]), "the end of the client");
    await client.close();
    peer.close();
    expect(told).toEqual([{ reason: "closed", text: "first", local: true }]);
    await server.close();
    await server.close({ drain: true });
    peer.close();
  });

  test("a server that closes ticks no more", async () => {
    const { server, client } = await openPair(both, { tickRate: 128 });
    let closing = false;
    server.on("tick", () => {
      expect(closing).toBe(false);
      server.broadcast("state", encode("world"));
    });
    await next(client.channel("state"), "message");
    closing = true;
    const told = next(client, "disconnect");
    await within(server.close(), "the end of the server");
    await told;
    expect(client.disconnected).toMatchObject({ reason: "shutdown" });
  });

  test("a handler may close whatever called it", async () => {
    const server = await openServer(arena, engine, { tickRate: 128 });
    let closing: Promise<void> | undefined;
    server.on("tick", (tick) => {
      if (tick === 2) closing = server.close();
    });
    await next(server, "close");
    await closing;
    const pair = await openPair(both);
    pair.server.channel("chat").on("message", () => pair.server.close({ reason: "heard it" }));
    pair.client.channel("state").on("message", () => expect.unreachable("nothing comes after"));
    pair.client.send("chat", encode("end it"));
    const [end] = await next(pair.client, "disconnect");
    expect(end).toEqual({ reason: "shutdown", text: "heard it", local: false });
    const third = await openPair(both);
    third.server.on("connect", (peer) => peer.close({ reason: "not you" }));
    const refused = await join(third.server, engine);
    await until(refused.client, "disconnect", "the end", () => !refused.client.connected);
    expect(refused.client.disconnected?.text).toBe("not you");
  });

  test("await using closes a server and its clients", async () => {
    let heard: Disconnect | null = null;
    let address = "";
    {
      await using server = await createServer(arena, {
        address: "127.0.0.1:0",
        insecure: true,
        maxPeers: 4,
        engine,
      });
      address = server.address;
      const { client } = await join(server, engine);
      {
        await using own = client;
        own.send("chat", encode("hello"));
        await next(server.channel("chat"), "message");
      }
      expect(client.disconnected).toMatchObject({ reason: "closed", local: true });
      const other = await join(server, engine);
      other.client.on("disconnect", (end) => {
        heard = end;
      });
    }
    expect(heard).toMatchObject({ reason: "shutdown", local: false });
    await openServer(arena, engine, { address });
  });

  test("an aborted signal closes a server, at whatever time it comes", async () => {
    const before = AbortSignal.abort(new Error("not today"));
    const open = { address: "127.0.0.1:0", insecure: true, maxPeers: 4, engine } as const;
    await expect(createServer(arena, { ...open, signal: before })).rejects.toThrow("not today");
    const during = new AbortController();
    const opening = createServer(arena, { ...open, signal: during.signal });
    during.abort();
    await expect(opening).rejects.toMatchObject({ name: "AbortError" });
    expect(getEventListeners(during.signal, "abort")).toEqual([]);
    const after = new AbortController();
    const { server, client } = await openPair(both, { signal: after.signal });
    const ends = Promise.all([next(server, "close"), next(client, "disconnect")]);
    after.abort();
    await ends;
    expect(client.disconnected).toMatchObject({ reason: "shutdown" });
    expect(getEventListeners(after.signal, "abort")).toEqual([]);
    const unused = new AbortController();
    const closed = await openServer(arena, engine, { signal: unused.signal });
    expect(getEventListeners(unused.signal, "abort")).toHaveLength(1);
    await closed.close();
    expect(getEventListeners(unused.signal, "abort")).toEqual([]);
  });

  // --- iterators ---

  test("an iterator ends when this side closes", async () => {
    const { client, peer } = await openPair(both);
    peer.send("chat", encode("one"));
    peer.send("chat", encode("two"));
    const lines: string[] = [];
    for await (const bytes of client.messages("chat")) {
      lines.push(decode(bytes));
      if (lines.length === 2) void client.close();
    }
    expect(lines).toEqual(["one", "two"]);
    const after = await within(client.messages("chat").next(), "the end of an iterator");
    expect(after).toEqual({ done: true, value: undefined });
  });

  test("an iterator throws when the other side ends it, after what came before", async () => {
    const { client, peer } = await openPair(both);
    const chat = client.messages("chat");
    const state = client.messages("state");
    const waiting = refusal(() => state.next());
    const over = next(client, "disconnect");
    peer.send("chat", encode("last words"));
    peer.close({ drain: true, reason: "kicked" });
    await over;
    expect((await waiting).code).toBe("ERR_NETRT_CLOSED");
    expect((await waiting).message).toMatch(/closed\): kicked/);
    expect(decode((await chat.next()).value)).toBe("last words");
    expect((await refusal(() => chat.next())).message).toMatch(/kicked/);
    expect(await chat.next()).toEqual({ done: true, value: undefined });
    expect((await refusal(() => client.messages("chat").next())).message).toMatch(/kicked/);
  });

  test("an iterator ends by break, and the connection goes on", async () => {
    const { client, peer } = await openPair(both);
    const send = () => peer.send("state", encode("world"));
    send();
    for await (const bytes of client.messages("state")) {
      expect(decode(bytes)).toBe("world");
      break;
    }
    const states = client.messages("state");
    const [first, second, third] = [states.next(), states.next(), states.next()];
    send();
    expect(decode((await within(first, "the first state")).value)).toBe("world");
    send();
    expect(decode((await within(second, "the second state")).value)).toBe("world");
    await states.return?.();
    expect(await within(third, "the end")).toEqual({ done: true, value: undefined });
    expect(await states.next()).toEqual({ done: true, value: undefined });
    expect(client.connected).toBe(true);
  });

  test("statistics of a peer that is gone stay its own", async () => {
    const server = await openServer(arena, engine, { maxPeers: 1 });
    const one = await join(server, engine);
    for (const index of numbers(50)) one.client.send("chat", encode(`line ${index}`));
    await until(server.channel("chat"), "message", "50 lines", () => {
      return server.stats.channels.chat.received >= 50;
    });
    const gone = next(server, "disconnect");
    one.peer.close();
    await gone;
    const { packetsReceived, rttMs } = one.peer.stats;
    expect(packetsReceived).toBeGreaterThan(0);
    await within(one.client.close(), "the end of the client");
    const two = await joinSoon(server, engine);
    expect(two.peer.stats.packetsReceived).toBeLessThan(packetsReceived);
    expect(one.peer.stats).toMatchObject({ packetsReceived, rttMs, queueBytes: 0 });
  });
});

// --- what takes its time ---

testEach(
  "over a bad link, drain delivers everything first: from the client",
  pairings,
  async (pairing) => {
    const { server, client, peer } = await openLinkedPair(pairing, badLink);
    const received: string[] = [];
    server.channel("chat").on("message", (_peer, bytes) => received.push(decode(bytes)));
    client.on("undelivered", () => expect.unreachable("everything was to arrive"));
    const lines = numbers(200).map((index) => `line ${index}`);
    for (const line of lines) client.send("chat", encode(line));
    const ends = endsOf(client, peer);
    const closed = client.close({ drain: true, reason: "done" });
    expect(() => client.send("chat", encode("too late"))).toThrow(/is closing/);
    await within(closed, "the end of the client");
    expect(received).toEqual(lines);
    expect(await ends).toMatchObject([{ local: true }, { reason: "closed", text: "done" }]);
  },
);

testEach(
  "over a bad link, drain delivers everything first: from the server",
  pairings,
  async (pairing) => {
    const linked = await openLinkedPair(pairing, badLink);
    const { server } = linked;
    const second = await join(server, pairing.client, linked.address);
    const lines = numbers(200).map((index) => `line ${index}`);
    const received = [linked.client, second.client].map((client) => {
      const got: string[] = [];
      client.channel("chat").on("message", (bytes) => got.push(decode(bytes)));
      return got;
    });
    for (const line of lines) server.broadcast("chat", encode(line));
    const ends = [linked, second].map(({ client }) => next(client, "disconnect"));
    await within(server.close({ drain: true, reason: "done" }), "the end of the server");
    expect(await Promise.all(ends)).toMatchObject([[{ text: "done" }], [{ text: "done" }]]);
    expect(received).toEqual([lines, lines]);
  },
);

testEach("closing for good while draining ends the drain", engines, async (engine) => {
  const both = { server: engine, client: engine };
  const { client, relay } = await openLinkedPair(both);
  relay.partitioned = true;
  client.send("chat", encode("never"));
  const fates: string[] = [];
  client.on("undelivered", ({ fate }) => fates.push(fate));
  void client.close({ drain: true });
  await within(client.close(), "the end of the client");
  expect(fates).toEqual(["dropped"]);
});

testEach(
  "a drain waits for no message that expired, and delivers what is behind it",
  engines,
  async (engine) => {
    const both = { server: engine, client: engine };
    const { server, client, relay } = await openLinkedPair(both);
    const received: string[] = [];
    server.channel("chat").on("message", (_peer, bytes) => received.push(decode(bytes)));
    relay.partitioned = true;
    client.send("chat", encode("too late"), { ttl: 50 });
    client.send("chat", encode("in time"));
    const fates: string[] = [];
    client.on("undelivered", ({ fate }) => {
      fates.push(fate);
      relay.partitioned = false;
    });
    await within(client.close({ drain: true }), "the end of the client");
    expect(client.disconnected).toMatchObject({ reason: "closed", local: true });
    expect(fates).toEqual(["expired"]);
    expect(received).toEqual(["in time"]);
  },
);

testEach("a drain ends with the connection's time-out at the latest", engines, async (engine) => {
  const secret = generateKey();
  const { relay, address } = await openLinkedServer(engine, {}, { secret });
  const token = mintToken({
    protocol: arena,
    key: secret,
    clientId: 1n,
    servers: [address],
    timeoutSeconds: 1,
  });
  const client = await connect(arena, token, { engine });
  relay.partitioned = true;
  client.send("chat", encode("never"));
  const fates: string[] = [];
  client.on("undelivered", ({ fate }) => fates.push(fate));
  await within(client.close({ drain: true }), "the end of the client");
  expect(client.disconnected).toMatchObject({ reason: "timedOut", local: true });
  expect(fates).toEqual(["dropped"]);
});

testEach("a server doesn't wait for ever for a peer that is silent", engines, async (engine) => {
  const both = { server: engine, client: engine };
  const { server, client, peer, relay } = await openLinkedPair(both);
  relay.partitioned = true;
  peer.send("chat", encode("never"));
  const told: unknown[] = [];
  peer.on("disconnect", (end) => told.push(end));
  server.on("disconnect", (gone, end) => told.push([gone, end]));
  server.on("close", () => told.push("close"));
  await within(server.close({ drain: true, timeout: 50 }), "the end of the server");
  const end = { reason: "shutdown", text: "", local: true };
  expect(told).toEqual([end, [peer, end], "close"]);
  relay.partitioned = false;
  expect(client.connected).toBe(true);
});
