/**
 * A client: one connection to the server that its token names.
 *
 * Owns: the way in (connect, its time-outs and errors), the client's own iterators, and its end.
 * Never does: reconnect by itself: a token is good for one connection.
 */

import { checkSignal, onAbort } from "./abort.js";
import { parseAddress } from "./address.js";
import type { Fragment } from "./assembly.js";
import { ClientChannel, MessageQueue } from "./channel.js";
import type { EngineChoiceOptions } from "./choice.js";
import {
  configureProtocol,
  isLoopback,
  type LimitOptions,
  QUEUE_BYTES_DEFAULT,
  socketAddress,
} from "./configure.js";
import { type Disconnect, readDisconnect } from "./disconnect.js";
import { Driver, type DriverEvents } from "./driver.js";
import { ADDRESS_IPV6, type Address } from "./engine/address.js";
import { ROLE_CLIENT } from "./engine/config.js";
import { RECORD_PAUSE } from "./engine/ring.js";
import {
  CLIENT_CONNECTED,
  CLIENT_DENIED,
  CLIENT_DISCONNECTED,
  CLIENT_REQUEST_TIMED_OUT,
  CLIENT_RESPONSE_TIMED_OUT,
  CLIENT_TIMED_OUT,
  CLIENT_TOKEN_EXPIRED,
  CLIENT_TOKEN_INVALID,
} from "./engine/state.js";
import { argumentError, checkOptions, type ErrorCode, NetrtError } from "./errors.js";
import { insecureKey } from "./insecure.js";
import { REFUSED } from "./message.js";
import { mismatchError, readMismatch, tellLayouts } from "./mismatch.js";
import type { CloseOptions } from "./options.js";
import { Peer, readPeer } from "./peer.js";
import { type ChannelName, checkProtocol, type MessageOf, type Protocol } from "./protocol.js";
import { type ChannelStats, type HostStats, readChannelStats, readHostStats } from "./stats.js";
import { decodeToken, mintToken, tokenFromBase64 } from "./token.js";

/** Options of {@link connect}. */
export interface ConnectOptions extends LimitOptions, EngineChoiceOptions {
  /** Gives up, or closes the client, when it aborts. */
  readonly signal?: AbortSignal;
  /** Address to send from, e.g. `192.0.2.4:0`. Default: any, chosen by the system. */
  readonly bind?: string;
}

/** In place of a token, for development: a server on this machine that is `insecure` too. */
export interface InsecureTarget {
  readonly insecure: true;
  /** The server, on a loopback address. */
  readonly address: string;
  /** 64 bits; default random. */
  readonly clientId?: bigint;
}

/** Statistics of a client's own end. */
export interface ClientStats<P extends Protocol> extends HostStats {
  readonly channels: Readonly<Record<ChannelName<P>, ChannelStats>>;
}

const FAILURES = new Map<number, [ErrorCode, string]>([
  [
    CLIENT_TOKEN_EXPIRED,
    ["ERR_NETRT_TOKEN_EXPIRED", "the token's lifetime ended before the connection stood"],
  ],
  [CLIENT_TOKEN_INVALID, ["ERR_NETRT_TOKEN_INVALID", "the token can't be read"]],
  [CLIENT_TIMED_OUT, ["ERR_NETRT_CONNECTION_TIMED_OUT", "the server fell silent"]],
  [
    CLIENT_RESPONSE_TIMED_OUT,
    [
      "ERR_NETRT_CONNECTION_RESPONSE_TIMED_OUT",
      "the server didn't answer the response to its challenge",
    ],
  ],
  [
    CLIENT_REQUEST_TIMED_OUT,
    ["ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT", "no server answered the connection request"],
  ],
  [CLIENT_DENIED, ["ERR_NETRT_DENIED", "the server is full"]],
]);

/** The error of a client state that ends the way in. */
export function stateError(state: number): NetrtError {
  const [code, message] = FAILURES.get(state) ?? ["ERR_NETRT_CLOSED", "the server disconnected"];
  return new NetrtError(code, message);
}

/** The error of a connection that ended before it stood, or under somebody who waits for messages. */
export function endError(end: Disconnect, protocol: Protocol): NetrtError {
  if (end.reason === "mismatch") {
    return mismatchError(protocol, end.text, new Uint8Array(0));
  }
  if (end.reason === "timedOut") return stateError(CLIENT_TIMED_OUT);
  if (end.reason === "failed") return new NetrtError("ERR_NETRT_IO", end.text);
  const text = end.text === "" ? "" : `: ${end.text}`;
  return new NetrtError("ERR_NETRT_CLOSED", `the connection was closed (${end.reason})${text}`);
}

/** A connected client: the peer is its server. {@link connect} makes it. */
export class Client<P extends Protocol = Protocol> extends Peer<P> {
  readonly #host: Driver;
  readonly #protocol: P;
  readonly #channels = new Map<number, ClientChannel<unknown>>();
  readonly #queues = new Map<number, Set<MessageQueue<unknown>>>();
  /** Iterators of each channel that want no more for now. */
  readonly #pauses = new Map<number, number>();
  readonly #over: Promise<void>;
  #finish!: () => void;

  /** @internal Use `connect`. */
  constructor(driver: Driver, protocol: P, handle: number, queueBytesMax: number, address: string) {
    super(driver, protocol, handle, queueBytesMax, 0n, address, new Uint8Array(256));
    this.#host = driver;
    this.#protocol = protocol;
    this.#over = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** The engine that runs: `"native"` or `"js"`. */
  get engine(): "native" | "js" {
    return this.#host.engine.name;
  }

  /** Counters of the socket and the channels at this end; `stats` has those of the link. */
  get hostStats(): ClientStats<P> {
    const channels = {} as Record<ChannelName<P>, ChannelStats>;
    for (const [index, name] of this.#protocol.channelNames.entries()) {
      channels[name as ChannelName<P>] = readChannelStats(this.#host, index);
    }
    return { ...readHostStats(this.#host), channels };
  }

  /**
   * The messages of one channel, for handlers.
   *
   * @throws NetrtError `ERR_NETRT_UNKNOWN_CHANNEL`
   */
  channel<C extends ChannelName<P>>(name: C): ClientChannel<MessageOf<P, C>> {
    const index = this.#protocol.channelIndex(name);
    let channel = this.#channels.get(index);
    if (channel === undefined) {
      channel = new ClientChannel<unknown>();
      this.#channels.set(index, channel);
    }
    return channel as ClientChannel<MessageOf<P, C>>;
  }

  /**
   * The messages of one channel from now on, bytes as copies, for `for await`. Ends when this side closes;
   * throws when the connection ends otherwise. Of a RealTime channel it keeps the newest 64 unread. On any
   * other, 64 unread messages make the server wait with more: some 320 are kept at most.
   *
   * @throws NetrtError `ERR_NETRT_UNKNOWN_CHANNEL`
   */
  messages<C extends ChannelName<P>>(name: C): AsyncIterableIterator<MessageOf<P, C>> {
    const index = this.#protocol.channelIndex(name);
    const queues = this.#queues.get(index) ?? new Set<MessageQueue<unknown>>();
    this.#queues.set(index, queues);
    const sequenced = this.#protocol.channels[name].order === "sequenced";
    const queue = new MessageQueue<unknown>(
      sequenced,
      () => queues.delete(queue),
      (paused) => this.#paused(index, paused),
    );
    queues.add(queue);
    if (this.disconnected !== null) queue.finish(this.#endError(this.disconnected));
    return queue as AsyncIterableIterator<MessageOf<P, C>>;
  }

  /** A channel waits while one of its iterators wants no more. */
  #paused(channel: number, paused: boolean): void {
    const count = (this.#pauses.get(channel) ?? 0) + (paused ? 1 : -1);
    this.#pauses.set(channel, count);
    const changed = paused ? count === 1 : count === 0;
    if (changed && this.disconnected === null) {
      this.#host.wish(RECORD_PAUSE, this.handle, channel, paused);
    }
  }

  /** Sends everything now instead of at the end of the running JavaScript. */
  flush(): void {
    this.#host.flush();
  }

  /** As `peer.close`; resolves when the socket is given back. */
  override close(options: CloseOptions = {}): Promise<void> {
    super.close(options);
    return this.#over;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  receivedBlock(channel: number, bytes: Uint8Array): void {
    this.#channels.get(channel)?.emit("block", bytes);
  }

  /** @internal */
  received(channel: number, bytes: Uint8Array): void {
    const message = this.open(channel, bytes);
    if (message === REFUSED) return;
    this.#channels.get(channel)?.deliver(message);
    for (const queue of this.#queues.get(channel) ?? []) {
      queue.push(message === bytes ? bytes.slice() : message);
    }
    this.tell(channel, message);
  }

  /** @internal The connection is over; the socket still says goodbye. */
  override ended(end: Disconnect): void {
    if (this.disconnected !== null) return;
    super.ended(end);
    const error = this.#endError(end);
    for (const queues of this.#queues.values()) {
      for (const queue of queues) queue.finish(error);
    }
    this.#queues.clear();
    this.emit("disconnect", end);
  }

  /** What iterators throw at the end: nothing when this side closed. */
  #endError(end: Disconnect): NetrtError | null {
    return end.local && end.reason === "closed" ? null : endError(end, this.#protocol);
  }

  /** @internal The last goodbye is sent. */
  gone(): void {
    this.#host.close();
    this.#finish();
  }
}

/** The way in: one driver, one promise, and the client once it stands. */
class Connecting<P extends Protocol> implements DriverEvents {
  readonly #protocol: P;
  readonly #queueBytesMax: number;
  readonly #resolve: (client: Client<P>) => void;
  readonly #reject: (error: unknown) => void;
  #driver!: Driver;
  #forgetSignal: () => void = () => undefined;
  #client: Client<P> | null = null;
  #end: Disconnect | null = null;
  #mismatch: NetrtError | null = null;

  constructor(
    protocol: P,
    queueBytesMax: number,
    resolve: (client: Client<P>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#protocol = protocol;
    this.#queueBytesMax = queueBytesMax;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(driver: Driver, token: Uint8Array, signal: AbortSignal | undefined): void {
    this.#driver = driver;
    this.#forgetSignal = onAbort(signal, () => this.#aborted(signal as AbortSignal));
    driver.connect(token);
  }

  #aborted(signal: AbortSignal): void {
    if (this.#client !== null) {
      void this.#client.close();
    } else if (!this.#driver.closed) {
      this.#driver.close();
      this.#reject(signal.reason);
    }
  }

  connected(handle: number, _slot: number, payload: Uint8Array): void {
    const [, address] = readPeer(payload);
    const client = new Client(this.#driver, this.#protocol, handle, this.#queueBytesMax, address);
    this.#client = client;
    this.#resolve(client);
    this.#driver.hold();
  }

  disconnected(_handle: number, reason: number, local: boolean, text: Uint8Array): void {
    this.#end = readDisconnect(reason, local, text);
    this.#client?.ended(this.#end);
  }

  mismatched(payload: Uint8Array, textBytes: number): void {
    const { text, layout } = readMismatch(payload, textBytes);
    this.#mismatch = mismatchError(this.#protocol, text, layout);
  }

  message(_handle: number, channel: number, bytes: Uint8Array, id: number): void {
    this.#client?.assembleWhole(channel, id);
    this.#client?.received(channel, bytes);
  }

  fragment(_handle: number, channel: number, fragment: Fragment, block: boolean): void {
    const client = this.#client;
    if (client === null) return;
    if (block) {
      const bytes = client.assembleBlock(channel, fragment);
      if (bytes !== null) client.receivedBlock(channel, bytes);
      return;
    }
    const bytes = client.assembleMessage(channel, fragment);
    if (bytes === null) return;
    this.#driver.assembled[channel] = (this.#driver.assembled[channel] ?? 0) + 1;
    client.received(channel, bytes);
  }

  packet(_handle: number, number: number, acked: boolean, bytes: number): void {
    this.#client?.verdict(number, acked, bytes);
  }

  fate(_handle: number, channel: number, tag: number, fate: number): void {
    this.#client?.fated(channel, tag, fate);
  }

  /** Only the end of all is of interest here; the standard's states are `netrt/netcode`'s to show. */
  clientState(state: number): void {
    if (state > CLIENT_DISCONNECTED && state <= CLIENT_CONNECTED) return;
    this.#forgetSignal();
    if (this.#client !== null) {
      this.#client.ended(this.#end ?? { reason: "disconnected", text: "", local: false });
      this.#client.gone();
      return;
    }
    this.#driver.close();
    const end = this.#end;
    this.#reject(
      this.#mismatch ?? (end === null ? stateError(state) : endError(end, this.#protocol)),
    );
  }

  failed(error: NetrtError): void {
    this.#forgetSignal();
    if (this.#client === null) {
      this.#reject(error);
      return;
    }
    this.#client.ended({ reason: "failed", text: error.message, local: true });
    this.#client.gone();
  }

  turned(): void {
    for (const client of this.#driver.busy) (client as Client<P>).turned();
  }
}

/** A token from what the user gave, checked as far as a client can. */
function readTarget(protocol: Protocol, target: Uint8Array | string | InsecureTarget): Uint8Array {
  if (typeof target === "object" && target !== null && "insecure" in target) {
    if (target.insecure !== true) {
      throw argumentError("insecure", target.insecure, "true, as only that goes without a token");
    }
    if (!isLoopback(parseAddress(target.address))) {
      throw new NetrtError(
        "ERR_NETRT_INSECURE_ADDRESS",
        `insecure connections go to 127.0.0.0/8 or [::1] only, but ${target.address} was given`,
      );
    }
    const random = crypto.getRandomValues(new BigUint64Array(1))[0];
    return mintToken({
      protocol,
      key: insecureKey(),
      clientId: target.clientId ?? random,
      servers: [target.address],
    });
  }
  const bytes = typeof target === "string" ? tokenFromBase64(target) : (target as Uint8Array);
  const token = decodeToken(bytes);
  if (token.protocolId !== protocol.id) {
    throw new NetrtError(
      "ERR_NETRT_TOKEN_FOREIGN",
      `the token is for protocol id ${token.protocolId}, "${protocol.name}" has ${protocol.id}`,
    );
  }
  if (token.expiresSeconds <= Date.now() / 1000) {
    throw new NetrtError(
      "ERR_NETRT_TOKEN_EXPIRED",
      "the token has expired on this machine's clock",
    );
  }
  return bytes;
}

/** The address that a client sends from unless told otherwise: any, of its first server's family. */
export function clientBind(token: Uint8Array, bind: string | undefined): Address {
  const [server] = decodeToken(token).servers;
  const { type } = parseAddress(server);
  if (bind === undefined) return parseAddress(type === ADDRESS_IPV6 ? "[::]:0" : "0.0.0.0:0");
  const address = parseAddress(bind);
  if (address.type === type) return address;
  throw new NetrtError(
    "ERR_NETRT_ADDRESS",
    `bind must be of the family of the token's first server, ${server}, but ${bind} was given`,
  );
}

/**
 * Connects to the server that a token names. Resolves when the server has given a slot and both
 * speak the same protocol; tries the token's servers in turn.
 *
 * @param protocol the same definition as the server's
 * @param token    a connect token of `mintToken`, as 2048 bytes or base64; or, for development, an
 *                 insecure server on this machine
 * @throws NetrtError (as rejection) `ERR_NETRT_TOKEN_INVALID`, `ERR_NETRT_TOKEN_EXPIRED`,
 * `ERR_NETRT_TOKEN_FOREIGN`, `ERR_NETRT_DENIED`, `ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT`,
 * `ERR_NETRT_CONNECTION_RESPONSE_TIMED_OUT`, `ERR_NETRT_PROTOCOL_MISMATCH`, `ERR_NETRT_CLOSED`,
 * `ERR_NETRT_ARGUMENT`, `ERR_NETRT_ADDRESS` or `ERR_NETRT_IO`; the signal's reason when it aborts
 *
 * @example
 * ```ts
 * const client = await connect(arena, token);
 * client.send("input", bytes);
 * for await (const state of client.messages("state")) draw(state);
 * ```
 */
export async function connect<P extends Protocol>(
  protocol: P,
  token: Uint8Array | string | InsecureTarget,
  options: ConnectOptions = {},
): Promise<Client<P>> {
  const { queueBytes = QUEUE_BYTES_DEFAULT } = checkOptions(options);
  const bytes = readTarget(checkProtocol(protocol), token);
  const signal = checkSignal(options.signal);
  const { promise, resolve, reject } = withResolvers<Client<P>>();
  const connecting = new Connecting(protocol, queueBytes, resolve, reject);
  const driver = await Driver.open(
    {
      wanted: { engine: options.engine, io: options.io, reusePort: undefined },
      sizes: configureProtocol(ROLE_CLIENT, protocol, 1, options),
      privateKey: new Uint8Array(32),
      bind: socketAddress(clientBind(bytes, options.bind)),
      tickRate: undefined,
    },
    connecting,
  );
  tellLayouts(driver, protocol);
  if (signal?.aborted) {
    driver.close();
    throw signal.reason;
  }
  connecting.begin(driver, bytes, signal);
  return promise;
}

/** Promise.withResolvers, which Node 20 hasn't. */
export function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((resolves, rejects) => {
    resolve = resolves;
    reject = rejects;
  });
  return { promise, resolve, reject };
}
