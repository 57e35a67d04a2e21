/**
 * The seeded random numbers of simulated links.
 *
 * Owns: one generator, xoshiro128** by Blackman and Vigna (prng.di.unimi.it), seeded with
 * SplitMix32, so that neighbouring seeds have nothing in common.
 * Never does: make keys, salts or anything that has to be secret.
 * Invariants: integers only, so a seed gives the same numbers on every machine.
 */

const GOLDEN_GAMMA = 0x9e3779b9;
const TWO_POW_32 = 0x100000000;

export class Random {
  #s0 = 0;
  #s1 = 0;
  #s2 = 0;
  #s3 = 0;

  /** @param seed any integer; its low 32 bits count */
  constructor(seed: number) {
    let state = seed >>> 0;
    const splitMix = (): number => {
      state = (state + GOLDEN_GAMMA) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    };
    // SplitMix32 is a permutation of its counter: of four outputs in a row one at most is zero, so
    // the state is never the all-zero one that xoshiro can't leave.
    this.#s0 = splitMix();
    this.#s1 = splitMix();
    this.#s2 = splitMix();
    this.#s3 = splitMix();
  }

  /** The next 32 bits. */
  next32(): number {
    const scrambled = Math.imul(this.#s1, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = this.#s1 << 9;
    this.#s2 ^= this.#s0;
    this.#s3 ^= this.#s1;
    this.#s1 ^= this.#s2;
    this.#s0 ^= this.#s3;
    this.#s2 ^= shifted;
    this.#s3 = (this.#s3 << 11) | (this.#s3 >>> 21);
    return result;
  }

  /** A whole number from 0 to `count - 1`; `count` is 1 to 2³². */
  below(count: number): number {
    // count * next32 is below 2^64 and loses low bits as a double: for counts up to 2^21, which is
    // what links draw, the product is exact; beyond, the bias stays below 2^-20.
    return Math.floor((this.next32() * count) / TWO_POW_32);
  }

  /** True with a probability of `percent` / 100. */
  chance(percent: number): boolean {
    return percent > 0 && this.next32() < (percent / 100) * TWO_POW_32;
  }
}
