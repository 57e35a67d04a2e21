/*
 * The way in, and every way in which it fails: the client gets a typed error that says which. Tokens
 * that serve once, servers in turn, protocols that differ.
 */
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import {
  connect,
  defineProtocol,
  type MismatchedClient,
  type NetrtError,
  type Protocol,
  realTime,
  reliable,
} from "../../lib/index.js";
import { generateKey, mintToken, tokenToBase64 } from "../../lib/token.js";
import { engines, pairings } from "../engines.js";
import {
  arena,
  decode,
  encode,
  freePort,
  join,
  next,
  openClient,
  openLinkedServer,
  openServer,
  openSocket,
  refusal,
  testEach,
  within,
} from "./harness.js";

const secret = generateKey();

function mint(
  servers: string[],
  options: { clientId?: bigint; key?: Uint8Array; now?: number } = {},
) {
  const { clientId = 1n, key = secret, ...rest } = options;
  return mintToken({ protocol: arena, key, clientId, servers, timeoutSeconds: 1, ...rest });
}

describe.each(pairings)("server on $server, client on $client", (pairing) => {
  const engine = pairing.client;

  test("a full server denies, and the client learns it", async () => {
    const server = await openServer(arena, pairing.server, { maxPeers: 1 });
    await join(server, engine);
    const target = { insecure: true, address: server.address } as const;
    const error = await refusal(() => connect(arena, target, { engine }));
    expect(error.code).toBe("ERR_NETRT_DENIED");
    expect(error.message).toMatch(/full/);
    expect(server.stats).toMatchObject({ denied: 1, peers: 1, rejected: { full: 1 } });
    expect(server.peerCount).toBe(1);
  });

  const { input, state, chat } = arena.channels;
  const differences: [string, Protocol, what: string, here: string, there: string][] = [
    [
      "another policy",
      defineProtocol("api/1", { input: realTime(), state, chat }),
      'channel "input": redundancy',
      "low",
      "high",
    ],
    [
      "another order",
      defineProtocol("api/1", { input, chat, state }),
      "channel 1 is",
      '"chat"',
      '"state"',
    ],
    [
      "another name of a channel",
      defineProtocol("api/1", { input, state, talk: reliable() }),
      "channel 2 is",
      '"talk"',
      '"chat"',
    ],
    [
      "one channel less",
      defineProtocol("api/1", { input, state }),
      "channels",
      '"input", "state"',
      '"input", "state", "chat"',
    ],
    [
      "one channel more",
      defineProtocol("api/1", { input, state, chat, more: reliable() }),
      "channels",
      '"input", "state", "chat", "more"',
      '"input", "state", "chat"',
    ],
  ];
  test.each(differences)(
    "a protocol with %s is refused by name",
    async (_how, other, what, here, there) => {
      const server = await openServer(arena, pairing.server);
      server.on("connect", () => expect.unreachable("a mismatched peer was announced"));
      const refused = next<[MismatchedClient, NetrtError]>(server, "mismatch");
      const target = { insecure: true, address: server.address, clientId: 7n } as const;
      const error = await refusal(() => connect(other, target, { engine }));
      expect(error.code).toBe("ERR_NETRT_PROTOCOL_MISMATCH");
      const text = 'protocol "api/1" differs between server and client:';
      expect(error.message).toBe(`${text} ${what} ${here} here, ${there} there`);
      const [client, seen] = await refused;
      expect(client).toMatchObject({
        id: 7n,
        address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      });
      expect(seen.code).toBe(error.code);
      expect(seen.message).toBe(`${text} ${what} ${there} here, ${here} there`);
      expect(server.peerCount).toBe(0);
    },
  );
});

describe.each(engines)("on %s", (engine) => {
  test("an expired, a foreign, a damaged, a truncated token: told at once", async () => {
    const servers = ["127.0.0.1:9"];
    const expired = mint(servers, { now: Date.now() - 60_000 });
    const foreign = mintToken({ protocol: "other/1", key: secret, clientId: 1n, servers });
    const damaged = mint(servers).fill(0, 0, 13);
    const whole = tokenToBase64(mint(servers));
    const cases: [Uint8Array | string, string, RegExp][] = [
      [expired, "ERR_NETRT_TOKEN_EXPIRED", /expired on this machine's clock/],
      [foreign, "ERR_NETRT_TOKEN_FOREIGN", /protocol id \d+, "api\/1" has \d+/],
      [damaged, "ERR_NETRT_TOKEN_INVALID", /"NETCODE 1.02"/],
      [mint(servers).subarray(0, 2047), "ERR_NETRT_TOKEN_INVALID", /2048 bytes.*of 2047 bytes/],
      [whole.slice(0, -4), "ERR_NETRT_TOKEN_INVALID", /base64 of 2048 bytes/],
      ["", "ERR_NETRT_TOKEN_INVALID", /'' was given/],
      [null as never, "ERR_NETRT_TOKEN_INVALID", /null was given/],
      [{} as never, "ERR_NETRT_TOKEN_INVALID", /\{\} was given/],
    ];
    for (const [token, code, message] of cases) {
      const error = await refusal(() => connect(arena, token, { engine }));
      expect(error.code).toBe(code);
      expect(error.message).toMatch(message);
    }
  });

  test("what comes with the server's first packet is not lost", async () => {
    const front = await openSocket();
    const back = await openSocket();
    const address = `127.0.0.1:${front.address().port}`;
    const server = await openServer(arena, engine, { publicAddresses: [address] });
    const port = Number(server.address.split(":")[1]);
    let welcomed = false;
    server.on("connect", (peer) => {
      peer.send("chat", encode("welcome"));
      server.flush();
      welcomed = true;
      peer.close({ drain: true, reason: "that was all" });
    });
    let client = 0;
    front.on("message", (bytes, from) => {
      client = from.port;
      back.send(bytes, port, "127.0.0.1");
    });
    // No payload gets through until the greeting rides in it, beside the hello.
    back.on("message", (bytes) => {
      const isPayload = (bytes[0] & 15) === 5;
      if (!isPayload || welcomed) front.send(bytes, client, "127.0.0.1");
    });
    const joined = await openClient(arena, engine, address);
    const over = next(joined, "disconnect");
    const [message] = await next(joined.channel("chat"), "message");
    expect(decode(message)).toBe("welcome");
    expect(await over).toMatchObject([{ reason: "closed", text: "that was all" }]);
  });

  // --- AbortSignal ---

  test("a signal that has aborted: nothing begins", async () => {
    const reason = new Error("changed my mind");
    const signal = AbortSignal.abort(reason);
    const target = { insecure: true, address: "127.0.0.1:9" } as const;
    await expect(connect(arena, target, { engine, signal })).rejects.toBe(reason);
    const plain = connect(arena, target, { engine, signal: AbortSignal.abort() });
    await expect(plain).rejects.toMatchObject({ name: "AbortError" });
  });

  test("a signal that aborts on the way in", async () => {
    const target = { insecure: true, address: `127.0.0.1:${await freePort()}` } as const;
    for (const turn of [() => Promise.resolve(), () => new Promise(setImmediate)]) {
      const controller = new AbortController();
      const connecting = connect(arena, target, { engine, signal: controller.signal });
      await turn();
      controller.abort();
      await expect(connecting).rejects.toMatchObject({ name: "AbortError" });
      expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    }
    const signal = AbortSignal.timeout(50);
    const late = connect(arena, target, { engine, signal });
    await expect(late).rejects.toMatchObject({ name: "TimeoutError" });
  });

  test("a signal that aborts later closes the client", async () => {
    const server = await openServer(arena, engine);
    const controller = new AbortController();
    const { client, peer } = await join(server, engine, server.address, {
      signal: controller.signal,
    });
    const ends = Promise.all([next(client, "disconnect"), next(peer, "disconnect")]);
    controller.abort();
    expect(client.connected).toBe(false);
    expect(await ends).toMatchObject([
      [{ reason: "closed", local: true }],
      [{ reason: "closed", local: false }],
    ]);
    await client.close();
  });
});

// --- what takes a time-out ---

testEach("a token of another secret is not answered", pairings, async (pairing) => {
  const engine = pairing.client;
  const server = await openServer(arena, pairing.server, { secret });
  const token = mint([server.address], { key: generateKey() });
  const error = await refusal(() => connect(arena, token, { engine }));
  expect(error.code).toBe("ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT");
  expect(server.stats.rejected.token).toBeGreaterThan(0);
  expect(server.stats.challenged).toBe(0);
});

testEach("a token is good for one connection", pairings, async (pairing) => {
  const engine = pairing.client;
  const server = await openServer(arena, pairing.server, { secret });
  const token = mint([server.address]);
  const client = await connect(arena, token, { engine });
  await client.close();
  const error = await refusal(() => connect(arena, token, { engine }));
  expect(error.code).toBe("ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT");
  expect(server.stats.rejected.tokenUsed).toBeGreaterThan(0);
});

testEach("a token for other servers is not answered", pairings, async (pairing) => {
  const engine = pairing.client;
  const server = await openServer(arena, pairing.server, {
    secret,
    publicAddresses: ["127.0.0.1:9"],
  });
  const error = await refusal(() => connect(arena, mint([server.address]), { engine }));
  expect(error.code).toBe("ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT");
  expect(server.stats.rejected.server).toBeGreaterThan(0);
});

testEach("one connection of a client id at a time", pairings, async (pairing) => {
  const engine = pairing.client;
  const server = await openServer(arena, pairing.server, { secret });
  const first = await connect(arena, mint([server.address], { clientId: 5n }), { engine });
  const again = mint([server.address], { clientId: 5n });
  const error = await refusal(() => connect(arena, again, { engine }));
  expect(error.code).toBe("ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT");
  expect(server.stats.rejected.clientConnected).toBeGreaterThan(0);
  await first.close();
});

testEach("the servers of a token are tried in turn", pairings, async (pairing) => {
  const engine = pairing.client;
  const full = await openServer(arena, pairing.server, { secret, maxPeers: 1 });
  const taken = await connect(arena, mint([full.address], { clientId: 8n }), { engine });
  const server = await openServer(arena, pairing.server, { secret });
  const dead = `127.0.0.1:${await freePort()}`;
  const token = mint([full.address, dead, server.address], { clientId: 9n });
  const client = await within(connect(arena, token, { engine }), "the third server");
  expect(client.address).toBe(server.address);
  await client.close();
  await taken.close();
});

testEach("a server that isn't there", engines, async (engine) => {
  const token = mint([`127.0.0.1:${await freePort()}`]);
  const error = await refusal(() => connect(arena, token, { engine }));
  expect(error.code).toBe("ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT");
  expect(error.message).toMatch(/no server answered/);
});

testEach("a server that goes away before its answer to the response", engines, async (engine) => {
  const front = await openSocket();
  const back = await openSocket();
  const address = `127.0.0.1:${front.address().port}`;
  const server = await openServer(arena, engine, { secret, publicAddresses: [address] });
  const port = Number(server.address.split(":")[1]);
  let challenges = 0;
  front.on("message", (bytes, from) => {
    back.once("message", (answer) => front.send(answer, from.port, from.address));
    if (challenges++ === 0) back.send(bytes, port, "127.0.0.1");
  });
  const error = await refusal(() => connect(arena, mint([address]), { engine }));
  expect(error.code).toBe("ERR_NETRT_CONNECTION_RESPONSE_TIMED_OUT");
  expect(server.stats.challenged).toBe(1);
});

testEach("a server that falls silent", engines, async (engine) => {
  const { server, relay, address } = await openLinkedServer(engine, {}, { secret });
  const connected = next(server, "connect");
  const client = await connect(arena, mint([address]), { engine });
  const [peer] = await connected;
  relay.partitioned = true;
  const ends = await Promise.all([next(client, "disconnect"), next(peer, "disconnect")]);
  const end = { reason: "timedOut", text: "", local: true };
  expect(ends).toEqual([[end], [end]]);
  expect(client.disconnected).toEqual(end);
});

testEach("a token that expires on the way", engines, async (engine) => {
  const token = mintToken({
    protocol: arena,
    key: secret,
    clientId: 1n,
    servers: [`127.0.0.1:${await freePort()}`],
    expireSeconds: 1,
  });
  const error = await refusal(() => connect(arena, token, { engine }));
  expect(error.code).toBe("ERR_NETRT_TOKEN_EXPIRED");
  expect(error.message).toMatch(/before the connection stood/);
});

testEach("a server that closes while a client is on its way", engines, async (engine) => {
  const { server, relay, address } = await openLinkedServer(engine);
  const holdout = await join(server, engine, address);
  relay.partitioned = true;
  holdout.peer.send("chat", new Uint8Array(1));
  server.on("connect", () => expect.unreachable("a server that closes has no new peers"));
  const gone: unknown[] = [];
  server.on("disconnect", (peer) => gone.push(peer));
  const closed = server.close({ drain: true, timeout: 500 });
  const target = { insecure: true, address: server.address } as const;
  // It may hear that the server speaks its protocol before it hears that the server closes.
  const how = await connect(arena, target, { engine }).then(
    async (client) => (await next(client, "disconnect"))[0].reason,
    ({ code }) => code,
  );
  expect(["shutdown", "ERR_NETRT_CLOSED"]).toContain(how);
  await closed;
  expect(gone).toEqual([holdout.peer]);
});

testEach("a signal outlives its clients, and keeps nothing of them", engines, async (engine) => {
  const { signal } = new AbortController();
  const server = await openServer(arena, engine);
  const client = await openClient(arena, engine, server.address, { signal });
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  await client.close();
  expect(getEventListeners(signal, "abort")).toEqual([]);
  const target = { insecure: true, address: `127.0.0.1:${await freePort()}` } as const;
  await refusal(() => connect(arena, { ...target, address: "127.0.0.1" }, { engine, signal }));
  const token = mint([target.address]);
  await refusal(() => connect(arena, token, { engine, signal }));
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
