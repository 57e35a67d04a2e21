/*
 * `netrt/netcode` as its users see it: raw payloads, the standard's states, and its ends. Whether
 * it is the standard is what test/peers holds it to.
 */
import { getEventListeners } from "node:events";
import { expect, onTestFinished } from "vitest";
import {
  ClientState,
  connectNetcode,
  createNetcodeServer,
  type NetcodeClient,
  type NetcodeConnectOptions,
  type NetcodePeer,
  type NetcodeServer,
  type NetcodeServerOptions,
} from "../../lib/netcode.js";
import { generateKey, mintToken, tokenToBase64 } from "../../lib/token.js";
import { type EngineName, engines, pairings } from "../engines.js";
import { freePort, next, refusal, testEach, until, within } from "./harness.js";

const PROTOCOL_ID = 0x1122334455667788n;
const privateKey = generateKey();
let clientIds = 100n;

async function openServer(
  engine: EngineName,
  options: Partial<NetcodeServerOptions> = {},
): Promise<NetcodeServer> {
  const server = await createNetcodeServer({
    address: "127.0.0.1:0",
    protocolId: PROTOCOL_ID,
    privateKey,
    maxClients: 8,
    engine,
    ...options,
  });
  onTestFinished(() => server.close());
  return server;
}

function mint(servers: string[], clientId = ++clientIds, more: object = {}): Uint8Array {
  const key = privateKey;
  const timeoutSeconds = 1;
  return mintToken({ protocolId: PROTOCOL_ID, key, clientId, servers, timeoutSeconds, ...more });
}

async function join(
  server: NetcodeServer,
  engine: EngineName,
  options: NetcodeConnectOptions = {},
): Promise<{ client: NetcodeClient; peer: NetcodePeer }> {
  const connected = next<[NetcodePeer]>(server, "connect");
  const client = await connectNetcode(mint([server.address]), { engine, ...options });
  onTestFinished(() => client.close());
  const [peer] = await connected;
  return { client, peer };
}

testEach("payloads of 1 to 1,200 bytes go both ways as they are", pairings, async (pairing) => {
  const server = await openServer(pairing.server);
  const { client, peer } = await join(server, pairing.client);
  expect([server.engine, client.engine]).toEqual([pairing.server, pairing.client]);
  const sizes = [1, 2, 8, 308, 1024, 1100, 1199, 1200];
  const sent = sizes.map((size) => Uint8Array.from({ length: size }, (_, at) => (size + at) & 255));
  const up: Uint8Array[] = [];
  const down: Uint8Array[] = [];
  server.on("payload", (from, bytes) => {
    expect(from).toBe(peer);
    up.push(bytes.slice());
    from.send(bytes);
  });
  client.on("payload", (bytes) => down.push(bytes.slice()));
  for (const bytes of sent) expect(client.send(bytes)).toBe(true);
  await until(client, "payload", "all payloads", () => down.length === sizes.length);
  expect(up).toEqual(sent);
  expect(down).toEqual(sent);
});

testEach("both ends learn of each end", pairings, async (pairing) => {
  const server = await openServer(pairing.server);
  const one = await join(server, pairing.client);
  const gone = next(server, "disconnect");
  const over = next(one.client, "disconnect");
  await within(one.client.close(), "the end of the client");
  expect(await gone).toEqual([one.peer, "disconnected"]);
  expect(await over).toEqual(["closed"]);
  expect([one.client.state, one.peer.connected]).toEqual([ClientState.disconnected, false]);
  const two = await join(server, pairing.client);
  const kicked = Promise.all([next(two.client, "disconnect"), next(two.peer, "disconnect")]);
  two.peer.disconnect();
  expect(await kicked).toEqual([["disconnected"], ["closed"]]);
  const three = await join(server, pairing.client);
  const shut = next(three.client, "disconnect");
  await within(server.close(), "the end of the server");
  expect(await shut).toEqual(["disconnected"]);
  expect([...server.clients]).toEqual([]);
});

testEach("a client is what its token says", engines, async (engine) => {
  const server = await openServer(engine, { maxClients: 2 });
  const userData = new Uint8Array(256).fill(9);
  const states: number[] = [];
  const connected = next<[NetcodePeer]>(server, "connect");
  const token = tokenToBase64(mint([server.address], 2n ** 64n - 1n, { userData }));
  const client = await connectNetcode(token, { engine, onState: (state) => states.push(state) });
  const [peer] = await connected;
  expect([peer.id, peer.userData, peer.connected]).toEqual([2n ** 64n - 1n, userData, true]);
  expect(peer.index).toBeLessThan(2);
  expect(peer.address).toMatch(/^127\.0\.0\.1:\d+$/);
  expect([...server.clients]).toEqual([peer]);
  expect(client.state).toBe(ClientState.connected);
  const moved: number[] = [];
  client.on("state", (state) => moved.push(state));
  await client.close();
  expect(states).toEqual([1, 2, 3, 0]);
  expect(moved).toEqual([0]);
  expect(server.stats).toMatchObject({ engine, connected: 1, denied: 0 });
  expect(client.stats.datagramsOut).toBeGreaterThan(2);
});

testEach("nothing can be sent after the end, and wrong payloads never", engines, async (engine) => {
  const server = await openServer(engine);
  const { client, peer } = await join(server, engine);
  const wrong: [unknown, string, RegExp][] = [
    [new Uint8Array(0), "ERR_NETRT_ARGUMENT", /1 to 1200 bytes, but Uint8Array of 0 bytes/],
    ["text", "ERR_NETRT_ARGUMENT", /payload must be a Uint8Array .*but 'text' was given/],
    [undefined, "ERR_NETRT_ARGUMENT", /undefined was given/],
    [new Uint8Array(1201), "ERR_NETRT_MESSAGE_TOO_LARGE", /1201 bytes .*at most 1200/],
  ];
  for (const [bytes, code, message] of wrong) {
    for (const end of [client, peer]) {
      const error = await refusal(() => end.send(bytes as Uint8Array));
      expect(error.message).toMatch(message);
      expect(error.code).toBe(code);
    }
  }
  const gone = next(peer, "disconnect");
  const closed = client.close();
  expect((await refusal(() => client.send(new Uint8Array(1)))).code).toBe("ERR_NETRT_CLOSED");
  expect(client.close()).toBe(closed);
  await within(closed, "the end of the client");
  await gone;
  expect((await refusal(() => peer.send(new Uint8Array(1)))).code).toBe("ERR_NETRT_CLOSED");
  peer.disconnect();
  const ended = server.close();
  expect(server.close()).toBe(ended);
  await ended;
});

testEach("a full server denies", engines, async (engine) => {
  const server = await openServer(engine, { maxClients: 1 });
  await join(server, engine);
  const states: number[] = [];
  const onState = (state: number): void => void states.push(state);
  const error = await refusal(() => connectNetcode(mint([server.address]), { engine, onState }));
  expect(error.code).toBe("ERR_NETRT_DENIED");
  expect(states.at(-1)).toBe(ClientState.denied);
});

testEach("what comes with the acceptance is not lost", engines, async (engine) => {
  const server = await openServer(engine);
  server.on("connect", (peer) => peer.send(Uint8Array.of(42)));
  const client = await connectNetcode(mint([server.address]), { engine });
  const [bytes] = await next(client, "payload");
  expect([...bytes]).toEqual([42]);
  await client.close();
});

testEach("await using", engines, async (engine) => {
  let gone: Promise<unknown> | undefined;
  {
    await using server = await createNetcodeServer({
      address: "[::1]:0",
      protocolId: PROTOCOL_ID,
      privateKey,
      maxClients: 2,
      engine,
    });
    await using client = await connectNetcode(mint([server.address]), { engine });
    gone = next(server, "disconnect");
    client.send(new Uint8Array(1));
    await next(server, "payload");
  }
  await gone;
});

testEach("AbortSignal before, during and after", engines, async (engine) => {
  const nobody = mint([`127.0.0.1:${await freePort()}`]);
  const reason = new Error("no more");
  const before = connectNetcode(nobody, { engine, signal: AbortSignal.abort(reason) });
  await expect(before).rejects.toBe(reason);
  for (const turn of [() => Promise.resolve(), () => new Promise(setImmediate)]) {
    const controller = new AbortController();
    const connecting = connectNetcode(nobody, { engine, signal: controller.signal });
    await turn();
    controller.abort(reason);
    await expect(connecting).rejects.toBe(reason);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  }
  const server = await openServer(engine);
  const controller = new AbortController();
  const { client, peer } = await join(server, engine, { signal: controller.signal });
  const gone = next(peer, "disconnect");
  controller.abort();
  await gone;
  await within(client.close(), "the end of the client");
  const unused = new AbortController();
  const other = await join(server, engine, { signal: unused.signal });
  await other.client.close();
  expect(getEventListeners(unused.signal, "abort")).toEqual([]);
});

testEach("the standard's failed states are errors", engines, async (engine) => {
  const server = await openServer(engine);
  const nobody = [`127.0.0.1:${await freePort()}`];
  const foreign = mint([server.address], 1n, { key: generateKey() });
  const cases: [Uint8Array, string, number][] = [
    [mint(nobody), "ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT", ClientState.requestTimedOut],
    [foreign, "ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT", ClientState.requestTimedOut],
    [
      mint(nobody, 1n, { expireSeconds: 1, timeoutSeconds: 5 }),
      "ERR_NETRT_TOKEN_EXPIRED",
      ClientState.tokenExpired,
    ],
  ];
  const failed = async ([token, code, last]: (typeof cases)[0]): Promise<void> => {
    const states: number[] = [];
    const onState = (state: number): void => void states.push(state);
    const error = await refusal(() => connectNetcode(token, { engine, onState }));
    expect([error.code, states.at(-1)]).toEqual([code, last]);
  };
  await Promise.all(cases.map(failed));
});

testEach("keep-alives alone hold a connection past its time-out", pairings, async (pairing) => {
  const server = await openServer(pairing.server);
  const { client, peer } = await join(server, pairing.client);
  const events: string[] = [];
  client.on("disconnect", (end) => events.push(end));
  peer.on("disconnect", (end) => events.push(end));
  // A second connection that nobody answers takes the time-out to fail: the first outlives it.
  const nobody = [`127.0.0.1:${await freePort()}`];
  await refusal(() => connectNetcode(mint(nobody), { engine: pairing.client }));
  await refusal(() => connectNetcode(mint(nobody), { engine: pairing.client }));
  expect(events).toEqual([]);
  client.send(new Uint8Array(1));
  await next(server, "payload");
});
