// The two ciphers of NETCODE 1.02, by node:crypto alone: ChaCha20-Poly1305 (IETF, 12-byte nonce) for packets
// and challenge tokens, XChaCha20-Poly1305 (24-byte nonce) for private connect tokens. Owns no key, keeps no
// state. A sealed message is the cipher text with its 16-byte tag behind it.

import { createCipheriv, createDecipheriv } from "node:crypto";

/** Bytes of a key. */
export const KEY_BYTES = 32;
/** Bytes of a Poly1305 tag. */
export const TAG_BYTES = 16;
/** Bytes of the nonce of a connect token. */
export const TOKEN_NONCE_BYTES = 24;

const CIPHER = "chacha20-poly1305";
const PACKET_NONCE_BYTES = 12;
const BLOCK_BYTES = 64;
const HCHACHA_NONCE_BYTES = 16;
/** "expand 32-byte k", the four constant words that open a ChaCha20 state (RFC 8439, 2.3). */
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/** The packet nonce: four zero bytes, then the sequence as u64, little-endian. */
export function sequenceNonce(sequence: bigint): Buffer {
  const nonce = Buffer.alloc(PACKET_NONCE_BYTES);
  nonce.writeBigUInt64LE(sequence, 4);
  return nonce;
}

/** ChaCha20-Poly1305: returns cipher text and tag. `nonce` is 12 bytes. */
export function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  plain: Uint8Array,
): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated, { plaintextLength: plain.length });
  const body = cipher.update(plain);
  cipher.final();
  return Buffer.concat([body, cipher.getAuthTag()]);
}

/** The inverse of `seal`; undefined when the tag does not fit or there is no room for one. */
export function open(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  const bodySize = sealed.length - TAG_BYTES;
  if (bodySize < 0) return undefined;
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associated, { plaintextLength: bodySize });
  decipher.setAuthTag(sealed.subarray(bodySize));
  const plain = decipher.update(sealed.subarray(0, bodySize));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plain;
}

/**
 * HChaCha20: the state after twenty rounds, words 0–3 and 12–15, without the final addition of the input.
 * OpenSSL gives the key stream, which has that addition in it, so those eight input words are taken off again.
 * Its 16-byte IV fills words 12–15, just where HChaCha20 has its nonce.
 */
export function hchacha20(key: Uint8Array, nonce16: Uint8Array): Buffer {
  const stream = createCipheriv("chacha20", key, nonce16).update(Buffer.alloc(BLOCK_BYTES));
  const input = Buffer.from(nonce16);
  const subkey = Buffer.alloc(KEY_BYTES);
  for (let word = 0; word < 4; word++) {
    subkey.writeUInt32LE((stream.readUInt32LE(4 * word) - SIGMA[word]) >>> 0, 4 * word);
    const tail = stream.readUInt32LE(48 + 4 * word) - input.readUInt32LE(4 * word);
    subkey.writeUInt32LE(tail >>> 0, 16 + 4 * word);
  }
  return subkey;
}

function widen(key: Uint8Array, nonce24: Uint8Array): { key: Buffer; nonce: Buffer } {
  const nonce = Buffer.alloc(PACKET_NONCE_BYTES);
  nonce.set(nonce24.subarray(HCHACHA_NONCE_BYTES), 4);
  return { key: hchacha20(key, nonce24.subarray(0, HCHACHA_NONCE_BYTES)), nonce };
}

/** XChaCha20-Poly1305 (IETF): `seal` with a 24-byte nonce. */
export function sealWide(
  key: Uint8Array,
  nonce24: Uint8Array,
  associated: Uint8Array,
  plain: Uint8Array,
): Buffer {
  const narrow = widen(key, nonce24);
  return seal(narrow.key, narrow.nonce, associated, plain);
}

/** XChaCha20-Poly1305 (IETF): `open` with a 24-byte nonce. */
export function openWide(
  key: Uint8Array,
  nonce24: Uint8Array,
  associated: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  const narrow = widen(key, nonce24);
  return open(narrow.key, narrow.nonce, associated, sealed);
}
