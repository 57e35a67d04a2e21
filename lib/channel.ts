/**
 * A channel's messages for those who want them: handlers and async iterators.
 *
 * Owns: the queue of an iterator, and when it is full.
 * Never does: deliver out of the order in which the engine handed messages over.
 */
import { EventEmitter } from "node:events";
/** Events of one channel of one peer. */
export interface ChannelEvents {
  /** The bytes are a view into the ring: copy what you keep. */
  message: [bytes: Uint8Array];
  /** A block, whole. The bytes are yours. */
  block: [bytes: Uint8Array];
}

/** Events of one channel of a server. */
export interface ServerChannelEvents<Peer> {
  /** The bytes are a view into the ring: copy what you keep. */
  message: [peer: Peer, bytes: Uint8Array];
  /** A block, whole. The bytes are yours. */
  block: [peer: Peer, bytes: Uint8Array];
}

/** A channel of a server: messages of all its peers. */
export class ServerChannel<Peer> extends EventEmitter<ServerChannelEvents<Peer>> {}

/** Messages that an iterator keeps of a channel that only has use for the newest. */
const KEPT_SEQUENCED = 64;
/** Messages unread of a channel that promises every one, from which on the peer is asked to wait, */
const KEPT_PAUSE = 64;
/** … and down to which it goes on. What is on its way meanwhile comes all the same: 256 more. */
const KEPT_RESUME = 16;

interface Waiting {
  readonly resolve: (result: IteratorResult<Uint8Array>) => void;
  readonly reject: (error: unknown) => void;
}

/** The messages of one channel, one by one, as copies. */
export class MessageQueue implements AsyncIterableIterator<Uint8Array> {
  readonly #sequenced: boolean;
  readonly #onDone: () => void;
  readonly #onPause: (paused: boolean) => void;
  #paused = false;
  #kept: Uint8Array[] = [];
  /** Messages at the front of `#kept` that were read. */
  #taken = 0;
  /** Calls of `next` that wait for a message, oldest first. */
  #waiting: Waiting[] = [];
  #done = false;
  #error: unknown = null;

  /**
   * @param onDone  called once, when the queue takes no more
   * @param onPause called when it wants no more for now, and again when it does
   */
  constructor(sequenced: boolean, onDone: () => void, onPause: (paused: boolean) => void) {
    this.#sequenced = sequenced;
    this.#onDone = onDone;
    this.#onPause = onPause;
  }

  #pause(paused: boolean): void {
    if (this.#sequenced || paused === this.#paused) return;
    this.#paused = paused;
    this.#onPause(paused);
  }

  push(bytes: Uint8Array): void {
    if (this.#done) return;
    const copy = bytes.slice();
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: copy });
      return;
    }
    this.#kept.push(copy);
    const count = this.#kept.length - this.#taken;
    if (this.#sequenced && count > KEPT_SEQUENCED) {
      this.#take();
    } else if (count >= KEPT_PAUSE) {
      this.#pause(true);
    }
  }

  /** No more messages come; what is kept can still be read, then the error is thrown, if there is one. */
  finish(error: unknown = null): void {
    if (this.#done) return;
    this.#done = true;
    this.#error = error;
    this.#pause(false);
    this.#onDone();
    // The error is thrown once; after it, and for whoever waits behind it, the iterator has ended.
    for (const waiting of this.#waiting.splice(0))
      this.next().then(waiting.resolve, waiting.reject);
  }

  /** The oldest message that is kept. The shift of an array this long would move all of it. */
  #take(): Uint8Array | undefined {
    const value = this.#kept[this.#taken];
    if (value === undefined) return undefined;
    this.#taken += 1;
    if (this.#taken * 2 > this.#kept.length) {
      this.#kept.splice(0, this.#taken);
      this.#taken = 0;
    }
    if (this.#kept.length - this.#taken <= KEPT_RESUME) this.#pause(false);
    return value;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const value = this.#take();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#done) {
      const error = this.#error;
      this.#error = null;
      return error === null
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.#kept = [];
    this.#taken = 0;
    this.#error = null;
    this.finish();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
