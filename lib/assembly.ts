/**
 * Long messages and blocks on their way in, put together from the fragments that an engine hands over.
 *
 * Owns: the memory of what is not yet whole, and its bounds. An engine hands over each fragment at
 * most once, those of an ordered channel in order; so counting them is enough.
 * Never does: ask for a fragment again; that is the engine's.
 * Invariants: a message's memory is taken for its whole length, which its channel bounds to 64 KiB; a
 * block's grows with what came, so a peer takes no memory by saying a length.
 */
import { fragmentBytes } from "./engine/fragment.js";
import type { ChannelPolicy } from "./policy.js";

/** Unfinished messages of one RealTime channel of a peer; an older one gives way. */
const SEQUENCED_MAX = 8;
/**
 * Bytes of unfinished messages of one channel of a peer. What a lawful sender has on its way lies
 * within 256 ids, the first and the last message of them perhaps in part: 384 KiB at most.
 */
const MESSAGES_BYTES_MAX = 1_048_576;
/** What a block's memory is at first; it doubles. */
const BLOCK_BYTES_FIRST = 65_536;
/** Ids that an engine accepts from the next on: what is further behind can't become whole. */
const IDS_ACCEPTED = 512;

/** What a fragment's record says. */
export interface Fragment {
  /** Of a message: the id of its first fragment. Of a block: its number. */
  readonly key: number;
  readonly index: number;
  readonly total: number;
  readonly body: Uint8Array;
}

interface Part {
  readonly bytes: Uint8Array;
  received: number;
  /** The index that comes next, where fragments come in order. */
  next: number;
}

/** How far a block is, at either end. */
export interface BlockProgress {
  /** Bytes that arrived (receiving) or are known to have arrived (sending). */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** `given up`: the rest won't come. */
  readonly state: "running" | "done" | "given up";
}

class BlockPart {
  readonly key: number;
  readonly total: number;
  bytes: Uint8Array;
  received = 0;
  next = 0;

  constructor(key: number, total: number) {
    this.key = key;
    this.total = total;
    this.bytes = new Uint8Array(Math.min(total, BLOCK_BYTES_FIRST));
  }

  add(body: Uint8Array): void {
    if (this.received + body.length > this.bytes.length) {
      const grown = new Uint8Array(Math.min(2 * this.bytes.length, this.total));
      grown.set(this.bytes.subarray(0, this.received));
      this.bytes = grown;
    }
    this.bytes.set(body, this.received);
    this.received += body.length;
    this.next += 1;
  }

  progress(state: BlockProgress["state"]): BlockProgress {
    return { doneBytes: this.received, totalBytes: this.total, state };
  }
}

/** What one channel of one peer has unfinished. */
export class Assembly {
  readonly #order: ChannelPolicy["order"];
  readonly #parts = new Map<number, Part>();
  #partBytes = 0;
  #block: BlockPart | null = null;
  /** The block's progress since `takeProgress`. */
  #progress: BlockProgress | null = null;

  constructor(policy: Pick<ChannelPolicy, "order">) {
    this.#order = policy.order;
  }

  /** Bytes of memory that it holds. */
  get bytes(): number {
    return this.#partBytes + this.blockBytes;
  }

  /** … of that for a block. */
  get blockBytes(): number {
    return this.#block?.bytes.length ?? 0;
  }

  /** Whether it holds more than a lawful sender can bring about. */
  get excessive(): boolean {
    return this.#partBytes > MESSAGES_BYTES_MAX;
  }

  /** Takes a fragment of a message; the message, once it is whole. */
  message({ key, index, total, body }: Fragment, payloadBytes: number): Uint8Array | null {
    this.#forget(key);
    let part = this.#parts.get(key);
    if (part === undefined) {
      // In order, what begins in the middle lost its beginning.
      if (this.#order === "ordered" && index !== 0) return null;
      part = { bytes: new Uint8Array(total), received: 0, next: 0 };
      this.#parts.set(key, part);
      this.#partBytes += total;
    }
    const misplaced = this.#order === "ordered" && index !== part.next;
    if (part.bytes.length !== total || misplaced) {
      this.#drop(key, part);
      return null;
    }
    part.bytes.set(body, index * fragmentBytes(payloadBytes));
    part.received += body.length;
    part.next = index + 1;
    if (part.received < total) return null;
    this.#drop(key, part);
    if (this.#order === "sequenced") this.#forgetBefore(key);
    return part.bytes;
  }

  /** A whole message came: what is older on a channel of which order counts can't become whole. */
  whole(id: number): void {
    if (this.#parts.size > 0 && this.#order !== "none") this.#forgetBefore(id);
  }

  /** Makes room before a fragment of the message `key`. */
  #forget(key: number): void {
    for (const [its, part] of this.#parts) {
      const gone =
        this.#order === "ordered"
          ? its !== key
          : this.#order === "none" && ((key - its) | 0) > 2 * IDS_ACCEPTED;
      if (gone) this.#drop(its, part);
    }
    if (this.#order === "sequenced" && !this.#parts.has(key)) {
      for (const [its, part] of this.#parts) {
        if (this.#parts.size < SEQUENCED_MAX) break;
        this.#drop(its, part);
      }
    }
  }

  #forgetBefore(id: number): void {
    for (const [its, part] of this.#parts) {
      if (((id - its) | 0) > 0) this.#drop(its, part);
    }
  }

  #drop(key: number, part: Part): void {
    this.#parts.delete(key);
    this.#partBytes -= part.bytes.length;
  }

  /** Takes a fragment of a block; the block, once it is whole. */
  block({ key, index, total, body }: Fragment): Uint8Array | null {
    let block = this.#block;
    if (block !== null && (block.key !== key || block.next !== index || block.total !== total)) {
      this.#giveUp(block);
      block = null;
    }
    if (block === null) {
      if (index !== 0) return null;
      block = new BlockPart(key, total);
      this.#block = block;
    }
    if (body.length === 0) {
      this.#giveUp(block);
      return null;
    }
    block.add(body);
    this.#progress = block.progress(block.received === total ? "done" : "running");
    if (block.received < total) return null;
    this.#block = null;
    return block.bytes;
  }

  #giveUp(block: BlockPart): void {
    this.#block = null;
    this.#progress = block.progress("given up");
  }

  /** The progress of the block since the last call, or null. */
  takeProgress(): BlockProgress | null {
    const progress = this.#progress;
    this.#progress = null;
    return progress;
  }
}

/** What a peer has unfinished, channel by channel. */
export class Assemblies {
  readonly #policies: readonly Pick<ChannelPolicy, "order">[];
  readonly #channels: (Assembly | undefined)[] = [];

  constructor(policies: readonly Pick<ChannelPolicy, "order">[]) {
    this.#policies = policies;
  }

  channel(index: number): Assembly {
    let assembly = this.#channels[index];
    if (assembly === undefined) {
      assembly = new Assembly(this.#policies[index]);
      this.#channels[index] = assembly;
    }
    return assembly;
  }

  /** The assembly of a channel that has any. */
  peek(index: number): Assembly | undefined {
    return this.#channels[index];
  }

  get bytes(): number {
    let bytes = 0;
    for (const assembly of this.#channels) bytes += assembly?.bytes ?? 0;
    return bytes;
  }
}
