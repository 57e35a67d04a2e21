// submit: what the user put into the submission ring: messages, broadcasts, closes.
//
// Owns the check of a peer's queue against its limits. Never sends: what it queues goes out at a flush.
// Invariant: every message that is taken from the ring is queued or reported dropped; so what
// has no room to be reported in the user's ring is not taken.

import { blockEnqueue } from "./block.js";
import { channelBreak, channelEnqueue, channelReport, FATE_DROPPED } from "./channel.js";
import type { Connection } from "./connection.js";
import { connectionBroken, connectionClose, connectionDrain } from "./ending.js";
import { fragmentLength } from "./fragment.js";
import { layoutSet } from "./layout.js";
import {
  CHUNK_BYTES,
  COMPLETION_RESERVE_BYTES,
  HOLD_RESERVE_PART,
  MESSAGE_ROOM_BYTES,
  PAYLOAD_BYTES_MAX,
} from "./limits.js";
import { bodyCreate, bodyRelease, bodyRetain, NO_CHUNK } from "./queue.js";
import {
  FRAGMENT_RECORD_BYTES,
  NO_ROOM,
  RECORD_BROADCAST,
  RECORD_BYTES,
  RECORD_CLOSE,
  RECORD_LAYOUT,
  RECORD_PAUSE,
  RECORD_SEND,
  RECORD_SEND_BLOCK,
  RECORD_WATCH,
  RECORD_WORDS,
  ringNext,
  ringPeek,
  ringRelease,
  ringRoom,
} from "./ring.js";
import { type Host, hostCount, hostFind, slotSettle, slotWork } from "./slots.js";
import { CONNECTION_OPEN } from "./state.js";
import {
  HOST_MESSAGES_REFUSED,
  PEER_QUEUED_BYTES,
  PEER_QUEUED_MESSAGES,
  PEER_RELEASED_BYTES,
  PEER_RELEASED_MESSAGES,
  statsPeerWord,
} from "./stats.js";
import { channelPause } from "./window.js";

// --- the user's submissions ---

/** Takes what the user has put into the submission ring, as long as there is room for the answers. */
export function hostSubmit(host: Host, nowUs: number): void {
  host.nowUs = nowUs;
  const ring = host.submission;
  for (let word = ringPeek(ring); word !== NO_ROOM; word = ringPeek(ring)) {
    const kind = ring.words[word] >>> 24;
    if (ringRoom(host.completion) < roomOf(host, kind)) {
      break;
    }
    if (kind === RECORD_SEND) {
      submitSend(host, word, nowUs);
    } else if (kind === RECORD_BROADCAST) {
      submitBroadcast(host, word, nowUs);
    } else if (kind === RECORD_SEND_BLOCK) {
      submitBlock(host, word);
    } else if (kind === RECORD_CLOSE) {
      submitClose(host, word, nowUs);
    } else if (kind === RECORD_PAUSE || kind === RECORD_WATCH) {
      submitWish(host, word, kind);
    } else if (kind === RECORD_LAYOUT) {
      submitLayout(host, word);
    }
    ringNext(ring, word);
  }
  ringRelease(ring);
}

/** The room that what a submission brings forth may take. */
function roomOf(host: Host, kind: number): number {
  const peers = kind === RECORD_BROADCAST ? host.open.length : 0;
  return COMPLETION_RESERVE_BYTES + peers * RECORD_BYTES;
}

function submitSend(host: Host, word: number, nowUs: number): void {
  const words = host.submission.words;
  const connection = hostFind(host, words[word + 1]);
  const known = (words[word + 2] & 0xff) < host.config.channelCount;
  if (connection === null || connection.state !== CONNECTION_OPEN || !known) {
    hostCount(host, HOST_MESSAGES_REFUSED, 1);
    return;
  }
  const bytes = words[word + 3];
  const body = bodyCreate(host.outlet.pool, host.submission.bytes, word * 4 + RECORD_BYTES, bytes);
  enqueue(host, connection, word, body, bytes, nowUs);
}

/** One body for all; a peer whose queue is full misses it, which its counters tell. */
function submitBroadcast(host: Host, word: number, nowUs: number): void {
  const words = host.submission.words;
  if ((words[word + 2] & 0xff) >= host.config.channelCount) {
    hostCount(host, HOST_MESSAGES_REFUSED, 1);
    return;
  }
  const bytes = words[word + 3];
  const start = word * 4 + RECORD_BYTES;
  const body = bodyCreate(host.outlet.pool, host.submission.bytes, start, bytes);
  const except = words[word + 1];
  for (const slot of host.open) {
    const connection = host.connections[slot];
    if (connection.state === CONNECTION_OPEN && connection.handle !== except) {
      if (body !== NO_CHUNK) {
        bodyRetain(host.outlet.pool, body);
      }
      enqueue(host, connection, word, body, bytes, nowUs);
    }
  }
  if (body !== NO_CHUNK) {
    bodyRelease(host.outlet.pool, body);
  }
}

/** Counts a message into the peer's queue; whether the queue had room for it. */
function queueTake(host: Host, connection: Connection, bytes: number): boolean {
  const row = statsPeerWord(connection.slot);
  const { queueBytesMax, queueMessagesMax } = host.config;
  const page = host.page;
  const waiting = (page[row + PEER_QUEUED_BYTES] - page[row + PEER_RELEASED_BYTES]) >>> 0;
  const count = (page[row + PEER_QUEUED_MESSAGES] - page[row + PEER_RELEASED_MESSAGES]) >>> 0;
  page[row + PEER_QUEUED_BYTES] = (page[row + PEER_QUEUED_BYTES] + bytes) >>> 0;
  page[row + PEER_QUEUED_MESSAGES] = (page[row + PEER_QUEUED_MESSAGES] + 1) >>> 0;
  return (
    waiting <= queueBytesMax - bytes && count < queueMessagesMax && shareLeft(host, waiting, count)
  );
}

/**
 * Where the last part of the memory is begun, who holds more than an equal share gets no more of it:
 * peers that ack nothing once left none to the others (test/hostile).
 */
function shareLeft(host: Host, waiting: number, count: number): boolean {
  const { chunkCount, messageCount } = host.config;
  const { chunksFree, messagesFree } = host.outlet.pool;
  const scarce =
    messagesFree < Math.trunc(messageCount / HOLD_RESERVE_PART) ||
    chunksFree < Math.trunc(chunkCount / HOLD_RESERVE_PART);
  const peers = host.open.length;
  return (
    !scarce ||
    (count * peers < messageCount && Math.trunc(waiting / CHUNK_BYTES) * peers < chunkCount)
  );
}

/** The next flush serves this connection. */
function dirty(host: Host, connection: Connection): void {
  if (!connection.inDirty) {
    connection.inDirty = true;
    host.dirty[host.dirtyCount] = connection.slot;
    host.dirtyCount += 1;
  }
}

/** Queues a message, or reports it dropped: there is a fate for everything. */
function enqueue(
  host: Host,
  connection: Connection,
  word: number,
  body: number,
  bytes: number,
  nowUs: number,
): void {
  const words = host.submission.words;
  const channel = connection.channels[words[word + 2] & 0xff];
  const room = queueTake(host, connection, bytes) && bytes <= channel.policy.messageBytesMax;
  // Bare payloads are as long as a payload.
  const payloadBytes = host.config.raw
    ? PAYLOAD_BYTES_MAX + MESSAGE_ROOM_BYTES
    : connection.payloadBytes;
  const ttlMs = words[word + 4];
  const tag = words[word + 5];
  const handle = connection.handle;
  if (
    body !== NO_CHUNK &&
    room &&
    channelEnqueue(channel, host.outlet, handle, body, bytes, payloadBytes, nowUs, ttlMs, tag)
  ) {
    dirty(host, connection);
    return;
  }
  if (body !== NO_CHUNK) {
    bodyRelease(host.outlet.pool, body);
  }
  channelReport(host.outlet, channel, handle, tag, bytes, FATE_DROPPED);
  channelBreak(channel, FATE_DROPPED);
  if (channel.broken) {
    connectionBroken(connection, host.shared, nowUs);
    slotSettle(host, connection, nowUs);
  }
}

/** A piece of a block. The user's side keeps within the queue; what doesn't fit is dropped. */
function submitBlock(host: Host, word: number): void {
  const words = host.submission.words;
  const connection = hostFind(host, words[word + 1]);
  const channel = connection?.channels[words[word + 2] & 0xff];
  if (!connection || !channel || connection.state !== CONNECTION_OPEN) {
    hostCount(host, HOST_MESSAGES_REFUSED, 1);
    return;
  }
  const start = word * 4 + RECORD_BYTES + FRAGMENT_RECORD_BYTES;
  const bytes = words[word + 3] - FRAGMENT_RECORD_BYTES;
  const total = words[word + RECORD_WORDS];
  const index = words[word + RECORD_WORDS + 1];
  const tag = words[word + 5];
  const { pool } = host.outlet;
  const room = queueTake(host, connection, bytes);
  const lawful =
    total >= 1 &&
    total <= channel.policy.blockBytesMax &&
    bytes === fragmentLength(total, connection.payloadBytes, index) &&
    room;
  const body = lawful ? bodyCreate(pool, host.submission.bytes, start, bytes) : NO_CHUNK;
  const number = words[word + 4] & 0xffff;
  if (
    body !== NO_CHUNK &&
    blockEnqueue(channel, host.outlet, body, bytes, number, index, total, tag)
  ) {
    dirty(host, connection);
    return;
  }
  if (body !== NO_CHUNK) {
    bodyRelease(pool, body);
  }
  channelReport(host.outlet, channel, connection.handle, tag, bytes, FATE_DROPPED);
}

/** What the user wants to hear: no more of a channel for now, or what becomes of packets. */
function submitWish(host: Host, word: number, kind: number): void {
  const words = host.submission.words;
  const connection = hostFind(host, words[word + 1]);
  const channel = connection?.channels[words[word + 2] & 0xff];
  if (!connection || !channel) {
    return;
  }
  if (kind === RECORD_WATCH) {
    connection.watched = words[word + 5] === 1;
  } else {
    channelPause(channel, words[word + 5] === 1);
    slotWork(host, connection);
  }
}

function submitLayout(host: Host, word: number): void {
  const { words, bytes } = host.submission;
  const { layouts } = host.shared;
  layoutSet(layouts, words[word + 2], bytes, word * 4 + RECORD_BYTES, words[word + 3]);
}

function submitClose(host: Host, word: number, nowUs: number): void {
  const words = host.submission.words;
  const connection = hostFind(host, words[word + 1]);
  if (connection === null) {
    return;
  }
  const end = words[word + 5] === 1 ? connectionDrain : connectionClose;
  end(
    connection,
    host.shared,
    words[word + 4],
    host.submission.bytes,
    word * 4 + RECORD_BYTES,
    words[word + 3],
    nowUs,
  );
  slotSettle(host, connection, nowUs);
}
