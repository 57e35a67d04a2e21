// What a server makes of connect tokens, and a client of their server list, in simulated time.

import { describe, expect, it } from "vitest";
import { CLIENT_STATES, decodePublicToken, encodeRequest, type MintOptions } from "./netcode.js";
import { CLIENT, connectedPair, SECOND, SERVER, Simulation } from "./netcode-simulation.js";

describe("tokens", () => {
  it("that expire while connecting lead to -6, over all servers together", () => {
    const net = new Simulation();
    const client = net.client();
    client.connect(net.mint({ servers: [SERVER, SECOND], timeoutSeconds: 5, expireSeconds: 8 }));
    net.run(7.9);
    expect(client.serverAddress).toBe(SECOND);
    net.run(0.2);
    expect(client.state).toBe(CLIENT_STATES.tokenExpired);
  });

  it("that have expired are ignored by the server", () => {
    const net = new Simulation();
    const server = net.server();
    const client = net.client();
    const token = net.mint({ expireSeconds: 3 });
    net.run(3);
    client.connect(token);
    net.run(1);
    expect(server.ignored.requestExpired).toBeGreaterThan(0);
    expect(server.sent.challenge).toBe(0);
  });

  it("are bound to the first address that presents them", () => {
    const net = new Simulation();
    const server = net.server();
    const token = net.mint();
    const first = net.client(CLIENT, { filter: (packet) => packet.name === "request" });
    first.connect(token);
    net.run(0.3);
    const thief = net.client("10.0.0.66:6");
    thief.connect(token);
    net.run(0.3);
    expect(server.ignored.requestTokenUsed).toBeGreaterThan(0);
    expect(thief.state).toBe(CLIENT_STATES.sendingRequest);
    first.filter = undefined;
    net.run(0.3);
    expect(first.state).toBe(CLIENT_STATES.connected);
  });

  it("connect once: not again from the same address after a disconnect", () => {
    const { net, server, client, token } = connectedPair();
    client.disconnect();
    net.run(0.1);
    client.connect(token);
    net.run(6);
    expect(client.state).toBe(CLIENT_STATES.requestTimedOut);
    expect(server.ignored.requestTokenUsed).toBeGreaterThan(0);
  });

  it("of a connected client or address are ignored", () => {
    const { net, server } = connectedPair();
    const other = net.client("10.0.0.8:1");
    other.connect(net.mint());
    net.run(0.3);
    expect(server.ignored.requestClientConnected).toBeGreaterThan(0);
    const fresh = decodePublicToken(net.mint({ clientId: 2n }));
    if (fresh !== undefined) net.inject(CLIENT, SERVER, encodeRequest(fresh));
    net.run(0.1);
    expect(server.ignored.requestAddressConnected).toBe(1);
    expect(server.connectedCount).toBe(1);
  });

  it("that are malformed or of elsewhere are ignored, each for its reason", () => {
    const net = new Simulation();
    const server = net.server();
    const request = (options: Partial<MintOptions> = {}) => {
      const token = decodePublicToken(net.mint(options));
      return token === undefined ? Buffer.alloc(0) : encodeRequest(token);
    };
    const version = request();
    version[12] = 0x31;
    const expire = request();
    expire[29] ^= 1;
    const badServer = request({ internalServers: Array(33).fill(SERVER) });
    const cases: [string, Buffer][] = [
      ["requestSize", request().subarray(0, -1)],
      ["requestSize", Buffer.concat([request(), Buffer.alloc(1)])],
      ["requestVersion", version],
      ["requestProtocol", request({ protocolId: 1n })],
      ["requestUnopened", expire],
      ["requestUnopened", request({ privateKey: Buffer.alloc(32) })],
      ["requestUnparsed", badServer],
      ["requestOtherServer", request({ servers: [SECOND] })],
      ["requestOtherServer", request({ servers: [SERVER], internalServers: [SECOND] })],
    ];
    for (const [reason, bytes] of cases) {
      const before = server.ignored[reason] ?? 0;
      net.inject(CLIENT, SERVER, bytes);
      net.run(0.02);
      expect([reason, server.ignored[reason]]).toEqual([reason, before + 1]);
    }
    expect([server.sent.challenge, server.sent.denied, server.history.size]).toEqual([0, 0, 0]);
  });

  it("beyond a full history are refused until old ones expire", () => {
    const net = new Simulation();
    const server = net.server(SERVER, { historyMax: 3 });
    for (let index = 0; index < 4; index++) {
      const token = decodePublicToken(net.mint({ clientId: BigInt(index) }));
      if (token !== undefined) net.inject(`10.0.0.8:${index}`, SERVER, encodeRequest(token));
    }
    net.run(0.02);
    expect([server.sent.challenge, server.ignored.requestHistoryFull]).toEqual([3, 1]);
    net.run(31);
    const client = net.client();
    client.connect(net.mint());
    net.run(0.5);
    expect(client.state).toBe(CLIENT_STATES.connected);
  });

  it("beyond the encryption mappings are refused until old ones expire", () => {
    const net = new Simulation();
    const server = net.server(SERVER, { mappingsMax: 2 });
    for (let index = 0; index < 3; index++) {
      const token = decodePublicToken(net.mint({ clientId: BigInt(index) }));
      if (token !== undefined) net.inject(`10.0.0.8:${index}`, SERVER, encodeRequest(token));
    }
    net.run(0.02);
    expect([server.sent.challenge, server.ignored.requestMappingsFull]).toEqual([2, 1]);
    net.run(6);
    const client = net.client();
    client.connect(net.mint());
    net.run(0.5);
    expect(client.state).toBe(CLIENT_STATES.connected);
  });
});

describe("a restart", () => {
  it("disconnects everybody and begins the global sequence at 2⁶³ again", () => {
    const { net, server, client } = connectedPair();
    expect(server.globalSequence).toBeGreaterThan(1n << 63n);
    server.start();
    expect([server.globalSequence, server.connectedCount]).toEqual([1n << 63n, 0]);
    net.run(0.1);
    expect(client.state).toBe(CLIENT_STATES.disconnected);
  });

  it("refuses tokens that may be of an earlier run when their longest life is known", () => {
    const net = new Simulation();
    const server = net.server(SERVER, { maxTokenLifetimeSeconds: 30 });
    const client = net.client();
    client.connect(net.mint({ expireSeconds: 29 }));
    net.run(0.3);
    expect(server.ignored.requestPredatesStart).toBeGreaterThan(0);
    client.connect(net.mint({ expireSeconds: 30, clientId: 5n }));
    net.run(0.3);
    expect(client.state).toBe(CLIENT_STATES.connected);
  });
});

describe("the server list", () => {
  it("is worked through when a server is silent", () => {
    const net = new Simulation();
    const server = net.server(SECOND);
    const client = net.client();
    client.connect(net.mint({ servers: ["10.0.0.7:1", SECOND], timeoutSeconds: 2 }));
    net.run(1.9);
    expect(client.serverAddress).toBe("10.0.0.7:1");
    net.run(0.5);
    expect([client.state, client.serverAddress]).toEqual([CLIENT_STATES.connected, SECOND]);
    expect(server.connectedCount).toBe(1);
  });

  it("is worked through when a server is full, and its last answer stands", () => {
    const net = new Simulation();
    const servers = [SERVER, SECOND];
    for (const address of servers) {
      net.server(address, { maxClients: 1 });
      const token = net.mint({ servers: [address], clientId: BigInt(address.length) });
      net.client(`10.0.0.8:${address.length}`).connect(token);
    }
    net.run(0.5);
    const client = net.client();
    const states: number[] = [];
    client.onState = (state) => states.push(state);
    client.connect(net.mint({ servers }));
    net.run(0.5);
    expect(states).toEqual([1, 1, -1]);
  });
});
