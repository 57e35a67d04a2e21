// channel: messages of one channel of one connection: order, repair, copies, expiry.
//
// Owns the state of a channel, and which of its messages ride in a packet (the way in is delivery's).
// One machine serves every policy; a strategy is a policy, not a code path. Never knows an address, a
// packet's number or a clock: time comes in, and what a packet carried comes back with its verdict.
// Invariants: the send list is in the order of sending, unsent messages are its tail (from `fresh` on);
// ids are given at the first ride, so what is never sent leaves no gap; an ordered channel never
// sends an id CHANNEL_WINDOW or more above the lowest that the receiver may still wait for;
// a message leaves the list exactly once, with one fate.

import { CHANNEL_ACCEPT, CHANNEL_WINDOW, COPIES_ADAPTIVE, SEQUENCED_KEPT_MAX } from "./limits.js";
import {
  EXPIRY_NEVER,
  EXPIRY_SUPERSEDED,
  ORDER_SEQUENCED,
  type Policy,
  REPAIR_NONE,
  STRATEGY_CRITICAL,
} from "./policy.js";
import {
  type Message,
  messageCreate,
  messageForgetBody,
  messageRelease,
  type Pool,
} from "./queue.js";
import { NO_ROOM, RECORD_FATE, type Ring, ringPush, TTL_DEFAULT } from "./ring.js";
import {
  CHANNEL_ACKED,
  CHANNEL_BYTES_SENT,
  CHANNEL_DROPPED,
  CHANNEL_EXPIRED,
  CHANNEL_LOST,
  CHANNEL_SENT,
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
  listed = 0;
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
  /** A critical channel gave a message up: the connection must end. */
  broken = false;

  // --- receiving ---
  /** Ordered: the id to deliver next. Sequenced: the id behind the newest delivered. */
  expectedId = 0;
  /** Gaps below this id are passed: the sender gave them up. */
  passId = 0;
  heldFirst: Message | null = null;
  heldLast: Message | null = null;
  /** Unordered: the id behind the highest received, and which of the last CHANNEL_ACCEPT came. */
  newestId = 0;
  seen = new Uint32Array(CHANNEL_ACCEPT / 32);
  /** The id that everything behind it waits for, and since when (µs); NO_ID for none. */
  gapId = NO_ID;
  gapUs = 0;
  /** When what is missing is named next. */
  nackDueUs = NO_DEADLINE;

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
  channel.nackDueUs = NO_DEADLINE;
}

/** Whether what is lost rides again. */
export function channelRepaired(channel: Channel): boolean {
  return channel.policy.repair !== REPAIR_NONE;
}

function count(outlet: Outlet, channel: Channel, counter: number, amount: number): void {
  statsAdd(outlet.page, statsChannelWord(channel.index, counter), amount);
}

// --- the way out ---

/** Appends a message that holds `body` (its reference passes to the channel). False: no memory. */
export function channelEnqueue(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  body: number,
  bytes: number,
  nowUs: number,
  ttlMs: number,
  tag: number,
): boolean {
  if (channel.policy.order === ORDER_SEQUENCED) {
    supersede(channel, outlet, peer);
  }
  const message = messageCreate(outlet.pool);
  if (message === null) {
    return false;
  }
  message.id = channel.nextId;
  message.place = channel.nextPlace;
  message.channel = channel.index;
  message.body = body;
  message.bytes = bytes;
  message.tag = tag;
  message.listed = true;
  const expiryMs = ttlMs === TTL_DEFAULT ? channel.policy.expiryMs : ttlMs;
  const bounded =
    expiryMs !== EXPIRY_NEVER && (expiryMs !== EXPIRY_SUPERSEDED || channelRepaired(channel));
  // What is of interest for this flush only must see it.
  message.expiresUs = bounded ? nowUs + Math.max(expiryMs * 1000, 1) : NO_DEADLINE;
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
  channel.listed += 1;
  return true;
}

/** Drops what was left unsent at the last flush. */
function supersede(channel: Channel, outlet: Outlet, peer: number): void {
  let message = channel.fresh;
  while (message !== null && message.place < channel.stalePlace) {
    const next: Message | null = message.next;
    channelFinish(channel, outlet, peer, message, FATE_SUPERSEDED);
    message = next;
  }
}

/** At the end of a flush: what is unsent now will be superseded by the next message. */
export function channelFlushed(channel: Channel): void {
  channel.stalePlace = channel.nextPlace;
}

function unlink(channel: Channel, message: Message): void {
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
  channel.listed -= 1;
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

/** Takes a message out of the list with its fate; the record goes once no packet points at it. */
export function channelFinish(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  message: Message,
  fate: number,
): void {
  unlink(channel, message);
  messageForgetBody(outlet.pool, message);
  channelReport(outlet, channel, peer, message.tag, message.bytes, fate);
  channelBreak(channel, fate);
  if (message.inFlight === 0) {
    messageRelease(outlet.pool, message);
  }
}

/** A critical channel doesn't outlive a message that it could not deliver. */
export function channelBreak(channel: Channel, fate: number): void {
  channel.broken =
    channel.broken || (channel.policy.strategy === STRATEGY_CRITICAL && fate !== FATE_DELIVERED);
}

/** Counts a message that left the queue, for the user's back-pressure. */
function released(outlet: Outlet, peer: number, bytes: number): void {
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
  count(outlet, channel, FATE_COUNTERS[fate], 1);
  released(outlet, peer, bytes);
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
    (flushing && channel.fresh !== null && channelInWindow(channel, channel.nextId))
  );
}

/** The first id that still matters to the receiver: the oldest sent and listed, or the next. */
export function channelSkipId(channel: Channel): number {
  return channel.first?.sent ? channel.first.id : channel.nextId;
}

/** Whether an id may be on the wire now. */
export function channelInWindow(channel: Channel, id: number): boolean {
  if (!channelRepaired(channel)) {
    return true;
  }
  const first = channelSkipId(channel);
  const base = channel.holeFirst === NO_ID ? first : Math.min(first, channel.holeFirst);
  return id < base + CHANNEL_WINDOW;
}

export function channelSkipDue(channel: Channel): boolean {
  return (
    channel.holeFirst !== NO_ID &&
    channel.skipping === NO_ID &&
    channelSkipId(channel) > channel.holeFirst
  );
}

// --- riding ---

/** What riding in this packet was for a message. */
export const RIDE_FIRST = 0;
export const RIDE_RESEND = 1;
export const RIDE_COPY = 2;

/** Copies for so much loss, in 65536ths: one always, more from 5, 15 and 30 % on. */
function adaptiveCopies(lossShare: number): number {
  let copies = 1;
  for (const least of [3277, 9830, 19661]) {
    if (lossShare >= least) {
      copies += 2;
    }
  }
  return copies;
}

/** A planned message went into a packet; answers which kind of ride it was. */
export function channelCarried(
  channel: Channel,
  outlet: Outlet,
  message: Message,
  lossShare: number,
  nowUs: number,
): number {
  message.planned = false;
  message.inFlight += 1;
  message.rodeUs = nowUs;
  if (!message.sent) {
    message.sent = true;
    message.id = channel.nextId;
    channel.nextId += 1;
    channel.fresh = message.next;
    const copies = channel.policy.copies;
    message.copiesLeft = copies === COPIES_ADAPTIVE ? adaptiveCopies(lossShare) : copies;
    if (message.copiesLeft > 0) {
      channel.copying += 1;
    } else if (!channelRepaired(channel)) {
      messageForgetBody(outlet.pool, message);
    }
    count(outlet, channel, CHANNEL_SENT, 1);
    return RIDE_FIRST;
  }
  if (message.resend) {
    message.resend = false;
    channel.resends -= 1;
    return RIDE_RESEND;
  }
  message.copiesLeft -= 1;
  if (message.copiesLeft === 0) {
    channel.copying -= 1;
    if (!channelRepaired(channel)) {
      messageForgetBody(outlet.pool, message);
    }
  }
  return RIDE_COPY;
}

/** Bare NETCODE: the oldest unsent message went out, and that is all that is ever known of it. */
export function channelPass(channel: Channel, outlet: Outlet, peer: number): void {
  const message = channel.fresh;
  if (message !== null) {
    count(outlet, channel, CHANNEL_SENT, 1);
    count(outlet, channel, CHANNEL_BYTES_SENT, message.bytes);
    unlink(channel, message);
    released(outlet, peer, message.bytes);
    messageRelease(outlet.pool, message);
  }
}

/** Keeps the list of a sequenced channel short: the oldest sent message is given up as lost. */
export function channelTrim(channel: Channel, outlet: Outlet, peer: number): void {
  while (
    channel.policy.order === ORDER_SEQUENCED &&
    channel.listed > SEQUENCED_KEPT_MAX &&
    channel.first?.sent
  ) {
    channelFinish(channel, outlet, peer, channel.first, FATE_LOST);
  }
}
