/**
 * Ticks at a steady rate, without drift.
 *
 * Owns: when tick n is due, how a late process catches up, and how late ticks ran (slip).
 * Never does: work of its own in a tick.
 * Invariants: tick n is due at start + n periods, whatever happened before it: a late tick delays no
 * later one, and rounding never adds up (Node's setInterval(1000 / 60) runs at 61.6 Hz and
 * 1000 / 128 at 138 Hz, because it cuts the fraction off). Tick numbers only grow.
 *
 * Catching up follows Glenn Fiedler's "Fix Your Timestep!": a process that was held up runs at most
 * 4 ticks before the event loop gets its turn, and forgets what lies more than 250 ms back, so that
 * ticks that take too long can't pile up for ever.
 */
import { performance, type RecordableHistogram } from "node:perf_hooks";
import { argumentError, checkInteger, checkNumber } from "./errors.js";
import { TickHistogram } from "./histogram.js";

/** Slowest tick rate, in Hz. */
export const TICK_RATE_MIN = 1;
/** Fastest tick rate, in Hz: a period of one millisecond, the resolution of Node's timers. */
export const TICK_RATE_MAX = 1000;
/** Ticks run in a row at most, before sockets and timers get their turn. */
export const CATCH_UP_TICKS_MAX = 4;
/** Backlog kept at most, in µs; ticks that were due earlier are skipped and counted. */
export const BACKLOG_US_MAX = 250_000;
/**
 * How long before a deadline {@link Ticker} stops trusting timers, in µs. Node's timers count whole
 * milliseconds and fire up to one late, so 1.5 ms leaves half a millisecond for the loop itself.
 */
export const SPIN_US_DEFAULT = 1500;

/** Slip up to 2^4 µs is one bucket, up to twice that the next, and so on. */
const SLIP_EXPONENT_MIN = 4;
/** The last bucket with a bound, in powers of two µs: 0.52 s, twice what a backlog may be. */
const SLIP_EXPONENT_MAX = 19;

const US_PER_SECOND = 1_000_000;
const US_PER_MS = 1000;

/** Ticks that began about equally late. */
export interface SlipBucket {
  /** They began at most this late, and later than the bucket before says, in µs. */
  readonly upToUs: number;
  readonly ticks: number;
}

/** How late ticks began, counted in buckets: each twice as wide as the one before. */
class SlipCounts {
  readonly #counts = new Uint32Array(SLIP_EXPONENT_MAX - SLIP_EXPONENT_MIN + 2);

  record(slipUs: number): void {
    const exponent = slipUs <= 1 ? 0 : 32 - Math.clz32(slipUs - 1);
    const index = Math.max(0, exponent - SLIP_EXPONENT_MIN);
    this.#counts[Math.min(index, this.#counts.length - 1)] += 1;
  }

  get buckets(): SlipBucket[] {
    const last = this.#counts.length - 1;
    return Array.from(this.#counts, (ticks, index) => ({
      upToUs: index === last ? Number.POSITIVE_INFINITY : 2 ** (index + SLIP_EXPONENT_MIN),
      ticks,
    }));
  }
}

/**
 * Which tick is due when. Pure: it is told the time and sets no timer, so it serves the
 * {@link Ticker}, a native waker and tests in virtual time alike.
 *
 * @example
 * ```ts
 * const schedule = new TickSchedule(128, nowUs());
 * // whenever woken, at schedule.nextDeadlineUs or earlier:
 * for (let left = schedule.due(nowUs()); left > 0; left--) simulate(schedule.advance());
 * ```
 */
export class TickSchedule {
  /** Ticks per second. */
  readonly rateHz: number;
  /** When tick 0 is due, in µs. */
  readonly startUs: number;
  readonly #slip = new TickHistogram();
  readonly #slipCounts = new SlipCounts();
  readonly #backlogTicksMax: number;
  #tick = 0;
  #skippedTicks = 0;

  /**
   * @param rateHz  ticks per second, 1 to 1000, fractions allowed (59.94)
   * @param startUs when tick 0 is due, in µs of any clock that only moves forward
   * @throws NetrtError `ERR_NETRT_ARGUMENT`
   */
  constructor(rateHz: number, startUs: number) {
    this.rateHz = checkNumber("tick rate", rateHz, TICK_RATE_MIN, TICK_RATE_MAX, "Hz");
    this.startUs = checkInteger("startUs", startUs, 0, Number.MAX_SAFE_INTEGER, "µs");
    // At slow rates less than one period fits the backlog; the tick that is due now is always kept.
    this.#backlogTicksMax = Math.max(1, Math.floor((BACKLOG_US_MAX * rateHz) / US_PER_SECOND));
  }

  /** The tick that runs next. */
  get tick(): number {
    return this.#tick;
  }

  /** Ticks that never ran, because they lay too far back. */
  get skippedTicks(): number {
    return this.#skippedTicks;
  }

  /** How late ticks began, in whole µs (at least 1), of all ticks that {@link run} ran. */
  get slip(): RecordableHistogram {
    return this.#slip.whole;
  }

  /** The ticks that {@link run} ran, by how late they began: up to 16 µs, 32 µs … 0.52 s, later. */
  get slipHistogram(): SlipBucket[] {
    return this.#slipCounts.buckets;
  }

  /** When the next tick is due, in µs; in the past while there is a backlog. */
  get nextDeadlineUs(): number {
    return this.deadlineUs(this.#tick);
  }

  /** When a tick is due, in whole µs, never before its exact time. */
  deadlineUs(tick: number): number {
    return this.startUs + Math.ceil((tick * US_PER_SECOND) / this.rateHz);
  }

  /**
   * How many ticks to run now: 0 while it is early, at most {@link CATCH_UP_TICKS_MAX}. Skips what
   * lies more than {@link BACKLOG_US_MAX} back.
   */
  due(nowUs: number): number {
    if (nowUs < this.nextDeadlineUs) return 0;
    // The division may be off by one from deadlineUs, which decides.
    let newest = Math.floor(((nowUs - this.startUs) * this.rateHz) / US_PER_SECOND);
    while (this.deadlineUs(newest) > nowUs) newest--;
    while (this.deadlineUs(newest + 1) <= nowUs) newest++;
    let pending = newest + 1 - this.#tick;
    if (pending > this.#backlogTicksMax) {
      const skipped = pending - this.#backlogTicksMax;
      this.#tick += skipped;
      this.#skippedTicks += skipped;
      pending = this.#backlogTicksMax;
    }
    return Math.min(pending, CATCH_UP_TICKS_MAX);
  }

  /** Takes the next tick: returns its number and moves on to the one after. */
  advance(): number {
    return this.#tick++;
  }

  /**
   * Runs the ticks that are due and records the slip of each.
   *
   * @param nowUs  the clock
   * @param onTick gets the tick's number; when it throws, the tick counts as run and the rest wait
   * @returns ticks run
   */
  run(nowUs: () => number, onTick: (tick: number) => void): number {
    const count = this.due(nowUs());
    for (let index = 0; index < count; index++) {
      // Asked anew for each: a tick that took long makes the next one late.
      const slipUs = Math.max(1, Math.round(nowUs() - this.nextDeadlineUs));
      this.#slip.record(slipUs);
      this.#slipCounts.record(Math.min(slipUs, 2 ** 31));
      onTick(this.advance());
    }
    return count;
  }
}

/** A clock and its timers, as {@link Ticker} needs them. Tests inject virtual ones. */
export interface TickerClock {
  /** µs since any fixed moment; only moves forward. */
  nowUs(): number;
  /** As setTimeout. */
  setTimer(callback: () => void, delayMs: number): unknown;
  clearTimer(timer: unknown): void;
  /** As setImmediate: after the event loop looked at its sockets once. */
  setSoon(callback: () => void): unknown;
  clearSoon(soon: unknown): void;
}

/** Node's own clock and timers. */
export const SYSTEM_CLOCK: TickerClock = {
  nowUs: () => Math.floor(performance.now() * US_PER_MS),
  setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
  setSoon: (callback) => setImmediate(callback),
  clearSoon: (soon) => clearImmediate(soon as NodeJS.Immediate),
};

/** Options of {@link Ticker}. */
export interface TickerOptions {
  /** Ticks per second, 1 to 1000, fractions allowed. */
  readonly rateHz: number;
  /** Called for each tick, with its number. What it throws is uncaught, as in any timer; the ticks
   * go on if the process does. */
  readonly onTick: (tick: number) => void;
  /**
   * How long before a deadline to stop sleeping and turn the event loop until it is there, in µs,
   * 0 to 5000. Default 1500: ticks begin within some µs, for a loop that is busy up to 2.5 ms per
   * tick (at 128 Hz a fifth of a core on an otherwise idle process, and sockets are served all the
   * while). With 0 ticks begin up to 1.5 ms late and the wait costs nothing.
   */
  readonly spinUs?: number;
  /** Clock and timers; default {@link SYSTEM_CLOCK}. */
  readonly clock?: TickerClock;
}

const SPIN_US_MAX = 5000;

/**
 * A ticker on Node's own timers: sleeps until shortly before a deadline, then turns the event loop
 * (setImmediate) until it is due. Keeps the process alive while it runs.
 *
 * @example
 * ```ts
 * const ticker = new Ticker({ rateHz: 128, onTick: (tick) => simulate(tick) });
 * ticker.start();
 * ticker.stop();
 * console.log(ticker.schedule.slip.percentile(99), "µs");
 * ```
 */
export class Ticker {
  readonly #rateHz: number;
  readonly #onTick: (tick: number) => void;
  readonly #spinUs: number;
  readonly #clock: TickerClock;
  #schedule: TickSchedule;
  #running = false;
  #timer: unknown = null;
  #soon: unknown = null;

  /** @throws NetrtError `ERR_NETRT_ARGUMENT` */
  constructor(options: TickerOptions) {
    const { onTick, spinUs = SPIN_US_DEFAULT, clock = SYSTEM_CLOCK } = options;
    if (typeof onTick !== "function") throw argumentError("onTick", onTick, "a function");
    this.#onTick = onTick;
    this.#spinUs = checkInteger("spinUs", spinUs, 0, SPIN_US_MAX, "µs");
    this.#clock = clock;
    this.#schedule = new TickSchedule(options.rateHz, clock.nowUs());
    this.#rateHz = this.#schedule.rateHz;
  }

  /** Deadlines, tick numbers, skipped ticks and slip since the last {@link start}. */
  get schedule(): TickSchedule {
    return this.#schedule;
  }

  /** Between {@link start} and {@link stop}. */
  get running(): boolean {
    return this.#running;
  }

  /** Begins with tick 0, as soon as the event loop turns. Does nothing while running. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#schedule = new TickSchedule(this.#rateHz, this.#clock.nowUs());
    this.#arm();
  }

  /** No tick begins after this; it may be called from a tick. */
  stop(): void {
    this.#running = false;
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    if (this.#soon !== null) this.#clock.clearSoon(this.#soon);
    this.#timer = null;
    this.#soon = null;
  }

  #arm(): void {
    const leftUs = this.#schedule.nextDeadlineUs - this.#clock.nowUs();
    // Without a spin a timer is all there is, so it must not fire early: round up.
    const sleepMs =
      this.#spinUs === 0
        ? Math.ceil(leftUs / US_PER_MS)
        : Math.floor((leftUs - this.#spinUs) / US_PER_MS);
    if (sleepMs >= 1) this.#timer = this.#clock.setTimer(this.#wake, sleepMs);
    else this.#soon = this.#clock.setSoon(this.#wake);
  }

  readonly #wake = (): void => {
    this.#timer = null;
    this.#soon = null;
    try {
      this.#schedule.run(this.#nowUs, this.#tickUnlessStopped);
    } finally {
      // A handler may have stopped the ticker, or stopped it and started it again (armed then).
      if (this.#running && this.#timer === null && this.#soon === null) this.#arm();
    }
  };

  readonly #nowUs = (): number => this.#clock.nowUs();

  readonly #tickUnlessStopped = (tick: number): void => {
    // Armed means that an earlier tick of this turn started the ticker anew: these are the old one's.
    const armed = this.#timer !== null || this.#soon !== null;
    if (this.#running && !armed) this.#onTick(tick);
  };
}
