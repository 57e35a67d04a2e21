// frame: what stands inside a payload between netrt peers: the ack header, then frames to the end.
//
// Owns the encoding, which is canonical: one meaning has one byte string and everything else is
// refused. Never acts on what it reads, never keeps a byte of it.
// frameNext is the only reader of frames; payload's check walks a whole payload with it before
// anything in it takes effect.

import {
  type Reader,
  readSkip,
  readU8,
  readU16,
  readU32,
  readVarint,
  varintBytes,
  type Writer,
  writeBytes,
  writeU8,
  writeU16,
  writeU32,
  writeVarint,
} from "./bytes.js";
import { fragmentCount, fragmentLength, wholeBytesMax } from "./fragment.js";
import {
  ACK_BITS_MAX,
  BLOCK_BYTES_MAX,
  BLOCK_HEADER_BYTES_MAX,
  CHANNELS_MAX,
  CLOSE_TEXT_BYTES_MAX,
  FRAGMENT_HEADER_BYTES_MAX,
  FRAGMENTED_BYTES_MAX,
  HELLO_ROOM_BYTES,
  KEY_BYTES,
  LAYOUT_BYTES_MAX,
  MESSAGE_HEADER_BYTES_MAX,
  NACK_BITS_BYTES_MAX,
  NETRT_VERSION,
  PATH_PROOF_BYTES,
  PAYLOAD_BYTES_MAX,
  PAYLOAD_BYTES_MIN,
  SUITES_ALWAYS,
} from "./limits.js";

// --- the ack header (R-21) ---

const ACK_PRESENT = 0x80;
const ACK_COUNT = 0x3f;

export class AckHeader {
  present = false;
  /** The latest number received, modulo 65536. */
  latest = 0;
  /** ACK_DELAY_UNIT_US since it came. */
  delay = 0;
  bitsOffset = 0;
  bitBytes = 0;
  /** For the check of a payload: where each kind of control frame stands. */
  last = new Uint8Array(FRAME_RESPONSE + 1);
}

/** Reads the ack header; false when it isn't canonical or ends early. */
export function ackHeaderRead(reader: Reader, header: AckHeader): boolean {
  const first = readU8(reader);
  header.present = first !== 0;
  header.bitBytes = 0;
  if (reader.failed || first === 0) {
    return !reader.failed;
  }
  header.bitBytes = first & ACK_COUNT;
  if ((first & ~ACK_COUNT) !== ACK_PRESENT || header.bitBytes > ACK_BITS_MAX / 8) {
    return false;
  }
  header.latest = readU16(reader);
  header.delay = readU16(reader);
  header.bitsOffset = reader.offset;
  readSkip(reader, header.bitBytes);
  return !reader.failed && (header.bitBytes === 0 || reader.bytes[reader.offset - 1] !== 0);
}

/** Writes the header up to the bitfield, whose bytes the caller writes next. */
export function ackHeaderWrite(writer: Writer, header: AckHeader): void {
  if (!header.present) {
    writeU8(writer, 0);
    return;
  }
  writeU8(writer, ACK_PRESENT | header.bitBytes);
  writeU16(writer, header.latest);
  writeU16(writer, header.delay);
}

// --- frames ---

export const FRAME_END = 0;
export const FRAME_HELLO = 1;
export const FRAME_SKIP = 2;
export const FRAME_CLOSE = 3;
export const FRAME_PING = 4;
export const FRAME_NACK = 5;
export const FRAME_FRAGMENT = 6;
export const FRAME_BLOCK = 7;
export const FRAME_WINDOW = 8;
export const FRAME_AGE = 9;
export const FRAME_LAYOUT = 10;
export const FRAME_CHALLENGE = 11;
export const FRAME_RESPONSE = 12;
export const FRAME_MESSAGE = 128;
export const FRAME_INVALID = 255;

/** First byte of a message that runs to the end of the payload, or'ed with its channel. */
const MESSAGE_LAST = 0x80;
/** First byte of a message with a length, or'ed with its channel. */
const MESSAGE_SIZED = 0xc0;
const MESSAGE_CHANNEL = 0x3f;

export class Frame {
  /** The longest payload that both ends take, from which the size of fragments follows. */
  payloadBytes = PAYLOAD_BYTES_MAX;
  channel = 0;
  /** Message id, skip's and window's first id that still matters, or nack's first missing id; modulo 65536. */
  id = 0;
  /** FRAGMENT and BLOCK: bytes of the whole; else 0. */
  total = 0;
  /** FRAGMENT and BLOCK: which fragment of the whole. */
  index = 0;
  /** BLOCK: the block's number. */
  block = false;
  number = 0;
  /** Where the body, the text, the channel hashes, a path's proof or what another version's hello says start. */
  offset = 0;
  bytes = 0;
  /** AGE: how old the message behind it is (ms); whoever takes that message makes it 0 again. */
  ageMs = 0;
  /** HELLO: the protocol version. CLOSE: the reason. */
  code = 0;
  /** HELLO: hash of the protocol's name, number of channels. */
  nameHash = 0;
  channelCount = 0;
  /** HELLO: the longest payload that its sender takes. */
  payloadBytesMax = 0;
  /** HELLO: packets and bytes a second that its sender takes; 0 for any number. */
  packetRateMax = 0;
  byteRateMax = 0;
  /** HELLO: the suites that its sender has, a bit each. */
  suites = 0;
  /** HELLO: where its sender's public key starts, KEY_BYTES long. */
  keyOffset = 0;
}

function messageNext(reader: Reader, first: number, frame: Frame): number {
  frame.channel = first & MESSAGE_CHANNEL;
  frame.id = readU16(reader);
  frame.total = 0;
  frame.index = 0;
  frame.block = false;
  frame.number = 0;
  const sized = first >= MESSAGE_SIZED;
  frame.bytes = sized ? readVarint(reader) : reader.end - reader.offset;
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  // With a length only before another frame, and no longer than one that goes whole.
  const lawful =
    (!sized || reader.offset < reader.end) && frame.bytes <= wholeBytesMax(frame.payloadBytes);
  return reader.failed || !lawful ? FRAME_INVALID : FRAME_MESSAGE;
}

function helloNext(reader: Reader, frame: Frame): number {
  frame.code = readU8(reader);
  if (frame.code !== NETRT_VERSION) {
    // Nobody here knows what else another version says.
    frame.offset = reader.offset;
    frame.bytes = reader.end - reader.offset;
    readSkip(reader, frame.bytes);
    return reader.failed ? FRAME_INVALID : FRAME_HELLO;
  }
  frame.channelCount = readU8(reader);
  frame.nameHash = readU32(reader);
  frame.payloadBytesMax = readU16(reader);
  frame.packetRateMax = readU16(reader);
  frame.byteRateMax = readU32(reader);
  frame.suites = readU8(reader);
  frame.keyOffset = reader.offset;
  readSkip(reader, KEY_BYTES);
  frame.offset = reader.offset;
  readSkip(reader, 4 * frame.channelCount);
  // It must take our own hello, which has as many channels.
  const least = Math.max(PAYLOAD_BYTES_MIN, HELLO_ROOM_BYTES + 4 * frame.channelCount);
  const lawful =
    frame.channelCount >= 1 &&
    frame.channelCount <= CHANNELS_MAX &&
    frame.payloadBytesMax >= least &&
    frame.payloadBytesMax <= PAYLOAD_BYTES_MAX &&
    (frame.suites & SUITES_ALWAYS) !== 0;
  if (reader.failed || !lawful) {
    return FRAME_INVALID;
  }
  // What follows in the payload was cut to a size that its sender knows both ends to take.
  frame.payloadBytes = Math.min(frame.payloadBytes, frame.payloadBytesMax);
  return FRAME_HELLO;
}

function closeNext(reader: Reader, frame: Frame): number {
  frame.code = readU8(reader);
  frame.bytes = readU8(reader);
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  return reader.failed || frame.bytes > CLOSE_TEXT_BYTES_MAX ? FRAME_INVALID : FRAME_CLOSE;
}

function nackNext(reader: Reader, frame: Frame): number {
  frame.channel = readU8(reader);
  frame.id = readU16(reader);
  frame.bytes = readU8(reader);
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  const lawful = frame.channel < CHANNELS_MAX && frame.bytes <= NACK_BITS_BYTES_MAX;
  if (reader.failed || !lawful) {
    return FRAME_INVALID;
  }
  return frame.bytes > 0 && reader.bytes[reader.offset - 1] === 0 ? FRAME_INVALID : FRAME_NACK;
}

/** A fragment's length isn't on the wire: it follows from its index and the whole. */
function fragmentNext(reader: Reader, frame: Frame, block: boolean): number {
  frame.channel = readU8(reader);
  frame.id = readU16(reader);
  frame.block = block;
  frame.number = block ? readU16(reader) : 0;
  frame.index = readVarint(reader);
  frame.total = readVarint(reader);
  const least = block ? 1 : wholeBytesMax(frame.payloadBytes) + 1;
  const most = block ? BLOCK_BYTES_MAX : FRAGMENTED_BYTES_MAX;
  if (reader.failed || frame.total < least || frame.total > most) {
    return FRAME_INVALID;
  }
  // Behind the last fragment of a block an empty one says that the rest won't come.
  const end = fragmentCount(frame.total, frame.payloadBytes) + (block ? 1 : 0);
  if (frame.index >= end) {
    return FRAME_INVALID;
  }
  frame.bytes = fragmentLength(frame.total, frame.payloadBytes, frame.index);
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  if (reader.failed || frame.channel >= CHANNELS_MAX) {
    return FRAME_INVALID;
  }
  return block ? FRAME_BLOCK : FRAME_FRAGMENT;
}

function markNext(reader: Reader, frame: Frame, kind: number): number {
  frame.channel = readU8(reader);
  frame.id = readU16(reader);
  return reader.failed || frame.channel >= CHANNELS_MAX ? FRAME_INVALID : kind;
}

function ageNext(reader: Reader, frame: Frame): number {
  frame.ageMs = readVarint(reader);
  return reader.failed || frame.ageMs === 0 ? FRAME_INVALID : FRAME_AGE;
}

/** What a peer says of a channel in which it differs, or of all. */
function layoutNext(reader: Reader, frame: Frame): number {
  frame.channel = readU8(reader);
  frame.bytes = readVarint(reader);
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  const lawful = frame.channel <= CHANNELS_MAX && frame.bytes <= LAYOUT_BYTES_MAX;
  return reader.failed || !lawful ? FRAME_INVALID : FRAME_LAYOUT;
}

/** What proves who reads at an address, asked for or told. */
function pathNext(reader: Reader, frame: Frame, kind: number): number {
  frame.bytes = PATH_PROOF_BYTES;
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  return reader.failed ? FRAME_INVALID : kind;
}

/** Reads the next frame. FRAME_END at the end, FRAME_INVALID for anything that isn't canonical. */
export function frameNext(reader: Reader, frame: Frame): number {
  if (reader.offset === reader.end) {
    return FRAME_END;
  }
  const first = readU8(reader);
  if (first >= MESSAGE_LAST) {
    return messageNext(reader, first, frame);
  }
  switch (first) {
    case FRAME_HELLO:
      return helloNext(reader, frame);
    case FRAME_SKIP:
    case FRAME_WINDOW:
      return markNext(reader, frame, first);
    case FRAME_FRAGMENT:
    case FRAME_BLOCK:
      return fragmentNext(reader, frame, first === FRAME_BLOCK);
    case FRAME_CLOSE:
      return closeNext(reader, frame);
    case FRAME_PING:
      return FRAME_PING;
    case FRAME_NACK:
      return nackNext(reader, frame);
    case FRAME_AGE:
      return ageNext(reader, frame);
    case FRAME_LAYOUT:
      return layoutNext(reader, frame);
    case FRAME_CHALLENGE:
    case FRAME_RESPONSE:
      return pathNext(reader, frame, first);
    default:
      return FRAME_INVALID;
  }
}

// --- writing: the caller has made sure that it fits ---

/** The bytes that a message takes in a payload at most. */
export function messageFrameBytes(bodyBytes: number): number {
  return MESSAGE_HEADER_BYTES_MAX - 2 + varintBytes(bodyBytes) + bodyBytes;
}

/** Writes the head of a message frame with a length; the body follows. */
export function messageHeadWrite(
  writer: Writer,
  channel: number,
  id: number,
  bodyBytes: number,
): void {
  writeU8(writer, MESSAGE_SIZED | channel);
  writeU16(writer, id & 0xffff);
  writeVarint(writer, bodyBytes);
}

/** Turns the message frame at `start`, the last of the payload, into the form without a length. */
export function messageShorten(writer: Writer, start: number, bodyBytes: number): void {
  const body = start + 3 + varintBytes(bodyBytes);
  writer.bytes[start] = writer.bytes[start] & ~(MESSAGE_SIZED ^ MESSAGE_LAST);
  writer.bytes.copyWithin(start + 3, body, body + bodyBytes);
  writer.offset = start + 3 + bodyBytes;
}

/** The bytes that a fragment takes in a payload at most. */
export function fragmentFrameBytes(block: boolean, bodyBytes: number): number {
  return (block ? BLOCK_HEADER_BYTES_MAX : FRAGMENT_HEADER_BYTES_MAX) + bodyBytes;
}

/** Writes the head of a fragment of a message; the body follows. */
export function fragmentHeadWrite(
  writer: Writer,
  channel: number,
  id: number,
  index: number,
  total: number,
): void {
  writeU8(writer, FRAME_FRAGMENT);
  writeU8(writer, channel);
  writeU16(writer, id & 0xffff);
  writeVarint(writer, index);
  writeVarint(writer, total);
}

/** Writes the head of a fragment of a block; the body follows. */
export function blockHeadWrite(
  writer: Writer,
  channel: number,
  id: number,
  number: number,
  index: number,
  total: number,
): void {
  writeU8(writer, FRAME_BLOCK);
  writeU8(writer, channel);
  writeU16(writer, id & 0xffff);
  writeU16(writer, number);
  writeVarint(writer, index);
  writeVarint(writer, total);
}

/** Writes what a channel's user has consumed: everything below the id. */
export function windowWrite(writer: Writer, channel: number, id: number): void {
  writeU8(writer, FRAME_WINDOW);
  writeU8(writer, channel);
  writeU16(writer, id & 0xffff);
}

export function skipWrite(writer: Writer, channel: number, id: number): void {
  writeU8(writer, FRAME_SKIP);
  writeU8(writer, channel);
  writeU16(writer, id & 0xffff);
}

/** Writes a nack up to its bitmap, which the caller writes next. */
export function nackWrite(writer: Writer, channel: number, id: number, bitsBytes: number): void {
  writeU8(writer, FRAME_NACK);
  writeU8(writer, channel);
  writeU16(writer, id & 0xffff);
  writeU8(writer, bitsBytes);
}

/** Writes how old the message is whose frame comes next. */
export function ageWrite(writer: Writer, ageMs: number): void {
  writeU8(writer, FRAME_AGE);
  writeVarint(writer, ageMs);
}

export function pingWrite(writer: Writer): void {
  writeU8(writer, FRAME_PING);
}

/** Writes a challenge (`kind` FRAME_CHALLENGE) or the response to one. */
export function pathWrite(writer: Writer, kind: number, proof: Uint8Array): void {
  writeU8(writer, kind);
  writeBytes(writer, proof, 0, PATH_PROOF_BYTES);
}

/** Writes a hello up to the channel hashes, which the caller writes next, four bytes each. */
export function helloWrite(
  writer: Writer,
  version: number,
  nameHash: number,
  channelCount: number,
  payloadBytesMax: number,
  packetRateMax: number,
  byteRateMax: number,
  suites: number,
  publicKey: Uint8Array,
): void {
  writeU8(writer, FRAME_HELLO);
  writeU8(writer, version);
  writeU8(writer, channelCount);
  writeU32(writer, nameHash);
  writeU16(writer, payloadBytesMax);
  writeU16(writer, packetRateMax);
  writeU32(writer, byteRateMax);
  writeU8(writer, suites);
  writeBytes(writer, publicKey, 0, KEY_BYTES);
}

/** Writes what this side says of a channel. */
export function layoutWrite(
  writer: Writer,
  channel: number,
  bytes: Uint8Array,
  offset: number,
  count: number,
): void {
  writeU8(writer, FRAME_LAYOUT);
  writeU8(writer, channel);
  writeVarint(writer, count);
  writeBytes(writer, bytes, offset, count);
}

export function closeWrite(
  writer: Writer,
  reason: number,
  text: Uint8Array,
  textBytes: number,
): void {
  writeU8(writer, FRAME_CLOSE);
  writeU8(writer, reason);
  writeU8(writer, textBytes);
  writeBytes(writer, text, 0, textBytes);
}
