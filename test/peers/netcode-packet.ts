// Packets of NETCODE 1.02: raw building and opening for hostile tests, and the gate every encrypted packet goes
// through in the order of the standard. Knows no connection; a caller brings key, allowed types and replay window.

import { open, seal, sequenceNonce, TAG_BYTES, TOKEN_NONCE_BYTES } from "./netcode-cipher.js";
import { CHALLENGE_TOKEN_BYTES, PRIVATE_TOKEN_BYTES, VERSION_INFO } from "./netcode-token.js";

/** The packet types of the standard, in the order of their numbers. */
export const PACKET_NAMES = [
  "request",
  "denied",
  "challenge",
  "response",
  "keepAlive",
  "payload",
  "disconnect",
] as const;

export type PacketName = (typeof PACKET_NAMES)[number];

/** The number of each packet type. */
export const PACKET_TYPES = {
  request: 0,
  denied: 1,
  challenge: 2,
  response: 3,
  keepAlive: 4,
  payload: 5,
  disconnect: 6,
} as const satisfies Record<PacketName, number>;

/** Most payload bytes in one packet. */
export const PAYLOAD_BYTES_MAX = 1200;
/** Bytes of a connection request. */
export const REQUEST_BYTES = 1 + 13 + 8 + 8 + TOKEN_NONCE_BYTES + PRIVATE_TOKEN_BYTES;

const PACKET_BYTES_MIN = 18;
const SEQUENCE_BYTES_MAX = 8;
const REPLAY_ENTRIES = 256;
const REPLAY_SPAN = BigInt(REPLAY_ENTRIES);
const CHALLENGE_BODY_BYTES = 8 + CHALLENGE_TOKEN_BYTES;

/** Fewest and most body bytes of each encrypted type, by its number; a request has no sealed body. */
const BODY_BYTES: readonly (readonly [min: number, max: number])[] = [
  [-1, -1],
  [0, 0],
  [CHALLENGE_BODY_BYTES, CHALLENGE_BODY_BYTES],
  [CHALLENGE_BODY_BYTES, CHALLENGE_BODY_BYTES],
  [8, 8],
  [1, PAYLOAD_BYTES_MAX],
  [0, 0],
];

/** What seals a packet. `type` and `sequenceBytes` may be wrong on purpose. */
export interface SealOptions {
  type: number;
  sequence: bigint;
  key: Uint8Array;
  protocolId: bigint;
  body?: Uint8Array;
  /** How many bytes of the sequence to write and to claim in the prefix; as few as it needs when left out. */
  sequenceBytes?: number;
}

/** How many bytes a sequence needs: 1 to 8, zero takes one. */
export function sequenceByteCount(sequence: bigint): number {
  let count = 1;
  while (count < SEQUENCE_BYTES_MAX && sequence >> BigInt(8 * count) !== 0n) count++;
  return count;
}

function associated(protocolId: bigint, prefix: number): Buffer {
  const bytes = Buffer.alloc(VERSION_INFO.length + 9);
  bytes.set(VERSION_INFO);
  bytes.writeBigUInt64LE(protocolId, VERSION_INFO.length);
  bytes[VERSION_INFO.length + 8] = prefix;
  return bytes;
}

/** Builds any encrypted packet: prefix, sequence, sealed body, tag. Checks nothing. */
export function sealPacket(options: SealOptions): Buffer {
  const count = options.sequenceBytes ?? sequenceByteCount(options.sequence);
  const prefix = ((count & 0xf) << 4) | (options.type & 0xf);
  const head = Buffer.alloc(1 + count);
  head[0] = prefix;
  for (let index = 0; index < count; index++) {
    head[1 + index] = Number((options.sequence >> BigInt(8 * index)) & 0xffn);
  }
  const nonce = sequenceNonce(options.sequence);
  const body = options.body ?? Buffer.alloc(0);
  return Buffer.concat([
    head,
    seal(options.key, nonce, associated(options.protocolId, prefix), body),
  ]);
}

/** An encrypted packet after it was opened. */
export interface OpenedPacket {
  type: number;
  sequence: bigint;
  body: Buffer;
}

/** Type and sequence of a packet, readable without a key; undefined when the prefix or the size is impossible. */
export function peekPacket(
  bytes: Uint8Array,
): { type: number; sequence: bigint; headBytes: number } | undefined {
  const type = bytes[0] & 0xf;
  const count = bytes[0] >> 4;
  if (count < 1 || count > SEQUENCE_BYTES_MAX || bytes.length < 1 + count + TAG_BYTES) {
    return undefined;
  }
  let sequence = 0n;
  for (let index = count; index >= 1; index--) sequence = (sequence << 8n) | BigInt(bytes[index]);
  return { type, sequence, headBytes: 1 + count };
}

/** Opens any encrypted packet, whatever its type and body size; undefined when the key does not fit. */
export function openPacket(
  bytes: Uint8Array,
  key: Uint8Array,
  protocolId: bigint,
): OpenedPacket | undefined {
  const head = peekPacket(bytes);
  if (head === undefined) return undefined;
  const sealed = bytes.subarray(head.headBytes);
  const body = open(key, sequenceNonce(head.sequence), associated(protocolId, bytes[0]), sealed);
  if (body === undefined) return undefined;
  return { type: head.type, sequence: head.sequence, body };
}

/** What a connection request says in the open, and the private token it carries. */
export interface RequestPacket {
  protocolId: bigint;
  expireTimestamp: bigint;
  nonce: Uint8Array;
  sealedPrivate: Uint8Array;
}

/** Builds a connection request of 1,078 bytes from the parts of a public token. */
export function encodeRequest(request: RequestPacket): Buffer {
  const head = Buffer.alloc(1 + VERSION_INFO.length + 16);
  head.set(VERSION_INFO, 1);
  head.writeBigUInt64LE(request.protocolId, 14);
  head.writeBigUInt64LE(request.expireTimestamp, 22);
  return Buffer.concat([head, request.nonce, request.sealedPrivate]);
}

/** Body of a challenge or a response: the challenge sequence, then the sealed challenge token. */
export function encodeChallengeBody(sequence: bigint, sealedToken: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(sequence);
  return Buffer.concat([head, sealedToken]);
}

/** Body of a keep-alive. A client writes zeros. */
export function encodeKeepAliveBody(clientIndex: number, maxClients: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32LE(clientIndex);
  body.writeUInt32LE(maxClients, 4);
  return body;
}

/**
 * Replay window of 256 sequences. An empty entry is undefined, not a number: with 2⁶⁴−1 as the mark of an empty
 * entry a packet of that sequence could be replayed for ever.
 */
export class ReplayWindow {
  #mostRecent = 0n;
  readonly #seen: (bigint | undefined)[] = Array(REPLAY_ENTRIES).fill(undefined);

  /** True for a sequence that is too old or was seen. Subtracts, because an addition overflows near 2⁶⁴ in ports. */
  alreadyReceived(sequence: bigint): boolean {
    if (this.#mostRecent >= REPLAY_SPAN && sequence <= this.#mostRecent - REPLAY_SPAN) return true;
    const seen = this.#seen[Number(sequence % REPLAY_SPAN)];
    return seen !== undefined && seen >= sequence;
  }

  /** To be called after a packet was opened, never before. */
  advance(sequence: bigint): void {
    if (sequence > this.#mostRecent) this.#mostRecent = sequence;
    this.#seen[Number(sequence % REPLAY_SPAN)] = sequence;
  }
}

/** Why the gate ignored a packet, in the order of the checks. */
export type GateReason =
  | "tooSmall"
  | "unknownType"
  | "typeNotAllowed"
  | "sequenceBytes"
  | "truncated"
  | "replayed"
  | "unopened"
  | "bodySize";

/** What a reader brings to the gate. */
export interface Gate {
  key: Uint8Array;
  protocolId: bigint;
  allowed: ReadonlySet<number>;
  replay?: ReplayWindow | undefined;
}

/** Reads an encrypted packet with every check of the standard, in its order. */
export function readPacket(bytes: Uint8Array, gate: Gate): OpenedPacket | GateReason {
  if (bytes.length < PACKET_BYTES_MIN) return "tooSmall";
  const type = bytes[0] & 0xf;
  const count = bytes[0] >> 4;
  if (type >= PACKET_NAMES.length) return "unknownType";
  if (!gate.allowed.has(type)) return "typeNotAllowed";
  if (count < 1 || count > SEQUENCE_BYTES_MAX) return "sequenceBytes";
  const head = peekPacket(bytes);
  if (head === undefined) return "truncated";
  const replay = type >= PACKET_TYPES.keepAlive ? gate.replay : undefined;
  if (replay?.alreadyReceived(head.sequence)) return "replayed";
  const packet = openPacket(bytes, gate.key, gate.protocolId);
  if (packet === undefined) return "unopened";
  replay?.advance(packet.sequence);
  const [min, max] = BODY_BYTES[type];
  if (packet.body.length < min || packet.body.length > max) return "bodySize";
  return packet;
}
