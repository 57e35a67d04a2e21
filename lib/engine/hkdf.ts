/*
 * Owns how keys are made from secrets: HKDF with SHA-256 (RFC 5869).
 * Never keeps anything; the hash is the runtime's, through seal.
 */
import { DIGEST_BYTES } from "./limits.js";
import { hmacSha256 } from "./seal.js";

/** Bytes of what `hkdfExpand` binds its keys to at most. */
export const INFO_BYTES_MAX = 128;

/** A pseudorandom key of DIGEST_BYTES from a secret (section 2.2). */
export function hkdfExtract(salt: Uint8Array, secret: Uint8Array, out: Uint8Array): void {
  hmacSha256(salt, secret, out);
}

/** `outBytes` bytes, a multiple of DIGEST_BYTES, from a pseudorandom key (section 2.3). */
export function hkdfExpand(
  key: Uint8Array,
  info: Uint8Array,
  out: Uint8Array,
  outBytes: number,
): void {
  // The digest before (none at first), the info, a counter.
  const input = new Uint8Array(DIGEST_BYTES + INFO_BYTES_MAX + 1);
  let before = 0;
  let counter = 1;
  for (let offset = 0; offset < outBytes; offset += DIGEST_BYTES) {
    input.set(info, before);
    input[before + info.length] = counter;
    const digest = out.subarray(offset, offset + DIGEST_BYTES);
    hmacSha256(key, input.subarray(0, before + info.length + 1), digest);
    input.set(digest);
    before = DIGEST_BYTES;
    counter += 1;
  }
  input.fill(0);
}
