/**
 * Numbers with a fraction.
 *
 * Owns: floats, quantized numbers and angles.
 * Invariants: one value has one pattern of bits: of NaN there is one. Quantizing is arithmetic of
 * IEEE 754 doubles in the order written here, so every language comes to the same number.
 */
import { argumentError, checkInteger, checkNumber } from "../errors.js";
import type { Emitter } from "./delta.js";
import { MISFIT, Node, type Sink, type Source } from "./node.js";
import { putBig, putBigChange, takeBig, takeBigChange } from "./number.js";
import type { ReadCode } from "./reading.js";
import { type Constants, Scalar } from "./scalar.js";
import type { WriteCode } from "./writing.js";

const memory = new DataView(new ArrayBuffer(8));
const FLOAT_NAN = 0x7fc0_0000;
const SIGN = 0x8000_0000;

/** The bits of a single. */
export function floatBits(value: number): number {
  if (Number.isNaN(value)) return FLOAT_NAN;
  memory.setFloat32(0, value, true);
  return memory.getUint32(0, true);
}

export function floatOf(bits: number): number {
  memory.setUint32(0, bits, true);
  return memory.getFloat32(0, true);
}

/** A number as an IEEE 754 single. */
export class FloatNode extends Scalar<number> {
  readonly layout = "float32";
  readonly blank = "NaN";

  constructor() {
    super(2 ** 32 - 1);
  }

  check(value: unknown, path: string): void {
    if (typeof value !== "number") throw argumentError(path, value, "a number");
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
      throw argumentError(path, value, "a number that a single holds, up to 3.4e38");
    }
  }

  toWire(value: number): number {
    return floatBits(value);
  }

  fromWire(number: number): number {
    return floatOf(number);
  }

  override isForm(number: number): boolean {
    return number === FLOAT_NAN || !Number.isNaN(floatOf(number));
  }

  override toOrder(number: number): number {
    return number >= SIGN ? 2 ** 32 - 1 - number : number + SIGN;
  }

  override fromOrder(order: number): number {
    return order >= SIGN ? order - SIGN : 2 ** 32 - 1 - order;
  }

  protected wireCode(code: Emitter, name: string): string {
    const finite = `${name} - ${name} === 0`;
    const single = `Math.fround(${name})`;
    code.refuse(`typeof ${name} !== "number" || ${finite} && ${single} - ${single} !== 0`);
    return `${code.constant(floatBits)}(${name})`;
  }

  protected valueCode(code: Constants, name: string): string {
    return `${code.constant(floatOf)}(${name})`;
  }

  protected override formCode(code: ReadCode, number: string, path: string): void {
    code.refuse(
      `(${number} & 0x7fffffff) > 0x7f800000 && ${number} !== ${FLOAT_NAN}`,
      "form",
      path,
    );
  }
}

const DOUBLE_NAN = 0x7ff8_0000_0000_0000n;
const SIGN_BIG = 2n ** 63n;
const U64_MAX = 2n ** 64n - 1n;

function doubleBits(value: number): bigint {
  if (Number.isNaN(value)) return DOUBLE_NAN;
  memory.setFloat64(0, value, true);
  return memory.getBigUint64(0, true);
}

function doubleOf(bits: bigint): number {
  memory.setBigUint64(0, bits, true);
  return memory.getFloat64(0, true);
}

const doubleOrder = (bits: bigint): bigint => (bits >= SIGN_BIG ? U64_MAX - bits : bits + SIGN_BIG);
const doubleUnorder = (order: bigint): bigint =>
  order >= SIGN_BIG ? order - SIGN_BIG : U64_MAX - order;

/** The low half of a double, for code that goes without bigints; `doubleHigh` has the other. */
function doubleLow(value: number): number {
  memory.setFloat64(0, Number.isNaN(value) ? Number.NaN : value, true);
  return memory.getUint32(0, true);
}

function doubleHigh(): number {
  return memory.getUint32(4, true);
}

function doubleJoin(low: number, high: number): number {
  memory.setUint32(0, low, true);
  memory.setUint32(4, high, true);
  return memory.getFloat64(0, true);
}

/** A number as it is. */
export class DoubleNode extends Node<number> {
  readonly minBits = 64;
  readonly maxBits = 64;
  readonly layout = "float64";
  readonly blank = "NaN";

  check(value: unknown, path: string): void {
    if (typeof value !== "number") throw argumentError(path, value, "a number");
  }

  write(sink: Sink, value: number): void {
    putBig(sink, doubleBits(value));
  }

  read(source: Source): number {
    return this.#accept(source, takeBig(source));
  }

  #accept(source: Source, bits: bigint): number {
    const value = doubleOf(bits);
    if (Number.isNaN(value) && bits !== DOUBLE_NAN) source.refuse("form");
    return value;
  }

  same(left: number, right: number): boolean {
    return Object.is(left, right);
  }

  writeChange(sink: Sink, value: number, base: number): void {
    putBigChange(sink, doubleOrder(doubleBits(value)), doubleOrder(doubleBits(base)));
  }

  readChange(source: Source, base: number): number {
    const order = takeBigChange(source, doubleOrder(doubleBits(base)));
    return this.#accept(source, doubleUnorder(order));
  }

  copy(value: number): number {
    return value;
  }

  override emitWrite(code: WriteCode, name: string): void {
    code.refuse(`typeof ${name} !== "number"`);
    // Where the halves are read in this order, what is between them does not matter.
    code.put(code.name(`${code.constant(doubleLow)}(${name})`), 32);
    code.put(code.name(`${code.constant(doubleHigh)}()`), 32);
  }

  override emitRead(code: ReadCode, place: string, path: string): void {
    let low = "";
    code.take(32, (value) => {
      low = code.name(value);
    });
    code.take(32, (value) => {
      const high = code.name(value);
      const kind = `(${high} & 0x7fffffff)`;
      const isNan = `(${kind} > 0x7ff00000 || ${kind} === 0x7ff00000 && ${low} !== 0)`;
      code.refuse(`${isNan} && (${high} !== 0x7ff80000 || ${low} !== 0)`, "form", path);
      code.line(`${place} = ${code.constant(doubleJoin)}(${low}, ${high});`);
    });
  }
}

/** Bits of the finest quantized number. */
const QUANTIZED_BITS_MAX = 32;
/** Steps are coarser than the numbers' own grid by this much, so that a step comes back as it was. */
const GRID = 2 ** -48;

/** A number from `least` to `most` on a grid (S-5). */
export class QuantizedNode extends Scalar<number> {
  readonly layout: string;
  readonly blank = "NaN";
  readonly least: number;
  readonly most: number;
  readonly #step: number;
  readonly #inverse: number;

  constructor(least: number, most: number, resolution: number) {
    const huge = Number.MAX_VALUE / 4;
    checkNumber("quantized: least", least, -huge, huge);
    checkNumber("quantized: most", most, -huge, huge);
    if (most <= least) throw argumentError("quantized: most", most, `more than ${least}`);
    const size = Math.max(Math.abs(least), Math.abs(most));
    checkNumber("quantized: resolution", resolution, size * GRID, most - least);
    // The quotient of 0.3 and 0.1 is a little less than 3, that of others a little more.
    let steps = Math.ceil(((most - least) / resolution) * (1 - 1e-12));
    // 0 in the middle is on the grid.
    if (least === -most && steps % 2 === 1) steps += 1;
    if (steps > 2 ** QUANTIZED_BITS_MAX - 1) {
      throw argumentError("quantized: resolution", resolution, "at most 2^32 - 1 steps");
    }
    super(steps);
    this.least = least + 0;
    this.most = most + 0;
    this.#step = (most - least) / steps;
    this.#inverse = steps / (most - least);
    this.layout = `quantized(${this.least},${this.most},${steps})`;
  }

  check(value: unknown, path: string): void {
    if (typeof value === "number" && !Number.isNaN(value)) return;
    throw argumentError(path, value, `a number from ${this.least} to ${this.most}`);
  }

  toWire(value: number): number {
    if (value <= this.least) return 0;
    if (value >= this.most) return this.span;
    return Math.floor((value - this.least) * this.#inverse + 0.5);
  }

  fromWire(number: number): number {
    return number === this.span ? this.most : this.least + number * this.#step;
  }

  protected wireCode(code: Emitter, name: string): string {
    const { least, most } = this;
    // What is inside needs no look at the ends; NaN is not inside.
    const inside = `${name} > ${least} && ${name} < ${most}`;
    code.refuse(`typeof ${name} !== "number"`);
    const far = `${code.constant(nearerEnd)}(${name}, ${least}, ${this.span})`;
    return `${inside} ? (${name} - ${signed(least)}) * ${this.#inverse} + 0.5 >>> 0 : ${far}`;
  }

  protected valueCode(_code: Constants, name: string): string {
    const value = `${this.least} + ${name} * ${this.#step}`;
    // Most often the last step comes to the end by itself.
    const isExact = this.least + this.span * this.#step === this.most;
    return isExact ? value : `${name} === ${this.span} ? ${this.most} : ${value}`;
  }
}

/** The number of what is not inside. */
function nearerEnd(value: number, least: number, span: number): number {
  if (Number.isNaN(value)) throw MISFIT;
  return value <= least ? 0 : span;
}

const signed = (value: number): string => (value < 0 ? `(${value})` : `${value}`);

/** An angle in radians, from -π up to and without π, in 2^bits steps around the circle (S-6). */
export class AngleNode extends Scalar<number> {
  readonly layout: string;
  readonly blank = "NaN";
  override readonly circular = true;
  readonly #scale: number;
  readonly #step: number;

  constructor(bits: number) {
    checkInteger("angle: bits", bits, 1, QUANTIZED_BITS_MAX);
    super(2 ** bits - 1);
    this.#scale = 2 ** bits / (2 * Math.PI);
    this.#step = (2 * Math.PI) / 2 ** bits;
    this.layout = `angle(${bits})`;
  }

  check(value: unknown, path: string): void {
    if (!Number.isFinite(value)) throw argumentError(path, value, "a finite number (radians)");
  }

  toWire(value: number): number {
    // The 32 bits of a whole number are those of its remainder, also of a negative one.
    return (Math.floor(value * this.#scale + 0.5) & this.span) >>> 0;
  }

  fromWire(number: number): number {
    return (number >= (this.span + 1) / 2 ? number - (this.span + 1) : number) * this.#step;
  }

  protected wireCode(code: Emitter, name: string): string {
    code.refuse(`typeof ${name} !== "number" || ${name} - ${name} !== 0`);
    return `(Math.floor(${name} * ${this.#scale} + 0.5) & ${this.span}) >>> 0`;
  }

  protected valueCode(_code: Constants, name: string): string {
    const around = this.span + 1;
    return `(${name} >= ${around / 2} ? ${name} - ${around} : ${name}) * ${this.#step}`;
  }
}
