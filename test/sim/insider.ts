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
import {
  PACKET_ASSOCIATED_BYTES,
  PACKET_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
} from "../../lib/engine/limits.js";
import {
  PACKET_DENIED,
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_PAYLOAD,
  packetAssociatedData,
  packetHeaderWrite,
} from "../../lib/engine/packet.js";
import { SealKey, sealKeySet, sealPacket } from "../../lib/engine/seal.js";
import type { Random } from "../../lib/sim/random.js";
import { fillRandom } from "./tokens.js";

/** Packets of the reference and of netrt peers have numbers below; an insider has any. */
const NUMBERS = 400;

/** A sealed packet under a session's key with whatever in it. */
export function insiderPacket(
  random: Random,
  protocolIdLo: number,
  protocolIdHi: number,
  key: Uint8Array,
): Uint8Array {
  const type = random.chance(75)
    ? PACKET_PAYLOAD
    : PACKET_DENIED + random.below(PACKET_DISCONNECT - PACKET_DENIED + 1);
  const high = random.chance(10) ? random.next32() : 0;
  const low = high === 0 && random.chance(80) ? random.below(NUMBERS) : random.next32();
  const bytes = new Uint8Array(PACKET_BYTES_MAX + 16);
  const headerBytes = packetHeaderWrite(type, low, high, bytes, 0);
  const bodyBytes =
    type === PACKET_PAYLOAD || random.chance(20)
      ? bodyWrite(random, bytes, headerBytes)
      : sizeOf(random, type);
  const associated = new Uint8Array(PACKET_ASSOCIATED_BYTES);
  packetAssociatedData(protocolIdLo, protocolIdHi, bytes[0], associated);
  const seal = new SealKey();
  sealKeySet(seal, key, 0);
  const sealed = sealPacket(seal, low, high, associated, bytes, headerBytes, bodyBytes);
  return bytes.slice(0, headerBytes + sealed);
}

function sizeOf(random: Random, type: number): number {
  if (random.chance(15)) return random.below(400);
  if (type === PACKET_KEEP_ALIVE) return 8;
  return type === PACKET_DENIED || type === PACKET_DISCONNECT ? 0 : 308;
}

function bodyWrite(random: Random, bytes: Uint8Array, start: number): number {
  const writer = new Writer();
  writerSet(writer, bytes, start, start + PAYLOAD_BYTES_MAX);
  const header = new AckHeader();
  header.present = random.chance(60);
  header.latest = random.chance(70) ? random.below(NUMBERS) : random.below(65_536);
  header.delay = random.below(65_536);
  ackHeaderWrite(writer, header);
  for (let frames = random.below(5); frames > 0; frames--) frameAdd(random, writer);
  const end = writer.failed ? start + random.below(PAYLOAD_BYTES_MAX) : writer.offset;
  const bodyBytes = Math.max(end - start, 1);
  if (random.chance(30)) bytes[start + random.below(bodyBytes)] ^= 1 << random.below(8);
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
        2 + random.below(2),
        0x6e747274,
        1 + random.below(3),
        random.chance(70) ? 1200 : random.below(1400),
        random.chance(70) ? 0 : random.below(65_536),
        random.chance(70) ? 0 : random.below(2 ** 31),
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
