/*
 * The planted bugs: what once was wrong in protocols like this one, put back in, with the test that has to notice. Here:
 * delivery, time and the kernel; wire.ts and door.ts have the rest.
 * Never holds a bug without a history: each was shipped by somebody, or stood in this engine once.
 */

import { trust } from "./door.js";
import { type Mutant, swap, unit } from "./mutant.js";
import { numbers, parsing } from "./wire.js";

const delivery: readonly Mutant[] = [
  {
    name: "duplicate-delivered",
    bug: "a message that came already is delivered a second time",
    gate: unit("delivery"),
    js: swap(
      "lib/engine/delivery.ts",
      `  if (deliverySeen(channel, id)) {
    count(outlet, channel, CHANNEL_DUPLICATES, 1);
    return;
  }
  deliver`,
      `  if (deliverySeen(channel, id) && id < channel.newestId - 1) {
    count(outlet, channel, CHANNEL_DUPLICATES, 1);
    return;
  }
  deliver`,
    ),
    native: swap(
      "native/core/delivery.cc",
      `  if (deliverySeen(channel, id)) {
    count(outlet, channel, CHANNEL_DUPLICATES, 1);
    return;
  }
  deliver`,
      `  if (deliverySeen(channel, id) && id < channel.newestId - 1) {
    count(outlet, channel, CHANNEL_DUPLICATES, 1);
    return;
  }
  deliver`,
    ),
  },
  {
    name: "leak-on-error",
    bug: "a message that is refused keeps the memory that it got before",
    gate: unit("handshake"),
    js: swap(
      "lib/engine/submit.ts",
      `  if (body !== NO_CHUNK) {
    bodyRelease(host.outlet.pool, body);
  }
  channelReport`,
      "  channelReport",
    ),
    native: swap(
      "native/core/submit.cc",
      "  if (body != NO_CHUNK) bodyRelease(host.outlet.pool, body);\n  channelReport",
      "  channelReport",
    ),
  },
  {
    name: "ack-buffer-drop",
    bug: "records of what was sent are overwritten before their verdict, without a word",
    gate: unit("acks"),
    js: swap(
      "lib/engine/acks.ts",
      "return sentInFlight(sent) < IN_FLIGHT_MAX;",
      "return sentInFlight(sent) < IN_FLIGHT_MAX * 8;",
    ),
    native: swap(
      "native/core/acks.cc",
      "return sentInFlight(sent) < IN_FLIGHT_MAX;",
      "return sentInFlight(sent) < IN_FLIGHT_MAX * 8;",
    ),
  },
  {
    name: "event-after-close",
    bug: "a message reaches the user after the end of its connection",
    gate: unit("connection"),
    js: swap(
      "lib/engine/receive.ts",
      "while (connection.state !== CONNECTION_CLOSING) {",
      "while (connection.state >= 0) {",
    ),
    native: swap(
      "native/core/receive.cc",
      "while (connection.state != CONNECTION_CLOSING) {",
      "while (connection.state != 255) {",
    ),
  },
  {
    name: "hello-once",
    bug: "what has to be known before all else is said once, and lost",
    gate: unit("session"),
    js: swap(
      "lib/engine/transmit.ts",
      "  if (connection.helloAcked) {",
      "  if (connection.helloAcked || connection.helloInFlight > 0) {",
    ),
    native: swap(
      "native/core/transmit.cc",
      "if (connection.helloAcked) return;",
      "if (connection.helloAcked || connection.helloInFlight > 0) return;",
    ),
  },
  {
    name: "goodbye-once",
    bug: "a goodbye is said once, and lost: the peer waits for its time-out",
    gate: unit("connection"),
    js: swap(
      "lib/engine/ending.ts",
      "connection.farewells = FAREWELL_PACKETS;",
      "connection.farewells = FAREWELL_PACKETS - 9;",
    ),
    native: swap(
      "native/core/ending.cc",
      "connection.farewells = FAREWELL_PACKETS;",
      "connection.farewells = FAREWELL_PACKETS - 9;",
    ),
  },
  {
    name: "skip-forgotten",
    bug: "a skip that was lost is not said again: an ordered channel waits for ever",
    gate: unit("channel"),
    js: swap(
      "lib/engine/repair.ts",
      "  if (!acked) {\n    return;\n  }\n  if (skipId",
      "  if (skipId",
    ),
    native: swap("native/core/repair.cc", "  if (!acked) return;\n  if (skipId", "  if (skipId"),
  },
  {
    name: "window-ignored",
    bug: "more ids are on the wire than the receiver can tell apart",
    gate: unit("channel"),
    js: swap(
      "lib/engine/channel.ts",
      "channel.consumedId) + CHANNEL_WINDOW;",
      "channel.consumedId) + CHANNEL_WINDOW + 1;",
    ),
    native: swap(
      "native/core/channel.cc",
      "channel.consumedId) + CHANNEL_WINDOW;",
      "channel.consumedId) + CHANNEL_WINDOW + 1;",
    ),
  },
  {
    name: "expired-in-flight",
    bug: "a message is reported expired while it is on its way, and arrives",
    gate: unit("channel"),
    js: swap(
      "lib/engine/repair.ts",
      "} else if (message.inFlight === 0) {",
      "} else if (message.inFlight >= 0) {",
    ),
    native: swap(
      "native/core/repair.cc",
      "} else if (message->inFlight == 0) {",
      "} else if (message->inFlight < 65535) {",
    ),
  },
  {
    name: "broadcast-leak",
    bug: "a broadcast keeps a reference to its body for ever",
    gate: unit("broadcast"),
    js: swap(
      "lib/engine/submit.ts",
      "  if (body !== NO_CHUNK) {\n    bodyRelease(host.outlet.pool, body);\n  }\n}",
      "}",
    ),
    native: swap(
      "native/core/submit.cc",
      "  if (body != NO_CHUNK) bodyRelease(host.outlet.pool, body);\n}",
      "}",
    ),
  },
];

const time: readonly Mutant[] = [
  {
    name: "rtt-of-retransmit",
    bug: "a round trip is measured by an ack that is no news (Karn's ambiguity)",
    gate: unit("acks"),
    js: swap(
      "lib/engine/acks.ts",
      "  if (ackNumber(sent, received, latest, receivedUs)) {",
      "  ackNumber(sent, received, latest, receivedUs);\n  if (recordOf(sent, latest).number === latest) {",
    ),
    native: swap(
      "native/core/acks.cc",
      "const bool sampled = ackNumber(sent, received, latest, receivedUs) &&\n",
      "ackNumber(sent, received, latest, receivedUs);\n  const bool sampled = recordOf(sent, latest)->number == latest &&\n",
    ),
  },
  {
    name: "deadline-spins",
    bug: "what can't be done now is due at once again: the loop spins",
    gate: unit("stall"),
    js: swap(
      "lib/engine/transmit.ts",
      "connection.stalledUntilUs = nowUs + STALL_RETRY_US;",
      "connection.stalledUntilUs = nowUs - STALL_RETRY_US;",
    ),
    native: swap(
      "native/core/transmit.cc",
      "connection.stalledUntilUs = nowUs + STALL_RETRY_US;",
      "connection.stalledUntilUs = nowUs - STALL_RETRY_US;",
    ),
  },
  {
    name: "delay-believed",
    bug: "a peer that says it held a packet for longer than it was away makes a round trip of nothing",
    gate: unit("acks"),
    js: swap(
      "lib/engine/acks.ts",
      "rttSample(rtt, sample > 0 ? sample : raw, receivedUs);",
      "rttSample(rtt, sample, receivedUs);",
    ),
    native: swap(
      "native/core/acks.cc",
      "rttSample(rtt, sample > 0 ? sample : raw, receivedUs);",
      "rttSample(rtt, sample, receivedUs);",
    ),
  },
  {
    name: "eager-loss",
    bug: "one packet that overtakes another is enough to call it lost",
    gate: unit("acks"),
    js: swap(
      "lib/engine/acks.ts",
      "(sent.ackedLatest - packet.number >= REORDER_PACKETS ||",
      "(sent.ackedLatest - packet.number >= 1 ||",
    ),
    native: swap(
      "native/core/acks.cc",
      "(sent.ackedLatest - packet.number >= static_cast<int64_t>(REORDER_PACKETS) ||",
      "(sent.ackedLatest - packet.number >= 1 ||",
    ),
  },
  {
    name: "no-backoff",
    bug: "time-outs in a row don't wait longer: a dead path is filled at full speed",
    gate: unit("rtt"),
    js: swap("lib/engine/rtt.ts", "    rtt.backoff += 1;", "    rtt.backoff += 0;"),
    native: swap(
      "native/core/rtt.cc",
      "if ((baseTimeoutUs(rtt) << rtt.backoff) < RTO_MAX_US) rtt.backoff += 1;",
      "if ((baseTimeoutUs(rtt) << rtt.backoff) < RTO_MAX_US) rtt.backoff += 0;",
    ),
  },
];

const pressure: readonly Mutant[] = [
  {
    name: "window-never-shrinks",
    bug: "a queue or losses don't make the window smaller: the path stays full",
    gate: unit("congestion"),
    js: swap(
      "lib/engine/congestion.ts",
      "  congestion.windowBytes = Math.min(congestion.windowBytes, Math.max(bytes, least));",
      "  congestion.windowBytes = Math.max(congestion.windowBytes, Math.max(bytes, least));",
    ),
    native: swap(
      "native/core/congestion.cc",
      "std::min(congestion.windowBytes, std::max(bytes, least));",
      "std::max(congestion.windowBytes, std::max(bytes, least));",
    ),
  },
  {
    name: "flight-leak",
    bug: "what was lost counts as on its way for ever: the window fills up with nothing",
    gate: { suite: "test/sim/blocks.test.ts" },
    js: swap(
      "lib/engine/acks.ts",
      "    sent.flightBytes -= packet.bytes;",
      "    sent.flightBytes -= packet.state === SENT_ACKED ? packet.bytes : 0;",
    ),
    native: swap(
      "native/core/acks.cc",
      "if (packet.eliciting) sent.flightBytes -= static_cast<uint32_t>(packet.bytes);",
      "if (packet.eliciting && packet.state == SENT_ACKED) sent.flightBytes -= static_cast<uint32_t>(packet.bytes);",
    ),
  },
  {
    name: "block-tail-forgotten",
    bug: "the line of a block's fragments keeps its end after it ran empty: what is fed next hangs on what went",
    gate: { suite: "test/sim/blocks.test.ts" },
    js: swap(
      "lib/engine/block.ts",
      "    channel.blockLast = null;\n  }\n  message.next = null;",
      "  }\n  message.next = null;",
    ),
    native: swap(
      "native/core/block.cc",
      "  if (message->next == nullptr) channel.blockLast = nullptr;\n",
      "",
    ),
  },
  {
    name: "block-end-once",
    bug: "that a block won't come is said once, and expires: its receiver waits for the rest for ever",
    gate: { suite: "test/sim/blocks.test.ts" },
    js: swap(
      "lib/block.ts",
      "if (block.fed === 0 || block.ended) return true;",
      "if (block.fed === 0 || block.ended || block.endTag !== 0) return true;",
    ),
  },
];

const kernel: readonly Mutant[] = [
  {
    name: "enobufs-fatal",
    bug: "a full queue of the network card closes the socket (ENOBUFS)",
    gate: { core: ["errno", "fault"] },
    native: swap(
      "native/io/fault.cc",
      "{Call::SEND, ENOBUFS, FaultAction::LOSS, FaultKind::EXHAUSTED},",
      "{Call::SEND, ENOBUFS, FaultAction::FATAL, FaultKind::EXHAUSTED},",
    ),
  },
  {
    name: "refused-closes",
    bug: "an ICMP message that anybody can forge closes the socket (ECONNREFUSED)",
    gate: { core: ["errno", "fault"] },
    native: swap(
      "native/io/fault.cc",
      "{Call::RECEIVE, ECONNREFUSED, FaultAction::ICMP, FaultKind::OTHER},",
      "{Call::RECEIVE, ECONNREFUSED, FaultAction::FATAL, FaultKind::OTHER},",
    ),
  },
];

export const MUTANTS: readonly Mutant[] = [
  ...numbers,
  ...parsing,
  ...trust,
  ...delivery,
  ...time,
  ...pressure,
  ...kernel,
];
