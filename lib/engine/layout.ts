// layout: what this side says of its channels to a peer that defines them differently.
//
// Owns the memory of it. Never looks into it: the user's side writes and reads it.

import { CHANNELS_MAX, LAYOUT_BYTES_MAX } from "./limits.js";

/** In place of a channel: the list of all channels. */
export const LAYOUT_CHANNELS = CHANNELS_MAX;
/** In place of a channel: nothing. */
export const LAYOUT_NONE = 255;

export class Layouts {
  /** One for each channel, and the list of all. */
  bytes: Uint8Array;
  lengths: Uint16Array;

  constructor(channelCount: number) {
    this.bytes = new Uint8Array((channelCount + 1) * LAYOUT_BYTES_MAX);
    this.lengths = new Uint16Array(channelCount + 1);
  }
}

/** Which of the layouts is a channel's, or -1 where there is none. */
function layoutPlace(layouts: Layouts, channel: number): number {
  const last = layouts.lengths.length - 1;
  if (channel === LAYOUT_CHANNELS) {
    return last;
  }
  return channel < last ? channel : -1;
}

/** Takes what the user says of a channel, as far as it may go. */
export function layoutSet(
  layouts: Layouts,
  channel: number,
  memory: Uint8Array,
  offset: number,
  bytes: number,
): void {
  const place = layoutPlace(layouts, channel);
  if (place < 0) {
    return;
  }
  const count = Math.min(bytes, LAYOUT_BYTES_MAX);
  layouts.bytes.set(memory.subarray(offset, offset + count), place * LAYOUT_BYTES_MAX);
  layouts.lengths[place] = count;
}

/** Bytes of what there is to say of a channel; 0 for nothing. */
export function layoutLength(layouts: Layouts, channel: number): number {
  const place = layoutPlace(layouts, channel);
  return place < 0 ? 0 : layouts.lengths[place];
}

/** Where it starts in `bytes`; only where there is something. */
export function layoutOffset(layouts: Layouts, channel: number): number {
  return layoutPlace(layouts, channel) * LAYOUT_BYTES_MAX;
}
