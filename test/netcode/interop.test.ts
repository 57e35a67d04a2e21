/*
 * A NETCODE 1.02 client and server that were written from the standard alone, against ours, on real
 * sockets: connect, hold, exchange, disconnect, in every combination (R-5 to R-16 as a foreign peer
 * sees them: ).
 */
import { expect, onTestFinished, test } from "vitest";
import {
  ClientState,
  connectNetcode,
  createNetcodeServer,
  type NetcodePeer,
  type NetcodeServer,
} from "../../lib/netcode.js";
import { mintToken } from "../../lib/token.js";
import { next, until, within } from "../api/harness.js";
import { engines } from "../engines.js";
import { mintReferenceToken, ReferenceClient, ReferenceServer } from "../peers/netcode.js";

const PROTOCOL_ID = 0x1122334455667788n;
const KEY = Uint8Array.from({ length: 32 }, (_, index) => index * 7 + 1);
const SIZES = [1, 2, 17, 100, 1199, 1200];
const FAMILIES = ["127.0.0.1:0", "[::1]:0"];

const filled = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, index) => (index * 31 + size) & 255);

/** Waits for what the reference peers tell by plain callbacks. */
function told(check: () => boolean, what: string): Promise<void> {
  return within(
    new Promise((resolve) => {
      const timer = setInterval(() => {
        if (!check()) return;
        clearInterval(timer);
        resolve();
      }, 5);
      onTestFinished(() => clearInterval(timer));
    }),
    what,
  );
}

async function openOurs(engine: (typeof engines)[number], address: string): Promise<NetcodeServer> {
  const server = await createNetcodeServer({
    address,
    protocolId: PROTOCOL_ID,
    privateKey: KEY,
    maxClients: 4,
    engine,
  });
  onTestFinished(() => server.close());
  return server;
}

async function openReference(
  bind: string,
  maxClients = 4,
  filter: () => boolean = () => true,
): Promise<ReferenceServer> {
  const server = await ReferenceServer.listen({
    bind,
    filter,
    protocolId: PROTOCOL_ID,
    privateKey: Buffer.from(KEY),
    maxClients,
  });
  onTestFinished(() => server.close());
  return server;
}

for (const engine of engines) {
  for (const family of FAMILIES) {
    test(`reference client, our server on ${engine}, ${family}`, async () => {
      const server = await openOurs(engine, family);
      const userData = filled(256);
      const connected = next<[NetcodePeer]>(server, "connect");
      const client = await ReferenceClient.open({ bind: family });
      onTestFinished(() => client.close());
      const token = mintReferenceToken({
        protocolId: PROTOCOL_ID,
        privateKey: Buffer.from(KEY),
        clientId: 99n,
        servers: [server.address],
        timeoutSeconds: 1,
        userData: Buffer.from(userData),
      });
      client.connect(token);
      const [peer] = await connected;
      await told(() => client.state === 3, "the reference client connected");
      expect(peer.id).toBe(99n);
      expect(peer.userData).toEqual(userData);
      expect(client.maxClients).toBe(4);
      expect(client.clientIndex).toBe(peer.index);
      // Twice the time-out with keep-alives alone: ten a second from our side.
      const before = client.received.keepAlive ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 2000));
      expect(client.state).toBe(3);
      expect(peer.connected).toBe(true);
      const keepAlives = (client.received.keepAlive ?? 0) - before;
      expect(keepAlives).toBeGreaterThan(8);
      expect(keepAlives).toBeLessThan(25);
      const up: Uint8Array[] = [];
      const down: Uint8Array[] = [];
      peer.on("payload", (bytes) => up.push(bytes.slice()));
      client.onPayload = (payload) => down.push(Uint8Array.from(payload));
      for (const size of SIZES) {
        client.sendPayload(Buffer.from(filled(size)));
        peer.send(filled(size));
      }
      await told(() => up.length === SIZES.length && down.length === SIZES.length, "the payloads");
      expect(up).toEqual(SIZES.map(filled));
      expect(down).toEqual(SIZES.map(filled));
      const gone = next(server, "disconnect");
      client.disconnect();
      expect((await gone)[1]).toBe("disconnected");
    });

    test(`our client on ${engine}, reference server, ${family}`, async () => {
      const server = await openReference(family);
      const states: number[] = [];
      const ours = await connectNetcode(
        mintToken({
          protocolId: PROTOCOL_ID,
          key: KEY,
          clientId: 7n,
          servers: [server.addresses[0]],
          timeoutSeconds: 1,
        }),
        { engine, onState: (state) => states.push(state) },
      );
      onTestFinished(() => ours.close());
      expect(states).toEqual([
        ClientState.sendingRequest,
        ClientState.sendingResponse,
        ClientState.connected,
      ]);
      await told(() => server.connectedCount === 1, "a slot at the reference server");
      await new Promise((resolve) => setTimeout(resolve, 2000));
      expect(server.connectedCount).toBe(1);
      expect(ours.state).toBe(ClientState.connected);
      const up: Uint8Array[] = [];
      const down: Uint8Array[] = [];
      server.onPayload = (_slot, payload) => up.push(Uint8Array.from(payload));
      ours.on("payload", (bytes) => down.push(bytes.slice()));
      for (const size of SIZES) {
        ours.send(filled(size));
        server.sendPayload(0, Buffer.from(filled(size)));
      }
      await told(() => up.length === SIZES.length && down.length === SIZES.length, "the payloads");
      expect(up).toEqual(SIZES.map(filled));
      expect(down).toEqual(SIZES.map(filled));
      await ours.close();
      await told(() => server.connectedCount === 0, "the disconnect at the reference server");
    });
  }

  test(`a full or silent server is passed over for the next of the list, ${engine}`, async () => {
    const full = await openReference("127.0.0.1:0", 1);
    const first = await connectNetcode(
      mintToken({
        protocolId: PROTOCOL_ID,
        key: KEY,
        clientId: 1n,
        servers: [full.addresses[0]],
      }),
      { engine },
    );
    onTestFinished(() => first.close());
    const free = await openReference("127.0.0.1:0");
    const token = mintToken({
      protocolId: PROTOCOL_ID,
      key: KEY,
      clientId: 2n,
      servers: ["127.0.0.1:9", full.addresses[0], free.addresses[0]],
      timeoutSeconds: 1,
    });
    const states: number[] = [];
    const second = await connectNetcode(token, { engine, onState: (state) => states.push(state) });
    onTestFinished(() => second.close());
    expect(states.at(-1)).toBe(ClientState.connected);
    await told(() => free.connectedCount === 1, "a slot at the last server");
  });

  test(`a full server of ours denies, and a slot that becomes free is given again, ${engine}`, async () => {
    const server = await createNetcodeServer({
      address: "127.0.0.1:0",
      protocolId: PROTOCOL_ID,
      privateKey: KEY,
      maxClients: 1,
      engine,
    });
    onTestFinished(() => server.close());
    const open = async (clientId: bigint) => {
      const client = await ReferenceClient.open();
      onTestFinished(() => client.close());
      client.connect(
        mintReferenceToken({
          protocolId: PROTOCOL_ID,
          privateKey: Buffer.from(KEY),
          clientId,
          servers: [server.address],
          timeoutSeconds: 2,
        }),
      );
      return client;
    };
    const first = await open(1n);
    await told(() => first.state === 3, "the first client connected");
    const second = await open(2n);
    await told(() => second.state === -1, "the second client denied");
    const gone = next(server, "disconnect");
    first.disconnect();
    await gone;
    const third = await open(3n);
    await told(() => third.state === 3, "the third client connected");
    expect(server.stats.denied).toBeGreaterThan(0);
    expect(server.stats.peers).toBe(1);
    // A token is good for one connection: the same again is ignored.
    const again = await ReferenceClient.open();
    onTestFinished(() => again.close());
    const used = mintReferenceToken({
      protocolId: PROTOCOL_ID,
      privateKey: Buffer.from(KEY),
      clientId: 4n,
      servers: [server.address],
      timeoutSeconds: 1,
    });
    const away = next(server, "disconnect");
    third.disconnect();
    await away;
    again.connect(used);
    await told(() => again.state === 3, "the token's first use");
    const left = next(server, "disconnect");
    again.disconnect();
    await left;
    const thief = await ReferenceClient.open();
    onTestFinished(() => thief.close());
    thief.connect(used);
    await told(() => thief.state === -2, "the token's second use ignored");
    expect(server.stats.rejected.tokenUsed).toBeGreaterThan(0);
  });

  test(`both sides see a time-out when the other vanishes, ${engine}`, async () => {
    let vanished = false;
    const filter = (): boolean => !vanished;
    const server = await openOurs(engine, "127.0.0.1:0");
    const client = await ReferenceClient.open({ filter });
    onTestFinished(() => client.close());
    const connected = next<[NetcodePeer]>(server, "connect");
    client.connect(
      mintReferenceToken({
        protocolId: PROTOCOL_ID,
        privateKey: Buffer.from(KEY),
        clientId: 5n,
        servers: [server.address],
        timeoutSeconds: 1,
      }),
    );
    await connected;
    await told(() => client.state === 3, "the client connected");
    const gone = next(server, "disconnect");
    vanished = true;
    expect((await gone)[1]).toBe("timedOut");
    vanished = false;
    const reference = await openReference("127.0.0.1:0", 4, filter);
    const ours = await connectNetcode(
      mintToken({
        protocolId: PROTOCOL_ID,
        key: KEY,
        clientId: 6n,
        servers: [reference.addresses[0]],
        timeoutSeconds: 1,
      }),
      { engine },
    );
    const states: number[] = [];
    ours.on("state", (state) => states.push(state));
    vanished = true;
    await until(ours, "state", "the time-out", () =>
      states.includes(ClientState.connectionTimedOut),
    );
  });
}
