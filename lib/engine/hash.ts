/*
 * Owns the hash that names things by their bytes: FNV-1a of 32 bits
 * (Fowler, Noll, Vo; draft-eastlake-fnv).
 * Never guards anything: it is no signature, and whoever chooses the bytes chooses the hash.
 * Invariants: seed 0 gives the published FNV-1a values.
 */

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

export function hash32(bytes: Uint8Array, offset: number, length: number, seed: number): number {
  const end = offset + length;
  let hash = OFFSET_BASIS ^ seed;
  for (let index = offset; index < end; index++) {
    hash = Math.imul(hash ^ bytes[index], PRIME);
  }
  return hash >>> 0;
}
