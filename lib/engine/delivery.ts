// delivery: the way in of a channel: duplicates, order, gaps, and the user's ring.
//
// Owns what is held until its turn. Never asks for anything to be sent again (the sender's verdicts
// and the channel's repair do), never reads a clock.
// Invariants: `held` is in the order of ids, all of them >= expectedId; a message is delivered at most
// once; an ordered channel delivers ids in increasing order, and passes a gap only up to passId.

import { type Channel, channelTimely, type Outlet } from "./channel.js";
import { fragmentCount } from "./fragment.js";
import type { Frame } from "./frame.js";
import { CHANNEL_ACCEPT, COMPLETION_END_BYTES, HELD_GROUP_IDS, HELD_GROUPS } from "./limits.js";
import { ORDER_NONE, ORDER_SEQUENCED, REPAIR_NONE } from "./policy.js";
import { bodyCopy, bodyCreate, type Message, messageCreate, messageRelease } from "./queue.js";
import {
  FRAGMENT_RECORD_BYTES,
  NO_ROOM,
  RECORD_BLOCK,
  RECORD_BYTES,
  RECORD_FRAGMENT,
  RECORD_MESSAGE,
  RECORD_WORDS,
  ringPush,
  ringRoom,
} from "./ring.js";
import { sequenceExpand16 } from "./sequence.js";
import {
  CHANNEL_BYTES_RECEIVED,
  CHANNEL_DUPLICATES,
  CHANNEL_FRAGMENTS_RECEIVED,
  CHANNEL_LATE,
  CHANNEL_RECEIVED,
  CHANNEL_SKIPPED,
  statsAdd,
  statsChannelWord,
} from "./stats.js";

export const RECEIVE_OK = 0;
/** The id is outside what a lawful sender can use. */
export const RECEIVE_VIOLATION = 1;
/** The user's ring is full; what is held comes with a later deliveryRelease. */
export const RECEIVE_HELD = 2;
/** It came before its turn and nothing more may be held, or after its gap was passed: it was not taken. */
export const RECEIVE_REFUSED = 3;

/** What a frame and a held message have in common: which part of what it is. */
interface Piece {
  readonly total: number;
  readonly index: number;
  readonly block: boolean;
  readonly number: number;
}

function count(outlet: Outlet, channel: Channel, counter: number, amount: number): void {
  statsAdd(outlet.page, statsChannelWord(channel.index, counter), amount);
}

/** Reserves the record of a message or a fragment; answers the byte offset of its body, or NO_ROOM. */
function deliver(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  id: number,
  piece: Piece,
  bytes: number,
): number {
  const { total, index } = piece;
  const head = total === 0 ? 0 : FRAGMENT_RECORD_BYTES;
  const kind = total === 0 ? RECORD_MESSAGE : piece.block ? RECORD_BLOCK : RECORD_FRAGMENT;
  const word = ringPush(outlet.completion, kind, head + bytes);
  if (word === NO_ROOM) {
    return NO_ROOM;
  }
  const words = outlet.completion.words;
  words[word + 1] = peer;
  words[word + 2] = channel.index;
  words[word + 4] = (kind === RECORD_BLOCK ? piece.number : id - index) >>> 0;
  words[word + 5] = index;
  if (total > 0) {
    words[word + RECORD_WORDS] = total;
    words[word + RECORD_WORDS + 1] = 0;
  }
  count(outlet, channel, total === 0 ? CHANNEL_RECEIVED : CHANNEL_FRAGMENTS_RECEIVED, 1);
  count(outlet, channel, CHANNEL_BYTES_RECEIVED, bytes);
  return word * 4 + RECORD_BYTES + head;
}

function deliverFrame(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  id: number,
  frame: Frame,
  source: Uint8Array,
): boolean {
  const { offset, bytes } = frame;
  const place = deliver(channel, outlet, peer, id, frame, bytes);
  if (place === NO_ROOM) {
    return false;
  }
  outlet.completion.bytes.set(source.subarray(offset, offset + bytes), place);
  return true;
}

/** Whether a lawful sender sends such a message on the channel. */
function deliveryLawful(channel: Channel, frame: Frame): boolean {
  const { policy } = channel;
  if (frame.ageMs > 0 && !channelTimely(channel)) {
    return false;
  }
  if (frame.block) {
    return frame.total <= policy.blockBytesMax;
  }
  return Math.max(frame.total, frame.bytes) <= policy.messageBytesMax;
}

/** Takes a message from the wire. Where it `holds`, the pool has memory to hold a packet's messages. */
export function deliveryReceive(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  frame: Frame,
  source: Uint8Array,
  holds: boolean,
  nowUs: number,
): number {
  if (!deliveryLawful(channel, frame)) {
    return RECEIVE_VIOLATION;
  }
  const id = sequenceExpand16(frame.id, channel.expectedId);
  if (id < channel.expectedId) {
    const passed = deliveryPassed(channel, id);
    const late = channel.policy.order === ORDER_SEQUENCED && id !== channel.expectedId - 1;
    count(outlet, channel, late || passed ? CHANNEL_LATE : CHANNEL_DUPLICATES, 1);
    return passed ? RECEIVE_REFUSED : RECEIVE_OK;
  }
  if (channel.policy.order === ORDER_SEQUENCED) {
    receiveSequenced(channel, outlet, peer, id, frame, source);
    return RECEIVE_OK;
  }
  if (id >= channel.expectedId + CHANNEL_ACCEPT) {
    return RECEIVE_VIOLATION;
  }
  if (channel.policy.order === ORDER_NONE) {
    receiveUnordered(channel, outlet, peer, id, frame, source);
    return RECEIVE_OK;
  }
  const turn =
    id === channel.expectedId && (channel.heldFirst === null || channel.heldFirst.id !== id);
  if (turn && deliverFrame(channel, outlet, peer, id, frame, source)) {
    pass(channel, id + 1, false);
  } else if (!hold(channel, outlet, id, frame, source, holds, nowUs)) {
    return RECEIVE_REFUSED;
  }
  return deliveryRelease(channel, outlet, peer);
}

/** Moves on to an id; where only nacks repair, notes whether those before it were passed. */
function pass(channel: Channel, nextId: number, passed: boolean): void {
  for (let id = channel.expectedId; channelTimely(channel) && id < nextId; id++) {
    setSeen(channel, id, passed);
  }
  channel.expectedId = nextId;
}

/** The newest wins; a message in fragments counts once all of them came. */
function receiveSequenced(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  id: number,
  frame: Frame,
  source: Uint8Array,
): void {
  if (frame.total === 0) {
    deliverFrame(channel, outlet, peer, id, frame, source);
    channel.expectedId = id + 1;
    return;
  }
  const firstId = id - frame.index;
  if (firstId < channel.expectedId || id < channel.newestId - CHANNEL_ACCEPT) {
    count(outlet, channel, CHANNEL_LATE, 1);
    return;
  }
  seenAdvance(channel, id);
  if (deliverySeen(channel, id)) {
    count(outlet, channel, CHANNEL_DUPLICATES, 1);
    return;
  }
  if (deliverFrame(channel, outlet, peer, id, frame, source)) {
    setSeen(channel, id, true);
    const end = firstId + fragmentCount(frame.total, frame.payloadBytes);
    if (seenWhole(channel, firstId, end)) {
      channel.expectedId = end;
    }
  }
}

/** Makes an id the newest; what is forgotten by then is CHANNEL_ACCEPT behind it. */
function seenAdvance(channel: Channel, id: number): void {
  for (let next = Math.max(channel.newestId, id - CHANNEL_ACCEPT + 1); next <= id; next++) {
    setSeen(channel, next, false);
  }
  channel.newestId = Math.max(channel.newestId, id + 1);
}

function seenWhole(channel: Channel, firstId: number, end: number): boolean {
  if (end > channel.newestId || firstId < channel.newestId - CHANNEL_ACCEPT) {
    return false;
  }
  for (let id = firstId; id < end; id++) {
    if (!deliverySeen(channel, id)) {
      return false;
    }
  }
  return true;
}

/**
 * Whether a gap was passed at its deadline over this id, which is below the next one. What comes then is not
 * taken, and its packet not acked: its sender was once told that it was delivered (test/matrix).
 */
function deliveryPassed(channel: Channel, id: number): boolean {
  return (
    channelTimely(channel) && id >= channel.expectedId - CHANNEL_ACCEPT && deliverySeen(channel, id)
  );
}

/** Whether an unordered channel has this id, which lies in its window. */
export function deliverySeen(channel: Channel, id: number): boolean {
  const bit = id & (CHANNEL_ACCEPT - 1);
  return (channel.seen[bit >>> 5] & (1 << (bit & 31))) !== 0;
}

function setSeen(channel: Channel, id: number, seen: boolean): void {
  const bit = id & (CHANNEL_ACCEPT - 1);
  const mask = 1 << (bit & 31);
  const word = channel.seen[bit >>> 5];
  channel.seen[bit >>> 5] = (seen ? word | mask : word & ~mask) >>> 0;
}

/** An unordered channel hands over at once what it has not seen. */
function receiveUnordered(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  id: number,
  frame: Frame,
  source: Uint8Array,
): void {
  if (deliverySeen(channel, id)) {
    count(outlet, channel, CHANNEL_DUPLICATES, 1);
    return;
  }
  deliverFrame(channel, outlet, peer, id, frame, source);
  setSeen(channel, id, true);
  channel.newestId = Math.max(channel.newestId, id + 1);
  passSeen(channel);
}

/** Moves on over what came, and forgets it: its numbers come again. */
function passSeen(channel: Channel): void {
  while (deliverySeen(channel, channel.expectedId)) {
    setSeen(channel, channel.expectedId, false);
    channel.expectedId += 1;
  }
}

function heldPlace(id: number): number {
  return Math.trunc(id / HELD_GROUP_IDS) % HELD_GROUPS;
}

/**
 * What is held with this id, or else with the next below; null for nothing. From the end of all that
 * is held a peer once had us walk past a thousand for each message of a packet (test/hostile).
 */
function heldBelow(channel: Channel, id: number): Message | null {
  const lowest = channel.expectedId - (channel.expectedId % HELD_GROUP_IDS);
  for (let group = id; group >= lowest; group -= HELD_GROUP_IDS) {
    let held = channel.heldTops[heldPlace(group)];
    while (held !== null && held.id > id) {
      held = held.previous;
    }
    if (held !== null) {
      return held;
    }
  }
  return null;
}

/** Keeps a message that came before its turn, in the order of ids; false when it must not. */
function hold(
  channel: Channel,
  outlet: Outlet,
  id: number,
  frame: Frame,
  source: Uint8Array,
  holds: boolean,
  nowUs: number,
): boolean {
  const before = heldBelow(channel, id);
  if (before !== null && before.id === id) {
    count(outlet, channel, CHANNEL_DUPLICATES, 1);
    return true;
  }
  if (!holds) {
    return false;
  }
  const message = messageCreate(outlet.pool)!;
  message.id = id;
  // As if it had come by its first ride.
  message.rodeUs = Math.max(nowUs - frame.ageMs * 1000, 0);
  // A repair is older than what came before it.
  channel.gapUs = Math.min(channel.gapUs, message.rodeUs);
  message.bytes = frame.bytes;
  message.total = frame.total;
  message.index = frame.index;
  message.block = frame.block;
  message.number = frame.number;
  message.body = bodyCreate(outlet.pool, source, frame.offset, frame.bytes);
  message.previous = before;
  message.next = before === null ? channel.heldFirst : before.next;
  if (message.next === null) {
    channel.heldLast = message;
  } else {
    message.next.previous = message;
  }
  if (before === null) {
    channel.heldFirst = message;
  } else {
    before.next = message;
  }
  const top = channel.heldTops[heldPlace(id)];
  if (top === null || top.id < id) {
    channel.heldTops[heldPlace(id)] = message;
  }
  return true;
}

/** Nothing below the id will come any more: gaps below it are passed. */
export function deliverySkip(channel: Channel, outlet: Outlet, peer: number, id16: number): number {
  const id = sequenceExpand16(id16, channel.expectedId);
  const repaired = channel.policy.repair !== REPAIR_NONE;
  if (!repaired || id > channel.expectedId + CHANNEL_ACCEPT) {
    return RECEIVE_VIOLATION;
  }
  channel.passId = Math.max(channel.passId, id);
  if (channel.policy.order === ORDER_NONE) {
    skipUnordered(channel, outlet);
    return RECEIVE_OK;
  }
  return deliveryRelease(channel, outlet, peer);
}

function skipUnordered(channel: Channel, outlet: Outlet): void {
  for (; channel.expectedId < channel.passId; channel.expectedId++) {
    if (!deliverySeen(channel, channel.expectedId)) {
      count(outlet, channel, CHANNEL_SKIPPED, 1);
    }
    setSeen(channel, channel.expectedId, false);
  }
  channel.newestId = Math.max(channel.newestId, channel.expectedId);
  passSeen(channel);
}

/** Delivers what is held and due, and passes gaps up to passId, as far as the user's ring has room. */
export function deliveryRelease(channel: Channel, outlet: Outlet, peer: number): number {
  for (;;) {
    const held = channel.heldFirst;
    if (held !== null && held.id === channel.expectedId) {
      if (!releaseFirst(channel, outlet, peer)) {
        return RECEIVE_HELD;
      }
      pass(channel, channel.expectedId + 1, false);
    } else if (channel.expectedId < channel.passId) {
      const next = held === null ? channel.passId : Math.min(held.id, channel.passId);
      count(outlet, channel, CHANNEL_SKIPPED, next - channel.expectedId);
      pass(channel, next, true);
    } else {
      return RECEIVE_OK;
    }
  }
}

function releaseFirst(channel: Channel, outlet: Outlet, peer: number): boolean {
  if (ringRoom(outlet.completion) < COMPLETION_END_BYTES) {
    return false;
  }
  const message = channel.heldFirst!;
  const place = deliver(channel, outlet, peer, message.id, message, message.bytes);
  if (place === NO_ROOM) {
    return false;
  }
  bodyCopy(outlet.pool, message.body, 0, message.bytes, outlet.completion.bytes, place);
  channel.heldFirst = message.next;
  if (channel.heldTops[heldPlace(message.id)] === message) {
    channel.heldTops[heldPlace(message.id)] = null;
  }
  if (message.next === null) {
    channel.heldLast = null;
  } else {
    message.next.previous = null;
  }
  messageRelease(outlet.pool, message);
  return true;
}

/** Gives up what is held, because the connection ends. */
export function deliveryDrop(channel: Channel, outlet: Outlet): void {
  while (channel.heldFirst !== null) {
    const message = channel.heldFirst;
    channel.heldFirst = message.next;
    messageRelease(outlet.pool, message);
  }
  channel.heldLast = null;
  channel.heldTops.fill(null);
}
