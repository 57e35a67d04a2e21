/**
 * A peer: one end of a connection, as the other end sees it.
 *
 * Owns: what can be said to a peer (send, close), its back-pressure, and its events.
 * Never does: encode a frame or keep a message: `send` copies the bytes into the submission ring.
 * Invariants: after `disconnect` nothing is emitted; a message view is valid during its handler only.
 */
import { EventEmitter } from "node:events";
import { checkSignal } from "./abort.js";
import { formatAddress } from "./address.js";
import { Assemblies, type Assembly, type Fragment } from "./assembly.js";
import { type BlockOptions, BlockSender, checkBlock } from "./block.js";
import { QUEUE_MESSAGES_MAX } from "./configure.js";
import { type Disconnect, encodeReason } from "./disconnect.js";
import type { Driver } from "./driver.js";
import {
  NO_ROOM,
  RECORD_BYTES,
  RECORD_PAUSE,
  RECORD_SEND,
  RECORD_WATCH,
  TTL_DEFAULT,
} from "./engine/ring.js";
import { REASON_CLOSED, REASON_VIOLATION } from "./engine/state.js";
import {
  PEER_HANDLE,
  PEER_PAYLOAD_BYTES,
  PEER_QUEUED_BYTES,
  PEER_QUEUED_MESSAGES,
  PEER_RELEASED_BYTES,
  PEER_RELEASED_MESSAGES,
  statsPeerWord,
  statsWords,
} from "./engine/stats.js";
import { checkBoolean, checkInteger, checkOptions, NetrtError } from "./errors.js";
import type { PeerEvents } from "./events.js";
import { FATES } from "./fate.js";
import { openMessage, placeMessage, prepareMessage } from "./message.js";
import type { CloseOptions, SendOptions } from "./options.js";
import { Pending } from "./pending.js";
import { EXPIRY_LONG_MS, EXPIRY_MS_MAX } from "./policy.js";
import type { ChannelName, MessageOf, Protocol } from "./protocol.js";
import { type PeerStats, readPeerStats } from "./stats.js";

const encoder = new TextEncoder();
const NO_OPTIONS: SendOptions = Object.freeze({});

/** Who a connect record tells of: client id, address, user data. */
export function readPeer(payload: Uint8Array): [id: bigint, address: string, userData: Uint8Array] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const address = formatAddress({
    type: view.getUint32(8, true),
    port: view.getUint32(12, true),
    a: view.getUint32(16, true),
    b: view.getUint32(20, true),
    c: view.getUint32(24, true),
    d: view.getUint32(28, true),
  });
  return [view.getBigUint64(0, true), address, payload.slice(32)];
}

/** Checks a message's options; the words that the ring carries. */
export function readTtl(protocol: Protocol, channel: string, options: SendOptions): number {
  const { ttl } = checkOptions(options);
  if (ttl === undefined) return TTL_DEFAULT;
  if (protocol.channels[channel].repair === "none") {
    throw new NetrtError(
      "ERR_NETRT_STRATEGY",
      `channel "${channel}" doesn't repair, so a message has no ttl there: a newer one ends it`,
    );
  }
  // What only a nack repairs is bounded: without one, time alone tells that it is lost.
  const most = protocol.channels[channel].repair === "nack" ? EXPIRY_LONG_MS - 1 : EXPIRY_MS_MAX;
  return checkInteger("ttl", ttl, 1, most, "ms");
}

/** Of a peer whose row on the page was given to another one before anybody read it. */
const NO_STATS = readPeerStats(new Uint32Array(statsWords(1)), 0, 0);

/** A connected peer. Servers hand it out with `connect`; a client is one toward its server. */
export class Peer<P extends Protocol = Protocol> extends EventEmitter<PeerEvents<P>> {
  /** The client's id from its token, 64 bits; 0 for the server as a client sees it. */
  readonly id: bigint;
  /** The 256 bytes that the backend put into the client's token; zeros at a client. */
  readonly userData: Uint8Array;
  /** Yours: whatever belongs to this peer. */
  data: unknown = undefined;

  #address: string;
  readonly #driver: Driver;
  readonly #protocol: P;
  readonly #handle: number;
  readonly #row: number;
  readonly #queueBytesMax: number;
  readonly #pending = new Pending();
  #receipts = 0;
  #blocks: BlockSender | null = null;
  #assemblies: Assemblies | null = null;
  #watched = false;
  /** Somebody has listened to all channels, if not any more. */
  #heard = false;
  #end: Disconnect | null = null;
  #closing = false;
  /** The row on the page is another peer's soon. */
  #lastStats: PeerStats | null = null;

  /** @internal Peers come from `createServer` and `connect`. */
  constructor(
    driver: Driver,
    protocol: P,
    handle: number,
    queueBytesMax: number,
    id: bigint,
    address: string,
    userData: Uint8Array,
  ) {
    super();
    this.#driver = driver;
    this.#protocol = protocol;
    this.#handle = handle;
    this.#row = statsPeerWord(handle & 0xffff);
    this.#queueBytesMax = queueBytesMax;
    this.id = id;
    this.#address = address;
    this.userData = userData;
    this.#listen();
  }

  /** One function for all peers: a closure of each one's own would be memory of each idle peer. */
  #listen(): void {
    (this as EventEmitter).on("newListener", this.#listened);
  }

  /** As an emitter's; who listens from here on is seen all the same. */
  override removeAllListeners(event?: keyof PeerEvents<P>): this {
    if (event === undefined) super.removeAllListeners();
    else super.removeAllListeners(event);
    if (this.listenerCount("newListener") === 0) this.#listen();
    return this;
  }

  /** The engine tells every packet's verdict only to those who listen. */
  #listened(event: string | symbol): void {
    if (event === "message") this.#heard = true;
    if (event !== "packet" || this.#watched || !this.connected) return;
    this.#watched = true;
    this.#driver.wish(RECORD_WATCH, this.#handle, 0, true);
  }

  /**
   * Address and port, e.g. `203.0.113.7:40000` or `[2001:db8::7]:40000`. A client's changes when its NAT or its
   * network does, with a `move`: know who it is by its `id`.
   */
  get address(): string {
    return this.#address;
  }

  /** @internal The peer is at another address; the one before. */
  moved(address: string): string {
    const from = this.#address;
    this.#address = address;
    this.emit("move", from);
    return from;
  }

  /** @internal The number by which the engine knows this peer. */
  get handle(): number {
    return this.#handle;
  }

  /** Whether messages can be sent: false once a close began or the connection ended. */
  get connected(): boolean {
    return this.#end === null && !this.#closing;
  }

  /** How the connection ended; null while it stands. */
  get disconnected(): Disconnect | null {
    return this.#end;
  }

  /** Bytes of messages that wait or are unacked. */
  get queueBytes(): number {
    return this.#waiting(PEER_QUEUED_BYTES, PEER_RELEASED_BYTES, this.#untaken().bytes);
  }

  get #queueMessages(): number {
    return this.#waiting(PEER_QUEUED_MESSAGES, PEER_RELEASED_MESSAGES, this.#untaken().messages);
  }

  /** What the engine has not taken yet. Asked before the page is: what is taken meanwhile counts twice, not never. */
  #untaken(): Pending {
    this.#pending.settle(this.#driver.takenEnd);
    return this.#pending;
  }

  #waiting(queued: number, released: number, untaken: number): number {
    if (this.#end !== null) return 0;
    const { page } = this.#driver;
    return this.#counted(page[this.#row + queued] - page[this.#row + released]) + untaken;
  }

  /** A difference of counters of our row; with an I/O thread it may be another peer's by now. */
  #counted(difference: number): number {
    return this.#isRowOurs() ? difference >>> 0 : 0;
  }

  #isRowOurs(): boolean {
    const handle = this.#driver.page[this.#row + PEER_HANDLE];
    return handle === this.#handle || handle === 0;
  }

  /** Whether a message of 1 byte would be taken now. */
  get writable(): boolean {
    return this.connected && this.#hasRoom(1);
  }

  #hasRoom(bytes: number): boolean {
    const untaken = this.#untaken();
    const waitingBytes = this.#waiting(PEER_QUEUED_BYTES, PEER_RELEASED_BYTES, untaken.bytes);
    return (
      waitingBytes + bytes <= this.#queueBytesMax &&
      this.#waiting(PEER_QUEUED_MESSAGES, PEER_RELEASED_MESSAGES, untaken.messages) <
        QUEUE_MESSAGES_MAX
    );
  }

  /** RTT, loss, rates and queue of the link to this peer; once it is over, as it was at the end. */
  get stats(): PeerStats {
    return this.#lastStats ?? this.#readStats();
  }

  #readStats(): PeerStats {
    const stats = readPeerStats(this.#driver.page, this.#handle & 0xffff, this.queueBytes);
    return this.#isRowOurs() ? stats : NO_STATS;
  }

  /**
   * Sends a message. It is copied; what you passed is yours again at once. With a server's ticks it
   * goes out at the end of the tick, else at the end of the running JavaScript.
   *
   * @param channel a channel of the protocol
   * @param message a value of the channel's schema, else bytes; up to the channel's `messageBytesMax`
   * @returns true when it was taken; false when the queue is full: nothing happened, `drain` tells
   *          when there is room. With `receipt: true` the number of the receipt, or 0
   * @throws NetrtError `ERR_NETRT_UNKNOWN_CHANNEL`, `ERR_NETRT_MESSAGE_TOO_LARGE`,
   * `ERR_NETRT_ARGUMENT` (it names the field that does not fit), `ERR_NETRT_STRATEGY` for a ttl that the channel can't have, or
   * `ERR_NETRT_CLOSED` after the connection ended or `close` was called
   */
  send<C extends ChannelName<P>>(
    channel: C,
    message: MessageOf<P, C>,
    options: SendOptions & { readonly receipt: true },
  ): number;
  send<C extends ChannelName<P>>(
    channel: C,
    message: MessageOf<P, C>,
    options?: SendOptions & { readonly receipt?: false },
  ): boolean;
  send<C extends ChannelName<P>>(
    channel: C,
    message: MessageOf<P, C>,
    options?: SendOptions,
  ): boolean | number;
  send<C extends ChannelName<P>>(
    channel: C,
    message: MessageOf<P, C>,
    options: SendOptions = NO_OPTIONS,
  ): boolean | number {
    const index = this.#protocol.channelIndex(channel);
    const count = prepareMessage(this.#protocol.policies[index], channel, message);
    const ttl = readTtl(this.#protocol, channel, options);
    const { receipt: wanted = false } = options;
    checkBoolean("receipt", wanted);
    if (!this.connected) throw this.#closedError();
    const word = this.#hasRoom(count) ? this.#driver.push(RECORD_SEND, count) : NO_ROOM;
    if (word === NO_ROOM) {
      this.#driver.waiters.add(this);
      return wanted ? 0 : false;
    }
    const receipt = wanted ? this.#nextReceipt() : 0;
    const { words, bytes: memory } = this.#driver.submission;
    words[word + 1] = this.#handle;
    words[word + 2] = index;
    words[word + 4] = ttl;
    words[word + 5] = receipt;
    placeMessage(memory, word * 4 + RECORD_BYTES);
    this.#pending.add(count, this.#driver.submittedEnd);
    this.#driver.submitted();
    return wanted ? receipt : true;
  }

  /** 1 to 2^31 - 1, then again: far more than can be without a fate at a time. */
  #nextReceipt(): number {
    this.#receipts = (this.#receipts % 0x7fffffff) + 1;
    return this.#receipts;
  }

  /**
   * Sends a block: up to the channel's `blockBytesMax`, on an ordered Reliable or a Critical channel.
   * It goes out paced, behind everything else, and the channel's messages overtake it. Blocks of one
   * channel go one after the other.
   *
   * @param bytes not copied: leave them as they are until the promise settles
   * @returns resolves when all of it is known to have arrived
   * @throws NetrtError (as rejection) `ERR_NETRT_UNKNOWN_CHANNEL`, `ERR_NETRT_MESSAGE_TOO_LARGE`,
   * `ERR_NETRT_STRATEGY` for a channel that takes no blocks, `ERR_NETRT_BLOCK` when a part of it could
   * not be delivered, `ERR_NETRT_CLOSED`; the signal's reason when it aborts
   */
  async sendBlock(
    channel: ChannelName<P>,
    bytes: Uint8Array,
    options: BlockOptions = {},
  ): Promise<void> {
    const index = this.#protocol.channelIndex(channel);
    checkBlock(this.#protocol, channel, bytes);
    checkSignal(checkOptions(options).signal);
    if (!this.connected) throw this.#closedError();
    this.#blocks ??= new BlockSender(this.#driver, this.#handle, this.#row, this.#queueBytesMax);
    this.#driver.busy.add(this);
    await this.#blocks.send(index, bytes, options);
  }

  /**
   * Stops the peer from sending more on a channel that repairs, but for what is on its way (up to 256
   * messages or fragments): for a consumer that can't keep up. Its messages wait at the peer, whose
   * queue fills. `resume` lets it go on.
   *
   * @throws NetrtError `ERR_NETRT_UNKNOWN_CHANNEL`, `ERR_NETRT_STRATEGY` for a RealTime channel, on which
   * nothing waits
   */
  pause(channel: ChannelName<P>): void {
    this.#wishPause(channel, true);
  }

  /** Ends a `pause`. */
  resume(channel: ChannelName<P>): void {
    this.#wishPause(channel, false);
  }

  #wishPause(channel: ChannelName<P>, paused: boolean): void {
    const index = this.#protocol.channelIndex(channel);
    if (this.#protocol.channels[channel].repair === "none") {
      throw new NetrtError(
        "ERR_NETRT_STRATEGY",
        `channel "${channel}" doesn't repair: what isn't taken in time is superseded, nothing waits`,
      );
    }
    if (this.#end === null) this.#driver.wish(RECORD_PAUSE, this.#handle, index, paused);
  }

  #closedError(): NetrtError {
    const end = this.#end;
    const how =
      end === null ? "is closing" : `is over (${end.reason}${end.text && `: ${end.text}`})`;
    return new NetrtError("ERR_NETRT_CLOSED", `the connection to ${this.address} ${how}`);
  }

  /**
   * Ends the connection. The peer is told, several times over a quarter of a second; `disconnect` is
   * emitted on both sides. Does nothing when it is over already.
   *
   * @throws NetrtError `ERR_NETRT_ARGUMENT`, also for a reason that is too long
   */
  close(options: CloseOptions = {}): void {
    const { reason, drain = false } = checkOptions(options);
    this.end(REASON_CLOSED, encodeReason(reason), checkBoolean("drain", drain));
  }

  /** @internal */
  end(reason: number, text: Uint8Array, drain: boolean): void {
    if (this.#end !== null) return;
    this.#closing = true;
    const close = () => this.#driver.closePeer(this.#handle, reason, text, drain);
    if (drain && this.#blocks?.idle === false) this.#blocks.whenIdle(close);
    else close();
  }

  /** @internal A fragment of a message; the message, once it is whole. */
  assembleMessage(channel: number, fragment: Fragment): Uint8Array | null {
    const assembly = this.#assembly(channel);
    const bytes = assembly.message(fragment, this.#payloadBytes);
    if (assembly.excessive) this.end(REASON_VIOLATION, encoder.encode("fragments"), false);
    return bytes;
  }

  /** @internal A fragment of a block; the block, once it is whole. */
  assembleBlock(channel: number, fragment: Fragment): Uint8Array | null {
    this.#driver.busy.add(this);
    return this.#assembly(channel).block(fragment);
  }

  /** @internal A message came whole. */
  assembleWhole(channel: number, id: number): void {
    this.#assemblies?.peek(channel)?.whole(id);
  }

  /** @internal Bytes of what the peer has sent in part. */
  get assemblyBytes(): number {
    return this.#assemblies?.bytes ?? 0;
  }

  #assembly(channel: number): Assembly {
    const { channelNames, channels } = this.#protocol;
    this.#assemblies ??= new Assemblies(channelNames.map((name) => channels[name]));
    return this.#assemblies.channel(channel);
  }

  get #payloadBytes(): number {
    return this.#driver.page[this.#row + PEER_PAYLOAD_BYTES];
  }

  /** @internal After a turn: blocks go on, and progress is told. */
  turned(): void {
    this.#blocks?.pump();
    if (this.#blocks?.idle !== false && this.assemblyBytes === 0) this.#driver.busy.delete(this);
    if (this.#assemblies === null) return;
    for (const [index, name] of this.#protocol.channelNames.entries()) {
      const progress = this.#assemblies.peek(index)?.takeProgress() ?? null;
      if (progress !== null) this.emit("progress", name as ChannelName<P>, progress);
    }
  }

  /** @internal */
  verdict(number: number, acked: boolean, bytes: number): void {
    if (this.listenerCount("packet") > 0) {
      this.emit("packet", { number, acked, bytes });
    } else {
      this.#watched = false;
      this.#driver.wish(RECORD_WATCH, this.#handle, 0, false);
    }
  }

  /** @internal A message as handlers get it; REFUSED for what is none, of which they are told. */
  open(channelIndex: number, bytes: Uint8Array): unknown {
    const policy = this.#protocol.policies[channelIndex];
    const message = openMessage(policy, bytes);
    const rejected = policy.message?.rejected;
    if (rejected !== undefined) {
      const channel = this.#protocol.channelNames[channelIndex] as ChannelName<P>;
      this.#driver.rejected[channelIndex] = (this.#driver.rejected[channelIndex] ?? 0) + 1;
      this.emit("rejected", { channel, ...rejected });
    }
    return message;
  }

  /** @internal Hands a message to those who listen to all channels. */
  tell(channelIndex: number, message: unknown): void {
    // An emitter's handlers are a dictionary of its own: to look into it takes longer than all else here.
    if (!this.#heard || this.listenerCount("message") === 0) return;
    const channel = this.#protocol.channelNames[channelIndex];
    // The message is the channel's: `open` made it by the channel's schema. The compiler can't see that.
    EventEmitter.prototype.emit.call(this, "message", channel, message);
  }

  /** @internal What became of a message: `tag` is its receipt, or 0. */
  fated(channelIndex: number, tag: number, fateNumber: number): void {
    if (this.#blocks?.fated(tag, fateNumber)) return;
    const channel = this.#protocol.channelNames[channelIndex] as ChannelName<P>;
    const fate = FATES.get(fateNumber) ?? "dropped";
    if (tag !== 0) this.emit("fate", { receipt: tag, channel, fate });
    const promised = this.#protocol.channels[channel].repair !== "none";
    if (promised && fate !== "delivered") {
      this.emit("undelivered", { channel, fate: fate === "expired" ? "expired" : "dropped" });
    }
  }

  /** @internal Whether half of the queue is free again, or nothing can be sent any more. */
  get relieved(): boolean {
    if (!this.connected) return true;
    return (
      this.queueBytes <= this.#queueBytesMax / 2 && this.#queueMessages <= QUEUE_MESSAGES_MAX / 2
    );
  }

  /** @internal */
  relieve(): void {
    if (this.connected) this.emit("drain");
  }

  /** @internal */
  ended(end: Disconnect): void {
    this.#end = end;
    this.#driver.busy.delete(this);
    this.#blocks?.end(this.#closedError());
    this.#lastStats = this.#readStats();
  }
}
