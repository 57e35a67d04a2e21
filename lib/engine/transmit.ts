// transmit: the packet that a connection sends now, from what wants to go out to the sealed bytes.
//
// Owns the choice of frames and their order. Never sends, never sends the same bytes twice: whatever
// rides again rides in a new packet under a new number.
// Order of service: acks, hello, skips, newest real-time messages, copies that room is made
// for, what was lost, what is new, and copies in the room that is left.

import {
  receivedBitByte,
  receivedBitBytes,
  receivedDelay,
  type SentPacket,
  sentAdd,
  sentInFlight,
  sentUnrecorded,
} from "./acks.js";
import { writeBytes, writerSet, writeU8, writeU32 } from "./bytes.js";
import {
  channelCarried,
  channelPass,
  channelSkipDue,
  channelSkipId,
  channelTrim,
  RIDE_COPY,
  RIDE_FIRST,
  RIDE_RESEND,
} from "./channel.js";
import { type Connection, connectionReady, connectionWants, type Shared } from "./connection.js";
import {
  ackHeaderWrite,
  closeWrite,
  helloWrite,
  messageHeadWrite,
  messageShorten,
  nackWrite,
  pingWrite,
  skipWrite,
} from "./frame.js";
import { gapMissing } from "./gap.js";
import {
  CHANNELS_MAX,
  COPY_DELAY_LONE_US,
  COPY_DELAY_MAX_US,
  COPY_DELAY_MIN_US,
  FAREWELL_INTERVAL_US,
  KEEP_ALIVE_BODY_BYTES,
  KEEP_ALIVE_IDLE_US,
  KEEP_ALIVE_US,
  MESSAGES_PER_PACKET_MAX,
  NACK_BYTES_MAX,
  NACK_REPEAT_MIN_US,
  NETRT_VERSION,
  STALL_RETRY_US,
  UNASKED_MAX,
} from "./limits.js";
import { pacingSpend } from "./pacing.js";
import {
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_PAYLOAD,
  packetAssociatedData,
  packetHeaderWrite,
} from "./packet.js";
import {
  channelPlanCopies,
  channelPlanFresh,
  channelPlanHead,
  channelPlanResends,
  channelStuck,
  planReset,
} from "./plan.js";
import { ORDER_SEQUENCED } from "./policy.js";
import { bodyCopy, carriedCreate, type Message } from "./queue.js";
import { rttReorderUs } from "./rtt.js";
import { sealPacket } from "./seal.js";
import { CONNECTION_CLOSING, CONNECTION_FREE } from "./state.js";
import {
  CHANNEL_BYTES_SENT,
  CHANNEL_COPIES,
  CHANNEL_RESENT,
  PEER_BYTES_SENT,
  PEER_COPY_BYTES,
  PEER_PACKETS_SENT,
  PEER_RESENT,
  statsAdd,
  statsChannelWord,
  statsPeerWord,
} from "./stats.js";
import { NO_DEADLINE } from "./timers.js";

/**
 * Writes the packet that this connection wants to send now, sealed; its bytes, or 0 for nothing.
 * The caller asks again until 0: a flush may take several packets.
 */
export function connectionTransmit(
  connection: Connection,
  shared: Shared,
  nowUs: number,
  out: Uint8Array,
  offset: number,
): number {
  if (connection.state === CONNECTION_FREE) {
    return 0;
  }
  if (connection.state === CONNECTION_CLOSING) {
    return farewellTransmit(connection, shared, nowUs, out, offset);
  }
  if (!connectionReady(connection, nowUs)) {
    return 0;
  }
  if (!connection.confirmed && !connection.preceded) {
    connection.preceded = true;
    return keepAliveTransmit(connection, shared, nowUs, out, offset);
  }
  connection.preceded = false;
  return shared.config.raw
    ? rawTransmit(connection, shared, nowUs, out, offset)
    : payloadTransmit(connection, shared, nowUs, out, offset);
}

// --- sealing ---

function headerWrite(type: number, number: number, out: Uint8Array, offset: number): number {
  return packetHeaderWrite(type, number >>> 0, Math.trunc(number / 2 ** 32), out, offset);
}

/** Seals a packet whose body of so many bytes stands behind its header; the packet's bytes. */
function seal(
  connection: Connection,
  shared: Shared,
  number: number,
  nowUs: number,
  out: Uint8Array,
  offset: number,
  headerBytes: number,
  bodyBytes: number,
): number {
  const config = shared.config;
  packetAssociatedData(config.protocolIdLo, config.protocolIdHi, out[offset], shared.associated);
  const sealedBytes = sealPacket(
    connection.sendKey,
    number >>> 0,
    Math.trunc(number / 2 ** 32),
    shared.associated,
    out,
    offset + headerBytes,
    bodyBytes,
  );
  const bytes = headerBytes + sealedBytes;
  const page = shared.outlet.page;
  const row = statsPeerWord(connection.slot);
  page[row + PEER_PACKETS_SENT] = (page[row + PEER_PACKETS_SENT] + 1) >>> 0;
  statsAdd(page, row + PEER_BYTES_SENT, bytes);
  pacingSpend(connection.pacing, bytes);
  connection.spokenUs = nowUs;
  return bytes;
}

// --- packets without frames ---

/** A NETCODE keep-alive: tells an unconfirmed client its slot, keeps a bare peer alive. */
function keepAliveTransmit(
  connection: Connection,
  shared: Shared,
  nowUs: number,
  out: Uint8Array,
  offset: number,
): number {
  connection.keepAliveUs = Math.max(connection.keepAliveUs, KEEP_ALIVE_US);
  const number = shared.config.raw
    ? sentUnrecorded(connection.sent)
    : sentAdd(connection.sent, nowUs, 0, false).number;
  const headerBytes = headerWrite(PACKET_KEEP_ALIVE, number, out, offset);
  const writer = shared.writer;
  writerSet(writer, out, offset + headerBytes, out.length);
  writeU32(writer, connection.slot);
  writeU32(writer, shared.config.peersMax);
  return seal(connection, shared, number, nowUs, out, offset, headerBytes, KEEP_ALIVE_BODY_BYTES);
}

/** One goodbye: with the reason at first, the standard's bare disconnect at the end. */
function farewellTransmit(
  connection: Connection,
  shared: Shared,
  nowUs: number,
  out: Uint8Array,
  offset: number,
): number {
  if (connection.farewells === 0 || nowUs < connection.farewellDueUs) {
    return 0;
  }
  connection.farewells -= 1;
  connection.farewellDueUs = nowUs + FAREWELL_INTERVAL_US;
  const number = sentUnrecorded(connection.sent);
  if (connection.farewellsWithReason === 0) {
    const headerBytes = headerWrite(PACKET_DISCONNECT, number, out, offset);
    return seal(connection, shared, number, nowUs, out, offset, headerBytes, 0);
  }
  connection.farewellsWithReason -= 1;
  const headerBytes = headerWrite(PACKET_PAYLOAD, number, out, offset);
  const writer = shared.writer;
  const start = offset + headerBytes;
  writerSet(writer, out, start, out.length);
  writeU8(writer, 0);
  closeWrite(writer, connection.closeReason, connection.closeText, connection.closeTextBytes);
  const bodyBytes = writer.offset - start;
  return seal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
}

/** Bare NETCODE: the oldest waiting payload as it is, or a keep-alive. */
function rawTransmit(
  connection: Connection,
  shared: Shared,
  nowUs: number,
  out: Uint8Array,
  offset: number,
): number {
  const channel = connection.channels[0];
  const message = channel.fresh;
  if (message === null) {
    return keepAliveTransmit(connection, shared, nowUs, out, offset);
  }
  const number = sentUnrecorded(connection.sent);
  const headerBytes = headerWrite(PACKET_PAYLOAD, number, out, offset);
  const bodyBytes = message.bytes;
  bodyCopy(shared.outlet.pool, message.body, bodyBytes, out, offset + headerBytes);
  channelPass(channel, shared.outlet, connection.handle);
  return seal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
}

// --- a payload of frames ---

function payloadTransmit(
  connection: Connection,
  shared: Shared,
  nowUs: number,
  out: Uint8Array,
  offset: number,
): number {
  const number = connection.sent.nextNumber;
  const headerBytes = headerWrite(PACKET_PAYLOAD, number, out, offset);
  const start = offset + headerBytes;
  const end = start + shared.config.payloadBytesMax;
  writerSet(shared.writer, out, start, end);
  ackWrite(connection, shared, nowUs);
  const acksEnd = shared.writer.offset;
  const packet = sentAdd(connection.sent, nowUs, 0, false);
  packet.reported = connection.received.latest;
  helloAdd(connection, shared, packet);
  skipsAdd(connection, shared, packet);
  nacksAdd(connection, shared, nowUs);
  messagesAdd(connection, shared, packet, nowUs);
  if (packet.carried === null && connectionWants(connection)) {
    // A message that does not fit beside a hello, or a pool that is empty: packets without it would
    // follow each other as fast as the budget allows (test/lockstep).
    connection.stalledUntilUs = nowUs + STALL_RETRY_US;
  }
  keepAliveAdd(connection, shared, nowUs, acksEnd);
  const bodyBytes = shared.writer.offset - start;
  const bytes = seal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
  packet.bytes = bytes;
  if (shared.writer.offset > acksEnd) {
    packet.eliciting = true;
    connection.sent.eliciting += 1;
  }
  return bytes;
}

function ackWrite(connection: Connection, shared: Shared, nowUs: number): void {
  const received = connection.received;
  const header = shared.ackHeader;
  header.present = received.latest >= 0;
  header.bitBytes = 0;
  if (header.present) {
    header.latest = received.latest & 0xffff;
    header.delay = receivedDelay(received, nowUs);
    header.bitBytes = receivedBitBytes(received);
  }
  ackHeaderWrite(shared.writer, header);
  for (let index = 0; index < header.bitBytes; index++) {
    writeU8(shared.writer, receivedBitByte(received, index));
  }
  received.owed = 0;
}

/** Until the peer acked one, every payload starts with a hello. */
function helloAdd(connection: Connection, shared: Shared, packet: SentPacket): void {
  if (connection.helloAcked) {
    return;
  }
  const config = shared.config;
  helloWrite(shared.writer, NETRT_VERSION, config.nameHash, config.channelCount);
  for (let channel = 0; channel < config.channelCount; channel++) {
    writeU32(shared.writer, config.policies[channel].hash);
  }
  packet.hello = true;
  connection.helloInFlight += 1;
}

function skipsAdd(connection: Connection, shared: Shared, packet: SentPacket): void {
  for (const channel of connection.channels) {
    if (!channelSkipDue(channel)) {
      continue;
    }
    const carried = carriedCreate(shared.outlet.pool);
    if (carried === null) {
      return;
    }
    carried.channel = channel.index;
    carried.skipId = channelSkipId(channel);
    carried.next = packet.carried;
    packet.carried = carried;
    channel.skipping = carried.skipId;
    skipWrite(shared.writer, channel.index, carried.skipId);
  }
}

/** Names what is missing. A nack that is lost is followed by the next. */
function nacksAdd(connection: Connection, shared: Shared, nowUs: number): void {
  const writer = shared.writer;
  for (const channel of connection.channels) {
    if (nowUs < channel.nackDueUs || writer.end - writer.offset < NACK_BYTES_MAX) {
      continue;
    }
    const bytes = gapMissing(channel, shared.nackBits, 0);
    nackWrite(writer, channel.index, channel.expectedId, bytes);
    writeBytes(writer, shared.nackBits, 0, bytes);
    const repeatUs = Math.max(rttReorderUs(connection.rtt), NACK_REPEAT_MIN_US);
    channel.nackDueUs = nowUs + repeatUs;
  }
}

/** Chooses messages by rank, then writes them by channel and age, oldest first. */
function messagesAdd(
  connection: Connection,
  shared: Shared,
  packet: SentPacket,
  nowUs: number,
): void {
  const plan = shared.plan;
  planReset(plan, shared.writer.end - shared.writer.offset);
  if (shared.outlet.pool.carriedsFree < MESSAGES_PER_PACKET_MAX + CHANNELS_MAX) {
    copiesSchedule(connection, false, nowUs);
    return;
  }
  const channels = connection.channels;
  const order = shared.config.channelOrder;
  for (const index of order) {
    if (channels[index].policy.order === ORDER_SEQUENCED) {
      channelPlanFresh(channels[index], plan);
    }
  }
  if (channels.some(channelStuck)) {
    for (const index of order) {
      channelPlanHead(channels[index], plan);
    }
  } else {
    ranksPlan(connection, shared);
  }
  planWrite(connection, shared, packet, nowUs);
}

/** What rides in the room that the newest real-time messages leave. */
function ranksPlan(connection: Connection, shared: Shared): void {
  const plan = shared.plan;
  const channels = connection.channels;
  const order = shared.config.channelOrder;
  for (const index of order) {
    if (channels[index].policy.copiesForced) {
      channelPlanCopies(channels[index], plan);
    }
  }
  for (const index of order) {
    channelPlanResends(channels[index], plan);
  }
  for (const index of order) {
    if (channels[index].policy.order !== ORDER_SEQUENCED) {
      channelPlanFresh(channels[index], plan);
    }
  }
  for (const index of order) {
    channelPlanCopies(channels[index], plan);
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
  let first = false;
  for (let index = 0; index < plan.count; index++) {
    const message = plan.messages[index] as Message;
    plan.messages[index] = null;
    last = writer.offset;
    lastBytes = message.bytes;
    first = messageAdd(connection, shared, packet, message, nowUs) || first;
  }
  if (plan.count > 0) {
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
  const body = message.body;
  const carried = carriedCreate(outlet.pool);
  if (carried === null) {
    return false;
  }
  carried.message = message;
  carried.channel = channel.index;
  carried.next = packet.carried;
  packet.carried = carried;
  const id = message.sent ? message.id : channel.nextId;
  messageHeadWrite(writer, channel.index, id, bytes);
  bodyCopy(outlet.pool, body, bytes, writer.bytes, writer.offset);
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

/** Idle: a ping, which the peer acks. Busy: the next silence may be short again. */
function keepAliveAdd(
  connection: Connection,
  shared: Shared,
  nowUs: number,
  acksEnd: number,
): void {
  if (shared.writer.offset > acksEnd) {
    connection.keepAliveUs = KEEP_ALIVE_US;
    return;
  }
  // Where acks alone go out and none of them arrives, nothing would ever decide them: without numbers
  // left, the connection fell silent for good (test/unit/connection.test.ts).
  if (connection.sent.eliciting === 0 && sentInFlight(connection.sent) > UNASKED_MAX) {
    pingWrite(shared.writer);
    return;
  }
  if (nowUs < connection.spokenUs + connection.keepAliveUs) {
    return;
  }
  pingWrite(shared.writer);
  const quarter = Math.trunc(connection.timeoutUs / 4);
  connection.keepAliveUs = Math.min(2 * connection.keepAliveUs, KEEP_ALIVE_IDLE_US, quarter);
}
