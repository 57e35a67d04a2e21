// connection: one peer between the moment it has a slot and the moment the slot is free again.
//
// Owns the peer's keys, replay window, numbers, channels and timers, and what a packet to it holds.
// Never knows a socket or another peer; never pushes bytes: it is asked for a packet and says when to
// ask again. The state moves only by the table of `state`.
// Invariants: a packet number is used once; nothing is acted on before the seal opened and the
// whole payload was checked; after the end was reported, nothing more is.

import {
  acksDeadlineUs,
  NO_NUMBER,
  Received,
  receivedDueUs,
  receivedReset,
  Sent,
  sentInFlight,
  sentReady,
  sentReset,
} from "./acks.js";
import { Address } from "./address.js";
import { Reader, Writer } from "./bytes.js";
import {
  Channel,
  channelBlocked,
  channelFlushed,
  channelReset,
  channelUnsent,
  channelWants,
  type Outlet,
} from "./channel.js";
import type { HostConfig } from "./config.js";
import {
  Congestion,
  congestionOpen,
  congestionPacketRate,
  congestionRate,
  congestionReset,
} from "./congestion.js";
import { AckHeader, Frame } from "./frame.js";
import { gapDeadlineUs } from "./gap.js";
import { LAYOUT_NONE, Layouts } from "./layout.js";
import {
  CLOSE_TEXT_BYTES_MAX,
  COMPLETION_RESERVE_BYTES,
  CONGESTION_FLOOR_US,
  DIGEST_BYTES,
  GREETING_MAX_US,
  KEEP_ALIVE_US,
  NACK_BITS_BYTES_MAX,
  NACK_DELAY_MAX_US,
  PACKET_ASSOCIATED_BYTES,
  USER_DATA_BYTES,
} from "./limits.js";
import { omitNext } from "./omit.js";
import { Pacing, pacingNextUs, pacingRate, pacingReady, pacingReset } from "./pacing.js";
import { Path, pathReset } from "./path.js";
import { Plan } from "./plan.js";
import { ORDER_SEQUENCED } from "./policy.js";
import { ReplayWindow, replayReset } from "./replay.js";
import {
  NO_ROOM,
  PEER_RECORD_BYTES,
  RECORD_CONNECT,
  RECORD_WORDS,
  type Ring,
  ringPush,
  ringRoom,
} from "./ring.js";
import { Rtt, rttReset, rttSilentUs } from "./rtt.js";
import { SealKey, sealKeySet } from "./seal.js";
import { Session, sessionReset } from "./session.js";
import { settleDeadlineUs } from "./settle.js";
import {
  CONNECTION_CLOSING,
  CONNECTION_EVENT_ASSIGN,
  CONNECTION_EVENT_HELLO,
  CONNECTION_FREE,
  connectionNext,
} from "./state.js";
import {
  CIPHER_SESSION,
  CIPHER_TOKEN,
  PEER_ACKS_LATE,
  PEER_CIPHER,
  PEER_FLIGHT_BYTES,
  PEER_GAPS,
  PEER_HANDLE,
  PEER_IN_FLIGHT,
  PEER_JITTER_US,
  PEER_PACKET_RATE,
  PEER_PACKETS_ACKED,
  PEER_PACKETS_LOST,
  PEER_PAYLOAD_BYTES,
  PEER_QUEUE_DELAY_US,
  PEER_RATE,
  PEER_RTT_MINIMUM_US,
  PEER_RTT_US,
  PEER_RTT_VARIANCE_US,
  PEER_WINDOW_BYTES,
  PEER_WORDS,
  statsPeerWord,
} from "./stats.js";
import { NO_DEADLINE } from "./timers.js";

const HANDLE_STEP = 0x10000;

/** What all connections of a host share: memory, configuration, scratch for the packet at hand. */
export class Shared {
  config: HostConfig;
  outlet: Outlet;
  /** What nobody else knows, of SIP_KEY_WORDS. */
  hashKey: Uint32Array;
  plan = new Plan();
  reader = new Reader();
  writer = new Writer();
  ackHeader = new AckHeader();
  frame = new Frame();
  associated = new Uint8Array(PACKET_ASSOCIATED_BYTES);
  nackBits = new Uint8Array(NACK_BITS_BYTES_MAX);
  /** What the next connection's key pair is drawn from. */
  keysSeed = new Uint8Array(DIGEST_BYTES);
  layouts: Layouts;

  constructor(config: HostConfig, outlet: Outlet, hashKey: Uint32Array) {
    this.config = config;
    this.outlet = outlet;
    this.hashKey = hashKey;
    this.layouts = new Layouts(config.channelCount);
  }
}

export class Connection {
  slot: number;
  /** Slot in the low half, a count of the slot's uses in the high half: 0 is never a handle. */
  handle: number;
  state = CONNECTION_FREE;
  address = new Address();
  clientIdLo = 0;
  clientIdHi = 0;
  userData = new Uint8Array(USER_DATA_BYTES);
  sendKey = new SealKey();
  receiveKey = new SealKey();
  session = new Session();
  path = new Path();
  replay = new ReplayWindow();
  received = new Received();
  sent = new Sent();
  rtt = new Rtt();
  pacing = new Pacing();
  congestion = new Congestion();
  /** The longest payload that both ends take, once the peer's hello told its. */
  payloadBytes = 0;
  /** Bytes and packets a second toward the peer, as both ends allow; 0 packets for any number. */
  rateMax = 0;
  packetRateMax = 0;
  /** The user wants every packet's verdict. */
  watched = false;
  channels: Channel[] = [];

  /** The peer is known to know that it is connected; a client always is. */
  confirmed = false;
  /** A keep-alive went out since the last payload to an unconfirmed peer. */
  preceded = false;
  helloAcked = false;
  helloInFlight = 0;
  /** The user was told that the peer is there; then it is told when the peer is gone. */
  announced = false;
  /** The user's flush wants everything unsent to go out. */
  flushing = false;
  /** A flush began, and no packet went out since: it may be one that nothing else asks for. */
  flushBegun = false;
  /** When a packet that asks for an ack last went out (µs). */
  askedUs = 0;

  /** When the peer must have said hello (µs). */
  greetingDueUs = NO_DEADLINE;
  heardUs = 0;
  timeoutUs = NO_DEADLINE;
  /** When anything last went out, and how long it may then be quiet. */
  spokenUs = 0;
  keepAliveUs = KEEP_ALIVE_US;
  /** When the last first ride of a message was, and the time between the last two. */
  streamUs = 0;
  streamIntervalUs = NO_DEADLINE;
  copyDueUs = NO_DEADLINE;
  /** When the end of a burst is probed (µs), and the number of the last probe. */
  probeDueUs = NO_DEADLINE;
  probeNumber = NO_NUMBER;
  /** What wants to ride found no place in the last packet, and is tried again then (µs). */
  stalledUntilUs = 0;

  /** The number to be left out next, and how many were drawn. */
  omitNumber = 0;
  omits = 0;
  /** Of which channel (LAYOUT_CHANNELS: of all) the goodbyes say what it is here. */
  layout = LAYOUT_NONE;
  /** The end is not told yet: what the peer says of that channel is waited for. */
  awaiting = false;

  closeReason = 0;
  closeText = new Uint8Array(CLOSE_TEXT_BYTES_MAX);
  closeTextBytes = 0;
  /** Goodbyes still to send, when the next is due, and how many of them carry the reason. */
  farewells = 0;
  farewellDueUs = 0;
  farewellsWithReason = 0;

  /** Messages that are due wait for room in the user's ring. */
  heldUp = false;

  /** The host's lists. */
  inWork = false;
  inDirty = false;
  openIndex = 0;

  constructor(slot: number, config: HostConfig) {
    this.slot = slot;
    this.handle = slot;
    for (let index = 0; index < config.channelCount; index++) {
      const channel = new Channel(config.policies[index]);
      channel.index = index;
      this.channels.push(channel);
    }
  }
}

// --- the beginning ---

/** Takes the slot into use: NETCODE has connected it. `firstNumber` follows the last number used. */
export function connectionAssign(
  connection: Connection,
  shared: Shared,
  sendKey: Uint8Array,
  sendKeyOffset: number,
  receiveKey: Uint8Array,
  receiveKeyOffset: number,
  firstNumber: number,
  timeoutUs: number,
  nowUs: number,
): void {
  connection.state = connectionNext(connection.state, CONNECTION_EVENT_ASSIGN);
  connection.handle = (connection.handle + HANDLE_STEP) >>> 0;
  if (connection.handle < HANDLE_STEP) {
    connection.handle += HANDLE_STEP;
  }
  sealKeySet(connection.sendKey, sendKey, sendKeyOffset);
  sealKeySet(connection.receiveKey, receiveKey, receiveKeyOffset);
  if (!shared.config.raw) {
    sessionReset(connection.session, shared);
  }
  pathReset(connection.path);
  replayReset(connection.replay);
  receivedReset(connection.received);
  sentReset(connection.sent, firstNumber);
  connection.omits = 0;
  omitNext(connection, shared);
  rttReset(connection.rtt);
  congestionReset(connection.congestion, shared.config.congestion, nowUs);
  connection.payloadBytes = shared.config.payloadBytesMax;
  connection.rateMax = shared.config.rate;
  connection.packetRateMax = 0;
  connection.watched = false;
  pacingReset(connection.pacing, connection.rateMax, nowUs);
  connectionRates(connection, nowUs);
  for (const channel of connection.channels) {
    channelReset(channel);
  }
  connection.confirmed = false;
  connection.preceded = false;
  connection.helloAcked = shared.config.raw;
  connection.helloInFlight = 0;
  connection.announced = false;
  connection.flushing = false;
  connection.flushBegun = false;
  connection.askedUs = nowUs;
  connection.greetingDueUs = nowUs + Math.min(timeoutUs, GREETING_MAX_US);
  connection.heardUs = nowUs;
  connection.timeoutUs = timeoutUs;
  connection.spokenUs = nowUs;
  connection.keepAliveUs = KEEP_ALIVE_US;
  connection.streamUs = 0;
  connection.streamIntervalUs = NO_DEADLINE;
  connection.copyDueUs = NO_DEADLINE;
  connection.probeDueUs = NO_DEADLINE;
  connection.probeNumber = NO_NUMBER;
  connection.stalledUntilUs = 0;
  connection.layout = LAYOUT_NONE;
  connection.awaiting = false;
  connection.farewells = 0;
  connection.heldUp = false;
  const row = statsPeerWord(connection.slot);
  shared.outlet.page.fill(0, row, row + PEER_WORDS);
  shared.outlet.page[row + PEER_HANDLE] = connection.handle;
  if (shared.config.raw) {
    connectionOpen(connection, shared);
  }
}

/** The peer speaks our protocol: tells the user that it is there. */
export function connectionOpen(connection: Connection, shared: Shared): void {
  connection.state = connectionNext(connection.state, CONNECTION_EVENT_HELLO);
  connection.greetingDueUs = NO_DEADLINE;
  connection.announced = true;
  connectionStats(connection, shared.outlet.page);
  const completion = shared.outlet.completion;
  const word = ringPush(completion, RECORD_CONNECT, PEER_RECORD_BYTES);
  if (word === NO_ROOM) {
    return;
  }
  const words = completion.words;
  words[word + 1] = connection.handle;
  words[word + 2] = 0;
  words[word + 4] = connection.slot;
  words[word + 5] = 0;
  connectionRecord(connection, completion, word);
}

/** Writes who the peer is into a record's payload, PEER_RECORD_BYTES long. */
export function connectionRecord(connection: Connection, completion: Ring, word: number): void {
  const { words } = completion;
  const payload = word + RECORD_WORDS;
  words[payload] = connection.clientIdLo;
  words[payload + 1] = connection.clientIdHi;
  words[payload + 2] = connection.address.type;
  words[payload + 3] = connection.address.port;
  words[payload + 4] = connection.address.a;
  words[payload + 5] = connection.address.b;
  words[payload + 6] = connection.address.c;
  words[payload + 7] = connection.address.d;
  completion.bytes.set(connection.userData, payload * 4 + 32);
}

/** Whether the user's ring has room for what one step of a connection can bring forth. */
export function connectionRoom(shared: Shared): boolean {
  return ringRoom(shared.outlet.completion) >= COMPLETION_RESERVE_BYTES;
}

// --- what is due ---

/**
 * When connectionAdvance or connectionTransmit has something to do (µs), flushes aside; `dueUs` is
 * what connectionDueUs says.
 */
export function connectionDeadlineUs(connection: Connection, dueUs: number, nowUs: number): number {
  if (connection.state === CONNECTION_FREE) {
    return NO_DEADLINE;
  }
  if (connection.state === CONNECTION_CLOSING) {
    return connection.farewellDueUs;
  }
  if (connection.heldUp) {
    return 0;
  }
  let deadlineUs = Math.min(
    connection.greetingDueUs,
    connection.heardUs + connection.timeoutUs,
    acksDeadlineUs(connection.sent, connection.rtt),
    settleDeadlineUs(connection.sent, connection.rtt),
  );
  for (const channel of connection.channels) {
    deadlineUs = Math.min(deadlineUs, channel.earliestExpiryUs, gapDeadlineUs(channel));
  }
  if (!sentReady(connection.sent)) {
    return deadlineUs;
  }
  const pacedUs = Math.max(dueUs, pacingNextUs(connection.pacing, nowUs));
  return Math.min(deadlineUs, pacedUs, ackDueUs(connection));
}

/** When something wants to go out (µs): 0 for at once, NO_DEADLINE for not before more happens. */
export function connectionDueUs(connection: Connection): number {
  if (connection.state === CONNECTION_CLOSING) {
    return connection.farewells > 0 ? connection.farewellDueUs : NO_DEADLINE;
  }
  if (!connection.helloAcked && connection.helloInFlight === 0) return 0;
  const soonUs = Math.min(receivedDueUs(connection.received), connectionSpeakUs(connection));
  let dueUs = Math.min(soonUs, connection.path.dueUs);
  const wantsUs = connectionWants(connection) ? connection.stalledUntilUs : NO_DEADLINE;
  const askUs = Math.min(wantsUs, connection.copyDueUs, connection.probeDueUs);
  dueUs = Math.min(dueUs, Math.max(askUs, connectionOpenUs(connection)));
  if (!windowOpen(connection)) dueUs = Math.min(dueUs, connectionNewsUs(connection));
  for (const channel of connection.channels) {
    dueUs = Math.min(dueUs, channel.nackDueUs);
  }
  return dueUs;
}

/** When the connection says something again (µs): sooner while messages wait and acks stay away. */
export function connectionSpeakUs(connection: Connection): number {
  const soonUs = rttSilentUs(connection.rtt, connection.spokenUs);
  const waits = soonUs !== NO_DEADLINE && connection.channels.some(({ first }) => first !== null);
  return Math.min(connection.spokenUs + connection.keepAliveUs, waits ? soonUs : NO_DEADLINE);
}

function windowOpen(connection: Connection): boolean {
  return congestionOpen(connection.congestion, connection.sent.flightBytes);
}

/** When what asks for an ack may go out (µs): once the window has room, and now and then without. */
export function connectionOpenUs(connection: Connection): number {
  return windowOpen(connection) ? 0 : connection.askedUs + CONGESTION_FLOOR_US;
}

/** When the newest states or their copies may go out though the window has no room (µs): once a flush. */
export function connectionNewsUs(connection: Connection): number {
  let newsUs = NO_DEADLINE;
  for (const channel of connection.channels) {
    if (channel.policy.order !== ORDER_SEQUENCED) {
      continue;
    }
    if (channel.fresh !== null && connection.flushBegun) {
      newsUs = Math.min(newsUs, connection.stalledUntilUs);
    } else if (channel.copying > 0) {
      newsUs = Math.min(newsUs, connection.copyDueUs);
    }
  }
  return newsUs;
}

/** Brings the pace up to date with the window and with what both ends allow. */
export function connectionRates(connection: Connection, nowUs: number): void {
  const { congestion, pacing, rtt, rateMax, packetRateMax } = connection;
  pacingRate(pacing, congestionRate(congestion, rtt, rateMax), nowUs);
  const packetRate = congestionPacketRate(congestion);
  pacing.packetRate =
    packetRate === 0 || (packetRateMax > 0 && packetRateMax < packetRate)
      ? packetRateMax
      : packetRate;
}

/** Whether a channel has something for a packet now. */
export function connectionWants(connection: Connection): boolean {
  for (const channel of connection.channels) {
    const blocked = connection.flushBegun && channelBlocked(channel);
    if (blocked || channelWants(channel, connection.flushing)) {
      return true;
    }
  }
  return false;
}

/** How long a message may be overtaken before it is named as missing. */
export function connectionNackDelayUs(connection: Connection): number {
  return Math.min(Math.trunc(connection.rtt.smoothedUs / 8), NACK_DELAY_MAX_US);
}

/** Acks don't wait for the budget, but for the packets that a peer takes: their sender would count what they ack as lost. */
function ackDueUs(connection: Connection): number {
  return Math.max(receivedDueUs(connection.received), connection.pacing.packetUs);
}

/** Whether a packet may go out now: something is due (connectionDueUs), and number and budget allow it. */
export function connectionReady(connection: Connection, dueUs: number, nowUs: number): boolean {
  if (nowUs < dueUs) {
    return false;
  }
  if (connection.state === CONNECTION_CLOSING) {
    return true;
  }
  return (
    sentReady(connection.sent) &&
    (pacingReady(connection.pacing, nowUs) || nowUs >= ackDueUs(connection))
  );
}

/** A flush has been served as far as it can be now: what stayed unsent is stale. */
export function connectionFlushed(connection: Connection): void {
  // Without one, what waits for a flush once became stale, and went out, with any packet (test/sim).
  if (!connection.flushing) {
    return;
  }
  let left = false;
  for (const channel of connection.channels) {
    channelFlushed(channel);
    left = left || channelUnsent(channel);
  }
  connection.flushing = left;
}

/** Brings the peer's row on the page up to date. */
export function connectionStats(connection: Connection, page: Uint32Array): void {
  const row = statsPeerWord(connection.slot);
  page[row + PEER_RTT_US] = connection.rtt.samples === 0 ? 0 : connection.rtt.smoothedUs;
  page[row + PEER_RTT_VARIANCE_US] = connection.rtt.varianceUs;
  page[row + PEER_RTT_MINIMUM_US] = connection.rtt.minimumUs;
  page[row + PEER_JITTER_US] = connection.rtt.jitterUs;
  page[row + PEER_PACKETS_ACKED] = connection.sent.acked >>> 0;
  page[row + PEER_PACKETS_LOST] = connection.sent.lost >>> 0;
  page[row + PEER_ACKS_LATE] = connection.sent.late >>> 0;
  page[row + PEER_GAPS] = connection.received.gaps >>> 0;
  page[row + PEER_IN_FLIGHT] = sentInFlight(connection.sent) - connection.sent.omitted;
  page[row + PEER_RATE] = connection.pacing.rate;
  page[row + PEER_WINDOW_BYTES] = connection.congestion.windowBytes;
  page[row + PEER_FLIGHT_BYTES] = connection.sent.flightBytes;
  page[row + PEER_QUEUE_DELAY_US] = connection.congestion.delayUs;
  page[row + PEER_PAYLOAD_BYTES] = connection.payloadBytes;
  page[row + PEER_PACKET_RATE] = connection.pacing.packetRate;
  const { sending, suite } = connection.session;
  page[row + PEER_CIPHER] = sending ? CIPHER_SESSION + suite : CIPHER_TOKEN;
}
