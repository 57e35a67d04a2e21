/**
 * A server: many peers on one socket.
 *
 * Owns: the peers, the server's channels and ticks, and its end.
 * Never does: protocol decisions; the engine makes them.
 */
import { EventEmitter } from "node:events";
import { checkSignal, onAbort } from "./abort.js";
import { parseAddress } from "./address.js";
import type { Fragment } from "./assembly.js";
import { ServerChannel } from "./channel.js";
import {
  ASSEMBLY_BYTES_DEFAULT,
  boundText,
  configureAddresses,
  configureProtocol,
  isLoopback,
  ownAddresses,
  PEERS_DEFAULT,
  QUEUE_BYTES_DEFAULT,
  socketAddress,
} from "./configure.js";
import { type Disconnect, encodeReason, readDisconnect } from "./disconnect.js";
import { Driver } from "./driver.js";
import { ROLE_SERVER } from "./engine/config.js";
import { BLOCK_BYTES_MAX, KEY_BYTES } from "./engine/limits.js";
import { NO_ROOM, RECORD_BROADCAST, RECORD_BYTES } from "./engine/ring.js";
import { REASON_RESOURCES, REASON_SHUTDOWN } from "./engine/state.js";
import {
  argumentError,
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOptions,
  describeGiven,
  NetrtError,
} from "./errors.js";
import { insecureKey } from "./insecure.js";
import { placeMessage, prepareMessage, REFUSED } from "./message.js";
import { type MismatchedClient, mismatchError, readMismatch, tellLayouts } from "./mismatch.js";
import type { BroadcastOptions, ServerCloseOptions, ServerOptions } from "./options.js";
import { Peer, readPeer, readTtl } from "./peer.js";
import { type ChannelName, checkProtocol, type MessageOf, type Protocol } from "./protocol.js";
import {
  type ChannelStats,
  type HostStats,
  readChannelStats,
  readHostStats,
  readTickStats,
  type TickStats,
} from "./stats.js";
import { TICK_RATE_MAX, TICK_RATE_MIN } from "./ticker.js";

/** Events of a server. */
export interface ServerEvents<P extends Protocol> {
  /** A client is connected and speaks the same protocol. */
  connect: [peer: Peer<P>];
  /**
   * A client came whose definition of the protocol differs (`ERR_NETRT_PROTOCOL_MISMATCH`): it was
   * refused, and the error names the first difference, as the client's own does.
   */
  mismatch: [client: MismatchedClient, error: NetrtError];
  /** A peer is at another address, `from` is the one before. Its own `move` came just before. */
  move: [peer: Peer<P>, from: string];
  /** A peer is gone. Its own `disconnect` came just before. */
  disconnect: [peer: Peer<P>, end: Disconnect];
  /**
   * One step of the simulation, at `tickRate`; counts from 0, and skips what lies too far back. None
   * comes after `close` was called.
   */
  tick: [tick: number];
  /**
   * The system took the socket away (`ERR_NETRT_IO`): every peer is gone, `close` follows. Without a
   * listener the error is thrown, as any emitter's.
   */
  error: [error: NetrtError];
  /** The server is closed: no event comes after it. */
  close: [];
}

/** Statistics of a server. */
export interface ServerStats<P extends Protocol> extends HostStats, TickStats {
  readonly channels: Readonly<Record<ChannelName<P>, ChannelStats>>;
}

const NO_OPTIONS = Object.freeze({});

/** The bits of a peer's handle that are its slot. */
const SLOT_MASK = 0xffff;

/** A running server; {@link createServer} makes it. */
export class Server<P extends Protocol = Protocol> extends EventEmitter<ServerEvents<P>> {
  /** The protocol that it speaks. */
  readonly protocol: P;
  readonly #peers = new Map<number, Peer<P>>();
  /** The same by their slots, for what comes with each message. */
  readonly #slots: (Peer<P> | undefined)[] = [];
  readonly #channels: ServerChannel<Peer<P>, unknown>[];
  readonly #queueBytesMax: number;
  readonly #assemblyBytesMax: number;
  /** Peers that have sent a block in part. */
  readonly #assembling = new Set<Peer<P>>();
  #driver!: Driver;
  #ticks = 0;
  #closing: Promise<void> | null = null;
  /** From the first line of the shutdown on, which runs before its promise is known. */
  #shutting = false;
  #whenEmpty: (() => void) | null = null;
  #forgetSignal: () => void = () => undefined;

  /** @internal Use `createServer`. */
  constructor(protocol: P, queueBytesMax: number, assemblyBytesMax: number) {
    super();
    this.#assemblyBytesMax = assemblyBytesMax;
    this.protocol = protocol;
    this.#queueBytesMax = queueBytesMax;
    this.#channels = protocol.channelNames.map(() => new ServerChannel<Peer<P>, unknown>());
  }

  /** @internal */
  async open(options: ServerOptions, secret: Uint8Array): Promise<void> {
    const bind = parseAddress(options.address);
    const { maxPeers = PEERS_DEFAULT, tickRate, publicAddresses = [], signal } = options;
    if (tickRate !== undefined) {
      checkNumber("tickRate", tickRate, TICK_RATE_MIN, TICK_RATE_MAX, "Hz");
    }
    const sizes = configureProtocol(ROLE_SERVER, this.protocol, maxPeers, options);
    configureAddresses(sizes.config, ownAddresses(bind, publicAddresses));
    this.#driver = await Driver.open(
      {
        wanted: { engine: options.engine, io: options.io, reusePort: options.reusePort },
        sizes,
        privateKey: secret,
        bind: socketAddress(bind),
        tickRate,
      },
      {
        connected: (handle, _slot, payload) => this.#connected(handle, payload),
        disconnected: (handle, reason, local, text) =>
          this.#disconnected(handle, readDisconnect(reason, local, text)),
        message: (handle, channel, bytes, id) => {
          const peer = this.#slots[handle & SLOT_MASK];
          if (peer === undefined || peer.handle !== handle) return;
          peer.assembleWhole(channel, id);
          this.#message(peer, channel, bytes);
        },
        fragment: (handle, channel, fragment, block) => {
          const peer = this.#peers.get(handle);
          if (peer === undefined) return;
          if (block) this.#block(peer, channel, fragment);
          else this.#fragment(peer, channel, fragment);
        },
        packet: (handle, number, acked, bytes) =>
          this.#peers.get(handle)?.verdict(number, acked, bytes),
        fate: (handle, channel, tag, fate) => this.#peers.get(handle)?.fated(channel, tag, fate),
        mismatched: (payload, textBytes) => this.#mismatched(payload, textBytes),
        moved: (handle, payload) => this.#moved(handle, payload),
        clientState: () => undefined,
        failed: (error) => this.#failed(error),
        turned: () => this.#turned(),
        tick: (tick) => {
          // A server that closes goes on with turns until its peers are gone, not with the simulation.
          if (this.#closing !== null) return;
          this.#ticks += 1;
          this.emit("tick", tick);
        },
      },
    );
    tellLayouts(this.#driver, this.protocol);
    if (signal?.aborted) {
      this.#driver.close();
      throw signal.reason;
    }
    this.#forgetSignal = onAbort(signal, () => void this.close());
  }

  /** The bound address and port. */
  get address(): string {
    return boundText(this.#driver.engine.bound);
  }

  /** The engine that runs: `"native"` or `"js"`. */
  get engine(): "native" | "js" {
    return this.#driver.engine.name;
  }

  /** The connected peers. */
  get peers(): IterableIterator<Peer<P>> {
    return this.#peers.values();
  }

  /** How many peers are connected. */
  get peerCount(): number {
    return this.#peers.size;
  }

  /**
   * The messages of one channel, from all peers.
   *
   * @throws NetrtError `ERR_NETRT_UNKNOWN_CHANNEL`
   */
  channel<C extends ChannelName<P>>(name: C): ServerChannel<Peer<P>, MessageOf<P, C>> {
    return this.#channels[this.protocol.channelIndex(name)] as ServerChannel<
      Peer<P>,
      MessageOf<P, C>
    >;
  }

  /**
   * Sends a message to every connected peer; it is encoded once. A peer whose queue is full misses
   * it, which the channel's `dropped` counts.
   *
   * @param options `except`, and `ttl` as in `peer.send`
   * @returns true when it was taken; false when the engine has no room even after a turn
   * @throws NetrtError as `peer.send` does
   */
  broadcast<C extends ChannelName<P>>(
    channel: C,
    message: MessageOf<P, C>,
    options: BroadcastOptions<P> = NO_OPTIONS,
  ): boolean {
    const index = this.protocol.channelIndex(channel);
    const count = prepareMessage(this.protocol.policies[index], channel, message);
    const ttl = readTtl(this.protocol, channel, options);
    const receipt: unknown = Reflect.get(options, "receipt");
    if (receipt !== undefined) {
      throw argumentError("receipt", receipt, "left out: a broadcast has a fate for each peer");
    }
    const except = this.#exceptHandle(options.except);
    if (this.#closing !== null) {
      throw new NetrtError("ERR_NETRT_CLOSED", "the server is closed");
    }
    const word = this.#driver.push(RECORD_BROADCAST, count);
    if (word === NO_ROOM) return false;
    const { words, bytes: memory } = this.#driver.submission;
    words[word + 1] = except;
    words[word + 2] = index;
    words[word + 4] = ttl;
    words[word + 5] = 0;
    placeMessage(memory, word * 4 + RECORD_BYTES);
    this.#driver.submitted();
    return true;
  }

  /** The handle of a peer to leave out; 0, which is nobody's, for none and for one that is gone. */
  #exceptHandle(except: Peer<P> | undefined): number {
    if (except === undefined) return 0;
    if (!(except instanceof Peer)) throw argumentError("except", except, "a peer of this server");
    return this.#peers.get(except.handle) === except ? except.handle : 0;
  }

  /** Sends everything now instead of at the end of the tick. */
  flush(): void {
    this.#driver.flush();
  }

  /** Counters of the socket, the ticks and the channels. */
  get stats(): ServerStats<P> {
    const channels = {} as Record<ChannelName<P>, ChannelStats>;
    for (const [index, name] of this.protocol.channelNames.entries()) {
      channels[name as ChannelName<P>] = readChannelStats(this.#driver, index);
    }
    return {
      ...readHostStats(this.#driver),
      ...readTickStats(this.#driver, this.#ticks),
      channels,
    };
  }

  /**
   * Closes every connection, tells the peers why, and gives the socket back. Resolves when that is
   * done; later calls get the same promise.
   *
   * @throws NetrtError `ERR_NETRT_ARGUMENT`
   */
  close(options: ServerCloseOptions = {}): Promise<void> {
    const { reason, drain = false, timeout = drain ? 5000 : 1000 } = checkOptions(options);
    const text = encodeReason(reason);
    checkBoolean("drain", drain);
    checkInteger("timeout", timeout, 0, 60_000, "ms");
    this.#closing ??= this.#shutDown(text, drain, timeout);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #shutDown(text: Uint8Array, drain: boolean, timeout: number): Promise<void> {
    this.#shutting = true;
    for (const peer of this.#peers.values()) peer.end(REASON_SHUTDOWN, text, drain);
    this.#driver.flush();
    if (!this.#isEmpty() && !this.#driver.closed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeout);
        this.#whenEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#driver.close();
    this.#forgetSignal();
    for (const [handle] of this.#peers) {
      this.#disconnected(handle, { reason: "shutdown", text: "", local: true });
    }
    this.emit("close");
    this.removeAllListeners();
  }

  /** The engine is closed already. A server that was closing anyway has nothing more to say. */
  #failed(error: NetrtError): void {
    for (const [handle] of this.#peers) {
      this.#disconnected(handle, { reason: "failed", text: error.message, local: true });
    }
    if (this.#shutting) {
      this.#whenEmpty?.();
      return;
    }
    this.#closing = Promise.resolve();
    this.#forgetSignal();
    try {
      this.emit("error", error);
    } finally {
      this.emit("close");
      this.removeAllListeners();
    }
  }

  // --- what the engine tells ---

  #connected(handle: number, payload: Uint8Array): void {
    const peer = new Peer<P>(
      this.#driver,
      this.protocol,
      handle,
      this.#queueBytesMax,
      ...readPeer(payload),
    );
    if (this.#closing !== null) {
      // Nobody was told of it, so nobody is told of its end.
      peer.end(REASON_SHUTDOWN, new Uint8Array(0), false);
      return;
    }
    this.#peers.set(handle, peer);
    this.#slots[handle & SLOT_MASK] = peer;
    this.emit("connect", peer);
  }

  #moved(handle: number, payload: Uint8Array): void {
    const peer = this.#peers.get(handle);
    if (peer === undefined) return;
    const [, address] = readPeer(payload);
    this.emit("move", peer, peer.moved(address));
  }

  #mismatched(payload: Uint8Array, textBytes: number): void {
    if (this.#closing !== null || this.listenerCount("mismatch") === 0) return;
    const { peer, text, layout } = readMismatch(payload, textBytes);
    const [id, address, userData] = readPeer(peer);
    this.emit("mismatch", { id, address, userData }, mismatchError(this.protocol, text, layout));
  }

  #disconnected(handle: number, end: Disconnect): void {
    const peer = this.#peers.get(handle);
    if (peer === undefined) return;
    this.#peers.delete(handle);
    this.#slots[handle & SLOT_MASK] = undefined;
    this.#assembling.delete(peer);
    peer.ended(end);
    peer.emit("disconnect", end);
    this.emit("disconnect", peer, end);
  }

  #fragment(peer: Peer<P>, channel: number, fragment: Fragment): void {
    const bytes = peer.assembleMessage(channel, fragment);
    if (bytes === null) return;
    this.#driver.assembled[channel] = (this.#driver.assembled[channel] ?? 0) + 1;
    this.#message(peer, channel, bytes);
  }

  #block(peer: Peer<P>, channel: number, fragment: Fragment): void {
    this.#assembling.add(peer);
    const bytes = peer.assembleBlock(channel, fragment);
    if (bytes !== null) this.#channels[channel].emit("block", peer, bytes);
  }

  /** Ends the peer that holds most, where all together hold more than they may. */
  #boundAssembly(): void {
    let total = 0;
    let greatest: Peer<P> | null = null;
    for (const peer of this.#assembling) {
      const { assemblyBytes } = peer;
      total += assemblyBytes;
      if (assemblyBytes === 0) this.#assembling.delete(peer);
      else if (greatest === null || assemblyBytes > greatest.assemblyBytes) greatest = peer;
    }
    if (total > this.#assemblyBytesMax) {
      greatest?.end(REASON_RESOURCES, new TextEncoder().encode("blocks"), false);
    }
  }

  #message(peer: Peer<P>, channel: number, bytes: Uint8Array): void {
    const message = peer.open(channel, bytes);
    if (message === REFUSED) return;
    this.#channels[channel].deliver(peer, message);
    peer.tell(channel, message);
  }

  /** Whether every peer is gone, and we were told so: an I/O thread is ahead of its events. */
  #isEmpty(): boolean {
    return this.#driver.peers === 0 && this.#peers.size === 0;
  }

  #turned(): void {
    if (this.#assembling.size > 0) this.#boundAssembly();
    if (this.#driver.busy.size > 0) {
      for (const peer of this.#driver.busy) (peer as Peer<P>).turned();
    }
    if (this.#whenEmpty !== null && this.#isEmpty()) this.#whenEmpty();
  }
}

function checkSecret(options: ServerOptions): Uint8Array {
  const { secret, insecure = false, address } = options;
  if (checkBoolean("insecure", insecure)) {
    if (secret !== undefined) {
      throw argumentError("secret", secret, "left out: insecure servers have a fixed one");
    }
    if (!isLoopback(parseAddress(address))) {
      throw new NetrtError(
        "ERR_NETRT_INSECURE_ADDRESS",
        `insecure servers bind 127.0.0.0/8 or [::1] only, but ${address} was given`,
      );
    }
    return insecureKey();
  }
  if (!(secret instanceof Uint8Array) || secret.length !== KEY_BYTES) {
    throw new NetrtError(
      "ERR_NETRT_KEY_SIZE",
      `secret must be ${KEY_BYTES} bytes, but ${describeGiven(secret)} was given; ` +
        "for development on this machine alone, say insecure: true instead",
    );
  }
  return secret;
}

/**
 * Opens a server.
 *
 * @throws NetrtError (as rejection) `ERR_NETRT_ARGUMENT`, `ERR_NETRT_ADDRESS`, `ERR_NETRT_KEY_SIZE`,
 * `ERR_NETRT_INSECURE_ADDRESS`, `ERR_NETRT_PORT_IN_USE`, `ERR_NETRT_ADDRESS_NOT_AVAILABLE`,
 * `ERR_NETRT_ENGINE_UNAVAILABLE` or `ERR_NETRT_IO`
 *
 * @example
 * ```ts
 * const server = await createServer(arena, { address: "0.0.0.0:40000", tickRate: 128, secret });
 * server.on("connect", (peer) => peer.send("chat", hello));
 * server.channel("input").on("message", (peer, bytes) => apply(peer, bytes));
 * server.on("tick", () => server.broadcast("state", world.encode()));
 * ```
 */
export async function createServer<P extends Protocol>(
  protocol: P,
  options: ServerOptions,
): Promise<Server<P>> {
  checkProtocol(protocol);
  const secret = checkSecret(checkOptions(options));
  checkSignal(options.signal);
  const { queueBytes = QUEUE_BYTES_DEFAULT, assemblyBytes = ASSEMBLY_BYTES_DEFAULT } = options;
  checkInteger("assemblyBytes", assemblyBytes, BLOCK_BYTES_MAX, 2 ** 40, "bytes");
  const server = new Server(protocol, queueBytes, assemblyBytes);
  await server.open(options, secret);
  return server;
}
