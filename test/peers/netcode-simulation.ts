// A network for reference peers without sockets and without waiting: delivery by address, one clock for all.

import {
  CLIENT_STATES,
  type EndpointOptions,
  type MintOptions,
  mintReferenceToken,
  ReferenceClient,
  ReferenceServer,
  type ServerOptions,
} from "./netcode.js";

export const protocolId = 0x1122_3344_5566_7788n;
export const privateKey = Buffer.alloc(32, 3);
const UNIX_START = 1_700_000_000;
/** Five turns in each keep-alive interval. */
const TURNS_PER_SECOND = 50;
export const SERVER = "10.0.0.1:40000";
export const SECOND = "[2001:db8::2]:40000";
export const CLIENT = "10.0.0.9:5000";

type Peer = ReferenceClient | ReferenceServer;

interface Captured {
  from: string;
  to: string;
  bytes: Buffer;
}

/** Peers by address, delivery within the turn, and one clock for all of them. */
export class Simulation {
  timeSeconds = 0;
  readonly captured: Captured[] = [];
  readonly #peers = new Map<string, Peer>();

  client(address = CLIENT, options: EndpointOptions = {}): ReferenceClient {
    const client = new ReferenceClient({ ...this.#link(address), ...options });
    this.#peers.set(address, client);
    return client;
  }

  server(address = SERVER, options: Partial<ServerOptions> = {}): ReferenceServer {
    const server = new ReferenceServer({
      ...this.#link(address),
      protocolId,
      privateKey,
      maxClients: 4,
      publicAddress: address,
      unixSeconds: () => UNIX_START + this.timeSeconds,
      ...options,
    });
    server.start();
    this.#peers.set(address, server);
    return server;
  }

  mint(options: Partial<MintOptions> = {}): Buffer {
    return mintReferenceToken({
      protocolId,
      privateKey,
      clientId: 77n,
      servers: [SERVER],
      createTimestamp: BigInt(UNIX_START + Math.floor(this.timeSeconds)),
      ...options,
    });
  }

  /** Delivers a datagram as if `from` had sent it. */
  inject(from: string, to: string, bytes: Uint8Array): void {
    this.#peers.get(to)?.receive(from, bytes);
  }

  /** Lets everybody update through that much time. */
  run(seconds: number): void {
    const turns = Math.round(seconds * TURNS_PER_SECOND);
    for (let turn = 0; turn < turns; turn++) {
      this.timeSeconds += 1 / TURNS_PER_SECOND;
      for (const peer of this.#peers.values()) peer.update(this.timeSeconds);
    }
  }

  #link(address: string): EndpointOptions {
    return {
      timeSeconds: this.timeSeconds,
      send: (to, bytes) => {
        this.captured.push({ from: address, to, bytes });
        this.inject(address, to, bytes);
      },
    };
  }
}

/** A simulation with one server and one client of it, connected. */
export function connectedPair(options: Partial<MintOptions> = {}) {
  const net = new Simulation();
  const server = net.server();
  const client = net.client();
  const token = net.mint(options);
  client.connect(token);
  net.run(0.5);
  if (client.state !== CLIENT_STATES.connected) throw new Error("no connection");
  return { net, server, client, token };
}
