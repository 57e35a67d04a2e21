/*
 * Owns the layouts of NETCODE's tokens and of the connection request that carries one: the connect
 * token (public, for the client), the private token inside it (for the server), the challenge token
 * (the server's own).
 * Never seals or opens, and never judges time, protocol or address: seal and handshake do.
 * Invariants: writing fills the whole fixed size with zeros after the data; reading checks every
 * field it depends on and answers false, never more, to bytes that are not such a token. Padding is
 * not checked: the tag covers the private token's, and the reference does not look at the public one's.
 */
import { Address, addressRead, addressWrite } from "./address.js";
import {
  Reader,
  readBytes,
  readerSet,
  readSkip,
  readU8,
  readU32,
  Writer,
  writeBytes,
  writerFail,
  writerSet,
  writeU8,
  writeU32,
  writeZeros,
} from "./bytes.js";
import {
  CHALLENGE_TOKEN_BYTES,
  CHALLENGE_TOKEN_PLAIN_BYTES,
  KEY_BYTES,
  REQUEST_BYTES,
  TOKEN_ASSOCIATED_BYTES,
  TOKEN_NONCE_BYTES,
  TOKEN_PRIVATE_BYTES,
  TOKEN_PRIVATE_PLAIN_BYTES,
  TOKEN_PUBLIC_BYTES,
  TOKEN_SERVERS_MAX,
  USER_DATA_BYTES,
  VERSION_BYTES,
  VERSION_INFO,
} from "./limits.js";
import { PACKET_REQUEST } from "./packet.js";

function addressList(): Address[] {
  return Array.from({ length: TOKEN_SERVERS_MAX }, () => new Address());
}

/** What only the servers can open. */
export class PrivateToken {
  clientIdLo = 0;
  clientIdHi = 0;
  /** Seconds without a packet until either side gives up; none below 1. */
  timeoutSeconds = 0;
  serverCount = 0;
  /** The first `serverCount` count. */
  readonly servers = addressList();
  readonly clientToServerKey = new Uint8Array(KEY_BYTES);
  readonly serverToClientKey = new Uint8Array(KEY_BYTES);
  readonly userData = new Uint8Array(USER_DATA_BYTES);
}

/** What a backend hands to a client. */
export class ConnectToken {
  protocolIdLo = 0;
  protocolIdHi = 0;
  /** Unix time in seconds. */
  createTimestampLo = 0;
  createTimestampHi = 0;
  /** Unix time in seconds. */
  expireTimestampLo = 0;
  expireTimestampHi = 0;
  readonly nonce = new Uint8Array(TOKEN_NONCE_BYTES);
  /** The private token, sealed. */
  readonly privateBytes = new Uint8Array(TOKEN_PRIVATE_BYTES);
  /** Seconds without a packet until either side gives up; none below 1. */
  timeoutSeconds = 0;
  serverCount = 0;
  /** The first `serverCount` count. */
  readonly servers = addressList();
  readonly clientToServerKey = new Uint8Array(KEY_BYTES);
  readonly serverToClientKey = new Uint8Array(KEY_BYTES);
}

/** What a server hands to an address, and gets back from it if the address is real. */
export class ChallengeToken {
  clientIdLo = 0;
  clientIdHi = 0;
  readonly userData = new Uint8Array(USER_DATA_BYTES);
}

/** A connection request, read. The private token stays where it arrived. */
export class Request {
  protocolIdLo = 0;
  protocolIdHi = 0;
  /** Unix time in seconds. */
  expireTimestampLo = 0;
  expireTimestampHi = 0;
  readonly nonce = new Uint8Array(TOKEN_NONCE_BYTES);
  /** Index of the sealed private token, TOKEN_PRIVATE_BYTES long, in the bytes that were read. */
  privateOffset = 0;
}

/** Whether the next bytes are the standard's version text; whoever asks has looked that they are there. */
function readVersion(reader: Reader): boolean {
  let same = true;
  for (let index = 0; index < VERSION_BYTES; index++) {
    if (readU8(reader) !== VERSION_INFO[index]) same = false;
  }
  return same;
}

function readServers(reader: Reader, token: PrivateToken | ConnectToken): boolean {
  const count = readU32(reader);
  if (count < 1 || count > TOKEN_SERVERS_MAX) return false;
  for (let index = 0; index < count; index++) {
    if (!addressRead(reader, token.servers[index])) return false;
  }
  token.serverCount = count;
  return true;
}

function writeServers(writer: Writer, token: PrivateToken | ConnectToken): void {
  if (token.serverCount < 1 || token.serverCount > TOKEN_SERVERS_MAX) {
    writerFail(writer);
    return;
  }
  writeU32(writer, token.serverCount);
  for (let index = 0; index < token.serverCount; index++) {
    addressWrite(writer, token.servers[index]);
  }
}

/** Fills the rest up to `end` with zeros. */
function pad(writer: Writer): void {
  writeZeros(writer, writer.end - writer.offset);
}

// ---- Private connect token ----

/** Writes the plain private token to TOKEN_PRIVATE_BYTES at `offset`, the tag's place zero. */
export function tokenPrivateWrite(token: PrivateToken, bytes: Uint8Array, offset: number): boolean {
  const writer = new Writer();
  writerSet(writer, bytes, offset, offset + TOKEN_PRIVATE_BYTES);
  writeU32(writer, token.clientIdLo);
  writeU32(writer, token.clientIdHi);
  writeU32(writer, token.timeoutSeconds);
  writeServers(writer, token);
  writeBytes(writer, token.clientToServerKey, 0, KEY_BYTES);
  writeBytes(writer, token.serverToClientKey, 0, KEY_BYTES);
  writeBytes(writer, token.userData, 0, USER_DATA_BYTES);
  pad(writer);
  return !writer.failed;
}

/** Reads a private token that was opened: TOKEN_PRIVATE_PLAIN_BYTES. */
export function tokenPrivateRead(
  bytes: Uint8Array,
  offset: number,
  length: number,
  token: PrivateToken,
): boolean {
  token.serverCount = 0;
  if (length !== TOKEN_PRIVATE_PLAIN_BYTES) return false;
  const reader = new Reader();
  readerSet(reader, bytes, offset, offset + length);
  token.clientIdLo = readU32(reader);
  token.clientIdHi = readU32(reader);
  token.timeoutSeconds = readU32(reader) | 0;
  if (!readServers(reader, token)) return false;
  readBytes(reader, token.clientToServerKey, 0, KEY_BYTES);
  readBytes(reader, token.serverToClientKey, 0, KEY_BYTES);
  readBytes(reader, token.userData, 0, USER_DATA_BYTES);
  return !reader.failed;
}

/** Writes what the private token's tag covers besides it: TOKEN_ASSOCIATED_BYTES at `out`'s start. */
export function tokenAssociatedData(
  protocolIdLo: number,
  protocolIdHi: number,
  expireTimestampLo: number,
  expireTimestampHi: number,
  out: Uint8Array,
): void {
  const writer = new Writer();
  writerSet(writer, out, 0, TOKEN_ASSOCIATED_BYTES);
  writeBytes(writer, VERSION_INFO, 0, VERSION_BYTES);
  writeU32(writer, protocolIdLo);
  writeU32(writer, protocolIdHi);
  writeU32(writer, expireTimestampLo);
  writeU32(writer, expireTimestampHi);
}

// ---- Connect token ----

/** Writes the connect token to TOKEN_PUBLIC_BYTES at `offset`. */
export function tokenPublicWrite(token: ConnectToken, bytes: Uint8Array, offset: number): boolean {
  const writer = new Writer();
  writerSet(writer, bytes, offset, offset + TOKEN_PUBLIC_BYTES);
  writeBytes(writer, VERSION_INFO, 0, VERSION_BYTES);
  writeU32(writer, token.protocolIdLo);
  writeU32(writer, token.protocolIdHi);
  writeU32(writer, token.createTimestampLo);
  writeU32(writer, token.createTimestampHi);
  writeU32(writer, token.expireTimestampLo);
  writeU32(writer, token.expireTimestampHi);
  writeBytes(writer, token.nonce, 0, TOKEN_NONCE_BYTES);
  writeBytes(writer, token.privateBytes, 0, TOKEN_PRIVATE_BYTES);
  writeU32(writer, token.timeoutSeconds);
  writeServers(writer, token);
  writeBytes(writer, token.clientToServerKey, 0, KEY_BYTES);
  writeBytes(writer, token.serverToClientKey, 0, KEY_BYTES);
  pad(writer);
  return !writer.failed;
}

function createdAfterExpiry(token: ConnectToken): boolean {
  if (token.createTimestampHi !== token.expireTimestampHi) {
    return token.createTimestampHi > token.expireTimestampHi;
  }
  return token.createTimestampLo > token.expireTimestampLo;
}

/** Reads a connect token: exactly TOKEN_PUBLIC_BYTES, of this version, not expired when created. */
export function tokenPublicRead(
  bytes: Uint8Array,
  offset: number,
  length: number,
  token: ConnectToken,
): boolean {
  token.serverCount = 0;
  if (length !== TOKEN_PUBLIC_BYTES) return false;
  const reader = new Reader();
  readerSet(reader, bytes, offset, offset + length);
  if (!readVersion(reader)) return false;
  token.protocolIdLo = readU32(reader);
  token.protocolIdHi = readU32(reader);
  token.createTimestampLo = readU32(reader);
  token.createTimestampHi = readU32(reader);
  token.expireTimestampLo = readU32(reader);
  token.expireTimestampHi = readU32(reader);
  if (createdAfterExpiry(token)) return false;
  readBytes(reader, token.nonce, 0, TOKEN_NONCE_BYTES);
  readBytes(reader, token.privateBytes, 0, TOKEN_PRIVATE_BYTES);
  token.timeoutSeconds = readU32(reader) | 0;
  if (!readServers(reader, token)) return false;
  readBytes(reader, token.clientToServerKey, 0, KEY_BYTES);
  readBytes(reader, token.serverToClientKey, 0, KEY_BYTES);
  return !reader.failed;
}

// ---- Challenge token ----

/** Writes the plain challenge token to CHALLENGE_TOKEN_BYTES at `offset`, the tag's place zero. */
export function tokenChallengeWrite(
  token: ChallengeToken,
  bytes: Uint8Array,
  offset: number,
): boolean {
  const writer = new Writer();
  writerSet(writer, bytes, offset, offset + CHALLENGE_TOKEN_BYTES);
  writeU32(writer, token.clientIdLo);
  writeU32(writer, token.clientIdHi);
  writeBytes(writer, token.userData, 0, USER_DATA_BYTES);
  pad(writer);
  return !writer.failed;
}

/** Reads a challenge token that was opened: CHALLENGE_TOKEN_PLAIN_BYTES. */
export function tokenChallengeRead(
  bytes: Uint8Array,
  offset: number,
  length: number,
  token: ChallengeToken,
): boolean {
  if (length !== CHALLENGE_TOKEN_PLAIN_BYTES) return false;
  const reader = new Reader();
  readerSet(reader, bytes, offset, offset + length);
  token.clientIdLo = readU32(reader);
  token.clientIdHi = readU32(reader);
  return readBytes(reader, token.userData, 0, USER_DATA_BYTES);
}

// ---- Connection request ----

/** Writes the request that carries the token: REQUEST_BYTES at `offset`. */
export function requestWrite(token: ConnectToken, bytes: Uint8Array, offset: number): boolean {
  const writer = new Writer();
  writerSet(writer, bytes, offset, offset + REQUEST_BYTES);
  writeU8(writer, PACKET_REQUEST);
  writeBytes(writer, VERSION_INFO, 0, VERSION_BYTES);
  writeU32(writer, token.protocolIdLo);
  writeU32(writer, token.protocolIdHi);
  writeU32(writer, token.expireTimestampLo);
  writeU32(writer, token.expireTimestampHi);
  writeBytes(writer, token.nonce, 0, TOKEN_NONCE_BYTES);
  writeBytes(writer, token.privateBytes, 0, TOKEN_PRIVATE_BYTES);
  return !writer.failed;
}

/** Reads a request: exactly REQUEST_BYTES, prefix byte 0, of this version. */
export function requestRead(
  bytes: Uint8Array,
  offset: number,
  length: number,
  request: Request,
): boolean {
  if (length !== REQUEST_BYTES) return false;
  const reader = new Reader();
  readerSet(reader, bytes, offset, offset + length);
  if (readU8(reader) !== PACKET_REQUEST) return false;
  if (!readVersion(reader)) return false;
  request.protocolIdLo = readU32(reader);
  request.protocolIdHi = readU32(reader);
  request.expireTimestampLo = readU32(reader);
  request.expireTimestampHi = readU32(reader);
  readBytes(reader, request.nonce, 0, TOKEN_NONCE_BYTES);
  request.privateOffset = reader.offset;
  return readSkip(reader, TOKEN_PRIVATE_BYTES);
}
