/**
 * What surrounds every message of the arena: sender and sequence before the content, a checksum after it.
 *
 * Owns: these fields, by which receivers check what the transport promised.
 * Never does: know what the content means.
 * Invariants: a sender numbers its messages of a channel 0, 1, 2, … without a gap; the checksum covers
 * every byte before it. No game needs this: netrt's packets are sealed, numbered and acked. The arena
 * doesn't take its word for it.
 */
import { align, type Schema, u16, u32 } from "../../lib/schema/index.js";

/** The sender of what the server itself says; clients are 0 to 127. */
export const SENDER_SERVER = 0xffff;

/** The first fields of a message. They are whole bytes, so that they can be read without the rest. */
export const HEAD = { sender: u16, sequence: u32 };
/** The last ones: the checksum is the last four bytes. */
export const TAIL = { border: align(), checksum: u32 };

const HEAD_BYTES = 6;
const CHECKSUM_BYTES = 4;
/** More than any message of the arena has. */
const MEMORY_BYTES = 2048;
const FNV_OFFSET_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Sender and sequence of a message. */
export interface Envelope {
  sender: number;
  sequence: number;
}

/** A message with its envelope. */
export interface Sealed extends Envelope {
  checksum: number;
}

const memory = new Uint8Array(MEMORY_BYTES);

/** FNV-1a 32 of what stands before the checksum. */
function checksum(bytes: Uint8Array): number {
  const count = bytes.length - CHECKSUM_BYTES;
  let hash = FNV_OFFSET_BASIS;
  for (let index = 0; index < count; index++) hash = Math.imul(hash ^ bytes[index], FNV_PRIME);
  return hash >>> 0;
}

function word(bytes: Uint8Array, at: number): number {
  const low = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
  return (low | (bytes[at + 3] << 24)) >>> 0;
}

function encode<T extends Sealed>(schema: Schema<T>, message: T): Uint8Array {
  return memory.subarray(0, schema.encodeInto(message, memory));
}

/** Gives a message its checksum. */
export function seal<T extends Sealed>(schema: Schema<T>, message: T): T {
  message.checksum = checksum(encode(schema, message));
  return message;
}

/** The same as bytes, a view of memory that the next message takes. */
export function sealBytes<T extends Sealed>(schema: Schema<T>, message: T): Uint8Array {
  const bytes = encode(schema, message);
  const sum = checksum(bytes);
  for (let index = 0; index < CHECKSUM_BYTES; index++) {
    bytes[bytes.length - CHECKSUM_BYTES + index] = sum >>> (8 * index);
  }
  return bytes;
}

/** Whether a message came as it was sealed. */
export function isWhole<T extends Sealed>(schema: Schema<T>, message: T): boolean {
  return checksum(encode(schema, message)) === message.checksum;
}

/**
 * Opens a message that is not decoded yet: fills `envelope`.
 *
 * @returns false when the checksum or the length is wrong
 */
export function openEnvelope(bytes: Uint8Array, envelope: Envelope): boolean {
  const count = bytes.length - CHECKSUM_BYTES;
  if (count < HEAD_BYTES || word(bytes, count) !== checksum(bytes)) return false;
  envelope.sender = bytes[0] | (bytes[1] << 8);
  envelope.sequence = word(bytes, 2);
  return true;
}
