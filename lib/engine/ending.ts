// ending: how a connection ends: closed, drained, closed by the peer, timed out, disconnected.
//
// Owns the order of the end: fates, then the report, then goodbyes, then the slot is free. Never sends
// the goodbyes itself (transmit does).
// Invariant: after the end was reported, nothing more is.

import { NO_ID } from "./channel.js";
import { type Connection, connectionRecord, type Shared } from "./connection.js";
import { deliveryDrop } from "./delivery.js";
import { LAYOUT_NONE } from "./layout.js";
import { CLOSE_TEXT_BYTES_MAX, FAREWELL_ANSWERS, FAREWELL_PACKETS } from "./limits.js";
import { carriedRelease } from "./queue.js";
import { channelDrop, channelForget } from "./repair.js";
import {
  NO_ROOM,
  PEER_RECORD_BYTES,
  RECORD_BYTES,
  RECORD_DISCONNECT,
  RECORD_MISMATCH,
  ringPush,
} from "./ring.js";
import { sealKeyClear } from "./seal.js";
import { sessionClear } from "./session.js";
import { settleTake } from "./settle.js";
import {
  CONNECTION_CLOSING,
  CONNECTION_DRAINING,
  CONNECTION_EVENT_CLOSE,
  CONNECTION_EVENT_DONE,
  CONNECTION_EVENT_DRAIN,
  CONNECTION_EVENT_PEER_CLOSE,
  CONNECTION_FREE,
  connectionNext,
  REASON_MISMATCH,
  REASON_UNDELIVERED,
} from "./state.js";
import { PEER_HANDLE, statsPeerWord } from "./stats.js";

const NO_TEXT = new Uint8Array(0);

function report(connection: Connection, shared: Shared, local: boolean): void {
  if (connection.closeReason === REASON_MISMATCH) {
    mismatchReport(connection, shared, local, NO_TEXT, 0, 0);
  }
  endReport(connection, shared, local);
}

/** Who was refused, and why; also of peers that the user never heard of. */
function mismatchReport(
  connection: Connection,
  shared: Shared,
  local: boolean,
  layout: Uint8Array,
  offset: number,
  bytes: number,
): void {
  const completion = shared.outlet.completion;
  const { closeText, closeTextBytes } = connection;
  const payloadBytes = PEER_RECORD_BYTES + closeTextBytes + bytes;
  const word = ringPush(completion, RECORD_MISMATCH, payloadBytes);
  if (word === NO_ROOM) {
    return;
  }
  completion.words[word + 1] = connection.handle;
  completion.words[word + 2] = connection.layout;
  completion.words[word + 4] = closeTextBytes;
  completion.words[word + 5] = local ? 1 : 0;
  connectionRecord(connection, completion, word);
  const start = word * 4 + RECORD_BYTES + PEER_RECORD_BYTES;
  completion.bytes.set(closeText.subarray(0, closeTextBytes), start);
  completion.bytes.set(layout.subarray(offset, offset + bytes), start + closeTextBytes);
}

function endReport(connection: Connection, shared: Shared, local: boolean): void {
  if (!connection.announced) {
    return;
  }
  connection.announced = false;
  const completion = shared.outlet.completion;
  const word = ringPush(completion, RECORD_DISCONNECT, connection.closeTextBytes);
  if (word === NO_ROOM) {
    return;
  }
  completion.words[word + 1] = connection.handle;
  completion.words[word + 2] = 0;
  completion.words[word + 4] = connection.closeReason;
  completion.words[word + 5] = local ? 1 : 0;
  const text = connection.closeText.subarray(0, connection.closeTextBytes);
  completion.bytes.set(text, word * 4 + RECORD_BYTES);
}

/** Fates first, then the end; nothing after it. */
function endChannels(connection: Connection, shared: Shared): void {
  for (const channel of connection.channels) {
    channelDrop(channel, shared.outlet, connection.handle);
    deliveryDrop(channel, shared.outlet);
  }
}

function setReason(
  connection: Connection,
  reason: number,
  text: Uint8Array,
  offset: number,
  bytes: number,
): void {
  connection.closeReason = reason;
  connection.closeTextBytes = Math.min(bytes, CLOSE_TEXT_BYTES_MAX);
  connection.closeText.set(text.subarray(offset, offset + connection.closeTextBytes), 0);
}

/** Closes from this side: the peer is told why, several times. */
export function connectionClose(
  connection: Connection,
  shared: Shared,
  reason: number,
  text: Uint8Array,
  offset: number,
  bytes: number,
  nowUs: number,
): void {
  if (connection.state === CONNECTION_FREE || connection.state === CONNECTION_CLOSING) {
    return;
  }
  setReason(connection, reason, text, offset, bytes);
  endChannels(connection, shared);
  connection.awaiting = connection.layout !== LAYOUT_NONE;
  if (!connection.awaiting) {
    report(connection, shared, true);
  }
  connection.state = connectionNext(connection.state, CONNECTION_EVENT_CLOSE);
  connection.farewells = FAREWELL_PACKETS;
  connection.farewellsWithReason = shared.config.raw ? 0 : FAREWELL_PACKETS - 2;
  connection.farewellDueUs = nowUs;
}

/** Closes once everything queued has its fate; takes no more from the user. RFC 908 has no such close. */
export function connectionDrain(
  connection: Connection,
  shared: Shared,
  reason: number,
  text: Uint8Array,
  offset: number,
  bytes: number,
  nowUs: number,
): void {
  const next = connectionNext(connection.state, CONNECTION_EVENT_DRAIN);
  if (next === CONNECTION_CLOSING) {
    connectionClose(connection, shared, reason, text, offset, bytes, nowUs);
  } else if (next === CONNECTION_DRAINING && connection.state !== CONNECTION_DRAINING) {
    setReason(connection, reason, text, offset, bytes);
    connection.state = next;
    connection.flushing = true;
    connectionDrained(connection, shared, nowUs);
  }
}

/** The peer said goodbye with a reason: answers with a few bare disconnects, then the slot is free. */
export function connectionPeerClosed(
  connection: Connection,
  shared: Shared,
  reason: number,
  text: Uint8Array,
  offset: number,
  bytes: number,
  nowUs: number,
): void {
  setReason(connection, reason, text, offset, bytes);
  endChannels(connection, shared);
  report(connection, shared, false);
  connection.state = connectionNext(connection.state, CONNECTION_EVENT_PEER_CLOSE);
  connection.farewells = FAREWELL_ANSWERS;
  connection.farewellsWithReason = 0;
  connection.farewellDueUs = nowUs;
}

/** Tells of the end that waited for what the peer says of a channel: `bytes` of it, or none. */
export function connectionTold(
  connection: Connection,
  shared: Shared,
  layout: Uint8Array,
  offset: number,
  bytes: number,
): void {
  if (connection.awaiting) {
    connection.awaiting = false;
    mismatchReport(connection, shared, true, layout, offset, bytes);
    endReport(connection, shared, true);
  }
}

/** Frees the slot: the peer's disconnect came (then `reason` is reported), or ours are all sent. */
export function connectionDone(connection: Connection, shared: Shared, reason: number): void {
  if (connection.state !== CONNECTION_CLOSING) {
    connection.closeReason = reason;
    connection.closeTextBytes = 0;
    endChannels(connection, shared);
    report(connection, shared, false);
  }
  connectionTold(connection, shared, NO_TEXT, 0, 0);
  connection.state = connectionNext(connection.state, CONNECTION_EVENT_DONE);
  releaseCarried(connection, shared);
  sealKeyClear(connection.sendKey);
  sealKeyClear(connection.receiveKey);
  sessionClear(connection.session);
  shared.outlet.page[statsPeerWord(connection.slot) + PEER_HANDLE] = 0;
}

/** Forgets what packets carried; their messages have had their fate. */
function releaseCarried(connection: Connection, shared: Shared): void {
  const pool = shared.outlet.pool;
  for (let number = connection.sent.settleNext; number < connection.sent.nextNumber; number++) {
    let carried = settleTake(connection.sent, number);
    while (carried !== null) {
      const next = carried.next;
      if (carried.message !== null) {
        channelForget(shared.outlet, carried.message);
      }
      carriedRelease(pool, carried);
      carried = next;
    }
  }
}

/**
 * Ends a drain when nothing is left to wait for: no message, and no skip. What came behind a hole is
 * acked, but the receiver delivers it only once it knows of the hole; a close that went ahead of the
 * skip once made it drop what had been reported delivered (test/lockstep).
 */
export function connectionDrained(connection: Connection, shared: Shared, nowUs: number): void {
  if (connection.state !== CONNECTION_DRAINING) {
    return;
  }
  for (const channel of connection.channels) {
    if (channel.first !== null || channel.blockFirst !== null || channel.holeFirst !== NO_ID) {
      return;
    }
  }
  const { closeReason, closeText, closeTextBytes } = connection;
  connectionClose(connection, shared, closeReason, closeText, 0, closeTextBytes, nowUs);
}

/** Ends a connection whose critical channel gave a message up. */
export function connectionBroken(connection: Connection, shared: Shared, nowUs: number): void {
  for (const channel of connection.channels) {
    if (channel.broken) {
      connectionClose(connection, shared, REASON_UNDELIVERED, NO_TEXT, 0, 0, nowUs);
      return;
    }
  }
}
