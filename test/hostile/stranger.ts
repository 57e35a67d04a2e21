/*
 * Owns what a stranger can send: datagrams that look right and carry no key.
 * Never holds a secret of anybody.
 */
import type { Random } from "../../lib/sim/random.js";
import { encodeRequest, REQUEST_BYTES } from "../peers/netcode.js";

const REQUEST = 0;

export function randomBytes(random: Random, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const view = new DataView(bytes.buffer);
  let index = 0;
  for (; index + 4 <= count; index += 4) view.setUint32(index, random.next32(), true);
  for (; index < count; index++) bytes[index] = random.next32() >>> 24;
  return bytes;
}

/** Somewhere in 11.0.0.0/8, where nobody of a world lives. */
export function strangerWords(random: Random): Uint32Array {
  return Uint32Array.of(1, 1 + random.below(65_535), 0x0b000000 + random.below(1 << 24), 0, 0, 0);
}

/** A request that is right in everything that can be read, so that only the seal tells: the dearest to refuse. */
export function forgedRequest(random: Random, protocolId: bigint, expireTimestamp: bigint): Buffer {
  return encodeRequest({
    protocolId,
    expireTimestamp,
    nonce: randomBytes(random, 24),
    sealedPrivate: randomBytes(random, 1024),
  });
}

/** A packet of a type with so many sequence bytes: any numbers, any seal. */
export function forgedPacket(
  random: Random,
  type: number,
  sequenceBytes: number,
  bytes: number,
): Uint8Array {
  const packet = randomBytes(random, bytes);
  packet[0] = (sequenceBytes << 4) | type;
  return packet;
}

/** Anything that may come: every type, every size, and noise. */
export function forgedAnything(random: Random, protocolId: bigint, expire: bigint): Uint8Array {
  const dice = random.below(10);
  if (dice < 4) return forgedRequest(random, protocolId, expire);
  if (dice === 4) return randomBytes(random, random.below(1300));
  const type = random.below(16);
  const size = type === REQUEST ? REQUEST_BYTES : 18 + random.below(1208);
  return forgedPacket(random, type, random.below(10), size);
}
