// settle: until when an ack of a lost packet is waited for.
//
// Owns the order in which lost packets give up what they carried. Never tells a fate (repair does), never
// changes a verdict.
// Invariant: what is left of a packet's load is taken before its record is used again: nothing is left
// IN_FLIGHT_MAX behind the next number, and a verdict is only asked for once nothing is to be settled.

import { recordOf, SENT_LATE, type Sent, type SentPacket } from "./acks.js";
import { IN_FLIGHT_MAX } from "./limits.js";
import type { Carried } from "./queue.js";
import { type Rtt, rttSettleUs } from "./rtt.js";
import { NO_DEADLINE } from "./timers.js";

function isLoaded(packet: SentPacket, number: number): boolean {
  return packet.number === number && packet.carried !== null;
}

/** The first packet that was acked late and is still loaded; there is one. */
function settleLate(sent: Sent): SentPacket {
  let number = sent.settleNext;
  for (;;) {
    const packet = recordOf(sent, number);
    if (isLoaded(packet, number) && packet.state === SENT_LATE) {
      return packet;
    }
    number += 1;
  }
}

/** Whether a packet may wait for settleVerdict. */
export function settleWaits(sent: Sent): boolean {
  return sent.settleNext < sent.verdictNext || sent.lateHeld > 0;
}

/**
 * The next packet with the verdict lost that is still loaded and of which nothing more is expected, or null.
 * Its state is SENT_LATE, or SENT_LOST where no ack came in time. The caller takes its load.
 */
export function settleVerdict(sent: Sent, rtt: Rtt, nowUs: number): SentPacket | null {
  if (sent.lateHeld > 0) {
    sent.lateHeld -= 1;
    return settleLate(sent);
  }
  for (; sent.settleNext < sent.verdictNext; sent.settleNext++) {
    const packet = recordOf(sent, sent.settleNext);
    if (isLoaded(packet, sent.settleNext)) {
      const behind = sent.nextNumber - packet.number > IN_FLIGHT_MAX;
      return behind || nowUs >= packet.sentUs + rttSettleUs(rtt) ? packet : null;
    }
  }
  return null;
}

/** When settleVerdict may have news without another ack (µs), or NO_DEADLINE. */
export function settleDeadlineUs(sent: Sent, rtt: Rtt): number {
  if (!settleWaits(sent)) {
    return NO_DEADLINE;
  }
  // A late ack still waits when what it tells found no room in the user's ring.
  if (sent.lateHeld > 0) {
    return 0;
  }
  return recordOf(sent, sent.settleNext).sentUs + rttSettleUs(rtt);
}

/** Takes what is left of what a packet carried, because the connection ended. */
export function settleTake(sent: Sent, number: number): Carried | null {
  const packet = recordOf(sent, number);
  if (packet.number !== number) {
    return null;
  }
  const carried = packet.carried;
  packet.carried = null;
  return carried;
}
