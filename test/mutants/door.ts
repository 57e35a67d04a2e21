/*
 * Planted bugs of whom to trust: a server's door, and what a peer with a key may do.
 * Never holds a bug without a history: each was shipped by somebody, or stood in this engine once.
 */
import { type Mutant, swap, unit } from "./mutant.js";

export const trust: readonly Mutant[] = [
  {
    name: "window-unauthenticated",
    bug: "the replay window advances before the seal opened: a forged number silences the peer",
    gate: unit("handshake"),
    js: swap(
      "lib/engine/demux.ts",
      "  const bodyBytes = openWith(host, key, bytes, offset, length);",
      `  replayAdvance(connection.replay, header.sequenceLo, header.sequenceHi);
  const bodyBytes = openWith(host, key, bytes, offset, length);`,
    ),
    native: swap(
      "native/core/demux.cc",
      "  const int bodyBytes = openWith(host, *key, bytes, offset, length);",
      `  replayAdvance(connection->replay, header.sequence);
  const int bodyBytes = openWith(host, *key, bytes, offset, length);`,
    ),
  },
  {
    name: "token-twice",
    bug: "a token serves as often as its address likes",
    gate: unit("handshake"),
    js: swap(
      "lib/engine/handshake.ts",
      "return known.consumed || !addressEqual(known.address, address)",
      "return !addressEqual(known.address, address)",
    ),
    native: swap(
      "native/core/handshake.cc",
      "return known.consumed || !addressEqual(known.address, address) ? REJECT_TOKEN_USED",
      "return !addressEqual(known.address, address) ? REJECT_TOKEN_USED",
    ),
  },
  {
    name: "amplification",
    bug: "a stranger's request is answered with more bytes than it had",
    gate: unit("handshake"),
    js: swap(
      "lib/engine/demux.ts",
      "  reply(host, address, challengeReply);",
      "  for (let again = 0; again < 4; again++) reply(host, address, challengeReply);",
    ),
    native: swap(
      "native/core/demux.cc",
      "  reply(host, address, challengeReply, token.serverToClientKey);",
      "  for (int again = 0; again < 4; again++) reply(host, address, challengeReply, token.serverToClientKey);",
    ),
  },
  {
    name: "move-unproven",
    bug: "a connection goes to whatever address its client's newest packet came from (DTLS connection ids, before RFC 9853)",
    gate: unit("move"),
    js: swap(
      "lib/engine/demux.ts",
      "  if (pathProven(path, address, nowUs)) {",
      "  if (pathProven(path, address, nowUs) || length > 0) {",
    ),
    native: swap(
      "native/core/demux.cc",
      "  if (pathProven(connection.path, address, nowUs)) {",
      "  if (pathProven(connection.path, address, nowUs) || length > 0) {",
    ),
  },
  {
    name: "short-tag",
    bug: "a tag is believed by its first four bytes (Node's AEADs once took any length)",
    gate: unit("seal", { NETRT_SEAL: "evp" }),
    js: [
      {
        file: "lib/engine/seal.ts",
        find: "const decipher = createDecipheriv(aeadOf(key), key.bytes, nonce, AEAD_OPTIONS);",
        put: "const decipher = createDecipheriv(aeadOf(key), key.bytes, nonce, { authTagLength: 4 });",
      },
      {
        file: "lib/engine/seal.ts",
        find: "decipher.setAuthTag(bytes.subarray(tagOffset, tagOffset + TAG_BYTES));",
        put: "decipher.setAuthTag(bytes.subarray(tagOffset, tagOffset + 4));",
      },
    ],
    native: swap(
      "native/core/evp.cc",
      "evp().control(key.context, CONTROL_TAG_IN, TAG_BYTES, bytes + length) == 1 &&",
      "evp().control(key.context, CONTROL_TAG_IN, 4, bytes + length) == 1 &&",
    ),
  },
  {
    name: "ack-unsent",
    bug: "an ack of a packet that was never sent is taken (optimistic acks)",
    gate: unit("session"),
    js: swap(
      "lib/engine/receive.ts",
      "const unsent = lowest < sent.firstNumber || latest >= sent.nextNumber;",
      "const unsent = lowest < sent.firstNumber;",
    ),
    native: swap(
      "native/core/receive.cc",
      "const bool unsent = lowest < sent.firstNumber || latest >= sent.nextNumber;",
      "const bool unsent = lowest < sent.firstNumber;",
    ),
  },
  {
    name: "omitted-acked",
    bug: "an ack of a number that was left out is taken (optimistic acks)",
    gate: unit("omit"),
    js: swap(
      "lib/engine/omit.ts",
      "if (sent.omittedLatest < latest - bitBytes * 8) {",
      "if (latest >= 0) {",
    ),
    native: swap(
      "native/core/omit.cc",
      "if (sent.omittedLatest < latest - int64_t{bitBytes} * 8) return false;",
      "if (latest >= 0) return false;",
    ),
  },
  {
    name: "skip-unchecked",
    bug: "a skip may pass any number of messages",
    gate: unit("delivery"),
    js: swap(
      "lib/engine/delivery.ts",
      "if (!repaired || id > channel.expectedId + CHANNEL_ACCEPT) {",
      "if (!repaired) {",
    ),
    native: swap(
      "native/core/delivery.cc",
      "if (!repaired || id > channel.expectedId + CHANNEL_ACCEPT) return RECEIVE_VIOLATION;",
      "if (!repaired) return RECEIVE_VIOLATION;",
    ),
  },
  {
    name: "poisoned-padding",
    bug: "what is not written is sent all the same: old memory in a token's padding",
    gate: unit("token"),
    js: swap(
      "lib/engine/token.ts",
      "  writeZeros(writer, writer.end - writer.offset);",
      "  if (!writer.failed) writer.offset = writer.end;",
    ),
    native: swap(
      "native/core/token.cc",
      "void pad(Writer& writer) { writeZeros(writer, writer.end - writer.offset); }",
      "void pad(Writer& writer) { if (!writer.failed) writer.offset = writer.end; }",
    ),
  },
  {
    name: "nonce-order",
    bug: "a nonce has its sequence before its zeros, as a port once had it",
    gate: { suite: "test/vectors/netcode.test.ts" },
    js: swap(
      "lib/engine/seal.ts",
      "    nonce[4 + index] = sequenceLo >>> (8 * index);\n    nonce[8 + index] = sequenceHi >>> (8 * index);",
      "    nonce[index] = sequenceLo >>> (8 * index);\n    nonce[4 + index] = sequenceHi >>> (8 * index);",
    ),
    native: swap(
      "native/core/seal.cc",
      "  for (size_t index = 0; index < 4; index++) nonce[index] = 0;\n  for (size_t index = 0; index < 8; index++) {\n    nonce[4 + index] = static_cast<uint8_t>(sequence",
      "  for (size_t index = 0; index < 4; index++) nonce[8 + index] = 0;\n  for (size_t index = 0; index < 8; index++) {\n    nonce[index] = static_cast<uint8_t>(sequence",
    ),
  },
  {
    name: "forged-heartbeat",
    bug: "a datagram that does not open counts as a sign of life",
    gate: unit("handshake"),
    js: swap(
      "lib/engine/demux.ts",
      "  const bodyBytes = openWith(host, key, bytes, offset, length);",
      "  connection.heardUs = nowUs;\n  const bodyBytes = openWith(host, key, bytes, offset, length);",
    ),
    native: swap(
      "native/core/demux.cc",
      "  const int bodyBytes = openWith(host, *key, bytes, offset, length);",
      "  connection->heardUs = nowUs;\n  const int bodyBytes = openWith(host, *key, bytes, offset, length);",
    ),
  },
  {
    name: "pending-forever",
    bug: "clients that never answer their challenge are kept: slow loris",
    gate: unit("handshake"),
    js: swap(
      "lib/engine/handshake.ts",
      "while (timersNext(handshake.pendingTimers) <= nowUs) {",
      "while (timersNext(handshake.pendingTimers) + 3600 * SECONDS <= nowUs) {",
    ),
    native: swap(
      "native/core/handshake.cc",
      "while (timersNext(handshake.pendingTimers) <= nowUs) {",
      "while (timersNext(handshake.pendingTimers) < nowUs - nowUs) {",
    ),
  },
  {
    name: "history-forgets",
    bug: "a full history forgets a token that has not expired: it serves again",
    gate: unit("handshake"),
    js: swap(
      "lib/engine/handshake.ts",
      "if (token.expireSeconds <= unixSeconds) {",
      "if (token.expireSeconds <= unixSeconds || probe === TOKEN_PROBES - 1) {",
    ),
    native: swap(
      "native/core/handshake.cc",
      "if (token.expireSeconds <= unixSeconds) {",
      "if (token.expireSeconds <= unixSeconds || probe == TOKEN_PROBES - 1) {",
    ),
  },
  {
    name: "expiry-off-by-one",
    bug: "a token is good in the second of its expiry",
    gate: unit("handshake"),
    js: swap(
      "lib/engine/handshake.ts",
      "request.expireTimestampLo <= unixSeconds) {",
      "request.expireTimestampLo < unixSeconds) {",
    ),
    native: swap(
      "native/core/handshake.cc",
      "if (request.expireTimestamp <= unixSeconds) return",
      "if (request.expireTimestamp < unixSeconds) return",
    ),
  },
  {
    name: "foreign-server",
    bug: "a token for another server opens this one",
    gate: unit("handshake"),
    js: swap(
      "lib/engine/handshake.ts",
      "return isOwnAddress(handshake) ? REJECT_NONE : REJECT_SERVER;",
      "return isOwnAddress(handshake) || handshake.privateToken.serverCount > 0 ? REJECT_NONE : REJECT_SERVER;",
    ),
    native: swap(
      "native/core/handshake.cc",
      "return isOwnAddress(handshake) ? REJECT_NONE : REJECT_SERVER;",
      "return isOwnAddress(handshake) || true ? REJECT_NONE : REJECT_SERVER;",
    ),
  },
  {
    name: "foreign-challenge",
    bug: "a challenge answers for another client than the one it was made for",
    gate: unit("handshake"),
    js: swap(
      "lib/engine/handshake.ts",
      "return own ? REJECT_NONE : REJECT_CHALLENGE;",
      "return own || plainBytes > 0 ? REJECT_NONE : REJECT_CHALLENGE;",
    ),
    native: swap(
      "native/core/handshake.cc",
      "return challenge.clientId == pending.clientId ? REJECT_NONE : REJECT_CHALLENGE;",
      "return challenge.clientId != 0 ? REJECT_NONE : REJECT_CHALLENGE;",
    ),
  },
  {
    name: "nack-unsent",
    bug: "a nack of what was never sent is taken",
    gate: unit("gap"),
    js: swap("lib/engine/repair.ts", "if (firstId >= channel.nextId || (", "if (("),
    native: swap(
      "native/core/repair.cc",
      "if (firstId >= channel.nextId || (channel.policy->repair & REPAIR_NACK) == 0) return false;",
      "if ((channel.policy->repair & REPAIR_NACK) == 0) return false;",
    ),
  },
  {
    name: "text-overlong",
    bug: "a close text may be longer than the room for it",
    gate: unit("frame"),
    js: swap(
      "lib/engine/frame.ts",
      "return reader.failed || frame.bytes > CLOSE_TEXT_BYTES_MAX ? FRAME_INVALID : FRAME_CLOSE;",
      "return reader.failed ? FRAME_INVALID : FRAME_CLOSE;",
    ),
    native: swap(
      "native/core/frame.cc",
      "return reader.failed || frame.bytes > CLOSE_TEXT_BYTES_MAX ? FRAME_INVALID : FRAME_CLOSE;",
      "return reader.failed ? FRAME_INVALID : FRAME_CLOSE;",
    ),
  },
];
