/**
 * What surrounds every message of the arena: sender, sequence, content, checksum.
 *
 * Owns: that format, by which receivers check what the transport promised.
 * Never does: know what the content means.
 * Invariants: a sender numbers its messages of a channel 0, 1, 2, … without a gap; the checksum covers
 * everything before it. No game needs this: netrt's packets are sealed, numbered and acked. The arena
 * doesn't take its word for it.
 */
import type { ByteReader, ByteWriter } from "../../lib/bytes.js";

/** The sender of what the server itself says; clients are 0 to 127. */
export const SENDER_SERVER = 0xffff;

const CHECKSUM_BYTES = 4;
const FNV_OFFSET_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a 32 of the first `count` bytes. */
function checksum(bytes: Uint8Array, count: number): number {
  let hash = FNV_OFFSET_BASIS;
  for (let index = 0; index < count; index++) hash = Math.imul(hash ^ bytes[index], FNV_PRIME);
  return hash >>> 0;
}

/** Begins a message in the writer's memory; the content follows. */
export function beginEnvelope(writer: ByteWriter, sender: number, sequence: number): void {
  writer.reset().u16(sender).u32(sequence);
}

/** Ends a message: its bytes, a view of the writer's memory. */
export function sealEnvelope(writer: ByteWriter): Uint8Array {
  const bytes = writer.finish();
  return writer.u32(checksum(bytes, bytes.length)).finish();
}

/** Sender and sequence of a message. */
export interface Envelope {
  sender: number;
  sequence: number;
}

/**
 * Opens a message: fills `envelope` and leaves the reader at the content.
 *
 * @returns false when the checksum or the length is wrong
 */
export function openEnvelope(reader: ByteReader, bytes: Uint8Array, envelope: Envelope): boolean {
  const count = bytes.length - CHECKSUM_BYTES;
  if (count < 0) return false;
  reader.reset(bytes.subarray(count));
  if (reader.u32() !== checksum(bytes, count)) return false;
  reader.reset(bytes.subarray(0, count));
  envelope.sender = reader.u16();
  envelope.sequence = reader.u32();
  return !reader.failed;
}
