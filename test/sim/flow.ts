// flow: one direction of a channel under measurement: a steady stream of numbered messages, when each
// was sent, when it arrived, and what its sender was told of it.
//
// Owns the books. Never judges them: contract does.
// Invariant: every message that the engine took is in the books exactly once, by its number.

import type { Fragment } from "../../lib/assembly.js";
import { BLOCK_TAGS, type BlockSender } from "../../lib/block.js";
import { QUEUE_BYTES_DEFAULT, QUEUE_MESSAGES_MAX } from "../../lib/configure.js";
import { FATE_DROPPED, FATE_EXPIRED } from "../../lib/engine/channel.js";
import { RECORD_SEND, TTL_DEFAULT } from "../../lib/engine/ring.js";
import {
  PEER_QUEUED_BYTES,
  PEER_QUEUED_MESSAGES,
  PEER_RELEASED_BYTES,
  PEER_RELEASED_MESSAGES,
  statsPeerWord,
} from "../../lib/engine/stats.js";
import { simPush } from "../hosts.js";
import type { Rig, RigHost, RigUser } from "./rig.js";

/** Bytes of a message that say which it is, twice. */
export const FLOW_BYTES_MIN = 8;
const CHECK = 0x5bd1e995;

/** The end of a connection, as one side was told. */
export interface FlowEnd {
  readonly reason: number;
  readonly local: boolean;
  readonly text: string;
}

/** What one end of a connection sends and what it receives. */
export class FlowEndpoint implements RigUser {
  handle = 0;
  end: FlowEnd | null = null;
  /** What this end receives, by channel, and what it sends. */
  readonly incoming: Flow[] = [];
  readonly outgoing: Flow[] = [];
  /** What it sends in blocks, and who puts those together that it gets. */
  blocks: BlockSender | null = null;
  block: (fragment: Fragment) => void = () => undefined;

  constructor(
    readonly rig: Rig,
    readonly host: RigHost,
  ) {}

  get live(): boolean {
    return this.handle !== 0 && this.end === null;
  }

  connected(handle: number): void {
    this.handle = handle;
  }

  disconnected(reason: number, local: boolean, text: string): void {
    this.end = { reason, local, text };
  }

  message(channel: number, bytes: Uint8Array): void {
    this.incoming[channel]?.arrived(bytes, this.rig.nowUs);
  }

  fate(channel: number, tag: number, fate: number): void {
    if (tag >= BLOCK_TAGS) this.blocks?.fated(tag, fate);
    else this.outgoing[channel]?.told(tag, fate);
  }

  /** Bytes and messages that wait for this peer or are unacked, as lib/peer counts them. */
  hasRoom(bytes: number): boolean {
    const { page } = this.host.host;
    const row = statsPeerWord(this.handle & 0xffff);
    const queued = (page[row + PEER_QUEUED_BYTES] - page[row + PEER_RELEASED_BYTES]) >>> 0;
    const messages = (page[row + PEER_QUEUED_MESSAGES] - page[row + PEER_RELEASED_MESSAGES]) >>> 0;
    return queued + bytes <= QUEUE_BYTES_DEFAULT && messages < QUEUE_MESSAGES_MAX;
  }
}

export class Flow {
  /** By message: when it was sent, when it arrived (-1: not yet), its fate (0: none yet). */
  readonly sentUs: number[] = [];
  readonly arrivedUs: number[] = [];
  readonly fates: number[] = [];
  /** Messages that came again, came below one that had come, or were not what was sent. */
  duplicates = 0;
  disordered = 0;
  corrupted = 0;
  /** Fates that came twice or out of nowhere. */
  fatesWrong = 0;
  /** Messages for which the queue had no room: `send` says so, and nothing is promised. */
  refused = 0;
  /** Messages without a fate. */
  pending = 0;
  #newest = -1;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(
    readonly from: FlowEndpoint,
    to: FlowEndpoint,
    readonly channel: number,
    readonly bytes: number,
  ) {
    from.outgoing[channel] = this;
    to.incoming[channel] = this;
    this.#bytes = new Uint8Array(bytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Sends the next message; it goes out with the flush of this turn. */
  send(nowUs: number): void {
    const { from, bytes, channel } = this;
    if (!from.live) return;
    if (!from.hasRoom(bytes)) {
      this.refused += 1;
      return;
    }
    const index = this.sentUs.length;
    this.#view.setUint32(0, index, true);
    this.#bytes.fill(index & 0xff, 4, bytes - 4);
    this.#view.setUint32(bytes - 4, (index ^ CHECK) >>> 0, true);
    const words = [from.handle, channel, TTL_DEFAULT, index + 1] as const;
    if (!simPush(from.host.host, RECORD_SEND, words, this.#bytes)) {
      this.refused += 1;
      return;
    }
    this.sentUs.push(nowUs);
    this.arrivedUs.push(-1);
    this.fates.push(0);
    this.pending += 1;
    from.host.due = true;
    from.host.flushing = true;
  }

  arrived(bytes: Uint8Array, nowUs: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const index = bytes.length === this.bytes ? view.getUint32(0, true) : -1;
    const whole = index >= 0 && view.getUint32(bytes.length - 4, true) === (index ^ CHECK) >>> 0;
    if (!whole || index >= this.sentUs.length || bytes[4] !== (index & 0xff)) {
      this.corrupted += 1;
      return;
    }
    if (this.arrivedUs[index] >= 0) {
      this.duplicates += 1;
      return;
    }
    if (index < this.#newest) this.disordered += 1;
    this.#newest = Math.max(this.#newest, index);
    this.arrivedUs[index] = nowUs;
  }

  told(tag: number, fate: number): void {
    const index = tag - 1;
    if (this.fates[index] !== 0) {
      this.fatesWrong += 1;
      return;
    }
    this.fates[index] = fate;
    this.pending -= 1;
  }

  /** Messages that neither arrived nor were reported as broken. */
  silent(): number {
    let count = 0;
    for (const [index, arrivedUs] of this.arrivedUs.entries()) {
      const fate = this.fates[index];
      const reported = fate === FATE_EXPIRED || fate === FATE_DROPPED;
      if (arrivedUs < 0 && !reported) count += 1;
    }
    return count;
  }
}

/** Sends both ways at `hz`, each direction in a phase of its own, until then. */
export function flowsRun(rig: Rig, flows: readonly Flow[], hz: number, untilUs: number): void {
  const periodUs = 1_000_000 / hz;
  const startUs = rig.nowUs;
  const phases = flows.map(() => rig.random.below(Math.trunc(periodUs)));
  const ticks = flows.map(() => 0);
  for (;;) {
    let next = 0;
    let nextUs = Number.POSITIVE_INFINITY;
    for (let index = 0; index < flows.length; index++) {
      const dueUs = startUs + phases[index] + Math.round(ticks[index] * periodUs);
      if (dueUs < nextUs) {
        nextUs = dueUs;
        next = index;
      }
    }
    if (nextUs > untilUs) break;
    rig.run(nextUs);
    flows[next].send(nextUs);
    ticks[next] += 1;
  }
  rig.run(untilUs);
}
