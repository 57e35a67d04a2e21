// submit: what the user put into the submission ring: messages, broadcasts, closes.
//
// Owns the check of a peer's queue against its limits. Never sends: what it queues goes out at a flush.
// Invariant: every message that is taken from the ring is queued or reported dropped; so what
// has no room to be reported in the user's ring is not taken.

import { channelBreak, channelEnqueue, channelReport, FATE_DROPPED } from "./channel.js";
import type { Connection } from "./connection.js";
import { connectionBroken, connectionClose, connectionDrain } from "./ending.js";
import { COMPLETION_RESERVE_BYTES } from "./limits.js";
import { bodyCreate, bodyRelease, bodyRetain, NO_CHUNK } from "./queue.js";
import {
  NO_ROOM,
  RECORD_BROADCAST,
  RECORD_BYTES,
  RECORD_CLOSE,
  RECORD_SEND,
  ringNext,
  ringPeek,
  ringRelease,
  ringRoom,
} from "./ring.js";
import { type Host, hostCount, hostFind, slotSettle } from "./slots.js";
import { CONNECTION_OPEN } from "./state.js";
import {
  HOST_MESSAGES_REFUSED,
  PEER_QUEUED_BYTES,
  PEER_QUEUED_MESSAGES,
  PEER_RELEASED_BYTES,
  PEER_RELEASED_MESSAGES,
  statsPeerWord,
} from "./stats.js";

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
    } else if (kind === RECORD_CLOSE) {
      submitClose(host, word, nowUs);
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
  const row = statsPeerWord(connection.slot);
  const limits = host.config;
  const page = host.page;
  const waiting = (page[row + PEER_QUEUED_BYTES] - page[row + PEER_RELEASED_BYTES]) >>> 0;
  const count = (page[row + PEER_QUEUED_MESSAGES] - page[row + PEER_RELEASED_MESSAGES]) >>> 0;
  const room =
    bytes <= channel.policy.messageBytesMax &&
    waiting <= limits.queueBytesMax - bytes &&
    count < limits.queueMessagesMax;
  page[row + PEER_QUEUED_BYTES] = (page[row + PEER_QUEUED_BYTES] + bytes) >>> 0;
  page[row + PEER_QUEUED_MESSAGES] = (page[row + PEER_QUEUED_MESSAGES] + 1) >>> 0;
  const ttlMs = words[word + 4];
  const tag = words[word + 5];
  const handle = connection.handle;
  if (
    body !== NO_CHUNK &&
    room &&
    channelEnqueue(channel, host.outlet, handle, body, bytes, nowUs, ttlMs, tag)
  ) {
    if (!connection.inDirty) {
      connection.inDirty = true;
      host.dirty[host.dirtyCount] = connection.slot;
      host.dirtyCount += 1;
    }
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
