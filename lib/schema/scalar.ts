/**
 * Types that are one whole number on the wire.
 *
 * Owns: {@link Scalar}, and how one number stands against another: the ladder of changes (S-12).
 * Invariants: a change is written in the shortest step of the ladder that holds it; a longer one is
 * refused.
 */
import type { DeltaCode, Emitter } from "./delta.js";
import { bitsFor, Node, putWide, type Sink, type Source, takeWide } from "./node.js";
import type { ReadCode } from "./reading.js";
import type { WriteCode } from "./writing.js";

/** From this many bits on a change has one short step, and from the second on two. */
const ONE_STEP_BITS = 4;
const TWO_STEPS_BITS = 8;

/**
 * Bits of the short steps for a number of `bits` bits, 0 for a step that is not there. Of 18 bits (a
 * position of 512 steps a metre over 512 m) they are 5 and 9, as in Fiedler's cubes.
 */
export function stepBits(bits: number): [small: number, medium: number] {
  if (bits < ONE_STEP_BITS) return [0, 0];
  const small = Math.max(2, Math.floor((bits * 2 + 3) / 7));
  return [small, bits < TWO_STEPS_BITS ? 0 : bits >>> 1];
}

/** 1, -1, 2, -2, … become 0, 1, 2, 3, … */
const fold = (offset: number): number => (offset > 0 ? 2 * offset - 2 : -2 * offset - 1);
const unfold = (folded: number): number => (folded % 2 === 0 ? folded / 2 + 1 : -(folded + 1) / 2);

/** What of a folded offset the steps hold: which step, 0 for none. */
function stepOf(folded: number, small: number, medium: number): 0 | 1 | 2 {
  if (small > 0 && folded < 2 ** small) return 1;
  if (medium > 0 && folded - 2 ** small < 2 ** medium) return 2;
  return 0;
}

/** Where code keeps what it refers to. */
export type Constants = Pick<Emitter, "constant">;

/** A type of one whole number from 0 to `span` on the wire. */
export abstract class Scalar<T> extends Node<T> {
  /** The greatest number. */
  readonly span: number;
  readonly bits: number;
  /** Whether the numbers form a circle, so that 0 follows the greatest. */
  readonly circular: boolean = false;
  readonly minBits: number;
  readonly maxBits: number;
  /** Bits of the short steps of a change. */
  readonly #small: number;
  readonly #medium: number;

  constructor(span: number) {
    super();
    this.span = span;
    this.bits = bitsFor(span);
    [this.#small, this.#medium] = stepBits(this.bits);
    this.minBits = this.bits;
    this.maxBits = this.bits;
  }

  abstract toWire(value: T): number;
  abstract fromWire(number: number): T;
  /** Whether a number up to `span` is the one form of its value. */
  isForm(_number: number): boolean {
    return true;
  }
  /** Numbers whose order is that of the values, for the ladder. */
  toOrder(number: number): number {
    return number;
  }
  fromOrder(order: number): number {
    return order;
  }

  write(sink: Sink, value: T): void {
    putWide(sink, this.toWire(value), this.bits);
  }

  read(source: Source): T {
    return this.accept(source, takeWide(source, this.bits));
  }

  same(left: T, right: T): boolean {
    return this.toWire(left) === this.toWire(right);
  }

  copy(value: T): T {
    return this.fromWire(this.toWire(value));
  }

  writeChange(sink: Sink, value: T, base: T): void {
    this.putChange(sink, this.toWire(value), this.toWire(base));
  }

  override writeDelta(sink: Sink, value: T, base: T): boolean {
    if (this.bits === 0) return false;
    const number = this.toWire(value);
    const from = this.toWire(base);
    sink.put(number === from ? 0 : 1, 1);
    if (number !== from) this.putChange(sink, number, from);
    return number !== from;
  }

  /** The change of a number to another. */
  putChange(sink: Sink, number: number, from: number): void {
    // Of two numbers the other one needs no bits.
    if (this.span === 1) return;
    const small = this.#small;
    const medium = this.#medium;
    const folded = fold(this.#between(number, from));
    const step = stepOf(folded, small, medium);
    if (small > 0) sink.put(step === 1 ? 1 : 0, 1);
    if (step === 1) {
      putWide(sink, folded, small);
      return;
    }
    if (medium > 0) sink.put(step === 2 ? 1 : 0, 1);
    if (step === 2) putWide(sink, folded - 2 ** small, medium);
    else putWide(sink, number, this.bits);
  }

  readChange(source: Source, base: T): T {
    const from = this.toWire(base);
    if (this.span === 1) return this.accept(source, 1 - from);
    const small = this.#small;
    const medium = this.#medium;
    let folded = -1;
    if (small > 0 && source.take(1) === 1) folded = takeWide(source, small);
    else if (medium > 0 && source.take(1) === 1) folded = takeWide(source, medium) + 2 ** small;
    if (folded >= 0) return this.#step(source, from, folded);
    const number = takeWide(source, this.bits);
    if (source.failed) return this.fromWire(0);
    // The short steps and the bit for equal have their numbers to themselves.
    const longer =
      number === from || stepOf(fold(this.#between(number, from)), small, medium) !== 0;
    if (longer) source.refuse("form");
    return this.accept(source, number);
  }

  /** A number that came, as a value. */
  protected accept(source: Source, number: number): T {
    if (number <= this.span && this.isForm(number)) return this.fromWire(number);
    source.refuse(number > this.span ? "range" : "form");
    return this.fromWire(0);
  }

  /** How far `number` is from `from`; by the shorter way around a circle. */
  #between(number: number, from: number): number {
    const offset = this.toOrder(number) - this.toOrder(from);
    if (!this.circular) return offset;
    const half = (this.span + 1) / 2;
    if (offset >= half) return offset - 2 * half;
    return offset < -half ? offset + 2 * half : offset;
  }

  #step(source: Source, from: number, folded: number): T {
    const offset = unfold(folded);
    let order = this.toOrder(from) + offset;
    if (this.circular) {
      const around = this.span + 1;
      // A step of more than half the way around has a shorter form.
      if (offset >= around / 2 || offset < -around / 2) source.refuse("form");
      order = ((order % around) + around) % around;
    }
    if (order < 0 || order > this.span) {
      source.refuse("range");
      return this.fromWire(0);
    }
    return this.accept(source, this.fromOrder(order));
  }

  // ---- As code ----

  /** Equal numbers are found without a call. */
  override emitWriteDelta(code: DeltaCode, value: string, base: string): void {
    if (this.bits === 0) return;
    const number = code.name(this.wireCode(code, value));
    const from = code.name(this.wireCode(code, base));
    const change = `${code.constant(this)}.putChange(D, ${number}, ${from})`;
    code.line(`if (${number} === ${from}) D.put(0, 1);`);
    code.line(`else { D.put(1, 1); ${change}; c = true; }`);
  }

  override emitCopy(code: DeltaCode, place: string, base: string): void {
    const number = code.name(this.wireCode(code, base));
    code.line(`${place} = ${this.valueCode(code, number)};`);
  }

  /** Emits the check of a variable and gives an expression of its number. */
  protected abstract wireCode(code: Emitter, name: string): string;
  /** An expression of the value of the number in a variable. */
  protected abstract valueCode(code: Constants, name: string): string;

  override emitWrite(code: WriteCode, name: string): void {
    const number = this.wireCode(code, name);
    if (this.bits > 0) code.putWide(code.name(number), this.bits);
  }

  override emitRead(code: ReadCode, place: string, path: string): void {
    code.take(this.bits, (expression) => {
      const number = code.name(expression);
      // Where every pattern of bits is a number, there is nothing to refuse.
      if (this.span !== 2 ** this.bits - 1) code.refuse(`${number} > ${this.span}`, "range", path);
      this.formCode(code, number, path);
      code.line(`${place} = ${this.valueCode(code, number)};`);
    });
  }

  /** Emits the refusal of numbers that are no form of their value. */
  protected formCode(_code: ReadCode, _number: string, _path: string): void {}
}
