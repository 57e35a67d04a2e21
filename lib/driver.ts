/**
 * The loop between a user and an engine: when a turn is due, what it brought, what goes back.
 *
 * Owns: the rings' memory, the schedule of turns and ticks, and the dispatch of what the completion
 * ring holds.
 * Never does: decide anything of the protocol, or know a channel's name.
 * Two rhythms: with ticks of 30 Hz and more everything happens on the tick (receive at its start,
 * flush at its end, one wake-up); without, a turn comes when a datagram does or a deadline is due.
 * With an I/O thread the engine takes turns by itself, and a turn here is what JavaScript adds: read
 * the ring, and show and flush what was sent. Neither rhythm nor order of events are other ones.
 */
import { randomFillSync } from "node:crypto";
import type { Fragment } from "./assembly.js";
import { chooseEngine, type Wanted } from "./choice.js";
import type { Sizes } from "./configure.js";
import { SOCKET_BUFFER_BYTES } from "./configure.js";
import { CONFIG_PEERS_MAX, ENTROPY_BYTES } from "./engine/config.js";
import {
  FRAGMENT_RECORD_BYTES,
  NO_ROOM,
  RECORD_BLOCK,
  RECORD_BYTES,
  RECORD_CLOSE,
  RECORD_CONNECT,
  RECORD_DISCONNECT,
  RECORD_FATE,
  RECORD_FRAGMENT,
  RECORD_MESSAGE,
  RECORD_MISMATCH,
  RECORD_MOVE,
  RECORD_PACKET,
  RECORD_STATE,
  Ring,
  ringBytes,
  ringNext,
  ringPeek,
  ringPublish,
  ringPush,
  ringRelease,
  ringRoom,
  ringSet,
} from "./engine/ring.js";
import { HOST_PEERS, statsHostWord, statsWords } from "./engine/stats.js";
import type { NetrtError } from "./errors.js";
import { TickHistogram } from "./histogram.js";
import { TickSchedule } from "./ticker.js";
import {
  type Engine,
  type SocketAddress,
  TURN_FLUSH,
  TURN_RECEIVE,
  TURN_TRANSMIT,
  TURNED_BLOCKED,
  TURNED_MORE,
} from "./turn.js";
import { Views } from "./views.js";

/** From this tick rate on datagrams wait for the tick (Hz): 33 ms is no wait that a game notices. */
const TICK_PACED_HZ = 30;
/** How long a blocked send buffer or a full ring is given (µs). */
const BLOCKED_RETRY_US = 1000;
/**
 * How long handlers run before the engine gets a turn (µs): 64 KiB of small messages, a handler of 1 ms
 * each, once kept a server silent for longer than a time-out (test/faults, slow handlers).
 */
const HANDLERS_US_MAX = 20_000;
/** Messages between two looks at the clock. */
const HANDLERS_PER_LOOK = 8;
/** How often room for those who wait for it is looked for, where an I/O thread makes it (µs). */
const RELIEF_US = 1000;
/** And how often blocks are fed that nothing else reminds us of (µs). */
const BUSY_US = 10_000;
/** Without any deadline the driver still looks after so long (µs): an hour. */
const IDLE_US = 3_600_000_000;

/** What the completion ring holds, as calls. Bytes are valid during the call. */
export interface DriverEvents {
  connected(peer: number, slot: number, payload: Uint8Array): void;
  disconnected(peer: number, reason: number, local: boolean, text: Uint8Array): void;
  message(peer: number, channel: number, bytes: Uint8Array, id: number): void;
  /** A fragment of a message, or of a block. */
  fragment(peer: number, channel: number, fragment: Fragment, block: boolean): void;
  /** A packet has its verdict. */
  packet(peer: number, number: number, acked: boolean, bytes: number): void;
  fate(peer: number, channel: number, tag: number, fate: number): void;
  /** The peer's protocol is another one; lib/mismatch.ts reads the record's payload. */
  mismatched?(payload: Uint8Array, textBytes: number): void;
  /** A peer is at another address; the payload is a connect record's. */
  moved?(peer: number, payload: Uint8Array): void;
  clientState(state: number): void;
  /** The engine can't go on, its socket is gone. It is closed; no other event comes after this one. */
  failed(error: NetrtError): void;
  /** After the events of a turn. */
  turned(): void;
  tick?(tick: number): void;
}

export interface DriverOptions {
  readonly wanted: Wanted;
  readonly sizes: Sizes;
  readonly privateKey: Uint8Array;
  readonly bind: SocketAddress;
  /** Ticks per second; undefined for none. */
  readonly tickRate: number | undefined;
}

/** Somebody whose message was refused for want of room. */
export interface Waiter {
  /** Whether there is room again, or no more use for it. */
  readonly relieved: boolean;
  /** Tells its user. */
  relieve(): void;
}

export class Driver {
  readonly submission = new Ring();
  readonly page: Uint32Array;
  readonly peersMax: number;
  readonly schedule: TickSchedule | null;
  /** µs of each tick spent in the transport. */
  readonly transportUs = new TickHistogram();
  readonly engine: Engine;
  readonly waiters = new Set<Waiter>();
  /** Peers that send or receive blocks: they go on after each turn. */
  readonly busy = new Set<object>();
  /** Messages of each channel that were put together from fragments. */
  readonly assembled: number[] = [];
  /** Messages of each channel that were none of its schema. */
  readonly rejected: number[] = [];
  readonly #completion = new Ring();
  readonly #views: Views;
  readonly #events: DriverEvents;
  readonly #paced: boolean;
  #waitingWishes: (() => void)[] = [];
  readonly #threaded: boolean;
  /** Bytes of the submission ring ever written, and its head then. */
  #submittedBytes = 0;
  #submittedHead: number;
  #draining = false;
  /** Handlers took long, and the rest of the records waits for the next wake. */
  #cut = false;
  #held = false;
  #flushAsked = false;
  #submitted = false;
  #blocked = false;
  #more = false;
  #turnUs = 0;
  #closed = false;

  private constructor(
    engine: Engine,
    options: DriverOptions,
    page: Uint32Array,
    submission: Uint8Array,
    completion: Views,
    events: DriverEvents,
  ) {
    this.engine = engine;
    this.#views = completion;
    this.page = page;
    this.peersMax = options.sizes.config[CONFIG_PEERS_MAX];
    this.#events = events;
    this.#threaded = engine.io === "thread";
    ringSet(this.submission, submission);
    ringSet(this.#completion, completion.ring);
    this.#submittedHead = this.submission.head;
    const rate = options.tickRate;
    this.schedule = rate === undefined ? null : new TickSchedule(rate, engine.nowUs());
    this.#paced = rate !== undefined && rate >= TICK_PACED_HZ;
  }

  static async open(options: DriverOptions, events: DriverEvents): Promise<Driver> {
    const { open, io, reusePort } = chooseEngine(options.wanted);
    const { config, submissionBytes, completionBytes } = options.sizes;
    const page = new Uint32Array(statsWords(config[CONFIG_PEERS_MAX]));
    const submission = new Uint8Array(ringBytes(submissionBytes));
    const completion = new Views(completionBytes);
    let driver: Driver | null = null;
    const engine = await open({
      config,
      privateKey: options.privateKey,
      entropy: randomFillSync(new Uint8Array(ENTROPY_BYTES)),
      submission,
      completion: completion.ring,
      page,
      bind: options.bind,
      socketBufferBytes: SOCKET_BUFFER_BYTES,
      io,
      reusePort,
      onWake: () => driver?.wake(),
    });
    driver = new Driver(engine, options, page, submission, completion, events);
    driver.#arm();
    return driver;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Peers that have a slot, those that say goodbye included. */
  get peers(): number {
    return this.page[statsHostWord(HOST_PEERS)];
  }

  // --- the user's side ---

  /** Where the newest record of the submission ring ends, in bytes ever written. */
  get submittedEnd(): number {
    const { head } = this.submission;
    this.#submittedBytes += (head - this.#submittedHead) >>> 0;
    this.#submittedHead = head;
    return this.#submittedBytes;
  }

  /** How far the engine has taken the submission ring; what lies before is counted on the page. */
  get takenEnd(): number {
    const { submission } = this;
    return this.submittedEnd - (submission.capacity - ringRoom(submission));
  }

  /**
   * Reserves a record in the submission ring; the index of its first word, or NO_ROOM when even a
   * turn makes no room. The caller fills it and calls `submitted`.
   */
  push(kind: number, payloadBytes: number): number {
    const word = ringPush(this.submission, kind, payloadBytes);
    if (word !== NO_ROOM) return word;
    this.#turn(0);
    return ringPush(this.submission, kind, payloadBytes);
  }

  /** A record is filled. Without ticks it goes out at the end of the running JavaScript. */
  submitted(): void {
    ringPublish(this.submission);
    this.#submitted = true;
    if (this.#paced || this.#flushAsked) return;
    this.#flushAsked = true;
    queueMicrotask(() => {
      this.#flushAsked = false;
      this.flush();
    });
  }

  /** Everything sent so far goes out now. */
  flush(): void {
    if (this.#closed || !this.#submitted) return;
    this.#submitted = false;
    this.#turn(TURN_FLUSH | TURN_TRANSMIT);
    if (this.#draining) return;
    // What an I/O thread brings it tells of; a message must not come in the middle of a call.
    if (!this.#threaded) this.#drainAndArm();
    else if (this.waiters.size > 0) this.#arm();
  }

  /** Submits the end of a peer. */
  closePeer(peer: number, reason: number, text: Uint8Array, drain: boolean): void {
    const word = this.push(RECORD_CLOSE, text.length);
    if (word === NO_ROOM) {
      // Once the user's own ring is read there is room: an end is never forgotten.
      this.#waitingWishes.push(() => this.closePeer(peer, reason, text, drain));
      return;
    }
    const { words, bytes } = this.submission;
    words[word + 1] = peer;
    words[word + 2] = 0;
    words[word + 4] = reason;
    words[word + 5] = drain ? 1 : 0;
    bytes.set(text, word * 4 + RECORD_BYTES);
    this.submitted();
  }

  /** Submits what the user wants to hear from now on: `kind` is RECORD_PAUSE or RECORD_WATCH. */
  wish(kind: number, peer: number, channel: number, on: boolean): void {
    const word = this.push(kind, 0);
    if (word === NO_ROOM) {
      this.#waitingWishes.push(() => this.wish(kind, peer, channel, on));
      return;
    }
    const { words } = this.submission;
    words[word + 1] = peer;
    words[word + 2] = channel;
    words[word + 4] = 0;
    words[word + 5] = on ? 1 : 0;
    this.submitted();
  }

  /**
   * Hands nothing more out until the event loop has turned: whoever awaits the connection adds its
   * handlers first, and a message may have come with the packet that made it.
   */
  hold(): void {
    this.#held = true;
    setImmediate(() => {
      this.#held = false;
      this.#drainAndArm();
    });
  }

  connect(token: Uint8Array): void {
    this.engine.connect(token);
    this.#turn(TURN_TRANSMIT);
    this.#drainAndArm();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.engine.close();
  }

  // --- turns ---

  #turn(flags: number): void {
    if (this.#closed) return;
    const startUs = this.engine.nowUs();
    let turned: number;
    try {
      turned = this.engine.turn(flags);
    } catch (error) {
      // Every turn from here on would say the same: once is enough, and the rest is given back.
      this.close();
      this.#events.failed(error as NetrtError);
      return;
    }
    this.#turnUs += this.engine.nowUs() - startUs;
    // A turn that only sends says nothing about what still waits to be received.
    if ((flags & TURN_RECEIVE) !== 0) this.#more = (turned & TURNED_MORE) !== 0;
    if ((flags & TURN_TRANSMIT) !== 0) this.#blocked = (turned & TURNED_BLOCKED) !== 0;
  }

  /** The engine woke us: a tick is due, a datagram came, or the core has something to do. */
  wake(): void {
    if (this.#closed) return;
    this.#turnUs = 0;
    try {
      this.#turn(TURN_RECEIVE);
      try {
        this.#drain();
        this.schedule?.run(this.#nowUs, this.#tick);
      } finally {
        this.#send();
      }
      // What the flush brought; an I/O thread has only begun with it.
      if (!this.#threaded) this.#drain();
    } finally {
      this.#arm(this.#threaded);
      if (this.#paced && !this.#closed) this.transportUs.record(Math.max(1, this.#turnUs));
    }
  }

  // Made once: a tick makes no closures.
  readonly #nowUs = (): number => this.engine.nowUs();
  readonly #tick = (tick: number): void => this.#events.tick?.(tick);

  /** Everything of a tick goes out together; with an I/O thread, once it is armed again. */
  #send(): void {
    this.#submitted = false;
    if (!this.#closed && !this.#threaded) this.#turn(TURN_FLUSH | TURN_TRANSMIT);
  }

  #drainAndArm(): void {
    try {
      this.#drain();
    } finally {
      this.#arm();
    }
  }

  /** Asks to be woken for what comes next. `flush`: and has sent what waits (an I/O thread). */
  #arm(flush = false): void {
    if (this.#closed) return;
    const now = this.engine.nowUs();
    // A handler that threw leaves records behind it, and nothing else may ever wake us for them: but
    // an I/O thread, which adds to them at any time.
    const left = !this.#held && !this.#threaded && ringPeek(this.#completion) !== NO_ROOM;
    const more = this.#more || left || this.#cut;
    if (this.#paced) {
      const tickUs = (this.schedule as TickSchedule).nextDeadlineUs;
      this.engine.arm(more ? now : tickUs, false, flush);
      this.#turnUs += this.engine.nowUs() - now;
      return;
    }
    let deadlineUs = more ? now : Math.min(this.engine.deadlineUs(), now + IDLE_US);
    if (this.#blocked && !more) deadlineUs = Math.max(deadlineUs, now + BLOCKED_RETRY_US);
    if (this.schedule !== null) deadlineUs = Math.min(deadlineUs, this.schedule.nextDeadlineUs);
    const threaded = this.#threaded;
    if (threaded && this.waiters.size > 0) deadlineUs = Math.min(deadlineUs, now + RELIEF_US);
    if (threaded && this.busy.size > 0) deadlineUs = Math.min(deadlineUs, now + BUSY_US);
    // Records that are held back are no news: an I/O thread would tell of them again and again.
    this.engine.arm(deadlineUs, !(threaded && this.#held), flush);
  }

  // --- what a turn brought ---

  /**
   * Hands every record to the user, as far as there is time: the rest has its turn after the engine's.
   * A record's memory is given back once its handler returned.
   */
  #drain(): void {
    if (this.#draining || this.#closed || this.#held) return;
    this.#draining = true;
    const ring = this.#completion;
    const untilUs = this.engine.nowUs() + HANDLERS_US_MAX;
    let handled = 0;
    this.#cut = false;
    try {
      for (let word = ringPeek(ring); word !== NO_ROOM; word = ringPeek(ring)) {
        if (handled === HANDLERS_PER_LOOK) {
          this.#cut = this.engine.nowUs() >= untilUs;
          if (this.#cut) return;
          handled = 0;
        }
        handled += 1;
        ringNext(ring, word);
        this.#dispatch(word);
        if (this.#closed || this.#held) return;
      }
      this.#relieve();
      this.#events.turned();
    } finally {
      ringRelease(ring);
      this.#draining = false;
      if (this.#waitingWishes.length > 0) this.#grant();
    }
  }

  #grant(): void {
    for (const wish of this.#waitingWishes.splice(0)) if (!this.#closed) wish();
  }

  /** Whoever is told waits no more, unless what it sends then is refused again. */
  #relieve(): void {
    if (this.waiters.size === 0) return;
    for (const waiter of [...this.waiters]) {
      if (waiter.relieved && this.waiters.delete(waiter)) waiter.relieve();
    }
  }

  #dispatch(word: number): void {
    const { words, bytes } = this.#completion;
    const peer = words[word + 1];
    const start = word * 4 + RECORD_BYTES;
    const length = words[word + 3];
    const end = start + length;
    switch (words[word] >>> 24) {
      case RECORD_MESSAGE: {
        const message = this.#views.lend(start, length);
        this.#events.message(peer, words[word + 2], message, words[word + 4]);
        break;
      }
      case RECORD_FRAGMENT:
      case RECORD_BLOCK:
        this.#events.fragment(
          peer,
          words[word + 2],
          {
            key: words[word + 4],
            index: words[word + 5],
            total: words[start / 4],
            body: bytes.subarray(start + FRAGMENT_RECORD_BYTES, end),
          },
          words[word] >>> 24 === RECORD_BLOCK,
        );
        break;
      case RECORD_PACKET:
        this.#events.packet(
          peer,
          words[start / 4 + 1] * 2 ** 32 + words[word + 4],
          words[word + 5] === 1,
          words[start / 4],
        );
        break;
      case RECORD_FATE:
        this.#events.fate(peer, words[word + 2], words[word + 4], words[word + 5]);
        break;
      case RECORD_CONNECT:
        this.#events.connected(peer, words[word + 4], bytes.subarray(start, end));
        break;
      case RECORD_DISCONNECT:
        this.#events.disconnected(
          peer,
          words[word + 4],
          words[word + 5] === 1,
          bytes.subarray(start, end),
        );
        break;
      case RECORD_MISMATCH:
        this.#events.mismatched?.(bytes.subarray(start, end), words[word + 4]);
        break;
      case RECORD_MOVE:
        this.#events.moved?.(peer, bytes.subarray(start, end));
        break;
      case RECORD_STATE:
        this.#events.clientState(words[word + 4] | 0);
        break;
    }
  }
}
