/**
 * Truth values and whole numbers.
 *
 * Owns: bool, ranges and what is a range, 64-bit numbers, and numbers of variable length.
 */
import { argumentError, checkInteger } from "../errors.js";
import type { Emitter } from "./delta.js";
import { Node, type Sink, type Source } from "./node.js";
import type { ReadCode } from "./reading.js";
import { type Constants, Scalar } from "./scalar.js";
import type { WriteCode } from "./writing.js";

/** Bits of the widest whole number that is a `number`. */
export const NUMBER_BITS_MAX = 53;
const U32_MAX = 2 ** 32 - 1;

export class BoolNode extends Scalar<boolean> {
  readonly layout = "bool";
  readonly blank = "false";

  constructor() {
    super(1);
  }

  check(value: unknown, path: string): void {
    if (typeof value !== "boolean") throw argumentError(path, value, "true or false");
  }

  toWire(value: boolean): number {
    return value ? 1 : 0;
  }

  fromWire(number: number): boolean {
    return number === 1;
  }

  protected wireCode(code: Emitter, name: string): string {
    code.refuse(`typeof ${name} !== "boolean"`);
    return `${name} ? 1 : 0`;
  }

  protected valueCode(_code: Constants, name: string): string {
    return `${name} === 1`;
  }
}

/** A whole number from `least` to `most`. */
export class RangeNode extends Scalar<number> {
  readonly layout: string;
  readonly blank: string;
  readonly least: number;
  readonly most: number;

  constructor(least: number, most: number) {
    checkInteger("range: least", least, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    checkInteger("range: most", most, least, Number.MAX_SAFE_INTEGER);
    const span = most - least;
    if (!Number.isSafeInteger(span)) {
      throw argumentError("range", [least, most], "at most 2^53 - 1 from end to end");
    }
    super(span);
    // 0 has one form.
    this.least = least + 0;
    this.most = most + 0;
    this.layout = `range(${this.least},${this.most})`;
    // A field that begins with a small integer would be made anew for a large one.
    const small = least >= -(2 ** 30) && most < 2 ** 30;
    this.blank = small ? `${this.least}` : "NaN";
  }

  check(value: unknown, path: string): void {
    checkInteger(path, value, this.least, this.most);
  }

  toWire(value: number): number {
    return value - this.least;
  }

  fromWire(number: number): number {
    return number + this.least;
  }

  protected wireCode(code: Emitter, name: string): string {
    const { least, most } = this;
    if (least === 0 && most < 2 ** 31 && most === 2 ** this.bits - 1) {
      code.refuse(`(${name} & ${most}) !== ${name}`);
    } else if (least >= 0 && most <= U32_MAX) {
      const outside = [`${name} >>> 0 !== ${name}`];
      if (least > 0) outside.push(`${name} < ${least}`);
      if (most < U32_MAX) outside.push(`${name} > ${most}`);
      code.refuse(outside.join(" || "));
    } else if (least >= -(2 ** 31) && most < 2 ** 31) {
      code.refuse(`(${name} | 0) !== ${name} || ${name} < ${least} || ${name} > ${most}`);
    } else {
      code.refuse(`!Number.isInteger(${name}) || ${name} < ${least} || ${name} > ${most}`);
    }
    if (least === 0) return name;
    return least > 0 ? `${name} - ${least}` : `${name} + ${-least}`;
  }

  protected valueCode(_code: Constants, name: string): string {
    if (this.least === 0) return name;
    return this.least > 0 ? `${name} + ${this.least}` : `${name} - ${-this.least}`;
  }
}

const U64_MAX = 2n ** 64n - 1n;
const WORD = 2n ** 32n;
/** Bits of the short steps of a change of 64 bits. */
const SMALL_BITS = 16n;
const MEDIUM_BITS = 32n;
const SMALL = 2n ** SMALL_BITS;
const MEDIUM = 2n ** MEDIUM_BITS;

const foldBig = (offset: bigint): bigint => (offset > 0n ? 2n * offset - 2n : -2n * offset - 1n);
const unfoldBig = (folded: bigint): bigint =>
  folded % 2n === 0n ? folded / 2n + 1n : -(folded + 1n) / 2n;

/** 64 bits as a sink takes them: the low half first. */
export function putBig(sink: Sink, value: bigint): void {
  sink.put(Number(value % WORD), 32);
  sink.put(Number(value / WORD), 32);
}

export function takeBig(source: Source): bigint {
  const low = BigInt(source.take(32));
  return low + BigInt(source.take(32)) * WORD;
}

/** The change of a number of 64 bits to another: a ladder of 16, 32 and 64 bits. */
export function putBigChange(sink: Sink, order: bigint, from: bigint): void {
  const folded = foldBig(order - from);
  sink.put(folded < SMALL ? 1 : 0, 1);
  if (folded < SMALL) {
    sink.put(Number(folded), 16);
    return;
  }
  const medium = folded - SMALL < MEDIUM;
  sink.put(medium ? 1 : 0, 1);
  if (medium) sink.put(Number(folded - SMALL), 32);
  else putBig(sink, order);
}

export function takeBigChange(source: Source, from: bigint): bigint {
  const small = source.take(1) === 1;
  const medium = !small && source.take(1) === 1;
  if (!small && !medium) {
    const order = takeBig(source);
    if (!source.failed && (order === from || foldBig(order - from) < SMALL + MEDIUM)) {
      source.refuse("form");
    }
    return order;
  }
  const folded = small ? BigInt(source.take(16)) : BigInt(source.take(32)) + SMALL;
  const order = from + unfoldBig(folded);
  if (order >= 0n && order <= U64_MAX) return order;
  source.refuse("range");
  return 0n;
}

/** A bigint of 64 bits. */
export class BigNode extends Node<bigint> {
  readonly minBits = 64;
  readonly maxBits = 64;
  readonly layout = "bits(64)";
  readonly blank = "0n";

  check(value: unknown, path: string): void {
    if (typeof value === "bigint" && value >= 0n && value <= U64_MAX) return;
    throw argumentError(path, value, "a bigint from 0 to 2^64 - 1");
  }

  write(sink: Sink, value: bigint): void {
    putBig(sink, value);
  }

  read(source: Source): bigint {
    return takeBig(source);
  }

  same(left: bigint, right: bigint): boolean {
    return left === right;
  }

  writeChange(sink: Sink, value: bigint, base: bigint): void {
    putBigChange(sink, value, base);
  }

  readChange(source: Source, base: bigint): bigint {
    return takeBigChange(source, base);
  }

  copy(value: bigint): bigint {
    return value;
  }
}

/** Bits of a varint's group, and the bit behind it that says whether more follow. */
const GROUP_BITS = 7;
const GROUP = 2 ** GROUP_BITS;
const GROUPS_MAX = 8;
/** Bits of the short step of a change of a varint. */
const STEP_BITS = 6;
/** The greatest number that a zigzag takes: doubled it is still exact. */
const ZIGZAG_MAX = 2 ** 52 - 1;

function putVarint(sink: Sink, value: number): void {
  let rest = value;
  while (rest >= GROUP) {
    sink.put((rest % GROUP) | GROUP, GROUP_BITS + 1);
    rest = Math.floor(rest / GROUP);
  }
  sink.put(rest, GROUP_BITS + 1);
}

function takeVarint(source: Source): number {
  let value = 0;
  let scale = 1;
  for (let index = 0; index < GROUPS_MAX; index++) {
    const group = source.take(GROUP_BITS + 1);
    value += (group % GROUP) * scale;
    if (group < GROUP) {
      // A last group of zero adds nothing: the same number in a shorter form exists.
      if (group === 0 && index > 0) source.refuse("form");
      if (value > Number.MAX_SAFE_INTEGER) source.refuse("range");
      return value;
    }
    scale *= GROUP;
  }
  source.refuse("range");
  return 0;
}

/** A whole number in groups of 7 bits (S-4), small ones in few; with a sign as 0, -1, 1, -2, … */
export class VarintNode extends Node<number> {
  readonly minBits = 8;
  readonly maxBits = 8 * GROUPS_MAX;
  readonly layout: string;
  readonly blank = "NaN";
  readonly #signed: boolean;

  constructor(signed: boolean) {
    super();
    this.#signed = signed;
    this.layout = signed ? "zigzag" : "varint";
  }

  check(value: unknown, path: string): void {
    if (this.#signed) checkInteger(path, value, -ZIGZAG_MAX - 1, ZIGZAG_MAX);
    else checkInteger(path, value, 0, Number.MAX_SAFE_INTEGER);
  }

  #toWire(value: number): number {
    if (!this.#signed) return value;
    return value < 0 ? -2 * value - 1 : 2 * value;
  }

  #fromWire(number: number): number {
    if (!this.#signed) return number;
    return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
  }

  write(sink: Sink, value: number): void {
    putVarint(sink, this.#toWire(value));
  }

  read(source: Source): number {
    return this.#fromWire(takeVarint(source));
  }

  same(left: number, right: number): boolean {
    return left === right;
  }

  writeChange(sink: Sink, value: number, base: number): void {
    const offset = value - base;
    const folded = offset > 0 ? 2 * offset - 2 : -2 * offset - 1;
    const small = folded < 2 ** STEP_BITS;
    sink.put(small ? 1 : 0, 1);
    if (small) sink.put(folded, STEP_BITS);
    else this.write(sink, value);
  }

  readChange(source: Source, base: number): number {
    if (source.take(1) === 1) {
      const folded = source.take(STEP_BITS);
      const value = base + (folded % 2 === 0 ? folded / 2 + 1 : -(folded + 1) / 2);
      const [least, most] = this.#signed
        ? [-ZIGZAG_MAX - 1, ZIGZAG_MAX]
        : [0, Number.MAX_SAFE_INTEGER];
      if (value >= least && value <= most) return value;
      source.refuse("range");
      return 0;
    }
    const value = this.read(source);
    const reach = 2 ** (STEP_BITS - 1);
    if (value - base <= reach && base - value <= reach) source.refuse("form");
    return value;
  }

  copy(value: number): number {
    return value + 0;
  }

  override emitWrite(code: WriteCode, name: string): void {
    const [least, most] = this.#signed
      ? [-ZIGZAG_MAX - 1, ZIGZAG_MAX]
      : [0, Number.MAX_SAFE_INTEGER];
    code.refuse(`!Number.isInteger(${name}) || ${name} < ${least} || ${name} > ${most}`);
    code.flush();
    const rest = code.fresh();
    const number = this.#signed ? `${name} < 0 ? -2 * ${name} - 1 : 2 * ${name}` : name;
    code.line(`let ${rest} = ${number};`);
    code.line(`for (; ${rest} >= ${GROUP}; ${rest} = Math.floor(${rest} / ${GROUP})) {`);
    code.byte(`${rest} % ${GROUP} | ${GROUP}`);
    code.line("}");
    code.byte(rest);
  }

  override emitRead(code: ReadCode, place: string, path: string): void {
    code.flush();
    const value = code.name("0");
    const scale = code.name("1");
    const group = code.name("0");
    const index = code.name("0");
    code.line(`for (; ${index} < ${GROUPS_MAX}; ${index}++) {`);
    code.refuse("p + 8 > E", "truncated", "");
    code.line(`${group} = b[p >>> 3] >>> (p & 7);`);
    code.line(`if ((p & 7) > 0) ${group} |= b[(p >>> 3) + 1] << 8 - (p & 7) & 255;`);
    code.line(`p += 8; ${value} += (${group} & ${GROUP - 1}) * ${scale};`);
    code.line(`if (${group} < ${GROUP}) break;`);
    code.line(`${scale} *= ${GROUP};`);
    code.line("}");
    code.refuse(`${index} === ${GROUPS_MAX}`, "range", path);
    code.refuse(`${group} === 0 && ${index} > 0`, "form", path);
    code.refuse(`${value} > ${Number.MAX_SAFE_INTEGER}`, "range", path);
    const folded = `${value} % 2 === 0 ? ${value} / 2 : -(${value} + 1) / 2`;
    code.line(`${place} = ${this.#signed ? folded : value};`);
  }
}
