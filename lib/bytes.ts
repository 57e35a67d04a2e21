/**
 * `netrt/bytes`: messages as bytes, without copies and without surprises.
 *
 * Owns: {@link ByteWriter} and {@link ByteReader}, the public form of the codec that the protocol
 * itself uses: little-endian, bits from the lowest, every number in its shortest form.
 * Never does: look past the end of a message, or throw at what a peer sent.
 * Invariants: what a writer writes, a reader reads back with the same calls in the same order. A reader
 * that was given other bytes says so with `failed`, and `finish()` tells whether everything fitted.
 */
import {
  Reader,
  readAlign,
  readBits,
  readerFail,
  readerSet,
  readSkip,
  readU8,
  readU16,
  readU32,
  Writer,
  writeAlign,
  writeBits,
  writeBytes,
  writerSet,
  writeU8,
  writeU16,
  writeU32,
} from "./engine/bytes.js";
import { argumentError, checkInteger, NetrtError } from "./errors.js";

const CAPACITY_BYTES_DEFAULT = 256;
/** Most that a growing writer holds: the largest block of the protocol. */
const CAPACITY_BYTES_MAX = 16 * 1024 * 1024;

const U8_MAX = 0xff;
const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;
/** The greatest number that `zigzag` takes: doubled it is still exact. */
const ZIGZAG_MAX = 2 ** 52 - 1;
/** Bytes of the longest varint: 8 x 7 bits hold every exact number. */
const VARINT_BYTES_MAX = 8;
/** Bytes of the longest string by default: a message. */
const STRING_BYTES_DEFAULT = 64 * 1024;

const NO_BYTES = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function varintLength(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) count++;
  return count;
}

/**
 * Writes a message, field after field.
 *
 * Every method returns the writer, so that calls can be chained. Whole bytes after bits begin at the next
 * byte border; the bits between are zero.
 *
 * @example
 * ```ts
 * import { ByteReader, ByteWriter } from "netrt/bytes";
 *
 * const writer = new ByteWriter();
 * const bytes = writer.u16(7).varint(1200).bool(true).bits(5, 3).string("north").finish();
 * console.log(bytes.length); // 11
 *
 * const reader = new ByteReader(bytes);
 * const id = reader.u16();
 * const distance = reader.varint();
 * const firing = reader.bool();
 * const weapon = reader.bits(3);
 * const name = reader.string(16);
 * if (reader.finish()) console.log(id, distance, firing, weapon, name); // 7 1200 true 5 north
 * ```
 */
export class ByteWriter {
  readonly #writer = new Writer();
  readonly #grows: boolean;
  #view: DataView;

  /**
   * @param target the memory to write to, which is never left; or how many bytes to begin with (256 by
   * default) where the writer has its own, which grows up to 16 MiB
   * @throws NetrtError `ERR_NETRT_ARGUMENT` for another target
   */
  constructor(target: Uint8Array | number = CAPACITY_BYTES_DEFAULT) {
    this.#grows = !(target instanceof Uint8Array);
    const bytes =
      target instanceof Uint8Array
        ? target
        : new Uint8Array(checkInteger("target", target, 1, CAPACITY_BYTES_MAX, "B"));
    writerSet(this.#writer, bytes, 0, bytes.length);
    this.#view = viewOf(bytes);
  }

  /** Bytes written so far; a byte that has some of its bits counts. */
  get length(): number {
    return this.#writer.offset + (this.#writer.bitOffset > 0 ? 1 : 0);
  }

  /** Begins a new message in the same memory. Views from `finish` see it. */
  reset(): this {
    writerSet(this.#writer, this.#writer.bytes, 0, this.#writer.bytes.length);
    return this;
  }

  /** The message: a view of the writer's memory, valid until `reset`, not a copy. */
  finish(): Uint8Array {
    writeAlign(this.#writer);
    return this.#writer.bytes.subarray(0, this.#writer.offset);
  }

  /** A whole number from 0 to 255. */
  u8(value: number): this {
    this.#check("u8", value, 0, U8_MAX);
    this.#room(1);
    writeU8(this.#writer, value);
    return this;
  }

  /** A whole number from 0 to 65,535. */
  u16(value: number): this {
    this.#check("u16", value, 0, U16_MAX);
    this.#room(2);
    writeU16(this.#writer, value);
    return this;
  }

  /** A whole number from 0 to 2^32 - 1. */
  u32(value: number): this {
    this.#check("u32", value, 0, U32_MAX);
    this.#room(4);
    writeU32(this.#writer, value);
    return this;
  }

  /** A bigint from 0 to 2^64 - 1. */
  u64(value: bigint): this {
    if (typeof value !== "bigint" || value < 0n || value > U64_MAX) {
      throw argumentError("u64", value, "a bigint from 0 to 2^64 - 1");
    }
    const offset = this.#take(8);
    this.#view.setBigUint64(offset, value, true);
    return this;
  }

  /** A whole number from -128 to 127. */
  i8(value: number): this {
    this.#check("i8", value, -0x80, 0x7f);
    this.#room(1);
    writeU8(this.#writer, value);
    return this;
  }

  /** A whole number from -32,768 to 32,767. */
  i16(value: number): this {
    this.#check("i16", value, -0x8000, 0x7fff);
    this.#room(2);
    writeU16(this.#writer, value);
    return this;
  }

  /** A whole number from -2^31 to 2^31 - 1. */
  i32(value: number): this {
    this.#check("i32", value, -0x8000_0000, 0x7fff_ffff);
    this.#room(4);
    writeU32(this.#writer, value);
    return this;
  }

  /** A bigint from -2^63 to 2^63 - 1. */
  i64(value: bigint): this {
    if (typeof value !== "bigint" || value < I64_MIN || value > I64_MAX) {
      throw argumentError("i64", value, "a bigint from -2^63 to 2^63 - 1");
    }
    const offset = this.#take(8);
    this.#view.setBigInt64(offset, value, true);
    return this;
  }

  /** A number as an IEEE 754 single: about 7 digits. */
  f32(value: number): this {
    if (typeof value !== "number") throw argumentError("f32", value, "a number");
    const offset = this.#take(4);
    this.#view.setFloat32(offset, value, true);
    return this;
  }

  /** A number as it is. */
  f64(value: number): this {
    if (typeof value !== "number") throw argumentError("f64", value, "a number");
    const offset = this.#take(8);
    this.#view.setFloat64(offset, value, true);
    return this;
  }

  /** A whole number from 0 to 2^53 - 1 in 1 to 8 bytes, small ones in few: unsigned LEB128. */
  varint(value: number): this {
    this.#check("varint", value, 0, Number.MAX_SAFE_INTEGER);
    this.#room(varintLength(value));
    let rest = value;
    while (rest >= 0x80) {
      writeU8(this.#writer, (rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    writeU8(this.#writer, rest);
    return this;
  }

  /** A whole number from -2^52 to 2^52 - 1 as a varint: 0, -1, 1, -2, … become 0, 1, 2, 3, … */
  zigzag(value: number): this {
    this.#check("zigzag", value, -ZIGZAG_MAX - 1, ZIGZAG_MAX);
    return this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Bytes as they are. The reader must know how many. */
  bytes(source: Uint8Array): this {
    if (!(source instanceof Uint8Array)) throw argumentError("bytes", source, "a Uint8Array");
    this.#room(source.length);
    writeBytes(this.#writer, source, 0, source.length);
    return this;
  }

  /**
   * Text: its bytes of UTF-8 as a varint, then the bytes. A lone surrogate becomes U+FFFD.
   *
   * @param bytesMax what the reader will take at most, in bytes of UTF-8; 64 KiB by default
   */
  string(text: string, bytesMax: number = STRING_BYTES_DEFAULT): this {
    if (typeof text !== "string") throw argumentError("string", text, "a string");
    const source = encoder.encode(text);
    if (source.length > bytesMax) {
      throw argumentError("string", text, `at most ${bytesMax} bytes of UTF-8`);
    }
    return this.varint(source.length).bytes(source);
  }

  /** The lowest `count` bits of a whole number from 0 to 2^count - 1; `count` is 1 to 32. */
  bits(value: number, count: number): this {
    checkInteger("count", count, 1, 32);
    this.#check("bits", value, 0, 2 ** count - 1);
    const writer = this.#writer;
    this.#grow((writer.bitOffset + count + 7) >>> 3);
    writeBits(writer, value, count);
    return this;
  }

  /** One bit. */
  bool(value: boolean): this {
    if (typeof value !== "boolean") throw argumentError("bool", value, "true or false");
    this.#grow(1);
    writeBits(this.#writer, value ? 1 : 0, 1);
    return this;
  }

  /** Goes to the next byte border. Every field of whole bytes does so by itself. */
  align(): this {
    writeAlign(this.#writer);
    return this;
  }

  #check(name: string, value: number, least: number, most: number): void {
    if (Number.isInteger(value) && value >= least && value <= most) return;
    throw argumentError(name, value, `a whole number from ${least} to ${most}`);
  }

  /** Makes sure of `count` whole bytes. */
  #room(count: number): void {
    writeAlign(this.#writer);
    this.#grow(count);
  }

  /** The index of `count` bytes that are written through the view, which this may replace. */
  #take(count: number): number {
    this.#room(count);
    const offset = this.#writer.offset;
    this.#writer.offset += count;
    return offset;
  }

  #grow(count: number): void {
    const writer = this.#writer;
    const needed = writer.offset + count;
    if (needed <= writer.end) return;
    const most = this.#grows ? CAPACITY_BYTES_MAX : writer.end;
    if (needed > most) {
      throw new NetrtError(
        "ERR_NETRT_MESSAGE_TOO_LARGE",
        `the writer holds ${most} bytes at most, but the message needs ${needed}`,
      );
    }
    const bytes = new Uint8Array(Math.min(most, Math.max(needed, writer.end * 2)));
    bytes.set(writer.bytes);
    writer.bytes = bytes;
    writer.end = bytes.length;
    this.#view = viewOf(bytes);
  }
}

/**
 * Reads a message with the calls that wrote it, in their order.
 *
 * Bytes from the network are never trusted and never thrown at: a field that does not fit reads as 0,
 * empty or false, sets {@link ByteReader.failed}, and makes all later ones fail as well. Check once, with
 * {@link ByteReader.finish}, before the values are used.
 *
 * @example
 * ```ts
 * import { ByteReader } from "netrt/bytes";
 *
 * const reader = new ByteReader(Uint8Array.of(1, 2, 3));
 * console.log(reader.u16(), reader.u32(), reader.failed); // 513 0 true
 * ```
 */
export class ByteReader {
  readonly #reader = new Reader();
  #view: DataView | undefined;

  /** @param bytes the message; nothing of it is copied */
  constructor(bytes: Uint8Array = NO_BYTES) {
    this.reset(bytes);
  }

  /** Begins another message, so that one reader serves them all. */
  reset(bytes: Uint8Array): this {
    if (!(bytes instanceof Uint8Array)) throw argumentError("bytes", bytes, "a Uint8Array");
    readerSet(this.#reader, bytes, 0, bytes.length);
    this.#view = undefined;
    return this;
  }

  /** Whether a field did not fit. */
  get failed(): boolean {
    return this.#reader.failed;
  }

  /** Whole bytes that are left. */
  get remaining(): number {
    return this.#reader.end - this.#reader.offset - (this.#reader.bitOffset > 0 ? 1 : 0);
  }

  /** Whether every field fitted, the message is read to its end, and its padding is zero. */
  finish(): boolean {
    readAlign(this.#reader);
    return !this.#reader.failed && this.#reader.offset === this.#reader.end;
  }

  /** A whole number from 0 to 255. */
  u8(): number {
    readAlign(this.#reader);
    return readU8(this.#reader);
  }

  /** A whole number from 0 to 65,535. */
  u16(): number {
    readAlign(this.#reader);
    return readU16(this.#reader);
  }

  /** A whole number from 0 to 2^32 - 1. */
  u32(): number {
    readAlign(this.#reader);
    return readU32(this.#reader);
  }

  /** A bigint from 0 to 2^64 - 1. */
  u64(): bigint {
    const offset = this.#pass(8);
    return offset < 0 ? 0n : this.#data().getBigUint64(offset, true);
  }

  /** A whole number from -128 to 127. */
  i8(): number {
    return (this.u8() << 24) >> 24;
  }

  /** A whole number from -32,768 to 32,767. */
  i16(): number {
    return (this.u16() << 16) >> 16;
  }

  /** A whole number from -2^31 to 2^31 - 1. */
  i32(): number {
    return this.u32() | 0;
  }

  /** A bigint from -2^63 to 2^63 - 1. */
  i64(): bigint {
    const offset = this.#pass(8);
    return offset < 0 ? 0n : this.#data().getBigInt64(offset, true);
  }

  /** An IEEE 754 single. It may be NaN or infinite: whoever sent it chose it. */
  f32(): number {
    const offset = this.#pass(4);
    return offset < 0 ? 0 : this.#data().getFloat32(offset, true);
  }

  /** An IEEE 754 double. It may be NaN or infinite: whoever sent it chose it. */
  f64(): number {
    const offset = this.#pass(8);
    return offset < 0 ? 0 : this.#data().getFloat64(offset, true);
  }

  /** A whole number from 0 to 2^53 - 1; a longer form than the shortest fails. */
  varint(): number {
    readAlign(this.#reader);
    let value = 0;
    let scale = 1;
    for (let index = 0; index < VARINT_BYTES_MAX; index++) {
      const byte = readU8(this.#reader);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value <= Number.MAX_SAFE_INTEGER && (byte > 0 || index === 0)) return value;
        break;
      }
      scale *= 0x80;
    }
    readerFail(this.#reader);
    return 0;
  }

  /** A whole number from -2^52 to 2^52 - 1. */
  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** The next `count` bytes as a view of the message, not a copy; empty where they are not there. */
  bytes(count: number): Uint8Array {
    const offset = this.#pass(checkInteger("count", count, 0, Number.MAX_SAFE_INTEGER, "B"));
    return offset < 0 ? NO_BYTES : this.#reader.bytes.subarray(offset, offset + count);
  }

  /**
   * Text as `ByteWriter.string` writes it. More bytes than `bytesMax`, and bytes that are no UTF-8, fail.
   *
   * @param bytesMax bytes of UTF-8 to take at most; 64 KiB by default
   */
  string(bytesMax: number = STRING_BYTES_DEFAULT): string {
    const count = this.varint();
    if (count > bytesMax) {
      readerFail(this.#reader);
      return "";
    }
    const bytes = this.bytes(count);
    try {
      return decoder.decode(bytes);
    } catch {
      readerFail(this.#reader);
      return "";
    }
  }

  /** The next 1 to 32 bits as a whole number. */
  bits(count: number): number {
    return readBits(this.#reader, checkInteger("count", count, 1, 32));
  }

  /** One bit. */
  bool(): boolean {
    return readBits(this.#reader, 1) === 1;
  }

  /** Goes to the next byte border; a bit between that is not zero fails. */
  align(): this {
    readAlign(this.#reader);
    return this;
  }

  /** Passes over `count` bytes: their index, or -1 where they are not there. */
  #pass(count: number): number {
    readAlign(this.#reader);
    const offset = this.#reader.offset;
    return readSkip(this.#reader, count) ? offset : -1;
  }

  /** Made when a message first needs it: most have no floats and no 64-bit numbers. */
  #data(): DataView {
    this.#view ??= viewOf(this.#reader.bytes);
    return this.#view;
  }
}
