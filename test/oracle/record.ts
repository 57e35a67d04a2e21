/*
 * Owns payloads as they went over a simulated network: worlds of test/sim, their datagrams opened with the keys that
 * their sessions had.
 * Never keeps what an insider made: sessions that were tampered with are left out, so every payload is an engine's own.
 */

import { type OpenedPacket, openPacket, PACKET_TYPES } from "../peers/netcode-packet.js";
import type { Session } from "../sim/ledger.js";
import { World } from "../sim/world.js";

interface Datagram {
  readonly bytes: Uint8Array;
  /** Whose it may be. */
  readonly sessions: readonly Session[];
}

function openAny({ bytes, sessions }: Datagram, protocolId: bigint): OpenedPacket | undefined {
  for (const { keys, tampered } of sessions) {
    if (keys === null || tampered) continue;
    for (const key of [keys.clientToServerKey, keys.serverToClientKey]) {
      const opened = openPacket(bytes, key, protocolId);
      if (opened !== undefined) return opened;
    }
  }
  return undefined;
}

/**
 * The different payloads that the TypeScript engine's hosts sent in one world, at most so many; none in a world of bare
 * NETCODE peers.
 */
export function recordWorld(seed: number, steps: number, most: number): Uint8Array[] {
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
    for (let step = 0; step < steps && datagrams.length < most; step++) world.step();
    const protocolId = BigInt(profile.protocolIdLo) + (BigInt(profile.protocolIdHi) << 32n);
    const payloads = new Map<string, Uint8Array>();
    for (const datagram of datagrams) {
      const opened = openAny(datagram, protocolId);
      if (opened === undefined) continue;
      payloads.set(opened.body.toString("latin1"), Uint8Array.from(opened.body));
    }
    return [...payloads.values()];
  } finally {
    world.close();
  }
}
