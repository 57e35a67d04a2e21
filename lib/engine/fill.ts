// fill: the messages of a packet, from their ranks to their bytes.
//
// Owns the order in which channels are served and what riding counts as. Never writes acks or
// control frames (transmit does), never decides what is due.
// Order of service: newest real-time messages, copies that room is made for, what was lost, what is
// new by the channels' shares, and copies in the room that is left.

import type { SentPacket } from "./acks.js";
import type { Writer } from "./bytes.js";
import { channelBlocked, channelTailed } from "./channel.js";
import { type Connection, connectionOpenUs, type Shared } from "./connection.js";
import {
  ageWrite,
  blockHeadWrite,
  fragmentHeadWrite,
  messageHeadWrite,
  messageShorten,
} from "./frame.js";
import {
  CHANNELS_MAX,
  COPY_DELAY_LONE_US,
  COPY_DELAY_MAX_US,
  COPY_DELAY_MIN_US,
  MESSAGES_PER_PACKET_MAX,
} from "./limits.js";
import {
  channelPlanBlocks,
  channelPlanCopies,
  channelPlanFresh,
  channelPlanHead,
  channelPlanOldest,
  channelPlanResends,
  channelStuck,
  planBusy,
  planReset,
  planShares,
} from "./plan.js";
import { ORDER_SEQUENCED } from "./policy.js";
import { bodyCopy, carriedCreate, type Message } from "./queue.js";
import { channelForgo } from "./repair.js";
import {
  channelAgeMs,
  channelCarried,
  channelTrim,
  RIDE_COPY,
  RIDE_FIRST,
  RIDE_RESEND,
} from "./ride.js";
import {
  CHANNEL_BYTES_SENT,
  CHANNEL_COPIES,
  CHANNEL_RESENT,
  PEER_COPY_BYTES,
  PEER_RESENT,
  statsAdd,
  statsChannelWord,
  statsPeerWord,
} from "./stats.js";
import { NO_DEADLINE } from "./timers.js";

/** Chooses messages by rank, then writes them by channel and age, oldest first; how many. */
export function messagesFill(
  connection: Connection,
  shared: Shared,
  packet: SentPacket,
  nowUs: number,
): number {
  const plan = shared.plan;
  planReset(plan, shared.writer.end - shared.writer.offset);
  if (shared.outlet.pool.carriedsFree < MESSAGES_PER_PACKET_MAX + CHANNELS_MAX) {
    copiesSchedule(connection, false, nowUs);
    return 0;
  }
  const channels = connection.channels;
  planBusy(plan, channels, shared.config.channelOrder);
  const oneWayUs = Math.trunc(connection.rtt.smoothedUs / 2);
  let stuck = false;
  let blocks = false;
  for (let rank = 0; rank < plan.busyCount; rank++) {
    const channel = channels[plan.busy[rank]];
    channelForgo(channel, shared.outlet, connection.handle, nowUs, oneWayUs);
    stuck = stuck || channelStuck(channel);
    blocks = blocks || channel.blockFirst !== null;
    if (channel.policy.order === ORDER_SEQUENCED) {
      channelPlanFresh(channel, plan);
    }
  }
  if (nowUs < connectionOpenUs(connection)) {
    newsCopiesPlan(connection, shared);
  } else if (stuck) {
    for (let rank = 0; rank < plan.busyCount; rank++) {
      channelPlanHead(channels[plan.busy[rank]], plan);
    }
  } else {
    ranksPlan(connection, shared, blocks, nowUs, nowUs + oneWayUs);
  }
  planWrite(connection, shared, packet, nowUs);
  return plan.count;
}

/**
 * Copies of real-time messages: all that rides with the newest where the window has no room for more, and
 * what goes ahead where blocks wait. Those fill every packet, and a lost state once waited for the next (test/matrix).
 */
function newsCopiesPlan(connection: Connection, shared: Shared): void {
  const plan = shared.plan;
  for (let rank = 0; rank < plan.busyCount; rank++) {
    const channel = connection.channels[plan.busy[rank]];
    if (channel.policy.order === ORDER_SEQUENCED) {
      channelPlanCopies(channel, plan);
    }
  }
}

/** What rides in the room that the newest real-time messages leave. */
function ranksPlan(
  connection: Connection,
  shared: Shared,
  blocks: boolean,
  nowUs: number,
  arrivalUs: number,
): void {
  const plan = shared.plan;
  const channels = connection.channels;
  for (let rank = 0; rank < plan.busyCount; rank++) {
    const channel = channels[plan.busy[rank]];
    if (channel.policy.copiesForced) {
      channelPlanCopies(channel, plan);
    }
  }
  for (let rank = 0; rank < plan.busyCount; rank++) {
    channelPlanResends(channels[plan.busy[rank]], plan);
  }
  const probes = nowUs >= connection.probeDueUs;
  if (connection.flushBegun || probes) {
    for (let rank = 0; rank < plan.busyCount; rank++) {
      const channel = channels[plan.busy[rank]];
      if (
        (connection.flushBegun && channelBlocked(channel)) ||
        (probes && channelTailed(channel))
      ) {
        channelPlanOldest(channel, plan, arrivalUs);
      }
    }
  }
  if (blocks) {
    newsCopiesPlan(connection, shared);
  }
  const sharing = planShares(plan, channels);
  for (let place = 0; place < sharing; place++) {
    channelPlanFresh(channels[plan.order[place]], plan);
    channelPlanBlocks(channels[plan.order[place]], plan);
  }
  for (let rank = 0; rank < plan.busyCount; rank++) {
    channelPlanCopies(channels[plan.busy[rank]], plan);
  }
}

function planWrite(
  connection: Connection,
  shared: Shared,
  packet: SentPacket,
  nowUs: number,
): void {
  const plan = shared.plan;
  const writer = shared.writer;
  let last = 0;
  let lastBytes = 0;
  let whole = false;
  let first = false;
  for (let index = 0; index < plan.count; index++) {
    const message = plan.messages[index] as Message;
    plan.messages[index] = null;
    const ageMs = channelAgeMs(connection.channels[message.channel], message, nowUs);
    if (ageMs > 0) {
      ageWrite(writer, ageMs);
    }
    last = writer.offset;
    lastBytes = message.bytes;
    whole = message.total === 0;
    first = messageAdd(connection, shared, packet, message, nowUs) || first;
  }
  if (whole) {
    messageShorten(writer, last, lastBytes);
  }
  copiesSchedule(connection, first, nowUs);
  if (first) {
    for (const channel of connection.channels) {
      channelTrim(channel, shared.outlet, connection.handle);
    }
  }
}

/** Writes one message into the payload; true when it rides for the first time. */
function messageAdd(
  connection: Connection,
  shared: Shared,
  packet: SentPacket,
  message: Message,
  nowUs: number,
): boolean {
  const outlet = shared.outlet;
  const writer = shared.writer;
  const channel = connection.channels[message.channel];
  const bytes = message.bytes;
  const { body, start } = message;
  const carried = carriedCreate(outlet.pool);
  if (carried === null) {
    return false;
  }
  carried.message = message;
  carried.channel = channel.index;
  carried.next = packet.carried;
  packet.carried = carried;
  const id = message.sent ? message.id : channel.nextId;
  headWrite(writer, message, id);
  bodyCopy(outlet.pool, body, start, bytes, writer.bytes, writer.offset);
  writer.offset += bytes;
  const ride = channelCarried(channel, outlet, message, connection.sent.lossShare, nowUs);
  statsAdd(outlet.page, statsChannelWord(channel.index, CHANNEL_BYTES_SENT), bytes);
  const row = statsPeerWord(connection.slot);
  if (ride === RIDE_RESEND) {
    statsAdd(outlet.page, statsChannelWord(channel.index, CHANNEL_RESENT), 1);
    outlet.page[row + PEER_RESENT] = (outlet.page[row + PEER_RESENT] + 1) >>> 0;
  } else if (ride === RIDE_COPY) {
    statsAdd(outlet.page, statsChannelWord(channel.index, CHANNEL_COPIES), 1);
    statsAdd(outlet.page, row + PEER_COPY_BYTES, bytes);
  }
  return ride === RIDE_FIRST;
}

function headWrite(writer: Writer, message: Message, id: number): void {
  const { channel, number, index, total } = message;
  if (total === 0) {
    messageHeadWrite(writer, channel, id, message.bytes);
  } else if (message.block) {
    blockHeadWrite(writer, channel, id, number, index, total);
  } else {
    fragmentHeadWrite(writer, channel, id, index, total);
  }
}

/** A copy that finds no packet to ride in gets one of its own, a little later than the next is due. */
function copiesSchedule(connection: Connection, first: boolean, nowUs: number): void {
  if (first) {
    connection.streamIntervalUs =
      connection.streamUs === 0 ? NO_DEADLINE : nowUs - connection.streamUs;
    connection.streamUs = nowUs;
  }
  let copying = 0;
  for (const channel of connection.channels) {
    copying += channel.copying;
  }
  if (copying === 0) {
    connection.copyDueUs = NO_DEADLINE;
    return;
  }
  const interval = connection.streamIntervalUs;
  const steady = interval <= COPY_DELAY_MAX_US;
  const delay = steady
    ? Math.min(Math.max(interval + Math.trunc(interval / 2), COPY_DELAY_MIN_US), COPY_DELAY_MAX_US)
    : COPY_DELAY_LONE_US;
  connection.copyDueUs = nowUs + delay;
}
