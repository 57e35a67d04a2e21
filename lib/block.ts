/**
 * Blocks on their way out: up to 16 MiB, fed to the engine fragment by fragment.
 *
 * Owns: which fragment is fed next, how many may be on their way, and when a block is done.
 * Never does: send ahead of a message; the engine lets everything else go first.
 * Invariants: one block of a channel is on its way at a time, the next waits; a block's promise is
 * settled exactly once.
 */
import { onAbort } from "./abort.js";
import type { BlockProgress } from "./assembly.js";
import type { Driver } from "./driver.js";
import { FATE_DELIVERED } from "./engine/channel.js";
import { fragmentBytes, fragmentCount, fragmentLength } from "./engine/fragment.js";
import { FRAGMENT_RECORD_BYTES, NO_ROOM, RECORD_BYTES, RECORD_SEND_BLOCK } from "./engine/ring.js";
import { PEER_PAYLOAD_BYTES } from "./engine/stats.js";
import { argumentError, NetrtError } from "./errors.js";
import type { Protocol } from "./protocol.js";

/** Tags from here on are fragments of blocks, below are receipts of messages. */
export const BLOCK_TAGS = 0x8000_0000;
/** Fragments of a block that may be fed and unacked: a channel's window. */
const AHEAD_MAX = 256;

/** What takes fragments on their way to an engine: a driver, as blocks see it. */
export type BlockOutlet = Pick<Driver, "page" | "submission" | "push" | "submitted">;

/** Options of `sendBlock`. */
export interface BlockOptions {
  /** Gives the block up when it aborts; the promise then rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Called after each turn in which more of it arrived. */
  readonly onProgress?: (progress: BlockProgress) => void;
}

/** Checks a block against its channel. */
export function checkBlock(protocol: Protocol, channel: string, bytes: unknown): void {
  if (!(bytes instanceof Uint8Array)) throw argumentError("block", bytes, "a Uint8Array");
  const { blockBytesMax } = protocol.channels[channel];
  if (blockBytesMax === 0) {
    throw new NetrtError(
      "ERR_NETRT_STRATEGY",
      `channel "${channel}" takes no blocks: give blockBytesMax to reliable() or critical()`,
    );
  }
  if (bytes.length < 1 || bytes.length > blockBytesMax) {
    throw new NetrtError(
      "ERR_NETRT_MESSAGE_TOO_LARGE",
      `a block of ${bytes.length} bytes was given; channel "${channel}" takes 1 to ${blockBytesMax}`,
    );
  }
}

class Block {
  readonly channel: number;
  readonly bytes: Uint8Array;
  readonly number: number;
  readonly options: BlockOptions;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  fed = 0;
  acked = 0;
  told = 0;
  /** A fragment of it will not arrive. */
  missed = false;
  /** It is given up. */
  failed = false;
  /** The fragment on its way that says so to the receiver, or 0; and whether it arrived. */
  endTag = 0;
  ended = false;
  /** Takes the listener off its signal. */
  forget: () => void = () => undefined;

  constructor(
    channel: number,
    bytes: Uint8Array,
    number: number,
    options: BlockOptions,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.channel = channel;
    this.bytes = bytes;
    this.number = number;
    this.options = options;
    this.resolve = resolve;
    this.reject = reject;
  }

  fail(error: unknown): void {
    if (this.failed) return;
    this.failed = true;
    this.forget();
    this.reject(error);
  }

  done(): void {
    this.forget();
    this.resolve();
  }
}

/** What a peer sends in blocks. */
export class BlockSender {
  readonly #driver: BlockOutlet;
  readonly #handle: number;
  readonly #row: number;
  /** Bytes of the queue that blocks leave to messages, and how much of it is taken. */
  readonly #bytesMax: number;
  /** By channel: the block on its way, then those that wait. */
  readonly #lines = new Map<number, Block[]>();
  readonly #numbers = new Map<number, number>();
  /** The channel of each tag that has no fate yet, by the tag. */
  readonly #tags = new Map<number, Block>();
  #nextTag = 0;
  #whenIdle: (() => void) | null = null;

  constructor(driver: BlockOutlet, handle: number, row: number, queueBytesMax: number) {
    this.#driver = driver;
    this.#handle = handle;
    this.#row = row;
    this.#bytesMax = Math.trunc(queueBytesMax / 2);
  }

  get idle(): boolean {
    return this.#lines.size === 0;
  }

  /** Calls back once no block is left. */
  whenIdle(call: () => void): void {
    this.#whenIdle = call;
  }

  send(channel: number, bytes: Uint8Array, options: BlockOptions): Promise<void> {
    return new Promise((resolve, reject) => this.begin(channel, bytes, options, resolve, reject));
  }

  /** The same, for who does not wait in a promise: one of the two is called, once. */
  begin(
    channel: number,
    bytes: Uint8Array,
    options: BlockOptions,
    resolve: () => void,
    reject: (error: unknown) => void,
  ): void {
    const number = this.#numbers.get(channel) ?? 0;
    this.#numbers.set(channel, (number + 1) & 0xffff);
    const block = new Block(channel, bytes, number, options, resolve, reject);
    const line = this.#lines.get(channel) ?? [];
    this.#lines.set(channel, line);
    line.push(block);
    const { signal } = options;
    block.forget = onAbort(signal, () => block.fail(signal?.reason));
    this.pump();
  }

  /** The fate of one fragment; whether the tag was a block's. */
  fated(tag: number, fate: number): boolean {
    if (tag < BLOCK_TAGS) return false;
    const block = this.#tags.get(tag);
    if (block === undefined) return true;
    this.#tags.delete(tag);
    if (tag === block.endTag) {
      block.endTag = 0;
      block.ended = fate === FATE_DELIVERED;
    } else if (fate === FATE_DELIVERED) block.acked += 1;
    else block.missed = true;
    return true;
  }

  /** After a turn: tells progress, and feeds what there is room for. */
  pump(): void {
    for (const [channel, line] of this.#lines) {
      while (line.length > 0 && this.#advance(line[0])) line.shift();
      if (line.length === 0) this.#lines.delete(channel);
    }
    if (this.idle && this.#whenIdle !== null) {
      const call = this.#whenIdle;
      this.#whenIdle = null;
      call();
    }
  }

  /** The connection is over. */
  end(error: unknown): void {
    for (const line of this.#lines.values()) for (const block of line) block.fail(error);
    this.#lines.clear();
    this.#tags.clear();
  }

  get #payloadBytes(): number {
    return this.#driver.page[this.#row + PEER_PAYLOAD_BYTES];
  }

  /** True when the block needs nothing more. */
  #advance(block: Block): boolean {
    const payloadBytes = this.#payloadBytes;
    const total = block.bytes.length;
    const count = fragmentCount(total, payloadBytes);
    if (block.missed) {
      // Told here, after the turn: what is dropped because the connection ends has that for its reason.
      const message = "a fragment of the block could not be delivered in its channel's time";
      block.fail(new NetrtError("ERR_NETRT_BLOCK", message));
    }
    if (block.failed) {
      // A block that never began leaves nothing behind. Of any other the receiver is told, and told again when
      // that expired: it once waited for the rest, also where the last fragment alone was missing (test/sim).
      if (block.fed === 0 || block.ended) return true;
      if (block.endTag === 0) this.#feed(block, count);
      return false;
    }
    if (block.acked > block.told) this.#tell(block, payloadBytes, count);
    if (block.acked === count) {
      block.done();
      return true;
    }
    const size = fragmentBytes(payloadBytes);
    const most = Math.max(1, Math.min(AHEAD_MAX, Math.trunc(this.#bytesMax / size)));
    while (block.fed < count && block.fed - block.acked < most && this.#feed(block, block.fed)) {
      block.fed += 1;
    }
    return false;
  }

  #tell(block: Block, payloadBytes: number, count: number): void {
    block.told = block.acked;
    const { onProgress } = block.options;
    if (onProgress === undefined) return;
    const total = block.bytes.length;
    const doneBytes = Math.min(block.acked * fragmentBytes(payloadBytes), total);
    const state = block.acked === count ? "done" : "running";
    onProgress({ doneBytes, totalBytes: total, state });
  }

  /** Puts one fragment into the submission ring; false when there is no room. */
  #feed(block: Block, index: number): boolean {
    const payloadBytes = this.#payloadBytes;
    const total = block.bytes.length;
    const bytes = fragmentLength(total, payloadBytes, index);
    const word = this.#driver.push(RECORD_SEND_BLOCK, FRAGMENT_RECORD_BYTES + bytes);
    if (word === NO_ROOM) return false;
    const { words, bytes: memory } = this.#driver.submission;
    const body = word * 4 + RECORD_BYTES + FRAGMENT_RECORD_BYTES;
    words[word + 1] = this.#handle;
    words[word + 2] = block.channel;
    words[word + 4] = block.number;
    const tag = this.#tag(block);
    if (index === fragmentCount(total, payloadBytes)) block.endTag = tag;
    words[word + 5] = tag;
    words[(word * 4 + RECORD_BYTES) / 4] = total;
    words[(word * 4 + RECORD_BYTES) / 4 + 1] = index;
    const start = index * fragmentBytes(payloadBytes);
    memory.set(block.bytes.subarray(start, start + bytes), body);
    this.#driver.submitted();
    return true;
  }

  #tag(block: Block): number {
    const tag = BLOCK_TAGS + this.#nextTag;
    this.#nextTag = (this.#nextTag + 1) & 0x7fff_ffff;
    this.#tags.set(tag, block);
    return tag;
  }
}
