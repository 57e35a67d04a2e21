// nat: the addresses behind which clients are, and where what goes to an address arrives.
//
// Owns that mapping. Each client has addresses of its own to be moved to; what was sent to one that it left may
// still arrive, or not.
import type { Node } from "./node.js";
import { nodeAddress, type Profile } from "./profile.js";

/** From here on: the addresses behind which a client may be after its NAT changed its mind, so many each. */
const REBOUND = 100;
export const REBOUND_EACH = 4;
/** Who is behind an address that leads nowhere any more. */
const NOWHERE = Number.MAX_SAFE_INTEGER;

export class Nat {
  /** Nodes by the addresses that they were seen behind, as numbers of nodes. */
  readonly #behind = new Map<number, number>();

  constructor(readonly profile: Profile) {}

  /** The node that gets what goes to an address; no node's number where nobody does. */
  behind(target: number): number {
    return this.#behind.get(target) ?? target;
  }

  #numberOf(address: Uint32Array): number {
    return address[1] - nodeAddress(this.profile, 0)[1];
  }

  /** One of the addresses that a client may get. */
  address(node: Node, which: number): Uint32Array {
    return nodeAddress(this.profile, REBOUND + REBOUND_EACH * node.index + which);
  }

  /** Whether a client is, or may once have been, behind an address. */
  mayBe(client: number, address: Uint32Array): boolean {
    const number = this.#numberOf(address);
    return number === client || Math.floor((number - REBOUND) / REBOUND_EACH) === client;
  }

  /** From now on the others see a node behind this address; what goes to the one before may get lost. */
  rebind(node: Node, seenAs: Uint32Array, forgets: boolean): void {
    if (forgets) this.#behind.set(this.#numberOf(node.seenAs), NOWHERE);
    node.seenAs = seenAs;
    this.#behind.set(this.#numberOf(seenAs), node.index);
  }

  /** To an address that leads to it alone. */
  leave(node: Node): void {
    const next = this.address(node, 0);
    this.rebind(node, next[1] === node.seenAs[1] ? this.address(node, 1) : next, true);
  }
}
