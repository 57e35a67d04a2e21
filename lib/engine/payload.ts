// payload: whether all that stands in a payload is lawful, before anything of it takes effect.
//
// Owns the rules of a payload as a whole: order, number and channels of its frames. Never acts on what
// it reads: a refused payload changed nothing.

import { type Reader, readerSet } from "./bytes.js";
import {
  type AckHeader,
  ackHeaderRead,
  FRAME_AGE,
  FRAME_BLOCK,
  FRAME_END,
  FRAME_FRAGMENT,
  FRAME_INVALID,
  FRAME_MESSAGE,
  FRAME_NACK,
  FRAME_RESPONSE,
  FRAME_SKIP,
  FRAME_WINDOW,
  type Frame,
  frameNext,
} from "./frame.js";
import { MESSAGES_PER_PACKET_MAX } from "./limits.js";

/**
 * Whether a whole payload is canonical, names only channels below `channelCount` and has at most
 * MESSAGES_PER_PACKET_MAX messages.
 */
export function payloadCheck(
  reader: Reader,
  header: AckHeader,
  frame: Frame,
  bytes: Uint8Array,
  offset: number,
  end: number,
  channelCount: number,
): boolean {
  readerSet(reader, bytes, offset, end);
  if (!ackHeaderRead(reader, header)) {
    return false;
  }
  let messages = 0;
  // Of the kinds below FRAME_MESSAGE: 1 + the last channel, or 1 for those of the whole connection.
  const { last } = header;
  last.fill(0);
  let aged = false;
  for (;;) {
    const kind = frameNext(reader, frame);
    // An age is that of the message or fragment behind it.
    if (aged && kind !== FRAME_MESSAGE && kind !== FRAME_FRAGMENT) {
      return false;
    }
    aged = kind === FRAME_AGE;
    if (kind === FRAME_END) {
      return true;
    }
    if (kind === FRAME_INVALID) {
      return false;
    }
    if (kind === FRAME_MESSAGE || kind === FRAME_FRAGMENT || kind === FRAME_BLOCK) {
      messages += 1;
      if (messages > MESSAGES_PER_PACKET_MAX) {
        return false;
      }
    }
    const ofChannel = kind === FRAME_SKIP || (kind >= FRAME_NACK && kind <= FRAME_WINDOW);
    const named = ofChannel || kind === FRAME_MESSAGE;
    if (named && frame.channel >= channelCount) {
      return false;
    }
    const ofRest = kind >= FRAME_WINDOW && kind <= FRAME_RESPONSE && kind !== FRAME_AGE;
    if (kind < FRAME_FRAGMENT || ofRest) {
      const place = named ? frame.channel + 1 : 1;
      if (place <= last[kind]) {
        return false;
      }
      last[kind] = place;
    }
  }
}
