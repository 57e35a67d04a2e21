// faults: what can go wrong in a world, and which of it does.
//
// Owns the names, and the draw: each world has about half of them, at a strength of its own, because a world
// with everything at once never gets far enough for one of them to matter (swarm testing, Groce et al. 2012).
// Never does anything wrong itself: network and world do.
import type { Random } from "../../lib/sim/random.js";

/** Every fault; shrinking takes them away one by one. */
export const FAULTS = [
  // The network.
  "loss",
  "burst",
  "delay",
  "jitter",
  "reorder",
  "duplicate",
  "flip",
  "truncate",
  "extend",
  "partition",
  "oneway",
  "clog",
  "rebind",
  // Those outside.
  "replay",
  "stranger",
  "insider",
  // The hosts.
  "stall",
  "jump",
  "vanish",
  "restart",
  "mismatch",
  "deaf",
  // Their users and their memory.
  "slow",
  "tight",
  "burst-sends",
  "close",
  // A load more than a fault: blocks beside the messages.
  "blocks",
] as const;

export type Fault = (typeof FAULTS)[number];

export class FaultSet {
  readonly #strength = new Map<Fault, number>();

  /**
   * `without` are not there, whatever was drawn; the draws of the others stay what they are. `late` draws for what
   * was added when there were kept seeds, which without it are the worlds that they were.
   */
  constructor(random: Random, late: Random, without: ReadonlySet<Fault>) {
    for (const fault of FAULTS) {
      const draw = fault === "blocks" ? late : random;
      const present = draw.chance(50);
      const strength = [1, 2, 4][draw.below(3)];
      if (present && !without.has(fault)) this.#strength.set(fault, strength);
    }
  }

  has(fault: Fault): boolean {
    return this.#strength.has(fault);
  }

  /** 1, 2 or 4; 0 where the fault is not there. */
  strength(fault: Fault): number {
    return this.#strength.get(fault) ?? 0;
  }

  get names(): Fault[] {
    return [...this.#strength.keys()];
  }
}
