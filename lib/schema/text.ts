/**
 * Text and bytes: a count of bytes, as many bits as the most need, then the bytes, from any bit on.
 *
 * Owns: UTF-8, written and checked without throwing.
 * Invariants: what is read has as many bytes as were counted and is well-formed: no surrogates, no
 * longer form than the shortest.
 */
import { writerSet } from "../engine/bytes.js";
import { argumentError, checkInteger } from "../errors.js";
import { BitSink, bitsFor, Node, type Sink, type Source } from "./node.js";
import type { ReadCode } from "./reading.js";
import type { WriteCode } from "./writing.js";

/** Bytes of the longest string or byte string: the largest block of the protocol. */
const BYTES_MAX = 16 * 1024 * 1024;
/** Bits of a count that fit a word together with 7 others. */
const COUNT_BITS_MAX = 24;
/** Where the bytes of text stand in line before they become a string. */
let memory = Buffer.alloc(256);

/** The length of text in bytes of UTF-8; -1 for a lone surrogate, which has no form. */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3;
    else {
      const next = text.charCodeAt(index + 1);
      if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return -1;
      bytes += 4;
      index++;
    }
  }
  return bytes;
}

function putUtf8(sink: Sink, text: string): void {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) {
      sink.put(unit, 8);
    } else if (unit < 0x800) {
      sink.put(0xc0 | (unit >> 6) | ((0x80 | (unit & 0x3f)) << 8), 16);
    } else if (unit < 0xd800 || unit > 0xdfff) {
      const low = (0x80 | ((unit >> 6) & 0x3f)) << 8;
      sink.put(0xe0 | (unit >> 12) | low | ((0x80 | (unit & 0x3f)) << 16), 24);
    } else {
      const point = 0x10000 + ((unit - 0xd800) << 10) + text.charCodeAt(++index) - 0xdc00;
      const middle =
        ((0x80 | ((point >> 12) & 0x3f)) << 8) | ((0x80 | ((point >> 6) & 0x3f)) << 16);
      sink.put((0xf0 | (point >> 18) | middle | ((0x80 | (point & 0x3f)) << 24)) >>> 0, 32);
    }
  }
}

/** Whether bytes are UTF-8 (S-8; RFC 3629, section 4). */
export function isUtf8(bytes: Uint8Array, count: number): boolean {
  let index = 0;
  while (index < count) {
    const lead = bytes[index++];
    if (lead < 0x80) continue;
    let more = 1;
    let least = 0x80;
    let most = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) more = 1;
    else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead === 0xe0) least = 0xa0;
      else if (lead === 0xed) most = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead === 0xf0) least = 0x90;
      else if (lead === 0xf4) most = 0x8f;
    } else return false;
    if (index + more > count) return false;
    for (; more > 0; more--) {
      const byte = bytes[index++];
      if (byte < least || byte > most) return false;
      least = 0x80;
      most = 0xbf;
    }
  }
  return true;
}

/** Text of bytes that are known to be there, from a bit of a byte on; undefined for what is no UTF-8. */
export function readText(
  bytes: Uint8Array,
  offset: number,
  bitOffset: number,
  count: number,
): string | undefined {
  if (count > memory.length) memory = Buffer.alloc(count);
  let all = 0;
  if (bitOffset === 0) {
    for (let index = 0; index < count; index++) {
      const byte = bytes[offset + index];
      memory[index] = byte;
      all |= byte;
    }
  } else {
    let low = bytes[offset] >>> bitOffset;
    for (let index = 0; index < count; index++) {
      const next = bytes[offset + index + 1];
      const byte = (low | (next << (8 - bitOffset))) & 0xff;
      low = next >>> bitOffset;
      memory[index] = byte;
      all |= byte;
    }
  }
  if (all < 0x80) return memory.toString("latin1", 0, count);
  return isUtf8(memory, count) ? memory.toString("utf8", 0, count) : undefined;
}

const sink = new BitSink();

/**
 * Writes text of at most `most` bytes, its count in `bits` bits first, from a bit of a byte on, of which
 * `byte` has the bits before it; there is room. What is left of the last byte is stored, too. Gives the
 * count of bytes, or -1 for text that does not fit.
 *
 * Most text is ASCII: its length is known before the first character was looked at, and is taken back
 * with the first that is not.
 */
export function writeText(
  bytes: Uint8Array,
  offset: number,
  bitOffset: number,
  byte: number,
  text: string,
  bits: number,
  most: number,
): number {
  const count = text.length;
  if (count > most) return -1;
  if (bits > COUNT_BITS_MAX) return writeWide(bytes, offset, bitOffset, byte, text, bits, most);
  let rest = byte | (count << bitOffset);
  let at = offset;
  let waiting = bitOffset + bits;
  for (; waiting >= 8; waiting -= 8) {
    bytes[at++] = rest;
    rest >>>= 8;
  }
  for (let index = 0; index < count; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0x80) return writeWide(bytes, offset, bitOffset, byte, text, bits, most);
    rest |= unit << waiting;
    bytes[at++] = rest;
    rest >>>= 8;
  }
  if (waiting > 0) bytes[at] = rest;
  return count;
}

/** The same for what is not ASCII alone, or long. */
function writeWide(
  bytes: Uint8Array,
  offset: number,
  bitOffset: number,
  byte: number,
  text: string,
  bits: number,
  most: number,
): number {
  const count = utf8Bytes(text);
  if (count < 0 || count > most) return -1;
  writerSet(sink, bytes, offset, bytes.length);
  sink.bitOffset = bitOffset;
  if (bitOffset > 0) bytes[offset] = byte;
  sink.put(count, bits);
  putUtf8(sink, text);
  return count;
}

/** Takes `count` bytes, which are known to be there, into `target`. */
function takeBytes(source: Source, target: Uint8Array, count: number): void {
  let index = 0;
  for (; index + 4 <= count; index += 4) {
    const word = source.take(32);
    target[index] = word;
    target[index + 1] = word >>> 8;
    target[index + 2] = word >>> 16;
    target[index + 3] = word >>> 24;
  }
  for (; index < count; index++) target[index] = source.take(8);
}

/** How many bytes follow; refused when there are not so many. */
function takeCount(source: Source, bits: number, most: number): number {
  const count = bits === 0 ? 0 : source.take(bits);
  if (count > most) source.refuse("range");
  else if (count * 8 > source.left) source.refuse("truncated");
  return source.failed ? 0 : count;
}

/** Text of at most so many bytes of UTF-8. */
export class StringNode extends Node<string> {
  readonly minBits: number;
  readonly maxBits: number;
  readonly layout: string;
  readonly blank = '""';
  readonly #most: number;
  readonly #bits: number;

  constructor(most: number) {
    super();
    this.#most = checkInteger("string: bytes", most, 0, BYTES_MAX, "B");
    this.#bits = bitsFor(most);
    this.minBits = this.#bits;
    this.maxBits = this.#bits + 8 * most;
    this.layout = `string(${most})`;
  }

  check(value: unknown, path: string): void {
    const allowed = `text of at most ${this.#most} bytes of UTF-8`;
    if (typeof value !== "string") throw argumentError(path, value, allowed);
    const bytes = utf8Bytes(value);
    if (bytes < 0) throw argumentError(path, value, "text without lone surrogates");
    if (bytes > this.#most) throw argumentError(path, value, allowed);
  }

  write(sink: Sink, value: string): void {
    if (this.#bits > 0) sink.put(utf8Bytes(value), this.#bits);
    putUtf8(sink, value);
  }

  read(source: Source): string {
    const count = takeCount(source, this.#bits, this.#most);
    if (count === 0) return "";
    const text = readText(source.bytes, source.offset, source.bitOffset, count);
    source.offset += count;
    if (text === undefined) source.refuse("text");
    return text ?? "";
  }

  override emitWrite(code: WriteCode, name: string): void {
    code.refuse(`typeof ${name} !== "string"`);
    code.flush();
    const given = `b, o, n, s, ${name}, ${this.#bits}, ${this.#most}`;
    const count = code.name(`${code.constant(writeText)}(${given})`);
    code.refuse(`${count} < 0`);
    code.line(`n += ${this.#bits}; o += ${count} + (n >>> 3); n &= 7; s = n > 0 ? b[o] : 0;`);
  }

  override emitRead(code: ReadCode, place: string, path: string): void {
    let count = "0";
    code.take(this.#bits, (value) => {
      count = code.name(value);
    });
    code.flush();
    code.refuse(`${count} > ${this.#most}`, "range", path);
    code.refuse(`${count} * 8 > E - p`, "truncated", "");
    code.line(`if (${count} === 0) { ${place} = ""; } else {`);
    const text = code.name(`${code.constant(readText)}(b, p >>> 3, p & 7, ${count})`);
    code.refuse(`${text} === undefined`, "text", path);
    code.line(`${place} = ${text}; p += ${count} * 8; }`);
  }

  same(left: string, right: string): boolean {
    return left === right;
  }

  writeChange(sink: Sink, value: string): void {
    this.write(sink, value);
  }

  readChange(source: Source, base: string): string {
    const value = this.read(source);
    if (value === base) source.refuse("form");
    return value;
  }

  copy(value: string): string {
    return value;
  }
}

/** Bytes, at most so many; what is read is a copy, into the array at hand where its length fits. */
export class BytesNode extends Node<Uint8Array> {
  readonly minBits: number;
  readonly maxBits: number;
  readonly layout: string;
  readonly blank = "undefined";
  readonly #most: number;
  readonly #bits: number;

  constructor(most: number) {
    super();
    this.#most = checkInteger("bytes: bytes", most, 0, BYTES_MAX, "B");
    this.#bits = bitsFor(most);
    this.minBits = this.#bits;
    this.maxBits = this.#bits + 8 * most;
    this.layout = `bytes(${most})`;
  }

  check(value: unknown, path: string): void {
    if (value instanceof Uint8Array && value.length <= this.#most) return;
    throw argumentError(path, value, `a Uint8Array of at most ${this.#most} bytes`);
  }

  write(sink: Sink, value: Uint8Array): void {
    if (this.#bits > 0) sink.put(value.length, this.#bits);
    for (let index = 0; index < value.length; index++) sink.put(value[index], 8);
  }

  read(source: Source, into: unknown): Uint8Array {
    const count = takeCount(source, this.#bits, this.#most);
    const target = bytesInto(into, count);
    takeBytes(source, target, count);
    return target;
  }

  same(left: Uint8Array, right: Uint8Array): boolean {
    return left.length === right.length && left.every((byte, index) => byte === right[index]);
  }

  writeChange(sink: Sink, value: Uint8Array): void {
    this.write(sink, value);
  }

  readChange(source: Source, base: Uint8Array, into: unknown): Uint8Array {
    // What is read into the base itself can't be compared to it.
    const value = this.read(source, into === base ? undefined : into);
    if (!source.failed && this.same(value, base)) source.refuse("form");
    return value;
  }

  copy(value: Uint8Array, into: unknown): Uint8Array {
    const target = bytesInto(into, value.length);
    target.set(value);
    return target;
  }
}

/** The array at hand, unless it has another length or is somebody's Buffer. */
function bytesInto(into: unknown, count: number): Uint8Array {
  const fits =
    into instanceof Uint8Array && into.length === count && into.constructor === Uint8Array;
  return fits ? into : new Uint8Array(count);
}
