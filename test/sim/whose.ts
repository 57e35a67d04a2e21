// whose: to which session a server's packet belongs, wherever it goes.
//
// A connection moves from address to address, and before it does its server sends proofs to addresses that may be
// another's: where a packet goes does not tell whose it is. What opens it does.
// Owns the keys' view of what a server sends. Never changes anything in a world.
import { FRAME_CHALLENGE } from "../../lib/engine/frame.js";
import { SESSION_PREFIX } from "../../lib/engine/packet.js";
import type { Session } from "./ledger.js";
import { SimError } from "./pair.js";

/** A packet under session keys. */
export interface Owned {
  readonly session: Session;
  readonly number: number;
  /** It asks for a proof, so nobody has proven yet to be where it goes. */
  readonly asks: boolean;
}

export class Whose {
  /** By target: whose packets went there last. */
  readonly #last = new Map<number, Session>();

  /** Null for a packet under a token's keys, or of bare NETCODE peers. */
  of(
    sessions: readonly Session[],
    expected: Session | null | undefined,
    target: number,
    bytes: Uint8Array,
  ): Owned | null {
    const likely = this.#last.get(target) ?? expected;
    if (bytes[0] !== SESSION_PREFIX) {
      expected?.tap?.follow(bytes, false);
      return null;
    }
    const others = sessions.filter((session) => session !== likely).reverse();
    for (const session of likely ? [likely, ...others] : others) {
      const owned = opened(session, bytes);
      if (owned === undefined) continue;
      if (!owned.asks) this.#last.set(target, session);
      return owned;
    }
    throw new SimError(`a server's packet to ${target} opens under no session's keys`);
  }
}

function opened(session: Session, bytes: Uint8Array): Owned | undefined {
  const packet = session.tap?.see(bytes, false);
  if (packet === undefined) return undefined;
  const asks = packet.body[0] === 0 && packet.body[1] === FRAME_CHALLENGE;
  return { session, number: Number(packet.sequence), asks };
}
