// ride: what riding in a packet does to a message.
//
// Owns ids (given at the first ride), copies left, and how many messages of a sequenced channel are
// kept. Never chooses what rides (plan does), never writes a byte.

import {
  type Channel,
  channelCount,
  channelExpiryUs,
  channelFinish,
  channelReleased,
  channelRepaired,
  channelTimely,
  channelUnlink,
  FATE_LOST,
  type Outlet,
} from "./channel.js";
import { COPIES_ADAPTIVE, SEQUENCED_KEPT_MAX, VARINT_MAX } from "./limits.js";
import { ORDER_SEQUENCED } from "./policy.js";
import { type Message, messageForgetBody, messageRelease } from "./queue.js";
import { TTL_DEFAULT } from "./ring.js";
import { CHANNEL_BYTES_SENT, CHANNEL_FRAGMENTS_SENT, CHANNEL_SENT } from "./stats.js";
import { NO_DEADLINE } from "./timers.js";

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

/** How old a message is (ms), as its receiver counts: its time ends when the channel's does. */
export function channelAgeMs(channel: Channel, message: Message, nowUs: number): number {
  if (!channelTimely(channel) || message.expiresUs === NO_DEADLINE) {
    return 0;
  }
  const ageUs = nowUs + channel.policy.expiryMs * 1000 - message.expiresUs;
  return ageUs <= 0 ? 0 : Math.min(Math.ceil(ageUs / 1000), VARINT_MAX);
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
    if (message.block) {
      // A block waits for its turn as long as it takes; from here on it has the channel's time.
      message.expiresUs = channelExpiryUs(channel, TTL_DEFAULT, nowUs);
      channel.earliestExpiryUs = Math.min(channel.earliestExpiryUs, message.expiresUs);
    }
    channelCount(outlet, channel, message.total > 0 ? CHANNEL_FRAGMENTS_SENT : CHANNEL_SENT, 1);
    if (message.group !== null && message.index === 0) {
      channelCount(outlet, channel, CHANNEL_SENT, 1);
    }
    return RIDE_FIRST;
  }
  if (message.resend) {
    message.resend = false;
    channel.resends -= 1;
    if (channelTimely(channel) && message.copiesLeft === 0) {
      // A second round trip rarely fits: a repair has a copy instead.
      message.copiesLeft = 1;
      channel.copying += 1;
    }
    return RIDE_RESEND;
  }
  if (message.copiesLeft === 0) {
    return RIDE_COPY;
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
    channelCount(outlet, channel, CHANNEL_SENT, 1);
    channelCount(outlet, channel, CHANNEL_BYTES_SENT, message.bytes);
    channelUnlink(channel, message);
    channel.listed -= 1;
    channelReleased(outlet, peer, message.bytes);
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
