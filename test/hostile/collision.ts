/*
 * Attack 21, hash flooding: addresses and client ids that all fall into one bucket of the tables, so that every look-up
 * walks a list. Chosen under a hash key that the attacker knows, they must scatter under the one that it doesn't.
 */

import { Random } from "../../lib/sim/random.js";
import type { EngineName } from "../engines.js";
import { twins } from "../twins.js";
import { check, type Figures } from "./attack.js";

export const number = 21;
export const name = "collision";
export const promise =
  "keys that collide under one hash key scatter under another: no list of the tables is longer than chance makes it";

/** Slots of a default server, and so buckets of its tables. */
export const BUCKETS = 4096;
/** 128 keys aimed at one bucket; by chance 2 or 3 of them share one, 8 practically never. */
export const AIMED = 128;
export const LONGEST = 8;
const HASH_KEYS = 64;

/** The hashes of one engine. */
export interface Hashes {
  address(words: Uint32Array, key: Uint32Array): number;
  clientId(id: Uint32Array, key: Uint32Array): number;
}

export function hashesOf(engine: EngineName): Hashes {
  const twin = twins.find(({ name: own }) => own === engine);
  if (twin === undefined) throw new Error(`there is no twin ${engine}`);
  const { core } = twin;
  return {
    address: (words, key) => core.addressHash(words, key),
    clientId: (id, key) => core.sipHash(key, id, id.length),
  };
}

/** The longest list of a table with these hashes. */
export function longest(hashes: readonly number[]): number {
  const lists = new Map<number, number>();
  let most = 0;
  for (const hash of hashes) {
    const bucket = hash & (BUCKETS - 1);
    const length = (lists.get(bucket) ?? 0) + 1;
    lists.set(bucket, length);
    most = Math.max(most, length);
  }
  return most;
}

/** The longest list that any of many hash keys gives. */
export function longestUnderMany<Key>(
  keys: readonly Key[],
  hash: (key: Key, hashKey: Uint32Array) => number,
): number {
  const random = new Random(21);
  let most = 0;
  for (let index = 0; index < HASH_KEYS; index++) {
    const hashKey = Uint32Array.of(random.next32(), random.next32());
    most = Math.max(most, longest(keys.map((key) => hash(key, hashKey))));
  }
  return most;
}

/** The hash key that the attacker knows. */
const KNOWN = Uint32Array.of(0, 0);

/** Keys that fall into bucket 0 under the known hash key. */
export function aimed<Key>(
  make: (index: number) => Key,
  hash: (key: Key, hashKey: Uint32Array) => number,
): Key[] {
  const keys: Key[] = [];
  for (let index = 0; keys.length < AIMED; index++) {
    const key = make(index);
    if ((hash(key, KNOWN) & (BUCKETS - 1)) === 0) keys.push(key);
  }
  return keys;
}

export function run(engine: EngineName): Figures {
  const { address } = hashesOf(engine);
  const random = new Random(22);
  const addresses = aimed(
    () => Uint32Array.of(1, 1 + random.below(65_535), random.next32(), 0, 0, 0),
    // The engines' hashes are equal, which the unit tests hold; this one is quicker to ask.
    hashesOf("js").address,
  );
  check(longest(addresses.map((key) => address(key, KNOWN))) === AIMED, "the keys were aimed well");
  const found = longestUnderMany(addresses, address);
  check(found <= LONGEST, "aimed addresses scatter", found);
  return { "aimed keys": AIMED, "hash keys": HASH_KEYS, "longest list": found };
}
