// canary: bugs planted on purpose, one in each invariant, that a run must catch. A simulator that finds
// nothing is worth as much as its last proof that it would.
//
// Owns their names, and the moment each one sings. The place where it sings is the code that it tests.

export const CANARIES = [
  /** A delivered message has another byte. */
  "bytes",
  /** A message is delivered twice. */
  "twice",
  /** A message of a channel that repairs is delivered to nobody. */
  "silent",
  /** A fate is told twice. */
  "fate",
  /** A message comes after the end of its connection. */
  "afterlife",
  /** A number is used twice under one key. */
  "nonce",
  /** Forged bytes move something. */
  "forged",
  /** A deadline stays in the past. */
  "spin",
  /** A stranger gets more than it sent. */
  "amplify",
  /** A chunk of memory never comes back. */
  "leak",
  /** A state follows another that it must not follow. */
  "state",
  /** A connection moves to an address without proof. */
  "move",
  /** A packet has no verdict. */
  "verdict",
  /** A fragment of a block comes to nobody. */
  "block",
  /** More goes out than the window lets. */
  "flight",
] as const;

export type Canary = (typeof CANARIES)[number];

/** How often the moment comes before the canary sings; once for a leak and a move, which come late and seldom. */
const MOMENTS = 12;
const SELDOM: ReadonlySet<Canary> = new Set(["leak", "move"]);

export class CanaryBird {
  #moments = 0;

  constructor(readonly name: Canary | null) {}

  /** Whether the bug strikes now: once, at an occasion of its kind. */
  sings(name: Canary): boolean {
    if (name !== this.name) return false;
    this.#moments += 1;
    return this.#moments === (SELDOM.has(name) ? 1 : MOMENTS);
  }

  /** Whether it strikes now and from then on. */
  keepsSinging(name: Canary): boolean {
    if (name !== this.name) return false;
    this.#moments += 1;
    return this.#moments >= MOMENTS;
  }
}
