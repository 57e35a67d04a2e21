/*
 * Owns what of a packet is in the clear: prefix byte and sequence; and the sizes of each type, the
 * standard's and our own.
 * Never opens or seals a packet, and never judges which types a side accepts.
 * Invariants: what `packetHeaderWrite` writes is the shortest form; reading accepts longer ones with
 * high zero bytes, as the standard does: the prefix byte is under the packet's tag, so a longer
 * form is the sender's choice and not a forgery.
 */
import {
  CHALLENGE_BODY_BYTES,
  KEEP_ALIVE_BODY_BYTES,
  MOVING_HEADER_BYTES,
  PACKET_BYTES_MIN,
  PACKET_TYPES,
  PATH_ID_BYTES,
  PAYLOAD_BYTES_MAX,
  SEQUENCE_BYTES_MAX,
  SESSION_HEADER_BYTES,
  TAG_BYTES,
  VERSION_BYTES,
  VERSION_INFO,
} from "./limits.js";

export const PACKET_REQUEST = 0;
export const PACKET_DENIED = 1;
export const PACKET_CHALLENGE = 2;
export const PACKET_RESPONSE = 3;
export const PACKET_KEEP_ALIVE = 4;
export const PACKET_PAYLOAD = 5;
export const PACKET_DISCONNECT = 6;
/**
 * Ours, and only between netrt peers: a payload, or nothing for a disconnect, under session keys
 * (R-63).
 */
export const PACKET_SESSION = 7;
/** The one prefix byte that a session packet has: its type, and three bytes of its number. */
export const SESSION_PREFIX = 0x37;
/** Ours as well: a client's payload under session keys, which finds its connection by a path's id. */
export const PACKET_MOVING = 8;
export const MOVING_PREFIX = 0x38;

/** Shorter than its type can be. */
export const REJECT_TOO_SHORT = 1;
/** A type that the standard does not have. */
export const REJECT_TYPE = 2;
/** A sequence of zero bytes, or of more than eight. */
export const REJECT_SEQUENCE_BYTES = 3;

export class PacketHeader {
  type = PACKET_REQUEST;
  /** Of a session or moving packet the low EPOCH_BITS, until its connection knows the rest. */
  sequenceLo = 0;
  sequenceHi = 0;
  /** Bytes of prefix and sequence: where the body starts. */
  bytes = 0;
  /** MOVING: the path's id. */
  pathLo = 0;
  pathHi = 0;
}

/**
 * Reads the header of the packet at bytes[offset, offset + length): 0, or the reason to ignore it.
 * A prefix byte of zero is a connection request, which has no sequence.
 */
export function packetHeaderRead(
  bytes: Uint8Array,
  offset: number,
  length: number,
  header: PacketHeader,
): number {
  header.type = PACKET_REQUEST;
  header.sequenceLo = 0;
  header.sequenceHi = 0;
  header.bytes = 1;
  if (length < PACKET_BYTES_MIN) return REJECT_TOO_SHORT;
  const prefix = bytes[offset];
  if (prefix === 0) return 0;
  const type = prefix & 0x0f;
  // Type 0 with sequence bytes is a request that claims to be sealed: there is no such packet.
  const ours = prefix === SESSION_PREFIX || prefix === MOVING_PREFIX;
  if (type === PACKET_REQUEST || (type >= PACKET_TYPES && !ours)) {
    return REJECT_TYPE;
  }
  const count = prefix >>> 4;
  if (count === 0 || count > SEQUENCE_BYTES_MAX) return REJECT_SEQUENCE_BYTES;
  if (length < 1 + count + TAG_BYTES) return REJECT_TOO_SHORT;
  let lo = 0;
  let hi = 0;
  for (let index = 0; index < count; index++) {
    const byte = bytes[offset + 1 + index];
    if (index < 4) lo |= byte << (8 * index);
    else hi |= byte << (8 * (index - 4));
  }
  header.type = type;
  header.sequenceLo = lo >>> 0;
  header.sequenceHi = hi >>> 0;
  header.bytes = 1 + count;
  return type === PACKET_MOVING ? pathIdRead(bytes, offset, length, header) : 0;
}

/** The id of the path, behind the number of a moving packet. */
function pathIdRead(
  bytes: Uint8Array,
  offset: number,
  length: number,
  header: PacketHeader,
): number {
  if (length < MOVING_HEADER_BYTES + TAG_BYTES) return REJECT_TOO_SHORT;
  header.bytes = MOVING_HEADER_BYTES;
  header.pathLo = readWord(bytes, offset + SESSION_HEADER_BYTES);
  header.pathHi = readWord(bytes, offset + SESSION_HEADER_BYTES + 4);
  return 0;
}

function readWord(bytes: Uint8Array, offset: number): number {
  let word = 0;
  for (let index = 0; index < 4; index++) word |= bytes[offset + index] << (8 * index);
  return word >>> 0;
}

/** Bytes of the sequence in its shortest form, 1 to 8. */
export function sequenceBytes(sequenceLo: number, sequenceHi: number): number {
  if (sequenceHi !== 0) return 8 - (Math.clz32(sequenceHi) >>> 3);
  return sequenceLo === 0 ? 1 : 4 - (Math.clz32(sequenceLo) >>> 3);
}

/** Writes prefix and sequence, at most PACKET_HEADER_BYTES_MAX bytes, and returns how many. */
export function packetHeaderWrite(
  type: number,
  sequenceLo: number,
  sequenceHi: number,
  bytes: Uint8Array,
  offset: number,
): number {
  const count = sequenceBytes(sequenceLo, sequenceHi);
  bytes[offset] = (count << 4) | type;
  for (let index = 0; index < count; index++) {
    bytes[offset + 1 + index] =
      index < 4 ? sequenceLo >>> (8 * index) : sequenceHi >>> (8 * (index - 4));
  }
  return 1 + count;
}

/** Writes a session packet's prefix and the low part of its number: SESSION_HEADER_BYTES. */
export function sessionHeaderWrite(numberLo: number, bytes: Uint8Array, offset: number): number {
  bytes[offset] = SESSION_PREFIX;
  for (let index = 1; index < SESSION_HEADER_BYTES; index++) {
    bytes[offset + index] = numberLo >>> (8 * (index - 1));
  }
  return SESSION_HEADER_BYTES;
}

/** Writes what a moving packet has before its body: MOVING_HEADER_BYTES. */
export function movingHeaderWrite(
  numberLo: number,
  pathLo: number,
  pathHi: number,
  bytes: Uint8Array,
  offset: number,
): number {
  sessionHeaderWrite(numberLo, bytes, offset);
  bytes[offset] = MOVING_PREFIX;
  for (let index = 0; index < PATH_ID_BYTES; index++) {
    const word = index < 4 ? pathLo : pathHi;
    bytes[offset + SESSION_HEADER_BYTES + index] = word >>> (8 * (index & 3));
  }
  return MOVING_HEADER_BYTES;
}

/**
 * Writes what the tag covers besides the body: PACKET_ASSOCIATED_BYTES at the start of `out`. The id is the
 * protocol's; of a moving packet the path's, whose keys are bound to the protocol's already.
 */
export function packetAssociatedData(
  idLo: number,
  idHi: number,
  prefixByte: number,
  out: Uint8Array,
): void {
  for (let index = 0; index < VERSION_BYTES; index++) out[index] = VERSION_INFO[index];
  for (let index = 0; index < 4; index++) {
    out[VERSION_BYTES + index] = idLo >>> (8 * index);
    out[VERSION_BYTES + 4 + index] = idHi >>> (8 * index);
  }
  out[VERSION_BYTES + 8] = prefixByte;
}

/** Whether a body, once opened, has a size that its type allows. */
export function packetBodyValid(type: number, bodyBytes: number): boolean {
  switch (type) {
    case PACKET_DENIED:
    case PACKET_DISCONNECT:
      return bodyBytes === 0;
    case PACKET_CHALLENGE:
    case PACKET_RESPONSE:
      return bodyBytes === CHALLENGE_BODY_BYTES;
    case PACKET_KEEP_ALIVE:
      return bodyBytes === KEEP_ALIVE_BODY_BYTES;
    case PACKET_PAYLOAD:
      return bodyBytes >= 1 && bodyBytes <= PAYLOAD_BYTES_MAX;
    case PACKET_SESSION:
      return bodyBytes <= PAYLOAD_BYTES_MAX;
    case PACKET_MOVING:
      return bodyBytes >= 1 && bodyBytes <= PAYLOAD_BYTES_MAX - PATH_ID_BYTES;
    default:
      return false;
  }
}
