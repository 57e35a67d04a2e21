// blocks: what one side of a session sends in blocks, by the sender that lib's users have, and what came of it.
//
// Owns the invariants of blocks:
//   once        each block at most once, as it was sent, in the order of its channel's numbers
//   told        one that its sender was told is delivered had arrived, and is never passed over
//   given up    what won't come whole is reported to its sender, and to a receiver that has a part of it
//   fragments   each has one fate at most
// Never draws anything: user does.
import { type BlockOutlet, BlockSender } from "../../lib/block.js";
import { statsPeerWord } from "../../lib/engine/stats.js";
import { type Pair, SimError } from "./pair.js";

type Outcome = "running" | "delivered" | "given up";

interface SentBlock {
  readonly size: number;
  readonly seed: number;
  outcome: Outcome;
  arrived: boolean;
}

/** One channel of one side. */
class Lane {
  readonly sent: SentBlock[] = [];
  /** The number of the newest block that arrived from the other side. */
  lastNumber = -1;
  /** A block from the other side has come in part. */
  partial = false;
}

const ROW_BYTES = 4096;
/** What blocks are cut from: a row that has no period below its length. */
const ROW = Uint8Array.from({ length: ROW_BYTES }, (_, index) => (index * 167) ^ (index >>> 3));

/** Bytes of a block: those of another seed, or of another place, are others. */
function contentOf(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let start = 0, turn = seed >>> 0; start < size; turn = (turn * 5 + 7) >>> 0) {
    const from = turn % (ROW_BYTES / 2);
    const part = ROW.subarray(from, from + Math.min(ROW_BYTES / 2, size - start));
    bytes.set(part, start);
    start += part.length;
  }
  if (size > 0) bytes[0] = seed;
  return bytes;
}

/** The fragments' way into the engines of a node. */
class Outlet implements BlockOutlet {
  #word = 0;

  constructor(
    readonly pair: Pair,
    readonly tags: Set<number>,
  ) {}

  get page(): Uint32Array {
    return this.pair.first.page;
  }

  get submission() {
    return this.pair.first.out;
  }

  push(kind: number, bytes: number): number {
    this.#word = this.pair.reserve(kind, bytes);
    return this.#word;
  }

  submitted(): void {
    this.tags.add(this.submission.words[this.#word + 5]);
    this.pair.commit(this.#word);
  }
}

/** What one side of a session has to do with blocks. */
export class Blocks {
  readonly #lanes: readonly Lane[];
  readonly #sender: BlockSender;
  readonly #running: AbortController[] = [];
  /** Fragments without a fate. */
  readonly #tags = new Set<number>();
  /** Bytes of blocks without an outcome. */
  leftBytes = 0;
  arrived = 0;

  constructor(pair: Pair, handle: number, queueBytesMax: number, channels: number) {
    const outlet = new Outlet(pair, this.#tags);
    this.#lanes = Array.from({ length: channels }, () => new Lane());
    this.#sender = new BlockSender(outlet, handle, statsPeerWord(handle & 0xffff), queueBytesMax);
  }

  get idle(): boolean {
    return this.#sender.idle;
  }

  /** Fragments whose fate never came. */
  get unfated(): number {
    return this.#tags.size;
  }

  // --- what a user does ---

  send(channel: number, size: number, seed: number): void {
    const block: SentBlock = { size, seed, outcome: "running", arrived: false };
    const controller = new AbortController();
    let doneBytes = 0;
    const ends = (outcome: Outcome) => {
      if (block.outcome !== "running") throw new SimError("a block had two outcomes");
      block.outcome = outcome;
      this.leftBytes -= size;
      this.#running.splice(this.#running.indexOf(controller), 1);
    };
    this.#lanes[channel].sent.push(block);
    this.#running.push(controller);
    this.leftBytes += size;
    this.#sender.begin(
      channel,
      contentOf(size, seed),
      {
        signal: controller.signal,
        onProgress: (progress) => {
          if (progress.doneBytes <= doneBytes || progress.doneBytes > size) {
            throw new SimError(`a block went from ${doneBytes} to ${progress.doneBytes} bytes`);
          }
          doneBytes = progress.doneBytes;
        },
      },
      () => ends("delivered"),
      () => ends("given up"),
    );
  }

  /** Gives one up that runs or waits: the `which`-th, modulo their number. */
  abort(which: number): void {
    if (this.#running.length > 0) this.#running[which % this.#running.length].abort();
  }

  /** Calls back once no block is left: now where there is none. */
  whenIdle(call: () => void): void {
    if (this.idle) call();
    else this.#sender.whenIdle(call);
  }

  pump(): void {
    this.#sender.pump();
  }

  // --- what it is told ---

  fate(tag: number, fate: number): void {
    if (!this.#tags.delete(tag)) throw new SimError(`the fragment ${tag} had two fates, or none`);
    this.#sender.fated(tag, fate);
  }

  ended(): void {
    this.#sender.end(new Error("the connection is over"));
  }

  /** More of a block came from the other side: whether it is whole now. */
  came(channel: number, state: "running" | "done" | "given up"): void {
    this.#lanes[channel].partial = state === "running";
  }

  /** A block from the other side, `other`, is whole. */
  whole(channel: number, number: number, bytes: Uint8Array, other: Blocks): void {
    const lane = this.#lanes[channel];
    const block = other.#lanes[channel].sent[number];
    if (number <= lane.lastNumber || block === undefined || block.arrived) {
      throw new SimError(`channel ${channel} delivered block ${number} after ${lane.lastNumber}`);
    }
    if (Buffer.compare(bytes, contentOf(block.size, block.seed)) !== 0) {
      throw new SimError(`channel ${channel} delivered block ${number} with other bytes`);
    }
    block.arrived = true;
    lane.lastNumber = number;
    this.arrived += 1;
  }

  // --- what must hold when no more can come ---

  /** `complete`: all that was on its way to the other side has arrived there, and its user has it. */
  settled(other: Blocks, complete: boolean): void {
    for (const [channel, lane] of this.#lanes.entries()) {
      const theirs = other.#lanes[channel];
      for (const [number, { outcome, arrived }] of lane.sent.entries()) {
        const due = complete || number < theirs.lastNumber;
        if (outcome === "delivered" && !arrived && due) {
          throw new SimError(`channel ${channel} never delivered block ${number}, told it had`);
        }
        if (outcome === "running" && complete) {
          throw new SimError(`channel ${channel} left block ${number} without an outcome`);
        }
      }
      if (complete && theirs.partial) {
        throw new SimError(`channel ${channel} waits for the rest of a block that won't come`);
      }
    }
  }
}
