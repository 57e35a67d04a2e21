/*
 * Owns how integers, varints and bits stand in a packet: little-endian, lowest bit first.
 * Never throws and never looks outside [offset, end), whatever the bytes say.
 * Invariants: a read or write that does not fit sets `failed` and moves `offset` to `end`, so every
 * later one fails as well and one check at the end is enough; a failed read returns 0. Every
 * value has one encoding: a longer varint and a padding bit that is set are refused.
 * `bitOffset` is 0 on a byte border; whole bytes are read and written there only.
 */
import { VARINT_BYTES_MAX, VARINT_MAX } from "./limits.js";

const NO_BYTES = new Uint8Array(0);

export class Reader {
  bytes: Uint8Array = NO_BYTES;
  /** Index of the next byte. */
  offset = 0;
  /** Index after the last byte that may be read. */
  end = 0;
  /** Bits of the byte at `offset` that are already read, 0 to 7. */
  bitOffset = 0;
  failed = false;
}

export class Writer {
  bytes: Uint8Array = NO_BYTES;
  /** Index of the next byte. */
  offset = 0;
  /** Index after the last byte that may be written. */
  end = 0;
  /** Bits of the byte at `offset` that are already written, 0 to 7. */
  bitOffset = 0;
  failed = false;
}

// ---- Reading ----

export function readerSet(reader: Reader, bytes: Uint8Array, offset: number, end: number): void {
  reader.bytes = bytes;
  reader.offset = offset;
  reader.end = end;
  reader.bitOffset = 0;
  reader.failed = false;
}

/** Refuses what was read: for a value that its reader finds to have no meaning. */
export function readerFail(reader: Reader): void {
  reader.offset = reader.end;
  reader.bitOffset = 0;
  reader.failed = true;
}

export function readU8(reader: Reader): number {
  const offset = reader.offset;
  if (offset >= reader.end) {
    readerFail(reader);
    return 0;
  }
  reader.offset = offset + 1;
  return reader.bytes[offset];
}

export function readU16(reader: Reader): number {
  const offset = reader.offset;
  if (reader.end - offset < 2) {
    readerFail(reader);
    return 0;
  }
  const bytes = reader.bytes;
  reader.offset = offset + 2;
  return bytes[offset] | (bytes[offset + 1] << 8);
}

export function readU32(reader: Reader): number {
  const offset = reader.offset;
  if (reader.end - offset < 4) {
    readerFail(reader);
    return 0;
  }
  const bytes = reader.bytes;
  reader.offset = offset + 4;
  return (
    (bytes[offset] |
      (bytes[offset + 1] << 8) |
      (bytes[offset + 2] << 16) |
      (bytes[offset + 3] << 24)) >>>
    0
  );
}

/** Unsigned LEB128 of at most 28 bits, in its shortest form. */
export function readVarint(reader: Reader): number {
  const bytes = reader.bytes;
  const offset = reader.offset;
  const left = reader.end - offset;
  const count = left < VARINT_BYTES_MAX ? left : VARINT_BYTES_MAX;
  let value = 0;
  for (let index = 0; index < count; index++) {
    const byte = bytes[offset + index];
    value |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) {
      // A last byte of zero adds nothing: the same number in a shorter form exists.
      if (byte === 0 && index > 0) break;
      reader.offset = offset + index + 1;
      return value;
    }
  }
  readerFail(reader);
  return 0;
}

/** Passes over `count` bytes and says whether they were there. */
export function readSkip(reader: Reader, count: number): boolean {
  if (reader.end - reader.offset < count) {
    readerFail(reader);
    return false;
  }
  reader.offset += count;
  return true;
}

/** Copies the next `count` bytes to `target` and says whether they were there. */
export function readBytes(
  reader: Reader,
  target: Uint8Array,
  targetOffset: number,
  count: number,
): boolean {
  const offset = reader.offset;
  if (!readSkip(reader, count)) return false;
  const bytes = reader.bytes;
  for (let index = 0; index < count; index++) target[targetOffset + index] = bytes[offset + index];
  return true;
}

/** The next 1 to 32 bits as an unsigned number, the first bit lowest. */
export function readBits(reader: Reader, bits: number): number {
  const offset = reader.offset;
  const bitOffset = reader.bitOffset;
  const bitEnd = bitOffset + bits;
  const count = (bitEnd + 7) >>> 3;
  if (reader.end - offset < count) {
    readerFail(reader);
    return 0;
  }
  const bytes = reader.bytes;
  let value = bytes[offset] >>> bitOffset;
  // At most five bytes: the last one's shift is 31 at most, and what it pushes out is not ours.
  for (let index = 1; index < count; index++) {
    value |= bytes[offset + index] << (8 * index - bitOffset);
  }
  reader.offset = offset + (bitEnd >>> 3);
  reader.bitOffset = bitEnd & 7;
  return (bits === 32 ? value : value & ((1 << bits) - 1)) >>> 0;
}

/** Goes to the next byte border; the bits between must be zero. */
export function readAlign(reader: Reader): void {
  if (reader.bitOffset === 0) return;
  if (reader.bytes[reader.offset] >>> reader.bitOffset !== 0) {
    readerFail(reader);
    return;
  }
  reader.offset += 1;
  reader.bitOffset = 0;
}

// ---- Writing ----

export function writerSet(writer: Writer, bytes: Uint8Array, offset: number, end: number): void {
  writer.bytes = bytes;
  writer.offset = offset;
  writer.end = end;
  writer.bitOffset = 0;
  writer.failed = false;
}

/** Refuses what was written: for a value that has no encoding. */
export function writerFail(writer: Writer): void {
  writer.offset = writer.end;
  writer.bitOffset = 0;
  writer.failed = true;
}

export function writeU8(writer: Writer, value: number): void {
  const offset = writer.offset;
  if (offset >= writer.end) {
    writerFail(writer);
    return;
  }
  writer.bytes[offset] = value;
  writer.offset = offset + 1;
}

export function writeU16(writer: Writer, value: number): void {
  const offset = writer.offset;
  if (writer.end - offset < 2) {
    writerFail(writer);
    return;
  }
  const bytes = writer.bytes;
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  writer.offset = offset + 2;
}

export function writeU32(writer: Writer, value: number): void {
  const offset = writer.offset;
  if (writer.end - offset < 4) {
    writerFail(writer);
    return;
  }
  const bytes = writer.bytes;
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
  writer.offset = offset + 4;
}

/** Bytes that `writeVarint` takes for `value`: 1 to 4, or 0 for a number past VARINT_MAX. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value <= VARINT_MAX ? 4 : 0;
}

/** Unsigned LEB128 in its shortest form; a number past VARINT_MAX does not fit. */
export function writeVarint(writer: Writer, value: number): void {
  const count = varintBytes(value);
  const offset = writer.offset;
  if (count === 0 || writer.end - offset < count) {
    writerFail(writer);
    return;
  }
  const bytes = writer.bytes;
  const last = count - 1;
  for (let index = 0; index < last; index++) {
    bytes[offset + index] = (value >>> (7 * index)) | 0x80;
  }
  bytes[offset + last] = value >>> (7 * last);
  writer.offset = offset + count;
}

export function writeBytes(
  writer: Writer,
  source: Uint8Array,
  sourceOffset: number,
  count: number,
): void {
  const offset = writer.offset;
  if (writer.end - offset < count) {
    writerFail(writer);
    return;
  }
  const bytes = writer.bytes;
  for (let index = 0; index < count; index++) bytes[offset + index] = source[sourceOffset + index];
  writer.offset = offset + count;
}

/** Writes `count` zero bytes. */
export function writeZeros(writer: Writer, count: number): void {
  const offset = writer.offset;
  if (writer.end - offset < count) {
    writerFail(writer);
    return;
  }
  writer.bytes.fill(0, offset, offset + count);
  writer.offset = offset + count;
}

/** Writes the lowest 1 to 32 bits of `value`, the lowest first. */
export function writeBits(writer: Writer, value: number, bits: number): void {
  const offset = writer.offset;
  const bitOffset = writer.bitOffset;
  const bitEnd = bitOffset + bits;
  const count = (bitEnd + 7) >>> 3;
  if (writer.end - offset < count) {
    writerFail(writer);
    return;
  }
  const bytes = writer.bytes;
  const kept = bits === 32 ? value : value & ((1 << bits) - 1);
  const first = bitOffset === 0 ? 0 : bytes[offset];
  bytes[offset] = first | (kept << bitOffset);
  for (let index = 1; index < count; index++) {
    bytes[offset + index] = kept >>> (8 * index - bitOffset);
  }
  writer.offset = offset + (bitEnd >>> 3);
  writer.bitOffset = bitEnd & 7;
}

/** Goes to the next byte border, over zero bits. */
export function writeAlign(writer: Writer): void {
  // The byte's upper bits are zero since its first bit was written.
  if (writer.bitOffset === 0) return;
  writer.offset += 1;
  writer.bitOffset = 0;
}
