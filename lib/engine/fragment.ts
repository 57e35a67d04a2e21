// fragment: how what is longer than a packet is cut.
//
// Owns the arithmetic: sizes follow from the payload that both ends take, so no length stands on the
// wire and no peer can send a message in crumbs. Never holds a message.

import {
  FRAGMENT_BYTES_MAX,
  FRAGMENT_ROOM_BYTES,
  FRAGMENT_UNIT_BYTES,
  MESSAGE_ROOM_BYTES,
} from "./limits.js";

/** Bytes of the longest message that goes in one piece. */
export function wholeBytesMax(payloadBytes: number): number {
  return payloadBytes - MESSAGE_ROOM_BYTES;
}

/** Bytes of every fragment but the last. */
export function fragmentBytes(payloadBytes: number): number {
  const room = payloadBytes - FRAGMENT_ROOM_BYTES;
  return Math.min(room - (room % FRAGMENT_UNIT_BYTES), FRAGMENT_BYTES_MAX);
}

/** Fragments of a whole of so many bytes, at least 1. */
export function fragmentCount(total: number, payloadBytes: number): number {
  const size = fragmentBytes(payloadBytes);
  return Math.trunc((total + size - 1) / size);
}

/** Bytes of one fragment; 0 behind the last. */
export function fragmentLength(total: number, payloadBytes: number, index: number): number {
  const size = fragmentBytes(payloadBytes);
  const start = index * size;
  return start >= total ? 0 : Math.min(size, total - start);
}
