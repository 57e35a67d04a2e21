// plan: which messages of which channels ride in the packet under construction.
//
// Owns the choice and its order by channel and age. Never writes a byte, never changes a message
// but for its mark; the ranks among channels and kinds are transmit's.
// Invariant: the messages chosen fit into the room that was given, with their frames' heads.

import { type Channel, channelInWindow } from "./channel.js";
import { messageFrameBytes } from "./frame.js";
import { LOSSES_ALONE, MESSAGES_PER_PACKET_MAX } from "./limits.js";
import type { Message } from "./queue.js";

/** The messages chosen for the packet under construction, and the room that they leave. */
export class Plan {
  messages: (Message | null)[] = new Array<Message | null>(MESSAGES_PER_PACKET_MAX).fill(null);
  count = 0;
  room = 0;
}

export function planReset(plan: Plan, room: number): void {
  plan.count = 0;
  plan.room = room;
}

/** Takes a message into the plan if it fits, at the place that its channel and id give it. */
function planAdd(plan: Plan, message: Message): boolean {
  const bytes = messageFrameBytes(message.bytes);
  if (bytes > plan.room || plan.count === MESSAGES_PER_PACKET_MAX) {
    return false;
  }
  plan.room -= bytes;
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
    if (!channelInWindow(channel, id) || !planAdd(plan, message)) {
      return;
    }
    id += 1;
  }
}

/** Plans messages whose packets are all lost, oldest first. */
export function channelPlanResends(channel: Channel, plan: Plan): void {
  let left = channel.resends;
  for (let message = channel.first; left > 0 && message !== null; message = message.next) {
    if (message.resend) {
      left -= 1;
      if (!message.planned && !planAdd(plan, message)) {
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
    planAdd(plan, first);
  }
}

/** Plans copies of sent messages, newest first, so that what is left out is the oldest. */
export function channelPlanCopies(channel: Channel, plan: Plan): void {
  let left = channel.copying;
  let message = channel.fresh === null ? channel.last : channel.fresh.previous;
  for (; left > 0 && message !== null; message = message.previous) {
    if (message.copiesLeft > 0) {
      left -= 1;
      if (!message.planned && !planAdd(plan, message)) {
        return;
      }
    }
  }
}
