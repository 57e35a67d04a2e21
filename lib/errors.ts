/**
 * The one error class of netrt and the stable codes it carries.
 *
 * Owns: the codes, and the wording of "this was given, that is allowed".
 * Never does: decide what is an error; the layer that finds it does.
 * Invariants: a code, once published, keeps its meaning; programs branch on `error.code`, never on
 * the message. What arrives from the network is never thrown: it is counted, by reason, in the
 * statistics. These errors are the caller's mistakes, the machine's refusals, and the ends of
 * connections.
 */
import { inspect } from "node:util";

/**
 * What went wrong, as a stable string. Each code says when it occurs and what to do about it.
 */
export type ErrorCode =
  /** An argument has the wrong type or is out of range. The message says what was given and what
   * is allowed: change the call. */
  | "ERR_NETRT_ARGUMENT"
  /** An address text is not `a.b.c.d:port` or `[v6]:port`, or is of the wrong family for the
   * socket. Names are not resolved: resolve them first, with `node:dns`. */
  | "ERR_NETRT_ADDRESS"
  /** Another socket has the port (the system's EADDRINUSE). Stop the other program, choose another
   * port, or bind port 0 and read the address back. */
  | "ERR_NETRT_PORT_IN_USE"
  /** No interface of this machine has the address (the system's EADDRNOTAVAIL). Bind `0.0.0.0` or
   * `[::]`, and give the address that clients see as the public address. */
  | "ERR_NETRT_ADDRESS_NOT_AVAILABLE"
  /** `insecure: true` together with an address that other machines can reach. Bind `127.0.0.1` or
   * `[::1]`, or give a secret and mint tokens. */
  | "ERR_NETRT_INSECURE_ADDRESS"
  /** A key, secret or user-data block has the wrong size. Keys are exactly 32 bytes; make one with
   * `generateKey()` and keep it out of the source. */
  | "ERR_NETRT_KEY_SIZE"
  /** A connect token can't be read: wrong size, wrong version, or fields that contradict each
   * other (NETCODE client state -5). Mint another, and check how it travels (it is 2048 bytes;
   * base64 it in JSON). */
  | "ERR_NETRT_TOKEN_INVALID"
  /** The token's lifetime ran out before the connection stood (NETCODE client state -6). Ask the
   * backend for a new one; check both clocks when it happens at once. */
  | "ERR_NETRT_TOKEN_EXPIRED"
  /** The token was minted for another protocol, or sealed with another secret than the one at hand.
   * Mint it with the protocol and the secret of the server it names. */
  | "ERR_NETRT_TOKEN_FOREIGN"
  /** Every server of the token refused, as a full server does (NETCODE client state -1). Try
   * again later, or another server. */
  | "ERR_NETRT_DENIED"
  /** No server of the token answered the connection request (NETCODE client state -2). Check that
   * the server runs, that the token names the address it knows itself by, and that UDP gets there. */
  | "ERR_NETRT_CONNECTION_REQUEST_TIMED_OUT"
  /** The server sent its challenge and then no answer to the response (NETCODE client state -3).
   * The link lost everything, or the server went away in between: connect again. */
  | "ERR_NETRT_CONNECTION_RESPONSE_TIMED_OUT"
  /** A connection that stood heard nothing for the time-out (NETCODE client state -4). The link or
   * the peer is gone: connect again, with a new token. */
  | "ERR_NETRT_CONNECTION_TIMED_OUT"
  /** The peers define the protocol differently (name, channels or policies). Both sides must run
   * the same `defineProtocol` call; change its version part when you change its channels. */
  | "ERR_NETRT_PROTOCOL_MISMATCH"
  /** The protocol has no channel of that name. The message lists those it has. */
  | "ERR_NETRT_UNKNOWN_CHANNEL"
  /** The message is longer than the channel's `messageBytesMax`. Send less, or split it. */
  | "ERR_NETRT_MESSAGE_TOO_LARGE"
  /** A block could not be delivered: its channel's time ran out, or the peer left. Send it again once
   * the link is better. */
  | "ERR_NETRT_BLOCK"
  /** The server, client or peer was closed before the call, or while it waited. Not a fault when
   * you closed it; otherwise the message has the peer's reason. */
  | "ERR_NETRT_CLOSED"
  /** Lawful, but not in this release. The message says what works instead. */
  | "ERR_NETRT_NOT_SUPPORTED"
  /** An option that the delivery strategy forbids. The message names the rule: choose another
   * value, or another strategy. */
  | "ERR_NETRT_STRATEGY"
  /** The queue toward the peer is full and the call can't say so by its return value. Wait for
   * `drain`, or send less. */
  | "ERR_NETRT_BACKPRESSURE"
  /** The native engine, or what only it has (`io: "thread"`, `reusePort`), was asked for and can't
   * run here; the message says why. Ask for `"auto"` or `"js"`, or build the addon. */
  | "ERR_NETRT_ENGINE_UNAVAILABLE"
  /** The operating system refused a socket operation in a way that no other code names; `cause`
   * has its error. */
  | "ERR_NETRT_IO";

/**
 * Every error that netrt throws, rejects with or emits.
 *
 * @example
 * ```ts
 * try {
 *   await connect(arena, token);
 * } catch (error) {
 *   if (error instanceof NetrtError && error.code === "ERR_NETRT_DENIED") tryAnotherServer();
 *   else throw error;
 * }
 * ```
 */
export class NetrtError extends Error {
  /** What went wrong: stable, and the thing to branch on. */
  readonly code: ErrorCode;

  /**
   * @param code    what went wrong
   * @param message for people: what was given, what is allowed
   * @param options `cause`: the error underneath, where there is one
   */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  static {
    // On the prototype, as Node does for its own, so that logs print the name and `Object.keys` of
    // an error is its code alone.
    Object.defineProperty(NetrtError.prototype, "name", {
      value: "NetrtError",
      writable: true,
      configurable: true,
    });
  }
}

/**
 * Says that the system refuses datagrams. It does so for each of them, so the engines call this once a
 * second at most, with how often it was since.
 */
export function warnOfSystem(bound: string, code: string, count: number): void {
  const times = count === 1 ? "once" : `${count} times`;
  process.emitWarning(`the system refused datagrams of ${bound}: ${code}, ${times}`, {
    type: "NetrtWarning",
    code,
  });
}

/** Longest value text in a message, in characters: a whole token in an error helps nobody. */
const GIVEN_TEXT_MAX = 80;

/**
 * How a value that somebody passed reads in a message: short, on one line, and without the content
 * of byte arrays, which may be keys.
 */
export function describeGiven(value: unknown): string {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    return `${value.constructor.name} of ${value.byteLength} bytes`;
  }
  const text = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 60 });
  const line = text.replace(/\s+/g, " ");
  return line.length <= GIVEN_TEXT_MAX ? line : `${line.slice(0, GIVEN_TEXT_MAX - 3)}...`;
}

/**
 * The error for a bad argument, in the one wording that all of netrt uses.
 *
 * @param name    the argument as the caller knows it, e.g. `options.tickRate`
 * @param given   what was passed
 * @param allowed what would have been taken, with units, e.g. `a number from 1 to 1000 (Hz)`
 */
export function argumentError(name: string, given: unknown, allowed: string): NetrtError {
  return new NetrtError(
    "ERR_NETRT_ARGUMENT",
    `${name} must be ${allowed}, but ${describeGiven(given)} was given`,
  );
}

/**
 * Passes `value` if it is an object of options.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function checkOptions<T extends object>(value: T): T {
  if (typeof value === "object" && value !== null) return value;
  throw argumentError("options", value, "an object");
}

/**
 * Passes `value` if it is a boolean: a string that says "false" is not.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw argumentError(name, value, "true or false");
}

/**
 * Passes `value` if it is a whole number in range.
 *
 * @param unit shown in the message, e.g. `ms`
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function checkInteger(
  name: string,
  value: unknown,
  least: number,
  most: number,
  unit?: string,
): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) {
    return value;
  }
  const suffix = unit === undefined ? "" : ` (${unit})`;
  throw argumentError(name, value, `a whole number from ${least} to ${most}${suffix}`);
}

/**
 * Passes `value` if it is a finite number in range.
 *
 * @param unit shown in the message, e.g. `Hz`
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function checkNumber(
  name: string,
  value: unknown,
  least: number,
  most: number,
  unit?: string,
): number {
  if (typeof value === "number" && value >= least && value <= most) return value;
  const suffix = unit === undefined ? "" : ` (${unit})`;
  throw argumentError(name, value, `a number from ${least} to ${most}${suffix}`);
}
