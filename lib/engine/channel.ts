// channel: messages of one channel of one connection: order, repair, copies, expiry.
//
// Owns the state of a channel and its line of messages (riding is plan's and ride's, the way in delivery's).
// One machine serves every policy; a strategy is a policy, not a code path. Never knows an address, a
// packet's number or a clock: time comes in, and what a packet carried comes back with its verdict.
// Invariants: the send list is in the order of sending, unsent messages are its tail (from `fresh` on);
// ids are given at the first ride, so what is never sent leaves no gap; an ordered channel never
// sends an id CHANNEL_WINDOW or more above the lowest that the receiver may still wait for;
// a message leaves the list exactly once, with one fate. A long message stands in the list as
// its fragments, one behind the other, and leaves it with the first of them that is given up.

import { fragmentBytes, fragmentCount, fragmentLength, wholeBytesMax } from "./fragment.js";
import { CHANNEL_ACCEPT, CHANNEL_WINDOW, HELD_GROUPS, WINDOW_STEP } from "./limits.js";
import {
  EXPIRY_NEVER,
  EXPIRY_SUPERSEDED,
  ORDER_SEQUENCED,
  type Policy,
  REPAIR_ACK,
  REPAIR_NACK,
  REPAIR_NONE,
  STRATEGY_CRITICAL,
} from "./policy.js";
import {
  bodyRetain,
  type Message,
  messageCreate,
  messageForgetBody,
  messageRelease,
  messageUntie,
  type Pool,
} from "./queue.js";
import { NO_ROOM, RECORD_FATE, type Ring, ringPush, TTL_DEFAULT } from "./ring.js";
import {
  CHANNEL_ACKED,
  CHANNEL_DROPPED,
  CHANNEL_EXPIRED,
  CHANNEL_LOST,
  CHANNEL_SUPERSEDED,
  PEER_RELEASED_BYTES,
  PEER_RELEASED_MESSAGES,
  statsAdd,
  statsChannelWord,
  statsPeerWord,
} from "./stats.js";
import { NO_DEADLINE } from "./timers.js";

// --- fates of a message (R-45) ---
export const FATE_DELIVERED = 1;
export const FATE_EXPIRED = 2;
export const FATE_SUPERSEDED = 3;
export const FATE_LOST = 4;
export const FATE_DROPPED = 5;

/** What a channel needs from its host: shared memory, the ring to its user, the page of counters. */
export interface Outlet {
  pool: Pool;
  completion: Ring;
  page: Uint32Array;
}

export const NO_ID = -1;

export class Channel {
  index = 0;
  policy: Policy;

  // --- sending ---
  first: Message | null = null;
  last: Message | null = null;
  /** The first message that was never in a packet; the list behind it is unsent too. */
  fresh: Message | null = null;
  /** Messages in the list; the fragments of one count as one. */
  listed = 0;
  /** Fragments of blocks that wait behind everything else. */
  blockFirst: Message | null = null;
  blockLast: Message | null = null;
  /** The place in line of the next message. */
  nextPlace = 0;
  /** Unsent messages with a lower place missed their flush: a newer one supersedes them. */
  stalePlace = 0;
  /** The id that the next message gets when it is first sent. */
  nextId = 0;
  /** Listed messages whose packets are all lost. */
  resends = 0;
  /** Sent messages that still have copies to ride. */
  copying = 0;
  earliestExpiryUs = NO_DEADLINE;
  /** Ids from the first to the last that were sent, given up and not yet skipped. */
  holeFirst = NO_ID;
  holeLast = NO_ID;
  /** The skip that a packet carries now, or NO_ID. */
  skipping = NO_ID;
  /** The peer's user has consumed everything below this id. */
  consumedId = 0;
  /** Bytes that rode, by the channel's weight: whoever has the least goes first. */
  served = 0;
  /** A critical channel gave a message up: the connection must end. */
  broken = false;

  // --- receiving ---
  /** Ordered: the id to deliver next. Sequenced: the id behind the newest delivered. */
  expectedId = 0;
  /** Gaps below this id are passed: the sender gave them up. */
  passId = 0;
  heldFirst: Message | null = null;
  heldLast: Message | null = null;
  readonly heldTops = new Array<Message | null>(HELD_GROUPS).fill(null); // the last of each group of ids
  /** Unordered, and fragments of sequenced: the id behind the highest received, and which of the last CHANNEL_ACCEPT came; where only nacks repair, which before expectedId were passed. */
  newestId = 0;
  seen = new Uint32Array(CHANNEL_ACCEPT / 32);
  /** The id that everything behind it waits for, and since when (µs); NO_ID for none. */
  gapId = NO_ID;
  gapUs = 0;
  /** Half a round trip, when that was looked at last (µs). */
  gapOneWayUs = 0;
  /** When what is missing is named next. */
  nackDueUs = NO_DEADLINE;
  /** The peer was told that our user has consumed everything below toldId, and knows it of knownId. */
  toldId = 0;
  knownId = 0;
  /** Our user wants no more for now: what came from pausedId on doesn't count as consumed. */
  paused = false;
  pausedId = 0;

  constructor(policy: Policy) {
    this.policy = policy;
  }
}

export function channelReset(channel: Channel): void {
  channel.first = null;
  channel.last = null;
  channel.fresh = null;
  channel.listed = 0;
  channel.nextPlace = 0;
  channel.stalePlace = 0;
  channel.nextId = 0;
  channel.resends = 0;
  channel.copying = 0;
  channel.earliestExpiryUs = NO_DEADLINE;
  channel.holeFirst = NO_ID;
  channel.holeLast = NO_ID;
  channel.skipping = NO_ID;
  channel.expectedId = 0;
  channel.passId = 0;
  channel.heldFirst = null;
  channel.heldLast = null;
  channel.broken = false;
  channel.newestId = 0;
  channel.seen.fill(0);
  channel.gapId = NO_ID;
  channel.gapUs = 0;
  channel.gapOneWayUs = 0;
  channel.nackDueUs = NO_DEADLINE;
  channel.blockFirst = null;
  channel.blockLast = null;
  channel.consumedId = 0;
  channel.served = 0;
  channel.toldId = 0;
  channel.knownId = 0;
  channel.paused = false;
  channel.pausedId = 0;
}

/** Whether what is lost rides again. */
export function channelRepaired(channel: Channel): boolean {
  return channel.policy.repair !== REPAIR_NONE;
}

/** Whether only nacks repair: what comes after its time is worth nothing, and nothing waits for it. */
export function channelTimely(channel: Channel): boolean {
  return channel.policy.repair === REPAIR_NACK;
}

export function channelCount(
  outlet: Outlet,
  channel: Channel,
  counter: number,
  amount: number,
): void {
  statsAdd(outlet.page, statsChannelWord(channel.index, counter), amount);
}

// --- the way out ---

/**
 * Appends a message that holds `body`, whose reference passes to the channel: in one piece, or in
 * fragments of one body where a payload of `payloadBytes` doesn't hold it. False: no memory.
 */
export function channelEnqueue(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  body: number,
  bytes: number,
  payloadBytes: number,
  nowUs: number,
  ttlMs: number,
  tag: number,
): boolean {
  if (channel.policy.order === ORDER_SEQUENCED) {
    supersede(channel, outlet, peer);
  }
  const { pool } = outlet;
  const whole = bytes <= wholeBytesMax(payloadBytes);
  const count = whole ? 1 : fragmentCount(bytes, payloadBytes);
  if (pool.messagesFree < (whole ? 1 : count + 1)) {
    return false;
  }
  const group = whole ? null : groupCreate(pool, bytes, count, tag);
  const expiresUs = channelExpiryUs(channel, ttlMs, nowUs);
  for (let index = 0; index < count; index++) {
    const message = messageCreate(pool)!;
    message.body = body;
    message.tag = tag;
    message.bytes = bytes;
    if (group !== null) {
      message.group = group;
      message.index = index;
      message.total = bytes;
      message.start = index * fragmentBytes(payloadBytes);
      message.bytes = fragmentLength(bytes, payloadBytes, index);
    }
    if (index > 0) {
      bodyRetain(pool, body);
    }
    message.expiresUs = expiresUs;
    channelAppend(channel, message);
  }
  channel.listed += 1;
  return true;
}

/** The record of a message in fragments: what its fate is reported from. */
function groupCreate(pool: Pool, bytes: number, pieces: number, tag: number): Message {
  const group = messageCreate(pool)!;
  group.bytes = bytes;
  group.pieces = pieces;
  group.tag = tag;
  return group;
}

/** When a message of the channel that starts now ends to be of interest (µs), or NO_DEADLINE. */
export function channelExpiryUs(channel: Channel, ttlMs: number, nowUs: number): number {
  const expiryMs = ttlMs === TTL_DEFAULT ? channel.policy.expiryMs : ttlMs;
  const bounded =
    expiryMs !== EXPIRY_NEVER && (expiryMs !== EXPIRY_SUPERSEDED || channelRepaired(channel));
  // What is of interest for this flush only must see it.
  return bounded ? nowUs + Math.max(expiryMs * 1000, 1) : NO_DEADLINE;
}

/** Puts an unsent message at the end of the list. */
export function channelAppend(channel: Channel, message: Message): void {
  message.id = channel.nextId;
  message.place = channel.nextPlace;
  message.channel = channel.index;
  message.listed = true;
  channel.earliestExpiryUs = Math.min(channel.earliestExpiryUs, message.expiresUs);
  channel.nextPlace += 1;
  message.previous = channel.last;
  if (channel.last === null) {
    channel.first = message;
  } else {
    channel.last.next = message;
  }
  channel.last = message;
  if (channel.fresh === null) {
    channel.fresh = message;
  }
}

/** Drops what was left unsent at the last flush. */
function supersede(channel: Channel, outlet: Outlet, peer: number): void {
  while (channel.fresh !== null && channel.fresh.place < channel.stalePlace) {
    channelFinish(channel, outlet, peer, channel.fresh, FATE_SUPERSEDED);
  }
}

/** At the end of a flush: what is unsent now will be superseded by the next message. */
export function channelFlushed(channel: Channel): void {
  channel.stalePlace = channel.nextPlace;
}

/** Takes a message out of the list, and out of what the channel counts of it. */
export function channelUnlink(channel: Channel, message: Message): void {
  if (channel.fresh === message) {
    channel.fresh = message.next;
  }
  if (message.previous === null) {
    channel.first = message.next;
  } else {
    message.previous.next = message.next;
  }
  if (message.next === null) {
    channel.last = message.previous;
  } else {
    message.next.previous = message.previous;
  }
  message.listed = false;
  channelQuiet(channel, message);
}

/** The message rides no more, but for what carries it already. */
export function channelQuiet(channel: Channel, message: Message): void {
  if (message.resend) {
    message.resend = false;
    channel.resends -= 1;
  }
  if (message.sent && message.copiesLeft > 0) {
    message.copiesLeft = 0;
    channel.copying -= 1;
  }
}

const FATE_COUNTERS = [
  0,
  CHANNEL_ACKED,
  CHANNEL_EXPIRED,
  CHANNEL_SUPERSEDED,
  CHANNEL_LOST,
  CHANNEL_DROPPED,
];

/**
 * Takes a message out of the list with its fate. A fragment that arrived leaves the rest of its
 * message behind; one that is given up takes the rest along, so a caller that walks the list starts
 * over.
 */
export function channelFinish(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  message: Message,
  fate: number,
): void {
  const { group, tag, bytes } = message;
  if (group === null) {
    take(channel, outlet, message, fate);
    end(channel, outlet, peer, tag, bytes, fate);
    return;
  }
  if (fate === FATE_DELIVERED) {
    take(channel, outlet, message, fate);
    group.pieces -= 1;
    if (group.pieces > 0) {
      return;
    }
  } else {
    takeGroup(channel, outlet, message, fate);
  }
  end(channel, outlet, peer, group.tag, group.bytes, fate);
  messageRelease(outlet.pool, group);
}

/** Takes every fragment that is still in the list: they stand next to each other. */
function takeGroup(channel: Channel, outlet: Outlet, message: Message, fate: number): void {
  const { group } = message;
  let piece: Message | null = message;
  while (piece.previous?.group === group) {
    piece = piece.previous;
  }
  while (piece !== null && piece.group === group) {
    const next: Message | null = piece.next;
    take(channel, outlet, piece, fate);
    piece = next;
  }
}

function take(channel: Channel, outlet: Outlet, message: Message, fate: number): void {
  if (fate === FATE_EXPIRED && message.sent && channelRepaired(channel)) {
    const known = channel.holeFirst !== NO_ID;
    channel.holeFirst = known ? Math.min(channel.holeFirst, message.id) : message.id;
    channel.holeLast = Math.max(channel.holeLast, message.id);
  }
  channelUnlink(channel, message);
  message.group = null;
  messageForgetBody(outlet.pool, message);
  messageUntie(outlet.pool, message);
}

function end(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  tag: number,
  bytes: number,
  fate: number,
): void {
  channel.listed -= 1;
  channelReport(outlet, channel, peer, tag, bytes, fate);
  channelBreak(channel, fate);
}

/** A critical channel doesn't outlive a message that it could not deliver. */
export function channelBreak(channel: Channel, fate: number): void {
  channel.broken =
    channel.broken || (channel.policy.strategy === STRATEGY_CRITICAL && fate !== FATE_DELIVERED);
}

/** Counts a message that left the queue, for the user's back-pressure. */
export function channelReleased(outlet: Outlet, peer: number, bytes: number): void {
  const row = statsPeerWord(peer & 0xffff);
  const page = outlet.page;
  page[row + PEER_RELEASED_BYTES] = (page[row + PEER_RELEASED_BYTES] + bytes) >>> 0;
  page[row + PEER_RELEASED_MESSAGES] = (page[row + PEER_RELEASED_MESSAGES] + 1) >>> 0;
}

/** Counts a fate and tells the user when it was asked for, or when a promise was not kept. */
export function channelReport(
  outlet: Outlet,
  channel: Channel,
  peer: number,
  tag: number,
  bytes: number,
  fate: number,
): void {
  channelCount(outlet, channel, FATE_COUNTERS[fate], 1);
  channelReleased(outlet, peer, bytes);
  const broken = channelRepaired(channel) && fate !== FATE_DELIVERED;
  if (tag === 0 && !broken) {
    return;
  }
  const word = ringPush(outlet.completion, RECORD_FATE, 0);
  if (word !== NO_ROOM) {
    outlet.completion.words[word + 1] = peer;
    outlet.completion.words[word + 2] = channel.index;
    outlet.completion.words[word + 4] = tag;
    outlet.completion.words[word + 5] = fate;
  }
}

/** Whether something would ride in a packet now; unsent messages count only during a flush. */
export function channelWants(channel: Channel, flushing: boolean): boolean {
  return (
    channel.resends > 0 ||
    channelSkipDue(channel) ||
    channelWindowDue(channel) ||
    (flushing && channelUnsent(channel) && channelInWindow(channel, channel.nextId))
  );
}

/** Whether anything waits for its first packet. */
export function channelUnsent(channel: Channel): boolean {
  return channel.fresh !== null || channel.blockFirst !== null;
}

/** The first id that still matters to the receiver: the oldest sent and listed, or the next. */
export function channelSkipId(channel: Channel): number {
  return channel.first?.sent ? channel.first.id : channel.nextId;
}

/** Whether an id may be on the wire now: the receiver's window and its user's have room. */
export function channelInWindow(channel: Channel, id: number): boolean {
  if (!channelRepaired(channel)) {
    return true;
  }
  return id < Math.min(channelBase(channel), channel.consumedId) + CHANNEL_WINDOW;
}

/** The lowest id that the receiver may still wait for. */
function channelBase(channel: Channel): number {
  const first = channelSkipId(channel);
  return channel.holeFirst === NO_ID ? first : Math.min(first, channel.holeFirst);
}

/** Whether what is unsent waits for an ack of the oldest id: the receiver's window is full. */
export function channelBlocked(channel: Channel): boolean {
  return (
    channelRepaired(channel) &&
    channelUnsent(channel) &&
    channel.nextId >= channelBase(channel) + CHANNEL_WINDOW
  );
}

/** Whether an ack of the oldest message is waited for, and nothing else sends it again. */
export function channelTailed(channel: Channel): boolean {
  const { first, policy } = channel;
  return (policy.repair & REPAIR_ACK) !== 0 && first?.sent === true && !first.resend;
}

/** Whether ids were given up that the receiver may not know of. */
export function channelHoled(channel: Channel): boolean {
  return channel.holeFirst !== NO_ID && channelSkipId(channel) > channel.holeFirst;
}

/** Whether no packet is on its way that tells of them. */
export function channelSkipDue(channel: Channel): boolean {
  return channel.skipping === NO_ID && channelHoled(channel);
}

/** What our user has consumed: what was handed over, but for what came since it paused. */
export function channelMark(channel: Channel): number {
  return channel.paused ? channel.pausedId : channel.expectedId;
}

/** Whether the peer is to be told how much our user has consumed. */
export function channelWindowDue(channel: Channel): boolean {
  return channelRepaired(channel) && channelMark(channel) - channel.toldId >= WINDOW_STEP;
}
