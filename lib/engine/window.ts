// window: what users have consumed of a channel, ours and the peer's.
//
// Owns the marks that are told and heard of it. Never sends one (transmit does), never says what the
// window lets through (channel does).
// Invariant: knownId <= toldId; no mark goes back.

import { type Channel, channelRepaired } from "./channel.js";
import { sequenceExpand16 } from "./sequence.js";

/** Our user wants no more of this channel for now, or again. */
export function channelPause(channel: Channel, paused: boolean): void {
  if (paused && !channel.paused) {
    channel.pausedId = channel.expectedId;
  }
  channel.paused = paused;
}

/** The peer's user has consumed everything below the id. False: it can't, the id was never sent. */
export function channelConsumed(channel: Channel, id16: number): boolean {
  const id = sequenceExpand16(id16, channel.nextId);
  if (id > channel.nextId || !channelRepaired(channel)) {
    return false;
  }
  channel.consumedId = Math.max(channel.consumedId, id);
  return true;
}

/** A packet that told a mark has its verdict. */
export function channelWindowVerdict(channel: Channel, id: number, acked: boolean): void {
  if (acked) {
    channel.knownId = Math.max(channel.knownId, id);
  } else if (id === channel.toldId) {
    channel.toldId = channel.knownId;
  }
}
