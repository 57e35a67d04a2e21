/*
 * Owns the shape in which the unit tests see the codec half of the core: plain calls over typed arrays,
 * which both engines can answer.
 * Never holds code.
 * Invariants: the calls of `CoreProbe` are those of native/addon/probe_codec.cc.
 */
/** Operations of a program for `readProgram` and `writeProgram`: triples of operation, value, count. */
export const OPERATION = {
  U8: 0,
  U16: 1,
  U32: 2,
  VARINT: 3,
  /** `count`: how many bits. */
  BITS: 4,
  ALIGN: 5,
  /** `count`: bytes to pass over, or zeros to write. */
  SKIP: 6,
  /** `count`: bytes to copy, from the start of the other array or to it. */
  BYTES: 7,
} as const;

/** An opened seal key of one engine. */
export type KeyHandle = { readonly keyHandle: unique symbol };

/** Words of an address: type, port, a, b, c, d. */
export const ADDRESS_WORDS = 6;
/** Words of a private token: client id, time-out, count, 32 addresses. Its blob: keys, user data. */
export const PRIVATE_WORDS = 4 + 32 * ADDRESS_WORDS;
export const PRIVATE_BLOB = 32 + 32 + 256;
/** Words of a connect token: protocol id, create, expire, time-out, count, 32 addresses. */
export const CONNECT_WORDS = 8 + 32 * ADDRESS_WORDS;
/** Blob of a connect token: nonce, private bytes, keys. */
export const CONNECT_BLOB = 24 + 1024 + 32 + 32;
/** Words of a challenge token: client id. Its blob: user data. */
export const CHALLENGE_WORDS = 2;
export const CHALLENGE_BLOB = 256;
/** Words of a request: protocol id, expire, index of the private token. Its blob: nonce. */
export const REQUEST_WORDS = 5;
export const REQUEST_BLOB = 24;

type TokenWrite = (
  words: Uint32Array,
  blob: Uint8Array,
  bytes: Uint8Array,
  offset: number,
) => boolean;
type TokenRead = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  words: Uint32Array,
  blob: Uint8Array,
) => boolean;
type Cipher<Key> = (
  key: Key,
  nonce: Uint8Array,
  associated: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
) => number;
type PacketCipher = (
  key: KeyHandle,
  sequenceLo: number,
  sequenceHi: number,
  associated: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
) => number;
type Block = (key: Uint8Array, iv: Uint8Array) => Uint8Array;

/** The codec half of the core. 64-bit numbers are two arguments or words, the low half first. */
export interface CoreProbe {
  /** Runs the program; `values` gets each result, `state` gets offset, bitOffset and failed. */
  readProgram(
    program: Uint32Array,
    bytes: Uint8Array,
    offset: number,
    end: number,
    copy: Uint8Array,
    values: Uint32Array,
    state: Uint32Array,
  ): void;
  writeProgram(
    program: Uint32Array,
    bytes: Uint8Array,
    offset: number,
    end: number,
    source: Uint8Array,
    state: Uint32Array,
  ): void;
  varintBytes(value: number): number;
  hash32(bytes: Uint8Array, offset: number, length: number, seed: number): number;
  sipHash(key: Uint32Array, words: Uint32Array, count: number): number;
  sequenceNewer16(a: number, b: number): boolean;
  sequenceExpand16(low16: number, reference: number): number;
  /** The offset after the address, or -1. */
  addressRead(bytes: Uint8Array, offset: number, end: number, words: Uint32Array): number;
  addressWrite(words: Uint32Array, bytes: Uint8Array, offset: number, end: number): number;
  addressEqual(left: Uint32Array, right: Uint32Array): boolean;
  addressHash(words: Uint32Array, key: Uint32Array): number;
  /** `header` gets type, sequence and bytes: four words. */
  packetHeaderRead(bytes: Uint8Array, offset: number, length: number, header: Uint32Array): number;
  packetHeaderWrite(
    type: number,
    sequenceLo: number,
    sequenceHi: number,
    bytes: Uint8Array,
    offset: number,
  ): number;
  sessionHeaderWrite(numberLo: number, bytes: Uint8Array, offset: number): number;
  packetAssociatedData(
    protocolIdLo: number,
    protocolIdHi: number,
    prefixByte: number,
    out: Uint8Array,
  ): void;
  packetBodyValid(type: number, bodyBytes: number): boolean;
  /** Tests each sequence (two words) on one window; `results` says 1 for acceptable. Then advances by
   * it where `advances` is 1. */
  replayRun(sequences: Uint32Array, advances: Uint8Array, results: Uint8Array): void;
  sealInit(): string | null;
  sealProviderName(): string | null;
  /** Ciphers that cost next to nothing, from now on in this process, or no more (standin.ts). */
  standIn(on: boolean): void;
  sealKeyOpen(): KeyHandle;
  sealKeySet(key: KeyHandle, bytes: Uint8Array, offset: number): void;
  sealSuiteSet(key: KeyHandle, suite: number, bytes: Uint8Array, offset: number): void;
  sealKeyClear(key: KeyHandle): void;
  x25519Public(secret: Uint8Array, publicKey: Uint8Array): boolean;
  x25519Agree(secret: Uint8Array, publicKey: Uint8Array, shared: Uint8Array): boolean;
  hmacSha256(key: Uint8Array, bytes: Uint8Array, out: Uint8Array): void;
  hkdfExtract(salt: Uint8Array, secret: Uint8Array, out: Uint8Array): void;
  hkdfExpand(key: Uint8Array, info: Uint8Array, out: Uint8Array): void;
  aeadSeal: Cipher<KeyHandle>;
  aeadOpen: Cipher<KeyHandle>;
  sealPacket: PacketCipher;
  openPacket: PacketCipher;
  sealToken: Cipher<Uint8Array>;
  openToken: Cipher<Uint8Array>;
  chachaBlock: Block;
  hchacha: Block;
  tokenPrivateWrite: TokenWrite;
  tokenPrivateRead: TokenRead;
  tokenPublicWrite: TokenWrite;
  tokenPublicRead: TokenRead;
  tokenChallengeWrite: TokenWrite;
  tokenChallengeRead: TokenRead;
  requestWrite: TokenWrite;
  requestRead: TokenRead;
  tokenAssociatedData(
    protocolIdLo: number,
    protocolIdHi: number,
    expireTimestampLo: number,
    expireTimestampHi: number,
    out: Uint8Array,
  ): void;
}
