/**
 * Lists of indices into something that both sides know.
 *
 * Owns: relative indices (S-9; Fiedler's ladder, "Serialization Strategies") and subsets (S-10).
 * Invariants: indices ascend. The form is the shortest that the type has; of two equally long ones of a
 * subset it is the bitmap.
 */
import { argumentError, checkInteger } from "../errors.js";
import { bitsFor, Node, type Sink, type Source } from "./node.js";

/** Most indices that there are to choose from. */
const SIZE_MAX = 1_000_000;

/** The ladder: `k` zeros and a one, then so many bits of what lies above the step's first. */
const LADDER_STEPS = 6;
const stepFirst = (step: number): number => (step === 0 ? 1 : 2 ** (step + 1) - 2);
const stepWidth = (step: number): number => (step === 0 ? 0 : step + 1);
const LADDER_END = stepFirst(LADDER_STEPS);

function ladderStep(offset: number): number {
  let step = 0;
  while (step < LADDER_STEPS && offset >= stepFirst(step + 1)) step++;
  return step;
}

function checkIndices(value: unknown, path: string, size: number, most: number): void {
  if (!Array.isArray(value) || value.length > most) {
    throw argumentError(path, value, `an array of at most ${most} indices`);
  }
  let last = -1;
  for (const [at, index] of value.entries()) {
    checkInteger(`${path}[${at}]`, index, last + 1, size - 1);
    last = index as number;
  }
}

/** Indices, ascending, each by its distance from the one before it. */
class Ladder {
  readonly #size: number;
  readonly #most: number;
  readonly #countBits: number;
  readonly #indexBits: number;

  constructor(size: number, most: number) {
    this.#size = size;
    this.#most = most;
    this.#countBits = bitsFor(most);
    this.#indexBits = bitsFor(size - 1);
  }

  get minBits(): number {
    return this.#countBits;
  }

  get maxBits(): number {
    return this.#countBits + this.#most * Math.max(11, LADDER_STEPS + this.#indexBits);
  }

  put(sink: Sink, indices: readonly number[]): void {
    if (this.#countBits > 0) sink.put(indices.length, this.#countBits);
    let last = -1;
    for (const index of indices) {
      const offset = index - last;
      const step = ladderStep(offset);
      if (step === LADDER_STEPS) {
        sink.put(0, LADDER_STEPS);
        sink.put(index, this.#indexBits);
      } else {
        sink.put(2 ** step, step + 1);
        if (step > 0) sink.put(offset - stepFirst(step), stepWidth(step));
      }
      last = index;
    }
  }

  bits(indices: readonly number[]): number {
    let bits = this.#countBits;
    let last = -1;
    for (let at = 0; at < indices.length; at++) {
      const step = ladderStep(indices[at] - last);
      bits += step === LADDER_STEPS ? step + this.#indexBits : step + 1 + stepWidth(step);
      last = indices[at];
    }
    return bits;
  }

  take(source: Source, into: unknown): number[] {
    const indices: number[] = Array.isArray(into) ? into : [];
    const count = this.#countBits === 0 ? 0 : source.take(this.#countBits);
    if (count > this.#most) source.refuse("range");
    else if (count > source.left) source.refuse("truncated");
    if (source.failed) return indices;
    if (indices.length > count) indices.length = count;
    let last = -1;
    for (let at = 0; at < count && !source.failed; at++) {
      last = this.#takeIndex(source, last);
      indices[at] = last;
    }
    return indices;
  }

  #takeIndex(source: Source, last: number): number {
    let step = 0;
    while (step < LADDER_STEPS && source.take(1) === 0 && !source.failed) step++;
    let index: number;
    if (step === LADDER_STEPS) {
      index = source.take(this.#indexBits);
      if (!source.failed && index - last < LADDER_END) source.refuse("form");
    } else {
      index = last + stepFirst(step) + (step === 0 ? 0 : source.take(stepWidth(step)));
    }
    if (index >= this.#size) source.refuse("range");
    return source.failed ? last : index;
  }
}

/** What is in one list and not in the other, ascending. */
function difference(left: readonly number[], right: readonly number[]): number[] {
  const result: number[] = [];
  let at = 0;
  let other = 0;
  while (at < left.length || other < right.length) {
    const mine = at < left.length ? left[at] : Number.POSITIVE_INFINITY;
    const theirs = other < right.length ? right[other] : Number.POSITIVE_INFINITY;
    if (mine <= theirs) at++;
    if (theirs <= mine) other++;
    if (mine !== theirs) result.push(Math.min(mine, theirs));
  }
  return result;
}

/** Ascending indices below a size; a change is the list of those that came or went (S-14). */
abstract class IndicesNode extends Node<number[]> {
  readonly blank = "[]";
  readonly size: number;
  readonly most: number;

  constructor(size: number, most: number) {
    super();
    this.size = checkInteger("indices: size", size, 1, SIZE_MAX);
    this.most = checkInteger("indices: count", most, 0, size);
  }

  /** The form of any list of indices below the size, up to `most` or of differences. */
  protected abstract put(sink: Sink, indices: readonly number[], difference: boolean): void;
  protected abstract take(source: Source, into: unknown, difference: boolean): number[];

  check(value: unknown, path: string): void {
    checkIndices(value, path, this.size, this.most);
  }

  write(sink: Sink, value: number[]): void {
    this.put(sink, value, false);
  }

  read(source: Source, into: unknown): number[] {
    return this.take(source, into, false);
  }

  same(left: number[], right: number[]): boolean {
    return left.length === right.length && left.every((index, at) => index === right[at]);
  }

  copy(value: number[], into: unknown): number[] {
    const target: number[] = Array.isArray(into) ? into : [];
    for (let at = 0; at < value.length; at++) target[at] = value[at];
    if (target.length > value.length) target.length = value.length;
    return target;
  }

  writeChange(sink: Sink, value: number[], base: number[]): void {
    this.put(sink, difference(value, base), true);
  }

  readChange(source: Source, base: number[], into: unknown): number[] {
    const changed = this.take(source, undefined, true);
    if (!source.failed && changed.length === 0) source.refuse("form");
    const value = difference(base, changed);
    if (!source.failed && value.length > this.most) source.refuse("range");
    return source.failed ? [] : this.copy(value, into);
  }
}

export class RelativeNode extends IndicesNode {
  readonly minBits: number;
  readonly maxBits: number;
  readonly layout: string;
  readonly #list: Ladder;
  readonly #differences: Ladder;

  constructor(size: number, most: number) {
    super(size, most);
    this.#list = new Ladder(size, most);
    this.#differences = new Ladder(size, Math.min(size, 2 * most));
    this.minBits = this.#list.minBits;
    this.maxBits = this.#list.maxBits;
    this.layout = `relative(${size},${most})`;
  }

  protected put(sink: Sink, indices: readonly number[], difference: boolean): void {
    (difference ? this.#differences : this.#list).put(sink, indices);
  }

  protected take(source: Source, into: unknown, difference: boolean): number[] {
    return (difference ? this.#differences : this.#list).take(source, into);
  }
}

/** Bits of a bitmap that go at a time: a small integer, which V8 keeps without memory. */
const MAP_BITS = 24;

/** Any of so many indices: a bit for each, or the list where that is shorter. */
export class SubsetNode extends IndicesNode {
  readonly minBits: number;
  readonly maxBits: number;
  readonly layout: string;
  readonly #list: Ladder;

  constructor(size: number) {
    super(size, size);
    this.#list = new Ladder(size, size);
    this.minBits = 1 + Math.min(size, this.#list.minBits);
    this.maxBits = 1 + size;
    this.layout = `subset(${size})`;
  }

  protected put(sink: Sink, indices: readonly number[]): void {
    const asList = this.#list.bits(indices) < this.size;
    sink.put(asList ? 1 : 0, 1);
    if (asList) {
      this.#list.put(sink, indices);
      return;
    }
    let at = 0;
    for (let first = 0; first < this.size; first += MAP_BITS) {
      const bits = Math.min(MAP_BITS, this.size - first);
      let word = 0;
      for (; at < indices.length && indices[at] < first + bits; at++) {
        word |= 1 << (indices[at] - first);
      }
      sink.put(word, bits);
    }
  }

  protected take(source: Source, into: unknown): number[] {
    if (source.take(1) === 1) {
      const indices = this.#list.take(source, into);
      if (!source.failed && this.#list.bits(indices) >= this.size) source.refuse("form");
      return indices;
    }
    const indices: number[] = Array.isArray(into) ? into : [];
    if (this.size > source.left) source.refuse("truncated");
    let count = 0;
    for (let first = 0; first < this.size && !source.failed; first += MAP_BITS) {
      const bits = Math.min(MAP_BITS, this.size - first);
      for (let word = source.take(bits); word !== 0; word &= word - 1) {
        indices[count++] = first + 31 - Math.clz32(word & -word);
      }
    }
    if (indices.length > count) indices.length = count;
    if (!source.failed && this.#list.bits(indices) < this.size) source.refuse("form");
    return indices;
  }
}
