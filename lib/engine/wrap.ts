// wrap: what goes around the body of a connection's packet: the header before it, the seal behind.
//
// Owns the choice of header and key, and what a packet that goes out is counted as. Never writes a body, never
// gives a number.

import type { Connection, Shared } from "./connection.js";
import { pacingSpend } from "./pacing.js";
import {
  MOVING_PREFIX,
  movingHeaderWrite,
  packetAssociatedData,
  packetHeaderWrite,
  sessionHeaderWrite,
} from "./packet.js";
import { sealPacket } from "./seal.js";
import { sessionSends } from "./session.js";
import { PEER_BYTES_SENT, PEER_PACKETS_SENT, statsAdd, statsPeerWord } from "./stats.js";

/** A payload and a disconnect are session packets once the keys are there. */
export function wrapHeader(
  connection: Connection,
  type: number,
  number: number,
  out: Uint8Array,
  offset: number,
): number {
  return sessionSends(connection, number)
    ? sessionHeaderWrite(number >>> 0, out, offset)
    : packetHeaderWrite(type, number >>> 0, Math.trunc(number / 2 ** 32), out, offset);
}

/** The head of a packet that is found by the path's id, from whatever address it comes. */
export function wrapMoving(
  connection: Connection,
  number: number,
  out: Uint8Array,
  offset: number,
): number {
  // The keys are there, and go on to the number's epoch.
  sessionSends(connection, number);
  const { pathLo, pathHi } = connection.session;
  return movingHeaderWrite(number >>> 0, pathLo, pathHi, out, offset);
}

/** Seals a packet whose body of so many bytes stands behind its header; the packet's bytes. */
export function wrapSeal(
  connection: Connection,
  shared: Shared,
  number: number,
  nowUs: number,
  out: Uint8Array,
  offset: number,
  headerBytes: number,
  bodyBytes: number,
): number {
  const { config, associated } = shared;
  const { session } = connection;
  const moving = out[offset] === MOVING_PREFIX;
  const idLo = moving ? session.pathLo : config.protocolIdLo;
  const idHi = moving ? session.pathHi : config.protocolIdHi;
  packetAssociatedData(idLo, idHi, out[offset], associated);
  const sealedBytes = sealPacket(
    connection.sendKey,
    number >>> 0,
    Math.trunc(number / 2 ** 32),
    associated,
    out,
    offset + headerBytes,
    bodyBytes,
  );
  const bytes = headerBytes + sealedBytes;
  const page = shared.outlet.page;
  const row = statsPeerWord(connection.slot);
  page[row + PEER_PACKETS_SENT] = (page[row + PEER_PACKETS_SENT] + 1) >>> 0;
  statsAdd(page, row + PEER_BYTES_SENT, bytes);
  pacingSpend(connection.pacing, bytes, nowUs);
  connection.spokenUs = nowUs;
  return bytes;
}
