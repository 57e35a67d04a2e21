// path: the way between two peers: when a client asks whether it changed, and what proves a new address
//
//
// Owns the client's silence, the server's candidate and the proof. Never sends, never changes an address or
// a table (slots does).
// Invariants: a server's candidate has sent an authentic packet, newer than all before; nothing but the proof
// that went to it, come back from it, makes it the peer's address.

import { NO_NUMBER } from "./acks.js";
import { Address, addressCopy, addressEqual } from "./address.js";
import type { Writer } from "./bytes.js";
import { FRAME_RESPONSE, pathWrite, pingWrite } from "./frame.js";
import {
  DIGEST_BYTES,
  PATH_PROOF_BYTES,
  PATH_PROOF_US,
  PATH_SILENCE_MAX_US,
  PATH_SILENCE_MIN_US,
} from "./limits.js";
import type { Rtt } from "./rtt.js";
import { hmacSha256 } from "./seal.js";
import { NO_DEADLINE } from "./timers.js";

/** What is drawn from the host's seed, beside what session draws: this, the slot's handle, a number. */
const DRAW_PROOF = 2;
const DRAW_BYTES = 1 + 4 + 8;

export class Path {
  /** A client's: when a moving packet is due (µs), and the time to the one behind it. */
  dueUs = NO_DEADLINE;
  intervalUs = PATH_SILENCE_MIN_US;
  /** The highest number acked, as far as that was looked at. */
  acked = NO_NUMBER;
  /** What a server asked for last, or a client was asked for last. */
  proof = new Uint8Array(PATH_PROOF_BYTES);
  asked = false;
  /** A client's: the next moving packet answers. A server's: the packet at hand did, and rightly. */
  answered = false;
  /** A server's: where the proof went, and when it was drawn (µs). */
  candidate = new Address();
  candidateUs = 0;
  /** Packets of earlier ways that were lost since this one is used. */
  strayed = 0;
}

export function pathReset(path: Path): void {
  path.dueUs = NO_DEADLINE;
  path.acked = NO_NUMBER;
  path.asked = false;
  path.answered = false;
  path.strayed = 0;
}

function proofEqual(path: Path, bytes: Uint8Array, offset: number): boolean {
  let difference = 0;
  for (let index = 0; index < PATH_PROOF_BYTES; index++) {
    difference |= path.proof[index] ^ bytes[offset + index];
  }
  return difference === 0;
}

// --- a client ---

/** How long a client waits for an ack before its address may have changed. */
function silenceUs(rtt: Rtt): number {
  const waitUs = 2 * (rtt.smoothedUs + 4 * rtt.varianceUs) + rtt.heldUs;
  return Math.min(Math.max(waitUs, PATH_SILENCE_MIN_US), PATH_SILENCE_MAX_US);
}

/** A packet went out that the server will ack: from now on it counts how long none is. */
export function pathAsk(path: Path, rtt: Rtt, nowUs: number): void {
  if (path.dueUs === NO_DEADLINE) {
    path.intervalUs = silenceUs(rtt);
    path.dueUs = nowUs + path.intervalUs;
  }
}

/** The highest number acked: where it is news, the server sees us where we are. */
export function pathAcked(path: Path, latest: number): void {
  // What it asked for goes out all the same.
  if (latest > path.acked && !path.answered) {
    path.dueUs = NO_DEADLINE;
  }
  path.acked = latest;
}

/**
 * A moving packet goes out: it asks for an answer where none came, or gives the one that was asked for. The next waits twice as long.
 */
export function pathTell(path: Path, writer: Writer, nowUs: number): void {
  if (path.answered) {
    pathWrite(writer, FRAME_RESPONSE, path.proof);
  } else {
    pingWrite(writer);
  }
  path.answered = false;
  path.dueUs = nowUs + path.intervalUs;
  path.intervalUs = Math.min(2 * path.intervalUs, PATH_SILENCE_MAX_US);
}

/** The server sees us elsewhere and asks for proof, which is due at once; true when it is news. */
export function pathChallenged(path: Path, rtt: Rtt, bytes: Uint8Array, offset: number): boolean {
  path.intervalUs = silenceUs(rtt);
  path.dueUs = 0;
  path.answered = true;
  if (path.asked && proofEqual(path, bytes, offset)) {
    return false;
  }
  path.asked = true;
  path.proof.set(bytes.subarray(offset, offset + PATH_PROOF_BYTES));
  return true;
}

// --- a server ---

/** The packet at hand tells a proof; whether that counts is seen by where it came from (pathProven). */
export function pathAnswered(path: Path, bytes: Uint8Array, offset: number): void {
  path.answered = path.asked && proofEqual(path, bytes, offset);
}

/** Whether the packet at hand, which came from there, proves that the client reads there. */
export function pathProven(path: Path, address: Address, nowUs: number): boolean {
  const fresh = nowUs < path.candidateUs + PATH_PROOF_US;
  return path.answered && fresh && addressEqual(path.candidate, address);
}

/**
 * The client's newest packet came from there: the address becomes the candidate, with a proof that nobody
 * knows. Drawn by the peer's handle and the number of that packet, which come together once. It stays
 * as it is while packets come from there, so that an answer to any of them counts. False where memory
 * is missing, which here it never is.
 */
export function pathSuspect(
  path: Path,
  address: Address,
  seed: Uint8Array,
  handle: number,
  numberLo: number,
  numberHi: number,
  nowUs: number,
): boolean {
  const known = path.asked && addressEqual(path.candidate, address);
  if (known && nowUs < path.candidateUs + PATH_PROOF_US) {
    return true;
  }
  addressCopy(path.candidate, address);
  path.candidateUs = nowUs;
  path.asked = true;
  const input = new Uint8Array(DRAW_BYTES);
  const view = new DataView(input.buffer);
  input[0] = DRAW_PROOF;
  view.setUint32(1, handle, true);
  view.setUint32(5, numberLo, true);
  view.setUint32(9, numberHi, true);
  const digest = new Uint8Array(DIGEST_BYTES);
  hmacSha256(seed, input, digest);
  path.proof.set(digest.subarray(0, PATH_PROOF_BYTES));
  return true;
}
