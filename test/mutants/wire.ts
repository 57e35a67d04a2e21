/*
 * Planted bugs of what comes over the wire: numbers, parsing, and whom to trust.
 * Never holds a bug without a history: each was shipped by somebody, or stood in this engine once.
 */
import { type Mutant, unit } from "./mutant.js";

export const numbers: readonly Mutant[] = [
  {
    name: "replay-overflow",
    bug: "the replay test adds the window to the sequence, which wraps near 2^64 (NETCODE's reference)",
    gate: unit("replay"),
    js: [
      {
        file: "lib/engine/replay.ts",
        find: `  const behind = distance(window.newestLo, window.newestHi, sequenceLo, sequenceHi);
  if (behind >= REPLAY_WINDOW_PACKETS) return false;`,
        put: `  const lo = (sequenceLo + REPLAY_WINDOW_PACKETS) >>> 0;
  const hi = (sequenceHi + (lo < sequenceLo ? 1 : 0)) >>> 0;
  if (hi < window.newestHi || (hi === window.newestHi && lo <= window.newestLo)) return false;`,
      },
    ],
    native: [
      {
        file: "native/core/replay.cc",
        find: "if (window.newest - sequence >= REPLAY_WINDOW_PACKETS) return false;",
        put: "if (sequence + REPLAY_WINDOW_PACKETS <= window.newest) return false;",
      },
    ],
  },
  {
    name: "plain-less",
    bug: "16-bit sequences are compared with a plain <, which fails at the wrap",
    gate: unit("sequence"),
    js: [
      {
        file: "lib/engine/sequence.ts",
        find: "return ahead !== 0 && ahead < HALF;",
        put: "return ahead !== 0 && a > b;",
      },
    ],
    native: [
      {
        file: "native/core/sequence.cc",
        find: "return ahead != 0 && ahead < HALF;",
        put: "return ahead != 0 && a > b;",
      },
    ],
  },
  {
    name: "budget-overflow",
    bug: "the budget's increment is kept in 32 bits, and overflows after a silence",
    gate: unit("pacing"),
    js: [
      {
        file: "lib/engine/pacing.ts",
        find: "pacing.credit + elapsedUs * pacing.rate : pacing.burst;",
        put: "pacing.credit + Math.imul(elapsedUs, pacing.rate) : pacing.burst;",
      },
    ],
    native: [
      {
        file: "native/core/pacing.cc",
        find: "pacing.credit + elapsedUs * pacing.rate : pacing.burst;",
        put: "pacing.credit + int32_t(uint32_t(elapsedUs) * uint32_t(pacing.rate)) : pacing.burst;",
      },
    ],
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
    native: [
      {
        file: "native/core/handshake.cc",
        find: "(random & SEQUENCE_MASK) | uint64_t{1} << 63;",
        put: "(random & SEQUENCE_MASK & 0) | uint64_t{1} << 63;",
      },
    ],
  },
];

export const parsing: readonly Mutant[] = [
  {
    name: "header-shift",
    bug: "a sequence in more bytes than it needs shifts where the body starts",
    gate: unit("packet"),
    js: [
      {
        file: "lib/engine/packet.ts",
        find: "header.bytes = 1 + count;",
        put: "header.bytes = 1 + sequenceBytes(header.sequenceLo, header.sequenceHi);",
      },
    ],
    native: [
      {
        file: "native/core/packet.cc",
        find: "header.bytes = 1 + count;",
        put: "header.bytes = 1 + sequenceBytes(sequence);",
      },
    ],
  },
  {
    name: "length-beyond-end",
    bug: "a length that the peer claims is believed, beyond the end of what came (Heartbleed)",
    gate: unit("frame"),
    js: [
      {
        file: "lib/engine/frame.ts",
        find: `    readSkip(reader, frame.bytes);
    // A sized message at the end has a shorter form.
    return reader.failed || reader.offset === reader.end ? FRAME_INVALID : FRAME_MESSAGE;`,
        put: `    const rest = reader.end - reader.offset;
    readSkip(reader, Math.min(frame.bytes, rest));
    const shorter = frame.bytes <= rest && reader.offset === reader.end;
    return reader.failed || shorter ? FRAME_INVALID : FRAME_MESSAGE;`,
      },
    ],
    native: [
      {
        file: "native/core/frame.cc",
        find: `    readSkip(reader, frame.bytes);
    // A sized message at the end has a shorter form.
    return reader.failed || reader.offset == reader.end ? FRAME_INVALID : FRAME_MESSAGE;`,
        put: `    const size_t rest = reader.end - reader.offset;
    readSkip(reader, frame.bytes < rest ? frame.bytes : rest);
    const bool shorter = frame.bytes <= rest && reader.offset == reader.end;
    return reader.failed || shorter ? FRAME_INVALID : FRAME_MESSAGE;`,
      },
    ],
  },
  {
    name: "wrong-channel",
    bug: "a message names a channel one above the last, and is taken (ENet: a fragment of another channel)",
    gate: unit("frame"),
    js: [
      {
        file: "lib/engine/frame.ts",
        find: "if (named && frame.channel >= channelCount) {",
        put: "if (named && frame.channel > channelCount) {",
      },
    ],
    native: [
      {
        file: "native/core/frame.cc",
        find: "if (named && frame.channel >= channelCount) {",
        put: "if (named && frame.channel > channelCount) {",
      },
    ],
  },
  {
    name: "empty-payload",
    bug: "a payload of no bytes is taken (NETCODE's reference asserted it)",
    gate: unit("packet"),
    js: [
      {
        file: "lib/engine/packet.ts",
        find: "return bodyBytes >= 1 && bodyBytes <= PAYLOAD_BYTES_MAX;",
        put: "return bodyBytes <= PAYLOAD_BYTES_MAX;",
      },
    ],
    native: [
      {
        file: "native/core/packet.cc",
        find: "return bodyBytes >= 1 && bodyBytes <= PAYLOAD_BYTES_MAX;",
        put: "return bodyBytes <= PAYLOAD_BYTES_MAX;",
      },
    ],
  },
  {
    name: "pieces-uncounted",
    bug: "bytes are limited and pieces are not: hundreds of empty messages in one packet",
    gate: unit("frame"),
    js: [
      {
        file: "lib/engine/frame.ts",
        find: "if (messages > MESSAGES_PER_PACKET_MAX) {",
        put: "if (messages > MESSAGES_PER_PACKET_MAX * 8) {",
      },
    ],
    native: [
      {
        file: "native/core/frame.cc",
        find: "if (messages > MESSAGES_PER_PACKET_MAX) return false;",
        put: "if (messages > MESSAGES_PER_PACKET_MAX * 8) return false;",
      },
    ],
  },
  {
    name: "second-encoding",
    bug: "zero bytes at the end of an ack bitfield are taken: one meaning has many byte strings",
    gate: unit("frame"),
    js: [
      {
        file: "lib/engine/frame.ts",
        find: "return !reader.failed && (header.bitBytes === 0 || reader.bytes[reader.offset - 1] !== 0);",
        put: "return !reader.failed;",
      },
    ],
    native: [
      {
        file: "native/core/frame.cc",
        find: "return !reader.failed && (header.bitBytes == 0 || reader.bytes[reader.offset - 1] != 0);",
        put: "return !reader.failed;",
      },
    ],
  },
];

export const trust: readonly Mutant[] = [
  {
    name: "window-unauthenticated",
    bug: "the replay window advances before the seal opened: a forged number silences the peer",
    gate: unit("handshake"),
    js: [
      {
        file: "lib/engine/demux.ts",
        find: "  const bodyBytes = openWith(host, connection.receiveKey, bytes, offset, length);",
        put: `  replayAdvance(connection.replay, header.sequenceLo, header.sequenceHi);
  const bodyBytes = openWith(host, connection.receiveKey, bytes, offset, length);`,
      },
    ],
    native: [
      {
        file: "native/core/demux.cc",
        find: "  const int bodyBytes = openWith(host, connection->receiveKey, bytes, offset, length);",
        put: `  replayAdvance(connection->replay, header.sequence);
  const int bodyBytes = openWith(host, connection->receiveKey, bytes, offset, length);`,
      },
    ],
  },
  {
    name: "token-twice",
    bug: "a token serves as often as its address likes",
    gate: unit("handshake"),
    js: [
      {
        file: "lib/engine/handshake.ts",
        find: "return known.consumed || !addressEqual(known.address, address)",
        put: "return !addressEqual(known.address, address)",
      },
    ],
    native: [
      {
        file: "native/core/handshake.cc",
        find: "return known.consumed || !addressEqual(known.address, address) ? REJECT_TOKEN_USED",
        put: "return !addressEqual(known.address, address) ? REJECT_TOKEN_USED",
      },
    ],
  },
  {
    name: "amplification",
    bug: "a stranger's request is answered with more bytes than it had",
    gate: unit("handshake"),
    js: [
      {
        file: "lib/engine/demux.ts",
        find: "  reply(host, address, challengeReply);",
        put: "  for (let again = 0; again < 4; again++) reply(host, address, challengeReply);",
      },
    ],
    native: [
      {
        file: "native/core/demux.cc",
        find: "  reply(host, address, challengeReply, token.serverToClientKey);",
        put: "  for (int again = 0; again < 4; again++) reply(host, address, challengeReply, token.serverToClientKey);",
      },
    ],
  },
  {
    name: "short-tag",
    bug: "a tag is believed by its first four bytes (Node's AEADs once took any length)",
    gate: unit("seal", { NETRT_SEAL: "evp" }),
    js: [
      {
        file: "lib/engine/seal.ts",
        find: "const decipher = createDecipheriv(AEAD, key.bytes, nonce, AEAD_OPTIONS);",
        put: "const decipher = createDecipheriv(AEAD, key.bytes, nonce, { authTagLength: 4 });",
      },
      {
        file: "lib/engine/seal.ts",
        find: "decipher.setAuthTag(bytes.subarray(tagOffset, tagOffset + TAG_BYTES));",
        put: "decipher.setAuthTag(bytes.subarray(tagOffset, tagOffset + 4));",
      },
    ],
    native: [
      {
        file: "native/core/evp.cc",
        find: "evp().control(key.context, CONTROL_TAG_IN, TAG_BYTES, bytes + length) == 1 &&",
        put: "evp().control(key.context, CONTROL_TAG_IN, 4, bytes + length) == 1 &&",
      },
    ],
  },
  {
    name: "ack-unsent",
    bug: "an ack of a packet that was never sent is taken (optimistic acks)",
    gate: unit("session"),
    js: [
      {
        file: "lib/engine/receive.ts",
        find: "if (lowest < 0 || latest >= sent.nextNumber) {",
        put: "if (lowest < 0) {",
      },
    ],
    native: [
      {
        file: "native/core/receive.cc",
        find: "if (lowest < 0 || latest >= sent.nextNumber) {",
        put: "if (lowest < 0) {",
      },
    ],
  },
  {
    name: "skip-unchecked",
    bug: "a skip may pass any number of messages",
    gate: unit("delivery"),
    js: [
      {
        file: "lib/engine/delivery.ts",
        find: "if (!repaired || id > channel.expectedId + CHANNEL_ACCEPT) {",
        put: "if (!repaired) {",
      },
    ],
    native: [
      {
        file: "native/core/delivery.cc",
        find: "if (!repaired || id > channel.expectedId + CHANNEL_ACCEPT) return RECEIVE_VIOLATION;",
        put: "if (!repaired) return RECEIVE_VIOLATION;",
      },
    ],
  },
  {
    name: "poisoned-padding",
    bug: "what is not written is sent all the same: old memory in a token's padding",
    gate: unit("token"),
    js: [
      {
        file: "lib/engine/token.ts",
        find: "  writeZeros(writer, writer.end - writer.offset);",
        put: "  if (!writer.failed) writer.offset = writer.end;",
      },
    ],
    native: [
      {
        file: "native/core/token.cc",
        find: "void pad(Writer& writer) { writeZeros(writer, writer.end - writer.offset); }",
        put: "void pad(Writer& writer) { if (!writer.failed) writer.offset = writer.end; }",
      },
    ],
  },
];
