// plan: which messages of which channels ride in the packet under construction.
//
// Owns the choice and its order by channel and age. Never writes a byte, never changes a message
// but for its mark; the ranks among channels and kinds are fill's.
// Invariant: the messages chosen fit into the room that was given, with their frames' heads.

import { blockMove } from "./block.js";
import { type Channel, channelInWindow, channelTimely, channelUnsent } from "./channel.js";
import { fragmentFrameBytes, messageFrameBytes } from "./frame.js";
import { AGE_BYTES_MAX, CHANNELS_MAX, LOSSES_ALONE, MESSAGES_PER_PACKET_MAX } from "./limits.js";
import { ORDER_SEQUENCED } from "./policy.js";
import type { Message } from "./queue.js";

/** A byte of a channel of weight 1, in the unit of shares: a multiple of every usual weight. */
const SHARE_UNIT = 256;

/** The messages chosen for the packet under construction, and the room that they leave. */
export class Plan {
  messages: (Message | null)[] = new Array<Message | null>(MESSAGES_PER_PACKET_MAX).fill(null);
  count = 0;
  room = 0;
  /** Channels that have messages at all, by their priority: the others are not looked at. */
  busy: number[] = new Array<number>(CHANNELS_MAX).fill(0);
  busyCount = 0;
  /** Channels that have unsent messages, by their share. */
  order: number[] = new Array<number>(CHANNELS_MAX).fill(0);
}

export function planReset(plan: Plan, room: number): void {
  plan.count = 0;
  plan.room = room;
}

/** Notes the channels that have messages. */
export function planBusy(plan: Plan, channels: Channel[], channelOrder: number[]): void {
  plan.busyCount = 0;
  for (const index of channelOrder) {
    const channel = channels[index];
    if (channel.first !== null || channel.blockFirst !== null) {
      plan.busy[plan.busyCount] = index;
      plan.busyCount += 1;
    }
  }
}

function frameBytes(channel: Channel, message: Message): number {
  const bytes =
    message.total === 0
      ? messageFrameBytes(message.bytes)
      : fragmentFrameBytes(message.block, message.bytes);
  return channelTimely(channel) ? bytes + AGE_BYTES_MAX : bytes;
}

function planFits(plan: Plan, bytes: number): boolean {
  return bytes <= plan.room && plan.count < MESSAGES_PER_PACKET_MAX;
}

/** Takes a message into the plan if it fits, at the place that its channel and id give it. */
function planAdd(plan: Plan, channel: Channel, message: Message): boolean {
  const bytes = frameBytes(channel, message);
  if (!planFits(plan, bytes)) {
    return false;
  }
  plan.room -= bytes;
  channel.served += Math.trunc((bytes * SHARE_UNIT) / channel.policy.priority);
  message.planned = true;
  let index = plan.count;
  while (index > 0 && planBefore(message, plan.messages[index - 1]!)) {
    plan.messages[index] = plan.messages[index - 1];
    index -= 1;
  }
  plan.messages[index] = message;
  plan.count += 1;
  return true;
}

function planBefore(message: Message, other: Message): boolean {
  return message.channel !== other.channel
    ? message.channel < other.channel
    : message.place < other.place;
}

/** Plans unsent messages, oldest first. */
export function channelPlanFresh(channel: Channel, plan: Plan): void {
  let id = channel.nextId;
  for (let message = channel.fresh; message !== null; message = message.next) {
    if (!channelInWindow(channel, id) || !planAdd(plan, channel, message)) {
      return;
    }
    id += 1;
  }
}

/** Plans waiting pieces of blocks, once everything else of the channel that is unsent is planned. */
export function channelPlanBlocks(channel: Channel, plan: Plan): void {
  let id = channel.nextId;
  for (let message = channel.fresh; message !== null; message = message.next) {
    if (!message.planned) {
      return;
    }
    id += 1;
  }
  while (
    channel.blockFirst !== null &&
    channelInWindow(channel, id) &&
    planFits(plan, frameBytes(channel, channel.blockFirst))
  ) {
    planAdd(plan, channel, blockMove(channel));
    id += 1;
  }
}

/** Plans messages whose packets are all lost, oldest first. */
export function channelPlanResends(channel: Channel, plan: Plan): void {
  let left = channel.resends;
  for (let message = channel.first; left > 0 && message !== null; message = message.next) {
    if (message.resend) {
      left -= 1;
      if (!message.planned && !planAdd(plan, channel, message)) {
        return;
      }
    }
  }
}

/**
 * Whether the oldest message was lost again and again. The receiver may be short of memory: it takes
 * a packet of which it can't hold something but doesn't ack it, and the next packet would hold the
 * same again.
 */
export function channelStuck(channel: Channel): boolean {
  const first = channel.first;
  return first?.resend === true && first.losses >= LOSSES_ALONE;
}

/** Plans the oldest message, if its packets are all lost: it is the one that need not be held. */
export function channelPlanHead(channel: Channel, plan: Plan): void {
  const first = channel.first;
  if (first?.resend && !first.planned) {
    planAdd(plan, channel, first);
  }
}

/**
 * Plans the oldest messages that were sent and still arrive in time, whether they are lost or not: what waits
 * behind them can't go.
 */
export function channelPlanOldest(channel: Channel, plan: Plan, arrivalUs: number): void {
  for (let message = channel.first; message?.sent; message = message.next) {
    const rides = !message.planned && arrivalUs <= message.expiresUs;
    if (rides && !planAdd(plan, channel, message)) {
      return;
    }
  }
}

/** Plans copies of sent messages, newest first, so that what is left out is the oldest. */
export function channelPlanCopies(channel: Channel, plan: Plan): void {
  let left = channel.copying;
  let message = channel.fresh === null ? channel.last : channel.fresh.previous;
  for (; left > 0 && message !== null; message = message.previous) {
    if (message.copiesLeft > 0) {
      left -= 1;
      if (!message.planned && !planAdd(plan, channel, message)) {
        return;
      }
    }
  }
}

/**
 * Sorts the channels that have unsent messages, but for sequenced ones, by what they had of the
 * connection so far: start-time fair queueing (Goyal, Vin and Cheng, 1996). Who had nothing to send
 * meanwhile takes no more than its share now. Answers how many there are.
 */
export function planShares(plan: Plan, channels: Channel[]): number {
  let count = 0;
  for (let rank = 0; rank < plan.busyCount; rank++) {
    const index = plan.busy[rank];
    const channel = channels[index];
    if (channel.policy.order === ORDER_SEQUENCED || !channelUnsent(channel)) {
      continue;
    }
    let place = count;
    while (place > 0 && channels[plan.order[place - 1]].served > channel.served) {
      plan.order[place] = plan.order[place - 1];
      place -= 1;
    }
    plan.order[place] = index;
    count += 1;
  }
  if (count > 0) {
    const least = channels[plan.order[0]].served;
    for (const channel of channels) {
      channel.served = Math.max(channel.served, least);
    }
  }
  return count;
}
