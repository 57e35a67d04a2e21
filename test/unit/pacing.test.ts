/*
 * The budget of a connection: a token bucket of the send rate that holds 20 ms of it, at least 8 full packets,
 * and from which everything is paid.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  PACING_BURST_PACKETS,
  PACING_RATE_MAX,
  PACING_RATE_MIN,
  PACKET_BYTES_MAX,
} from "../../lib/engine/limits.js";
import { type EngineProbe, twins } from "../twins.js";

const SECOND_US = 1_000_000;
const LEAST_BURST_BYTES = PACING_BURST_PACKETS * PACKET_BYTES_MAX;
/** From here on 20 ms are more than 8 packets. */
const RATE_OF_LEAST_BURST = LEAST_BURST_BYTES * 50;
const RATES = [
  PACING_RATE_MIN,
  PACING_RATE_MIN + 1,
  65_537,
  RATE_OF_LEAST_BURST - 1,
  RATE_OF_LEAST_BURST,
  RATE_OF_LEAST_BURST + 1,
  1_250_000,
  999_999_937,
  PACING_RATE_MAX,
];
const burstBytes = (rate: number) => Math.max(rate * 0.02, LEAST_BURST_BYTES);

function openPacing(engine: EngineProbe, rate: number, nowUs = 0) {
  const pacing = engine.pacingOpen(rate, nowUs);
  return {
    ready: (atUs: number) => engine.pacingReady(pacing, atUs),
    spend: (bytes: number) => engine.pacingSpend(pacing, bytes),
    nextUs: (atUs: number) => engine.pacingNextUs(pacing, atUs),
    /** Sends packets of one size as long as it may; their bytes. */
    burst(atUs: number, bytes = PACKET_BYTES_MAX): number {
      let total = 0;
      for (; engine.pacingReady(pacing, atUs); total += bytes) engine.pacingSpend(pacing, bytes);
      return total;
    },
  };
}

/** The rule in whole numbers of any size: bytes times 10^6. */
class Model {
  readonly #rate: bigint;
  readonly #burst: bigint;
  credit: bigint;
  #nowUs: bigint;

  constructor(rate: number, nowUs: number) {
    this.#rate = BigInt(rate);
    const least = BigInt(LEAST_BURST_BYTES) * 1_000_000n;
    this.#burst = this.#rate * 20_000n > least ? this.#rate * 20_000n : least;
    this.credit = this.#burst;
    this.#nowUs = BigInt(nowUs);
  }

  ready(nowUs: number): boolean {
    const now = BigInt(nowUs);
    if (now > this.#nowUs) {
      this.credit += (now - this.#nowUs) * this.#rate;
      if (this.credit > this.#burst) this.credit = this.#burst;
      this.#nowUs = now;
    }
    return this.credit > 0n;
  }

  spend(bytes: number): void {
    this.credit -= BigInt(bytes) * 1_000_000n;
  }

  /** The first whole µs at which there is credit. */
  nextUs(nowUs: number): number {
    return this.credit > 0n ? nowUs : Number(this.#nowUs + -this.credit / this.#rate + 1n);
  }
}

describe.each(twins)("pacing of $name", ({ engine }) => {
  test.each(RATES)("at %i B/s the first burst is 20 ms, at least 8 full packets", (rate) => {
    const sent = openPacing(engine, rate).burst(0);
    expect(sent).toBeGreaterThanOrEqual(burstBytes(rate));
    // The last packet may overdraw: its size is known only once it is written.
    expect(sent).toBeLessThan(burstBytes(rate) + PACKET_BYTES_MAX);
  });

  test("eight full packets go out at once at the slowest rate, a ninth does not", () => {
    const pacing = openPacing(engine, PACING_RATE_MIN);
    const sent = Array.from({ length: 9 }, () => {
      const ready = pacing.ready(0);
      if (ready) pacing.spend(PACKET_BYTES_MAX);
      return ready;
    });
    expect(sent).toEqual([...new Array<boolean>(8).fill(true), false]);
  });

  test.each(RATES)("%i B/s over a virtual second, within one packet", (rate) => {
    const pacing = openPacing(engine, rate);
    const bytes = Math.min(PACKET_BYTES_MAX, rate);
    pacing.burst(0, bytes);
    let nowUs = pacing.nextUs(0);
    const startUs = nowUs;
    let sent = 0;
    // At most 2,000 steps: at the fastest rates a step is a burst.
    const stepUs = Math.max(pacing.nextUs(0), 500);
    while (nowUs < startUs + SECOND_US) {
      sent += pacing.burst(nowUs, bytes);
      nowUs = Math.max(nowUs + stepUs, pacing.nextUs(nowUs));
    }
    // What the bucket gained since: a step's worth may be left for the next.
    const slack = bytes + (rate * 2 * stepUs) / SECOND_US;
    expect(Math.abs(sent - rate)).toBeLessThanOrEqual(slack);
    expect(sent).toBeLessThanOrEqual(rate + bytes + 1);
  });

  test.each(RATES)("at %i B/s the time of the next packet is exact", (rate) => {
    for (const bytes of [1, 18, 100, PACKET_BYTES_MAX - 1, PACKET_BYTES_MAX]) {
      const pacing = openPacing(engine, rate, 777);
      pacing.spend(Math.ceil(burstBytes(rate)) + bytes);
      const nextUs = pacing.nextUs(777);
      expect(nextUs).toBeGreaterThan(777);
      expect(pacing.ready(nextUs - 1)).toBe(false);
      expect(pacing.ready(nextUs)).toBe(true);
    }
  });

  test("an exactly empty bucket waits one µs", () => {
    const pacing = openPacing(engine, PACING_RATE_MAX);
    pacing.spend(PACING_RATE_MAX / 50);
    expect(pacing.ready(0)).toBe(false);
    expect(pacing.nextUs(0)).toBe(1);
    expect(pacing.ready(1)).toBe(true);
  });

  test("while there is credit the next time is now", () => {
    const pacing = openPacing(engine, 1_250_000, 5);
    expect(pacing.nextUs(5)).toBe(5);
    expect(pacing.nextUs(99)).toBe(99);
  });

  test("an overdraft is paid back before anything goes out", () => {
    const pacing = openPacing(engine, SECOND_US);
    expect(pacing.ready(0)).toBe(true);
    // 20,000 B in the bucket, 1 µs a byte.
    pacing.spend(20_000 + 700);
    expect(pacing.nextUs(0)).toBe(701);
    expect([pacing.ready(700), pacing.ready(701)]).toEqual([false, true]);
  });

  test.each(RATES)(
    "at %i B/s an idle connection gains one burst, however long it was idle",
    (rate) => {
      // The slowest rate fills its bucket, overdraft included, in 11.1 s.
      for (const idleUs of [12 * SECOND_US, 60 * SECOND_US, 2 ** 45]) {
        const pacing = openPacing(engine, rate);
        const first = pacing.burst(0);
        expect(pacing.burst(idleUs)).toBe(first);
      }
    },
  );

  test("a time in the past changes nothing", () => {
    const pacing = openPacing(engine, 10_000, 5 * SECOND_US);
    pacing.burst(5 * SECOND_US);
    const nextUs = pacing.nextUs(5 * SECOND_US);
    expect(pacing.ready(0)).toBe(false);
    expect(pacing.ready(5 * SECOND_US)).toBe(false);
    expect(pacing.nextUs(0)).toBe(nextUs);
  });

  test("any use, against whole numbers of any size", () => {
    const steps = fc.array(
      fc.tuple(
        fc.oneof(fc.nat(50), fc.nat(100_000), fc.nat(20 * SECOND_US), fc.nat(2 ** 40)),
        fc.oneof(fc.nat(PACKET_BYTES_MAX), fc.constant(LEAST_BURST_BYTES)),
      ),
      { maxLength: 60 },
    );
    const rates = fc.oneof(
      fc.constantFrom(...RATES),
      fc.integer({ min: PACING_RATE_MIN, max: PACING_RATE_MAX }),
    );
    fc.assert(
      fc.property(rates, steps, (rate, all) => {
        let nowUs = 1000;
        const pacing = openPacing(engine, rate, nowUs);
        const model = new Model(rate, nowUs);
        for (const [waitUs, bytes] of all) {
          nowUs += waitUs;
          expect(pacing.ready(nowUs)).toBe(model.ready(nowUs));
          expect(pacing.nextUs(nowUs)).toBe(model.nextUs(nowUs));
          pacing.spend(bytes);
          model.spend(bytes);
          expect(pacing.nextUs(nowUs)).toBe(model.nextUs(nowUs));
        }
      }),
      { numRuns: 200 },
    );
  });
});
