/**
 * `netrt/token`: connect tokens, for the backend that decides who may play.
 *
 * Owns: minting a token, its text form, and reading the part of it that is public.
 * Never does: load the addon, open a socket, or keep a secret. A web backend needs this file alone.
 * Invariants: a token is good for one connection. Its private part can be read by whoever has the
 * key, and by nobody else; the whole of it is a secret of the client that it was minted for, because
 * the keys of the connection are in its public part.
 */
import { randomBytes } from "node:crypto";
import { formatAddress, parseAddress } from "./address.js";
import { type Address, addressCopy } from "./engine/address.js";
import {
  KEY_BYTES,
  TOKEN_ASSOCIATED_BYTES,
  TOKEN_NONCE_BYTES,
  TOKEN_PRIVATE_PLAIN_BYTES,
  TOKEN_PUBLIC_BYTES,
  TOKEN_SERVERS_MAX,
  USER_DATA_BYTES,
} from "./engine/limits.js";
import { sealAvailable, sealToken } from "./engine/seal.js";
import {
  ConnectToken,
  PrivateToken,
  tokenAssociatedData,
  tokenPrivateWrite,
  tokenPublicRead,
  tokenPublicWrite,
} from "./engine/token.js";
import { argumentError, checkInteger, checkNumber, describeGiven, NetrtError } from "./errors.js";

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const I32_MAX = 0x7fff_ffff;
/** Expiry of a token that never expires. */
const NEVER = U64_MAX;
/** Time-out of a token whose connection never times out. */
const NO_TIMEOUT_SECONDS = -1;

/** Seconds a token may wait for its use: enough for a load screen, too short to be worth stealing. */
const EXPIRE_SECONDS_DEFAULT = 45;
/** Seconds of silence that end a connection. */
const TIMEOUT_SECONDS_DEFAULT = 5;
/** Longest name of a protocol, in bytes of UTF-8. */
const NAME_BYTES_MAX = 64;
/** The latest moment that a JavaScript Date holds, in ms. */
const DATE_MS_MAX = 8.64e15;

const FNV64_OFFSET_BASIS = 0xcbf29ce484222325n;
const FNV64_PRIME = 0x100000001b3n;

/** A protocol as a token sees it: the name given to `defineProtocol`, or what that returned. */
export type TokenProtocol = string | { readonly id: bigint };

/** What `mintToken` puts into a token. */
export interface MintTokenOptions {
  /** The protocol that the client and its servers speak. Give this or `protocolId`. */
  readonly protocol?: TokenProtocol;
  /** The NETCODE protocol id, 0 to 2^64 - 1, for peers that are not netrt. */
  readonly protocolId?: bigint | number;
  /** The secret that backend and servers share: 32 bytes, or their base64. */
  readonly key: Uint8Array | string;
  /** Who the client is, 0 to 2^64 - 1. A server admits one connection of each id at a time. */
  readonly clientId: bigint | number;
  /** 1 to 32 servers, `a.b.c.d:port` or `[v6]:port`, in the order in which the client tries them. */
  readonly servers: readonly string[];
  /** Seconds until the token can't be used any more, 1 to 2^31 - 1, or Infinity. 45 by default. */
  readonly expireSeconds?: number;
  /** Seconds of silence that end the connection, 1 to 2^31 - 1, or Infinity. 5 by default. */
  readonly timeoutSeconds?: number;
  /** Up to 256 bytes that the server gets with the connection, and that the client can't read. */
  readonly userData?: Uint8Array;
  /** The time of minting in ms since 1970, for tests; `Date.now()` by default. */
  readonly now?: number;
}

/** What of a token everybody who holds it can read, less the connection's keys. */
export interface DecodedToken {
  /** The NETCODE protocol id. */
  readonly protocolId: bigint;
  /** Unix time of minting, in seconds. */
  readonly createdSeconds: number;
  /** Unix time from which on the token can't be used, in seconds; Infinity for never. */
  readonly expiresSeconds: number;
  /** Seconds of silence that end the connection; Infinity for never. */
  readonly timeoutSeconds: number;
  /** The servers in the order in which the client tries them. */
  readonly servers: readonly string[];
}

/** The low and the high half of a 64-bit number. */
function halves(value: bigint): [lo: number, hi: number] {
  return [Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n))];
}

function whole(lo: number, hi: number): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo);
}

function checkU64(name: string, value: unknown): bigint {
  if (typeof value === "bigint" && value >= 0n && value <= U64_MAX) return value;
  // A number past 2^53 may already be another one than its writer meant.
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw argumentError(name, value, "a bigint from 0 to 2^64 - 1, or a number from 0 to 2^53 - 1");
}

/** The bytes of base64 text, in either alphabet, padded or not; undefined for other text. */
function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[\w+/-]*={0,2}$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, "base64"));
}

function checkKey(value: unknown): Uint8Array {
  const key = typeof value === "string" ? fromBase64(value) : value;
  if (key instanceof Uint8Array && key.length === KEY_BYTES) return key;
  // The key itself never stands in a message, not even a wrong one.
  const given = typeof value === "string" ? "other text" : describeGiven(value);
  throw new NetrtError(
    "ERR_NETRT_KEY_SIZE",
    `key must be ${KEY_BYTES} bytes or their base64, but ${given} was given`,
  );
}

/** Seconds of a lifetime; `never` stands for Infinity. */
function checkSeconds<Never>(name: string, value: number, never: Never): number | Never {
  if (value === Number.POSITIVE_INFINITY) return never;
  return checkInteger(name, value, 1, I32_MAX, "s, or Infinity");
}

function checkServers(value: unknown): Address[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > TOKEN_SERVERS_MAX) {
    throw argumentError("servers", value, `an array of 1 to ${TOKEN_SERVERS_MAX} addresses`);
  }
  return value.map((text: string, index) => {
    const server = parseAddress(text);
    if (server.port === 0 || (server.a | server.b | server.c | server.d) === 0) {
      throw new NetrtError(
        "ERR_NETRT_ADDRESS",
        `servers[${index}] must be the address and port that clients send to, not ${text}`,
      );
    }
    return server;
  });
}

function checkUserData(value: unknown): Uint8Array {
  if (value instanceof Uint8Array && value.length <= USER_DATA_BYTES) return value;
  throw new NetrtError(
    "ERR_NETRT_KEY_SIZE",
    `userData must be a Uint8Array of up to ${USER_DATA_BYTES} bytes, but ${describeGiven(value)} was given`,
  );
}

/**
 * The NETCODE protocol id of a protocol's name: FNV-1a 64 (draft-eastlake-fnv) of its UTF-8. For
 * backends in other languages, which need the number.
 *
 * @param name what `defineProtocol` is given, 1 to 64 bytes of UTF-8
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function protocolIdOf(name: string): bigint {
  const bytes = typeof name === "string" ? new TextEncoder().encode(name) : new Uint8Array(0);
  if (bytes.length < 1 || bytes.length > NAME_BYTES_MAX || /\p{Surrogate}/u.test(name)) {
    throw argumentError("protocol", name, `a name of 1 to ${NAME_BYTES_MAX} bytes of UTF-8`);
  }
  let hash = FNV64_OFFSET_BASIS;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV64_PRIME);
  return hash;
}

function checkProtocol(options: MintTokenOptions): bigint {
  const { protocol, protocolId } = options;
  if ((protocol === undefined) === (protocolId === undefined)) {
    throw new NetrtError("ERR_NETRT_ARGUMENT", "give protocol or protocolId, and not both");
  }
  if (protocol === undefined) return checkU64("protocolId", protocolId);
  if (typeof protocol === "object" && protocol !== null)
    return checkU64("protocol.id", protocol.id);
  return protocolIdOf(protocol);
}

interface CheckedOptions {
  readonly protocolId: bigint;
  readonly key: Uint8Array;
  readonly clientId: bigint;
  readonly servers: readonly Address[];
  /** Unix time in seconds. */
  readonly created: bigint;
  /** Unix time in seconds. */
  readonly expires: bigint;
  readonly timeoutSeconds: number;
  readonly userData: Uint8Array;
}

function checkOptions(options: MintTokenOptions): CheckedOptions {
  if (typeof options !== "object" || options === null) {
    throw argumentError("options", options, "an object");
  }
  const { expireSeconds = EXPIRE_SECONDS_DEFAULT, timeoutSeconds = TIMEOUT_SECONDS_DEFAULT } =
    options;
  const { userData = new Uint8Array(0), now = Date.now() } = options;
  const created = BigInt(Math.floor(checkNumber("now", now, 0, DATE_MS_MAX, "ms") / 1000));
  const lifetime = checkSeconds("expireSeconds", expireSeconds, undefined);
  return {
    protocolId: checkProtocol(options),
    key: checkKey(options.key),
    clientId: checkU64("clientId", options.clientId),
    servers: checkServers(options.servers),
    created,
    expires: lifetime === undefined ? NEVER : created + BigInt(lifetime),
    timeoutSeconds: checkSeconds("timeoutSeconds", timeoutSeconds, NO_TIMEOUT_SECONDS),
    userData: checkUserData(userData),
  };
}

/** A new secret for backend and servers: 32 random bytes. Keep it out of the source. */
export function generateKey(): Uint8Array {
  return new Uint8Array(randomBytes(KEY_BYTES));
}

function serversSet(token: PrivateToken | ConnectToken, servers: readonly Address[]): void {
  token.serverCount = servers.length;
  for (const [index, server] of servers.entries()) addressCopy(token.servers[index], server);
}

/**
 * Mints a connect token: 2048 bytes that let one client connect once. Give them to the client over a
 * channel that nobody else reads (HTTPS), as bytes or with {@link tokenToBase64} in JSON.
 *
 * The format is the connect token of NETCODE 1.02; the servers may be netrt or any other
 * implementation.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT` for a bad option, `ERR_NETRT_ADDRESS` for a bad server,
 * `ERR_NETRT_KEY_SIZE` for a key of another size than 32 bytes or user data past 256,
 * `ERR_NETRT_NOT_SUPPORTED` where the runtime's crypto lacks ChaCha20-Poly1305
 *
 * @example
 * ```ts
 * import { generateKey, mintToken, tokenToBase64 } from "netrt/token";
 *
 * const key = generateKey(); // in production: the secret that the servers have too
 * const token = mintToken({ protocol: "arena/1", key, clientId: 42n, servers: ["192.0.2.7:40000"] });
 * console.log(JSON.stringify({ token: tokenToBase64(token) }).length); // 2744
 * ```
 */
export function mintToken(options: MintTokenOptions): Uint8Array {
  const checked = checkOptions(options);
  const { available, reason } = sealAvailable();
  if (!available) throw new NetrtError("ERR_NETRT_NOT_SUPPORTED", `no token: ${reason}`);
  const inner = privateOf(checked);
  const token = connectOf(checked, inner);
  sealPrivate(token, inner, checked.key);
  const bytes = new Uint8Array(TOKEN_PUBLIC_BYTES);
  tokenPublicWrite(token, bytes, 0);
  return bytes;
}

function privateOf(checked: CheckedOptions): PrivateToken {
  const inner = new PrivateToken();
  [inner.clientIdLo, inner.clientIdHi] = halves(checked.clientId);
  inner.timeoutSeconds = checked.timeoutSeconds;
  serversSet(inner, checked.servers);
  inner.clientToServerKey.set(randomBytes(KEY_BYTES));
  inner.serverToClientKey.set(randomBytes(KEY_BYTES));
  inner.userData.set(checked.userData);
  return inner;
}

function connectOf(checked: CheckedOptions, inner: PrivateToken): ConnectToken {
  const token = new ConnectToken();
  [token.protocolIdLo, token.protocolIdHi] = halves(checked.protocolId);
  [token.createTimestampLo, token.createTimestampHi] = halves(checked.created);
  [token.expireTimestampLo, token.expireTimestampHi] = halves(checked.expires);
  token.nonce.set(randomBytes(TOKEN_NONCE_BYTES));
  token.timeoutSeconds = checked.timeoutSeconds;
  serversSet(token, checked.servers);
  token.clientToServerKey.set(inner.clientToServerKey);
  token.serverToClientKey.set(inner.serverToClientKey);
  return token;
}

/** Puts the private token, sealed, into the token around it. */
function sealPrivate(token: ConnectToken, inner: PrivateToken, key: Uint8Array): void {
  const associated = new Uint8Array(TOKEN_ASSOCIATED_BYTES);
  tokenAssociatedData(
    token.protocolIdLo,
    token.protocolIdHi,
    token.expireTimestampLo,
    token.expireTimestampHi,
    associated,
  );
  tokenPrivateWrite(inner, token.privateBytes, 0);
  sealToken(key, token.nonce, associated, token.privateBytes, 0, TOKEN_PRIVATE_PLAIN_BYTES);
}

/**
 * Reads what is public in a token, for a client's logs and checks. It proves nothing: who made the
 * token and for whom, only the servers can tell.
 *
 * @param token the bytes from {@link mintToken}, or their base64
 * @throws NetrtError `ERR_NETRT_TOKEN_INVALID` for bytes that are no connect token
 */
export function decodeToken(token: Uint8Array | string): DecodedToken {
  const bytes = typeof token === "string" ? tokenFromBase64(token) : token;
  const read = new ConnectToken();
  if (!(bytes instanceof Uint8Array) || !tokenPublicRead(bytes, 0, bytes.length, read)) {
    throw new NetrtError(
      "ERR_NETRT_TOKEN_INVALID",
      `a token is ${TOKEN_PUBLIC_BYTES} bytes that start with "NETCODE 1.02", but ${describeGiven(token)} was given`,
    );
  }
  const expires = whole(read.expireTimestampLo, read.expireTimestampHi);
  return {
    protocolId: whole(read.protocolIdLo, read.protocolIdHi),
    createdSeconds: Number(whole(read.createTimestampLo, read.createTimestampHi)),
    expiresSeconds: expires === NEVER ? Number.POSITIVE_INFINITY : Number(expires),
    timeoutSeconds: read.timeoutSeconds > 0 ? read.timeoutSeconds : Number.POSITIVE_INFINITY,
    servers: read.servers.slice(0, read.serverCount).map(formatAddress),
  };
}

/** A token as base64, 2732 characters, for JSON and URLs' bodies. */
export function tokenToBase64(token: Uint8Array): string {
  if (!(token instanceof Uint8Array) || token.length !== TOKEN_PUBLIC_BYTES) {
    throw argumentError("token", token, `a Uint8Array of ${TOKEN_PUBLIC_BYTES} bytes`);
  }
  return Buffer.from(token.buffer, token.byteOffset, token.length).toString("base64");
}

/**
 * A token from its base64, in the ordinary or the URL alphabet.
 *
 * @throws NetrtError `ERR_NETRT_TOKEN_INVALID` for text that is not the base64 of 2048 bytes
 */
export function tokenFromBase64(text: string): Uint8Array {
  const bytes = typeof text === "string" ? fromBase64(text.trim()) : undefined;
  if (bytes?.length === TOKEN_PUBLIC_BYTES) return bytes;
  throw new NetrtError(
    "ERR_NETRT_TOKEN_INVALID",
    `a token's text is the base64 of ${TOKEN_PUBLIC_BYTES} bytes, but ${describeGiven(text)} was given`,
  );
}
