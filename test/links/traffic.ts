/*
 * Owns what goes over a link: the four strategies, each with its own rhythm and sizes, both ways; and what of it arrived, in
 * which order, how late.
 * Never judges: scenario.ts knows what was promised.
 */
import {
  critical,
  defineProtocol,
  type Peer,
  realTime,
  reliable,
  timeSensitive,
} from "../../lib/index.js";

export const protocol = defineProtocol("links/1", {
  state: realTime({ redundancy: "high" }),
  shots: timeSensitive(),
  chat: reliable(),
  trade: critical(),
});
export type Links = typeof protocol;
export type Lane = "state" | "shots" | "chat" | "trade";
export const LANES: readonly Lane[] = ["state", "shots", "chat", "trade"];
/** Lanes that lose nothing: the last message of each says how many there were. */
const WHOLE: readonly Lane[] = ["chat", "trade"];

const TICK_MS = 1000 / 60;
/** Of so many ticks, one has a message of the lane. */
const EVERY: Readonly<Record<Lane, number>> = { state: 1, shots: 3, chat: 2, trade: 6 };
const SIZES: Readonly<Record<Lane, readonly number[]>> = {
  state: [40],
  shots: [24],
  chat: [16, 200, 1100, 700],
  trade: [64, 1100],
};
/** Index, time, and whether it is the last. */
const HEAD_BYTES = 13;

/** µs of the machine's monotonic clock: the same in every process. */
function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

function filling(lane: Lane, index: number, place: number): number {
  return (Math.imul(index + 1, 0x9e3779b1) + place * 31 + LANES.indexOf(lane)) & 255;
}

export interface LaneReport {
  readonly sent: number;
  /** `send` said that there is no room. */
  readonly refused: number;
  readonly received: number;
  /** How many the other side said it sent; null where it can't say. */
  readonly promised: number | null;
  readonly duplicates: number;
  readonly disordered: number;
  readonly corrupted: number;
  /** From send to handler, ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

class LaneCount {
  sent = 0;
  refused = 0;
  received = 0;
  promised: number | null = null;
  duplicates = 0;
  disordered = 0;
  corrupted = 0;
  last = -1;
  readonly seen = new Set<number>();
  readonly latenciesUs: number[] = [];
}

/** One peer's traffic: what this side sends to it and gets from it. */
export class Traffic {
  readonly #peer: Peer<Links>;
  readonly #lanes = new Map(LANES.map((lane) => [lane, new LaneCount()]));
  #tick = 0;
  readonly #ticks: number;
  /** Messages of `chat` and `trade` that were given up. */
  undelivered = 0;
  /** All of it is sent, all that is promised has come. */
  done = false;

  constructor(peer: Peer<Links>, seconds: number) {
    this.#peer = peer;
    this.#ticks = Math.round((seconds * 1000) / TICK_MS);
    peer.on("undelivered", ({ channel, fate }) => {
      // What is of interest for 200 ms only may be given up; and whoever is told goodbye by a peer that has everything
      // may not have heard of the last of it.
      if (WHOLE.includes(channel) && fate === "expired") this.undelivered += 1;
    });
  }

  #lane(lane: Lane): LaneCount {
    return this.#lanes.get(lane) as LaneCount;
  }

  get over(): boolean {
    return this.#tick > this.#ticks;
  }

  /** Sends what this tick brings; call it at 60 Hz. */
  tick(): void {
    if (this.over) return;
    for (const lane of LANES) {
      if (this.#tick === this.#ticks && WHOLE.includes(lane)) this.#send(lane, true);
      else if (this.#tick < this.#ticks && this.#tick % EVERY[lane] === 0) this.#send(lane, false);
    }
    this.#tick += 1;
    this.#settle();
  }

  #send(lane: Lane, last: boolean): void {
    const count = this.#lane(lane);
    const index = count.sent;
    const size = SIZES[lane][index % SIZES[lane].length];
    const bytes = new Uint8Array(Math.max(size, HEAD_BYTES));
    const view = new DataView(bytes.buffer);
    view.setUint32(0, index, true);
    view.setFloat64(4, monotonicUs(), true);
    bytes[12] = last ? 1 : 0;
    for (let place = HEAD_BYTES; place < size; place++) bytes[place] = filling(lane, index, place);
    if (this.#peer.send(lane, bytes) === false) count.refused += 1;
    else count.sent += 1;
  }

  receive(lane: Lane, bytes: Uint8Array): void {
    const count = this.#lane(lane);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const index = view.getUint32(0, true);
    count.received += 1;
    count.latenciesUs.push(monotonicUs() - view.getFloat64(4, true));
    if (count.seen.has(index)) count.duplicates += 1;
    else if (index < count.last) count.disordered += 1;
    count.seen.add(index);
    count.last = Math.max(count.last, index);
    const size = Math.max(SIZES[lane][index % SIZES[lane].length], HEAD_BYTES);
    let whole = bytes.length === size;
    for (let place = HEAD_BYTES; place < bytes.length; place++) {
      whole &&= bytes[place] === filling(lane, index, place);
    }
    if (!whole) count.corrupted += 1;
    if (bytes[12] === 1) count.promised = index + 1;
    this.#settle();
  }

  #settle(): void {
    this.done =
      this.over &&
      WHOLE.every((lane) => {
        const { promised, seen } = this.#lane(lane);
        return promised !== null && seen.size === promised;
      });
  }

  report(): Record<Lane, LaneReport> {
    const lanes = LANES.map((lane) => {
      const { last: _last, seen: _seen, latenciesUs, ...count } = this.#lane(lane);
      const sorted = latenciesUs.toSorted((left, right) => left - right);
      const at = (share: number) =>
        Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0) / 1000;
      return [lane, { ...count, p50Ms: at(0.5), p99Ms: at(0.99) }] as const;
    });
    return Object.fromEntries(lanes) as Record<Lane, LaneReport>;
  }
}

/** Calls at 60 Hz, drift-free; the answer ends it. */
export function everyTick(call: () => void): () => void {
  const beganMs = performance.now();
  let ticks = 0;
  let timer: NodeJS.Timeout;
  const next = () => {
    while (performance.now() >= beganMs + ticks * TICK_MS) {
      ticks += 1;
      call();
    }
    timer = setTimeout(next, Math.max(beganMs + ticks * TICK_MS - performance.now(), 1));
  };
  timer = setTimeout(next, 0);
  return () => clearTimeout(timer);
}
