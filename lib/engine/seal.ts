/*
 * Owns sealing and opening: ChaCha20-Poly1305-IETF (RFC 8439) for packets and challenge tokens,
 * AES-256-GCM (NIST SP 800-38D) for session packets, XChaCha20-Poly1305-IETF
 * (draft-irtf-cfrg-xchacha-03) for connect tokens, all in place; X25519 (RFC 7748) and HMAC-SHA256
 * (RFC 2104), from which session keys are made.
 * Never holds a cipher of its own: the cipher is node:crypto's, and this is the only file of the engine
 * that imports from Node.
 * Invariants: the nonce of a packet is four zero bytes and its sequence, little-endian (built the other
 * way round, as a port once did, it opens nothing). Bytes that do not open are left as they came.
 * A key is used with a sequence once; the callers see to that.
 */
import {
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from "node:crypto";
import {
  KEY_BYTES,
  NONCE_BYTES,
  PAYLOAD_BYTES_MAX,
  SUITES_AES,
  SUITES_ALWAYS,
  TAG_BYTES,
} from "./limits.js";

const AEAD = "chacha20-poly1305";
const AES = "aes-256-gcm";
const STREAM = "chacha20";
const AEAD_OPTIONS = { authTagLength: TAG_BYTES } as const;
const PROVIDER = "node:crypto";

/** Bytes of one ChaCha20 block. */
const BLOCK_BYTES = 64;
const BLOCK_ZEROS = new Uint8Array(BLOCK_BYTES);
/** Bytes of ChaCha20's counter and nonce together, as the cipher takes them. */
const BLOCK_IV_BYTES = 16;
/** Words 0 to 3 of ChaCha20's input: "expand 32-byte k". */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/** What a key is for. */
export const SUITE_CHACHA = 0;
export const SUITE_AES = 1;

/** A key made ready for many packets. */
export class SealKey {
  readonly bytes = new Uint8Array(KEY_BYTES);
  readonly nonce = new Uint8Array(NONCE_BYTES);
  suite = SUITE_CHACHA;
  ready = false;
}

/** Takes the key at bytes[offset, offset + 32). */
export function sealKeySet(key: SealKey, bytes: Uint8Array, offset: number): void {
  sealSuiteSet(key, SUITE_CHACHA, bytes, offset);
}

/** The same for another suite than ChaCha20-Poly1305. */
export function sealSuiteSet(key: SealKey, suite: number, bytes: Uint8Array, offset: number): void {
  key.suite = suite;
  for (let index = 0; index < KEY_BYTES; index++) key.bytes[index] = bytes[offset + index];
  key.ready = true;
}

/** Forgets the key. A cleared key seals and opens nothing. */
export function sealKeyClear(key: SealKey): void {
  key.bytes.fill(0);
  key.nonce.fill(0);
  key.ready = false;
}

function aeadOf(key: SealKey): CipherGCMTypes {
  return (key.suite === SUITE_AES ? AES : AEAD) as CipherGCMTypes;
}

function nonceSet(nonce: Uint8Array, sequenceLo: number, sequenceHi: number): void {
  for (let index = 0; index < 4; index++) {
    nonce[4 + index] = sequenceLo >>> (8 * index);
    nonce[8 + index] = sequenceHi >>> (8 * index);
  }
}

/**
 * Seals bytes[offset, offset + length) in place, with the tag after it, and returns length + 16; or -1
 * for more than a payload.
 */
export function aeadSeal(
  key: SealKey,
  nonce: Uint8Array,
  associated: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  if (!key.ready || length > PAYLOAD_BYTES_MAX || bytes.length - offset < length + TAG_BYTES)
    return -1;
  // The types know one algorithm a call; both take the same options.
  const cipher = createCipheriv(aeadOf(key), key.bytes, nonce, AEAD_OPTIONS);
  if (associated.length > 0) cipher.setAAD(associated, { plaintextLength: length });
  // The cipher gives its output anew, so nothing that is still to be read is overwritten.
  if (length > 0) bytes.set(cipher.update(bytes.subarray(offset, offset + length)), offset);
  cipher.final();
  bytes.set(cipher.getAuthTag(), offset + length);
  return length + TAG_BYTES;
}

/**
 * Opens bytes[offset, offset + length), tag included, in place and returns the bytes without the tag;
 * or -1, with the bytes as they were, where the tag does not fit.
 */
export function aeadOpen(
  key: SealKey,
  nonce: Uint8Array,
  associated: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const bodyBytes = length - TAG_BYTES;
  if (!key.ready || bodyBytes < 0 || bodyBytes > PAYLOAD_BYTES_MAX) return -1;
  const tagOffset = offset + bodyBytes;
  const decipher = createDecipheriv(aeadOf(key), key.bytes, nonce, AEAD_OPTIONS);
  if (associated.length > 0) decipher.setAAD(associated, { plaintextLength: bodyBytes });
  decipher.setAuthTag(bytes.subarray(tagOffset, tagOffset + TAG_BYTES));
  const body = bodyBytes > 0 ? decipher.update(bytes.subarray(offset, tagOffset)) : undefined;
  try {
    decipher.final();
  } catch {
    return -1;
  }
  if (body !== undefined) bytes.set(body, offset);
  return bodyBytes;
}

/** Seals a packet's body, or a challenge token with no associated data; see `aeadSeal`. */
export function sealPacket(
  key: SealKey,
  sequenceLo: number,
  sequenceHi: number,
  associated: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  nonceSet(key.nonce, sequenceLo, sequenceHi);
  return aeadSeal(key, key.nonce, associated, bytes, offset, length);
}

/** Opens a packet's body, or a challenge token with no associated data; see `aeadOpen`. */
export function openPacket(
  key: SealKey,
  sequenceLo: number,
  sequenceHi: number,
  associated: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  nonceSet(key.nonce, sequenceLo, sequenceHi);
  return aeadOpen(key, key.nonce, associated, bytes, offset, length);
}

/** One ChaCha20 block: `iv` is the counter and the nonce, 16 bytes. */
export function chachaBlock(key: Uint8Array, iv: Uint8Array): Uint8Array {
  return createCipheriv(STREAM, key, iv).update(BLOCK_ZEROS);
}

function word(bytes: Uint8Array, offset: number): number {
  return (
    bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24)
  );
}

/**
 * HChaCha20: ChaCha20's rounds without the final addition, words 0-3 and 12-15 of the result.
 * A block is the rounds' result plus the input, word by word, so the input is taken off again; words
 * 0-3 of it are the constants, 12-15 are `iv`.
 */
export function hchacha(key: Uint8Array, iv: Uint8Array): Uint8Array {
  const block = chachaBlock(key, iv);
  const subkey = new Uint8Array(KEY_BYTES);
  for (let index = 0; index < 4; index++) {
    const low = word(block, 4 * index) - CONSTANTS[index];
    const high = word(block, 48 + 4 * index) - word(iv, 4 * index);
    for (let byte = 0; byte < 4; byte++) {
      subkey[4 * index + byte] = low >>> (8 * byte);
      subkey[16 + 4 * index + byte] = high >>> (8 * byte);
    }
  }
  return subkey;
}

function subkeyOf(key32: Uint8Array, nonce24: Uint8Array): SealKey {
  const key = new SealKey();
  sealKeySet(key, hchacha(key32, nonce24.subarray(0, BLOCK_IV_BYTES)), 0);
  return key;
}

/** The rest of an XChaCha20 nonce becomes an ordinary one: four zero bytes, then its last eight. */
function tokenNonce(nonce24: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  for (let index = 0; index < 8; index++) nonce[4 + index] = nonce24[BLOCK_IV_BYTES + index];
  return nonce;
}

/** Seals a private connect token in place; see `aeadSeal`. */
export function sealToken(
  key32: Uint8Array,
  nonce24: Uint8Array,
  associated: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const subkey = subkeyOf(key32, nonce24);
  return aeadSeal(subkey, tokenNonce(nonce24), associated, bytes, offset, length);
}

/** Opens a private connect token in place; see `aeadOpen`. */
export function openToken(
  key32: Uint8Array,
  nonce24: Uint8Array,
  associated: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const subkey = subkeyOf(key32, nonce24);
  return aeadOpen(subkey, tokenNonce(nonce24), associated, bytes, offset, length);
}

// ---- What session keys are made from ----

/** What stands before the 32 bytes of an X25519 key in its DER forms (RFC 8410). */
const PRIVATE_HEAD = [
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20,
];
const PUBLIC_HEAD = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];

function derOf(head: readonly number[], key: Uint8Array): Uint8Array<ArrayBuffer> {
  const der = new Uint8Array(head.length + KEY_BYTES);
  der.set(head);
  der.set(key, head.length);
  return der;
}

function privateOf(secret: Uint8Array): KeyObject {
  const key = derOf(PRIVATE_HEAD, secret);
  const made = createPrivateKey({ key: key as Buffer, format: "der", type: "pkcs8" });
  key.fill(0);
  return made;
}

/** The public key, 32 bytes, of a private one of 32 random bytes. */
export function x25519Public(secret: Uint8Array, publicKey: Uint8Array): boolean {
  const der = createPublicKey(privateOf(secret)).export({ format: "der", type: "spki" });
  publicKey.set(der.subarray(PUBLIC_HEAD.length));
  return true;
}

/**
 * The shared secret, 32 bytes; false where it is all zero: the public key has a low order, and
 * everybody would know the secret (RFC 7748 section 6.1).
 */
export function x25519Agree(
  secret: Uint8Array,
  publicKey: Uint8Array,
  shared: Uint8Array,
): boolean {
  const key = derOf(PUBLIC_HEAD, publicKey) as Buffer;
  const peer = createPublicKey({ key, format: "der", type: "spki" });
  let made: Uint8Array;
  try {
    made = diffieHellman({ privateKey: privateOf(secret), publicKey: peer });
  } catch {
    return false;
  }
  shared.set(made);
  made.fill(0);
  return shared.some((byte) => byte !== 0);
}

/** DIGEST_BYTES of HMAC-SHA256, to the start of `out`. */
export function hmacSha256(key: Uint8Array, bytes: Uint8Array, out: Uint8Array): void {
  out.set(createHmac("sha256", key).update(bytes).digest());
}

// ---- Choice and proof of the provider ----

// RFC 8439, 2.8.2: the tag of its sunscreen text, which covers every byte of the ciphertext.
const KNOWN_TEXT =
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, " +
  "sunscreen would be it.";
const KNOWN_NONCE = [0x07, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
const KNOWN_ASSOCIATED = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
const KNOWN_TAG = [
  0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91,
];
// RFC 8439, appendix A.1, test vector 1: the block of an all-zero key, counter and nonce.
const KNOWN_BLOCK = [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90];

/**
 * NIST's test case 14 of the GCM specification: the tag of sixteen zero bytes under an all-zero key
 * and nonce.
 */
const KNOWN_AES_TAG = [
  0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19,
];
// RFC 7748, 6.1: Alice's private key, Bob's public key, their shared secret.
const KNOWN_SECRET = [
  0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
  0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a,
];
const KNOWN_PEER = [
  0xde, 0x9e, 0xdb, 0x7d, 0x7b, 0x7d, 0xc1, 0xb4, 0xd3, 0x5b, 0x61, 0xc2, 0xec, 0xe4, 0x35, 0x37,
  0x3f, 0x83, 0x43, 0xc8, 0x5b, 0x78, 0x67, 0x4d, 0xad, 0xfc, 0x7e, 0x14, 0x6f, 0x88, 0x2b, 0x4f,
];
const KNOWN_SHARED = [
  0x4a, 0x5d, 0x9d, 0x5b, 0xa4, 0xce, 0x2d, 0xe1, 0x72, 0x8e, 0x3b, 0xf4, 0x80, 0x35, 0x0f, 0x25,
  0xe0, 0x7e, 0x21, 0xc9, 0x47, 0xd1, 0x9e, 0x33, 0x76, 0xf0, 0x9b, 0x3c, 0x1e, 0x16, 0x17, 0x42,
];
// RFC 4231, 4.3: HMAC-SHA256 under "Jefe".
const KNOWN_MAC = [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e];

const bytesOf = (text: string) => Uint8Array.from(text, (each) => each.charCodeAt(0));

/** The same of what session keys are made from. */
function keysAnswer(): string {
  const out = new Uint8Array(KEY_BYTES);
  const secret = Uint8Array.from(KNOWN_SECRET);
  const agreed = x25519Agree(secret, Uint8Array.from(KNOWN_PEER), out);
  if (!agreed || KNOWN_SHARED.some((byte, index) => byte !== out[index])) return "x25519 is wrong";
  if (x25519Agree(secret, new Uint8Array(KEY_BYTES), out)) return "x25519 takes a low order";
  hmacSha256(bytesOf("Jefe"), bytesOf("what do ya want for nothing?"), out);
  return KNOWN_MAC.some((byte, index) => byte !== out[index]) ? "hmac-sha256 is wrong" : "";
}

function aesAnswers(): boolean {
  const key = new SealKey();
  sealSuiteSet(key, SUITE_AES, new Uint8Array(KEY_BYTES), 0);
  const nothing = new Uint8Array(0);
  const nonce = new Uint8Array(NONCE_BYTES);
  const bytes = new Uint8Array(2 * TAG_BYTES);
  aeadSeal(key, nonce, nothing, bytes, 0, TAG_BYTES);
  if (KNOWN_AES_TAG.some((byte, index) => byte !== bytes[TAG_BYTES + index])) return false;
  bytes[0] ^= 1;
  if (aeadOpen(key, nonce, nothing, bytes, 0, bytes.length) !== -1) return false;
  bytes[0] ^= 1;
  return aeadOpen(key, nonce, nothing, bytes, 0, bytes.length) === TAG_BYTES && bytes[0] === 0;
}

let suites: number | undefined;

/** The suites that this runtime has: SUITES_ALWAYS, SUITES_AES. Whether in hardware it doesn't tell. */
export function sealSuites(): number {
  if (suites === undefined) {
    suites = SUITES_ALWAYS;
    try {
      if (aesAnswers()) suites |= SUITES_AES;
    } catch {
      // A runtime without the cipher does without it.
    }
  }
  return suites;
}

/** What is wrong with the runtime's answers to known questions, or "". */
function knownAnswers(): string {
  const key = new SealKey();
  sealKeySet(
    key,
    Uint8Array.from({ length: KEY_BYTES }, (_, index) => 0x80 + index),
    0,
  );
  const nonce = Uint8Array.from(KNOWN_NONCE);
  const associated = Uint8Array.from(KNOWN_ASSOCIATED);
  const length = KNOWN_TEXT.length;
  const bytes = new Uint8Array(length + TAG_BYTES);
  for (let index = 0; index < length; index++) bytes[index] = KNOWN_TEXT.charCodeAt(index);
  const total = aeadSeal(key, nonce, associated, bytes, 0, length);
  if (KNOWN_TAG.some((byte, index) => byte !== bytes[length + index])) return `${AEAD} seals wrong`;
  bytes[0] ^= 1;
  if (aeadOpen(key, nonce, associated, bytes, 0, total) !== -1) return `${AEAD} opens a forgery`;
  bytes[0] ^= 1;
  const opened = aeadOpen(key, nonce, associated, bytes, 0, total);
  if (opened !== length || bytes[0] !== KNOWN_TEXT.charCodeAt(0)) return `${AEAD} opens wrong`;
  const block = chachaBlock(new Uint8Array(KEY_BYTES), new Uint8Array(BLOCK_IV_BYTES));
  if (KNOWN_BLOCK.some((byte, index) => byte !== block[index])) return `${STREAM} is wrong`;
  return keysAnswer();
}

export interface SealAvailability {
  /** Whether everything can be sealed and opened here. */
  readonly available: boolean;
  /** Why not, for people; "" where it is. */
  readonly reason: string;
}

let checked: SealAvailability | undefined;

/** Whether this runtime's crypto has both ciphers and answers known questions rightly. */
export function sealAvailable(): SealAvailability {
  if (checked === undefined) {
    let reason: string;
    try {
      reason = knownAnswers();
    } catch (error) {
      reason = `this runtime's crypto lacks ${AEAD}, ${STREAM} or x25519: ${String(error)}`;
    }
    checked = { available: reason === "", reason };
  }
  return checked;
}

/** Chooses and proves the provider: its name, or null where there is none. */
export function sealInit(): string | null {
  return sealAvailable().available ? PROVIDER : null;
}

/** Name of the provider that `sealInit` chose. */
export function sealProviderName(): string | null {
  return sealInit();
}
