/*
 * Owns the hash that guards: HalfSipHash-1-3 over whole words (Aumasson and Bernstein, "SipHash: a fast short-input
 * PRF"; the variant of 32 bits that Linux keeps its tables with).
 * Never names anything on the wire: its key is drawn anew by each host, and no peer knows it.
 * Invariant: without the key nobody finds two inputs that collide more often than chance makes them.
 */

/** Words of a key. */
export const SIP_KEY_WORDS = 2;

const FINAL_ROUNDS = 3;

/** The keyed hash of the first `count` words, which stand for 4 bytes each, low byte first. */
export function sipHash(key: Uint32Array, words: Uint32Array, count: number): number {
  let v0 = key[0] | 0;
  let v1 = key[1] | 0;
  let v2 = v0 ^ 0x6c796765;
  let v3 = v1 ^ 0x74656462;
  // A round for each word, one for the word that says how many bytes they were, and the final ones.
  for (let index = 0; index <= count + FINAL_ROUNDS; index++) {
    const word = index < count ? words[index] : index === count ? count << 26 : 0;
    if (index === count + 1) {
      v2 ^= 0xff;
    }
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}
