// Sessions between the reference client and the reference server: first on a simulated network in simulated time,
// where a time-out costs no waiting, then over real sockets.

import { describe, expect, it, onTestFinished } from "vitest";
import {
  CLIENT_STATES,
  type DisconnectReason,
  decodePublicToken,
  mintReferenceToken,
  type OutgoingPacket,
  openPacket,
  PACKET_TYPES,
  PAYLOAD_BYTES_MAX,
  ReferenceClient,
  ReferenceServer,
  sealPacket,
} from "./netcode.js";
import {
  CLIENT,
  connectedPair,
  privateKey,
  protocolId,
  SECOND,
  SERVER,
  Simulation,
} from "./netcode-simulation.js";

describe("connecting", () => {
  it("goes through the states of the standard and into the lowest free slot", () => {
    const net = new Simulation();
    const server = net.server();
    const slots: number[] = [];
    server.onConnect = (slot) => slots.push(slot.index);
    for (let index = 0; index < 4; index++) {
      const client = net.client(`10.0.0.9:${5000 + index}`);
      const states: number[] = [];
      client.onState = (state) => states.push(state);
      const userData = Buffer.from(`user ${index}`);
      client.connect(net.mint({ clientId: BigInt(index), userData }));
      net.run(0.5);
      expect(states).toEqual([1, 2, 3]);
      expect([client.clientIndex, client.maxClients]).toEqual([index, 4]);
      expect(server.slots[index]?.clientId).toBe(BigInt(index));
      expect(server.slots[index]?.userData.subarray(0, 6)).toEqual(userData);
    }
    expect(slots).toEqual([0, 1, 2, 3]);
    expect(server.connectedCount).toBe(4);
  });

  it("keeps the sequences of packets before and after the slot apart", () => {
    const { net, token } = connectedPair();
    const key = decodePublicToken(token)?.serverToClientKey ?? Buffer.alloc(32);
    const fromServer = net.captured.filter((packet) => packet.from === SERVER);
    const [challenge, keepAlive] = fromServer.map(({ bytes }) =>
      openPacket(bytes, key, protocolId),
    );
    expect([challenge?.type, challenge?.sequence]).toEqual([PACKET_TYPES.challenge, 1n << 63n]);
    expect([keepAlive?.type, keepAlive?.sequence]).toEqual([PACKET_TYPES.keepAlive, 0n]);
  });

  it("asks ten times a second and answers each request with less", () => {
    const net = new Simulation();
    net.server();
    const client = net.client(CLIENT, { filter: (packet) => packet.name !== "response" });
    client.connect(net.mint({ timeoutSeconds: 60 }));
    net.run(0.02);
    net.run(2);
    const responses = client.suppressed.response;
    expect(responses).toBeGreaterThanOrEqual(16);
    expect(responses).toBeLessThanOrEqual(20);
    for (const { from, bytes } of net.captured) {
      if (from === SERVER) expect(bytes.length).toBeLessThan(1078);
    }
  });

  it("survives lost requests, challenges, responses and keep-alives", () => {
    const net = new Simulation();
    const everyThird = () => {
      let count = 0;
      return () => ++count % 3 === 0;
    };
    const server = net.server(SERVER, { filter: everyThird() });
    const client = net.client(CLIENT, { filter: everyThird() });
    client.connect(net.mint({ timeoutSeconds: 20 }));
    net.run(10);
    expect(client.state).toBe(CLIENT_STATES.connected);
    for (const name of ["request", "response"] as const) {
      expect(client.suppressed[name]).toBeGreaterThan(0);
    }
    for (const name of ["challenge", "keepAlive"] as const) {
      expect(server.suppressed[name]).toBeGreaterThan(0);
    }
  });

  it("has a bad token as state -5", () => {
    const client = new Simulation().client();
    client.connect(Buffer.alloc(2048));
    expect(client.state).toBe(CLIENT_STATES.invalidToken);
  });

  it("is denied when the server is full, and counts it", () => {
    const net = new Simulation();
    const server = net.server(SERVER, { maxClients: 1 });
    net.client("10.0.0.8:1").connect(net.mint({ clientId: 1n }));
    net.run(0.5);
    const second = net.client();
    second.connect(net.mint({ clientId: 2n }));
    net.run(0.5);
    expect(second.state).toBe(CLIENT_STATES.denied);
    expect(server.sent.denied).toBeGreaterThanOrEqual(1);
    expect(server.ignored.requestServerFull).toBeGreaterThanOrEqual(1);
  });

  it("is denied on the response when the last slot went meanwhile", () => {
    const net = new Simulation();
    const server = net.server(SERVER, { maxClients: 1 });
    const slow = net.client(CLIENT, { filter: (packet) => packet.name !== "response" });
    slow.connect(net.mint({ clientId: 1n }));
    net.run(0.2);
    net.client("10.0.0.8:1").connect(net.mint({ clientId: 2n }));
    net.run(0.5);
    slow.filter = undefined;
    net.run(0.5);
    expect(slow.state).toBe(CLIENT_STATES.denied);
    expect(server.ignored.responseServerFull).toBeGreaterThanOrEqual(1);
  });
});

describe("payloads", () => {
  it("of 1 to 1,200 bytes arrive both ways as they were", () => {
    const { net, server, client } = connectedPair();
    const atServer: Buffer[] = [];
    const atClient: Buffer[] = [];
    server.onPayload = (_slot, payload) => atServer.push(payload);
    client.onPayload = (payload) => atClient.push(payload);
    const sent: Buffer[] = [];
    for (let size = 1; size <= PAYLOAD_BYTES_MAX; size++) {
      const payload = Buffer.alloc(size, size % 251);
      sent.push(payload);
      expect(client.sendPayload(payload)).toBe(true);
      expect(server.sendPayload(0, payload)).toBe(true);
    }
    net.run(0.1);
    expect(atServer).toEqual(sent);
    expect(atClient).toEqual(sent);
  });

  it("of other sizes, or without a connection, are refused", () => {
    const { server, client } = connectedPair();
    for (const size of [0, 1201]) {
      expect(client.sendPayload(Buffer.alloc(size))).toBe(false);
      expect(server.sendPayload(0, Buffer.alloc(size))).toBe(false);
    }
    expect(server.sendPayload(1, Buffer.alloc(1))).toBe(false);
    expect(new Simulation().client().sendPayload(Buffer.alloc(1))).toBe(false);
  });

  it("have a keep-alive before each until the client is confirmed", () => {
    const net = new Simulation();
    const server = net.server();
    const client = net.client(CLIENT, { filter: (packet) => packet.name !== "keepAlive" });
    server.onConnect = (slot) => {
      for (let count = 0; count < 3; count++) server.sendPayload(slot.index, Buffer.from("x"));
    };
    const got: bigint[] = [];
    client.onPayload = (_payload, sequence) => got.push(sequence);
    client.connect(net.mint());
    net.run(0.25);
    expect(server.slots[0]?.confirmed).toBe(false);
    expect(got).toEqual([2n, 4n, 6n]);
    client.filter = undefined;
    net.run(0.2);
    expect(server.slots[0]?.confirmed).toBe(true);
    const before = server.sent.keepAlive;
    server.sendPayload(0, Buffer.from("x"));
    expect(server.sent.keepAlive).toBe(before);
  });

  it("are taken once, whatever the network repeats", () => {
    const { net, server, client } = connectedPair();
    let count = 0;
    server.onPayload = () => count++;
    client.sendPayload(Buffer.from("once"));
    const wire = net.captured[net.captured.length - 1].bytes;
    for (let copy = 0; copy < 5; copy++) net.inject(CLIENT, SERVER, wire);
    net.run(0.1);
    expect(count).toBe(1);
    expect(server.ignored.replayed).toBe(5);
  });
});

describe("silence", () => {
  it("is filled with keep-alives at 10 Hz past any time-out", () => {
    const { net, server, client } = connectedPair();
    const before = { client: client.sent.keepAlive, server: server.sent.keepAlive };
    net.run(20);
    expect(client.state).toBe(CLIENT_STATES.connected);
    expect(server.connectedCount).toBe(1);
    for (const count of [
      client.sent.keepAlive - before.client,
      server.sent.keepAlive - before.server,
    ]) {
      expect(count).toBeGreaterThanOrEqual(160);
      expect(count).toBeLessThanOrEqual(201);
    }
  });

  it("times out the client (-4) and the server's slot", () => {
    const { net, server, client } = connectedPair();
    const reasons: DisconnectReason[] = [];
    server.onDisconnect = (_slot, reason) => reasons.push(reason);
    client.filter = () => false;
    server.filter = () => false;
    net.run(4.8);
    expect([client.state, server.connectedCount]).toEqual([CLIENT_STATES.connected, 1]);
    net.run(0.5);
    expect(client.state).toBe(CLIENT_STATES.connectionTimedOut);
    expect(reasons).toEqual(["timedOut"]);
    expect(server.mappings.size).toBe(0);
  });

  it("never times out with a negative time-out", () => {
    const { net, server, client } = connectedPair({ timeoutSeconds: -1 });
    client.filter = () => false;
    server.filter = () => false;
    net.run(60);
    expect([client.state, server.connectedCount]).toEqual([CLIENT_STATES.connected, 1]);
  });

  it("is -2 before a challenge and -3 after it", () => {
    const net = new Simulation();
    const client = net.client();
    client.connect(net.mint());
    net.run(4.9);
    expect(client.state).toBe(CLIENT_STATES.sendingRequest);
    net.run(0.2);
    expect(client.state).toBe(CLIENT_STATES.requestTimedOut);
    net.server();
    client.filter = (packet) => packet.name !== "response";
    client.connect(net.mint());
    net.run(5.5);
    expect(client.state).toBe(CLIENT_STATES.responseTimedOut);
  });

  it("ends a handshake: a response after the time-out finds no key", () => {
    const net = new Simulation();
    const server = net.server();
    let held = Buffer.alloc(0);
    const filter = (packet: OutgoingPacket) => {
      if (packet.name === "response") held = Buffer.from(packet.bytes);
      return packet.name !== "response";
    };
    net.client(CLIENT, { filter }).connect(net.mint({ timeoutSeconds: 2 }));
    net.run(2.2);
    net.inject(CLIENT, SERVER, held);
    net.run(0.02);
    expect([server.received.request, server.received.response]).toEqual([1, 0]);
    expect(server.ignored.noKey).toBe(1);
  });

  it("ends a handshake even while other packets come from its address", () => {
    const net = new Simulation();
    const server = net.server();
    const client = net.client(CLIENT, { filter: (packet) => packet.name === "request" });
    client.connect(net.mint({ timeoutSeconds: 2 }));
    net.run(0.1);
    for (let second = 0; second < 3; second++) {
      net.inject(CLIENT, SERVER, Buffer.alloc(18, 0x15));
      net.run(1);
    }
    expect([server.ignored.unopened, server.ignored.noKey]).toEqual([2, 1]);
  });
});

describe("disconnecting", () => {
  it("by the client sends ten packets and frees the slot", () => {
    const { net, server, client } = connectedPair();
    const reasons: DisconnectReason[] = [];
    server.onDisconnect = (_slot, reason) => reasons.push(reason);
    client.disconnect();
    expect([client.state, client.sent.disconnect]).toEqual([CLIENT_STATES.disconnected, 10]);
    net.run(0.1);
    expect(reasons).toEqual(["clientDisconnect"]);
    expect([server.connectedCount, server.ignored.noKey]).toEqual([0, 9]);
  });

  it("by the server sends ten packets and leads to state 0", () => {
    const { net, server, client } = connectedPair();
    const reasons: DisconnectReason[] = [];
    server.onDisconnect = (_slot, reason) => reasons.push(reason);
    server.disconnect(0);
    expect([server.connectedCount, server.sent.disconnect]).toEqual([0, 10]);
    net.run(0.1);
    expect(client.state).toBe(CLIENT_STATES.disconnected);
    expect(reasons).toEqual(["serverDisconnect"]);
  });

  it("by the server ends it even with servers left in the token", () => {
    const { net, server, client } = connectedPair({ servers: [SERVER, SECOND] });
    const second = net.server(SECOND);
    server.disconnect(0);
    net.run(1);
    expect(client.state).toBe(CLIENT_STATES.disconnected);
    expect(second.received.request).toBe(0);
  });

  it("by a forger does nothing", () => {
    const { net, server, client, token } = connectedPair();
    const key = decodePublicToken(token)?.clientToServerKey ?? Buffer.alloc(32);
    const options = { type: PACKET_TYPES.disconnect, sequence: 999n, protocolId };
    net.inject(CLIENT, SERVER, sealPacket({ ...options, key: Buffer.alloc(32) }));
    net.inject("10.0.0.66:6", SERVER, sealPacket({ ...options, key }));
    net.run(0.1);
    expect(server.connectedCount).toBe(1);
    expect([server.ignored.unopened, server.ignored.noKey]).toEqual([1, 1]);
    net.inject(SERVER, CLIENT, sealPacket({ ...options, key }));
    const ownKey = decodePublicToken(token)?.serverToClientKey ?? Buffer.alloc(32);
    net.inject("10.0.0.66:6", CLIENT, sealPacket({ ...options, key: ownKey }));
    net.run(0.1);
    expect([client.ignored.unopened, client.ignored.wrongAddress]).toEqual([1, 1]);
    expect(client.state).toBe(CLIENT_STATES.connected);
  });
});

describe("over real sockets", () => {
  async function until(what: () => boolean): Promise<void> {
    const end = performance.now() + 5000;
    while (!what()) {
      if (performance.now() > end) throw new Error("waited too long");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async function pair(bind: string) {
    const server = await ReferenceServer.listen({ protocolId, privateKey, maxClients: 4, bind });
    const client = await ReferenceClient.open({ bind });
    onTestFinished(async () => {
      await client.close();
      await server.close();
    });
    return { server, client };
  }

  it.each(["127.0.0.1:0", "[::1]:0"])("connects, echoes and disconnects on %s", async (bind) => {
    const { server, client } = await pair(bind);
    server.onPayload = (slot, payload) => server.sendPayload(slot.index, payload);
    const echoes = new Map<number, Buffer>();
    client.onPayload = (payload) => echoes.set(payload.length, payload);
    const options = { protocolId, privateKey, servers: server.addresses };
    client.connect(mintReferenceToken({ ...options, clientId: 1n }));
    await until(() => client.state === CLIENT_STATES.connected);
    for (let size = 1; size <= PAYLOAD_BYTES_MAX; size += 109) {
      client.sendPayload(Buffer.alloc(size, size));
      await until(() => echoes.has(size));
      expect(echoes.get(size)).toEqual(Buffer.alloc(size, size));
    }
    server.disconnect(0);
    await until(() => client.state === CLIENT_STATES.disconnected);
    client.connect(mintReferenceToken({ ...options, clientId: 2n }));
    await until(() => client.state === CLIENT_STATES.connected);
    await client.close();
    await until(() => server.connectedCount === 0);
  });

  it("falls through to the second server", async () => {
    const { server, client } = await pair("127.0.0.1:0");
    const full = await ReferenceServer.listen({ protocolId, privateKey, maxClients: 0 });
    onTestFinished(() => full.close());
    const servers = [...full.addresses, ...server.addresses];
    client.connect(mintReferenceToken({ protocolId, privateKey, clientId: 1n, servers }));
    await until(() => client.state === CLIENT_STATES.connected);
    expect(client.serverAddress).toBe(server.addresses[0]);
    expect(full.sent.denied).toBeGreaterThanOrEqual(1);
  });
});
