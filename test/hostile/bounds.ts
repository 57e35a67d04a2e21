/*
 * Attack 9, bounds: every length, count, number and offset at 0, 1, one below its limit, at it, one above it, and where it
 * wraps. Each case says what must come of it; a third outcome (a crash, a hang, a wrong message) is none.
 */
import { CHANNEL_ACCEPT, NETRT_VERSION } from "../../lib/engine/limits.js";
import { REJECT_NONE, REJECT_REASONS } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { PACKET_TYPES } from "../peers/netcode.js";
import { checkEqual, type Figures } from "./attack.js";
import { packetCases, type RawCase, requestCases } from "./edges.js";
import { Insider } from "./insider.js";
import { ack, close, hello, last, NO_ACK, nack, PING, REASONS, sized, skip } from "./wire.js";
import { CHAT, SECOND, SHOTS, STATE, TRADE, type World, withWorld, wordsOf } from "./world.js";

export const number = 9;
export const name = "bounds";
export const promise =
  "every length, count and offset at 0, 1, max - 1, max, max + 1 and at its wrap is taken or refused as the protocol says";

/** "taken": so many messages come. "refused": a violation, and nothing comes. "foreign": the end for a peer of another
 * version, and nothing comes. A number is the reason of a close of the peer's. */
type Outcome = { taken: number } | "refused" | "foreign" | { ends: number };
type Case = readonly [what: string, parts: (latest: number) => readonly Uint8Array[], Outcome];

const body = (bytes: number) => new Uint8Array(bytes).fill(7);
const raw = (...bytes: readonly number[]) => Uint8Array.from(bytes);
const taken = (count: number): Outcome => ({ taken: count });
/** As many empty messages with lengths, and one ping behind them. */
const many = (count: number) => [
  ...Array.from({ length: count }, (_, id) => sized(CHAT, id, raw())),
  PING,
];

/** Bytes of a payload, of which a header of 1 and a message's 3 are the least. */
const PAYLOAD = 1200;

const MESSAGES: readonly Case[] = [
  ...[0, 1, 127, 128, 1099, 1100].map(
    (bytes): Case => [
      `a last message of ${bytes} bytes`,
      () => [NO_ACK, last(STATE, 0, body(bytes))],
      taken(1),
    ],
  ),
  // More than the channel takes.
  ...[1101, PAYLOAD - 5, PAYLOAD - 4].map(
    (bytes): Case => [
      `a last message of ${bytes} bytes`,
      () => [NO_ACK, last(STATE, 0, body(bytes))],
      "refused",
    ],
  ),
  ...[0, 1, 127, 128].map(
    (bytes): Case => [
      `a message with a length of ${bytes}`,
      () => [NO_ACK, sized(STATE, 0, body(bytes)), PING],
      taken(1),
    ],
  ),
  // A length that says more than there is: by one, by the most that a varint holds.
  ...[
    ["one more than there is", [4]],
    ["16,383", [0xff, 0x7f]],
    ["2,097,151", [0xff, 0xff, 0x7f]],
    ["2^28 - 1", [0xff, 0xff, 0xff, 0x7f]],
    ["more than four bytes hold", [0xff, 0xff, 0xff, 0xff, 0x0f]],
    ["no end", [0xff, 0xff, 0xff]],
  ].map(
    ([what, length]): Case => [
      `a length of ${what}`,
      () => [NO_ACK, raw(0xc0, 0, 0, ...(length as number[]), 1, 2, 3)],
      "refused",
    ],
  ),
  ...[0, 1, 63, 64].map(
    (count): Case => [
      `${count} messages in a packet`,
      () => [NO_ACK, ...many(count)],
      taken(count),
    ],
  ),
  ["65 messages in a packet", () => [NO_ACK, ...many(65)], "refused"],
  ["a message cut after its first byte", () => [NO_ACK, raw(0x80)], "refused"],
  ["a message cut in its id", () => [NO_ACK, raw(0x80, 0)], "refused"],
];

/** Of four channels. */
const CHANNELS: readonly Case[] = [
  ...[0, 1, 2, 3].map(
    (channel): Case => [`channel ${channel}`, () => [NO_ACK, last(channel, 0, body(1))], taken(1)],
  ),
  ...[4, 5, 62, 63].flatMap((channel): Case[] => [
    [`a message of channel ${channel}`, () => [NO_ACK, last(channel, 0, body(1))], "refused"],
    [
      `a sized message of channel ${channel}`,
      () => [NO_ACK, sized(channel, 0, body(1)), PING],
      "refused",
    ],
    [`a skip of channel ${channel}`, () => [NO_ACK, skip(channel, 0)], "refused"],
    [`a nack of channel ${channel}`, () => [NO_ACK, nack(channel, 0)], "refused"],
  ]),
  ...[64, 127, 128, 255].flatMap((channel): Case[] => [
    [`a skip of channel ${channel}`, () => [NO_ACK, skip(channel, 0)], "refused"],
    [`a nack of channel ${channel}`, () => [NO_ACK, nack(channel, 0)], "refused"],
  ]),
];

/** The window of a receiver that has nothing yet: 0 up to CHANNEL_ACCEPT - 1. */
const IDS: readonly Case[] = [CHAT, SHOTS, TRADE].flatMap((channel): Case[] => [
  [`id 0 of channel ${channel}`, () => [NO_ACK, last(channel, 0, body(1))], taken(1)],
  ...[1, 255, 256, CHANNEL_ACCEPT - 2, CHANNEL_ACCEPT - 1].map(
    (id): Case => [
      `id ${id} of channel ${channel}`,
      () => [NO_ACK, last(channel, id, body(1))],
      taken(0),
    ],
  ),
  ...[CHANNEL_ACCEPT, CHANNEL_ACCEPT + 1, 32_766, 32_767].map(
    (id): Case => [
      `id ${id} of channel ${channel}`,
      () => [NO_ACK, last(channel, id, body(1))],
      "refused",
    ],
  ),
  // Half the numbers and more lie behind: old, as after a wrap.
  ...[32_768, 32_769, 65_535].map(
    (id): Case => [
      `id ${id} of channel ${channel}`,
      () => [NO_ACK, last(channel, id, body(1))],
      taken(0),
    ],
  ),
  ...[0, 1, CHANNEL_ACCEPT - 1, CHANNEL_ACCEPT].map(
    (id): Case => [
      `a skip to ${id} of channel ${channel}`,
      () => [NO_ACK, skip(channel, id)],
      taken(0),
    ],
  ),
  ...[CHANNEL_ACCEPT + 1, 32_767].map(
    (id): Case => [
      `a skip to ${id} of channel ${channel}`,
      () => [NO_ACK, skip(channel, id)],
      "refused",
    ],
  ),
  ...[32_768, 65_535].map(
    (id): Case => [
      `a skip to ${id} of channel ${channel}`,
      () => [NO_ACK, skip(channel, id)],
      taken(0),
    ],
  ),
]);

const SEQUENCED: readonly Case[] = [
  ...[0, 1, 512, 32_767].map(
    (id): Case => [
      `id ${id} of a sequenced channel`,
      () => [NO_ACK, last(STATE, id, body(1))],
      taken(1),
    ],
  ),
  ...[32_768, 65_535].map(
    (id): Case => [
      `id ${id} of a sequenced channel`,
      () => [NO_ACK, last(STATE, id, body(1))],
      taken(0),
    ],
  ),
  ["a skip of a channel without repair", () => [NO_ACK, skip(STATE, 0)], "refused"],
  ["a nack of a channel without repair", () => [NO_ACK, nack(STATE, 0)], "refused"],
];

/** Nothing was sent on any channel yet: every nack names what was never sent. */
const NACKS: readonly Case[] = [0, 1, 255, 32_767].map(
  (id): Case => [`a nack of ${id}, never sent`, () => [NO_ACK, nack(CHAT, id)], "refused"],
);

const ACKS: readonly Case[] = [
  ["no ack", () => [NO_ACK, PING], taken(0)],
  ["an ack of the latest", (latest) => [ack(latest), PING], taken(0)],
  ["an ack of number 0", () => [ack(0), PING], taken(0)],
  ["an ack of the next", (latest) => [ack(latest + 1), PING], "refused"],
  ["an ack with the longest delay", (latest) => [ack(latest, 65_535), PING], taken(0)],
  ["an ack with the longest known delay", (latest) => [ack(latest, 65_534), PING], taken(0)],
  ["an ack of number 65535", () => [ack(65_535), PING], "refused"],
  ["an ack of number 32768 and more back", (latest) => [ack(latest + 32_769), PING], "refused"],
  ["an ack cut after its first byte", () => [raw(0x80)], "refused"],
  ["an ack cut in its delay", () => [raw(0x80, 0, 0, 0)], "refused"],
  ["an ack cut in its bitfield", () => [raw(0x82, 0, 0, 0, 0, 1)], "refused"],
  ["an empty payload but for its ack", () => [NO_ACK], taken(0)],
];

/** What stands in a hello between its channel count and its hashes: name, limits, suites, key. */
const HELLO = [0, 0, 0, 0, 0xb0, 4, 0, 0, 0, 0, 0, 0, 1, ...new Array<number>(32).fill(0)];

const FRAMES: readonly Case[] = [
  ...[0, 1, 119, 120].map(
    (bytes): Case => [
      `a close with ${bytes} bytes of text`,
      () => [NO_ACK, close(REASONS.closed, "x".repeat(bytes))],
      { ends: REASONS.closed },
    ],
  ),
  ...[121, 255].map(
    (bytes): Case => [
      `a close with ${bytes} bytes of text`,
      () => [NO_ACK, close(REASONS.closed, "x".repeat(bytes))],
      "refused",
    ],
  ),
  ...[0, 7, 8, 255].map(
    (reason): Case => [
      `a close of reason ${reason}`,
      () => [NO_ACK, close(reason)],
      { ends: reason },
    ],
  ),
  ["a close without its text", () => [NO_ACK, raw(3, 1, 5, 65)], "refused"],
  ["a hello of 0 channels", () => [NO_ACK, raw(1, NETRT_VERSION, 0, ...HELLO)], "refused"],
  [
    "a hello of 65 channels",
    () => [NO_ACK, raw(1, NETRT_VERSION, 65, ...HELLO, ...new Array(260).fill(0))],
    "refused",
  ],
  [
    "a hello of 255 channels",
    () => [NO_ACK, raw(1, NETRT_VERSION, 255, ...HELLO, ...new Array(1020).fill(0))],
    "refused",
  ],
  [
    "a hello that is cut",
    () => [NO_ACK, raw(1, NETRT_VERSION, 64, ...HELLO, ...new Array(255).fill(0))],
    "refused",
  ],
  [
    "a second hello that differs",
    () => [NO_ACK, raw(1, NETRT_VERSION, 1, ...HELLO, 0, 0, 0, 0), PING],
    taken(0),
  ],
  ["a second hello of another version", () => [NO_ACK, raw(1, 9, 1, 2, 3), PING], "foreign"],
  ["1,199 pings", () => [NO_ACK, new Uint8Array(1199).fill(4)], "refused"],
];

function tried(world: World, address: string, [what, parts, outcome]: Case): void {
  const insider = new Insider(world, address).connected();
  insider.say(...parts(insider.latest));
  world.step();
  const { end, messages } = world.server.of(insider.peer);
  if (outcome === "refused" || outcome === "foreign") {
    const reason = outcome === "refused" ? REASONS.violation : REASONS.mismatch;
    checkEqual(end?.reason, reason, `the end after ${what}`);
    checkEqual(messages.length, 0, `messages delivered by ${what}`);
  } else if ("ends" in outcome) {
    checkEqual(end?.reason, outcome.ends, `the end after ${what}`);
    checkEqual(end?.local, false, `whose end it was after ${what}`);
  } else {
    checkEqual(end, undefined, `the end after ${what}`);
    checkEqual(messages.length, outcome.taken, `messages delivered by ${what}`);
  }
  // The slot is needed again.
  insider.post(insider.seal(PACKET_TYPES.disconnect));
  world.step();
}

/** Hellos to a server that has none yet: channels at the limits, and a name or version of somebody else. */
function greeted(world: World): number {
  const lengths = [1, 3, 4, 5, 63, 64];
  for (const [index, count] of lengths.entries()) {
    const insider = new Insider(world, `10.3.0.${index}:1`).admitted();
    const right = hello(world.protocol);
    const hashes = new Uint8Array(4 * count);
    // Behind the head: name, limits, suites and key.
    hashes.set(right.subarray(48, 48 + hashes.length));
    insider.say(NO_ACK, raw(1, right[1], count, ...right.subarray(3, 48), ...hashes));
    world.step();
    const announced = world.server.peers.length > 0 && world.server.of(world.server.peer);
    const alive = announced !== false && announced.end === undefined;
    checkEqual(alive, count === 4, `whether a hello of ${count} channels is taken`);
    insider.post(insider.seal(PACKET_TYPES.disconnect));
    world.step();
  }
  return lengths.length;
}

/** How often each reason was given. */
function refusals(world: World): number[] {
  return Array.from({ length: REJECT_REASONS }, (_, reason) => world.rejected(reason));
}

/** Packets and requests as a whole: exactly one counter says why. */
function rawTried(world: World, cases: readonly RawCase[]): number {
  for (const { what, from, bytes, reason } of cases) {
    const before = refusals(world);
    world.post(from, bytes);
    world.step();
    const given = refusals(world).flatMap((count, index) => (count > before[index] ? [index] : []));
    checkEqual(given, reason === REJECT_NONE ? [] : [reason], `reasons to refuse ${what}`);
  }
  return cases.length;
}

export function run(engine: EngineName): Figures {
  return withWorld(engine, { peersMax: 64 }, (world) => {
    const cases = [...MESSAGES, ...CHANNELS, ...IDS, ...SEQUENCED, ...NACKS, ...ACKS, ...FRAMES];
    const greetings = greeted(world);
    for (const [index, one] of cases.entries()) {
      tried(world, `10.1.${index >>> 8}.${index & 255}:1`, one);
    }
    const packets = rawTried(world, packetCases(new Insider(world, "10.4.0.1:1").connected()));
    const requests = rawTried(world, requestCases(world));
    const free = world.memory();
    world.recipients.delete(wordsOf("10.4.0.1:1").join());
    world.run(20 * SECOND);
    checkEqual(world.memory()[4], 64, `free slots at the end (${free[4]} before the time-out)`);
    return { payloads: cases.length + greetings, packets, requests };
  });
}
