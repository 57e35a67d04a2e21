// The ticker: its schedule alone, then with virtual timers, then once with Node's own.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NetrtError } from "../../../lib/errors.js";
import {
  BACKLOG_US_MAX,
  CATCH_UP_TICKS_MAX,
  Ticker,
  type TickerClock,
  type TickerOptions,
  TickSchedule,
} from "../../../lib/ticker.js";

/** Takes all ticks that are due, as a driver does. */
function take(schedule: TickSchedule, nowUs: number): number[] {
  const ticks: number[] = [];
  for (let left = schedule.due(nowUs); left > 0; left--) ticks.push(schedule.advance());
  return ticks;
}

describe("TickSchedule", () => {
  it("has tick n due at start + n periods", () => {
    const schedule = new TickSchedule(128, 1_000_000);
    expect(schedule.nextDeadlineUs).toBe(1_000_000);
    expect(schedule.deadlineUs(1)).toBe(1_007_813);
    expect(schedule.deadlineUs(128)).toBe(2_000_000);
    expect(schedule.due(999_999)).toBe(0);
    expect(schedule.due(1_000_000)).toBe(1);
    expect(take(schedule, 1_000_000)).toEqual([0]);
    expect(schedule.due(1_007_812)).toBe(0);
    expect(take(schedule, 1_007_813)).toEqual([1]);
  });

  it.each([1, 30, 59.94, 60, 100 / 3, 128, 144, 240, 256, 1000])(
    "does not drift at %d Hz in an hour",
    (rateHz) => {
      const schedule = new TickSchedule(rateHz, 0);
      const tick = Math.round(rateHz * 3600);
      expect(Math.abs(schedule.deadlineUs(tick) - (tick * 1e6) / rateHz)).toBeLessThan(1);
    },
  );

  it("is not moved by a late tick", () => {
    const schedule = new TickSchedule(100, 0);
    expect(take(schedule, 9_999)).toEqual([0]);
    expect(schedule.nextDeadlineUs).toBe(10_000);
    expect(take(schedule, 19_999)).toEqual([1]);
    expect(take(schedule, 20_000)).toEqual([2]);
  });

  it("catches up four at a time", () => {
    const schedule = new TickSchedule(100, 0);
    take(schedule, 0);
    expect(take(schedule, 100_000)).toEqual([1, 2, 3, 4]);
    expect(schedule.nextDeadlineUs).toBeLessThan(100_000);
    expect(take(schedule, 100_000)).toEqual([5, 6, 7, 8]);
    expect(take(schedule, 100_000)).toEqual([9, 10]);
    expect(take(schedule, 100_000)).toEqual([]);
    expect(schedule.skippedTicks).toBe(0);
  });

  it("skips what lies more than 250 ms back, and counts it", () => {
    const schedule = new TickSchedule(100, 0);
    take(schedule, 0);
    // Ticks 1 to 500 are due: the newest 25 are kept.
    expect(take(schedule, 5_000_000)).toEqual([476, 477, 478, 479]);
    expect(schedule.skippedTicks).toBe(475);
    expect(schedule.deadlineUs(476)).toBeGreaterThan(5_000_000 - BACKLOG_US_MAX);
  });

  it("keeps the tick that is due, however slow the rate", () => {
    const schedule = new TickSchedule(1, 0);
    take(schedule, 0);
    expect(take(schedule, 5_900_000)).toEqual([5]);
    expect(schedule.skippedTicks).toBe(4);
  });

  it("keeps its promises at any rate and any lateness", () => {
    const rate = fc.oneof(
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 1, max: 1000, noNaN: true }),
    );
    const waits = fc.array(fc.oneof(fc.nat(3_000), fc.nat(50_000), fc.nat(2_000_000)));
    fc.assert(
      fc.property(rate, fc.nat(1e12), waits, (rateHz, startUs, steps) => {
        const schedule = new TickSchedule(rateHz, startUs);
        let nowUs = startUs;
        let last = -1;
        let ran = 0;
        for (const step of steps) {
          nowUs += step;
          const ticks = take(schedule, nowUs);
          expect(ticks.length).toBeLessThanOrEqual(CATCH_UP_TICKS_MAX);
          for (const tick of ticks) {
            expect(tick).toBeGreaterThan(last);
            expect(schedule.deadlineUs(tick)).toBeLessThanOrEqual(nowUs);
            last = tick;
            ran++;
          }
          // Either all that is due has run, or the most that may run in a row.
          if (schedule.nextDeadlineUs <= nowUs) expect(ticks.length).toBe(CATCH_UP_TICKS_MAX);
          expect(ran + schedule.skippedTicks).toBe(schedule.tick);
        }
      }),
    );
  });

  it("measures slip per tick", () => {
    const schedule = new TickSchedule(100, 0);
    const clock = [0, 40, 10_000, 10_500, 20_000, 20_000];
    const nowUs = (): number => clock.shift() as number;
    const ticks: number[] = [];
    expect(schedule.run(nowUs, (tick) => ticks.push(tick))).toBe(1);
    expect(schedule.run(nowUs, (tick) => ticks.push(tick))).toBe(1);
    expect(schedule.run(nowUs, (tick) => ticks.push(tick))).toBe(1);
    expect(ticks).toEqual([0, 1, 2]);
    expect(schedule.slip.count).toBe(3);
    expect(schedule.slip.min).toBe(1);
    expect(schedule.slip.max).toBe(500);
    // 40 µs, 500 µs, and 1 µs, which is the least.
    const buckets = schedule.slipHistogram.filter(({ ticks }) => ticks > 0);
    expect(buckets).toEqual([
      { upToUs: 16, ticks: 1 },
      { upToUs: 64, ticks: 1 },
      { upToUs: 512, ticks: 1 },
    ]);
  });

  it("counts a slip where it belongs", () => {
    const bounds = new TickSchedule(100, 0).slipHistogram.map(({ upToUs }) => upToUs);
    expect(bounds).toEqual([
      ...Array.from({ length: 16 }, (_, index) => 2 ** (index + 4)),
      Infinity,
    ]);
    for (const slipUs of [1, 15, 16, 17, 32, 33, 65_536, 65_537, 524_288, 524_289, 2 ** 40]) {
      const schedule = new TickSchedule(1, 0);
      schedule.advance();
      const nowUs = schedule.nextDeadlineUs + slipUs;
      // A clock that was late when the tick began, and not when it was asked for.
      const clock = [schedule.nextDeadlineUs, nowUs];
      schedule.run(
        () => clock.shift() as number,
        () => {},
      );
      const index = bounds.findIndex((upToUs) => slipUs <= upToUs);
      expect(schedule.slipHistogram[index].ticks, `${slipUs} µs`).toBe(1);
    }
  });

  it.each([0, 0.5, 1001, Number.NaN, "60", undefined])("refuses a rate of %s", (rate) => {
    expect(() => new TickSchedule(rate as number, 0)).toThrow("(Hz)");
  });
});

/** Virtual time: runs callbacks in order of their time, as an event loop would. */
class VirtualClock implements TickerClock {
  timeUs = 5_000_000;
  /** How late timers fire. */
  lateUs = 0;
  /** What one turn of the event loop costs. */
  turnUs = 20;
  turns = 0;
  #next = 0;
  readonly #waiting = new Map<number, { atUs: number; callback: () => void }>();

  nowUs(): number {
    return this.timeUs;
  }

  setTimer(callback: () => void, delayMs: number): number {
    expect(delayMs).toBe(Math.floor(delayMs));
    return this.#add(this.timeUs + delayMs * 1000 + this.lateUs, callback);
  }

  setSoon(callback: () => void): number {
    this.turns++;
    return this.#add(this.timeUs + this.turnUs, callback);
  }

  clearTimer(id: unknown): void {
    expect(this.#waiting.delete(id as number)).toBe(true);
  }

  clearSoon(id: unknown): void {
    expect(this.#waiting.delete(id as number)).toBe(true);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  runUntil(endUs: number): void {
    for (;;) {
      const first = [...this.#waiting].sort(([, a], [, b]) => a.atUs - b.atUs)[0];
      if (first === undefined || first[1].atUs > endUs) break;
      this.#waiting.delete(first[0]);
      this.timeUs = Math.max(this.timeUs, first[1].atUs);
      first[1].callback();
    }
    this.timeUs = Math.max(this.timeUs, endUs);
  }

  #add(atUs: number, callback: () => void): number {
    this.#waiting.set(++this.#next, { atUs, callback });
    return this.#next;
  }
}

describe("Ticker in virtual time", () => {
  it.each([1, 59.94, 60, 128, 240, 1000])("ticks at %d Hz, on time", (rateHz) => {
    const clock = new VirtualClock();
    clock.lateUs = 700;
    const startUs = clock.timeUs;
    let ticks = 0;
    const ticker = new Ticker({ rateHz, clock, onTick: () => ticks++ });
    ticker.start();
    clock.runUntil(startUs + 10_000_000);
    expect(ticks).toBe(Math.floor(rateHz * 10) + 1);
    expect(ticker.schedule.slip.max).toBeLessThanOrEqual(clock.turnUs);
    expect(ticker.schedule.skippedTicks).toBe(0);
  });

  it("spins no longer than 2.5 ms per tick", () => {
    const clock = new VirtualClock();
    const ticker = new Ticker({ rateHz: 60, clock, onTick: () => {} });
    ticker.start();
    clock.runUntil(clock.timeUs + 10_000_000);
    expect(clock.turns * clock.turnUs).toBeLessThanOrEqual(601 * 2_500 + 601 * clock.turnUs);
  });

  it("does not spin when told not to", () => {
    const clock = new VirtualClock();
    clock.lateUs = 300;
    let ticks = 0;
    const ticker = new Ticker({ rateHz: 60, spinUs: 0, clock, onTick: () => ticks++ });
    ticker.start();
    clock.runUntil(clock.timeUs + 10_002_000);
    expect(ticks).toBe(601);
    expect(clock.turns).toBe(1);
    expect(ticker.schedule.slip.max).toBeLessThanOrEqual(1_300);
  });

  it("catches up after a stall, with the event loop in between", () => {
    const clock = new VirtualClock();
    const startUs = clock.timeUs;
    const ticks: number[] = [];
    const ticker = new Ticker({
      rateHz: 100,
      clock,
      onTick: (tick) => {
        ticks.push(tick);
        if (tick === 10) clock.timeUs += 95_000;
      },
    });
    ticker.start();
    clock.runUntil(startUs + 300_000);
    expect(ticks).toEqual(Array.from({ length: 31 }, (_, tick) => tick));
  });

  it("skips after a long stall and keeps the beat", () => {
    const clock = new VirtualClock();
    const startUs = clock.timeUs;
    const ticks: number[] = [];
    const ticker = new Ticker({
      rateHz: 100,
      clock,
      onTick: (tick) => {
        ticks.push(tick);
        if (tick === 10) clock.timeUs = startUs + 3_000_000;
      },
    });
    ticker.start();
    clock.runUntil(startUs + 3_100_000);
    expect(ticks.slice(0, 12)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 276]);
    expect(ticks.at(-1)).toBe(310);
    expect(ticker.schedule.skippedTicks).toBe(265);
  });

  it("survives ticks that take longer than their period", () => {
    const clock = new VirtualClock();
    const startUs = clock.timeUs;
    let ticks = 0;
    const ticker = new Ticker({
      rateHz: 1000,
      clock,
      onTick: () => {
        ticks++;
        clock.timeUs += 5_000;
      },
    });
    ticker.start();
    clock.runUntil(startUs + 1_000_000);
    expect(ticks).toBeGreaterThan(150);
    expect(ticker.schedule.skippedTicks).toBeGreaterThan(0);
  });

  it("stops, also from a tick, and leaves no timer behind", () => {
    const clock = new VirtualClock();
    const ticks: number[] = [];
    const ticker = new Ticker({
      rateHz: 100,
      clock,
      onTick: (tick) => {
        ticks.push(tick);
        if (tick === 3) ticker.stop();
      },
    });
    ticker.start();
    ticker.start();
    expect(clock.waiting).toBe(1);
    expect(ticker.running).toBe(true);
    clock.runUntil(clock.timeUs + 1_000_000);
    expect(ticks).toEqual([0, 1, 2, 3]);
    expect(clock.waiting).toBe(0);
    ticker.start();
    ticker.stop();
    ticker.stop();
    expect(clock.waiting).toBe(0);
    expect(ticker.running).toBe(false);
  });

  it("runs no tick after a stop in the middle of a catch-up", () => {
    const clock = new VirtualClock();
    const ticks: number[] = [];
    const ticker = new Ticker({
      rateHz: 100,
      clock,
      onTick: (tick) => {
        ticks.push(tick);
        if (tick === 0) clock.timeUs += 50_000;
        if (tick === 2) ticker.stop();
      },
    });
    ticker.start();
    clock.runUntil(clock.timeUs + 1_000_000);
    expect(ticks).toEqual([0, 1, 2]);
  });

  it("starts anew from tick 0 when restarted in a tick", () => {
    const clock = new VirtualClock();
    const ticks: number[] = [];
    const ticker = new Ticker({
      rateHz: 100,
      clock,
      onTick: (tick) => {
        ticks.push(tick);
        if (ticks.length === 1) clock.timeUs += 50_000;
        if (ticks.length !== 3) return;
        ticker.stop();
        ticker.start();
      },
    });
    ticker.start();
    clock.runUntil(clock.timeUs + 100_000);
    expect(ticks.slice(0, 6)).toEqual([0, 1, 2, 0, 1, 2]);
    expect(clock.waiting).toBe(1);
  });

  it("goes on after a tick that throws", () => {
    const clock = new VirtualClock();
    const ticks: number[] = [];
    const ticker = new Ticker({
      rateHz: 100,
      clock,
      onTick: (tick) => {
        ticks.push(tick);
        if (tick === 1) throw new Error("a user's mistake");
      },
    });
    ticker.start();
    const endUs = clock.timeUs + 50_000;
    expect(() => clock.runUntil(endUs)).toThrow("a user's mistake");
    clock.runUntil(endUs);
    expect(ticks).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it.each<[string, object]>([
    ["no rate", { onTick: () => {} }],
    ["no handler", { rateHz: 60 }],
    ["a negative spin", { rateHz: 60, onTick: () => {}, spinUs: -1 }],
    ["a long spin", { rateHz: 60, onTick: () => {}, spinUs: 5001 }],
  ])("refuses %s", (_what, options) => {
    expect(() => new Ticker(options as TickerOptions)).toThrow(NetrtError);
  });
});

describe("Ticker on Node's timers", () => {
  it("holds 128 Hz, where setInterval would run at 138", async () => {
    let ticks = 0;
    const ticker = new Ticker({ rateHz: 128, onTick: () => ticks++ });
    const beganMs = performance.now();
    ticker.start();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    ticker.stop();
    const tookMs = performance.now() - beganMs;
    const { tick, skippedTicks } = ticker.schedule;
    expect(ticks + skippedTicks).toBe(tick);
    // None too many, however long the wait was, and none forgotten: a tick that has not run is one
    // that a busy machine had no time for since the ticker last did.
    expect(tick).toBeLessThanOrEqual(Math.floor((tookMs * 128) / 1000) + 1);
    expect(tick).toBeGreaterThanOrEqual(100);
  });
});
