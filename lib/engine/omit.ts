// omit: packet numbers that are left out, so that acks of packets that never came show (R-65; Savage et al.,
// "TCP Congestion Control with a Misbehaving Receiver", 1999; RFC 9000 section 21.4).
//
// Owns when a number is left out, and the look for it in acks. Never sends, never gives a verdict: acks steps over
// these numbers.
// Invariants: which number is next to be left out follows from the host's own key, so no peer knows it; never two in a row.

import { SENT_OMITTED, type Sent, sentAdd, sentInFlight, sentOmitted } from "./acks.js";
import type { Connection, Shared } from "./connection.js";
import { IN_FLIGHT_MAX, OMIT_PACKETS_MAX, OMIT_PACKETS_MIN, OMIT_SOONER } from "./limits.js";
import { sipHash } from "./sip.js";

const words = new Uint32Array(3);

/** Draws the number that is left out next. */
export function omitNext(connection: Connection, shared: Shared): void {
  words[0] = connection.handle;
  words[1] = connection.omits;
  const drawn = sipHash(shared.hashKey, words, 3);
  const packets = OMIT_PACKETS_MIN + (drawn % (OMIT_PACKETS_MAX - OMIT_PACKETS_MIN + 1));
  const sooner = connection.omits === 0 ? OMIT_SOONER : 1;
  connection.omitNumber = connection.sent.nextNumber + Math.trunc(packets / sooner);
  connection.omits += 1;
}

/** Before a packet takes its number: leaves that number out when it is the one. */
export function omitDue(connection: Connection, shared: Shared, nowUs: number): void {
  const sent = connection.sent;
  const due = sent.nextNumber >= connection.omitNumber && !shared.config.raw;
  if (!due || sentInFlight(sent) + 1 >= IN_FLIGHT_MAX) {
    return;
  }
  const packet = sentAdd(sent, nowUs, 0, false);
  packet.state = SENT_OMITTED;
  sent.omittedLatest = packet.number;
  sent.omitted += 1;
  omitNext(connection, shared);
}

/** Whether acks tell of a number that was left out: a guess. */
export function omitAcked(
  sent: Sent,
  latest: number,
  bits: Uint8Array,
  bitsOffset: number,
  bitBytes: number,
): boolean {
  if (sent.omittedLatest < latest - bitBytes * 8) {
    return false;
  }
  if (sentOmitted(sent, latest)) {
    return true;
  }
  for (let index = 0; index < bitBytes * 8; index++) {
    const acked = (bits[bitsOffset + (index >>> 3)] & (1 << (index & 7))) !== 0;
    if (acked && sentOmitted(sent, latest - 1 - index)) {
      return true;
    }
  }
  return false;
}
