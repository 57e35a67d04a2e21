// queue: the memory of messages, shared by all connections of a host.
//
// Owns message bodies (chains of CHUNK_BYTES chunks, counted references), message records and the
// transmission entries that tell which packet carried which message. All of it is there from open
// on; an empty pool answers null or NO_CHUNK and the caller reports it.
// Never orders, expires or sends anything.
// Invariants: every chunk is in the free list or in one body; a body's references are the messages
// that hold it; free counts equal the lengths of the free lists.

import { CHUNK_BYTES } from "./limits.js";

export const NO_CHUNK = 0xffffffff;

/** A message on its way out, or one that waits for its turn on the way in. */
export class Message {
  next: Message | null = null;
  previous: Message | null = null;
  /** Number in the channel, counted from 0; given when it is first sent. */
  id = 0;
  /** Place in the channel's line, counted from 0; given when it is enqueued. */
  place = 0;
  channel = 0;
  body = NO_CHUNK;
  /** Where its bytes start in the body: fragments of a message share one. */
  start = 0;
  bytes = 0;
  /** A fragment: bytes of the whole message or block; else 0. */
  total = 0;
  /** A fragment: which of the whole. */
  index = 0;
  /** A fragment of a block, and the block's number modulo 65536. */
  block = false;
  number = 0;
  /** A fragment of a message: the record of the whole. */
  group: Message | null = null;
  /** The record of a whole: fragments without a fate. */
  pieces = 0;
  /** Undecided packets that carry it. */
  inFlight = 0;
  /** Packets with the verdict lost that carried it, of which an ack may still come. */
  unsettled = 0;
  copiesLeft = 0;
  /** How often all its packets were lost, up to 255. */
  losses = 0;
  tag = 0;
  expiresUs = 0;
  /** When it last rode in a packet (µs). */
  rodeUs = 0;
  /** In the channel's list (not yet delivered, expired or given up). */
  listed = false;
  /** Was in a packet at least once. */
  sent = false;
  /** Every packet that carried it is lost: it must ride again. */
  resend = false;
  /** Chosen for the packet under construction. */
  planned = false;
}

/** A packet carried a message, */
export const CARRIED_MESSAGE = 0;
/** … or a channel's skip, */
export const CARRIED_SKIP = 1;
/** … or what a channel's user has consumed. */
export const CARRIED_WINDOW = 2;

/** What a packet carried. The Tribes transmission record. */
export class Carried {
  next: Carried | null = null;
  kind = CARRIED_MESSAGE;
  message: Message | null = null;
  channel = 0;
  /** The id of a skip or of a consumed mark. */
  id = 0;
}

export class Pool {
  chunks: Uint8Array;
  chunkNext: Uint32Array;
  /** References to the body that starts at this chunk. */
  references: Uint32Array;
  chunkFree = 0;
  chunksFree: number;
  messageFree: Message | null = null;
  messagesFree: number;
  carriedFree: Carried | null = null;
  carriedsFree: number;

  constructor(chunkCount: number, messageCount: number, carriedCount: number) {
    this.chunks = new Uint8Array(chunkCount * CHUNK_BYTES);
    this.chunkNext = new Uint32Array(chunkCount);
    this.references = new Uint32Array(chunkCount);
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      this.chunkNext[chunk] = chunk + 1 < chunkCount ? chunk + 1 : NO_CHUNK;
    }
    this.chunksFree = chunkCount;
    this.messagesFree = messageCount;
    this.carriedsFree = carriedCount;
  }
}

/** The chunks that a body of so many bytes takes; an empty body takes one. */
export function bodyChunks(bytes: number): number {
  return bytes === 0 ? 1 : Math.trunc((bytes + CHUNK_BYTES - 1) / CHUNK_BYTES);
}

/** Copies bytes into a new body with one reference. NO_CHUNK when the pool is short. */
export function bodyCreate(pool: Pool, source: Uint8Array, offset: number, bytes: number): number {
  const count = bodyChunks(bytes);
  if (count > pool.chunksFree) {
    return NO_CHUNK;
  }
  const first = pool.chunkFree;
  let chunk = first;
  let done = 0;
  for (let index = 0; index < count; index++) {
    const size = Math.min(bytes - done, CHUNK_BYTES);
    pool.chunks.set(source.subarray(offset + done, offset + done + size), chunk * CHUNK_BYTES);
    done += size;
    if (index + 1 === count) {
      pool.chunkFree = pool.chunkNext[chunk];
      pool.chunkNext[chunk] = NO_CHUNK;
    } else {
      chunk = pool.chunkNext[chunk];
    }
  }
  pool.chunksFree -= count;
  pool.references[first] = 1;
  return first;
}

/** Copies so many bytes of a body out, from `start` on. */
export function bodyCopy(
  pool: Pool,
  body: number,
  start: number,
  bytes: number,
  target: Uint8Array,
  offset: number,
): void {
  let chunk = body;
  let skip = start;
  for (; skip >= CHUNK_BYTES; skip -= CHUNK_BYTES) {
    chunk = pool.chunkNext[chunk];
  }
  for (let done = 0; done < bytes; ) {
    const size = Math.min(bytes - done, CHUNK_BYTES - skip);
    const from = chunk * CHUNK_BYTES + skip;
    target.set(pool.chunks.subarray(from, from + size), offset + done);
    chunk = pool.chunkNext[chunk];
    done += size;
    skip = 0;
  }
}

export function bodyRetain(pool: Pool, body: number): void {
  pool.references[body] = pool.references[body] + 1;
}

/** Gives one reference back, and the chunks with the last one. */
export function bodyRelease(pool: Pool, body: number): void {
  const references = pool.references[body] - 1;
  pool.references[body] = references;
  if (references > 0) {
    return;
  }
  let chunk = body;
  let count = 1;
  while (pool.chunkNext[chunk] !== NO_CHUNK) {
    chunk = pool.chunkNext[chunk];
    count += 1;
  }
  pool.chunkNext[chunk] = pool.chunkFree;
  pool.chunkFree = body;
  pool.chunksFree += count;
}

export function messageCreate(pool: Pool): Message | null {
  if (pool.messagesFree === 0) {
    return null;
  }
  pool.messagesFree -= 1;
  const message = pool.messageFree;
  if (message === null) {
    return new Message();
  }
  pool.messageFree = message.next;
  message.next = null;
  message.previous = null;
  message.body = NO_CHUNK;
  message.start = 0;
  message.total = 0;
  message.index = 0;
  message.block = false;
  message.number = 0;
  message.group = null;
  message.pieces = 0;
  message.inFlight = 0;
  message.unsettled = 0;
  message.copiesLeft = 0;
  message.losses = 0;
  message.tag = 0;
  message.listed = false;
  message.sent = false;
  message.resend = false;
  message.planned = false;
  return message;
}

/** Gives a message and its reference to a body back. */
export function messageRelease(pool: Pool, message: Message): void {
  messageForgetBody(pool, message);
  message.next = pool.messageFree;
  pool.messageFree = message;
  pool.messagesFree += 1;
}

/** Gives a message that is in no list back, once no packet points at it. */
export function messageUntie(pool: Pool, message: Message): void {
  if (message.inFlight === 0 && message.unsettled === 0) {
    messageRelease(pool, message);
  }
}

/** Gives the body back while the record must stay (packets that carried it are undecided). */
export function messageForgetBody(pool: Pool, message: Message): void {
  if (message.body !== NO_CHUNK) {
    bodyRelease(pool, message.body);
    message.body = NO_CHUNK;
  }
}

export function carriedCreate(pool: Pool): Carried | null {
  if (pool.carriedsFree === 0) {
    return null;
  }
  pool.carriedsFree -= 1;
  const carried = pool.carriedFree;
  if (carried === null) {
    return new Carried();
  }
  pool.carriedFree = carried.next;
  carried.next = null;
  carried.kind = CARRIED_MESSAGE;
  carried.message = null;
  return carried;
}

export function carriedRelease(pool: Pool, carried: Carried): void {
  carried.next = pool.carriedFree;
  pool.carriedFree = carried;
  pool.carriedsFree += 1;
}
