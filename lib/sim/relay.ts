/**
 * A bad link between real sockets: a UDP relay on loopback, in front of one server.
 *
 * Owns: a socket that faces the clients, one socket per client that faces the server (so that the
 * server sees as many addresses as there are clients), and a link per direction and client.
 * Never does: parse a byte, or talk to anything but 127.0.0.1.
 * Invariants: one heap and one timer serve all links, and a wake-up costs what is due, not what
 * exists. Datagrams leave within about a millisecond of their time: Node's timers have that
 * resolution, and what is due within half of it goes along.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { checkInteger, NetrtError } from "../errors.js";
import { DueHeap } from "./heap.js";
import { Link, type LinkCounters, type LinkOptions } from "./link.js";

/** Options of {@link createRelay}. */
export interface RelayOptions {
  /** The server's port on 127.0.0.1. */
  readonly targetPort: number;
  /** The port that clients send to, on 127.0.0.1; default 0, the system chooses. */
  readonly port?: number;
  /** The link from each client to the server; default: perfect. */
  readonly up?: LinkOptions;
  /** The link from the server to each client; default: perfect. */
  readonly down?: LinkOptions;
  /** Seed of all links, any 32-bit integer; default 1. Client n gets the same fates in each run. */
  readonly seed?: number;
  /** Clients at most, 1 to 4096; default 1024. Datagrams of more are counted and dropped. */
  readonly clientsMax?: number;
  /** Silence of a client after which it is forgotten, 1000 to 3,600,000 ms; default 30,000. */
  readonly idleMs?: number;
}

/** What a {@link Relay} did, summed over all clients, gone ones included. */
export interface RelayCounters {
  /** Clients known now. */
  readonly clients: number;
  /** From clients to the server. */
  readonly up: LinkCounters;
  /** From the server to clients. */
  readonly down: LinkCounters;
  /** Datagrams of clients beyond `clientsMax`. */
  readonly refused: number;
  /** Sends that the system refused. */
  readonly sendErrors: number;
}

const LOOPBACK = "127.0.0.1";
const PORT_MAX = 65_535;
const CLIENTS_DEFAULT = 1024;
const CLIENTS_MAX = 4096;
const IDLE_MS_DEFAULT = 30_000;
const IDLE_MS_MIN = 1000;
const IDLE_MS_MAX = 3_600_000;
/** What is due this soon goes out with the rest, in µs: half the resolution of the timer. */
const EARLY_US = 500;
/** Room for what arrives while the process is busy, in bytes: the system may grant less. */
const SOCKET_BUFFER_BYTES = 1_048_576;
const US_PER_MS = 1000;

interface Direction {
  readonly link: Link;
  readonly deliver: (bytes: Uint8Array) => void;
  /** The earliest entry in the heap that still counts; others of this direction are stale. */
  scheduledUs: number;
}

interface Client {
  socket: Socket;
  readonly up: Direction;
  readonly down: Direction;
  heardUs: number;
}

/**
 * Starts a relay. Clients are to send to its port as if it were the server.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`, `ERR_NETRT_PORT_IN_USE`, `ERR_NETRT_IO`
 *
 * @example
 * ```ts
 * await using relay = await createRelay({
 *   targetPort: 40_000,
 *   up: { loss: 5, delayUs: 20_000, jitterUs: 5_000 },
 *   down: { loss: 5, delayUs: 20_000, jitterUs: 5_000 },
 * });
 * mintToken({ servers: [`127.0.0.1:${relay.port}`], ... });
 * ```
 */
export async function createRelay(options: RelayOptions): Promise<Relay> {
  const port = checkInteger("port", options.port ?? 0, 0, PORT_MAX);
  const front = createLoopbackSocket();
  // Checks the rest of the options, before the port is taken.
  const relay = new Relay(options, front);
  try {
    // Asked for first: with a lookup that answers at once, bind may emit before it returns.
    const listening = once(front, "listening");
    front.bind(port, LOOPBACK);
    await listening;
  } catch (cause) {
    front.close();
    const inUse = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
    throw new NetrtError(
      inUse ? "ERR_NETRT_PORT_IN_USE" : "ERR_NETRT_IO",
      inUse ? `port ${port} is in use by another socket` : `can't bind port ${port}`,
      { cause },
    );
  }
  growBuffers(front);
  relay.open();
  return relay;
}

/** A running relay; {@link createRelay} makes it. */
export class Relay {
  readonly #front: Socket;
  readonly #targetPort: number;
  readonly #seed: number;
  readonly #clientsMax: number;
  readonly #idleUs: number;
  readonly #clients = new Map<string, Client>();
  readonly #due = new DueHeap<Direction>();
  readonly #goneUp = noCounters();
  readonly #goneDown = noCounters();
  #upOptions: LinkOptions;
  #downOptions: LinkOptions;
  #linksMade = 0;
  #partitioned = false;
  #refused = 0;
  #sendErrors = 0;
  #timer: NodeJS.Timeout | null = null;
  #timerUs = Number.POSITIVE_INFINITY;
  #sweepUs = 0;
  #port = 0;
  #closing: Promise<void> | null = null;

  /** @internal */
  constructor(options: RelayOptions, front: Socket) {
    const { up = {}, down = {}, seed = 1 } = options;
    this.#front = front;
    try {
      this.#targetPort = checkInteger("targetPort", options.targetPort, 1, PORT_MAX);
      this.#seed = checkInteger("seed", seed, -(2 ** 31), 2 ** 32 - 1);
      this.#clientsMax = checkInteger(
        "clientsMax",
        options.clientsMax ?? CLIENTS_DEFAULT,
        1,
        CLIENTS_MAX,
      );
      const idleMs = options.idleMs ?? IDLE_MS_DEFAULT;
      this.#idleUs = checkInteger("idleMs", idleMs, IDLE_MS_MIN, IDLE_MS_MAX, "ms") * US_PER_MS;
      checkLinks(up, down);
    } catch (error) {
      front.close();
      throw error;
    }
    this.#upOptions = up;
    this.#downOptions = down;
  }

  /** @internal */
  open(): void {
    this.#port = this.#front.address().port;
    this.#front.on("message", (bytes, from) => this.#receive(bytes, from));
    this.#front.on("error", () => this.#sendErrors++);
  }

  /** The port that clients send to. */
  get port(): number {
    return this.#port;
  }

  /** What it did so far. A copy. */
  get counters(): RelayCounters {
    const up = { ...this.#goneUp };
    const down = { ...this.#goneDown };
    for (const client of this.#clients.values()) {
      addCounters(up, client.up.link.counters);
      addCounters(down, client.down.link.counters);
    }
    const { size: clients } = this.#clients;
    return { clients, up, down, refused: this.#refused, sendErrors: this.#sendErrors };
  }

  /** True while nothing gets in, either way. What is inside still arrives. */
  get partitioned(): boolean {
    return this.#partitioned;
  }

  set partitioned(partitioned: boolean) {
    this.#partitioned = partitioned;
    for (const client of this.#clients.values()) {
      client.up.link.up = !partitioned;
      client.down.link.up = !partitioned;
    }
  }

  /**
   * Changes the links of all clients, of those to come as well.
   *
   * @throws NetrtError `ERR_NETRT_ARGUMENT`
   */
  change(up: LinkOptions, down: LinkOptions): void {
    checkLinks(up, down);
    this.#upOptions = up;
    this.#downOptions = down;
    for (const client of this.#clients.values()) {
      client.up.link.change(up);
      client.down.link.change(down);
    }
  }

  /**
   * Gives every client another port toward the server, as a NAT does that forgot them: the server sees new
   * addresses, and what it sends to the old ones is lost.
   */
  rebind(): void {
    for (const client of this.#clients.values()) {
      client.socket.close();
      client.socket = this.#face(client.down);
    }
  }

  /** Closes all sockets; what is inside the links is gone. Calling it again waits as well. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#due.clear();
    const sockets = [this.#front];
    for (const [key, client] of this.#clients) {
      this.#forget(key, client);
      sockets.push(client.socket);
    }
    await Promise.all(
      sockets.map((socket) => new Promise<void>((resolve) => socket.close(resolve))),
    );
  }

  #receive(bytes: Uint8Array, from: RemoteInfo): void {
    const nowUs = monotonicUs();
    this.#sweep(nowUs);
    const key = `${from.address}:${from.port}`;
    let client = this.#clients.get(key);
    if (client === undefined) {
      if (this.#clients.size >= this.#clientsMax) {
        this.#refused++;
        return;
      }
      client = this.#welcome(from);
      this.#clients.set(key, client);
    }
    client.heardUs = nowUs;
    this.#push(client.up, nowUs, bytes);
  }

  #welcome(from: RemoteInfo): Client {
    const { address, port } = from;
    const down = this.#direction(this.#downOptions, (bytes) =>
      this.#front.send(bytes, port, address),
    );
    const up = this.#direction(this.#upOptions, (bytes) =>
      client.socket.send(bytes, this.#targetPort, LOOPBACK),
    );
    const client = { socket: this.#face(down), up, down, heardUs: 0 };
    return client;
  }

  /** A socket that faces the server, in place of a client. */
  #face(down: Direction): Socket {
    const socket = createLoopbackSocket();
    socket.on("error", () => this.#sendErrors++);
    socket.on("message", (bytes, server) => {
      if (server.port === this.#targetPort) this.#push(down, monotonicUs(), bytes);
    });
    socket.bind(0, LOOPBACK, () => growBuffers(socket));
    return socket;
  }

  #direction(options: LinkOptions, deliver: (bytes: Uint8Array) => void): Direction {
    const link = new Link(options, (this.#seed + this.#linksMade++) >>> 0);
    link.up = !this.#partitioned;
    return { link, deliver, scheduledUs: Number.POSITIVE_INFINITY };
  }

  #push(direction: Direction, nowUs: number, bytes: Uint8Array): void {
    direction.link.push(nowUs, bytes);
    this.#schedule(direction);
    this.#drain(nowUs);
  }

  #schedule(direction: Direction): void {
    const { nextUs } = direction.link;
    if (nextUs >= direction.scheduledUs) return;
    direction.scheduledUs = nextUs;
    this.#due.push(nextUs, direction);
  }

  /** Sends what is due, and sets the timer for what is not. */
  #drain(nowUs: number): void {
    const untilUs = nowUs + EARLY_US;
    for (;;) {
      const direction = this.#due.pop(untilUs);
      if (direction === undefined) break;
      // Served already through an earlier entry, which left this one stale.
      if (direction.scheduledUs > untilUs) continue;
      const { link } = direction;
      for (let bytes = link.pop(untilUs); bytes !== null; bytes = link.pop(untilUs)) {
        direction.deliver(bytes);
      }
      direction.scheduledUs = Number.POSITIVE_INFINITY;
      this.#schedule(direction);
    }
    this.#arm(nowUs);
  }

  #arm(nowUs: number): void {
    const { nextUs } = this.#due;
    if (nextUs >= this.#timerUs || nextUs === Number.POSITIVE_INFINITY) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerUs = nextUs;
    this.#timer = setTimeout(this.#wake, Math.max(1, Math.floor((nextUs - nowUs) / US_PER_MS)));
  }

  readonly #wake = (): void => {
    this.#timer = null;
    this.#timerUs = Number.POSITIVE_INFINITY;
    this.#drain(monotonicUs());
  };

  /** Forgets silent clients, once per idle time at most, so that it costs nothing. */
  #sweep(nowUs: number): void {
    if (nowUs < this.#sweepUs) return;
    this.#sweepUs = nowUs + this.#idleUs;
    for (const [key, client] of this.#clients) {
      if (nowUs - client.heardUs < this.#idleUs) continue;
      this.#forget(key, client);
      client.socket.close();
    }
  }

  #forget(key: string, client: Client): void {
    this.#clients.delete(key);
    addCounters(this.#goneUp, client.up.link.counters);
    addCounters(this.#goneDown, client.down.link.counters);
    // Entries in the heap may outlive the client: they find nothing to do.
    client.up.scheduledUs = Number.POSITIVE_INFINITY;
    client.down.scheduledUs = Number.POSITIVE_INFINITY;
  }
}

function monotonicUs(): number {
  return Math.floor(performance.now() * US_PER_MS);
}

/** Addresses here are literal: asking the resolver, as dgram does, costs a turn per datagram. */
function createLoopbackSocket(): Socket {
  return createSocket({
    type: "udp4",
    lookup: (hostname, _options, callback) => callback(null, hostname, 4),
  });
}

/** Larger buffers are better and not needed: a system that grants none is no reason to stop. */
function growBuffers(socket: Socket): void {
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
    socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
  } catch {
    return;
  }
}

/** Links check their options as they are made. */
function checkLinks(up: LinkOptions, down: LinkOptions): void {
  new Link(up, 0);
  new Link(down, 0);
}

function noCounters(): LinkCounters {
  return { ...new Link({}, 0).counters };
}

function addCounters(sum: LinkCounters, more: Readonly<LinkCounters>): void {
  for (const name of Object.keys(sum) as (keyof LinkCounters)[]) sum[name] += more[name];
}
