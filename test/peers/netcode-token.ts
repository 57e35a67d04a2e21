// Tokens of NETCODE 1.02: the private connect token (1,024 bytes, for servers), the public connect token around
// it (2,048 bytes, for a client) and the challenge token (300 bytes, for a server itself). Every reader answers
// undefined to bytes that are not such a token; every writer trusts its caller.

import { randomBytes } from "node:crypto";
import { decodeAddress, encodeAddress } from "./netcode-address.js";
import {
  KEY_BYTES,
  open,
  openWide,
  seal,
  sealWide,
  sequenceNonce,
  TAG_BYTES,
  TOKEN_NONCE_BYTES,
} from "./netcode-cipher.js";

/** "NETCODE 1.02" and its NUL, 13 bytes. */
export const VERSION_INFO = Buffer.from("NETCODE 1.02\0", "latin1");
/** Bytes of a public connect token. */
export const TOKEN_BYTES = 2048;
/** Bytes of a sealed private connect token, its tag included. */
export const PRIVATE_TOKEN_BYTES = 1024;
/** Bytes of a sealed challenge token, its tag included. */
export const CHALLENGE_TOKEN_BYTES = 300;
/** Bytes of user data in a token. */
export const USER_DATA_BYTES = 256;
/** Most servers in one token. */
export const SERVERS_MAX = 32;
/** Expire timestamp of a token that never expires. */
export const NEVER = 0xffff_ffff_ffff_ffffn;

const NO_BYTES = Buffer.alloc(0);

/** What only the backend and the servers can read. */
export interface PrivateToken {
  clientId: bigint;
  /** Seconds of silence until a time-out; negative for none. */
  timeoutSeconds: number;
  servers: string[];
  clientToServerKey: Buffer;
  serverToClientKey: Buffer;
  userData: Buffer;
}

/** What the client reads. */
export interface PublicToken {
  protocolId: bigint;
  /** Unix seconds. */
  createTimestamp: bigint;
  /** Unix seconds. */
  expireTimestamp: bigint;
  nonce: Buffer;
  sealedPrivate: Buffer;
  timeoutSeconds: number;
  servers: string[];
  clientToServerKey: Buffer;
  serverToClientKey: Buffer;
}

/** What binds a sealed private token: the rest of the associated data, the nonce and the backend's key. */
export interface PrivateTokenSeal {
  protocolId: bigint;
  expireTimestamp: bigint;
  nonce: Uint8Array;
  privateKey: Uint8Array;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

function padded(parts: readonly Uint8Array[], size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let offset = 0;
  for (const part of parts) {
    if (offset + part.length > size) throw new RangeError("a token part does not fit");
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** The block both tokens share: time-out, servers and the two keys. */
function encodeSession(token: PrivateToken | PublicToken): Uint8Array[] {
  return [
    u32(token.timeoutSeconds),
    u32(token.servers.length),
    ...token.servers.map(encodeAddress),
    token.clientToServerKey,
    token.serverToClientKey,
  ];
}

function decodeSession(bytes: Buffer, start: number) {
  const timeoutSeconds = bytes.readInt32LE(start);
  const serverCount = bytes.readUInt32LE(start + 4);
  if (serverCount < 1 || serverCount > SERVERS_MAX) return undefined;
  let offset = start + 8;
  const servers: string[] = [];
  for (let index = 0; index < serverCount; index++) {
    const server = decodeAddress(bytes, offset);
    if (server === undefined) return undefined;
    servers.push(server.address);
    offset += server.size;
  }
  const key = (at: number) => Buffer.from(bytes.subarray(at, at + KEY_BYTES));
  return {
    timeoutSeconds,
    servers,
    clientToServerKey: key(offset),
    serverToClientKey: key(offset + KEY_BYTES),
    end: offset + 2 * KEY_BYTES,
  };
}

/** The 1,008 bytes of a private token before it is sealed. */
export function encodePrivateToken(token: PrivateToken): Buffer {
  return padded(
    [u64(token.clientId), ...encodeSession(token), token.userData],
    PRIVATE_TOKEN_BYTES - TAG_BYTES,
  );
}

/** Reads an opened private token of 1,008 bytes. */
export function decodePrivateToken(plain: Buffer): PrivateToken | undefined {
  if (plain.length !== PRIVATE_TOKEN_BYTES - TAG_BYTES) return undefined;
  const session = decodeSession(plain, 8);
  if (session === undefined) return undefined;
  const { end, ...shared } = session;
  const userData = Buffer.from(plain.subarray(end, end + USER_DATA_BYTES));
  return { clientId: plain.readBigUInt64LE(0), ...shared, userData };
}

function privateTokenAssociated(binding: PrivateTokenSeal): Buffer {
  return Buffer.concat([VERSION_INFO, u64(binding.protocolId), u64(binding.expireTimestamp)]);
}

/** Seals 1,008 bytes to 1,024. */
export function sealPrivateToken(plain: Uint8Array, binding: PrivateTokenSeal): Buffer {
  return sealWide(binding.privateKey, binding.nonce, privateTokenAssociated(binding), plain);
}

/** Opens 1,024 bytes to 1,008; undefined when anything bound was changed. */
export function openPrivateToken(
  sealed: Uint8Array,
  binding: PrivateTokenSeal,
): Buffer | undefined {
  return openWide(binding.privateKey, binding.nonce, privateTokenAssociated(binding), sealed);
}

/** The 2,048 bytes of a public token. */
export function encodePublicToken(token: PublicToken): Buffer {
  return padded(
    [
      VERSION_INFO,
      u64(token.protocolId),
      u64(token.createTimestamp),
      u64(token.expireTimestamp),
      token.nonce,
      token.sealedPrivate,
      ...encodeSession(token),
    ],
    TOKEN_BYTES,
  );
}

/** Reads a public token; undefined on a wrong size, version, timestamp order, server count or address type. */
export function decodePublicToken(token: Uint8Array): PublicToken | undefined {
  const bytes = Buffer.from(token);
  if (bytes.length !== TOKEN_BYTES) return undefined;
  if (!bytes.subarray(0, VERSION_INFO.length).equals(VERSION_INFO)) return undefined;
  let offset = VERSION_INFO.length;
  const protocolId = bytes.readBigUInt64LE(offset);
  const createTimestamp = bytes.readBigUInt64LE(offset + 8);
  const expireTimestamp = bytes.readBigUInt64LE(offset + 16);
  if (createTimestamp > expireTimestamp) return undefined;
  offset += 24;
  const nonce = bytes.subarray(offset, offset + TOKEN_NONCE_BYTES);
  offset += TOKEN_NONCE_BYTES;
  const sealedPrivate = bytes.subarray(offset, offset + PRIVATE_TOKEN_BYTES);
  const session = decodeSession(bytes, offset + PRIVATE_TOKEN_BYTES);
  if (session === undefined) return undefined;
  const { end: _, ...shared } = session;
  return { protocolId, createTimestamp, expireTimestamp, nonce, sealedPrivate, ...shared };
}

/** What a challenge token says of a client. */
export interface ChallengeToken {
  clientId: bigint;
  userData: Buffer;
}

/** Writes and seals a challenge token: 300 bytes, no associated data, nonce from the challenge sequence. */
export function sealChallengeToken(
  token: ChallengeToken,
  sequence: bigint,
  key: Uint8Array,
): Buffer {
  return seal(key, sequenceNonce(sequence), NO_BYTES, encodeChallengeToken(token));
}

/** The 284 bytes of a challenge token before it is sealed. */
export function encodeChallengeToken(token: ChallengeToken): Buffer {
  return padded([u64(token.clientId), token.userData], CHALLENGE_TOKEN_BYTES - TAG_BYTES);
}

/** Opens and reads a challenge token; undefined when it was not sealed with this key and sequence. */
export function openChallengeToken(
  sealed: Uint8Array,
  sequence: bigint,
  key: Uint8Array,
): ChallengeToken | undefined {
  if (sealed.length !== CHALLENGE_TOKEN_BYTES) return undefined;
  const plain = open(key, sequenceNonce(sequence), NO_BYTES, sealed);
  if (plain === undefined) return undefined;
  const userData = Buffer.from(plain.subarray(8, 8 + USER_DATA_BYTES));
  return { clientId: plain.readBigUInt64LE(0), userData };
}

/** What a backend decides. Everything but the first four is filled in when left out. */
export interface MintOptions {
  protocolId: bigint;
  privateKey: Uint8Array;
  clientId: bigint;
  /** The servers a client shall try, in this order. */
  servers: string[];
  /** The same servers as they know themselves; `servers` when left out. */
  internalServers?: string[];
  /** Seconds of silence until a time-out; negative for none. 5 when left out. */
  timeoutSeconds?: number;
  /** Seconds the token lives; negative for ever. 30 when left out. */
  expireSeconds?: number;
  /** Unix seconds; now when left out. */
  createTimestamp?: bigint;
  userData?: Uint8Array;
  nonce?: Uint8Array;
  clientToServerKey?: Uint8Array;
  serverToClientKey?: Uint8Array;
}

/** A connect token of 2,048 bytes as a backend makes it. Throws RangeError on a bad address or server count. */
export function mintReferenceToken(options: MintOptions): Buffer {
  const { protocolId, privateKey, servers, internalServers = servers } = options;
  if (servers.length < 1 || servers.length > SERVERS_MAX) throw new RangeError("1 to 32 servers");
  const createTimestamp = options.createTimestamp ?? BigInt(Math.floor(Date.now() / 1000));
  const lifeSeconds = options.expireSeconds ?? 30;
  const expireTimestamp = lifeSeconds < 0 ? NEVER : createTimestamp + BigInt(lifeSeconds);
  const nonce = Buffer.from(options.nonce ?? randomBytes(TOKEN_NONCE_BYTES));
  const session = {
    timeoutSeconds: options.timeoutSeconds ?? 5,
    clientToServerKey: Buffer.from(options.clientToServerKey ?? randomBytes(KEY_BYTES)),
    serverToClientKey: Buffer.from(options.serverToClientKey ?? randomBytes(KEY_BYTES)),
  };
  const plain = encodePrivateToken({
    clientId: options.clientId,
    ...session,
    servers: internalServers,
    userData: padded([options.userData ?? NO_BYTES], USER_DATA_BYTES),
  });
  const binding = { protocolId, expireTimestamp, nonce, privateKey };
  const sealedPrivate = sealPrivateToken(plain, binding);
  return encodePublicToken({ ...binding, createTimestamp, sealedPrivate, ...session, servers });
}
