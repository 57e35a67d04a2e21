/**
 * What every type of a message is made of: how it is checked, written, read and compared, and the code
 * that does the same faster.
 *
 * Owns: {@link Node}, the sinks and sources of bits, and why bytes are refused.
 * Never does: keep a value. A node is immutable and may stand in many places of many schemas.
 * Invariants: the wire layout follows from the tree of nodes alone (S-1). `write` is called with checked
 * values only; `read` is called with whatever a peer sent, never throws and allocates nothing that
 * the bytes at hand could not fill.
 */
import {
  Reader,
  readAlign,
  readBits,
  readerFail,
  readerSet,
  Writer,
  writeAlign,
  writeBits,
} from "../engine/bytes.js";
import type { DeltaCode } from "./delta.js";
import type { ReadCode } from "./reading.js";
import type { WriteCode } from "./writing.js";

/**
 * Why bytes were refused. `truncated`: they end within the message. `trailing`: they go on after it.
 * `padding`: a bit that only fills up is set. `range`: a value that the type does not have. `form`: not
 * the one form of its value. `text`: no UTF-8. `check`: a check word differs. `invalid`: the attached
 * validator said no.
 */
export type Reason =
  | "truncated"
  | "trailing"
  | "padding"
  | "range"
  | "form"
  | "text"
  | "check"
  | "invalid";

/** What was refused, and where in the message: `players[].aim.x`; "" for the message as a whole. */
export interface Rejected {
  readonly reason: Reason;
  readonly field: string;
}

/** Where bits go: into memory, or only into a count. */
export interface Sink {
  /** The lowest 1 to 32 bits of `value`. */
  put(value: number, bits: number): void;
  /** Zeros to the next byte border. */
  align(): void;
  /** A place to come back to. */
  mark(): number;
  /** Takes back what was put since. */
  rewind(mark: number): void;
}

/** Writes bits to memory; `failed` when they did not fit. */
export class BitSink extends Writer implements Sink {
  put(value: number, bits: number): void {
    writeBits(this, value, bits);
  }

  align(): void {
    writeAlign(this);
  }

  mark(): number {
    return this.offset * 8 + this.bitOffset;
  }

  rewind(mark: number): void {
    // What did not fit, did not; nobody takes that back.
    if (this.failed) return;
    this.offset = mark >>> 3;
    this.bitOffset = mark & 7;
    if (this.bitOffset > 0) this.bytes[this.offset] &= (1 << this.bitOffset) - 1;
  }
}

/** Counts bits. */
export class Counter implements Sink {
  bits = 0;

  put(_value: number, bits: number): void {
    this.bits += bits;
  }

  align(): void {
    this.bits = Math.ceil(this.bits / 8) * 8;
  }

  mark(): number {
    return this.bits;
  }

  rewind(mark: number): void {
    this.bits = mark;
  }
}

/** Reads bits, and keeps the first reason to refuse them. */
export class Source extends Reader {
  /** Whether there is a reason: what fails after it says no more. */
  refused = false;
  reason: Reason = "truncated";
  /** Where it was refused, once the types around it have put their names there. */
  field = "";

  begin(bytes: Uint8Array): void {
    readerSet(this, bytes, 0, bytes.length);
    this.refused = false;
    this.field = "";
  }

  /** The next 1 to 32 bits. */
  take(bits: number): number {
    const value = readBits(this, bits);
    if (this.failed) this.refuse("truncated");
    return value;
  }

  align(): void {
    readAlign(this);
    if (this.failed) this.refuse("padding");
  }

  /** Bits that are left. */
  get left(): number {
    return (this.end - this.offset) * 8 - this.bitOffset;
  }

  /** The first reason counts: what is read after it is zeros. */
  refuse(reason: Reason): void {
    if (!this.refused) {
      this.refused = true;
      this.reason = reason;
    }
    readerFail(this);
  }
}

/** Bits that hold every whole number from 0 to `span`. */
export function bitsFor(span: number): number {
  let bits = 0;
  for (let most = 1; most <= span; most *= 2) bits++;
  return bits;
}

const WORD = 2 ** 32;

/** A whole number of 0 to 53 bits. */
export function putWide(sink: Sink, value: number, bits: number): void {
  if (bits === 0) return;
  if (bits <= 32) {
    sink.put(value, bits);
    return;
  }
  sink.put(value % WORD, 32);
  sink.put(Math.floor(value / WORD), bits - 32);
}

export function takeWide(source: Source, bits: number): number {
  if (bits === 0) return 0;
  if (bits <= 32) return source.take(bits);
  const low = source.take(32);
  return low + source.take(bits - 32) * WORD;
}

/** Thrown where a compiled writer finds a value that does not fit; `check` then says which. */
export const MISFIT = new Error("a value does not fit its type");

/** One type, as the schema knows it. */
export abstract class Node<T> {
  /** Fewest bits of a value. */
  abstract readonly minBits: number;
  /** Most bits of a value. */
  abstract readonly maxBits: number;
  /** The type as text: equal texts are equal layouts (S-3). */
  abstract readonly layout: string;
  /** Whether it takes part in the message and has no value: `align` and `check`. */
  get isMark(): boolean {
    return false;
  }

  /**
   * Passes a value that can be written.
   *
   * @throws NetrtError `ERR_NETRT_ARGUMENT`, which names the path
   */
  abstract check(value: unknown, path: string): void;
  abstract write(sink: Sink, value: T): void;
  /** Reads a value, into `into` where that is an object of this type. */
  abstract read(source: Source, into: unknown): T;
  /** Whether two values look the same on the wire. */
  abstract same(left: T, right: T): boolean;
  /** Writes `value`, which differs from `base`. */
  abstract writeChange(sink: Sink, value: T, base: T): void;
  /** Reads what `writeChange` wrote; refuses a change to what was there before. */
  abstract readChange(source: Source, base: T, into: unknown): T;
  /** What a reader makes of `value`. */
  abstract copy(value: T, into: unknown): T;

  // ---- The same as code ----

  /** Emits code that checks and writes the variable `name`. */
  emitWrite(code: WriteCode, name: string): void {
    code.call(this, name);
  }

  /** Emits code that reads a value and assigns it to `place`. */
  emitRead(code: ReadCode, place: string, path: string): void {
    code.call(this, place, path);
  }

  /** An expression for a value to decode into; of the kind that comes, so that fields keep theirs. */
  abstract readonly blank: string;

  blankCode(_code: ReadCode): string {
    return this.blank;
  }

  /** Emits code that writes the delta of a variable against another, and sets `c` where they differ. */
  emitWriteDelta(code: DeltaCode, value: string, base: string): void {
    code.line(`if (${code.constant(this)}.writeDelta(D, ${value}, ${base})) c = true;`);
  }

  /** Emits code that reads a change of the variable `base` and assigns it to `place`. */
  emitReadChange(code: DeltaCode, place: string, base: string): void {
    code.line(`${place} = ${code.constant(this)}.readChange(Q, ${base}, ${place});`);
  }

  /** Emits code that assigns what a reader makes of the variable `base` to `place`. */
  emitCopy(code: DeltaCode, place: string, base: string): void {
    code.line(`${place} = ${code.constant(this)}.copy(${base}, ${place});`);
  }

  /** Whether a delta has nothing to say of it: it has but one value. */
  get isConstant(): boolean {
    return this.isMark || this.maxBits === 0;
  }

  /** One bit when equal, else a bit and the change (S-11). Whether they differ. */
  writeDelta(sink: Sink, value: T, base: T): boolean {
    if (this.isConstant) return false;
    const same = this.same(value, base);
    sink.put(same ? 0 : 1, 1);
    if (!same) this.writeChange(sink, value, base);
    return !same;
  }

  readDelta(source: Source, base: T, into: unknown): T {
    if (this.isConstant || source.take(1) === 0) return this.copy(base, into);
    return this.readChange(source, base, into);
  }
}

/**
 * A type of others: whether something changed is known once all of it was written, so that every value is
 * looked at once and not once for each type that it is in.
 */
export abstract class Container<T> extends Node<T> {
  /** Whether there was a change. */
  abstract override writeChange(sink: Sink, value: T, base: T): boolean;

  override writeDelta(sink: Sink, value: T, base: T): boolean {
    if (this.isConstant) return false;
    const mark = sink.mark();
    sink.put(1, 1);
    if (this.writeChange(sink, value, base)) return true;
    sink.rewind(mark);
    sink.put(0, 1);
    return false;
  }

  /** Emits the body of `(v, b)` that writes the change and says in `c` whether there was one. */
  protected abstract emitChangeWriter(code: DeltaCode): void;
  /** Emits the body of `(b, t)` that reads a change into `t`, an object of the type if it is one, and returns it. */
  protected abstract emitChangeReader(code: DeltaCode): void;
  /** Emits the body of `(b, t)` that copies. */
  protected abstract emitCopier(code: DeltaCode): void;

  override emitWriteDelta(code: DeltaCode, value: string, base: string): void {
    const name = code.function("w", this, "v, b", () => {
      code.line("const m = D.mark(); let c = false; D.put(1, 1);");
      this.emitChangeWriter(code);
      code.line("if (!c) { D.rewind(m); D.put(0, 1); }");
      code.line("return c;");
    });
    code.line(`if (${name}(${value}, ${base})) c = true;`);
  }

  override emitReadChange(code: DeltaCode, place: string, base: string): void {
    const name = code.function("r", this, "b, t", () => this.emitChangeReader(code));
    code.line(`${place} = ${name}(${base}, ${place});`);
  }

  override emitCopy(code: DeltaCode, place: string, base: string): void {
    const name = code.function("c", this, "b, t", () => this.emitCopier(code));
    code.line(`${place} = ${name}(${base}, ${place});`);
  }
}

/** An identifier goes behind a dot, anything else in brackets. */
export function member(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** The path of a field below another. */
export function below(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

/** Fails a read at a field; the outer ones put their names before it. */
export function locate(source: Source, name: string): void {
  const inner = source.field;
  const joint = inner === "" || inner.startsWith("[") ? "" : ".";
  source.field = `${name}${joint}${inner}`;
}
