/**
 * Rotations: a quaternion as its smallest three parts.
 *
 * Owns: the packing (S-7), as in Fiedler's "Snapshot Compression": 2 bits for the index of the part with the
 * greatest size, which is left out and made positive (q and -q turn alike), and the others on a grid
 * from -sqrt(1/2) to sqrt(1/2), 0 among its points.
 * Invariants: the part left out is greater than every other by a margin, so that what was read packs
 * to the bits that it came from. Where two are alike, the writer makes one a step smaller.
 */
import { argumentError, checkInteger } from "../errors.js";
import type { Emitter } from "./delta.js";
import { below, Node, type Sink, type Source } from "./node.js";
import type { ReadCode } from "./reading.js";
import { type Constants, Scalar } from "./scalar.js";
import type { WriteCode } from "./writing.js";

export interface Quaternion {
  x: number;
  y: number;
  z: number;
  w: number;
}

const NAMES = ["x", "y", "z", "w"] as const;
const INDEX_BITS = 2;
const PARTS_MAX = 4;
const SMALLEST_BOUND = Math.SQRT1_2;
/** The part left out exceeds the others by more than this, which is far above what rounding does. */
const MARGIN = 1e-9;
/** Squares of lengths that are a rotation's: what normalizing can mend. */
const LENGTH2_MIN = 1e-12;
const PART_BITS_MIN = 2;
const PART_BITS_MAX = 24;

/** The parts of the quaternion at hand: x, y, z, w. */
const parts = new Float64Array(PARTS_MAX);
/** Its packed form: the index, and the three others. */
const packed = new Int32Array(PARTS_MAX);

/** A part on the grid: its number, as a change sees it. */
class PartNode extends Scalar<number> {
  readonly layout = "part";
  readonly blank = "0";

  check(): void {}

  toWire(value: number): number {
    return value;
  }

  fromWire(number: number): number {
    return number;
  }

  protected wireCode(_code: Emitter, name: string): string {
    return name;
  }

  protected valueCode(_code: Constants, name: string): string {
    return name;
  }
}

export class QuaternionNode extends Node<Quaternion> {
  readonly minBits: number;
  readonly maxBits: number;
  readonly layout: string;
  readonly blank = "{}";
  readonly #bits: number;
  readonly #half: number;
  readonly #part: PartNode;

  constructor(bits: number) {
    super();
    checkInteger("quaternion: bits", bits, PART_BITS_MIN, PART_BITS_MAX);
    this.#bits = bits;
    this.#half = 2 ** (bits - 1) - 1;
    this.#part = new PartNode(2 * this.#half);
    this.minBits = INDEX_BITS + 3 * bits;
    this.maxBits = this.minBits;
    this.layout = `quaternion(${bits})`;
  }

  check(value: unknown, path: string): void {
    if (typeof value !== "object" || value === null) {
      throw argumentError(path, value, "an object of x, y, z and w");
    }
    let length2 = 0;
    for (const name of NAMES) {
      const part: unknown = Reflect.get(value, name);
      if (typeof part !== "number" || !Number.isFinite(part)) {
        throw argumentError(below(path, name), part, "a finite number");
      }
      length2 += part * part;
    }
    if (length2 < LENGTH2_MIN || length2 === Number.POSITIVE_INFINITY) {
      throw argumentError(path, value, "a quaternion of a length near 1");
    }
  }

  /** Packs into `packed`; false for what is no rotation. */
  pack(x: number, y: number, z: number, w: number): boolean {
    const length2 = x * x + y * y + z * z + w * w;
    if (!(length2 >= LENGTH2_MIN && length2 < Number.POSITIVE_INFINITY)) return false;
    const scale = 1 / Math.sqrt(length2);
    parts[0] = x * scale;
    parts[1] = y * scale;
    parts[2] = z * scale;
    parts[3] = w * scale;
    let largest = 0;
    for (let index = 1; index < PARTS_MAX; index++) {
      if (Math.abs(parts[index]) > Math.abs(parts[largest])) largest = index;
    }
    const sign = parts[largest] < 0 ? -1 : 1;
    const half = this.#half;
    packed[0] = largest;
    for (let index = 0, at = 1; index < PARTS_MAX; index++) {
      if (index === largest) continue;
      packed[at++] = Math.floor(((sign * parts[index]) / SMALLEST_BOUND) * half + 0.5) + half;
    }
    while (!this.#unpack(packed[0], packed[1], packed[2], packed[3])) this.#shrink();
    return true;
  }

  /** Brings the greatest of the three a step nearer to 0. */
  #shrink(): void {
    const half = this.#half;
    let greatest = 1;
    for (let at = 2; at < PARTS_MAX; at++) {
      if (Math.abs(packed[at] - half) > Math.abs(packed[greatest] - half)) greatest = at;
    }
    packed[greatest] += packed[greatest] > half ? -1 : 1;
  }

  /** Unpacks into `parts`; whether it is the one form of its rotation. */
  #unpack(largest: number, first: number, second: number, third: number): boolean {
    const half = this.#half;
    const a = ((first - half) / half) * SMALLEST_BOUND;
    const b = ((second - half) / half) * SMALLEST_BOUND;
    const c = ((third - half) / half) * SMALLEST_BOUND;
    const d = Math.sqrt(Math.max(0, 1 - a * a - b * b - c * c));
    parts[0] = largest === 0 ? d : a;
    parts[1] = largest === 0 ? a : largest === 1 ? d : b;
    parts[2] = largest <= 1 ? b : largest === 2 ? d : c;
    parts[3] = largest === 3 ? d : c;
    return d > Math.max(Math.abs(a), Math.abs(b), Math.abs(c)) + MARGIN;
  }

  /** Unpacks into `parts`; false for what no writer writes. */
  unpack(largest: number, first: number, second: number, third: number): boolean {
    const most = 2 * this.#half;
    if (first > most || second > most || third > most) return false;
    return this.#unpack(largest, first, second, third);
  }

  write(sink: Sink, { x, y, z, w }: Quaternion): void {
    this.pack(x, y, z, w);
    this.#put(sink);
  }

  #put(sink: Sink): void {
    sink.put(packed[0], INDEX_BITS);
    for (let at = 1; at < PARTS_MAX; at++) sink.put(packed[at], this.#bits);
  }

  read(source: Source, into: unknown): Quaternion {
    const largest = source.take(INDEX_BITS);
    const first = source.take(this.#bits);
    const second = source.take(this.#bits);
    const third = source.take(this.#bits);
    return this.#accept(source, largest, first, second, third, into);
  }

  #accept(
    source: Source,
    largest: number,
    first: number,
    second: number,
    third: number,
    into: unknown,
  ): Quaternion {
    if (!source.failed && !this.unpack(largest, first, second, third)) source.refuse("form");
    return this.#fill(into);
  }

  #fill(into: unknown): Quaternion {
    const target = (
      typeof into === "object" && into !== null ? into : { x: 0, y: 0, z: 0, w: 0 }
    ) as Quaternion;
    target.x = parts[0];
    target.y = parts[1];
    target.z = parts[2];
    target.w = parts[3];
    return target;
  }

  #packed({ x, y, z, w }: Quaternion): Int32Array {
    this.pack(x, y, z, w);
    return packed.slice();
  }

  same(left: Quaternion, right: Quaternion): boolean {
    const other = this.#packed(left);
    return this.#packed(right).every((number, index) => number === other[index]);
  }

  copy({ x, y, z, w }: Quaternion, into: unknown): Quaternion {
    this.pack(x, y, z, w);
    return this.#fill(into);
  }

  /** A bit for the same index, and then each part against its own; else all anew. */
  writeChange(sink: Sink, value: Quaternion, base: Quaternion): void {
    const from = this.#packed(base);
    const { x, y, z, w } = value;
    this.pack(x, y, z, w);
    const alike = packed[0] === from[0];
    sink.put(alike ? 1 : 0, 1);
    if (!alike) {
      this.#put(sink);
      return;
    }
    for (let at = 1; at < PARTS_MAX; at++) this.#part.writeDelta(sink, packed[at], from[at]);
  }

  readChange(source: Source, base: Quaternion, into: unknown): Quaternion {
    const from = this.#packed(base);
    if (source.take(1) === 0) {
      const value = this.read(source, into);
      if (!source.failed && this.#packed(value)[0] === from[0]) source.refuse("form");
      return value;
    }
    const first = this.#part.readDelta(source, from[1], undefined);
    const second = this.#part.readDelta(source, from[2], undefined);
    const third = this.#part.readDelta(source, from[3], undefined);
    if (first === from[1] && second === from[2] && third === from[3]) source.refuse("form");
    return this.#accept(source, from[0], first, second, third, into);
  }

  override emitWrite(code: WriteCode, name: string): void {
    const node = code.constant(this);
    const numbers = code.constant(packed);
    const given = NAMES.map((part) => `${name}.${part}`);
    for (const part of given) code.refuse(`typeof ${part} !== "number"`);
    code.refuse(`!${node}.pack(${given.join(", ")})`);
    for (let at = 0; at < PARTS_MAX; at++) {
      code.put(code.name(`${numbers}[${at}]`), at === 0 ? INDEX_BITS : this.#bits);
    }
  }

  override blankCode(code: ReadCode): string {
    return code.shape(this, () => NAMES.map((name) => [name, "NaN"]));
  }

  override emitRead(code: ReadCode, place: string, path: string): void {
    const node = code.constant(this);
    const values = code.constant(parts);
    const numbers: string[] = [];
    for (let at = 0; at < PARTS_MAX; at++) {
      code.take(at === 0 ? INDEX_BITS : this.#bits, (value) => {
        numbers.push(code.name(value));
        if (numbers.length < PARTS_MAX) return;
        code.refuse(`!${node}.unpack(${numbers.join(", ")})`, "form", path);
        const target = code.name(place);
        code.line(`if (typeof ${target} !== "object" || ${target} === null) {`);
        code.line(`${place} = ${target} = ${this.blankCode(code)};`);
        code.line("}");
        for (const [index, part] of NAMES.entries()) {
          code.line(`${target}.${part} = ${values}[${index}];`);
        }
      });
    }
  }
}
