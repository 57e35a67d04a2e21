// session: a connection's session keys, from the key pair that it tells in its hello to the last key.
//
// Owns what they are made from, when packets go out under them, which key a packet that
// comes in may be sealed under, and the path's id that comes of the same. Never opens or seals a packet, never reads a frame.
// Invariants: nothing here moves but on a packet that opened; a key is wiped when no packet can come
// under it any more, a private key when the peer's public one is there.

import { ROLE_SERVER } from "./config.js";
import type { Connection, Shared } from "./connection.js";
import { hkdfExpand, hkdfExtract } from "./hkdf.js";
import {
  DIGEST_BYTES,
  EPOCH_BITS,
  KEY_BYTES,
  PATH_ID_BYTES,
  REPLAY_WINDOW_PACKETS,
  SEQUENCE_MAX,
  SUITES_AES,
} from "./limits.js";
import { PACKET_SESSION, type PacketHeader } from "./packet.js";
import {
  hmacSha256,
  SealKey,
  SUITE_AES,
  SUITE_CHACHA,
  sealKeyClear,
  sealSuiteSet,
  x25519Agree,
  x25519Public,
} from "./seal.js";
import { sequenceExpand24 } from "./sequence.js";
import { REASON_VIOLATION } from "./state.js";

const LABEL_SESSION = Uint8Array.from("netrt 3 session", (c) => c.charCodeAt(0));
const LABEL_UPDATE = Uint8Array.from("netrt 3 update", (c) => c.charCodeAt(0));
/** The label, the protocol id, both public keys, both suites and the one that was chosen. */
const LABEL_BYTES = LABEL_SESSION.length;
const INFO_BYTES = LABEL_BYTES + 8 + 2 * KEY_BYTES + 3;
/** What is made of it: two keys, and the path's id at the start of a digest. */
const MADE_BYTES = 2 * KEY_BYTES + DIGEST_BYTES;
/** What is drawn from the seed, and what the seed becomes. */
const DRAW = Uint8Array.of(0);
const NEXT = Uint8Array.of(1);

export class Session {
  /** The private key until the peer's hello came, then the key of our packets until they go under it. */
  readonly secret = new Uint8Array(KEY_BYTES);
  readonly publicKey = new Uint8Array(KEY_BYTES);
  /**
   * Beside the connection's receiveKey: the session's first key until the peer used it, then the key
   * before, for what comes late. Ready only meanwhile.
   */
  otherKey = new SealKey();
  /** The lowest number that receiveKey is known to open, once it is a session key. */
  lowest = 0;
  /** The number above EPOCH_BITS to which receiveKey and the connection's sendKey belong. */
  receiveEpoch = 0;
  sendEpoch = 0;
  suite = SUITE_CHACHA;
  /** By which a server finds the connection when its client's packets come from elsewhere. */
  pathLo = 0;
  pathHi = 0;
  /** The keys are there. */
  derived = false;
  /** A packet of the peer under them opened. */
  confirmed = false;
  /** Our packets go out under them. */
  sending = false;
  /** otherKey is the token's, kept for what was sent before the change. */
  token = false;
  /** A server finds it by the path's id. */
  listed = false;
}

function epochOf(number: number): number {
  return Math.trunc(number / 2 ** EPOCH_BITS);
}

/**
 * Draws the key pair of a connection that begins. What is drawn is forgotten at once, and so is what
 * it was drawn from: who reads this memory later finds no key of a session that is over.
 */
export function sessionReset(session: Session, shared: Shared): void {
  sessionClear(session);
  const next = new Uint8Array(DIGEST_BYTES);
  hmacSha256(shared.keysSeed, DRAW, session.secret);
  hmacSha256(shared.keysSeed, NEXT, next);
  shared.keysSeed.set(next);
  next.fill(0);
  x25519Public(session.secret, session.publicKey);
}

/** What the keys are bound to: both hellos, so that neither can be another than its sender's. */
function infoOf(
  connection: Connection,
  shared: Shared,
  suites: number,
  publicKey: Uint8Array,
): Uint8Array {
  const config = shared.config;
  const isServer = config.role === ROLE_SERVER;
  const own = connection.session.publicKey;
  const info = new Uint8Array(INFO_BYTES);
  info.set(LABEL_SESSION);
  for (let index = 0; index < 4; index++) {
    info[LABEL_BYTES + index] = config.protocolIdLo >>> (8 * index);
    info[LABEL_BYTES + 4 + index] = config.protocolIdHi >>> (8 * index);
  }
  info.set(isServer ? publicKey : own, LABEL_BYTES + 8);
  info.set(isServer ? own : publicKey, LABEL_BYTES + 8 + KEY_BYTES);
  info[INFO_BYTES - 3] = isServer ? suites : config.suites;
  info[INFO_BYTES - 2] = isServer ? config.suites : suites;
  info[INFO_BYTES - 1] = connection.session.suite;
  return info;
}

/** Both directions' keys, the client's first, and the path's id; false where the secret is known to everybody. */
function keysMake(
  connection: Connection,
  shared: Shared,
  suites: number,
  publicKey: Uint8Array,
  keys: Uint8Array,
): boolean {
  const isServer = shared.config.role === ROLE_SERVER;
  const { sendKey, receiveKey, session } = connection;
  const secret = new Uint8Array(KEY_BYTES);
  if (!x25519Agree(session.secret, publicKey, secret)) {
    return false;
  }
  const salt = new Uint8Array(2 * KEY_BYTES);
  salt.set(isServer ? receiveKey.bytes : sendKey.bytes);
  salt.set(isServer ? sendKey.bytes : receiveKey.bytes, KEY_BYTES);
  const digest = new Uint8Array(DIGEST_BYTES);
  hkdfExtract(salt, secret, digest);
  hkdfExpand(digest, infoOf(connection, shared, suites, publicKey), keys, MADE_BYTES);
  salt.fill(0);
  secret.fill(0);
  digest.fill(0);
  return true;
}

/** The key of the epoch behind; there is no way back from it. */
function keyUpdate(key: SealKey, next: Uint8Array): void {
  hkdfExpand(key.bytes, LABEL_UPDATE, next, KEY_BYTES);
}

/**
 * Makes the keys when the peer's hello is here: its suites, and its public key. 0, or the reason to
 * close with: REASON_VIOLATION for a key of low order.
 */
export function sessionDerive(
  connection: Connection,
  shared: Shared,
  suites: number,
  bytes: Uint8Array,
  keyOffset: number,
): number {
  const session = connection.session;
  const isServer = shared.config.role === ROLE_SERVER;
  const aes = (shared.config.suites & suites & SUITES_AES) !== 0;
  session.suite = aes ? SUITE_AES : SUITE_CHACHA;
  const keys = new Uint8Array(MADE_BYTES);
  const publicKey = bytes.slice(keyOffset, keyOffset + KEY_BYTES);
  const made = keysMake(connection, shared, suites, publicKey, keys);
  session.secret.fill(0);
  if (!made) {
    return REASON_VIOLATION;
  }
  const sendOffset = isServer ? KEY_BYTES : 0;
  session.secret.set(keys.subarray(sendOffset, sendOffset + KEY_BYTES));
  sealSuiteSet(session.otherKey, session.suite, keys, isServer ? 0 : KEY_BYTES);
  const id = new DataView(keys.buffer, 2 * KEY_BYTES, PATH_ID_BYTES);
  session.pathLo = id.getUint32(0, true);
  session.pathHi = id.getUint32(4, true);
  keys.fill(0);
  // Both are the epochs of first numbers, which lie in the lower half of theirs.
  const { newestLo, newestHi } = connection.replay;
  session.sendEpoch = epochOf(connection.sent.firstNumber);
  session.receiveEpoch = epochOf(newestHi * 2 ** 32 + newestLo);
  session.derived = true;
  return 0;
}

// --- the way in ---

/**
 * The key that a packet with this header may be sealed under, or null for none; completes the number
 * of a session or moving packet. `scratch` takes the next epoch's key where that may be it.
 */
export function sessionKeyOf(
  connection: Connection,
  scratch: SealKey,
  header: PacketHeader,
): SealKey | null {
  const { session, replay } = connection;
  if (header.type < PACKET_SESSION) {
    if (!session.confirmed) {
      return connection.receiveKey;
    }
    const late = header.sequenceHi * 2 ** 32 + header.sequenceLo < session.lowest;
    return session.token && late ? session.otherKey : null;
  }
  const newest = replay.newestHi * 2 ** 32 + replay.newestLo;
  if (!session.derived || newest > SEQUENCE_MAX) {
    return null;
  }
  const number = sequenceExpand24(header.sequenceLo, newest);
  if (number < 0) {
    return null;
  }
  header.sequenceLo = number >>> 0;
  header.sequenceHi = Math.trunc(number / 2 ** 32);
  const epoch = epochOf(number);
  if (!session.confirmed) {
    return epoch === session.receiveEpoch ? session.otherKey : null;
  }
  if (epoch === session.receiveEpoch) {
    return connection.receiveKey;
  }
  if (epoch + 1 === session.receiveEpoch) {
    return session.otherKey.ready && !session.token ? session.otherKey : null;
  }
  // The next epoch's key counts once a packet opened under it, else a forgery would move it.
  if (epoch !== session.receiveEpoch + 1) {
    return null;
  }
  const next = new Uint8Array(KEY_BYTES);
  keyUpdate(connection.receiveKey, next);
  sealSuiteSet(scratch, session.suite, next, 0);
  next.fill(0);
  return scratch;
}

/** The other key becomes the one that counts; what counted is kept for what comes late. */
function keyChange(connection: Connection, lowest: number, token: boolean): void {
  const session = connection.session;
  const other = session.otherKey;
  session.otherKey = connection.receiveKey;
  connection.receiveKey = other;
  session.lowest = lowest;
  session.token = token;
}

/** A packet with this header opened under the key that sessionKeyOf named. */
export function sessionOpened(connection: Connection, key: SealKey, header: PacketHeader): void {
  const { session, replay } = connection;
  if (header.type >= PACKET_SESSION) {
    const number = header.sequenceHi * 2 ** 32 + header.sequenceLo;
    const epoch = epochOf(number);
    if (!session.confirmed) {
      keyChange(connection, number, true);
      session.confirmed = true;
      // It has our hello: these keys are made from it.
      connection.helloAcked = true;
    } else if (epoch === session.receiveEpoch + 1) {
      sealSuiteSet(session.otherKey, session.suite, key.bytes, 0);
      keyChange(connection, epoch * 2 ** EPOCH_BITS, false);
      session.receiveEpoch = epoch;
    } else if (session.token && number < session.lowest) {
      session.lowest = number;
    }
  }
  if (!session.confirmed || !session.otherKey.ready) {
    return;
  }
  // The replay window has passed all that the other key could open.
  const newest = replay.newestHi * 2 ** 32 + replay.newestLo;
  if (newest - session.lowest >= REPLAY_WINDOW_PACKETS) {
    sealKeyClear(session.otherKey);
    session.token = false;
  }
}

// --- the way out ---

/** Whether the packet with this number goes under session keys; then sendKey is the right one. */
export function sessionSends(connection: Connection, number: number): boolean {
  const { session, sendKey } = connection;
  if (!session.sending) {
    // The peer has the keys once it has our hello.
    if (!session.derived || !connection.helloAcked) {
      return false;
    }
    sealSuiteSet(sendKey, session.suite, session.secret, 0);
    session.secret.fill(0);
    session.sending = true;
  }
  while (session.sendEpoch < epochOf(number)) {
    const next = new Uint8Array(KEY_BYTES);
    keyUpdate(sendKey, next);
    sealSuiteSet(sendKey, session.suite, next, 0);
    next.fill(0);
    session.sendEpoch += 1;
  }
  return true;
}

/** Forgets all keys. */
export function sessionClear(session: Session): void {
  session.secret.fill(0);
  session.publicKey.fill(0);
  sealKeyClear(session.otherKey);
  session.derived = false;
  session.confirmed = false;
  session.sending = false;
  session.token = false;
  session.listed = false;
}
