// What a reference client and a reference server share: a queue of received datagrams that waits for the next
// update, counters by packet type, a filter over everything sent, and a thin layer of node:dgram sockets. With
// `send` given there is no socket and no clock: tests hand over datagrams and time themselves.

import { createSocket, type Socket } from "node:dgram";
import { formatAddress, parseAddress } from "./netcode-address.js";
import { PACKET_NAMES, PACKET_TYPES, type PacketName } from "./netcode-packet.js";

/** Packets a second while requesting, responding and idle. */
export const SEND_RATE_HZ = 10;
/** Disconnect packets sent in one go; they carry no payload and are never acknowledged. */
export const DISCONNECT_PACKETS = 10;

const DRIVE_INTERVAL_MS = 10;
/** As a socket buffer would, drop what arrives while this many datagrams wait. */
const QUEUE_MAX = 65_536;
const SOCKET_BUFFER_BYTES = 1 << 20;

/** How many packets of each type. */
export type PacketCounts = Record<PacketName, number>;

/** A packet about to be sent. A filter may change `to` and `bytes`. */
export interface OutgoingPacket {
  to: string;
  readonly name: PacketName;
  readonly sequence: bigint;
  bytes: Buffer;
}

export type Send = (to: string, bytes: Buffer) => void;

export interface EndpointOptions {
  /** Addresses to bind by `open`, one for each family at most; port 0 is chosen by the system. */
  bind?: string | readonly string[];
  /** Takes the place of sockets. */
  send?: Send;
  /** False keeps a packet from being sent; for its sender it is as if the network had lost it. */
  filter?: (packet: OutgoingPacket) => boolean;
  /** Time at construction, on the clock of `update`. When left out: 0 with `send`, else the real time. */
  timeSeconds?: number;
}

interface Datagram {
  from: string;
  bytes: Buffer;
}

interface BoundSocket {
  socket: Socket;
  address: string;
  family: 4 | 6;
}

function noCounts(): PacketCounts {
  const counts = PACKET_NAMES.map((name) => [name, 0]);
  return Object.fromEntries(counts) as PacketCounts;
}

function bindSocket(address: string): Promise<BoundSocket> {
  const { host, port, family } = parseAddress(address);
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: family === 6 ? "udp6" : "udp4",
      ipv6Only: family === 6,
      recvBufferSize: SOCKET_BUFFER_BYTES,
      sendBufferSize: SOCKET_BUFFER_BYTES,
      // Only literal addresses come here. Answering at once keeps a send synchronous: the default resolver answers
      // a tick later, and disconnect packets sent just before `close` would never leave.
      lookup: (literal, _options, answer) => answer(null, literal, family),
    });
    socket.once("error", reject);
    socket.bind(port, host, () => {
      socket.off("error", reject);
      // A refused or unreachable destination is a lost packet to this peer, never the end of it.
      socket.on("error", () => undefined);
      resolve({ socket, address: formatAddress(host, socket.address().port), family });
    });
  });
}

/** Base of both reference peers. */
export abstract class Endpoint {
  /** Packets handed to the network, by type. */
  readonly sent = noCounts();
  /** Packets the filter kept back, by type. */
  readonly suppressed = noCounts();
  /** Packets that passed every check of the wire, by type. */
  readonly received = noCounts();
  /** Datagrams ignored, by reason. */
  readonly ignored: Record<string, number> = {};
  filter: ((packet: OutgoingPacket) => boolean) | undefined;

  protected timeSeconds: number;
  readonly #bind: readonly string[];
  readonly #send: Send | undefined;
  readonly #sockets: BoundSocket[] = [];
  #queue: Datagram[] = [];
  #timer: NodeJS.Timeout | undefined;

  protected constructor(options: EndpointOptions, bindDefault: readonly string[]) {
    const bind = options.bind ?? bindDefault;
    this.#bind = typeof bind === "string" ? [bind] : bind;
    this.#send = options.send;
    this.filter = options.filter;
    this.timeSeconds = options.timeSeconds ?? (options.send === undefined ? realSeconds() : 0);
  }

  /** Binds the sockets of `bind`. Not needed with `send`. */
  async open(): Promise<this> {
    for (const address of this.#bind) {
      const bound = await bindSocket(address);
      this.#sockets.push(bound);
      bound.socket.on("message", (bytes, remote) => {
        this.receive(formatAddress(remote.address, remote.port), bytes);
      });
    }
    return this;
  }

  /** The addresses bound, with their real ports. */
  get addresses(): string[] {
    return this.#sockets.map((bound) => bound.address);
  }

  /** Hands over a datagram; it is looked at by the next `update`, as one waiting in a socket would be. */
  receive(from: string, bytes: Uint8Array): void {
    if (this.#queue.length >= QUEUE_MAX) this.count("queueFull");
    else this.#queue.push({ from, bytes: Buffer.from(bytes) });
  }

  /** One turn: datagrams, sends, time-outs. */
  abstract update(timeSeconds?: number): void;

  /** Calls `update` every 10 ms with the real time, until `close`. */
  drive(): this {
    this.#timer ??= setInterval(() => this.update(), DRIVE_INTERVAL_MS);
    return this;
  }

  /** Stops driving and closes the sockets. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    const closed = this.#sockets.splice(0).map(({ socket }) => {
      return new Promise<void>((resolve) => socket.close(() => resolve()));
    });
    await Promise.all(closed);
  }

  /** Gives each waiting datagram to `read`, those that arrive meanwhile too. */
  protected drain(read: (from: string, bytes: Buffer) => void): void {
    while (this.#queue.length > 0) {
      const waiting = this.#queue;
      this.#queue = [];
      for (const { from, bytes } of waiting) read(from, bytes);
    }
  }

  protected count(reason: string): void {
    this.ignored[reason] = (this.ignored[reason] ?? 0) + 1;
  }

  protected countReceived(type: number): void {
    this.received[PACKET_NAMES[type]]++;
  }

  protected transmit(packet: OutgoingPacket): void {
    if (this.filter !== undefined && !this.filter(packet)) {
      this.suppressed[packet.name]++;
      return;
    }
    this.sent[packet.name]++;
    if (this.#send !== undefined) {
      this.#send(packet.to, packet.bytes);
      return;
    }
    const { host, port, family } = parseAddress(packet.to);
    const bound = this.#sockets.find((candidate) => candidate.family === family);
    bound?.socket.send(packet.bytes, port, host, () => undefined);
  }
}

/** The current time in seconds on the clock of `update` when nothing else is said. */
export function realSeconds(): number {
  return performance.now() / 1000;
}

/** The numbers of packet types, as a set for the gate. */
export function packetTypes(...names: PacketName[]): ReadonlySet<number> {
  return new Set(names.map((name) => PACKET_TYPES[name]));
}
