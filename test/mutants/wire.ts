/*
 * Planted bugs of what stands on the wire: numbers and parsing.
 * Never holds a bug without a history: each was shipped by somebody, or stood in this engine once.
 */
import { type Mutant, swap, unit } from "./mutant.js";

export const numbers: readonly Mutant[] = [
  {
    name: "replay-overflow",
    bug: "the replay test adds the window to the sequence, which wraps near 2^64 (NETCODE's reference)",
    gate: unit("replay"),
    js: swap(
      "lib/engine/replay.ts",
      `  const behind = distance(window.newestLo, window.newestHi, sequenceLo, sequenceHi);
  if (behind >= REPLAY_WINDOW_PACKETS) return false;`,
      `  const lo = (sequenceLo + REPLAY_WINDOW_PACKETS) >>> 0;
  const hi = (sequenceHi + (lo < sequenceLo ? 1 : 0)) >>> 0;
  if (hi < window.newestHi || (hi === window.newestHi && lo <= window.newestLo)) return false;`,
    ),
    native: swap(
      "native/core/replay.cc",
      "if (window.newest - sequence >= REPLAY_WINDOW_PACKETS) return false;",
      "if (sequence + REPLAY_WINDOW_PACKETS <= window.newest) return false;",
    ),
  },
  {
    name: "plain-less",
    bug: "16-bit sequences are compared with a plain <, which fails at the wrap",
    gate: unit("sequence"),
    js: swap(
      "lib/engine/sequence.ts",
      "return ahead !== 0 && ahead < HALF;",
      "return ahead !== 0 && a > b;",
    ),
    native: swap(
      "native/core/sequence.cc",
      "return ahead != 0 && ahead < HALF;",
      "return ahead != 0 && a > b;",
    ),
  },
  {
    name: "budget-overflow",
    bug: "the budget's increment is kept in 32 bits, and overflows after a silence",
    gate: unit("pacing"),
    js: swap(
      "lib/engine/pacing.ts",
      "pacing.credit + elapsedUs * pacing.rate : pacing.burst;",
      "pacing.credit + Math.imul(elapsedUs, pacing.rate) : pacing.burst;",
    ),
    native: swap(
      "native/core/pacing.cc",
      "std::min(elapsedUs, ELAPSED_MAX_US) * pacing.rate;",
      "int32_t(uint32_t(elapsedUs) * uint32_t(pacing.rate));",
    ),
  },
  {
    name: "nonce-repeats",
    bug: "a server starts its numbers anew at every start, so a nonce repeats under a token's key",
    gate: unit("handshake"),
    js: [
      {
        file: "lib/engine/handshake.ts",
        find: "((words.getUint32(ENTROPY_SEQUENCE + 4, true) & 0x3fffffff) | 0x80000000) >>> 0;",
        put: "0x80000000;",
      },
      {
        file: "lib/engine/handshake.ts",
        find: "this.globalSequenceLo = words.getUint32(ENTROPY_SEQUENCE, true);",
        put: "this.globalSequenceLo = 0;",
      },
    ],
    native: swap(
      "native/core/handshake.cc",
      "(random & SEQUENCE_MASK) | uint64_t{1} << 63;",
      "(random & SEQUENCE_MASK & 0) | uint64_t{1} << 63;",
    ),
  },
];

export const parsing: readonly Mutant[] = [
  {
    name: "header-shift",
    bug: "a sequence in more bytes than it needs shifts where the body starts",
    gate: unit("packet"),
    js: swap(
      "lib/engine/packet.ts",
      "header.bytes = 1 + count;",
      "header.bytes = 1 + sequenceBytes(header.sequenceLo, header.sequenceHi);",
    ),
    native: swap(
      "native/core/packet.cc",
      "header.bytes = 1 + count;",
      "header.bytes = 1 + sequenceBytes(sequence);",
    ),
  },
  {
    name: "length-beyond-end",
    bug: "a length that the peer claims is believed, beyond the end of what came (Heartbleed)",
    gate: unit("frame"),
    js: swap(
      "lib/engine/frame.ts",
      `  readSkip(reader, frame.bytes);
  // With a length only before another frame (R-31), and no longer than one that goes whole (R-54).
  const lawful =
    (!sized ||`,
      `  const rest = reader.end - reader.offset;
  readSkip(reader, Math.min(frame.bytes, rest));
  const lawful =
    (!sized || frame.bytes > rest ||`,
    ),
    native: swap(
      "native/core/frame.cc",
      `  readSkip(reader, frame.bytes);
  // With a length only before another frame (R-31), and no longer than one that goes whole (R-54).
  const bool lawful =
      (!sized ||`,
      `  const size_t rest = reader.end - reader.offset;
  readSkip(reader, frame.bytes < rest ? frame.bytes : rest);
  const bool lawful =
      (!sized || frame.bytes > rest ||`,
    ),
  },
  {
    name: "wrong-channel",
    bug: "a message names a channel one above the last, and is taken (ENet: a fragment of another channel)",
    gate: unit("frame"),
    js: swap(
      "lib/engine/payload.ts",
      "named && frame.channel >= channelCount",
      "named && frame.channel > channelCount",
    ),
    native: swap(
      "native/core/payload.cc",
      "named && frame.channel >= channelCount",
      "named && frame.channel > channelCount",
    ),
  },
  {
    name: "empty-payload",
    bug: "a payload of no bytes is taken (NETCODE's reference asserted it)",
    gate: unit("packet"),
    js: swap(
      "lib/engine/packet.ts",
      "return bodyBytes >= 1 && bodyBytes <= PAYLOAD_BYTES_MAX;",
      "return bodyBytes <= PAYLOAD_BYTES_MAX;",
    ),
    native: swap(
      "native/core/packet.cc",
      "return bodyBytes >= 1 && bodyBytes <= PAYLOAD_BYTES_MAX;",
      "return bodyBytes <= PAYLOAD_BYTES_MAX;",
    ),
  },
  {
    name: "pieces-uncounted",
    bug: "bytes are limited and pieces are not: hundreds of empty messages in one packet",
    gate: unit("frame"),
    js: swap(
      "lib/engine/payload.ts",
      "if (messages > MESSAGES_PER_PACKET_MAX) {",
      "if (messages > MESSAGES_PER_PACKET_MAX * 8) {",
    ),
    native: swap(
      "native/core/payload.cc",
      "if (messages > MESSAGES_PER_PACKET_MAX) return false;",
      "if (messages > MESSAGES_PER_PACKET_MAX * 8) return false;",
    ),
  },
  {
    name: "second-encoding",
    bug: "zero bytes at the end of an ack bitfield are taken: one meaning has many byte strings",
    gate: unit("frame"),
    js: swap(
      "lib/engine/frame.ts",
      "return !reader.failed && (header.bitBytes === 0 || reader.bytes[reader.offset - 1] !== 0);",
      "return !reader.failed;",
    ),
    native: swap(
      "native/core/frame.cc",
      "return !reader.failed && (header.bitBytes == 0 || reader.bytes[reader.offset - 1] != 0);",
      "return !reader.failed;",
    ),
  },
  {
    name: "fragment-overlong",
    bug: "the last fragment is as long as the others, and writes behind its message (ENet)",
    gate: unit("frame"),
    js: swap(
      "lib/engine/fragment.ts",
      "return start >= total ? 0 : Math.min(size, total - start);",
      "return start >= total ? 0 : size;",
    ),
    native: swap(
      "native/core/fragment.cc",
      "return start >= total ? 0 : static_cast<uint32_t>(std::min(size, total - start));",
      "return start >= total ? 0 : static_cast<uint32_t>(size);",
    ),
  },
  {
    name: "fragment-behind",
    bug: "a fragment behind the last is taken, and counts as one that was missing",
    gate: unit("frame"),
    js: swap("lib/engine/frame.ts", "if (frame.index >= end) {", "if (frame.index > end) {"),
    native: swap("native/core/frame.cc", "frame.index >= end", "frame.index > end"),
  },
  {
    name: "fragments-uncounted",
    bug: "fragments are not counted: one packet holds hundreds of a byte",
    gate: { suite: "test/oracle/agreement.test.ts" },
    js: swap(
      "lib/engine/payload.ts",
      "if (kind === FRAME_MESSAGE || kind === FRAME_FRAGMENT || kind === FRAME_BLOCK) {",
      "if (kind === FRAME_MESSAGE) {",
    ),
    native: swap(
      "native/core/payload.cc",
      "if (kind == FRAME_MESSAGE || kind == FRAME_FRAGMENT || kind == FRAME_BLOCK) {",
      "if (kind == FRAME_MESSAGE) {",
    ),
  },
];
