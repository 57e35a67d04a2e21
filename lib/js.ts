/**
 * The JavaScript engine on real sockets: lib/engine's host over node:dgram.
 *
 * Owns: the socket, the datagrams that wait for a turn, and the timer. Takes the place of native/io
 * and native/addon; everything between has the same names as there.
 * Never does: parse a byte, or decide anything of the protocol.
 * Costs that the native engine hasn't: one callback and one syscall for each datagram, a copy of
 * each datagram sent, and receive times taken when the event loop gets to them.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { formatAddress, parseAddress } from "./address.js";
import { ADDRESS_IPV6, type Address, Address as AddressOf, addressCopy } from "./engine/address.js";
import { CONFIG_ADDRESS_WORDS, CONFIG_ADDRESSES, CONFIG_SUITES } from "./engine/config.js";
import { hostReady, hostReceive } from "./engine/demux.js";
import {
  BATCH_STRIDE,
  Batch,
  hostAdvance,
  hostConnect,
  hostDeadlineUs,
  hostFlush,
  hostOpen,
  hostPublish,
  hostTransmit,
} from "./engine/host.js";
import { DATAGRAMS_PER_TURN_MAX, PACKET_BYTES_MAX } from "./engine/limits.js";
import { sealAvailable } from "./engine/seal.js";
import { Host } from "./engine/slots.js";
import { hostSubmit } from "./engine/submit.js";
import { NetrtError, warnOfSystem } from "./errors.js";
import { hardwareSuites } from "./hardware.js";
import {
  type Engine,
  type EngineOptions,
  type SocketAddress,
  type SocketStats,
  TURN_FLUSH,
  TURN_RECEIVE,
  TURN_RECEIVE_US_MAX,
  TURN_TRANSMIT,
  TURNED_MORE,
} from "./turn.js";

/** Below this, asking for less is of no use: it is under every system's default (bytes). */
const SOCKET_BUFFER_BYTES_MIN = 65_536;
/** Datagrams that may wait for a turn; beyond, they are dropped as a full kernel buffer would. */
const WAITING_MAX = 8192;
/** A turn this much later than asked for means that the event loop stood still (µs). */
const STALL_US = 20_000;
/** Datagrams that the loop takes from a socket before it leaves others in the kernel (libuv's figure). */
const POLL_DATAGRAMS = 32;
/** Turns at most before time counts again: under a flood the socket is never empty. */
const BEHIND_TURNS_MAX = 256;
/** Addresses remembered as text, so that a datagram costs no parsing and no formatting. */
const TEXTS_MAX = 65_536;
/** What only an ICMP message of somebody causes. */
const ICMP_CODES = new Set(["ECONNREFUSED", "ECONNRESET", "ENOPROTOOPT", "ENOTSUP", "EPROTO"]);
/** From one warning of what repeats with every datagram to the next (µs). */
const WARNING_INTERVAL_US = 1_000_000;
/** Datagrams from one look at the clock to the next while a turn takes them. */
const BATCH_DATAGRAMS = 16;
/** How long before a tick the timer gives way to turning the event loop (µs); see lib/ticker.ts. */
const SPIN_US = 1500;

interface Datagram {
  readonly from: Address;
  readonly bytes: Uint8Array;
  readonly receivedUs: number;
}

function nowUs(): number {
  return Math.floor(performance.now() * 1000);
}

/** The system's refusals at open, in our words. */
export function openError(cause: NodeJS.ErrnoException, bind: string): NetrtError {
  if (cause.code === "EADDRINUSE") {
    return new NetrtError("ERR_NETRT_PORT_IN_USE", `another socket has ${bind}`, { cause });
  }
  if (cause.code === "EADDRNOTAVAIL") {
    const message = `no interface of this machine has the address of ${bind}`;
    return new NetrtError("ERR_NETRT_ADDRESS_NOT_AVAILABLE", message, { cause });
  }
  return new NetrtError("ERR_NETRT_IO", `opening ${bind} failed: ${cause.code}`, { cause });
}

class JsEngine implements Engine {
  readonly name = "js";
  readonly io = "inline";
  readonly bound: SocketAddress;
  readonly #host: Host;
  readonly #socket: Socket;
  readonly #onWake: () => void;
  readonly #batch = new Batch();
  readonly #texts = new Map<string, Address>();
  readonly #names = new Map<number, Map<string, string>>();
  #waiting: Datagram[] = [];
  #taken = 0;
  #watch = false;
  #soon: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  #armedUs = Number.MAX_SAFE_INTEGER;
  /** Turns at most until time counts again after a stall. */
  #behind = 0;
  /** Datagrams that came since the last turn that took some. */
  #arrivals = 0;
  readonly #counters = {
    receiveCalls: 0,
    sendCalls: 0,
    datagramsReceived: 0,
    datagramsSent: 0,
    truncated: 0,
    kernelDrops: 0,
    localLoss: 0,
    unreachable: 0,
    blocked: 0,
    tooLarge: 0,
    refused: 0,
  };
  /** Refusals since the last warning, and when the next may come. */
  #warnings = 0;
  #warningDueUs = 0;

  constructor(options: EngineOptions, socket: Socket, bound: Address) {
    const config = options.config.slice();
    for (let index = 0; index < config[CONFIG_ADDRESSES]; index++) {
      const port = CONFIG_ADDRESSES + 2 + index * CONFIG_ADDRESS_WORDS;
      if (config[port] === 0) config[port] = bound.port;
    }
    config[CONFIG_SUITES] &= hardwareSuites();
    const { type, port, a, b, c, d } = bound;
    this.bound = { type, port, words: [a, b, c, d] };
    this.#host = new Host(config, options.page, options.privateKey, options.entropy);
    hostOpen(this.#host, options.submission, options.completion);
    this.#socket = socket;
    this.#onWake = options.onWake;
    socket.on("message", (bytes, from) => this.#arrived(bytes, from));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#refused(error.code ?? ""));
  }

  nowUs(): number {
    return nowUs();
  }

  /** Without a callback dgram keeps to itself what became of a datagram. */
  readonly #sent = (error: NodeJS.ErrnoException | null): void => {
    if (error !== null && !this.#closed) this.#refused(error.code ?? "");
  };

  /** What the system says of a datagram; native/io/fault.cc has the same in a table. */
  #refused(code: string): void {
    if (ICMP_CODES.has(code)) {
      // What ICMP claims, and anybody can forge it: counted, no more.
      this.#counters.refused += 1;
    } else if (code === "ENOBUFS" || code === "ENOMEM") {
      this.#counters.localLoss += 1;
    } else if (code === "EMSGSIZE") {
      this.#counters.tooLarge += 1;
    } else {
      this.#counters.unreachable += 1;
      this.#warnings += 1;
      const now = nowUs();
      if (now < this.#warningDueUs) return;
      this.#warningDueUs = now + WARNING_INTERVAL_US;
      const { type, port, words } = this.bound;
      const [a, b, c, d] = words;
      warnOfSystem(formatAddress({ type, port, a, b, c, d }), code, this.#warnings);
      this.#warnings = 0;
    }
  }

  #address(from: RemoteInfo): Address {
    const key = `${from.address} ${from.port}`;
    let address = this.#texts.get(key);
    if (address === undefined) {
      const host = from.family === "IPv6" ? `[${from.address.split("%")[0]}]` : from.address;
      address = parseAddress(`${host}:${from.port}`);
      if (this.#texts.size === TEXTS_MAX) this.#texts.clear();
      this.#texts.set(key, address);
    }
    return address;
  }

  #arrived(bytes: Uint8Array, from: RemoteInfo): void {
    this.#counters.receiveCalls += 1;
    this.#counters.datagramsReceived += 1;
    if (bytes.length > PACKET_BYTES_MAX) {
      this.#counters.truncated += 1;
      return;
    }
    if (this.#waiting.length - this.#taken >= WAITING_MAX) {
      this.#counters.kernelDrops += 1;
      return;
    }
    this.#arrivals += 1;
    this.#waiting.push({ from: this.#address(from), bytes, receivedUs: nowUs() });
    if (this.#watch && this.#soon === null) {
      this.#soon = setImmediate(() => this.#wake());
    }
  }

  #wake(): void {
    this.#disarm();
    this.#onWake();
  }

  #disarm(): void {
    if (this.#soon !== null) clearImmediate(this.#soon);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#soon = null;
    this.#timer = null;
    this.#watch = false;
  }

  arm(deadlineUs: number, watch: boolean): void {
    this.#disarm();
    if (this.#closed) return;
    this.#watch = watch;
    this.#armedUs = deadlineUs;
    const leftUs = deadlineUs - nowUs();
    const waits = this.#waiting.length > this.#taken;
    if ((watch && waits) || leftUs <= 0) {
      this.#soon = setImmediate(() => this.#wake());
      return;
    }
    // A tick must begin on time; any other deadline may be a millisecond late, and costs no spinning.
    const spinUs = watch ? 0 : SPIN_US;
    const sleepMs = watch ? Math.ceil(leftUs / 1000) : Math.floor((leftUs - spinUs) / 1000);
    if (sleepMs >= 1) {
      this.#timer = setTimeout(
        () => this.#rearm(deadlineUs, watch),
        Math.min(sleepMs, 2 ** 31 - 1),
      );
    } else {
      this.#soon = setImmediate(() => this.#rearm(deadlineUs, watch));
    }
  }

  #rearm(deadlineUs: number, watch: boolean): void {
    if (nowUs() >= deadlineUs) this.#wake();
    else this.arm(deadlineUs, watch);
  }

  turn(flags: number): number {
    const now = nowUs();
    let turned = 0;
    hostSubmit(this.#host, now);
    if ((flags & TURN_RECEIVE) !== 0) {
      const late = now - this.#armedUs > STALL_US;
      const emptied = this.#arrivals < POLL_DATAGRAMS;
      this.#arrivals = 0;
      turned |= this.#receive(now);
      turned |= this.#catchUp(now, late, emptied && turned === 0);
    }
    if ((flags & TURN_FLUSH) !== 0) hostFlush(this.#host);
    if ((flags & TURN_TRANSMIT) !== 0) this.#transmit(now);
    hostPublish(this.#host);
    return turned;
  }

  /**
   * Lets time pass, unless the loop stood still: then timers come before the datagrams that arrived
   * meanwhile, and a peer whose datagrams wait in the kernel is not silent. The loop has looked at
   * the socket by the next turn, and a stall within a stall is none: time always counts again.
   */
  #catchUp(now: number, late: boolean, emptied: boolean): number {
    if (this.#behind > 0) this.#behind = emptied ? 0 : this.#behind - 1;
    else if (late) this.#behind = BEHIND_TURNS_MAX;
    if (this.#behind > 0) return TURNED_MORE;
    hostAdvance(this.#host, now);
    return 0;
  }

  #receive(now: number): number {
    const unixSeconds = Math.floor(Date.now() / 1000);
    const end = Math.min(this.#waiting.length, this.#taken + DATAGRAMS_PER_TURN_MAX);
    const endUs = nowUs() + TURN_RECEIVE_US_MAX;
    while (this.#taken < end && hostReady(this.#host)) {
      if (this.#taken % BATCH_DATAGRAMS === 0 && nowUs() >= endUs) break;
      const { from, bytes, receivedUs } = this.#waiting[this.#taken];
      this.#taken += 1;
      hostReceive(this.#host, now, receivedUs, unixSeconds, from, bytes, 0, bytes.length);
    }
    if (this.#taken < this.#waiting.length) return TURNED_MORE;
    this.#waiting = [];
    this.#taken = 0;
    return 0;
  }

  #transmit(now: number): void {
    const batch = this.#batch;
    for (let count = hostTransmit(this.#host, now, batch); count > 0; ) {
      for (let index = 0; index < count; index++) {
        const start = index * BATCH_STRIDE;
        // The socket keeps the bytes until the kernel took them; the batch is filled anew before.
        const bytes = Buffer.from(batch.bytes.subarray(start, start + batch.lengths[index]));
        const address = batch.addresses[index];
        this.#socket.send(bytes, 0, bytes.length, address.port, this.#text(address), this.#sent);
        this.#counters.sendCalls += 1;
        this.#counters.datagramsSent += 1;
      }
      count = hostTransmit(this.#host, now, batch);
    }
  }

  /** The address without its port, as dgram wants it. */
  #text(address: Address): string {
    const key = `${address.b},${address.c},${address.d},${address.type}`;
    let names = this.#names.get(address.a);
    if (names === undefined) {
      if (this.#names.size === TEXTS_MAX) this.#names.clear();
      names = new Map();
      this.#names.set(address.a, names);
    }
    let text = names.get(key);
    if (text === undefined) {
      const whole = formatAddress(address);
      text = whole.slice(0, whole.lastIndexOf(":")).replace(/^\[|\]$/g, "");
      names.set(key, text);
    }
    return text;
  }

  deadlineUs(): number {
    return hostDeadlineUs(this.#host);
  }

  connect(token: Uint8Array): void {
    hostConnect(this.#host, token, nowUs());
  }

  socketStats(): SocketStats {
    return { ...this.#counters };
  }

  close(): void {
    if (this.#closed) return;
    this.#disarm();
    this.#closed = true;
    this.#waiting = [];
    this.#socket.close();
  }
}

/**
 * Asks for a kernel buffer, for half of it where that is refused, and so on. A small buffer is no
 * fault: as an option of the socket it would have failed the whole open.
 */
function bufferAsk(bytes: number, ask: (bytes: number) => void): void {
  for (let wanted = bytes; wanted >= SOCKET_BUFFER_BYTES_MIN; wanted /= 2) {
    try {
      ask(Math.floor(wanted));
      return;
    } catch {
      // The half of it, then.
    }
  }
}

/** Opens the JavaScript engine; see `OpenEngine`. */
export async function openJs(options: EngineOptions): Promise<Engine> {
  const seal = sealAvailable();
  if (!seal.available) {
    throw new NetrtError("ERR_NETRT_ENGINE_UNAVAILABLE", seal.reason);
  }
  const { type, port, words } = options.bind;
  const [a, b, c, d] = words;
  const text = formatAddress({ type, port, a, b, c, d });
  const host = text.slice(0, text.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  const socket = createSocket({
    type: type === ADDRESS_IPV6 ? "udp6" : "udp4",
    ipv6Only: type === ADDRESS_IPV6,
    // Only literal addresses come here; asking a resolver for them would cost a turn each.
    lookup: (name, _options, done) => done(null, name, type === ADDRESS_IPV6 ? 6 : 4),
  });
  try {
    // The look-up above answers at once, so the socket may listen before bind returns.
    const listening = once(socket, "listening");
    socket.bind(port, host);
    await listening;
  } catch (error) {
    socket.close();
    throw openError(error as NodeJS.ErrnoException, text);
  }
  bufferAsk(options.socketBufferBytes, (bytes) => socket.setRecvBufferSize(bytes));
  bufferAsk(options.socketBufferBytes, (bytes) => socket.setSendBufferSize(bytes));
  const bound = new AddressOf();
  addressCopy(bound, { type, port: socket.address().port, a, b, c, d });
  return new JsEngine(options, socket, bound);
}
