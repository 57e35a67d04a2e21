/*
 * Attack 10, non-canonical encodings: the same meaning in other bytes. Each is refused as a whole: what stands
 * before it in the payload has no effect either, and the connection ends as a violation.
 */
import { REJECT_PAYLOAD } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { PACKET_TYPES, sealPacket } from "../peers/netcode.js";
import { checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { last, NO_ACK, nack, PING, payload, REASONS, sized } from "./wire.js";
import { CHAT, SECOND, STATE, type World, withWorld } from "./world.js";

export const number = 10;
export const name = "canonical";
export const promise =
  "one meaning has one byte string: a payload that says it otherwise ends the connection and does nothing else";

const BODY = Uint8Array.of(1, 2, 3);
/** A lawful message that must not be delivered because of what follows it. */
const FIRST = sized(STATE, 0, Uint8Array.of(42));

const raw = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);

/** A message whose length is written in so many bytes. */
function longVarint(bytes: number): Uint8Array {
  const length = Array.from({ length: bytes }, (_, index) =>
    index === bytes - 1 ? 0 : (index === 0 ? BODY.length : 0) | 0x80,
  );
  return raw(0xc0 | CHAT, 0, 0, ...length, ...BODY);
}

type Case = readonly [what: string, payload: () => Uint8Array];

const CASES: readonly Case[] = [
  ["a length in two bytes for one", () => payload(NO_ACK, FIRST, longVarint(2), PING)],
  ["a length in three bytes for one", () => payload(NO_ACK, FIRST, longVarint(3), PING)],
  ["a length in four bytes for one", () => payload(NO_ACK, FIRST, longVarint(4), PING)],
  ["a length in five bytes", () => payload(NO_ACK, FIRST, longVarint(5), PING)],
  ["a length of 0 in two bytes", () => payload(NO_ACK, FIRST, raw(0xc0, 0, 0, 0x80, 0), PING)],
  ["a last message with a length", () => payload(NO_ACK, FIRST, sized(CHAT, 0, BODY))],
  ["an empty last message with a length", () => payload(NO_ACK, FIRST, sized(CHAT, 0, raw()))],
  ["no ack header at all", () => payload(FIRST, PING)],
  ["an ack header with its present bit alone off", () => payload(raw(1, 0, 0, 0, 0, 1), FIRST)],
  ["an ack header with bit 6", () => payload(raw(0xc0, 0, 0, 0, 0), FIRST, PING)],
  ["an ack header with bit 6 alone", () => payload(raw(0x40), FIRST, PING)],
  ["an ack bitfield that ends in 0", () => payload(raw(0x81, 0, 0, 0, 0, 0), FIRST, PING)],
  [
    "an ack bitfield of 33 bytes",
    () => payload(raw(0xa1, 0, 0, 0, 0, ...Array(33).fill(1)), FIRST),
  ],
  ["a nack's bitmap that ends in 0", () => payload(NO_ACK, FIRST, nack(CHAT, 0, [1, 0]))],
  ["a nack's bitmap of one 0", () => payload(NO_ACK, FIRST, nack(CHAT, 0, [0]))],
  ["a nack's bitmap of 33 bytes", () => payload(NO_ACK, FIRST, nack(CHAT, 0, Array(33).fill(1)))],
  ["a padding byte at the end", () => payload(NO_ACK, FIRST, PING, raw(0))],
  ["padding of 100 bytes", () => payload(NO_ACK, FIRST, PING, new Uint8Array(100))],
];

/** Every first byte that no frame has. */
function unknownFrames(): Case[] {
  const all = [0, ...Array.from({ length: 0x80 - FRAMES_FROM }, (_, index) => index + FRAMES_FROM)];
  return all.map((byte) => [
    `a frame that starts with ${byte}`,
    () => payload(NO_ACK, FIRST, raw(byte, 0, 0, 0), PING),
  ]);
}

/** First byte that no frame of docs/PROTOCOL.md has. */
const FRAMES_FROM = 9;

function refused(world: World, address: string, [what, bytes]: Case): void {
  const insider = new Insider(world, address).connected();
  const before = world.rejected(REJECT_PAYLOAD);
  insider.say(bytes());
  world.step();
  checkEqual(
    insider.end,
    { reason: REASONS.violation, text: "malformed payload", local: true },
    what,
  );
  checkEqual(world.rejected(REJECT_PAYLOAD) - before, 1, `refused payloads after ${what}`);
  checkEqual(world.server.of(insider.peer).messages.length, 0, `messages delivered by ${what}`);
}

/** NETCODE's own encoding: a sequence may be padded with zeros there, but is the same number. */
function paddedSequence(world: World): void {
  const insider = new Insider(world, "10.0.3.1:1").connected();
  const sequence = insider.number++;
  const { clientToServerKey: key, protocolId } = insider.open;
  for (let sequenceBytes = 8; sequenceBytes >= 1; sequenceBytes--) {
    const body = payload(NO_ACK, last(STATE, 10 - sequenceBytes, Uint8Array.of(sequenceBytes)));
    const type = PACKET_TYPES.payload;
    insider.post(sealPacket({ type, sequence, key, protocolId, body, sequenceBytes }));
  }
  world.step();
  const { messages } = world.server.of(insider.peer);
  checkEqual(messages.length, 1, "packets taken of one number in eight spellings");
}

export function run(engine: EngineName): Figures {
  return withWorld(engine, { peersMax: 512 }, (world) => {
    const cases = [...CASES, ...unknownFrames()];
    for (const [index, one] of cases.entries()) {
      refused(world, `10.0.${1 + (index >>> 8)}.${index & 255}:1`, one);
    }
    paddedSequence(world);
    // What is right is taken, so that nothing was refused for another reason.
    const insider = new Insider(world, "10.0.3.2:1").connected();
    insider.say(NO_ACK, FIRST, sized(CHAT, 0, BODY), PING);
    world.run(SECOND / 10);
    checkEqual(world.server.of(insider.peer).messages.length, 2, "messages of a right payload");
    return { encodings: cases.length, refused: world.rejected(REJECT_PAYLOAD) };
  });
}
