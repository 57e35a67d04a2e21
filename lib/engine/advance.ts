// advance: what time and acks do to a connection: verdicts, losses, expiries, time-outs.
//
// Owns the order in which they take effect. Never receives or sends.
// Invariant: verdicts reach the channels in the order of packet numbers.

import { acksExpire, acksVerdict, SENT_ACKED } from "./acks.js";
import {
  type Connection,
  connectionNackDelayUs,
  connectionRoom,
  type Shared,
} from "./connection.js";
import { deliveryRelease, RECEIVE_HELD } from "./delivery.js";
import { connectionBroken, connectionClose, connectionDone, connectionDrained } from "./ending.js";
import { gapExpire, gapUpdate } from "./gap.js";
import { carriedRelease } from "./queue.js";
import { channelExpire, channelSkipVerdict, channelVerdict } from "./repair.js";
import { rttBackOff } from "./rtt.js";
import { CONNECTION_CLOSING, CONNECTION_FREE, REASON_TIMED_OUT } from "./state.js";

const NO_TEXT = new Uint8Array(0);

/** Hands every verdict that is due to the channels, in the order of packet numbers. */
export function connectionVerdicts(connection: Connection, shared: Shared, nowUs: number): void {
  const arrivalUs = nowUs + Math.trunc(connection.rtt.smoothedUs / 2);
  while (connectionRoom(shared)) {
    const packet = acksVerdict(connection.sent, connection.rtt, nowUs);
    if (packet === null) {
      break;
    }
    const acked = packet.state === SENT_ACKED;
    if (packet.hello) {
      connection.helloInFlight -= 1;
      connection.helloAcked = connection.helloAcked || acked;
      // What had no room beside it has room now.
      connection.stalledUntilUs = 0;
    }
    let carried = packet.carried;
    packet.carried = null;
    while (carried !== null) {
      const next = carried.next;
      const channel = connection.channels[carried.channel];
      if (carried.message === null) {
        channelSkipVerdict(channel, carried.skipId, acked);
      } else {
        channelVerdict(
          channel,
          shared.outlet,
          connection.handle,
          carried.message,
          acked,
          nowUs,
          arrivalUs,
        );
      }
      carriedRelease(shared.outlet.pool, carried);
      carried = next;
    }
  }
  connectionBroken(connection, shared, nowUs);
  connectionDrained(connection, shared, nowUs);
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
  if (acksExpire(connection.sent, connection.rtt, nowUs)) {
    rttBackOff(connection.rtt);
  }
  connectionVerdicts(connection, shared, nowUs);
  for (const channel of connection.channels) {
    channelExpire(channel, shared.outlet, connection.handle, nowUs);
    gapExpire(channel, nowUs);
  }
  connectionBroken(connection, shared, nowUs);
  connectionRelease(connection, shared);
  for (const channel of connection.channels) {
    gapUpdate(channel, nowUs, connectionNackDelayUs(connection));
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
