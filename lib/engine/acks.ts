// acks: which packets arrived, on both ends, and the one verdict that each packet gets.
//
// Owns the received numbers (latest and 256 before it), the records of sent packets, and the rule
// that decides a packet lost. Verdicts are asked for (acksVerdict), in the order of packet
// numbers, exactly one each. Never retransmits: a packet goes out once.
// Invariants: verdictNext <= nextNumber <= verdictNext + SENT_PACKETS - ACK_BITS_MAX; a record
// behind verdictNext stays for as long as a late ack may still correct it: SENT_PACKETS packets and
// LATE_MAX_US. A connection that needs no more keeps SENT_PACKETS_FEW records, so that thousands of
// quiet ones fit into memory.

import {
  ACK_BITS_MAX,
  ACK_DELAY_UNIT_US,
  ACK_DELAY_UNKNOWN,
  ACK_HOLD_US,
  ACK_OWED_MAX,
  IN_FLIGHT_MAX,
  LATE_MAX_US,
  REORDER_PACKETS,
  SENT_PACKETS,
  SENT_PACKETS_FEW,
} from "./limits.js";
import type { Carried } from "./queue.js";
import { type Rtt, rttBackedOff, rttExpiryUs, rttHeld, rttReorderUs, rttSample } from "./rtt.js";
import { NO_DEADLINE } from "./timers.js";

const ACK_WORDS = ACK_BITS_MAX / 32;
export const NO_NUMBER = -1;

// --- what arrived ---

export class Received {
  /** The highest number received, or NO_NUMBER. */
  latest = NO_NUMBER;
  latestUs = 0;
  /** Bit i of the whole: latest - 1 - i arrived. Word 0 holds the nearest 32. */
  bits = new Uint32Array(ACK_WORDS);
  /** Packets that ask for an ack and got none yet. */
  owed = 0;
  /** When the oldest of them arrived (µs). */
  owedUs = 0;
  /** The peer is known to know about every number up to here. */
  floor = NO_NUMBER;
  /** Acks of packets before this number of ours say nothing about a number that arrived late. */
  barrier = 0;
  gaps = 0;
}

export function receivedReset(received: Received): void {
  received.latest = NO_NUMBER;
  received.latestUs = 0;
  received.bits.fill(0);
  received.owed = 0;
  received.owedUs = 0;
  received.floor = NO_NUMBER;
  received.barrier = 0;
  received.gaps = 0;
}

function shiftBits(bits: Uint32Array, count: number): void {
  const words = count >>> 5;
  const rest = count & 31;
  for (let index = ACK_WORDS - 1; index >= 0; index--) {
    const from = index - words;
    const high = from >= 0 ? bits[from] : 0;
    const low = from >= 1 ? bits[from - 1] : 0;
    bits[index] = rest === 0 ? high : ((high << rest) | (low >>> (32 - rest))) >>> 0;
  }
}

/** Takes note of a packet that passed the seal. `nextNumber` is our own next packet number. */
export function receivedAdd(
  received: Received,
  number: number,
  receivedUs: number,
  eliciting: boolean,
  nextNumber: number,
): void {
  if (number > received.latest) {
    const step = number - received.latest;
    if (received.latest === NO_NUMBER) {
      received.bits.fill(0);
    } else if (step > ACK_BITS_MAX) {
      received.bits.fill(0);
      received.gaps += step - 1;
    } else {
      shiftBits(received.bits, step);
      const index = step - 1;
      received.bits[index >>> 5] = (received.bits[index >>> 5] | (1 << (index & 31))) >>> 0;
      received.gaps += step - 1;
    }
    received.latest = number;
    received.latestUs = receivedUs;
  } else {
    const index = received.latest - 1 - number;
    if (index >= 0 && index < ACK_BITS_MAX) {
      received.bits[index >>> 5] = (received.bits[index >>> 5] | (1 << (index & 31))) >>> 0;
      if (received.gaps > 0) {
        received.gaps -= 1;
      }
    }
    if (number <= received.floor) {
      received.floor = number - 1;
    }
    received.barrier = nextNumber;
  }
  if (eliciting) {
    if (received.owed === 0) {
      received.owedUs = receivedUs;
    }
    received.owed += 1;
  }
}

/** How many bitfield bytes an ack must carry now: down to the floor, without empty ones at the end. */
export function receivedBitBytes(received: Received): number {
  const span = Math.min(received.latest - 1 - received.floor, ACK_BITS_MAX);
  for (let bytes = (span + 7) >>> 3; bytes > 0; bytes--) {
    if (receivedBitByte(received, bytes - 1) !== 0) {
      return bytes;
    }
  }
  return 0;
}

/** Eight bits of the field: index 0 tells about latest - 1 … latest - 8. */
export function receivedBitByte(received: Received, index: number): number {
  return (received.bits[index >>> 2] >>> ((index & 3) * 8)) & 0xff;
}

/** The time since the latest packet came, in ACK_DELAY_UNIT_US, saturating at "unknown". */
export function receivedDelay(received: Received, nowUs: number): number {
  const units = Math.trunc(Math.max(nowUs - received.latestUs, 0) / ACK_DELAY_UNIT_US);
  return Math.min(units, ACK_DELAY_UNKNOWN);
}

/** When an ack must go out at the latest (µs): 0 for at once, NO_DEADLINE when none is owed. */
export function receivedDueUs(received: Received): number {
  if (received.owed === 0) {
    return NO_DEADLINE;
  }
  return received.owed >= ACK_OWED_MAX ? 0 : received.owedUs + ACK_HOLD_US;
}

/** A packet of ours that carried acks was acked: what it reported needs no repeating. */
function receivedReported(received: Received, number: number, reported: number): void {
  if (number >= received.barrier && reported > received.floor) {
    received.floor = reported;
  }
}

// --- what was sent ---

const LOSS_WHOLE = 65536;
const LOSS_SMOOTHING = 32;

export const SENT_UNDECIDED = 0;
export const SENT_ACKED = 1;
export const SENT_LOST = 2;
/** Lost by verdict, then acked after all. */
export const SENT_LATE = 3;
/** Left out: no packet has the number. */
export const SENT_OMITTED = 4;

export class SentPacket {
  number = NO_NUMBER;
  sentUs = 0;
  bytes = 0;
  state = SENT_UNDECIDED;
  eliciting = false;
  hello = false;
  /** received.latest when it was sent. */
  reported = NO_NUMBER;
  carried: Carried | null = null;
}

export class Sent {
  /** The records, the one of a number at its remainder: `few`, or `many` once those don't do. */
  packets: SentPacket[];
  few: SentPacket[];
  many: SentPacket[] = [];
  /** The number that the connection began with; lower ones were never sent in it. */
  firstNumber = 0;
  /** The number that the next packet gets. */
  nextNumber = 0;
  /** The oldest number without a verdict. */
  verdictNext = 0;
  /** No lower number has something left of what it carried; how many were acked late and have (settle). */
  settleNext = 0;
  lateHeld = 0;
  /** The highest number acked, or NO_NUMBER. */
  ackedLatest = NO_NUMBER;
  /** The highest number left out, or NO_NUMBER, and how many are among those without a verdict. */
  omittedLatest = NO_NUMBER;
  omitted = 0;
  /** Time-outs declare packets lost that were sent until then (µs). */
  timedOutUs = -1;
  eliciting = 0;
  acked = 0;
  lost = 0;
  late = 0;
  /** Share of packets lost of late, in 65536ths: a moving average over some 32 verdicts. */
  lossShare = 0;
  /** Bytes of packets that ask for an ack and have none yet, nor count as lost. */
  flightBytes = 0;

  constructor() {
    this.few = recordsCreate(SENT_PACKETS_FEW);
    this.packets = this.few;
  }
}

/** Starts over; numbers below `nextNumber` were used for packets that are never acked. */
export function sentReset(sent: Sent, nextNumber: number): void {
  recordsClear(sent.few);
  sent.packets = sent.few;
  sent.firstNumber = nextNumber;
  sent.nextNumber = nextNumber;
  sent.verdictNext = nextNumber;
  sent.settleNext = nextNumber;
  sent.lateHeld = 0;
  sent.ackedLatest = NO_NUMBER;
  sent.omittedLatest = NO_NUMBER;
  sent.omitted = 0;
  sent.timedOutUs = -1;
  sent.eliciting = 0;
  sent.acked = 0;
  sent.lost = 0;
  sent.late = 0;
  sent.lossShare = 0;
  sent.flightBytes = 0;
}

export function sentInFlight(sent: Sent): number {
  return sent.nextNumber - sent.verdictNext;
}

/** Whether another packet may go out: a number without a verdict needs its record. */
export function sentReady(sent: Sent): boolean {
  return sentInFlight(sent) < IN_FLIGHT_MAX;
}

/** Where the record of a number stands, while it has one. */
export function recordOf(sent: Sent, number: number): SentPacket {
  return sent.packets[number & (sent.packets.length - 1)];
}

function recordsCreate(count: number): SentPacket[] {
  return Array.from({ length: count }, () => new SentPacket());
}

function recordsClear(packets: SentPacket[]): void {
  for (const packet of packets) {
    packet.number = NO_NUMBER;
    packet.carried = null;
  }
}

/** Whether an ack may still tell something of a packet, or something is left of what it carried. */
function isOpen(sent: Sent, packet: SentPacket, nowUs: number): boolean {
  if (packet.number === NO_NUMBER) {
    return false;
  }
  return (
    packet.number >= sent.verdictNext ||
    packet.carried !== null ||
    (packet.state === SENT_LOST && nowUs < packet.sentUs + LATE_MAX_US)
  );
}

/** The next number's place must be free: where it isn't, few records don't do. */
function recordsGrow(sent: Sent, nowUs: number): void {
  if (sent.packets !== sent.few || !isOpen(sent, recordOf(sent, sent.nextNumber), nowUs)) {
    return;
  }
  if (sent.many.length === 0) {
    sent.many = recordsCreate(SENT_PACKETS);
  }
  recordsClear(sent.many);
  sent.packets = sent.many;
  for (const packet of sent.few) {
    if (packet.number !== NO_NUMBER) {
      Object.assign(recordOf(sent, packet.number), packet);
    }
  }
}

/** The record for the next packet number, which it takes. Only while sentReady. */
export function sentAdd(sent: Sent, nowUs: number, bytes: number, eliciting: boolean): SentPacket {
  recordsGrow(sent, nowUs);
  const packet = recordOf(sent, sent.nextNumber);
  packet.number = sent.nextNumber;
  packet.sentUs = nowUs;
  packet.bytes = bytes;
  packet.state = SENT_UNDECIDED;
  packet.eliciting = eliciting;
  packet.hello = false;
  packet.reported = NO_NUMBER;
  packet.carried = null;
  sent.nextNumber += 1;
  sent.eliciting += eliciting ? 1 : 0;
  return packet;
}

/** Takes a number for a packet that is never acked: a goodbye, a bare NETCODE packet. */
export function sentUnrecorded(sent: Sent): number {
  const number = sent.nextNumber;
  recordsGrow(sent, NO_DEADLINE);
  sent.nextNumber += 1;
  if (sent.verdictNext === number) {
    decided(sent, SENT_OMITTED);
  } else {
    recordOf(sent, number).number = NO_NUMBER;
    recordOf(sent, number).carried = null;
  }
  return number;
}

/** Whether a number was left out, as far as records reach. */
export function sentOmitted(sent: Sent, number: number): boolean {
  const packet = recordOf(sent, number);
  return packet.number === number && packet.state === SENT_OMITTED;
}

/** The packet turned out to have something to lose: it asks for an ack. */
export function sentEliciting(sent: Sent, packet: SentPacket): void {
  packet.eliciting = true;
  sent.eliciting += 1;
  sent.flightBytes += packet.bytes;
}

function landed(sent: Sent, packet: SentPacket): void {
  if (packet.eliciting) {
    sent.flightBytes -= packet.bytes;
  }
}

function ackNumber(sent: Sent, received: Received, number: number, receivedUs: number): boolean {
  const packet = recordOf(sent, number);
  if (number < 0 || packet.number !== number) {
    return false;
  }
  if (packet.state === SENT_LOST && receivedUs < packet.sentUs + LATE_MAX_US) {
    packet.state = SENT_LATE;
    sent.late += 1;
    sent.lateHeld += packet.carried === null ? 0 : 1;
  } else if (packet.state === SENT_UNDECIDED) {
    packet.state = SENT_ACKED;
    landed(sent, packet);
  } else {
    return false;
  }
  receivedReported(received, number, packet.reported);
  return true;
}

/** The lowest number that an ack of `latest` tells of; below 0 there is none. */
export function acksLowest(
  latest: number,
  bits: Uint8Array,
  bitsOffset: number,
  bitBytes: number,
): number {
  if (bitBytes === 0) {
    return latest;
  }
  const last = bits[bitsOffset + bitBytes - 1];
  return latest - 1 - ((bitBytes - 1) * 8 + (31 - Math.clz32(last)));
}

/**
 * Takes the acks of one packet: `latest` and, for bit i of `bits`, latest - 1 - i.
 * The caller has made sure that all of it was sent. An RTT sample is taken when the latest is
 * newly acked, asked for an ack, and the peer told how long it held it: then true.
 */
export function acksReceive(
  sent: Sent,
  received: Received,
  rtt: Rtt,
  latest: number,
  delay: number,
  bits: Uint8Array,
  bitsOffset: number,
  bitBytes: number,
  receivedUs: number,
): boolean {
  let sampled = false;
  if (ackNumber(sent, received, latest, receivedUs)) {
    const packet = recordOf(sent, latest);
    if (packet.eliciting && latest >= rtt.fromNumber && delay !== ACK_DELAY_UNKNOWN) {
      const raw = receivedUs - packet.sentUs;
      const sample = raw - delay * ACK_DELAY_UNIT_US;
      // A peer that claims to have held the packet for longer than it was away is not believed.
      rttSample(rtt, sample > 0 ? sample : raw, receivedUs);
      rttHeld(rtt, raw - sample);
      sampled = true;
    }
  }
  if (latest > sent.ackedLatest) {
    sent.ackedLatest = latest;
  }
  for (let index = 0; index < bitBytes; index++) {
    const byte = bits[bitsOffset + index];
    if (byte === 0) {
      continue;
    }
    for (let bit = 0; bit < 8; bit++) {
      if ((byte & (1 << bit)) !== 0) {
        ackNumber(sent, received, latest - 1 - (index * 8 + bit), receivedUs);
      }
    }
  }
  return sampled;
}

function isLost(sent: Sent, packet: SentPacket, rtt: Rtt, nowUs: number): boolean {
  const overtaken =
    packet.number < sent.ackedLatest &&
    (sent.ackedLatest - packet.number >= REORDER_PACKETS ||
      nowUs >= packet.sentUs + rttReorderUs(rtt));
  // On a steady path the time-out is the shorter of the two. Not to look at it once let it pass at
  // every turn, a back-off each (test/unit/acks.test.ts).
  return overtaken || packet.sentUs <= sent.timedOutUs;
}

/** The number has its verdict; what is not lost leaves nothing to settle. */
function decided(sent: Sent, state: number): void {
  sent.settleNext += state !== SENT_LOST && sent.settleNext === sent.verdictNext ? 1 : 0;
  sent.verdictNext += 1;
}

/**
 * The next packet that has its verdict now, in the order of numbers, or null.
 * Its state is SENT_ACKED or SENT_LOST; what it carried is the caller's to take.
 */
export function acksVerdict(sent: Sent, rtt: Rtt, nowUs: number): SentPacket | null {
  while (sentOmitted(sent, sent.verdictNext)) {
    sent.omitted -= 1;
    decided(sent, SENT_OMITTED);
  }
  if (sent.verdictNext === sent.nextNumber) {
    return null;
  }
  const packet = recordOf(sent, sent.verdictNext);
  if (packet.state === SENT_UNDECIDED) {
    if (!isLost(sent, packet, rtt, nowUs)) {
      return null;
    }
    packet.state = SENT_LOST;
    landed(sent, packet);
    sent.lost += 1;
  } else {
    sent.acked += 1;
  }
  const outcome = packet.state === SENT_LOST ? LOSS_WHOLE : 0;
  sent.lossShare += Math.trunc((outcome - sent.lossShare) / LOSS_SMOOTHING);
  sent.eliciting -= packet.eliciting ? 1 : 0;
  decided(sent, packet.state);
  return packet;
}

function oldestEliciting(sent: Sent): SentPacket | null {
  if (sent.eliciting === 0) {
    return null;
  }
  for (let number = sent.verdictNext; number < sent.nextNumber; number++) {
    const packet = recordOf(sent, number);
    if (packet.eliciting && packet.state === SENT_UNDECIDED) {
      return packet;
    }
  }
  return null;
}

/** The time-out of the oldest packet that asked for an ack (µs), or NO_DEADLINE. */
export function acksTimeoutUs(sent: Sent, rtt: Rtt): number {
  const oldest = oldestEliciting(sent);
  return oldest === null ? NO_DEADLINE : rttExpiryUs(rtt, oldest.sentUs);
}

/** When acksVerdict or a time-out may have news without another ack (µs), or NO_DEADLINE. */
export function acksDeadlineUs(sent: Sent, rtt: Rtt): number {
  const dueUs = acksTimeoutUs(sent, rtt);
  // The latest acked itself is among them when its verdict found no room in the user's ring.
  if (sent.verdictNext <= sent.ackedLatest) {
    return Math.min(dueUs, recordOf(sent, sent.verdictNext).sentUs + rttReorderUs(rtt));
  }
  return dueUs;
}

/** Declares lost what is past its time-out; true when it was sent since the last one (the caller backs off). */
export function acksExpire(sent: Sent, rtt: Rtt, nowUs: number): boolean {
  const oldest = oldestEliciting(sent);
  if (oldest === null || nowUs < rttExpiryUs(rtt, oldest.sentUs)) {
    return false;
  }
  sent.timedOutUs = nowUs - rttExpiryUs(rtt, oldest.sentUs) + oldest.sentUs;
  return !rttBackedOff(rtt, oldest.sentUs);
}
