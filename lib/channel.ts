/**
 * A channel's messages for those who want them: handlers and async iterators.
 *
 * Owns: the calls of handlers, the queue of an iterator, and when it is full.
 * Never does: deliver out of the order in which the engine handed messages over.
 */
import { EventEmitter } from "node:events";

/** Events of one channel of one peer. */
export interface ChannelEvents<T = Uint8Array> {
  /** A value of the channel's schema, yours; bytes are valid during the call: copy what you keep. */
  message: [message: T];
  /** A block, whole. The bytes are yours. */
  block: [bytes: Uint8Array];
}

/** Events of one channel of a server. */
export interface ServerChannelEvents<Peer, T = Uint8Array> {
  /** A value of the channel's schema, yours; bytes are valid during the call: copy what you keep. */
  message: [peer: Peer, message: T];
  /** A block, whole. The bytes are yours. */
  block: [peer: Peer, bytes: Uint8Array];
}

type Handler = (...given: unknown[]) => void;

/** What changes an emitter's handlers; the others call these. */
const CHANGES = [
  "on",
  "addListener",
  "prependListener",
  "off",
  "removeListener",
  "removeAllListeners",
] as const;

/**
 * The handlers of one emitter's messages, which are called as `emit` would, but for its array of arguments:
 * whether the compiler gets rid of that depends on the program around it, and it is garbage for each message
 * where it does not (test/garbage).
 */
export class Handlers {
  readonly #emitter: EventEmitter;
  #known: readonly Handler[] | null = null;

  constructor(emitter: object) {
    this.#emitter = emitter as EventEmitter;
    for (const name of CHANGES) {
      const change = Reflect.get(emitter, name) as (...given: unknown[]) => unknown;
      Object.defineProperty(emitter, name, {
        value: (...given: unknown[]) => {
          this.#known = null;
          return change.apply(emitter, given);
        },
      });
    }
  }

  /** Who is to be called now; handlers that come or go meanwhile are those of the next message. */
  get all(): readonly Handler[] {
    this.#known ??= this.#emitter.rawListeners("message") as Handler[];
    return this.#known;
  }
}

/** A channel of a server: messages of all its peers. */
export class ServerChannel<Peer, T = Uint8Array> extends EventEmitter<
  ServerChannelEvents<Peer, T>
> {
  readonly #handlers = new Handlers(this);

  /** @internal */
  deliver(peer: Peer, message: T): void {
    for (const handler of this.#handlers.all) handler.call(this, peer, message);
  }
}

/** A channel of a client. */
export class ClientChannel<T = Uint8Array> extends EventEmitter<ChannelEvents<T>> {
  readonly #handlers = new Handlers(this);

  /** @internal */
  deliver(message: T): void {
    for (const handler of this.#handlers.all) handler.call(this, message);
  }
}

/** Messages that an iterator keeps of a channel that only has use for the newest. */
const KEPT_SEQUENCED = 64;
/** Messages unread of a channel that promises every one, from which on the peer is asked to wait, */
const KEPT_PAUSE = 64;
/** … and down to which it goes on. What is on its way meanwhile comes all the same: 256 more. */
const KEPT_RESUME = 16;

interface Waiting<T> {
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (error: unknown) => void;
}

/** The messages of one channel, one by one. */
export class MessageQueue<T> implements AsyncIterableIterator<T> {
  readonly #sequenced: boolean;
  readonly #onDone: () => void;
  readonly #onPause: (paused: boolean) => void;
  #paused = false;
  #kept: T[] = [];
  /** Messages at the front of `#kept` that were read. */
  #taken = 0;
  /** Calls of `next` that wait for a message, oldest first. */
  #waiting: Waiting<T>[] = [];
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

  /** @param message the queue's own from here on */
  push(message: T): void {
    if (this.#done) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: message });
      return;
    }
    this.#kept.push(message);
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

  /** The oldest message that is kept; there is one. The shift of an array this long would move all of it. */
  #take(): T {
    const value = this.#kept[this.#taken];
    this.#taken += 1;
    if (this.#taken * 2 > this.#kept.length) {
      this.#kept.splice(0, this.#taken);
      this.#taken = 0;
    }
    if (this.#kept.length - this.#taken <= KEPT_RESUME) this.#pause(false);
    return value;
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#taken < this.#kept.length) {
      return Promise.resolve({ done: false, value: this.#take() });
    }
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

  return(): Promise<IteratorResult<T>> {
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
