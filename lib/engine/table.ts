// table: from a hash to the indices that have it, in expected constant time.
//
// Owns the chains. Never stores or compares keys: the caller walks tableFirst, tableNext and
// compares. The hashes are keyed, so chains can't be grown on purpose.
// Invariant: an index is in at most one chain.

export const NO_INDEX = 0xffffffff;

export class Table {
  buckets: Uint32Array;
  next: Uint32Array;
  hashes: Uint32Array;
  mask: number;

  constructor(capacity: number) {
    let size = 16;
    while (size < capacity) {
      size *= 2;
    }
    this.buckets = new Uint32Array(size).fill(NO_INDEX);
    this.next = new Uint32Array(capacity).fill(NO_INDEX);
    this.hashes = new Uint32Array(capacity);
    this.mask = size - 1;
  }
}

function matching(table: Table, start: number, hash: number): number {
  let index = start;
  while (index !== NO_INDEX && table.hashes[index] !== hash) {
    index = table.next[index];
  }
  return index;
}

export function tableInsert(table: Table, hash: number, index: number): void {
  const bucket = hash & table.mask;
  table.hashes[index] = hash;
  table.next[index] = table.buckets[bucket];
  table.buckets[bucket] = index;
}

export function tableRemove(table: Table, index: number): void {
  const bucket = table.hashes[index] & table.mask;
  let current = table.buckets[bucket];
  if (current === index) {
    table.buckets[bucket] = table.next[index];
  } else {
    while (current !== NO_INDEX && table.next[current] !== index) {
      current = table.next[current];
    }
    if (current === NO_INDEX) {
      return;
    }
    table.next[current] = table.next[index];
  }
  table.next[index] = NO_INDEX;
}

/** The first index with this hash, or NO_INDEX. */
export function tableFirst(table: Table, hash: number): number {
  return matching(table, table.buckets[hash & table.mask], hash);
}

/** The index with the same hash behind `index`, or NO_INDEX. */
export function tableNext(table: Table, index: number): number {
  return matching(table, table.next[index], table.hashes[index]);
}
