/*
 * Owns payloads as bytes, written from docs/PROTOCOL.md alone: what an attacker puts together by hand.
 * Never uses the engines' writers, and checks nothing: wrong bytes are its purpose.
 */
import { NETRT_VERSION, PAYLOAD_BYTES_MAX } from "../../lib/engine/limits.js";
import type { Protocol } from "../../lib/index.js";
import { publicOf } from "../tap.js";

/** Reasons of a close. */
export const REASONS = {
  closed: 1,
  shutdown: 2,
  timedOut: 3,
  mismatch: 4,
  violation: 5,
  disconnected: 6,
  undelivered: 7,
} as const;

/** The private key of the pair that every attacker's hello tells. */
export const SECRET = new Uint8Array(32).fill(0x66);

export const NO_ACK = Uint8Array.of(0);
export const PING = Uint8Array.of(4);

export function u16(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff];
}

export function u32(value: number): number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}

/** The shortest form of up to 28 bits. */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

/** An ack header; the last byte of `bits` should not be 0. */
export function ack(latest: number, delay = 0, bits: readonly number[] = []): Uint8Array {
  return Uint8Array.from([0x80 + bits.length, ...u16(latest & 0xffff), ...u16(delay), ...bits]);
}

export function hello(protocol: Protocol, version = NETRT_VERSION): Uint8Array {
  const hashes = protocol.channelNames.map((_name, index) => protocol.channelHash(index));
  return Uint8Array.from([
    1,
    version,
    hashes.length,
    ...u32(protocol.nameHash),
    ...u16(PAYLOAD_BYTES_MAX),
    ...u16(0),
    ...u32(0),
    1,
    ...publicOf(SECRET),
    ...hashes.flatMap(u32),
  ]);
}

export function skip(channel: number, id: number): Uint8Array {
  return Uint8Array.from([2, channel, ...u16(id & 0xffff)]);
}

export function close(reason: number, text = ""): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return Uint8Array.from([3, reason, bytes.length, ...bytes]);
}

export function nack(channel: number, id: number, bits: readonly number[] = []): Uint8Array {
  return Uint8Array.from([5, channel, ...u16(id & 0xffff), bits.length, ...bits]);
}

/** A message with its length: every one but the last of a payload. */
export function sized(channel: number, id: number, body: Uint8Array): Uint8Array {
  return Uint8Array.from([0xc0 + channel, ...u16(id & 0xffff), ...varint(body.length), ...body]);
}

/** A message that runs to the end of the payload. */
export function last(channel: number, id: number, body: Uint8Array): Uint8Array {
  return Uint8Array.from([0x80 + channel, ...u16(id & 0xffff), ...body]);
}

/** A piece of a long message. */
export function fragment(
  channel: number,
  id: number,
  index: number,
  total: number,
  body: Uint8Array,
): Uint8Array {
  return Uint8Array.from([
    6,
    channel,
    ...u16(id & 0xffff),
    ...varint(index),
    ...varint(total),
    ...body,
  ]);
}

/** A piece of a block; without a body behind the last it says that the rest won't come. */
export function block(
  channel: number,
  id: number,
  number: number,
  index: number,
  total: number,
  body: Uint8Array,
): Uint8Array {
  const head = [7, channel, ...u16(id & 0xffff), ...u16(number & 0xffff)];
  return Uint8Array.from([...head, ...varint(index), ...varint(total), ...body]);
}

/** What the user of a channel has consumed. */
export function window(channel: number, id: number): Uint8Array {
  return Uint8Array.from([8, channel, ...u16(id & 0xffff)]);
}

/** What the sender says that a channel is. */
export function layout(channel: number, body: Uint8Array): Uint8Array {
  return Uint8Array.from([0x0a, channel, ...varint(body.length), ...body]);
}

export function payload(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}
