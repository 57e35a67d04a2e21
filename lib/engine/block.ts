// block: fragments of blocks that wait behind everything else of their channel.
//
// Owns their line. A block is fed piece by piece by the user's side, which keeps its bytes; a piece
// joins the channel's list when a packet takes it, so whatever is sent meanwhile goes ahead of it.
// Never delivers: on the way in a piece is a message like any other.

import {
  type Channel,
  channelAppend,
  channelReport,
  FATE_DROPPED,
  type Outlet,
} from "./channel.js";
import { type Message, messageCreate, messageRelease } from "./queue.js";
import { NO_DEADLINE } from "./timers.js";

/** Appends a piece that holds `body`, whose reference passes to the channel. False: no memory. */
export function blockEnqueue(
  channel: Channel,
  outlet: Outlet,
  body: number,
  bytes: number,
  number: number,
  index: number,
  total: number,
  tag: number,
): boolean {
  const message = messageCreate(outlet.pool);
  if (message === null) {
    return false;
  }
  message.channel = channel.index;
  message.body = body;
  message.bytes = bytes;
  message.block = true;
  message.number = number;
  message.index = index;
  message.total = total;
  message.tag = tag;
  message.expiresUs = NO_DEADLINE;
  if (channel.blockLast === null) {
    channel.blockFirst = message;
  } else {
    channel.blockLast.next = message;
  }
  channel.blockLast = message;
  return true;
}

/** Moves the oldest waiting piece to the end of the channel's list. */
export function blockMove(channel: Channel): Message {
  const message = channel.blockFirst!;
  channel.blockFirst = message.next;
  if (message.next === null) {
    channel.blockLast = null;
  }
  message.next = null;
  channelAppend(channel, message);
  channel.listed += 1;
  return message;
}

/** Gives up every waiting piece, because the connection ends. */
export function blockDrop(channel: Channel, outlet: Outlet, peer: number): void {
  while (channel.blockFirst !== null) {
    const message = channel.blockFirst;
    channel.blockFirst = message.next;
    channelReport(outlet, channel, peer, message.tag, message.bytes, FATE_DROPPED);
    messageRelease(outlet.pool, message);
  }
  channel.blockLast = null;
}
