/*
 * Owns payloads as they went over a simulated network: worlds of test/sim, their datagrams opened with the keys that
 * their sessions had.
 * Never keeps what an insider made: sessions that were tampered with are left out, so every payload is an engine's own.
 */

import { CONFIG_PAYLOAD_BYTES_MAX } from "../../lib/engine/config.js";
import { type OpenedPacket, openPacket, PACKET_TYPES } from "../peers/netcode-packet.js";
import type { Session } from "../sim/ledger.js";
import { SimError } from "../sim/pair.js";
import { World } from "../sim/world.js";

interface Datagram {
  readonly bytes: Uint8Array;
  /** Whose it may be. */
  readonly sessions: readonly Session[];
}

/** The payload in a datagram, and whose session it was of. */
function openAny(
  { bytes, sessions }: Datagram,
  protocolId: bigint,
): { opened: OpenedPacket; session: Session } | undefined {
  for (const session of sessions) {
    const { keys, tampered } = session;
    if (keys === null || tampered) continue;
    for (const key of [keys.clientToServerKey, keys.serverToClientKey]) {
      const opened = openPacket(bytes, key, protocolId);
      if (opened !== undefined) return { opened, session };
    }
  }
  return undefined;
}

export interface Recorded {
  readonly bytes: Uint8Array;
  /** The longest payload that both its ends take: what its fragments are cut by. */
  readonly longest: number;
}

/** One step; false where the world itself found something wrong, which is for test/sim to tell. */
function lives(world: World): boolean {
  try {
    world.step();
    return true;
  } catch (error) {
    if (error instanceof SimError) return false;
    throw error;
  }
}

/**
 * The different payloads that the TypeScript engine's hosts sent in one world, at most so many; none in a world of bare
 * NETCODE peers.
 */
export function recordWorld(seed: number, steps: number, most: number): Recorded[] {
  const world = new World({ seed, engines: () => ["js"] });
  const { ledger, network, profile } = world;
  try {
    if (profile.raw) return [];
    const datagrams: Datagram[] = [];
    const send = network.send.bind(network);
    network.send = (node, from, to, bytes, nowUs) => {
      if ((bytes[0] & 15) === PACKET_TYPES.payload) {
        // A client's latest session, or an older one that is saying goodbye.
        const sessions = ledger.sessions.slice(-3 * world.nodes.length);
        datagrams.push({ bytes: bytes.slice(), sessions });
      }
      send(node, from, to, bytes, nowUs);
    };
    for (let step = 0; step < steps && datagrams.length < most; step++) {
      if (!lives(world)) break;
    }
    const protocolId = BigInt(profile.protocolIdLo) + (BigInt(profile.protocolIdHi) << 32n);
    const payloads = new Map<string, Recorded>();
    const limitOf = (node: number) => world.nodes[node].config[CONFIG_PAYLOAD_BYTES_MAX];
    for (const datagram of datagrams) {
      const found = openAny(datagram, protocolId);
      if (found === undefined) continue;
      const { body } = found.opened;
      const longest = Math.min(limitOf(0), limitOf(found.session.node));
      payloads.set(body.toString("latin1"), { bytes: Uint8Array.from(body), longest });
    }
    return [...payloads.values()];
  } finally {
    world.close();
  }
}
