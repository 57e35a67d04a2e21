// insider: a peer that has the keys and breaks the rules: what it seals opens, and is wrong inside.

import { Writer, writerSet, writeU32 } from "../../lib/engine/bytes.js";
import {
  AckHeader,
  ackHeaderWrite,
  closeWrite,
  helloWrite,
  messageHeadWrite,
  pingWrite,
  skipWrite,
} from "../../lib/engine/frame.js";
import { PAYLOAD_BYTES_MAX } from "../../lib/engine/limits.js";
import {
  PACKET_DENIED,
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_PAYLOAD,
} from "../../lib/engine/packet.js";
import type { Random } from "../../lib/sim/random.js";
import type { Tap } from "../tap.js";
import { fillRandom } from "./tokens.js";

/** A sealed packet under a session's keys, the token's or its own, with whatever in it. */
export function insiderPacket(random: Random, tap: Tap, fromClient: boolean): Uint8Array {
  const type = random.chance(75)
    ? PACKET_PAYLOAD
    : PACKET_DENIED + random.below(PACKET_DISCONNECT - PACKET_DENIED + 1);
  const near = Math.max(tap.highest(fromClient) + random.below(40) - 20, 0);
  const sequence = random.chance(80)
    ? BigInt(near)
    : (BigInt(random.chance(50) ? random.next32() : 0) << 32n) | BigInt(random.next32());
  const bytes = new Uint8Array(PAYLOAD_BYTES_MAX + 200);
  const bodyBytes =
    type === PACKET_PAYLOAD || random.chance(20)
      ? bodyWrite(random, bytes, tap.highest(!fromClient))
      : sizeOf(random, type);
  const body = bytes.subarray(0, bodyBytes);
  return random.chance(80)
    ? tap.seal(fromClient, type, sequence, body)
    : tap.sealToken(fromClient, type, sequence, body);
}

function sizeOf(random: Random, type: number): number {
  if (random.chance(15)) return random.below(400);
  if (type === PACKET_KEEP_ALIVE) return 8;
  return type === PACKET_DENIED || type === PACKET_DISCONNECT ? 0 : 308;
}

function bodyWrite(random: Random, bytes: Uint8Array, acked: number): number {
  const writer = new Writer();
  writerSet(writer, bytes, 0, PAYLOAD_BYTES_MAX);
  const header = new AckHeader();
  header.present = random.chance(60);
  const latest = random.chance(70) ? acked - random.below(20) : random.below(65_536);
  header.latest = latest & 0xffff;
  header.delay = random.below(65_536);
  ackHeaderWrite(writer, header);
  for (let frames = random.below(5); frames > 0; frames--) frameAdd(random, writer);
  const end = writer.failed ? random.below(PAYLOAD_BYTES_MAX) : writer.offset;
  const bodyBytes = Math.max(end, 1);
  if (random.chance(30)) bytes[random.below(bodyBytes)] ^= 1 << random.below(8);
  return random.chance(10) ? 1 + random.below(bodyBytes) : bodyBytes;
}

function frameAdd(random: Random, writer: Writer): void {
  const channel = random.below(random.chance(90) ? 6 : 64);
  const id = random.chance(60) ? random.below(600) : random.below(65_536);
  const text = fillRandom(random, new Uint8Array(random.below(130)));
  switch (random.below(6)) {
    case 0:
      skipWrite(writer, channel, id);
      break;
    case 1:
      pingWrite(writer);
      break;
    case 2:
      helloWrite(
        writer,
        3 + random.below(2),
        0x6e747274,
        1 + random.below(3),
        random.chance(70) ? 1200 : random.below(1400),
        random.chance(70) ? 0 : random.below(65_536),
        random.chance(70) ? 0 : random.below(2 ** 31),
        random.chance(90) ? 1 + 2 * random.below(2) : random.below(256),
        // Now and then a key of low order.
        random.chance(90) ? fillRandom(random, new Uint8Array(32)) : new Uint8Array(32),
      );
      for (let count = 1 + random.below(3); count > 0; count--) writeU32(writer, 0x1000 + count);
      break;
    case 3:
      if (random.chance(20)) closeWrite(writer, random.below(256), text, text.length);
      break;
    default:
      messageHeadWrite(writer, channel, id, text.length);
      writer.bytes.set(text.subarray(0, Math.max(writer.end - writer.offset, 0)), writer.offset);
      writer.offset = Math.min(writer.offset + text.length, writer.end);
  }
}
