/**
 * `netrt/netcode`: bare NETCODE 1.02 for peers that speak nothing more.
 *
 * Owns: a server and a client of raw payloads, on the same hosts, drivers and engines as the rest.
 * Never does: acks, channels, or anything that the standard hasn't: what is lost is lost.
 */
import { EventEmitter } from "node:events";
import { checkSignal, onAbort } from "./abort.js";
import { parseAddress } from "./address.js";
import type { EngineChoiceOptions } from "./choice.js";
import { clientBind, stateError, withResolvers } from "./client.js";
import {
  boundText,
  configureAddresses,
  configureRaw,
  type LimitOptions,
  ownAddresses,
  socketAddress,
} from "./configure.js";
import { readDisconnect } from "./disconnect.js";
import { Driver } from "./driver.js";
import { ROLE_CLIENT, ROLE_SERVER } from "./engine/config.js";
import { KEY_BYTES, PAYLOAD_BYTES_MAX } from "./engine/limits.js";
import { NO_ROOM, RECORD_BYTES, RECORD_SEND, TTL_DEFAULT } from "./engine/ring.js";
import {
  CLIENT_CONNECTED,
  CLIENT_DENIED,
  CLIENT_DISCONNECTED,
  CLIENT_REQUEST_TIMED_OUT,
  CLIENT_REQUESTING,
  CLIENT_RESPONDING,
  CLIENT_RESPONSE_TIMED_OUT,
  CLIENT_TIMED_OUT,
  CLIENT_TOKEN_EXPIRED,
  CLIENT_TOKEN_INVALID,
  REASON_CLOSED,
  REASON_SHUTDOWN,
} from "./engine/state.js";
import { argumentError, checkOptions, describeGiven, NetrtError } from "./errors.js";
import { readPeer } from "./peer.js";
import { type HostStats, readHostStats } from "./stats.js";
import { decodeToken, tokenFromBase64 } from "./token.js";

/** The standard's client states, by name. */
export const ClientState = {
  tokenExpired: CLIENT_TOKEN_EXPIRED,
  tokenInvalid: CLIENT_TOKEN_INVALID,
  connectionTimedOut: CLIENT_TIMED_OUT,
  responseTimedOut: CLIENT_RESPONSE_TIMED_OUT,
  requestTimedOut: CLIENT_REQUEST_TIMED_OUT,
  denied: CLIENT_DENIED,
  disconnected: CLIENT_DISCONNECTED,
  sendingRequest: CLIENT_REQUESTING,
  sendingResponse: CLIENT_RESPONDING,
  connected: CLIENT_CONNECTED,
} as const;

/** Options of {@link createNetcodeServer}. */
export interface NetcodeServerOptions extends LimitOptions, EngineChoiceOptions {
  /** Address and port to bind; port 0 lets the system choose. */
  readonly address: string;
  /** 0 to 2^64 - 1: tokens of another protocol are ignored. */
  readonly protocolId: bigint;
  /** The 32 bytes that the backend shares with its servers. */
  readonly privateKey: Uint8Array;
  /** Slots, 1 to 65,536. Default 256, the standard's usual limit. */
  readonly maxClients?: number;
  /** The addresses that tokens name for this server, up to 8. Default as `createServer`'s. */
  readonly publicAddresses?: readonly string[];
}

/** Why a client is gone. */
export type NetcodeEnd = "disconnected" | "timedOut" | "closed" | "failed";

function endOf(reason: string): NetcodeEnd {
  if (reason === "timedOut") return "timedOut";
  return reason === "disconnected" ? "disconnected" : "closed";
}

function checkPayload(bytes: unknown): Uint8Array {
  if (!(bytes instanceof Uint8Array) || bytes.length < 1) {
    throw argumentError("payload", bytes, `a Uint8Array of 1 to ${PAYLOAD_BYTES_MAX} bytes`);
  }
  if (bytes.length > PAYLOAD_BYTES_MAX) {
    throw new NetrtError(
      "ERR_NETRT_MESSAGE_TOO_LARGE",
      `a payload of ${bytes.length} bytes was given; NETCODE takes at most ${PAYLOAD_BYTES_MAX}`,
    );
  }
  return bytes;
}

function pushPayload(driver: Driver, handle: number, payload: Uint8Array): boolean {
  const word = driver.push(RECORD_SEND, payload.length);
  if (word === NO_ROOM) return false;
  const { words, bytes } = driver.submission;
  words[word + 1] = handle;
  words[word + 2] = 0;
  words[word + 4] = TTL_DEFAULT;
  words[word + 5] = 0;
  bytes.set(payload, word * 4 + RECORD_BYTES);
  driver.submitted();
  return true;
}

const NO_TEXT = new Uint8Array(0);

/** Events of a server's client. */
export interface NetcodePeerEvents {
  /** A view into the ring: copy what you keep. */
  payload: [bytes: Uint8Array];
  disconnect: [end: NetcodeEnd];
}

/** A client with a slot, as its server sees it. */
export class NetcodePeer extends EventEmitter<NetcodePeerEvents> {
  /** The client id of its token. */
  readonly id: bigint;
  /** Its slot, 0 to maxClients - 1. */
  readonly index: number;
  readonly address: string;
  /** The 256 bytes of user data of its token. */
  readonly userData: Uint8Array;
  readonly #driver: Driver;
  readonly #handle: number;
  #connected = true;

  /** @internal */
  constructor(driver: Driver, handle: number, index: number, payload: Uint8Array) {
    super();
    this.#driver = driver;
    this.#handle = handle;
    this.index = index;
    [this.id, this.address, this.userData] = readPeer(payload);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /**
   * Sends a payload of 1 to 1200 bytes, once.
   *
   * @returns true when it was taken; false when the engine has no room
   * @throws NetrtError `ERR_NETRT_ARGUMENT`, `ERR_NETRT_MESSAGE_TOO_LARGE`, `ERR_NETRT_CLOSED`
   */
  send(bytes: Uint8Array): boolean {
    const payload = checkPayload(bytes);
    if (!this.#connected) {
      throw new NetrtError("ERR_NETRT_CLOSED", `the client ${this.address} is disconnected`);
    }
    return pushPayload(this.#driver, this.#handle, payload);
  }

  /** Disconnects it: ten disconnect packets, spread over a quarter of a second. */
  disconnect(): void {
    if (!this.#connected) return;
    this.#driver.closePeer(this.#handle, REASON_CLOSED, NO_TEXT, false);
  }

  /** @internal */
  ended(end: NetcodeEnd): void {
    this.#connected = false;
    this.emit("disconnect", end);
  }
}

/** Events of a NETCODE server. */
export interface NetcodeServerEvents {
  connect: [client: NetcodePeer];
  disconnect: [client: NetcodePeer, end: NetcodeEnd];
  /** A view into the ring: copy what you keep. */
  payload: [client: NetcodePeer, bytes: Uint8Array];
  /** The system took the socket away (`ERR_NETRT_IO`): every client is gone. Thrown if nobody listens. */
  error: [error: NetrtError];
}

/** A NETCODE 1.02 server; {@link createNetcodeServer} makes it. */
export class NetcodeServer extends EventEmitter<NetcodeServerEvents> {
  readonly #clients = new Map<number, NetcodePeer>();
  #driver!: Driver;
  #closing: Promise<void> | null = null;
  #shutting = false;
  #whenEmpty: (() => void) | null = null;

  /** @internal */
  async open(options: NetcodeServerOptions): Promise<void> {
    const { protocolId, privateKey, maxClients = 256, publicAddresses = [] } = options;
    if (typeof protocolId !== "bigint" || protocolId < 0n || protocolId > 0xffffffffffffffffn) {
      throw argumentError("protocolId", protocolId, "a bigint from 0 to 2^64 - 1");
    }
    if (!(privateKey instanceof Uint8Array) || privateKey.length !== KEY_BYTES) {
      throw new NetrtError(
        "ERR_NETRT_KEY_SIZE",
        `privateKey must be ${KEY_BYTES} bytes, but ${describeGiven(privateKey)} was given`,
      );
    }
    const bind = parseAddress(options.address);
    const sizes = configureRaw(ROLE_SERVER, protocolId, maxClients, options);
    configureAddresses(sizes.config, ownAddresses(bind, publicAddresses));
    this.#driver = await Driver.open(
      {
        wanted: { engine: options.engine, io: options.io, reusePort: undefined },
        sizes,
        privateKey,
        bind: socketAddress(bind),
        tickRate: undefined,
      },
      {
        connected: (handle, slot, payload) => {
          const client = new NetcodePeer(this.#driver, handle, slot, payload);
          this.#clients.set(handle, client);
          this.emit("connect", client);
        },
        disconnected: (handle, reason, local, text) =>
          this.#disconnected(handle, endOf(readDisconnect(reason, local, text).reason)),
        message: (handle, _channel, bytes) => {
          const client = this.#clients.get(handle);
          if (client === undefined) return;
          this.emit("payload", client, bytes);
          client.emit("payload", bytes);
        },
        fragment: () => undefined,
        packet: () => undefined,
        fate: () => undefined,
        clientState: () => undefined,
        failed: (error) => this.#failed(error),
        turned: () => {
          if (this.#whenEmpty !== null && this.#isEmpty()) this.#whenEmpty();
        },
      },
    );
  }

  /** The bound address and port. */
  get address(): string {
    return boundText(this.#driver.engine.bound);
  }

  get engine(): "native" | "js" {
    return this.#driver.engine.name;
  }

  /** The clients that have a slot. */
  get clients(): IterableIterator<NetcodePeer> {
    return this.#clients.values();
  }

  get stats(): HostStats {
    return readHostStats(this.#driver);
  }

  /** Disconnects every client and gives the socket back. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Whether every client is gone, and we were told so: an I/O thread is ahead of its events. */
  #isEmpty(): boolean {
    return this.#driver.peers === 0 && this.#clients.size === 0;
  }

  /** The engine is closed already. */
  #failed(error: NetrtError): void {
    for (const handle of [...this.#clients.keys()]) this.#disconnected(handle, "failed");
    if (this.#shutting) {
      this.#whenEmpty?.();
      return;
    }
    this.#closing = Promise.resolve();
    this.emit("error", error);
  }

  async #shutDown(): Promise<void> {
    this.#shutting = true;
    for (const handle of this.#clients.keys()) {
      this.#driver.closePeer(handle, REASON_SHUTDOWN, NO_TEXT, false);
    }
    this.#driver.flush();
    if (!this.#isEmpty() && !this.#driver.closed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#whenEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#driver.close();
    for (const handle of [...this.#clients.keys()]) this.#disconnected(handle, "closed");
  }

  #disconnected(handle: number, end: NetcodeEnd): void {
    const client = this.#clients.get(handle);
    if (client === undefined) return;
    this.#clients.delete(handle);
    client.ended(end);
    this.emit("disconnect", client, end);
  }
}

/**
 * Opens a NETCODE 1.02 server with raw payloads.
 *
 * @throws NetrtError (as rejection) as `createServer` does
 *
 * @example
 * ```ts
 * const server = await createNetcodeServer({ address: "127.0.0.1:40000", protocolId, privateKey });
 * server.on("payload", (client, bytes) => client.send(bytes));
 * ```
 */
export async function createNetcodeServer(options: NetcodeServerOptions): Promise<NetcodeServer> {
  const server = new NetcodeServer();
  await server.open(checkOptions(options));
  return server;
}

/** Options of {@link connectNetcode}. */
export interface NetcodeConnectOptions extends LimitOptions, EngineChoiceOptions {
  /** Gives up, or disconnects, when it aborts. */
  readonly signal?: AbortSignal;
  /** Address to send from. Default: any. */
  readonly bind?: string;
  /** Gets every state from the first request on; `state` events start once the client is returned. */
  readonly onState?: (state: number) => void;
}

/** Events of a NETCODE client. */
export interface NetcodeClientEvents {
  /** A state of the standard, see {@link ClientState}. */
  state: [state: number];
  /** A view into the ring: copy what you keep. */
  payload: [bytes: Uint8Array];
  disconnect: [end: NetcodeEnd];
}

/** A connected NETCODE 1.02 client; {@link connectNetcode} makes it. */
export class NetcodeClient extends EventEmitter<NetcodeClientEvents> {
  readonly #driver: Driver;
  readonly #handle: number;
  readonly #over: Promise<void>;
  #finish!: () => void;
  #state: number = CLIENT_CONNECTED;
  #closing = false;

  /** @internal */
  constructor(driver: Driver, handle: number) {
    super();
    this.#driver = driver;
    this.#handle = handle;
    this.#over = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** The standard's state, see {@link ClientState}. */
  get state(): number {
    return this.#state;
  }

  get engine(): "native" | "js" {
    return this.#driver.engine.name;
  }

  get stats(): HostStats {
    return readHostStats(this.#driver);
  }

  /**
   * Sends a payload of 1 to 1200 bytes, once.
   *
   * @returns true when it was taken; false when the engine has no room
   * @throws NetrtError `ERR_NETRT_ARGUMENT`, `ERR_NETRT_MESSAGE_TOO_LARGE`, `ERR_NETRT_CLOSED`
   */
  send(bytes: Uint8Array): boolean {
    const payload = checkPayload(bytes);
    if (this.#closing || this.#state !== CLIENT_CONNECTED) {
      throw new NetrtError("ERR_NETRT_CLOSED", "the client is disconnected");
    }
    return pushPayload(this.#driver, this.#handle, payload);
  }

  /** Disconnects; resolves when the last disconnect packet is sent and the socket is given back. */
  close(): Promise<void> {
    if (!this.#closing && this.#state === CLIENT_CONNECTED) {
      this.#driver.closePeer(this.#handle, REASON_CLOSED, NO_TEXT, false);
    }
    this.#closing = true;
    return this.#over;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  ended(end: NetcodeEnd): void {
    this.#closing = true;
    this.emit("disconnect", end);
  }

  /** @internal */
  moved(state: number): void {
    this.#state = state;
    this.emit("state", state);
    if (state > CLIENT_DISCONNECTED) return;
    this.#driver.close();
    this.#finish();
  }
}

/**
 * Connects to a NETCODE 1.02 server, trying the servers of the token in turn.
 *
 * @param token a connect token as 2048 bytes or base64
 * @throws NetrtError (as rejection) with the code of the standard's failed state, or as `connect` does
 *
 * @example
 * ```ts
 * const client = await connectNetcode(token);
 * client.on("payload", (bytes) => console.log(bytes.length));
 * client.send(new Uint8Array([1, 2, 3]));
 * ```
 */
export async function connectNetcode(
  token: Uint8Array | string,
  options: NetcodeConnectOptions = {},
): Promise<NetcodeClient> {
  const bytes = typeof token === "string" ? tokenFromBase64(token) : token;
  const { protocolId } = decodeToken(bytes);
  const { onState } = checkOptions(options);
  if (onState !== undefined && typeof onState !== "function") {
    throw argumentError("onState", onState, "a function");
  }
  const signal = checkSignal(options.signal);
  const { promise, resolve, reject } = withResolvers<NetcodeClient>();
  let client: NetcodeClient | null = null;
  let forgetSignal: () => void = () => undefined;
  const driver: Driver = await Driver.open(
    {
      wanted: { engine: options.engine, io: options.io, reusePort: undefined },
      sizes: configureRaw(ROLE_CLIENT, protocolId, 1, options),
      privateKey: new Uint8Array(KEY_BYTES),
      bind: socketAddress(clientBind(bytes, options.bind)),
      tickRate: undefined,
    },
    {
      connected: (handle) => {
        client = new NetcodeClient(driver, handle);
        resolve(client);
        driver.hold();
      },
      disconnected: (_handle, reason, local, text) =>
        client?.ended(endOf(readDisconnect(reason, local, text).reason)),
      message: (_handle, _channel, payload) => client?.emit("payload", payload),
      fragment: () => undefined,
      packet: () => undefined,
      fate: () => undefined,
      clientState: (state) => {
        if (state <= CLIENT_DISCONNECTED) forgetSignal();
        onState?.(state);
        if (client !== null) {
          if (state !== client.state) client.moved(state);
        } else if (state <= CLIENT_DISCONNECTED) {
          driver.close();
          reject(stateError(state));
        }
      },
      failed: (error) => {
        forgetSignal();
        if (client === null) {
          reject(error);
          return;
        }
        client.ended("failed");
        client.moved(CLIENT_DISCONNECTED);
      },
      turned: () => undefined,
    },
  );
  if (signal?.aborted) {
    driver.close();
    throw signal.reason;
  }
  forgetSignal = onAbort(signal, () => {
    if (client !== null) void client.close();
    else if (!driver.closed) {
      driver.close();
      reject(signal?.reason);
    }
  });
  driver.connect(bytes);
  return promise;
}
