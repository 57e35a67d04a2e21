// repair: what becomes of messages that were sent: verdicts, nacks, and the end of their time.
//
// Owns the decision that a message rides again. Never chooses a packet for it (plan does).
// Invariants: a message is marked to ride again only while it is listed; what is given up after it
// was sent leaves a hole that the receiver is told of.

import { blockDrop } from "./block.js";
import {
  type Channel,
  channelFinish,
  channelQuiet,
  channelRepaired,
  channelTimely,
  FATE_DELIVERED,
  FATE_DROPPED,
  FATE_EXPIRED,
  FATE_LOST,
  NO_ID,
  type Outlet,
} from "./channel.js";
import { REPAIR_ACK, REPAIR_NACK } from "./policy.js";
import { type Message, messageUntie } from "./queue.js";
import { sequenceExpand16 } from "./sequence.js";
import { NO_DEADLINE } from "./timers.js";

// --- verdicts ---

/** Whether the sender's verdicts say what rides again. */
function repairsByAcks(channel: Channel): boolean {
  return (channel.policy.repair & REPAIR_ACK) !== 0;
}

/**
 * Whether the message may have arrived: a packet with it is undecided, or unsettled. A channel that repairs by
 * acks doesn't wait for the latter: its receiver waits for the skip.
 */
function mayHaveArrived(channel: Channel, message: Message): boolean {
  return message.inFlight > 0 || (message.unsettled > 0 && !repairsByAcks(channel));
}

/**
 * A packet that carried the message has its verdict. What would be sent now arrives at `arrivalUs`:
 * later than a message is of interest, it is not sent again. True: channelSettled must follow, an
 * ack that comes late still tells that it arrived.
 */
export function channelVerdict(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  message: Message,
  acked: boolean,
  nowUs: number,
  arrivalUs: number,
): boolean {
  message.inFlight -= 1;
  if (!message.listed) {
    messageUntie(outlet.pool, message);
    return false;
  }
  if (acked) {
    channelFinish(channel, outlet, peer, message, FATE_DELIVERED);
    return false;
  }
  message.unsettled += 1;
  if (message.inFlight === 0 && !message.resend && repairsByAcks(channel)) {
    if (message.expiresUs <= nowUs) {
      channelFinish(channel, outlet, peer, message, FATE_EXPIRED);
    } else {
      message.losses = Math.min(message.losses + 1, 255);
      resend(channel, outlet, peer, message, arrivalUs);
    }
  }
  return true;
}

/** A lost packet that carried the message was acked late, or will not be any more. */
export function channelSettled(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  message: Message,
  acked: boolean,
  nowUs: number,
): void {
  message.unsettled -= 1;
  if (!message.listed) {
    messageUntie(outlet.pool, message);
  } else if (acked) {
    channelFinish(channel, outlet, peer, message, FATE_DELIVERED);
  } else if (!repairsByAcks(channel) && !mayHaveArrived(channel, message)) {
    if (message.expiresUs <= nowUs) {
      channelFinish(channel, outlet, peer, message, FATE_EXPIRED);
    } else if (!channelRepaired(channel) && message.copiesLeft === 0) {
      channelFinish(channel, outlet, peer, message, FATE_LOST);
    }
  }
}

/** The message rides again if it still arrives in time; else its time is over now: false. */
function resend(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  message: Message,
  arrivalUs: number,
): boolean {
  if (arrivalUs <= message.expiresUs) {
    message.resend = true;
    channel.resends += 1;
  } else if (!mayHaveArrived(channel, message) && message.copiesLeft === 0) {
    channelFinish(channel, outlet, peer, message, FATE_EXPIRED);
    return false;
  }
  return true;
}

/**
 * The receiver names ids that it misses: `id16`, and for bit i of the bitmap the id i + 1 behind it
 * . What rode less than a round trip ago is on its way. False: an id that was never sent.
 */
export function channelNacked(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  id16: number,
  bits: Uint8Array,
  offset: number,
  bytes: number,
  nowUs: number,
  roundTripUs: number,
): boolean {
  const firstId = sequenceExpand16(id16, channel.nextId);
  if (firstId >= channel.nextId || (channel.policy.repair & REPAIR_NACK) === 0) {
    return false;
  }
  const arrivalUs = nowUs + Math.trunc(roundTripUs / 2);
  let message = channel.first;
  while (message?.sent) {
    const grouped: boolean = message.group !== null;
    let next: Message | null = message.next;
    const index = message.id - firstId - 1;
    const named =
      index < 0
        ? index === -1
        : index < bytes * 8 && (bits[offset + (index >>> 3)] & (1 << (index & 7))) !== 0;
    if (named && !message.resend && nowUs >= message.rodeUs + roundTripUs) {
      if (!resend(channel, outlet, peer, message, arrivalUs) && grouped) {
        next = channel.first;
      }
    }
    message = next;
  }
  return true;
}

/**
 * On a channel that only nacks repair, what would come too late doesn't ride: it waited for its
 * packet since that was decided, is a copy, or missed its flush.
 */
export function channelForgo(
  channel: Channel,
  outlet: Outlet,
  peer: number,
  nowUs: number,
  oneWayUs: number,
): void {
  if (!channelTimely(channel)) {
    return;
  }
  // Where nothing comes in time, each goes once.
  const stalePlace = oneWayUs < channel.policy.expiryMs * 1000 ? channel.stalePlace : 0;
  const arrivalUs = nowUs + oneWayUs;
  let message = channel.resends + channel.copying > 0 ? channel.first : channel.fresh;
  while (message !== null && (message.sent || message.place < stalePlace)) {
    let next: Message | null = message.next;
    const wants = !message.sent || message.resend || message.copiesLeft > 0;
    if (wants && arrivalUs > message.expiresUs) {
      const grouped: boolean = message.group !== null;
      channelQuiet(channel, message);
      if (!mayHaveArrived(channel, message)) {
        channelFinish(channel, outlet, peer, message, FATE_EXPIRED);
        next = grouped ? channel.first : next;
      }
    }
    message = next;
  }
}

/** A packet that carried a skip has its verdict. */
export function channelSkipVerdict(channel: Channel, skipId: number, acked: boolean): void {
  channel.skipping = NO_ID;
  if (!acked) {
    return;
  }
  if (skipId > channel.holeLast) {
    channel.holeFirst = NO_ID;
    channel.holeLast = NO_ID;
  } else if (skipId > channel.holeFirst) {
    channel.holeFirst = skipId;
  }
}

/** A packet that carried the message is forgotten without a verdict, because the connection ended. */
export function channelForget(outlet: Outlet, message: Message): void {
  if (message.inFlight > 0) {
    message.inFlight -= 1;
  } else {
    message.unsettled -= 1;
  }
  messageUntie(outlet.pool, message);
}

// --- expiry (R-44) ---

/**
 * Ends what is past its time. A message that may have arrived waits for what tells: then it is
 * delivered, not expired.
 */
export function channelExpire(channel: Channel, outlet: Outlet, peer: number, nowUs: number): void {
  if (nowUs < channel.earliestExpiryUs) {
    return;
  }
  let earliestUs = NO_DEADLINE;
  let message = channel.first;
  while (message !== null) {
    let next: Message | null = message.next;
    if (message.expiresUs > nowUs) {
      earliestUs = Math.min(earliestUs, message.expiresUs);
    } else if (!mayHaveArrived(channel, message)) {
      // The rest of a message in fragments goes with the first of them.
      const grouped = message.group !== null;
      channelFinish(channel, outlet, peer, message, FATE_EXPIRED);
      next = grouped ? channel.first : next;
    }
    message = next;
  }
  channel.earliestExpiryUs = earliestUs;
}

/** Gives up everything unsent and unacked, because the connection ends. */
export function channelDrop(channel: Channel, outlet: Outlet, peer: number): void {
  while (channel.first !== null) {
    channelFinish(channel, outlet, peer, channel.first, FATE_DROPPED);
  }
  blockDrop(channel, outlet, peer);
}
