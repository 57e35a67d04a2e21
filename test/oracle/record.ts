/*
 * Owns payloads as they went over a simulated network: worlds of test/sim, their datagrams opened with the keys that
 * their sessions had.
 * Never keeps what an insider made: sessions that were tampered with are left out, so every payload is an engine's own.
 */

import { CONFIG_PAYLOAD_BYTES_MAX } from "../../lib/engine/config.js";
import { PACKET_TYPES } from "../peers/netcode-packet.js";
import type { Session } from "../sim/ledger.js";
import { SERVER } from "../sim/node.js";
import { SimError } from "../sim/pair.js";
import { World } from "../sim/world.js";

interface Sent {
  readonly body: Buffer;
  readonly session: Session;
}

export interface Recorded {
  readonly bytes: Uint8Array;
  /** The longest payload that both its ends take: what its fragments are cut by. */
  readonly longest: number;
}

/** Time for peers to find each other in good weather (µs). */
const REST_US = 3_000_000;

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
    const sent: Sent[] = [];
    const send = network.send.bind(network);
    network.send = (node, from, to, bytes, nowUs) => {
      // A client's latest session, or an older one that is saying goodbye.
      const client = node === SERVER ? to : node;
      const own = ledger.sessions.filter((session) => session.node === client).slice(-3);
      for (const session of own.reverse()) {
        const opened = session.tap?.see(bytes, node !== SERVER);
        if (opened === undefined) continue;
        const { type, body } = opened;
        if (type === PACKET_TYPES.payload) sent.push({ body, session });
        break;
      }
      send(node, from, to, bytes, nowUs);
    };
    for (let step = 0; step < steps && sent.length < most; step++) {
      if (!lives(world)) break;
    }
    // Whoever is connected then proves where it is.
    world.settle(REST_US, () => false);
    world.wander();
    world.settle(REST_US, () => false);
    const payloads = new Map<string, Recorded>();
    const limitOf = (node: number) => world.nodes[node].config[CONFIG_PAYLOAD_BYTES_MAX];
    for (const { body, session } of sent) {
      if (session.tampered) continue;
      const longest = Math.min(limitOf(SERVER), limitOf(session.node));
      payloads.set(body.toString("latin1"), { bytes: Uint8Array.from(body), longest });
    }
    return [...payloads.values()];
  } finally {
    world.close();
  }
}
