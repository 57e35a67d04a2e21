/*
 * The planted bugs: what once was wrong in protocols like this one, put back in, with the test that has to notice. Here:
 * delivery, time and the kernel; wire.ts has the rest.
 * Never holds a bug without a history: each was shipped by somebody, or stood in this engine once.
 */
import { type Mutant, unit } from "./mutant.js";
import { numbers, parsing, trust } from "./wire.js";

const delivery: readonly Mutant[] = [
  {
    name: "duplicate-delivered",
    bug: "a message that came already is delivered a second time",
    gate: unit("delivery"),
    js: [
      {
        file: "lib/engine/delivery.ts",
        find: "if (deliverySeen(channel, id)) {\n    count",
        put: "if (deliverySeen(channel, id) && id < channel.newestId - 1) {\n    count",
      },
    ],
    native: [
      {
        file: "native/core/delivery.cc",
        find: "if (deliverySeen(channel, id)) {\n    count",
        put: "if (deliverySeen(channel, id) && id < channel.newestId - 1) {\n    count",
      },
    ],
  },
  {
    name: "leak-on-error",
    bug: "a message that is refused keeps the memory that it got before",
    gate: unit("handshake"),
    js: [
      {
        file: "lib/engine/submit.ts",
        find: `  if (body !== NO_CHUNK) {
    bodyRelease(host.outlet.pool, body);
  }
  channelReport`,
        put: "  channelReport",
      },
    ],
    native: [
      {
        file: "native/core/submit.cc",
        find: "  if (body != NO_CHUNK) bodyRelease(host.outlet.pool, body);\n  channelReport",
        put: "  channelReport",
      },
    ],
  },
  {
    name: "ack-buffer-drop",
    bug: "records of what was sent are overwritten before their verdict, without a word",
    gate: unit("acks"),
    js: [
      {
        file: "lib/engine/acks.ts",
        find: "return sentInFlight(sent) < IN_FLIGHT_MAX;",
        put: "return sentInFlight(sent) < IN_FLIGHT_MAX * 8;",
      },
    ],
    native: [
      {
        file: "native/core/acks.cc",
        find: "return sentInFlight(sent) < IN_FLIGHT_MAX;",
        put: "return sentInFlight(sent) < IN_FLIGHT_MAX * 8;",
      },
    ],
  },
  {
    name: "event-after-close",
    bug: "a message reaches the user after the end of its connection",
    gate: unit("connection"),
    js: [
      {
        file: "lib/engine/receive.ts",
        find: "while (connection.state !== CONNECTION_CLOSING) {",
        put: "while (connection.state >= 0) {",
      },
    ],
    native: [
      {
        file: "native/core/receive.cc",
        find: "while (connection.state != CONNECTION_CLOSING) {",
        put: "while (connection.state != 255) {",
      },
    ],
  },
];

const time: readonly Mutant[] = [
  {
    name: "rtt-of-retransmit",
    bug: "a round trip is measured by an ack that is no news (Karn's ambiguity)",
    gate: unit("acks"),
    js: [
      {
        file: "lib/engine/acks.ts",
        find: "  if (ackNumber(sent, received, latest)) {",
        put: "  ackNumber(sent, received, latest);\n  if (recordOf(sent, latest).number === latest) {",
      },
    ],
    native: [
      {
        file: "native/core/acks.cc",
        find: "if (ackNumber(sent, received, latest)) sampleRtt",
        put: "ackNumber(sent, received, latest);\n  if (recordOf(sent, latest)->number == latest) sampleRtt",
      },
    ],
  },
  {
    name: "deadline-spins",
    bug: "what can't be done now is due at once again: the loop spins",
    gate: unit("stall"),
    js: [
      {
        file: "lib/engine/transmit.ts",
        find: "connection.stalledUntilUs = nowUs + STALL_RETRY_US;",
        put: "connection.stalledUntilUs = nowUs - STALL_RETRY_US;",
      },
    ],
    native: [
      {
        file: "native/core/transmit.cc",
        find: "connection.stalledUntilUs = nowUs + STALL_RETRY_US;",
        put: "connection.stalledUntilUs = nowUs - STALL_RETRY_US;",
      },
    ],
  },
];

const kernel: readonly Mutant[] = [
  {
    name: "enobufs-fatal",
    bug: "a full queue of the network card closes the socket (ENOBUFS)",
    gate: { core: ["errno", "fault"] },
    native: [
      {
        file: "native/io/fault.cc",
        find: "{Call::SEND, ENOBUFS, FaultAction::LOSS, FaultKind::EXHAUSTED},",
        put: "{Call::SEND, ENOBUFS, FaultAction::FATAL, FaultKind::EXHAUSTED},",
      },
    ],
  },
  {
    name: "refused-closes",
    bug: "an ICMP message that anybody can forge closes the socket (ECONNREFUSED)",
    gate: { core: ["errno", "fault"] },
    native: [
      {
        file: "native/io/fault.cc",
        find: "{Call::RECEIVE, ECONNREFUSED, FaultAction::ICMP, FaultKind::OTHER},",
        put: "{Call::RECEIVE, ECONNREFUSED, FaultAction::FATAL, FaultKind::OTHER},",
      },
    ],
  },
];

export const MUTANTS: readonly Mutant[] = [
  ...numbers,
  ...parsing,
  ...trust,
  ...delivery,
  ...time,
  ...kernel,
];
