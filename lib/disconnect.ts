/**
 * How a connection ends, in words.
 *
 * Owns: the reasons, and what stands in a close's text.
 * Never does: end anything.
 */
import { CLOSE_TEXT_BYTES_MAX } from "./engine/limits.js";
import {
  REASON_CLOSED,
  REASON_DISCONNECTED,
  REASON_MISMATCH,
  REASON_RESOURCES,
  REASON_SHUTDOWN,
  REASON_TIMED_OUT,
  REASON_UNDELIVERED,
  REASON_VIOLATION,
} from "./engine/state.js";
import { argumentError } from "./errors.js";

/** Why a connection ended. */
export type DisconnectReason =
  /** One side called `close`. */
  | "closed"
  /** The server closed with all its peers. */
  | "shutdown"
  /** Nothing was heard from the peer for the token's time-out. */
  | "timedOut"
  /** The peers define the protocol differently; `text` names the first difference. */
  | "mismatch"
  /** The peer broke the protocol; `text` says how. */
  | "violation"
  /** The peer left without a reason, as a bare NETCODE peer does. */
  | "disconnected"
  /** A message of a Critical channel could not be delivered. */
  | "undelivered"
  /** A host had no memory left for what the peer sends. */
  | "resources"
  /** The system took this side's socket away; `text` says with which error. */
  | "failed";

const REASONS = new Map<number, DisconnectReason>([
  [REASON_CLOSED, "closed"],
  [REASON_SHUTDOWN, "shutdown"],
  [REASON_TIMED_OUT, "timedOut"],
  [REASON_MISMATCH, "mismatch"],
  [REASON_VIOLATION, "violation"],
  [REASON_DISCONNECTED, "disconnected"],
  [REASON_UNDELIVERED, "undelivered"],
  [REASON_RESOURCES, "resources"],
]);

/** How a connection ended. */
export interface Disconnect {
  readonly reason: DisconnectReason;
  /** What the closing side said, up to 120 bytes of UTF-8; "" for nothing. */
  readonly text: string;
  /** Whether this side ended it. */
  readonly local: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What an ended connection's record says. */
export function readDisconnect(reason: number, local: boolean, text: Uint8Array): Disconnect {
  return { reason: REASONS.get(reason) ?? "closed", text: decoder.decode(text), local };
}

/** The text of a close, checked. */
export function encodeReason(reason: unknown): Uint8Array {
  if (reason === undefined) return new Uint8Array(0);
  const allowed = `a string of at most ${CLOSE_TEXT_BYTES_MAX} bytes of UTF-8`;
  if (typeof reason !== "string") throw argumentError("reason", reason, allowed);
  const bytes = encoder.encode(reason);
  if (bytes.length > CLOSE_TEXT_BYTES_MAX) throw argumentError("reason", reason, allowed);
  return bytes;
}
