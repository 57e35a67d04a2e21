// receive: what a packet that passed the seal does to its connection.
//
// Owns the order of effects: the whole payload is checked, then it counts as received, then acks,
// verdicts and frames take effect in the order in which they stand. Never sees unauthenticated bytes.
// Invariants: a refused payload changed nothing but counters and, as a violation, the state;
// a packet of which something could not be held is not acked, so its messages ride again.

import { acksLowest, acksReceive, receivedAdd } from "./acks.js";
import { connectionCongestion, connectionRelease, connectionVerdicts } from "./advance.js";
import { type Reader, readerSet, readU32 } from "./bytes.js";
import type { Channel } from "./channel.js";
import {
  type Connection,
  connectionNackDelayUs,
  connectionOpen,
  connectionRates,
  type Shared,
} from "./connection.js";
import {
  deliveryReceive,
  deliverySkip,
  RECEIVE_HELD,
  RECEIVE_OK,
  RECEIVE_REFUSED,
  RECEIVE_VIOLATION,
} from "./delivery.js";
import {
  connectionBroken,
  connectionClose,
  connectionDone,
  connectionPeerClosed,
  connectionTold,
} from "./ending.js";
import {
  ackHeaderRead,
  FRAME_AGE,
  FRAME_CHALLENGE,
  FRAME_CLOSE,
  FRAME_END,
  FRAME_HELLO,
  FRAME_LAYOUT,
  FRAME_NACK,
  FRAME_PING,
  FRAME_RESPONSE,
  FRAME_SKIP,
  FRAME_WINDOW,
  type Frame,
  frameNext,
} from "./frame.js";
import { gapUpdate } from "./gap.js";
import { LAYOUT_CHANNELS } from "./layout.js";
import {
  HOLD_CHUNKS,
  HOLD_RESERVE_PART,
  MESSAGES_PER_PACKET_MAX,
  NETRT_VERSION,
  PACING_RATE_MIN,
} from "./limits.js";
import { connectionProof } from "./move.js";
import { omitAcked } from "./omit.js";
import { PACKET_DISCONNECT, PACKET_KEEP_ALIVE, PACKET_PAYLOAD } from "./packet.js";
import { pathAcked } from "./path.js";
import { payloadCheck } from "./payload.js";
import { channelNacked } from "./repair.js";
import { NO_ROOM, RECORD_BYTES, RECORD_MESSAGE, ringPush } from "./ring.js";
import { sequenceExpand16 } from "./sequence.js";
import { sessionDerive } from "./session.js";
import {
  CONNECTION_CLOSING,
  CONNECTION_GREETING,
  REASON_DISCONNECTED,
  REASON_MISMATCH,
  REASON_RESOURCES,
  REASON_VIOLATION,
} from "./state.js";
import {
  CHANNEL_BYTES_RECEIVED,
  CHANNEL_RECEIVED,
  HOST_MISMATCHES,
  PEER_BYTES_RECEIVED,
  PEER_PACKETS_RECEIVED,
  REJECT_ACK_UNSENT,
  REJECT_MEMORY,
  REJECT_NONE,
  REJECT_PAYLOAD,
  REJECT_STATE,
  statsAdd,
  statsChannelWord,
  statsHostWord,
  statsPeerWord,
} from "./stats.js";
import { channelConsumed } from "./window.js";

const encode = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const TEXT_PAYLOAD = encode("malformed payload");
const TEXT_NUMBER = encode("packet number out of range");
const TEXT_ACK = encode("ack of a packet never sent");
const TEXT_MESSAGE = encode("message id out of range");
const TEXT_HELLO = encode("message before hello");
const TEXT_PATH = encode("path frame of the other side");
const NO_TEXT = new Uint8Array(0);
const TEXT_KEY = encode("public key of low order");

/** Numbers from here on are the standard's to use, but not ours: a netrt peer never gets there. */
const NUMBER_END_HIGH = 0x200000;

/** Takes an opened packet of a connected peer; a reason when it was refused, or REJECT_NONE. */
export function connectionReceive(
  connection: Connection,
  shared: Shared,
  type: number,
  numberLo: number,
  numberHi: number,
  bytes: Uint8Array,
  offset: number,
  bodyBytes: number,
  receivedUs: number,
  nowUs: number,
): number {
  const page = shared.outlet.page;
  const row = statsPeerWord(connection.slot);
  page[row + PEER_PACKETS_RECEIVED] = (page[row + PEER_PACKETS_RECEIVED] + 1) >>> 0;
  statsAdd(page, row + PEER_BYTES_RECEIVED, bodyBytes);
  connection.heardUs = nowUs;
  if (connection.heldUp && !connectionRelease(connection, shared)) {
    // What was acked is handed over before more is taken: a goodbye would end it undelivered.
    return REJECT_MEMORY;
  }
  if (type === PACKET_DISCONNECT) {
    connectionDone(connection, shared, REASON_DISCONNECTED);
    return REJECT_NONE;
  }
  if (connection.state === CONNECTION_CLOSING) {
    return connection.awaiting && type === PACKET_PAYLOAD
      ? layoutReceive(connection, shared, bytes, offset, bodyBytes)
      : REJECT_STATE;
  }
  connection.confirmed = true;
  if (shared.config.raw) {
    return type === PACKET_KEEP_ALIVE
      ? REJECT_NONE
      : rawReceive(connection, shared, bytes, offset, bodyBytes);
  }
  if (numberHi >= NUMBER_END_HIGH) {
    return violate(connection, shared, TEXT_NUMBER, REJECT_PAYLOAD, nowUs);
  }
  const number = numberHi * 2 ** 32 + numberLo;
  if (type === PACKET_KEEP_ALIVE) {
    receivedAdd(connection.received, number, receivedUs, false, connection.sent.nextNumber);
    return REJECT_NONE;
  }
  return payloadReceive(connection, shared, number, bytes, offset, bodyBytes, receivedUs, nowUs);
}

function violate(
  connection: Connection,
  shared: Shared,
  text: Uint8Array,
  reason: number,
  nowUs: number,
): number {
  connectionClose(connection, shared, REASON_VIOLATION, text, 0, text.length, nowUs);
  return reason;
}

/** Bare NETCODE: the payload is the user's. */
function rawReceive(
  connection: Connection,
  shared: Shared,
  bytes: Uint8Array,
  offset: number,
  bodyBytes: number,
): number {
  const completion = shared.outlet.completion;
  const word = ringPush(completion, RECORD_MESSAGE, bodyBytes);
  if (word === NO_ROOM) {
    return REJECT_MEMORY;
  }
  completion.words[word + 1] = connection.handle;
  completion.words[word + 2] = 0;
  completion.words[word + 4] = 0;
  completion.words[word + 5] = 0;
  completion.bytes.set(bytes.subarray(offset, offset + bodyBytes), word * 4 + RECORD_BYTES);
  statsAdd(shared.outlet.page, statsChannelWord(0, CHANNEL_RECEIVED), 1);
  statsAdd(shared.outlet.page, statsChannelWord(0, CHANNEL_BYTES_RECEIVED), bodyBytes);
  return REJECT_NONE;
}

/** Checks a payload as a whole, then reads its ack header; false where it is malformed. */
function payloadBegin(
  connection: Connection,
  shared: Shared,
  bytes: Uint8Array,
  offset: number,
  end: number,
): boolean {
  const { reader, ackHeader, frame } = shared;
  const channelCount = shared.config.channelCount;
  frame.payloadBytes = connection.payloadBytes;
  if (!payloadCheck(reader, ackHeader, frame, bytes, offset, end, channelCount)) {
    return false;
  }
  readerSet(reader, bytes, offset, end);
  ackHeaderRead(reader, ackHeader);
  frame.payloadBytes = connection.payloadBytes;
  frame.ageMs = 0;
  return true;
}

function payloadReceive(
  connection: Connection,
  shared: Shared,
  number: number,
  bytes: Uint8Array,
  offset: number,
  bodyBytes: number,
  receivedUs: number,
  nowUs: number,
): number {
  const { reader, ackHeader, frame } = shared;
  const end = offset + bodyBytes;
  if (!payloadBegin(connection, shared, bytes, offset, end)) {
    return violate(connection, shared, TEXT_PAYLOAD, REJECT_PAYLOAD, nowUs);
  }
  const sent = connection.sent;
  let latest = 0;
  if (ackHeader.present) {
    latest = sequenceExpand16(ackHeader.latest, sent.nextNumber);
    const { bitsOffset, bitBytes } = ackHeader;
    const lowest = acksLowest(latest, bytes, bitsOffset, bitBytes);
    const unsent = lowest < sent.firstNumber || latest >= sent.nextNumber;
    if (unsent || omitAcked(sent, latest, bytes, bitsOffset, bitBytes)) {
      return violate(connection, shared, TEXT_ACK, REJECT_ACK_UNSENT, nowUs);
    }
  }
  const eliciting = reader.offset < end;
  if (ackHeader.present) {
    const sampled = acksReceive(
      sent,
      connection.received,
      connection.rtt,
      latest,
      ackHeader.delay,
      bytes,
      ackHeader.bitsOffset,
      ackHeader.bitBytes,
      receivedUs,
    );
    pathAcked(connection.path, sent.ackedLatest);
    connectionVerdicts(connection, shared, nowUs);
    connectionCongestion(connection, sampled, nowUs);
  }
  // What finds its place takes effect even when something of the packet does not: acks, skips and
  // messages in their turn release the memory that is missing, and ends that refused them to each
  // other would wait until everything expired, or for ever.
  if (!framesReceive(connection, shared, reader, frame, nowUs)) {
    return REJECT_MEMORY;
  }
  receivedAdd(connection.received, number, receivedUs, eliciting, sent.nextNumber);
  return REJECT_NONE;
}

/** After a mismatch nothing counts but what the peer says of the channel that differs. */
function layoutReceive(
  connection: Connection,
  shared: Shared,
  bytes: Uint8Array,
  offset: number,
  bodyBytes: number,
): number {
  if (!payloadBegin(connection, shared, bytes, offset, offset + bodyBytes)) {
    return REJECT_PAYLOAD;
  }
  layoutFind(connection, shared, shared.reader, shared.frame);
  return REJECT_STATE;
}

/** Looks through the frames that are left. */
function layoutFind(connection: Connection, shared: Shared, reader: Reader, frame: Frame): void {
  for (let kind = frameNext(reader, frame); kind !== FRAME_END; kind = frameNext(reader, frame)) {
    if (kind === FRAME_LAYOUT && frame.channel === connection.layout) {
      connectionTold(connection, shared, reader.bytes, frame.offset, frame.bytes);
    }
  }
}

/** Whether what comes before its turn may be held: some memory stays for sending, whoever sends gaps. */
function mayHold(shared: Shared): boolean {
  const { messageCount, chunkCount } = shared.config;
  const { messagesFree, chunksFree } = shared.outlet.pool;
  return (
    messagesFree >= MESSAGES_PER_PACKET_MAX + Math.trunc(messageCount / HOLD_RESERVE_PART) &&
    chunksFree >= HOLD_CHUNKS + Math.trunc(chunkCount / HOLD_RESERVE_PART)
  );
}

function framesReceive(
  connection: Connection,
  shared: Shared,
  reader: Reader,
  frame: Frame,
  nowUs: number,
): boolean {
  const holds = mayHold(shared);
  let held = true;
  // An ack can end a drain, and then nothing of the packet comes after the end: what it still
  // carried once reached the user behind the end's report (test/lockstep).
  while (connection.state !== CONNECTION_CLOSING) {
    const kind = frameNext(reader, frame);
    if (kind === FRAME_END) {
      return held;
    }
    if (kind === FRAME_HELLO) {
      helloReceive(connection, shared, reader, frame, nowUs);
    } else if (kind === FRAME_CLOSE) {
      connectionPeerClosed(
        connection,
        shared,
        frame.code,
        reader.bytes,
        frame.offset,
        frame.bytes,
        nowUs,
      );
    } else if (kind === FRAME_CHALLENGE || kind === FRAME_RESPONSE) {
      const asked = kind === FRAME_CHALLENGE;
      if (!connectionProof(connection, shared, asked, reader.bytes, frame.offset, nowUs)) {
        violate(connection, shared, TEXT_PATH, REJECT_PAYLOAD, nowUs);
      }
    } else if (kind !== FRAME_PING && kind !== FRAME_AGE && kind !== FRAME_LAYOUT) {
      held = channelFrame(connection, shared, reader, kind, frame, holds, nowUs) && held;
      frame.ageMs = 0;
    }
  }
  if (connection.awaiting) {
    layoutFind(connection, shared, reader, frame);
  }
  return held;
}

/** False when a message found no memory to be held in. */
function channelFrame(
  connection: Connection,
  shared: Shared,
  reader: Reader,
  kind: number,
  frame: Frame,
  holds: boolean,
  nowUs: number,
): boolean {
  if (connection.state === CONNECTION_GREETING) {
    violate(connection, shared, TEXT_HELLO, REJECT_PAYLOAD, nowUs);
    return true;
  }
  const channel = connection.channels[frame.channel];
  const { outlet } = shared;
  const { handle } = connection;
  let result = RECEIVE_OK;
  switch (kind) {
    case FRAME_NACK:
      result = nackReceive(connection, shared, channel, reader, frame, nowUs);
      break;
    case FRAME_SKIP:
      result = deliverySkip(channel, outlet, handle, frame.id);
      break;
    case FRAME_WINDOW:
      result = channelConsumed(channel, frame.id) ? RECEIVE_OK : RECEIVE_VIOLATION;
      break;
    default:
      result = deliveryReceive(channel, outlet, handle, frame, reader.bytes, holds, nowUs);
  }
  gapUpdate(
    channel,
    nowUs,
    connectionNackDelayUs(connection),
    Math.trunc(connection.rtt.smoothedUs / 2),
  );
  connection.heldUp = connection.heldUp || result === RECEIVE_HELD;
  if (result === RECEIVE_VIOLATION) {
    violate(connection, shared, TEXT_MESSAGE, REJECT_PAYLOAD, nowUs);
  }
  return result !== RECEIVE_REFUSED;
}

function nackReceive(
  connection: Connection,
  shared: Shared,
  channel: Channel,
  reader: Reader,
  frame: Frame,
  nowUs: number,
): number {
  const lawful = channelNacked(
    channel,
    shared.outlet,
    connection.handle,
    frame.id,
    reader.bytes,
    frame.offset,
    frame.bytes,
    nowUs,
    connection.rtt.smoothedUs,
  );
  connectionBroken(connection, shared, nowUs);
  return lawful ? RECEIVE_OK : RECEIVE_VIOLATION;
}

/** Compares the peer's protocol with ours; a difference is named and refused. */
function helloReceive(
  connection: Connection,
  shared: Shared,
  reader: Reader,
  frame: Frame,
  nowUs: number,
): void {
  if (connection.state !== CONNECTION_GREETING && frame.code === NETRT_VERSION) {
    return;
  }
  const difference = helloDifference(connection, shared, reader, frame);
  if (difference === "") {
    limitsReceive(connection, frame, nowUs);
    const problem = sessionDerive(connection, shared, frame.suites, reader.bytes, frame.keyOffset);
    if (problem === REASON_RESOURCES) {
      connectionClose(connection, shared, problem, NO_TEXT, 0, 0, nowUs);
    } else if (problem !== 0) {
      violate(connection, shared, TEXT_KEY, REJECT_PAYLOAD, nowUs);
    } else {
      connectionOpen(connection, shared);
    }
    return;
  }
  statsAdd(shared.outlet.page, statsHostWord(HOST_MISMATCHES), 1);
  connection.payloadBytes = frame.payloadBytes;
  const text = encode(difference);
  connectionClose(connection, shared, REASON_MISMATCH, text, 0, text.length, nowUs);
}

/** What the peer takes bounds what it gets: a client may dictate rate and size. */
function limitsReceive(connection: Connection, frame: Frame, nowUs: number): void {
  connection.payloadBytes = frame.payloadBytes;
  if (frame.byteRateMax > 0) {
    connection.rateMax = Math.min(connection.rateMax, Math.max(frame.byteRateMax, PACING_RATE_MIN));
  }
  connection.packetRateMax = frame.packetRateMax;
  connectionRates(connection, nowUs);
}

/** What differs, in the words of a close; `layout` becomes the channel in which it does. */
function helloDifference(
  connection: Connection,
  shared: Shared,
  reader: Reader,
  frame: Frame,
): string {
  const config = shared.config;
  if (frame.code !== NETRT_VERSION) {
    return "version";
  }
  if (frame.nameHash !== config.nameHash) {
    return "name";
  }
  if (frame.channelCount !== config.channelCount) {
    connection.layout = LAYOUT_CHANNELS;
    return "channels";
  }
  const rest = reader.offset;
  reader.offset = frame.offset;
  let difference = "";
  for (let channel = 0; channel < config.channelCount; channel++) {
    if (readU32(reader) !== config.policies[channel].hash && difference === "") {
      difference = `channel ${channel}`;
      connection.layout = channel;
    }
  }
  reader.offset = rest;
  return difference;
}
