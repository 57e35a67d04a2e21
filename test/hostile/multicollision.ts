/*
 * Attack 21 without knowing any hash key: sets that collide under every seed of MurmurHash3, because a difference that one
 * word brings into the state is taken out by the next (Aumasson and Bernstein, "SipHash", section 7), and of FNV-1a, where
 * it never reaches the bits that choose a bucket. Under HalfSipHash they spread like any others. An IPv6 client chooses
 * the lower half of its address itself.
 */
import { Random } from "../../lib/sim/random.js";
import type { EngineName } from "../engines.js";
import { check, type Figures } from "./attack.js";
import { aimed, BUCKETS, hashesOf, longestUnderMany } from "./collision.js";

export const number = 21;
export const name = "multicollision";
export const promise = "no set of keys collides under every hash key";

/** Chance puts 4,096 keys into lists of 9 at most, in 64 tries of 4,096 buckets. */
const LONGEST = 16;
/** A square of keys: the top bits of one word, times those of the next. */
const TOP_BITS = 6;

/** The inverse of an odd number modulo 2^32, by Newton's steps. */
function inverse(odd: number): number {
  let guess = odd;
  for (let step = 0; step < 5; step++) guess = Math.imul(guess, 2 - Math.imul(odd, guess));
  return guess;
}

/** The word that MurmurHash3's first steps turn into `scrambled`. */
function unscramble(scrambled: number): number {
  const turned = Math.imul(scrambled, inverse(0x1b873593));
  const back = (turned >>> 15) | (turned << 17);
  return Math.imul(back, inverse(0xcc9e2d51)) >>> 0;
}

/** Addresses of one /64: of the state only the top bits differ after the third word, and the fourth takes them out. */
function addresses(): Uint32Array[] {
  const all: Uint32Array[] = [];
  for (let third = 0; third < 1 << TOP_BITS; third++) {
    for (let fourth = 0; fourth < 1 << TOP_BITS; fourth++) {
      // The state is turned left by 13 before it is multiplied, so these become its top bits.
      const c = unscramble((third << (32 - TOP_BITS - 13)) >>> 0);
      const d = unscramble((fourth << (32 - TOP_BITS)) >>> 0);
      all.push(Uint32Array.of(2, 40_000, 0x20010db8, 0, c, d));
    }
  }
  return all;
}

/** Client ids aimed at one bucket under a known key, one half of them counted up, as a backend gives them out. */
function aimedIds(): Uint32Array[] {
  const random = new Random(22);
  return aimed((index) => {
    return index % 2 === 0
      ? Uint32Array.of(index, 0)
      : Uint32Array.of(random.next32(), random.next32());
  }, hashesOf("js").clientId);
}

/** Client ids of which only the top bit or two of each byte differ: the low bits of FNV-1a never learn of it. */
function clientIds(): Uint32Array[] {
  return Array.from({ length: BUCKETS }, (_, index) => {
    const bits = Array.from({ length: 12 }, (_bit, at) => (index >>> at) & 1);
    const id = Uint8Array.from({ length: 8 }, (_byte, at) => {
      return (bits[at] << 7) | ((at < 4 ? bits[8 + at] : 0) << 6);
    });
    return new Uint32Array(id.buffer);
  });
}

export function run(engine: EngineName): Figures {
  const hashes = hashesOf(engine);
  const figures = {
    keys: BUCKETS,
    "longest list of addresses": longestUnderMany(addresses(), hashes.address),
    "longest list of client ids": longestUnderMany(clientIds(), hashes.clientId),
    "longest list of aimed ids": longestUnderMany(aimedIds(), hashes.clientId),
  };
  check(figures["longest list of addresses"] <= LONGEST, "addresses of a /64 scatter", figures);
  check(figures["longest list of client ids"] <= LONGEST, "client ids scatter", figures);
  check(figures["longest list of aimed ids"] <= LONGEST, "aimed client ids scatter", figures);
  return figures;
}
