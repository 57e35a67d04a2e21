// watch: what must hold of every host at every step, whatever its messages promise (that is ledger's).
//
// Owns these invariants, for one node:
//   forged      bytes that no peer sealed change nothing but counters of what was refused
//   nonces      the numbers of a connection rise, so that none is used twice under a key
//   strangers   who is not connected gets no more bytes than it sent
//   deadlines   what was served is never due in the past twice running
//   states      a client's states follow each other as the table says
//   rings       never hold more than their capacity
//   flight      what is on its way unacked stays within the window, but for what R-58 lets out all the same
// Never changes anything in a world.
import {
  CONGESTION_WINDOW_MAX,
  CONGESTION_WINDOW_MIN,
  PACKET_BYTES_MAX,
} from "../../lib/engine/limits.js";
import { MOVING_PREFIX, SESSION_PREFIX } from "../../lib/engine/packet.js";
import { sequenceExpand24 } from "../../lib/engine/sequence.js";
import { CLIENT_TABLE } from "../../lib/engine/state.js";
import {
  HOST_BYTES_IN,
  HOST_DATAGRAMS_IN,
  PEER_FLIGHT_BYTES,
  PEER_HANDLE,
  PEER_IN_FLIGHT,
  PEER_WINDOW_BYTES,
  REJECT_REASONS,
  statsPeerWord,
  statsRejectWord,
} from "../../lib/engine/stats.js";
import type { SimHost } from "../hosts.js";
import type { CanaryBird } from "./canary.js";
import { SimError } from "./pair.js";
import type { Owned } from "./whose.js";

/** Numbers of packets without a slot begin here, in their high half. */
const UNSLOTTED_HIGH = 2 ** 31;
const SEQUENCE_BYTES_SHIFT = 4;
const REQUEST_TYPE = 0;
/** Lanes from here on are sessions'; the others targets'. */
const SESSION_LANES = 1_000_000;
/** The packet that fills the window; a state, a copy, a nack and the floor's beside it. */
const FLIGHT_ABOVE = 5 * PACKET_BYTES_MAX;

interface Lane {
  /** The last number of the connection under way. */
  last: number;
  /** The same for packets without a slot. */
  lastUnslotted: bigint;
}

interface Account {
  in: number;
  out: number;
}

const REACHABLE = reachable();

/** State pairs that one or two transitions lead over: two may happen within a turn. */
function reachable(): Set<string> {
  const steps = CLIENT_TABLE.map(([from, , to]) => [from, to] as const);
  const pairs = new Set(steps.map(([from, to]) => `${from} ${to}`));
  for (const [from, between] of steps) {
    for (const [start, to] of steps) if (start === between) pairs.add(`${from} ${to}`);
  }
  return pairs;
}

/** Bytes that a host's completion ring ever got, as published. */
export function ringHead(host: SimHost): number {
  return Atomics.load(host.in.control, 0);
}

export class Watch {
  readonly #bird: CanaryBird;
  readonly #lanes = new Map<number, Lane>();
  readonly #accounts = new Map<number, Account>();
  /** Sessions under whose keys this node has sealed, in whichever of its hosts. */
  readonly #begun = new Set<number>();
  /** By handle: bytes on their way before the turn's packets. */
  readonly #flights = new Map<number, number>();
  #before = new Uint32Array(0);
  #spins = 0;
  #state = 0;

  constructor(bird: CanaryBird) {
    this.#bird = bird;
  }

  /** Its client begins anew. */
  started(): void {
    this.#state = 0;
  }

  /** Its host is another one now, at the same address. */
  reopened(): void {
    this.#accounts.clear();
    this.#spins = 0;
    this.#state = 0;
    for (const lane of this.#lanes.values()) lane.lastUnslotted = -1n;
  }

  // --- forged bytes ---

  forgedBegin(host: SimHost): void {
    if (this.#before.length !== host.page.length) {
      this.#before = new Uint32Array(host.page.length);
    }
    this.#before.set(host.page);
  }

  /** `deadlineUs` and `head` are of before: when the host was due, and how far its ring was. */
  forgedEnd(host: SimHost, deadlineUs: number, head: number, nowUs: number): void {
    const before = this.#before;
    const { page } = host;
    if (this.#bird.sings("forged")) before[page.length - 1] += 1;
    const first = statsRejectWord(0);
    const last = first + 2 * REJECT_REASONS;
    for (let word = 0; word < page.length; word++) {
      if (page[word] === before[word] || (word >= first && word < last)) continue;
      const counter = word >> 1;
      if (counter !== HOST_DATAGRAMS_IN && counter !== HOST_BYTES_IN) {
        throw new SimError(`forged bytes moved word ${word} of the page`);
      }
    }
    // What is due is due: before it was at the host's last time, which is now's.
    if (Math.max(host.deadlineUs(), nowUs) !== Math.max(deadlineUs, nowUs)) {
      throw new SimError("forged bytes moved a deadline");
    }
    if (ringHead(host) !== head) throw new SimError("forged bytes made an event");
  }

  // --- what goes out ---

  /**
   * A datagram to a node; `sessionOf` says under whose keys it is sealed, -1 for nobody's. Answers whether it is
   * one of a connection: its peer has answered a challenge from there, and is no stranger.
   */
  sent(
    to: number,
    bytes: Uint8Array,
    sessionOf: (low: number, high: number) => number,
    owned: Owned | null,
  ): boolean {
    const type = bytes[0] & 15;
    if (type === REQUEST_TYPE) return false;
    if (owned !== null) return this.#sentOwned(owned);
    const count = bytes[0] >>> SEQUENCE_BYTES_SHIFT;
    let low = 0;
    let high = 0;
    for (let index = count; index > 0; index--) {
      if (index > 4) high = high * 256 + bytes[index];
      else low = low * 256 + bytes[index];
    }
    const lane = this.#lane(to);
    if (high >= UNSLOTTED_HIGH) {
      const number = (BigInt(high) << 32n) | BigInt(low);
      if (number <= lane.lastUnslotted) throw new SimError(`the number ${number} was used twice`);
      lane.lastUnslotted = number;
      return false;
    }
    let number = high * 2 ** 32 + low;
    // A session packet tells the low part only, and never begins a connection.
    const ours = bytes[0] === SESSION_PREFIX || bytes[0] === MOVING_PREFIX;
    if (ours) number = sequenceExpand24(low, Math.max(lane.last, 0));
    if (this.#bird.sings("nonce")) number = lane.last;
    // A number that is not above the last begins another connection, under keys that nothing was sealed with.
    if (number <= lane.last || lane.last < 0) {
      const session = sessionOf(low, high);
      if (session < 0 || this.#begun.has(session)) {
        throw new SimError(`${number} after ${lane.last}, under the keys of session ${session}`);
      }
      this.#begun.add(session);
    }
    lane.last = number;
    return true;
  }

  /** A server's packet under a session's keys, wherever it goes. */
  #sentOwned({ session, number, asks }: Owned): boolean {
    const lane = this.#lane(SESSION_LANES + session.id);
    const told = this.#bird.sings("nonce") ? lane.last : number;
    if (told <= lane.last) {
      throw new SimError(`${told} after ${lane.last}, of the session ${session.id}`);
    }
    lane.last = told;
    return !asks;
  }

  #lane(to: number): Lane {
    let lane = this.#lanes.get(to);
    if (lane === undefined) {
      lane = { last: -1, lastUnslotted: -1n };
      this.#lanes.set(to, lane);
    }
    return lane;
  }

  // --- strangers ---

  #account(port: number): Account {
    let account = this.#accounts.get(port);
    if (account === undefined) {
      account = { in: 0, out: 0 };
      this.#accounts.set(port, account);
    }
    return account;
  }

  heard(port: number, bytes: number): void {
    this.#account(port).in += bytes;
  }

  /** To whoever has not answered a challenge. */
  answered(port: number, bytes: number): void {
    const account = this.#account(port);
    account.out += this.#bird.sings("amplify") ? 1 << 20 : bytes;
    if (account.out > account.in) {
      throw new SimError(`a stranger sent ${account.in} bytes and got ${account.out}`);
    }
  }

  // --- what is on its way ---

  /** Before connections transmit. */
  flightBegin(page: Uint32Array, ends: readonly { readonly handle: number }[]): void {
    this.#flights.clear();
    for (const { handle } of ends) {
      this.#flights.set(handle, page[statsPeerWord(handle & 0xffff) + PEER_FLIGHT_BYTES]);
    }
  }

  /** And after: the packet that fills the window, and those that don't wait for it. */
  flightEnd(page: Uint32Array, ends: readonly { readonly handle: number }[]): void {
    for (const { handle } of ends) {
      const row = statsPeerWord(handle & 0xffff);
      if (page[row + PEER_HANDLE] !== handle) continue;
      const window = page[row + PEER_WINDOW_BYTES];
      const leak = this.#bird.sings("flight") ? 2 * CONGESTION_WINDOW_MAX : 0;
      const flight = page[row + PEER_FLIGHT_BYTES] + leak;
      const most = Math.max(this.#flights.get(handle) ?? 0, window) + FLIGHT_ABOVE;
      if (flight > most)
        throw new SimError(`${flight} bytes on their way, the window is ${window}`);
      if (window < CONGESTION_WINDOW_MIN || window > CONGESTION_WINDOW_MAX) {
        throw new SimError(`a window of ${window} bytes`);
      }
      if (page[row + PEER_IN_FLIGHT] === 0 && flight > 0) {
        throw new SimError(`${flight} bytes on their way, in no packet`);
      }
    }
  }

  // --- time ---

  /** After a turn that left something undone, or had something new to do. */
  disturbed(): void {
    this.#spins = 0;
  }

  /** After a turn that could do everything, and had nothing to do but what was due. */
  served(deadlineUs: number, nowUs: number): void {
    const due = this.#bird.keepsSinging("spin") ? nowUs : deadlineUs;
    this.#spins = due <= nowUs ? this.#spins + 1 : 0;
    if (this.#spins > 1) throw new SimError(`due at ${due} again, at ${nowUs}, and served`);
  }

  // --- states ---

  moved(to: number): void {
    const from = this.#state;
    const next = this.#bird.sings("state") ? 4 : to;
    this.#state = to;
    // A token that can't be read is no transition: the client never starts.
    if (from === 0 && next === -5) return;
    if (from !== next && !REACHABLE.has(`${from} ${next}`)) {
      throw new SimError(`a client went from state ${from} to ${next}`);
    }
  }

  // --- rings ---

  rings(host: SimHost): void {
    for (const ring of [host.in, host.out]) {
      const used = (Atomics.load(ring.control, 0) - Atomics.load(ring.control, 16)) >>> 0;
      if (used > ring.capacity) throw new SimError(`a ring of ${ring.capacity} holds ${used}`);
    }
  }
}
