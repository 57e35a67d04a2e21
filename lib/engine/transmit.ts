// transmit: the packet that a connection sends now, from what wants to go out to the sealed bytes.
//
// Owns the acks and control frames of a packet, and its seal; the messages are fill's. Never sends,
// never sends the same bytes twice: whatever rides again rides in a new packet under a new number
// . Order of service: acks, hello, skips, marks, nacks, messages.

import {
  receivedBitByte,
  receivedBitBytes,
  receivedDelay,
  type SentPacket,
  sentAdd,
  sentEliciting,
  sentInFlight,
  sentReady,
  sentUnrecorded,
} from "./acks.js";
import { writeBytes, writerSet, writeU8, writeU32 } from "./bytes.js";
import {
  type Channel,
  channelHoled,
  channelMark,
  channelSkipDue,
  channelSkipId,
  channelWindowDue,
} from "./channel.js";
import { ROLE_CLIENT } from "./config.js";
import { congestionSent } from "./congestion.js";
import {
  type Connection,
  connectionDueUs,
  connectionNewsUs,
  connectionOpenUs,
  connectionReady,
  connectionSpeakUs,
  connectionWants,
  type Shared,
} from "./connection.js";
import { messagesFill } from "./fill.js";
import {
  ackHeaderWrite,
  closeWrite,
  FRAME_CHALLENGE,
  helloWrite,
  layoutWrite,
  nackWrite,
  pathWrite,
  pingWrite,
  skipWrite,
  windowWrite,
} from "./frame.js";
import { gapMissing, gapUrgent } from "./gap.js";
import { LAYOUT_NONE, layoutLength, layoutOffset } from "./layout.js";
import {
  FAREWELL_INTERVAL_US,
  HELLO_BYTES,
  KEEP_ALIVE_BODY_BYTES,
  KEEP_ALIVE_IDLE_US,
  KEEP_ALIVE_US,
  LAYOUT_HEADER_BYTES_MAX,
  NACK_BYTES_MAX,
  NACK_REPEAT_MIN_US,
  NACK_SILENCE_PART,
  NETRT_VERSION,
  PATH_ID_BYTES,
  SKIP_BYTES,
  STALL_RETRY_US,
  UNASKED_MAX,
} from "./limits.js";
import { omitDue } from "./omit.js";
import { pacingReady } from "./pacing.js";
import { PACKET_DISCONNECT, PACKET_KEEP_ALIVE, PACKET_PAYLOAD } from "./packet.js";
import { pathAsk, pathTell } from "./path.js";
import { bodyCopy, CARRIED_SKIP, CARRIED_WINDOW, carriedCreate } from "./queue.js";
import { channelPass } from "./ride.js";
import { rttProbeUs, rttReorderUs } from "./rtt.js";
import { CONNECTION_CLOSING, CONNECTION_FREE } from "./state.js";
import { NO_DEADLINE } from "./timers.js";
import { wrapHeader, wrapMoving, wrapSeal } from "./wrap.js";

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
  if (!connectionReady(connection, connectionDueUs(connection), nowUs)) {
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
  omitDue(connection, shared, nowUs);
  const number = shared.config.raw
    ? sentUnrecorded(connection.sent)
    : sentAdd(connection.sent, nowUs, 0, false).number;
  const headerBytes = wrapHeader(connection, PACKET_KEEP_ALIVE, number, out, offset);
  const writer = shared.writer;
  writerSet(writer, out, offset + headerBytes, out.length);
  writeU32(writer, connection.slot);
  writeU32(writer, shared.config.peersMax);
  return wrapSeal(
    connection,
    shared,
    number,
    nowUs,
    out,
    offset,
    headerBytes,
    KEEP_ALIVE_BODY_BYTES,
  );
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
    const headerBytes = wrapHeader(connection, PACKET_DISCONNECT, number, out, offset);
    return wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes, 0);
  }
  connection.farewellsWithReason -= 1;
  const headerBytes = wrapHeader(connection, PACKET_PAYLOAD, number, out, offset);
  const writer = shared.writer;
  const start = offset + headerBytes;
  writerSet(writer, out, start, start + connection.payloadBytes);
  writeU8(writer, 0);
  if (connection.layout !== LAYOUT_NONE) {
    layoutAdd(connection, shared);
  }
  closeWrite(writer, connection.closeReason, connection.closeText, connection.closeTextBytes);
  const bodyBytes = writer.offset - start;
  return wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
}

/**
 * What the refused channel is here, as much of it as fits, behind a hello: the peer finds the
 * mismatch as well, and answers likewise.
 */
function layoutAdd(connection: Connection, shared: Shared): void {
  const { layouts, writer } = shared;
  const others = LAYOUT_HEADER_BYTES_MAX + 3 + connection.closeTextBytes;
  const helloBytes = HELLO_BYTES + 4 * shared.config.channelCount;
  // A peer of fewer channels may take less than our hello: it once got one that was cut, and called that a
  // violation (test/unit/cramped.test.ts).
  if (!connection.helloAcked && helloBytes + others <= writer.end - writer.offset) {
    helloPut(connection, shared);
  }
  const room = writer.end - writer.offset - others;
  const count = Math.min(layoutLength(layouts, connection.layout), room);
  if (count > 0) {
    const offset = layoutOffset(layouts, connection.layout);
    layoutWrite(writer, connection.layout, layouts.bytes, offset, count);
  }
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
  const headerBytes = wrapHeader(connection, PACKET_PAYLOAD, number, out, offset);
  const bodyBytes = message.bytes;
  bodyCopy(shared.outlet.pool, message.body, 0, bodyBytes, out, offset + headerBytes);
  channelPass(channel, shared.outlet, connection.handle);
  return wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
}

// --- a payload of frames ---

function payloadTransmit(
  connection: Connection,
  shared: Shared,
  nowUs: number,
  out: Uint8Array,
  offset: number,
): number {
  omitDue(connection, shared, nowUs);
  const number = connection.sent.nextNumber;
  const moving = nowUs >= connection.path.dueUs;
  const headerBytes = moving
    ? wrapMoving(connection, number, out, offset)
    : wrapHeader(connection, PACKET_PAYLOAD, number, out, offset);
  const start = offset + headerBytes;
  const end = start + connection.payloadBytes - (moving ? PATH_ID_BYTES : 0);
  writerSet(shared.writer, out, start, end);
  const owed = connection.received.owed > 0;
  ackWrite(connection, shared, nowUs);
  const acksEnd = shared.writer.offset;
  const packet = sentAdd(connection.sent, nowUs, 0, false);
  packet.reported = connection.received.latest;
  if (moving) {
    pathTell(connection.path, shared.writer, nowUs);
  }
  helloAdd(connection, shared, packet);
  const told = marksAdd(connection, shared, packet);
  nacksAdd(connection, shared, nowUs);
  const wanted = nowUs >= connectionOpenUs(connection) || nowUs >= connectionNewsUs(connection);
  const open = wanted && pacingReady(connection.pacing, nowUs);
  const messages = open ? messagesFill(connection, shared, packet, nowUs) : 0;
  if (open && !told && messages === 0 && connectionWants(connection)) {
    // A message that does not fit beside a hello, or a pool that is empty: packets without it would
    // follow each other as fast as the budget allows (test/lockstep).
    connection.stalledUntilUs = nowUs + STALL_RETRY_US;
  }
  if (open) {
    tailNote(connection, number, messages, nowUs);
  }
  connection.flushBegun = connection.flushBegun && !open;
  if (!moving) {
    keepAliveAdd(connection, shared, nowUs, acksEnd, owed);
  }
  const bodyBytes = shared.writer.offset - start;
  const bytes = wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
  packet.bytes = bytes;
  if (shared.writer.offset > acksEnd) {
    sentEliciting(connection.sent, packet);
    connection.askedUs = nowUs;
    congestionSent(connection.congestion, connection.sent.flightBytes);
    if (shared.config.role === ROLE_CLIENT && connection.session.sending) {
      pathAsk(connection.path, connection.rtt, nowUs);
    }
  }
  return bytes;
}

/** The packet is the probe that was due, or may be the last of a burst, which is probed then. */
function tailNote(connection: Connection, number: number, messages: number, nowUs: number): void {
  if (nowUs >= connection.probeDueUs && nowUs >= connectionOpenUs(connection)) {
    connection.probeDueUs = NO_DEADLINE;
    connection.probeNumber = messages > 0 ? number : connection.probeNumber;
  } else if (messages > 0 && connection.probeNumber <= connection.sent.ackedLatest) {
    connection.probeDueUs = nowUs + rttProbeUs(connection.rtt);
  }
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
  helloPut(connection, shared);
  packet.hello = true;
  connection.helloInFlight += 1;
}

function helloPut(connection: Connection, shared: Shared): void {
  const config = shared.config;
  helloWrite(
    shared.writer,
    NETRT_VERSION,
    config.nameHash,
    config.channelCount,
    config.payloadBytesMax,
    config.packetRateMax,
    config.byteRateMax,
    config.suites,
    connection.session.publicKey,
  );
  for (let channel = 0; channel < config.channelCount; channel++) {
    writeU32(shared.writer, config.policies[channel].hash);
  }
}

/** Skips, then what our user has consumed; whether one of them was due. */
function marksAdd(connection: Connection, shared: Shared, packet: SentPacket): boolean {
  let told = false;
  for (const channel of connection.channels) {
    const due = channelSkipDue(channel);
    // Four bytes in every packet until one is acked: a receiver that doesn't know waits for nothing.
    if (channelHoled(channel) && markCarry(shared, packet, channel, CARRIED_SKIP)) {
      told = told || due;
      channel.skipping = channelSkipId(channel);
      skipWrite(shared.writer, channel.index, channel.skipping);
    }
  }
  for (const channel of connection.channels) {
    if (channelWindowDue(channel) && markCarry(shared, packet, channel, CARRIED_WINDOW)) {
      told = true;
      channel.toldId = channelMark(channel);
      windowWrite(shared.writer, channel.index, channel.toldId);
    }
  }
  return told;
}

/** Notes that the packet carries a channel's id; false when there is no room or no record for it. */
function markCarry(shared: Shared, packet: SentPacket, channel: Channel, kind: number): boolean {
  if (shared.writer.end - shared.writer.offset < SKIP_BYTES) {
    return false;
  }
  const carried = carriedCreate(shared.outlet.pool);
  if (carried === null) {
    return false;
  }
  carried.kind = kind;
  carried.channel = channel.index;
  carried.id = kind === CARRIED_SKIP ? channelSkipId(channel) : channelMark(channel);
  carried.next = packet.carried;
  packet.carried = carried;
  return true;
}

/** The longer a peer is silent, the less often it is asked: one that was gone once got 90 nacks a second (test/sim). */
function nackRepeatUs(connection: Connection, nowUs: number): number {
  const silenceUs = nowUs - connection.heardUs;
  const repeatUs = Math.max(rttReorderUs(connection.rtt), NACK_REPEAT_MIN_US);
  return Math.max(repeatUs, Math.trunc(silenceUs / NACK_SILENCE_PART));
}

/** Names what is missing. A nack that is lost is followed by the next. */
function nacksAdd(connection: Connection, shared: Shared, nowUs: number): void {
  const writer = shared.writer;
  for (const channel of connection.channels) {
    const due = nowUs >= channel.nackDueUs || gapUrgent(channel);
    if (!due || writer.end - writer.offset < NACK_BYTES_MAX) {
      continue;
    }
    const bytes = gapMissing(channel, shared.nackBits, 0);
    nackWrite(writer, channel.index, channel.expectedId, bytes);
    writeBytes(writer, shared.nackBits, 0, bytes);
    channel.nackDueUs = nowUs + nackRepeatUs(connection, nowUs);
  }
}

/** Idle: a ping, which the peer acks. Busy: the next silence may be short again. */
function keepAliveAdd(
  connection: Connection,
  shared: Shared,
  nowUs: number,
  acksEnd: number,
  owed: boolean,
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
  // An ack that is owed says as much as a ping, and asks for none: of two quiet ends one pings.
  if (owed || nowUs < connectionSpeakUs(connection)) {
    return;
  }
  pingWrite(shared.writer);
  const quarter = Math.trunc(connection.timeoutUs / 4);
  connection.keepAliveUs = Math.min(2 * connection.keepAliveUs, KEEP_ALIVE_IDLE_US, quarter);
}

// --- to another address ---

/**
 * A server's packet to the address from which a client's came: it asks for proof that the client reads there,
 * PATH_PACKET_BYTES long; 0 where there is no number for it now.
 */
export function challengeTransmit(
  connection: Connection,
  shared: Shared,
  nowUs: number,
  out: Uint8Array,
  offset: number,
): number {
  if (!sentReady(connection.sent)) {
    return 0;
  }
  omitDue(connection, shared, nowUs);
  // What becomes of it says nothing of the way to the peer: it asks the record for no ack.
  const packet = sentAdd(connection.sent, nowUs, 0, false);
  const { number } = packet;
  const headerBytes = wrapHeader(connection, PACKET_PAYLOAD, number, out, offset);
  const start = offset + headerBytes;
  writerSet(shared.writer, out, start, start + connection.payloadBytes);
  writeU8(shared.writer, 0);
  pathWrite(shared.writer, FRAME_CHALLENGE, connection.path.proof);
  const bodyBytes = shared.writer.offset - start;
  packet.bytes = wrapSeal(connection, shared, number, nowUs, out, offset, headerBytes, bodyBytes);
  return packet.bytes;
}
