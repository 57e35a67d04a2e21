// node: one host of a world, with what its user knows, where it is and what its clock shows.
//
// Owns no course of events: world does.
import type { CanaryBird } from "./canary.js";
import type { End, Session } from "./ledger.js";
import type { Datagram } from "./network.js";
import type { Pair } from "./pair.js";
import { Watch } from "./watch.js";

/** The server's number among the nodes, which are the server and the clients. */
export const SERVER = 0;

export class Node {
  pair: Pair;
  readonly watch: Watch;
  /** What its clock shows more than the world's (µs). */
  clockUs: number;
  /** Another host has it that it sends from, since a NAT changed its mind. */
  seenAs: Uint32Array;
  readonly inbox: Datagram[] = [];
  /** Connections that its user knows of, by handle. */
  ends = new Map<number, End>();
  /** Those of them that stand. */
  readonly live: End[] = [];
  /** A client's latest session. */
  session: Session | null = null;
  /** A client's NETCODE state, as its user knows it. */
  state = 0;
  /** It takes no turn until then (µs). */
  asleepUntilUs = 0;
  /** Messages whose fate never came because the connection was gone before they were submitted. */
  unfated = 0;
  broadcasts = 0;

  constructor(
    readonly index: number,
    readonly address: Uint32Array,
    readonly config: Uint32Array,
    pair: Pair,
    clockUs: number,
    bird: CanaryBird,
  ) {
    this.pair = pair;
    this.clockUs = clockUs;
    this.seenAs = address;
    this.watch = new Watch(bird);
  }

  get isServer(): boolean {
    return this.index === SERVER;
  }

  /** What its clock shows. */
  clockOf(worldUs: number): number {
    return worldUs + this.clockUs;
  }

  /** When it is due by itself, in the world's time. */
  get dueUs(): number {
    return Math.max(this.pair.deadlineUs() - this.clockUs, this.asleepUntilUs);
  }
}
