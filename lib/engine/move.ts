// move: what a new way to the peer does to a connection.
//
// Owns what begins anew. Never changes an address (slots does), never draws or judges a proof (path does).

import { ROLE_SERVER } from "./config.js";
import { congestionReset } from "./congestion.js";
import { type Connection, connectionRates, type Shared } from "./connection.js";
import { pacingReset } from "./pacing.js";
import { pathAnswered, pathChallenged } from "./path.js";
import { rttReset } from "./rtt.js";
import { PEER_MOVES, statsPeerWord } from "./stats.js";

/**
 * Another way leads to the peer: what is known of it begins anew, and what went the old one says nothing of
 * it, though its verdict is still to come (R-72; RFC 9000 section 9.4).
 */
export function connectionMoved(connection: Connection, shared: Shared, nowUs: number): void {
  const { congestion, pacing, path, rtt, sent } = connection;
  rttReset(rtt);
  rtt.fromNumber = sent.nextNumber;
  congestionReset(congestion, shared.config.congestion, nowUs);
  congestion.roundAcked = sent.acked;
  congestion.roundLost = sent.lost;
  path.strayed = 0;
  shared.outlet.page[statsPeerWord(connection.slot) + PEER_MOVES] += 1;
  pacingReset(pacing, connection.rateMax, nowUs);
  connectionRates(connection, nowUs);
}

/** The peer asks for a proof, or tells one; false where that is the other side's to do. */
export function connectionProof(
  connection: Connection,
  shared: Shared,
  asked: boolean,
  bytes: Uint8Array,
  offset: number,
  nowUs: number,
): boolean {
  const { path, rtt } = connection;
  const isServer = shared.config.role === ROLE_SERVER;
  if (isServer === asked) {
    return false;
  }
  if (isServer) {
    pathAnswered(path, bytes, offset);
  } else if (pathChallenged(path, rtt, bytes, offset)) {
    connectionMoved(connection, shared, nowUs);
  }
  return true;
}
