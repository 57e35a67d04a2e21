/*
 * Owns a peer's address as the core keeps it (integers, no text) and its NETCODE encoding.
 * Never resolves, parses or prints an address; lib/address.ts does.
 * Invariants: an IPv4 address has its four bytes in `a`, first byte highest, and b = c = d = 0; an IPv6
 * address has its sixteen bytes in a to d the same way; so equality is equality of all fields.
 */
import {
  type Reader,
  readerFail,
  readU8,
  readU16,
  readU32,
  type Writer,
  writerFail,
  writeU8,
  writeU16,
  writeU32,
} from "./bytes.js";
import { sipHash } from "./sip.js";

export const ADDRESS_NONE = 0;
export const ADDRESS_IPV4 = 1;
export const ADDRESS_IPV6 = 2;

export class Address {
  type = ADDRESS_NONE;
  port = 0;
  a = 0;
  b = 0;
  c = 0;
  d = 0;
}

export function addressClear(address: Address): void {
  address.type = ADDRESS_NONE;
  address.port = 0;
  address.a = 0;
  address.b = 0;
  address.c = 0;
  address.d = 0;
}

export function addressCopy(target: Address, source: Address): void {
  target.type = source.type;
  target.port = source.port;
  target.a = source.a;
  target.b = source.b;
  target.c = source.c;
  target.d = source.d;
}

export function addressEqual(left: Address, right: Address): boolean {
  return (
    left.a === right.a &&
    left.port === right.port &&
    left.d === right.d &&
    left.c === right.c &&
    left.b === right.b &&
    left.type === right.type
  );
}

const hashWords = new Uint32Array(5);

/** The hash of an address under a host's own key, so that nobody can aim at one bucket of its tables. */
export function addressHash(address: Address, key: Uint32Array): number {
  hashWords[0] = (address.type << 16) | address.port;
  hashWords[1] = address.a;
  if (address.type !== ADDRESS_IPV6) {
    return sipHash(key, hashWords, 2);
  }
  hashWords[2] = address.b;
  hashWords[3] = address.c;
  hashWords[4] = address.d;
  return sipHash(key, hashWords, 5);
}

/** Two groups of an IPv6 address: each u16 little-endian, unlike on the wire of IP itself. */
function readGroups(reader: Reader): number {
  const high = readU16(reader);
  return ((high << 16) | readU16(reader)) >>> 0;
}

function writeGroups(writer: Writer, word: number): void {
  writeU16(writer, word >>> 16);
  writeU16(writer, word & 0xffff);
}

// The four bytes of an IPv4 address stand in reading order, first byte first.
function swapBytes(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** Reads type, address and port; false for another type and past the end. */
export function addressRead(reader: Reader, address: Address): boolean {
  addressClear(address);
  const type = readU8(reader);
  if (type === ADDRESS_IPV4) {
    address.a = swapBytes(readU32(reader));
  } else if (type === ADDRESS_IPV6) {
    address.a = readGroups(reader);
    address.b = readGroups(reader);
    address.c = readGroups(reader);
    address.d = readGroups(reader);
  } else {
    readerFail(reader);
  }
  address.port = readU16(reader);
  if (reader.failed) {
    addressClear(address);
    return false;
  }
  address.type = type;
  return true;
}

/** Writes type, address and port; an address of no type has no encoding. */
export function addressWrite(writer: Writer, address: Address): void {
  if (address.type !== ADDRESS_IPV4 && address.type !== ADDRESS_IPV6) {
    writerFail(writer);
    return;
  }
  writeU8(writer, address.type);
  if (address.type === ADDRESS_IPV4) {
    writeU32(writer, swapBytes(address.a));
  } else {
    writeGroups(writer, address.a);
    writeGroups(writer, address.b);
    writeGroups(writer, address.c);
    writeGroups(writer, address.d);
  }
  writeU16(writer, address.port);
}
