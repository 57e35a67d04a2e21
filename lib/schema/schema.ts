/**
 * A schema: one definition that writes, reads and measures messages.
 *
 * Owns: {@link Schema}, the memory that it writes to, and the validator that may be attached.
 * Never does: throw at bytes: they are refused, and `rejected` says why.
 * Invariants: one value has one message, and one message one value (S-2): what is accepted, written again, is
 * the same bytes.
 */
import { writerSet } from "../engine/bytes.js";
import { hash32 } from "../engine/hash.js";
import { argumentError, checkInteger, NetrtError } from "../errors.js";
import { type Compiled, compile, REFUSED, rejectedOf, type Verdict } from "./compile.js";
import { BitSink, Counter, type Node, type Rejected, Source } from "./node.js";
import { isValid, type StandardSchema } from "./standard.js";

/** Longest message that a schema may describe: the largest block of the protocol. */
const SCHEMA_BYTES_MAX = 16 * 1024 * 1024;
/** Memory of a schema is taken at once up to this size, else as messages need it. */
const MEMORY_BYTES_MAX = 64 * 1024;
const ROOT = "message";

/** Options of {@link schema}. */
export interface SchemaOptions<T> {
  /**
   * Says what the types can't: a validator of the Standard Schema kind (zod, valibot, arktype, …),
   * synchronous. It sees every value before it is encoded and after it was decoded. What it
   * returns in place of the value is not used.
   */
  readonly validator?: StandardSchema<T>;
  /** `false`: go without code made from strings. Default: with it, where the process allows it. */
  readonly compile?: boolean;
}

/** A definition of messages; {@link schema} makes it. */
export interface Schema<T> {
  /** Fewest bits of a message. */
  readonly minBits: number;
  /** Most bits of a message. */
  readonly maxBits: number;
  /** Most bytes of a message. */
  readonly maxBytes: number;
  /** The definition as text. Schemas of equal text understand each other. */
  readonly layout: string;
  /** FNV-1a 32 of `layout`, for peers to compare. */
  readonly hash: number;
  /** Whether its reader and writer are compiled. */
  readonly compiled: boolean;
  /** Why the last `decode`, `decodeInto` or `decodeDelta` refused; undefined if it did not. */
  readonly rejected: Rejected | undefined;

  /**
   * A value as a new message.
   *
   * @throws NetrtError `ERR_NETRT_ARGUMENT` for a value that does not fit; it names the field
   */
  encode(value: T): Uint8Array<ArrayBuffer>;

  /**
   * Writes a message to memory, whose other bytes stay as they are.
   *
   * @param offset where it begins, in bytes; 0 by default
   * @returns the message's length, in bytes
   * @throws NetrtError `ERR_NETRT_ARGUMENT` for a value that does not fit, `ERR_NETRT_MESSAGE_TOO_LARGE`
   * for too little memory; the memory may have some of the message then
   */
  encodeInto(value: T, target: Uint8Array, offset?: number): number;

  /**
   * How many bits a value's message has.
   *
   * @throws NetrtError as `encode` does
   */
  measure(value: T): number;

  /**
   * A message's value, new; undefined for bytes that are no message, and `rejected` says why. Nothing
   * of it refers to the bytes.
   */
  decode(bytes: Uint8Array): T | undefined;

  /**
   * Reads a message into an object or array that is there already, and into those in it: no garbage
   * where all have the right shape, and no text or bigint is new.
   *
   * @returns false for bytes that are no message; `target` may then have some of its fields
   */
  decodeInto(bytes: Uint8Array, target: T & object): boolean;

  /**
   * A value as its difference from another one, which the reader has, too: one bit where both are
   * equal, small steps in few bits.
   *
   * @throws NetrtError `ERR_NETRT_ARGUMENT` for a value or baseline that does not fit
   */
  encodeDelta(value: T, baseline: T): Uint8Array<ArrayBuffer>;

  /** How many bits `encodeDelta` takes. */
  measureDelta(value: T, baseline: T): number;

  /**
   * The value of a delta; undefined for bytes that are none, and `rejected` says why.
   *
   * @param baseline the value that the writer had, as this side decoded it
   * @param into     an object to read into; nothing of it may be part of the baseline
   * @throws NetrtError `ERR_NETRT_ARGUMENT` for a baseline that does not fit
   */
  decodeDelta(bytes: Uint8Array, baseline: T, into?: T & object): T | undefined;
}

const noBytes = (bytes: unknown): Error => argumentError("bytes", bytes, "a Uint8Array");
const noTarget = (target: unknown): Error =>
  argumentError("target", target, "an object or array as decode() makes it");

/** Bytes from which on a copy by the runtime's own routine is worth its view. */
const COPY_BYTES_MIN = 64;

/** Copies the first `count` bytes. */
export function copyBytes(
  from: Uint8Array,
  count: number,
  target: Uint8Array,
  offset: number,
): void {
  if (count >= COPY_BYTES_MIN) {
    target.set(count === from.length ? from : from.subarray(0, count), offset);
    return;
  }
  for (let index = 0; index < count; index++) target[offset + index] = from[index];
}

/** The one implementation of {@link Schema}. */
export class Codec<T> implements Schema<T> {
  readonly minBits: number;
  readonly maxBits: number;
  readonly maxBytes: number;
  readonly layout: string;
  readonly hash: number;
  readonly compiled: boolean;
  readonly #root: Node<unknown>;
  readonly #compiled: Compiled | undefined;
  readonly #validator: StandardSchema<T> | undefined;
  readonly #verdict: Verdict = { rejected: undefined };
  readonly #source = new Source();
  readonly #sink = new BitSink();
  #memory = new Uint8Array(0);

  constructor(root: Node<T>, options: SchemaOptions<T> = {}) {
    this.#root = root as Node<unknown>;
    this.minBits = root.minBits;
    this.maxBits = root.maxBits;
    this.maxBytes = Math.ceil(root.maxBits / 8);
    if (this.maxBytes > SCHEMA_BYTES_MAX) {
      throw argumentError("schema", `${this.maxBytes} bytes`, `at most ${SCHEMA_BYTES_MAX} bytes`);
    }
    this.layout = root.layout;
    const text = new TextEncoder().encode(this.layout);
    this.hash = hash32(text, 0, text.length, 0);
    this.#validator = options.validator;
    if (options.compile !== false) this.#compiled = this.#compile();
    this.compiled = this.#compiled !== undefined;
  }

  #compile(): Compiled | undefined {
    const compiled = compile(this.#root, {
      verdict: this.#verdict,
      sink: this.#sink,
      source: this.#source,
      encodeFar: (value, target, offset) =>
        Codec.prototype.encodeInto.call(this, value, target, offset),
      misfit: (value, error) => this.#misfit(value as T, error),
      noBytes,
      noTarget,
    });
    if (compiled !== undefined && this.#validator === undefined) {
      this.encodeInto = compiled.encodeInto;
      this.decodeInto = compiled.decodeInto;
    }
    return compiled;
  }

  get rejected(): Rejected | undefined {
    return this.#verdict.rejected;
  }

  encode(value: T): Uint8Array<ArrayBuffer> {
    // Writing may replace the memory.
    const bytes = this.write(value);
    return this.#memory.slice(0, bytes);
  }

  encodeInto(value: T, target: Uint8Array, offset = 0): number {
    if (!(target instanceof Uint8Array)) throw argumentError("target", target, "a Uint8Array");
    checkInteger("offset", offset, 0, target.length, "B");
    const bytes = this.write(value);
    if (bytes > target.length - offset) {
      throw new NetrtError(
        "ERR_NETRT_MESSAGE_TOO_LARGE",
        `the message has ${bytes} bytes, but there is room for ${target.length - offset}`,
      );
    }
    copyBytes(this.#memory, bytes, target, offset);
    return bytes;
  }

  /** @internal Writes a message to `memory`: its length in bytes. */
  write(value: T): number {
    return (this.#writeBits(value) + 7) >>> 3;
  }

  /** @internal The message that was written last is at its start. */
  get memory(): Uint8Array {
    return this.#memory;
  }

  measure(value: T): number {
    if (this.#compiled !== undefined) return this.#writeBits(value);
    this.#check(value);
    const counter = new Counter();
    this.#root.write(counter, value);
    return counter.bits;
  }

  decode(bytes: Uint8Array): T | undefined {
    const value = this.#read(bytes, this.#compiled?.blank());
    return value === REFUSED ? undefined : (value as T);
  }

  decodeInto(bytes: Uint8Array, target: T & object): boolean {
    const value = this.#read(bytes, target);
    if (value === target) return true;
    if (value === REFUSED) return false;
    throw noTarget(target);
  }

  encodeDelta(value: T, baseline: T): Uint8Array<ArrayBuffer> {
    this.#check(value);
    this.#checkBaseline(baseline);
    const sink = this.#sink;
    // Where all differs, a delta is longer than the message, by the bits that say so.
    let room = Math.min(2 * this.maxBytes + 1, MEMORY_BYTES_MAX);
    for (;;) {
      this.#reserve(room);
      writerSet(sink, this.#memory, 0, this.#memory.length);
      if (this.#compiled !== undefined) this.#compiled.writeDelta(value, baseline);
      else this.#root.writeDelta(sink, value, baseline);
      if (!sink.failed) break;
      room = this.#memory.length * 2;
    }
    sink.align();
    return this.#memory.slice(0, sink.offset);
  }

  measureDelta(value: T, baseline: T): number {
    this.#check(value);
    this.#checkBaseline(baseline);
    const counter = new Counter();
    this.#root.writeDelta(counter, value, baseline);
    return counter.bits;
  }

  decodeDelta(bytes: Uint8Array, baseline: T, into?: T & object): T | undefined {
    this.#checkBaseline(baseline);
    if (into !== undefined && Object.is(into, baseline)) {
      throw argumentError("into", into, "another object than the baseline");
    }
    const source = this.#begin(bytes);
    const read =
      this.#compiled?.readDelta ?? ((base, target) => this.#root.readDelta(source, base, target));
    const value = read(baseline, into) as T;
    return this.#end(source) && this.#accepts(value) ? value : undefined;
  }

  /** A compiled writer finds out faster than the types, which say what is wrong. */
  #check(value: T): void {
    if (this.#compiled !== undefined) {
      this.#writeBits(value);
      return;
    }
    this.#root.check(value, ROOT);
    this.#validate(value);
  }

  #checkBaseline(baseline: T): void {
    try {
      if (this.#compiled !== undefined && this.maxBytes <= MEMORY_BYTES_MAX) {
        this.#reserve(this.maxBytes);
        this.#compiled.write(baseline, this.#memory, 0);
        return;
      }
    } catch {
      // The types say what is wrong.
    }
    this.#root.check(baseline, "baseline");
  }

  #validate(value: T): void {
    const validator = this.#validator;
    if (validator === undefined || isValid(validator, value)) return;
    throw argumentError(ROOT, value, "what the validator accepts");
  }

  /** The error of a value that the compiled writer stopped at. */
  #misfit(value: T, error: unknown): unknown {
    this.#root.check(value, ROOT);
    return error;
  }

  #reserve(bytes: number): void {
    if (this.#memory.length < bytes) this.#memory = new Uint8Array(bytes);
  }

  #writeBits(value: T): number {
    const compiled = this.#compiled;
    if (compiled === undefined) return this.#writeByNodes(value);
    if (this.maxBytes <= MEMORY_BYTES_MAX) {
      this.#reserve(this.maxBytes);
    } else {
      this.#root.check(value, ROOT);
      const counter = new Counter();
      this.#root.write(counter, value);
      this.#reserve(Math.ceil(counter.bits / 8));
    }
    let bits: number;
    try {
      bits = compiled.write(value, this.#memory, 0);
    } catch (error) {
      throw this.#misfit(value, error);
    }
    // The validator may count on the types.
    this.#validate(value);
    return bits;
  }

  #writeByNodes(value: T): number {
    this.#check(value);
    const counter = new Counter();
    this.#root.write(counter, value);
    this.#reserve(Math.ceil(counter.bits / 8));
    writerSet(this.#sink, this.#memory, 0, this.#memory.length);
    this.#root.write(this.#sink, value);
    return counter.bits;
  }

  /** A message's value, read into `into` where that fits; REFUSED for what is none. */
  #read(bytes: Uint8Array, into: unknown): unknown {
    const compiled = this.#compiled;
    let value: unknown;
    if (compiled === undefined) {
      const source = this.#begin(bytes);
      value = this.#root.read(source, into);
      if (!this.#end(source)) return REFUSED;
    } else {
      if (!(bytes instanceof Uint8Array)) throw noBytes(bytes);
      value = compiled.read(bytes, into);
      if (value === REFUSED) return REFUSED;
    }
    return this.#validator === undefined || this.#accepts(value as T) ? value : REFUSED;
  }

  #begin(bytes: Uint8Array): Source {
    if (!(bytes instanceof Uint8Array)) throw noBytes(bytes);
    const source = this.#source;
    source.begin(bytes);
    this.#verdict.rejected = undefined;
    return source;
  }

  /** Whether all was read, and to the end. */
  #end(source: Source): boolean {
    if (source.failed) {
      this.#verdict.rejected = rejectedOf(source);
      return false;
    }
    const { offset, bitOffset, end } = source;
    if (offset + (bitOffset > 0 ? 1 : 0) < end) {
      this.#verdict.rejected = { reason: "trailing", field: "" };
      return false;
    }
    source.align();
    if (source.failed) this.#verdict.rejected = { reason: "padding", field: "" };
    return !source.failed;
  }

  #accepts(value: T): boolean {
    if (this.#validator === undefined || isValid(this.#validator, value)) return true;
    this.#verdict.rejected = { reason: "invalid", field: "" };
    return false;
  }
}
