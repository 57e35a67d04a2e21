// gap: ids of a channel that have not come although later ones have.
//
// Owns how long they are waited for, and when and how they are named to the sender. Never
// delivers: passing a gap is said to delivery through passId.
// Invariant: gapId is the id that everything held waits for, or NO_ID.

import { type Channel, channelTimely, NO_ID } from "./channel.js";
import { deliverySeen } from "./delivery.js";
import { NACK_BITS_BYTES_MAX } from "./limits.js";
import { ORDER_NONE, REPAIR_NACK } from "./policy.js";
import type { Message } from "./queue.js";
import { NO_DEADLINE } from "./timers.js";

/** The id behind the highest that came. */
function arrivedEnd(channel: Channel): number {
  if (channel.policy.order === ORDER_NONE) {
    return Math.max(channel.newestId, channel.expectedId);
  }
  return channel.heldLast === null ? channel.expectedId : channel.heldLast.id + 1;
}

/** Whether a repair must be asked for with every packet: time alone ends the gap. */
export function gapUrgent(channel: Channel): boolean {
  return channel.gapId !== NO_ID && channelTimely(channel);
}

/**
 * When the oldest of what is held came, or would have by its first ride (µs). Each gap once had a time of its
 * own, and what lay behind several of them waited for all (test/matrix).
 */
function heldSinceUs(channel: Channel, nowUs: number): number {
  let sinceUs = nowUs;
  for (let held = channel.heldFirst; held !== null; held = held.next) {
    sinceUs = Math.min(sinceUs, held.rodeUs);
  }
  return sinceUs;
}

/** After anything came: is an id missing, since when, and when is it named? */
export function gapUpdate(
  channel: Channel,
  nowUs: number,
  delayUs: number,
  oneWayUs: number,
): void {
  channel.gapOneWayUs = oneWayUs;
  const before = channel.gapId;
  if (arrivedEnd(channel) === channel.expectedId || channel.heldFirst?.id === channel.expectedId) {
    channel.gapId = NO_ID;
    channel.nackDueUs = NO_DEADLINE;
  } else if (channel.gapId !== channel.expectedId) {
    channel.gapId = channel.expectedId;
    if ((channel.policy.repair & REPAIR_NACK) !== 0) {
      channel.nackDueUs = Math.min(channel.nackDueUs, nowUs + delayUs);
    }
  }
  // While it is the same gap, hold has what came since.
  if (!gapUrgent(channel)) {
    channel.gapUs = nowUs;
  } else if (channel.gapId !== before) {
    channel.gapUs = heldSinceUs(channel, nowUs);
  }
}

/**
 * How long what came waits for what is missing (µs): it has been under way for half a round trip already.
 * Where that alone takes longer than a message may, only for what it overtook.
 */
function waitUs(channel: Channel): number {
  const { policy, gapOneWayUs } = channel;
  const expiryUs = policy.expiryMs * 1000;
  return expiryUs > gapOneWayUs
    ? expiryUs - gapOneWayUs
    : Math.min(expiryUs, Math.trunc(gapOneWayUs / 4));
}

/** When a gap has waited for as long as a message of this channel is of interest (µs). */
export function gapDeadlineUs(channel: Channel): number {
  return gapUrgent(channel) ? channel.gapUs + waitUs(channel) : NO_DEADLINE;
}

/** Passes a gap at its deadline; a later message of the channel waits no longer. */
export function gapExpire(channel: Channel, nowUs: number): void {
  if (nowUs < gapDeadlineUs(channel) || channel.heldFirst === null) {
    return;
  }
  channel.passId = channel.heldFirst.id;
  // Every gap below what has waited so long: one passed at each turn, those behind it once waited for
  // as many turns (test/fuzz).
  for (let held: Message | null = channel.heldFirst; held !== null; held = held.next) {
    if (nowUs >= held.rodeUs + waitUs(channel)) {
      channel.passId = held.id;
    }
  }
  channel.gapId = NO_ID;
  channel.nackDueUs = NO_DEADLINE;
}

/** Marks the ids behind the first missing one that are missing too; the bytes of the bitmap. */
export function gapMissing(channel: Channel, bits: Uint8Array, offset: number): number {
  const end = Math.min(arrivedEnd(channel), channel.expectedId + 1 + NACK_BITS_BYTES_MAX * 8);
  let bytes = 0;
  bits.fill(0, offset, offset + NACK_BITS_BYTES_MAX);
  let held = channel.heldFirst;
  for (let id = channel.expectedId + 1; id < end; id++) {
    const came = channel.policy.order === ORDER_NONE ? deliverySeen(channel, id) : held?.id === id;
    if (!came) {
      const index = id - channel.expectedId - 1;
      bits[offset + (index >>> 3)] |= 1 << (index & 7);
      bytes = (index >>> 3) + 1;
    } else if (held !== null) {
      held = held.next;
    }
  }
  return bytes;
}
