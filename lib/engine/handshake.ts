// handshake: a NETCODE server's way from a stranger's request to a client that may have a slot.
//
// Owns the pending clients (the standard's encryption mappings), the history of used tokens, the
// challenge key and the sequence of packets sent before a slot exists. Never assigns a slot (the host
// does), never sends: it writes replies into the caller's memory.
// Invariants: a stranger without a sealed token costs no memory; a token is pending from one
// address, then consumed, and never again anything else until it has expired.

import { Address, addressCopy, addressEqual, addressHash } from "./address.js";
import { ENTROPY_HASH_KEY, ENTROPY_SEQUENCE, type HostConfig } from "./config.js";
import {
  CHALLENGE_BODY_BYTES,
  CHALLENGE_TOKEN_BYTES,
  CHALLENGE_TOKEN_PLAIN_BYTES,
  KEY_BYTES,
  PACKET_ASSOCIATED_BYTES,
  TAG_BYTES,
  TOKEN_ASSOCIATED_BYTES,
  TOKEN_PRIVATE_BYTES,
} from "./limits.js";
import {
  PACKET_CHALLENGE,
  PACKET_DENIED,
  packetAssociatedData,
  packetHeaderWrite,
} from "./packet.js";
import { openPacket, openToken, SealKey, sealKeySet, sealPacket } from "./seal.js";
import { sipHash } from "./sip.js";
import {
  REJECT_CHALLENGE,
  REJECT_EXPIRED,
  REJECT_NONE,
  REJECT_PROTOCOL,
  REJECT_RESOURCES,
  REJECT_SERVER,
  REJECT_TOKEN,
  REJECT_TOKEN_USED,
  REJECT_VERSION,
} from "./stats.js";
import { NO_INDEX, Table, tableFirst, tableInsert, tableNext, tableRemove } from "./table.js";
import { NO_DEADLINE, Timers, timersFirst, timersNext, timersSet } from "./timers.js";
import {
  ChallengeToken,
  PrivateToken,
  Request,
  requestRead,
  tokenAssociatedData,
  tokenChallengeRead,
  tokenChallengeWrite,
  tokenPrivateRead,
} from "./token.js";

/** A client that showed a valid token and has not answered the challenge yet. */
export class Pending {
  index: number;
  address = new Address();
  clientIdLo = 0;
  clientIdHi = 0;
  keys = new Uint8Array(2 * KEY_BYTES);
  timeoutSeconds = 0;
  /** Its entry in the history. */
  token = NO_INDEX;

  constructor(index: number) {
    this.index = index;
  }
}

class UsedToken {
  tag = new Uint8Array(TAG_BYTES);
  address = new Address();
  expireSeconds = 0;
  used = false;
  consumed = false;
}

const SECONDS = 1_000_000;
/** A token without a time-out still has a bounded wait for the response. */
const PENDING_TIMEOUT_US = 10 * SECONDS;
/** History entries looked at for an expired one before a request is refused. */
const TOKEN_PROBES = 8;
const TAG_WORDS = TAG_BYTES / 4;

export class Handshake {
  config: HostConfig;
  privateKey: Uint8Array;
  hashKey: Uint32Array;
  hashWords = new Uint32Array(TAG_WORDS);
  challengeKey = new SealKey();
  challengeSequence = 0;
  /** Number of the next packet sent before a slot exists: 2^63 and 62 random bits on. */
  globalSequenceLo: number;
  globalSequenceHi: number;
  pendings: Pending[] = [];
  pendingFree: number[] = [];
  pendingTable: Table;
  pendingTimers: Timers;
  tokens: UsedToken[] = [];
  tokenTable: Table;
  tokenNext = 0;
  /** The entry that the last request's token has. */
  found = NO_INDEX;
  request = new Request();
  privateToken = new PrivateToken();
  challenge = new ChallengeToken();
  scratchKey = new SealKey();
  scratch = new Uint8Array(TOKEN_PRIVATE_BYTES);
  tokenAssociated = new Uint8Array(TOKEN_ASSOCIATED_BYTES);
  packetAssociated = new Uint8Array(PACKET_ASSOCIATED_BYTES);
  nothing = new Uint8Array(0);

  constructor(config: HostConfig, privateKey: Uint8Array, entropy: Uint8Array) {
    this.config = config;
    this.privateKey = privateKey.slice(0, KEY_BYTES);
    sealKeySet(this.challengeKey, entropy, 0);
    const words = new DataView(entropy.buffer, entropy.byteOffset, entropy.length);
    this.globalSequenceLo = words.getUint32(ENTROPY_SEQUENCE, true);
    this.globalSequenceHi =
      ((words.getUint32(ENTROPY_SEQUENCE + 4, true) & 0x3fffffff) | 0x80000000) >>> 0;
    this.hashKey = Uint32Array.of(
      words.getUint32(ENTROPY_HASH_KEY, true),
      words.getUint32(ENTROPY_HASH_KEY + 4, true),
    );
    this.pendingTable = new Table(config.pendingMax);
    this.pendingTimers = new Timers(config.pendingMax);
    for (let index = 0; index < config.pendingMax; index++) {
      this.pendings.push(new Pending(index));
      this.pendingFree.push(config.pendingMax - 1 - index);
    }
    this.tokenTable = new Table(config.tokensMax);
    for (let index = 0; index < config.tokensMax; index++) {
      this.tokens.push(new UsedToken());
    }
  }
}

// --- the pending clients ---

/** The pending client at an address, or null. */
export function pendingFind(handshake: Handshake, address: Address): Pending | null {
  const table = handshake.pendingTable;
  let index = tableFirst(table, addressHash(address, handshake.hashKey));
  while (index !== NO_INDEX) {
    if (addressEqual(handshake.pendings[index].address, address)) {
      return handshake.pendings[index];
    }
    index = tableNext(table, index);
  }
  return null;
}

function pendingTouch(handshake: Handshake, pending: Pending, nowUs: number): void {
  const seconds = pending.timeoutSeconds;
  const timeoutUs = seconds > 0 ? seconds * SECONDS : PENDING_TIMEOUT_US;
  timersSet(handshake.pendingTimers, pending.index, nowUs + timeoutUs);
}

export function pendingRemove(handshake: Handshake, pending: Pending): void {
  tableRemove(handshake.pendingTable, pending.index);
  timersSet(handshake.pendingTimers, pending.index, NO_DEADLINE);
  pending.keys.fill(0);
  handshake.pendingFree.push(pending.index);
}

/** Ends the pending clients that were silent for too long. */
export function pendingExpire(handshake: Handshake, nowUs: number): void {
  while (timersNext(handshake.pendingTimers) <= nowUs) {
    pendingRemove(handshake, handshake.pendings[timersFirst(handshake.pendingTimers)]);
  }
}

export function pendingDeadlineUs(handshake: Handshake): number {
  return timersNext(handshake.pendingTimers);
}

// --- the history of tokens ---

function tagEqual(tag: Uint8Array, bytes: Uint8Array, offset: number): boolean {
  let difference = 0;
  for (let index = 0; index < TAG_BYTES; index++) {
    difference |= tag[index] ^ bytes[offset + index];
  }
  return difference === 0;
}

/** The history's entry for the token with this tag, or NO_INDEX. */
function tokenFind(handshake: Handshake, hash: number, bytes: Uint8Array, offset: number): number {
  let index = tableFirst(handshake.tokenTable, hash);
  while (index !== NO_INDEX && !tagEqual(handshake.tokens[index].tag, bytes, offset)) {
    index = tableNext(handshake.tokenTable, index);
  }
  return index;
}

/** A free or expired entry, or NO_INDEX: what has not expired is never forgotten. */
function tokenRoom(handshake: Handshake, unixSeconds: number): number {
  const count = handshake.tokens.length;
  for (let probe = 0; probe < Math.min(TOKEN_PROBES, count); probe++) {
    const index = handshake.tokenNext;
    handshake.tokenNext = (index + 1) % count;
    const token = handshake.tokens[index];
    if (!token.used) {
      return index;
    }
    if (token.expireSeconds <= unixSeconds) {
      tableRemove(handshake.tokenTable, index);
      token.used = false;
      return index;
    }
  }
  return NO_INDEX;
}

function tagHash(handshake: Handshake, bytes: Uint8Array, offset: number): number {
  for (let index = 0; index < TAG_WORDS; index++) {
    const at = offset + 4 * index;
    handshake.hashWords[index] =
      bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
  }
  return sipHash(handshake.hashKey, handshake.hashWords, TAG_WORDS);
}

/** Looks the token up, or enters it; answers its entry through `handshake.found`. */
function tokenCheck(
  handshake: Handshake,
  address: Address,
  bytes: Uint8Array,
  tagOffset: number,
  expireSeconds: number,
  unixSeconds: number,
): number {
  const hash = tagHash(handshake, bytes, tagOffset);
  let index = tokenFind(handshake, hash, bytes, tagOffset);
  if (index !== NO_INDEX) {
    const known = handshake.tokens[index];
    handshake.found = index;
    return known.consumed || !addressEqual(known.address, address)
      ? REJECT_TOKEN_USED
      : REJECT_NONE;
  }
  index = tokenRoom(handshake, unixSeconds);
  if (index === NO_INDEX) {
    return REJECT_RESOURCES;
  }
  const token = handshake.tokens[index];
  token.tag.set(bytes.subarray(tagOffset, tagOffset + TAG_BYTES));
  addressCopy(token.address, address);
  token.expireSeconds = expireSeconds;
  token.used = true;
  token.consumed = false;
  tableInsert(handshake.tokenTable, hash, index);
  handshake.found = index;
  return REJECT_NONE;
}

/** The token of this pending client got a slot: it is never accepted again. */
export function tokenConsume(handshake: Handshake, pending: Pending): void {
  handshake.tokens[pending.token].consumed = true;
}

// --- the request (R-7) ---

/** Opens the private token of a request into handshake.privateToken; a reason why not, or REJECT_NONE. */
export function requestOpen(
  handshake: Handshake,
  bytes: Uint8Array,
  offset: number,
  length: number,
  unixSeconds: number,
): number {
  const request = handshake.request;
  if (!requestRead(bytes, offset, length, request)) {
    return REJECT_VERSION;
  }
  const config = handshake.config;
  if (
    request.protocolIdLo !== config.protocolIdLo ||
    request.protocolIdHi !== config.protocolIdHi
  ) {
    return REJECT_PROTOCOL;
  }
  if (request.expireTimestampHi * 2 ** 32 + request.expireTimestampLo <= unixSeconds) {
    return REJECT_EXPIRED;
  }
  tokenAssociatedData(
    request.protocolIdLo,
    request.protocolIdHi,
    request.expireTimestampLo,
    request.expireTimestampHi,
    handshake.tokenAssociated,
  );
  const sealed = bytes.subarray(request.privateOffset, request.privateOffset + TOKEN_PRIVATE_BYTES);
  handshake.scratch.set(sealed);
  const plainBytes = openToken(
    handshake.privateKey,
    request.nonce,
    handshake.tokenAssociated,
    handshake.scratch,
    0,
    TOKEN_PRIVATE_BYTES,
  );
  if (
    plainBytes < 0 ||
    !tokenPrivateRead(handshake.scratch, 0, plainBytes, handshake.privateToken)
  ) {
    return REJECT_TOKEN;
  }
  return isOwnAddress(handshake) ? REJECT_NONE : REJECT_SERVER;
}

function isOwnAddress(handshake: Handshake): boolean {
  const token = handshake.privateToken;
  for (let index = 0; index < token.serverCount; index++) {
    for (const own of handshake.config.addresses) {
      if (addressEqual(token.servers[index], own)) {
        return true;
      }
    }
  }
  return false;
}

/** Enters the token of an opened request into the history; a reason why not, or REJECT_NONE. */
export function requestToken(
  handshake: Handshake,
  address: Address,
  bytes: Uint8Array,
  unixSeconds: number,
): number {
  const request = handshake.request;
  return tokenCheck(
    handshake,
    address,
    bytes,
    request.privateOffset + TOKEN_PRIVATE_BYTES - TAG_BYTES,
    request.expireTimestampHi * 2 ** 32 + request.expireTimestampLo,
    unixSeconds,
  );
}

/** Makes the client of an opened request pending; null when there is no room. */
export function requestPend(handshake: Handshake, address: Address, nowUs: number): Pending | null {
  let pending = pendingFind(handshake, address);
  if (pending === null) {
    const free = handshake.pendingFree.pop();
    if (free === undefined) {
      return null;
    }
    pending = handshake.pendings[free];
    addressCopy(pending.address, address);
    tableInsert(handshake.pendingTable, addressHash(address, handshake.hashKey), free);
  }
  const token = handshake.privateToken;
  pending.clientIdLo = token.clientIdLo;
  pending.clientIdHi = token.clientIdHi;
  pending.keys.set(token.clientToServerKey, 0);
  pending.keys.set(token.serverToClientKey, KEY_BYTES);
  pending.timeoutSeconds = token.timeoutSeconds;
  pending.token = handshake.found;
  pendingTouch(handshake, pending, nowUs);
  return pending;
}

/** Microseconds of silence that a token allows; NO_DEADLINE where it sets no limit. */
export function timeoutUsOf(timeoutSeconds: number): number {
  return timeoutSeconds > 0 ? timeoutSeconds * SECONDS : NO_DEADLINE;
}

// --- packets sent before a slot exists (R-12) ---

function preSlotSeal(
  handshake: Handshake,
  type: number,
  key: Uint8Array,
  keyOffset: number,
  out: Uint8Array,
  offset: number,
  bodyBytes: number,
): number {
  const lo = handshake.globalSequenceLo;
  const hi = handshake.globalSequenceHi;
  const headerBytes = packetHeaderWrite(type, lo, hi, out, offset);
  packetAssociatedData(
    handshake.config.protocolIdLo,
    handshake.config.protocolIdHi,
    out[offset],
    handshake.packetAssociated,
  );
  sealKeySet(handshake.scratchKey, key, keyOffset);
  const sealedBytes = sealPacket(
    handshake.scratchKey,
    lo,
    hi,
    handshake.packetAssociated,
    out,
    offset + headerBytes,
    bodyBytes,
  );
  handshake.globalSequenceLo = (lo + 1) >>> 0;
  if (handshake.globalSequenceLo === 0) {
    handshake.globalSequenceHi = (hi + 1) >>> 0;
  }
  return headerBytes + sealedBytes;
}

/** Bytes before the body of a packet with an eight-byte sequence. */
const PRE_SLOT_HEADER_BYTES = 9;

/** Writes "denied" for a client whose keys are in handshake.privateToken or in a pending entry. */
export function deniedWrite(
  handshake: Handshake,
  serverToClientKey: Uint8Array,
  keyOffset: number,
  out: Uint8Array,
  offset: number,
): number {
  return preSlotSeal(handshake, PACKET_DENIED, serverToClientKey, keyOffset, out, offset, 0);
}

/** Writes a challenge with the client id and user data of handshake.privateToken. */
export function challengeWrite(handshake: Handshake, out: Uint8Array, offset: number): number {
  const token = handshake.privateToken;
  const challenge = handshake.challenge;
  challenge.clientIdLo = token.clientIdLo;
  challenge.clientIdHi = token.clientIdHi;
  challenge.userData.set(token.userData);
  const body = offset + PRE_SLOT_HEADER_BYTES;
  const sequence = handshake.challengeSequence;
  handshake.challengeSequence += 1;
  const lo = sequence >>> 0;
  const hi = Math.trunc(sequence / 2 ** 32);
  for (let index = 0; index < 4; index++) {
    out[body + index] = lo >>> (8 * index);
    out[body + 4 + index] = hi >>> (8 * index);
  }
  tokenChallengeWrite(challenge, out, body + 8);
  sealPacket(
    handshake.challengeKey,
    lo,
    hi,
    handshake.nothing,
    out,
    body + 8,
    CHALLENGE_TOKEN_PLAIN_BYTES,
  );
  return preSlotSeal(
    handshake,
    PACKET_CHALLENGE,
    token.serverToClientKey,
    0,
    out,
    offset,
    CHALLENGE_BODY_BYTES,
  );
}

// --- the response (R-10) ---

/** Opens the challenge token of a response into handshake.challenge, for this pending client. */
export function responseOpen(
  handshake: Handshake,
  pending: Pending,
  bytes: Uint8Array,
  offset: number,
): number {
  const words = new DataView(bytes.buffer, bytes.byteOffset + offset, 8);
  handshake.scratch.set(bytes.subarray(offset + 8, offset + 8 + CHALLENGE_TOKEN_BYTES));
  const plainBytes = openPacket(
    handshake.challengeKey,
    words.getUint32(0, true),
    words.getUint32(4, true),
    handshake.nothing,
    handshake.scratch,
    0,
    CHALLENGE_TOKEN_BYTES,
  );
  const challenge = handshake.challenge;
  if (plainBytes < 0) {
    return REJECT_CHALLENGE;
  }
  // Its length is right: all that are sealed have the same.
  tokenChallengeRead(handshake.scratch, 0, plainBytes, challenge);
  // The standard doesn't ask for it: a challenge answers the token that it was made for.
  const own =
    challenge.clientIdLo === pending.clientIdLo && challenge.clientIdHi === pending.clientIdHi;
  return own ? REJECT_NONE : REJECT_CHALLENGE;
}
