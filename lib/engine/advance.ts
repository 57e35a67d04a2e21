// advance: what time and acks do to a connection: verdicts, losses, expiries, time-outs.
//
// Owns the order in which they take effect. Never receives or sends.
// Invariant: verdicts reach the channels in the order of packet numbers.

import { acksExpire, acksVerdict, SENT_ACKED, SENT_LATE, type SentPacket } from "./acks.js";
import { channelTailed } from "./channel.js";
import {
  congestionAcked,
  congestionJudge,
  congestionSample,
  congestionTimedOut,
} from "./congestion.js";
import {
  type Connection,
  connectionNackDelayUs,
  connectionRates,
  connectionRoom,
  type Shared,
} from "./connection.js";
import { deliveryRelease, RECEIVE_HELD } from "./delivery.js";
import { connectionBroken, connectionClose, connectionDone, connectionDrained } from "./ending.js";
import { gapExpire, gapUpdate } from "./gap.js";
import { HOLD_RESERVE_PART } from "./limits.js";
import { CARRIED_SKIP, CARRIED_WINDOW, carriedRelease } from "./queue.js";
import { channelExpire, channelSettled, channelSkipVerdict, channelVerdict } from "./repair.js";
import { NO_ROOM, RECORD_PACKET, RECORD_WORDS, ringPush } from "./ring.js";
import { rttBackOff } from "./rtt.js";
import { settleVerdict, settleWaits } from "./settle.js";
import { CONNECTION_CLOSING, CONNECTION_FREE, REASON_MISMATCH, REASON_TIMED_OUT } from "./state.js";
import { NO_DEADLINE } from "./timers.js";
import { channelWindowVerdict } from "./window.js";

const NO_TEXT = new Uint8Array(0);
const TEXT_HELLO = Uint8Array.from("hello", (c) => c.charCodeAt(0));

/**
 * Hands every verdict that is due to the channels, in the order of packet numbers, and what
 * late acks, or their absence, say of lost packets.
 */
export function connectionVerdicts(connection: Connection, shared: Shared, nowUs: number): void {
  const { sent, rtt } = connection;
  while (connectionRoom(shared)) {
    const settled = settleWaits(sent) ? settleVerdict(sent, rtt, nowUs) : null;
    if (settled !== null) {
      packetSettled(connection, shared, settled, nowUs);
      continue;
    }
    const packet = acksVerdict(sent, rtt, nowUs);
    if (packet === null) {
      break;
    }
    packetDecided(connection, shared, packet, nowUs);
  }
  connectionBroken(connection, shared, nowUs);
  connectionDrained(connection, shared, nowUs);
}

/** Whether what lost packets carried may be kept for late acks: where memory is scarce, the verdict settles it. */
function mayKeep(shared: Shared): boolean {
  const { messageCount, carriedCount } = shared.config;
  const { messagesFree, carriedsFree } = shared.outlet.pool;
  return (
    messagesFree >= Math.trunc(messageCount / HOLD_RESERVE_PART) &&
    carriedsFree >= Math.trunc(carriedCount / HOLD_RESERVE_PART)
  );
}

function packetDecided(
  connection: Connection,
  shared: Shared,
  packet: SentPacket,
  nowUs: number,
): void {
  const { outlet } = shared;
  const acked = packet.state === SENT_ACKED;
  if (!acked && packet.number < connection.rtt.fromNumber) {
    connection.path.strayed += 1;
  }
  const arrivalUs = nowUs + Math.trunc(connection.rtt.smoothedUs / 2);
  if (packet.hello) {
    connection.helloInFlight -= 1;
    connection.helloAcked = connection.helloAcked || acked;
    // What had no room beside it has room now.
    connection.stalledUntilUs = 0;
  }
  if (connection.watched) {
    packetReport(connection, shared, packet, acked);
  }
  let carried = packet.carried;
  packet.carried = null;
  while (carried !== null) {
    const { next, kind, id } = carried;
    const channel = connection.channels[carried.channel];
    let kept = false;
    if (kind === CARRIED_SKIP) {
      channelSkipVerdict(channel, id, acked);
    } else if (kind === CARRIED_WINDOW) {
      channelWindowVerdict(channel, id, acked);
    } else {
      const message = carried.message!;
      kept = channelVerdict(channel, outlet, connection.handle, message, acked, nowUs, arrivalUs);
    }
    if (kept) {
      carried.next = packet.carried;
      packet.carried = carried;
    } else {
      carriedRelease(outlet.pool, carried);
    }
    carried = next;
  }
  if (packet.carried !== null && !mayKeep(shared)) {
    packetSettled(connection, shared, packet, nowUs);
  }
}

/** The fates of what a lost packet carried. */
function packetSettled(
  connection: Connection,
  shared: Shared,
  packet: SentPacket,
  nowUs: number,
): void {
  const { outlet } = shared;
  const acked = packet.state === SENT_LATE;
  let carried = packet.carried;
  packet.carried = null;
  while (carried !== null) {
    const next = carried.next;
    const channel = connection.channels[carried.channel];
    channelSettled(channel, outlet, connection.handle, carried.message!, acked, nowUs);
    carriedRelease(outlet.pool, carried);
    carried = next;
  }
}

/** Tells the user what became of a packet: Tribes' notification, one verdict a packet, in order (R-25). */
function packetReport(
  connection: Connection,
  shared: Shared,
  packet: SentPacket,
  acked: boolean,
): void {
  const { completion } = shared.outlet;
  const word = ringPush(completion, RECORD_PACKET, 8);
  if (word !== NO_ROOM) {
    const { words } = completion;
    words[word + 1] = connection.handle;
    words[word + 2] = 0;
    words[word + 4] = packet.number >>> 0;
    words[word + 5] = acked ? 1 : 0;
    words[word + RECORD_WORDS] = packet.bytes;
    words[word + RECORD_WORDS + 1] = Math.trunc(packet.number / 2 ** 32);
  }
}

/** What the acks of a packet say of the path. */
export function connectionCongestion(
  connection: Connection,
  sampled: boolean,
  nowUs: number,
): void {
  const { congestion, rtt, sent } = connection;
  if (sampled) {
    congestionSample(congestion, rtt);
  }
  const { ackedLatest, nextNumber, acked, lost } = sent;
  const lostHere = lost - connection.path.strayed;
  congestionAcked(congestion, rtt, ackedLatest, nextNumber, acked, lostHere, nowUs);
  congestionJudge(congestion, rtt, nowUs);
  connectionRates(connection, nowUs);
}

/** Does what time asks for: time-outs, losses, expiries, the end of a drain, the end of goodbyes. */
export function connectionAdvance(connection: Connection, shared: Shared, nowUs: number): void {
  if (connection.state === CONNECTION_FREE) {
    return;
  }
  if (connection.state === CONNECTION_CLOSING) {
    if (connection.farewells === 0 && nowUs >= connection.farewellDueUs) {
      connectionDone(connection, shared, connection.closeReason);
    }
    return;
  }
  if (nowUs >= connection.heardUs + connection.timeoutUs) {
    connectionClose(connection, shared, REASON_TIMED_OUT, NO_TEXT, 0, 0, nowUs);
    return;
  }
  if (nowUs >= connection.greetingDueUs) {
    connectionClose(connection, shared, REASON_MISMATCH, TEXT_HELLO, 0, TEXT_HELLO.length, nowUs);
    return;
  }
  if (acksExpire(connection.sent, connection.rtt, nowUs)) {
    rttBackOff(connection.rtt, nowUs);
    // One alone is how a loss shows on a steady path; two without an ack between them are a silence.
    if (connection.rtt.backoff > 1) {
      congestionTimedOut(connection.congestion);
      connectionRates(connection, nowUs);
    }
  }
  connectionVerdicts(connection, shared, nowUs);
  if (nowUs >= connection.probeDueUs && !connection.channels.some(channelTailed)) {
    connection.probeDueUs = NO_DEADLINE;
  }
  for (const channel of connection.channels) {
    channelExpire(channel, shared.outlet, connection.handle, nowUs);
    gapExpire(channel, nowUs);
  }
  connectionBroken(connection, shared, nowUs);
  connectionRelease(connection, shared);
  for (const channel of connection.channels) {
    gapUpdate(
      channel,
      nowUs,
      connectionNackDelayUs(connection),
      Math.trunc(connection.rtt.smoothedUs / 2),
    );
  }
  connectionDrained(connection, shared, nowUs);
}

/** Hands over what waits for room in the user's ring; true when nothing waits any more. */
export function connectionRelease(connection: Connection, shared: Shared): boolean {
  connection.heldUp = false;
  for (const channel of connection.channels) {
    const result = deliveryRelease(channel, shared.outlet, connection.handle);
    connection.heldUp = connection.heldUp || result === RECEIVE_HELD;
  }
  return !connection.heldUp;
}
