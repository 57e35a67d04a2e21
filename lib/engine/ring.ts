// ring: the two single-producer single-consumer rings between the core and its user.
//
// Owns the record format and the positions. Never looks into a payload, never allocates, never
// blocks: a ring without room answers NO_ROOM and the producer waits for the consumer.
//
// Layout of the memory (V8 owns it, both sides see it):
//   byte 0    u32 head: bytes ever produced, modulo 2^32 (written by the producer)
//   byte 64   u32 tail: bytes ever consumed, modulo 2^32 (written by the consumer; own cache line)
//   byte 128  data, a power of two bytes
// A record is RECORD_WORDS words of header and a payload, padded to 8 bytes. It never wraps: where
// it doesn't fit before the end, a RECORD_PAD fills the rest.
//   word 0 size (24 bits, header and padding included) | kind << 24
//   word 1 peer handle          word 2 channel | flags << 8
//   word 3 payload bytes        word 4, word 5 depend on the kind
// Invariant: 0 <= head - tail <= capacity, both multiples of 8.

export const RING_CONTROL_BYTES = 128;
export const RECORD_WORDS = 6;
export const RECORD_BYTES = 24;
export const NO_ROOM = -1;

export const RECORD_PAD = 0;
/** Completion: a peer is ready (word 4 slot; payload: client id 8 B, address words 24 B, user data 256 B). */
export const RECORD_CONNECT = 1;
/** Completion: a peer is gone (word 4 reason; payload: text in UTF-8). */
export const RECORD_DISCONNECT = 2;
/** Completion: a message (word 4 its id modulo 2^32; payload: its bytes). */
export const RECORD_MESSAGE = 3;
/** Completion: the fate of a sent message (word 4 tag, word 5 fate). */
export const RECORD_FATE = 4;
/** Completion: a client changed its NETCODE state (word 4, as a signed number). */
export const RECORD_STATE = 5;
/** Completion: a fragment (word 4 the id of the first, word 5 its index; payload: total 4 B, zero 4 B, its bytes). */
export const RECORD_FRAGMENT = 6;
/** Completion: a fragment of a block (word 4 the block's number; else as RECORD_FRAGMENT; behind the last: no bytes, given up). */
export const RECORD_BLOCK = 7;
/** Completion: a packet's verdict (word 4 its number modulo 2^32, word 5 1 for acked; payload: bytes 4 B, its number's high word 4 B). */
export const RECORD_PACKET = 8;
/** Completion: a peer's protocol is another one (word 2 the channel that its layout is of, word 4 bytes of the text, word 5 1 if we found it; payload: as RECORD_CONNECT, the text, the layout); its RECORD_DISCONNECT follows where there was a RECORD_CONNECT. */
export const RECORD_MISMATCH = 9;
/** Completion: a peer is at another address now (payload as RECORD_CONNECT). */
export const RECORD_MOVE = 10;
/** Submission: a message to one peer (word 4 time to live in ms or TTL_DEFAULT, word 5 tag). */
export const RECORD_SEND = 16;
/** Submission: the same message to every connected peer (fields as RECORD_SEND). */
export const RECORD_BROADCAST = 17;
/** Submission: close a peer (word 4 reason, word 5 1 to drain first; payload: text in UTF-8). */
export const RECORD_CLOSE = 18;

/** Submission: a fragment of a block (word 4 the block's number, word 5 tag; payload: total 4 B, index 4 B, its bytes). */
export const RECORD_SEND_BLOCK = 19;
/** Submission: the user takes no more of a channel for now (word 5 1), or again (0). */
export const RECORD_PAUSE = 20;
/** Submission: the user wants every packet's verdict (word 5 1), or no more (0). */
export const RECORD_WATCH = 21;
/** Submission: what is said of a channel to peers that define it differently (payload: R-67). */
export const RECORD_LAYOUT = 22;

/** Bytes of a peer's id, address and user data in the payload of a record. */
export const PEER_RECORD_BYTES = 288;

/** Bytes before the body in the payload of a fragment's record. */
export const FRAGMENT_RECORD_BYTES = 8;

/** word 4 of RECORD_SEND: the expiry that the channel's policy says. */
export const TTL_DEFAULT = 0xffffffff;

export class Ring {
  control: Uint32Array = new Uint32Array(0);
  words: Uint32Array = new Uint32Array(0);
  bytes: Uint8Array = new Uint8Array(0);
  capacity = 0;
  /** The producer's position, published by ringPublish. */
  head = 0;
  /** The consumer's position, published by ringRelease. */
  tail = 0;
}

/** The bytes that a ring with `capacity` bytes of data needs; capacity is a power of two. */
export function ringBytes(capacity: number): number {
  return RING_CONTROL_BYTES + capacity;
}

export function ringSet(ring: Ring, memory: Uint8Array): void {
  const capacity = memory.length - RING_CONTROL_BYTES;
  ring.control = new Uint32Array(memory.buffer, memory.byteOffset, RING_CONTROL_BYTES / 4);
  ring.words = new Uint32Array(memory.buffer, memory.byteOffset + RING_CONTROL_BYTES, capacity / 4);
  ring.bytes = new Uint8Array(memory.buffer, memory.byteOffset + RING_CONTROL_BYTES, capacity);
  ring.capacity = capacity;
  ring.head = Atomics.load(ring.control, 0);
  ring.tail = Atomics.load(ring.control, 16);
}

function recordBytes(payloadBytes: number): number {
  return (RECORD_BYTES + payloadBytes + 7) & ~7;
}

/** The bytes that the producer may still write; a record may need up to twice its size (padding). */
export function ringRoom(ring: Ring): number {
  const used = (ring.head - Atomics.load(ring.control, 16)) >>> 0;
  return ring.capacity - used;
}

/**
 * Reserves a record and writes its kind and size.
 * Returns the index of its first word, or NO_ROOM. The record counts once ringPublish is called.
 */
export function ringPush(ring: Ring, kind: number, payloadBytes: number): number {
  const size = recordBytes(payloadBytes);
  const position = ring.head & (ring.capacity - 1);
  const contiguous = ring.capacity - position;
  const padding = size > contiguous ? contiguous : 0;
  if (size + padding > ringRoom(ring)) {
    return NO_ROOM;
  }
  if (padding > 0) {
    ring.words[position >>> 2] = padding | (RECORD_PAD << 24);
    ring.head = (ring.head + padding) >>> 0;
  }
  const word = (ring.head & (ring.capacity - 1)) >>> 2;
  ring.words[word] = (size | (kind << 24)) >>> 0;
  ring.words[word + 3] = payloadBytes;
  ring.head = (ring.head + size) >>> 0;
  return word;
}

/** Makes everything pushed so far visible to the consumer. A number above 2^31 would be an object of its own. */
export function ringPublish(ring: Ring): void {
  Atomics.store(ring.control, 0, ring.head | 0);
}

/**
 * The index of the first word of the oldest record, or NO_ROOM when the ring is empty.
 * Padding is skipped here; the record stays valid until ringRelease.
 */
export function ringPeek(ring: Ring): number {
  for (;;) {
    if (Atomics.load(ring.control, 0) === ring.tail) {
      return NO_ROOM;
    }
    const word = (ring.tail & (ring.capacity - 1)) >>> 2;
    const first = ring.words[word];
    if (first >>> 24 !== RECORD_PAD) {
      return word;
    }
    ring.tail = (ring.tail + (first & 0xffffff)) >>> 0;
  }
}

/** Steps over the record that ringPeek answered, without giving its memory back yet. */
export function ringNext(ring: Ring, word: number): void {
  ring.tail = (ring.tail + (ring.words[word] & 0xffffff)) >>> 0;
}

/** Gives the memory of every record stepped over back to the producer. */
export function ringRelease(ring: Ring): void {
  Atomics.store(ring.control, 16, ring.tail | 0);
}
