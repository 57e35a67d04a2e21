/*
 * The round-trip time: smoothed as in RFC 6298, in integers that both engines truncate alike; its time-out, its
 * minimum and its jitter.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  RTO_MAX_US,
  RTO_MIN_US,
  RTT_MINIMUM_WINDOW_US,
  RTT_SAMPLE_MAX_US,
} from "../../lib/engine/limits.js";
import { type EngineProbe, RTT_FIELDS, twins } from "../twins.js";

type Fields = Record<(typeof RTT_FIELDS)[number], number>;

function openRtt(engine: EngineProbe) {
  const end = engine.endOpen(0);
  const out = new Float64Array(RTT_FIELDS.length);
  return {
    sample: (rawUs: number, nowUs = 0) => engine.rttSample(end, rawUs, nowUs),
    backOff: (nowUs = 0) => engine.rttBackOff(end, nowUs),
    timeoutUs: (sentUs = 1) => engine.rttTimeoutUs(end, sentUs),
    reorderUs: () => engine.rttReorderUs(end),
    reset: () => engine.rttReset(end),
    read(): Fields {
      engine.rttRead(end, out);
      return Object.fromEntries(RTT_FIELDS.map((field, index) => [field, out[index]])) as Fields;
    },
  };
}

describe.each(twins)("rtt of $name", ({ engine }) => {
  test("before the first sample: 100 ms, variation 50 ms, time-out 300 ms", () => {
    const rtt = openRtt(engine);
    expect(rtt.read()).toEqual({
      smoothedUs: 100_000,
      varianceUs: 50_000,
      latestUs: 0,
      minimumUs: 0,
      jitterUs: 0,
      samples: 0,
      backoff: 0,
    });
    expect(rtt.timeoutUs()).toBe(300_000);
  });

  test("the first sample is taken whole, half of it as variation", () => {
    const rtt = openRtt(engine);
    rtt.sample(30_001);
    expect(rtt.read()).toMatchObject({
      smoothedUs: 30_001,
      varianceUs: 15_000,
      latestUs: 30_001,
      minimumUs: 30_001,
      jitterUs: 0,
      samples: 1,
    });
    expect(rtt.timeoutUs()).toBe(30_001 + 60_000);
  });

  test("a sequence computed by hand", () => {
    const rtt = openRtt(engine);
    const seen = [80_000, 100_000, 60_000, 60_007, 61_000].map((sampleUs) => {
      rtt.sample(sampleUs);
      const { smoothedUs, varianceUs, jitterUs, minimumUs } = rtt.read();
      return [smoothedUs, varianceUs, jitterUs, minimumUs];
    });
    expect(seen).toEqual([
      // 80000, half of it.
      [80_000, 40_000, 0, 80_000],
      // error 20000: var - (40000 - 20000) / 4, srtt + 20000 / 8, jitter + 20000 / 16.
      [82_500, 35_000, 1250, 80_000],
      // error -22500: var - (35000 - 22500) / 4, srtt - 2812 (of 2812.5), jitter + (40000 - 1250) / 16 (2421.875).
      [79_688, 31_875, 3671, 60_000],
      // error -19681: var - 3048 (of 3048.5), srtt - 2460 (of 2460.125), jitter - 229 (3671 - 7 = 3664 / 16).
      [77_228, 28_827, 3442, 60_000],
      // error -16228: var - 3149 (of 3149.75), srtt - 2028 (of 2028.5), jitter - 153 (3442 - 993 = 2449 / 16).
      [75_200, 25_678, 3289, 60_000],
    ]);
    expect(rtt.timeoutUs()).toBe(75_200 + 4 * 25_678);
  });

  test("samples are cut to 1 µs and a minute", () => {
    for (const [rawUs, sampleUs] of [
      [-5, 1],
      [0, 1],
      [1, 1],
      [2, 2],
      [RTT_SAMPLE_MAX_US - 1, RTT_SAMPLE_MAX_US - 1],
      [RTT_SAMPLE_MAX_US, RTT_SAMPLE_MAX_US],
      [RTT_SAMPLE_MAX_US + 1, RTT_SAMPLE_MAX_US],
      [2 ** 52, RTT_SAMPLE_MAX_US],
    ]) {
      const rtt = openRtt(engine);
      rtt.sample(rawUs);
      expect(rtt.read().latestUs).toBe(sampleUs);
    }
  });

  test("the time-out lies between 10 ms and 2 s", () => {
    for (const [sampleUs, timeoutUs] of [
      [1, RTO_MIN_US],
      [3333, RTO_MIN_US],
      // Three times the first sample.
      [3334, 10_002],
      [666_666, 1_999_998],
      [666_668, RTO_MAX_US],
      [RTT_SAMPLE_MAX_US, RTO_MAX_US],
    ]) {
      const rtt = openRtt(engine);
      rtt.sample(sampleUs);
      expect(rtt.timeoutUs()).toBe(timeoutUs);
    }
  });

  test("each time-out in a row doubles it, up to 2 s; a sample ends that", () => {
    const rtt = openRtt(engine);
    const row = Array.from({ length: 6 }, () => {
      rtt.backOff();
      return rtt.timeoutUs();
    });
    expect(row).toEqual([600_000, 1_200_000, RTO_MAX_US, RTO_MAX_US, RTO_MAX_US, RTO_MAX_US]);
    expect(rtt.read().backoff).toBe(3);
    rtt.sample(100_000);
    expect(rtt.read().backoff).toBe(0);
    expect(rtt.timeoutUs()).toBe(300_000);
  });

  test("from the shortest time-out it takes eight doublings", () => {
    const rtt = openRtt(engine);
    rtt.sample(1);
    for (let doublings = 0; doublings < 20; doublings++) {
      expect(rtt.timeoutUs()).toBe(Math.min(RTO_MIN_US * 2 ** doublings, RTO_MAX_US));
      rtt.backOff();
    }
    expect(rtt.read().backoff).toBe(8);
  });

  test("the minimum is that of the last 10 to 20 s: a path that got longer is believed", () => {
    const rtt = openRtt(engine);
    const step = RTT_MINIMUM_WINDOW_US;
    rtt.sample(20_000, 0);
    rtt.sample(50_000, step - 1);
    expect(rtt.read().minimumUs).toBe(20_000);
    // The window ends: its own lowest was still the short path.
    rtt.sample(50_000, step);
    expect(rtt.read().minimumUs).toBe(20_000);
    rtt.sample(60_000, 2 * step - 1);
    expect(rtt.read().minimumUs).toBe(20_000);
    rtt.sample(60_000, 2 * step);
    expect(rtt.read().minimumUs).toBe(50_000);
    // A shorter path is believed at once.
    rtt.sample(40_000, 2 * step + 1);
    expect(rtt.read().minimumUs).toBe(40_000);
  });

  test("a packet may be overtaken for RTT + RTT/8, of the larger of the smoothed and the latest (R-26)", () => {
    const rtt = openRtt(engine);
    expect(rtt.reorderUs()).toBe(112_500);
    rtt.sample(80_000);
    expect(rtt.reorderUs()).toBe(90_000);
    rtt.sample(160_007);
    expect(rtt.reorderUs()).toBe(160_007 + 20_000);
    rtt.sample(1);
    const { smoothedUs } = rtt.read();
    expect(rtt.reorderUs()).toBe(smoothedUs + Math.trunc(smoothedUs / 8));
  });

  test("a steady path is known exactly", () => {
    const rtt = openRtt(engine);
    for (let count = 0; count < 200; count++) rtt.sample(42_000, count * 50_000);
    const { varianceUs, ...rest } = rtt.read();
    expect(rest).toMatchObject({ smoothedUs: 42_000, minimumUs: 42_000, jitterUs: 0 });
    expect(varianceUs).toBeLessThan(4);
  });

  test("one outlier moves the smoothed time by an eighth, and the time-out stays above it", () => {
    const rtt = openRtt(engine);
    for (let count = 0; count < 100; count++) rtt.sample(50_000);
    rtt.sample(250_000);
    expect(rtt.read().smoothedUs).toBe(75_000);
    expect(rtt.timeoutUs()).toBeGreaterThan(250_000);
  });

  test("a reset forgets everything", () => {
    const rtt = openRtt(engine);
    const fresh = rtt.read();
    rtt.sample(1234, 5);
    rtt.backOff();
    rtt.reset();
    expect(rtt.read()).toEqual(fresh);
  });

  test("any samples: bounded, and never a minimum above the latest", () => {
    const samples = fc.array(
      fc.tuple(fc.integer({ min: -100, max: 2 * RTT_SAMPLE_MAX_US }), fc.nat(8_000_000)),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(samples, (all) => {
        const rtt = openRtt(engine);
        let nowUs = 0;
        for (const [rawUs, waitUs] of all) {
          nowUs += waitUs;
          rtt.sample(rawUs, nowUs);
          const fields = rtt.read();
          expect(fields.minimumUs).toBeLessThanOrEqual(fields.latestUs);
          expect(fields.minimumUs).toBeGreaterThan(0);
          expect(fields.smoothedUs).toBeGreaterThan(0);
          expect(fields.smoothedUs).toBeLessThanOrEqual(RTT_SAMPLE_MAX_US);
          expect(fields.varianceUs).toBeGreaterThanOrEqual(0);
          expect(fields.jitterUs).toBeGreaterThanOrEqual(0);
          expect(rtt.timeoutUs()).toBeGreaterThanOrEqual(RTO_MIN_US);
          expect(rtt.timeoutUs()).toBeLessThanOrEqual(RTO_MAX_US);
        }
      }),
    );
  });
});

test("the engines agree on any samples and time-outs", () => {
  const steps = fc.array(
    fc.oneof(
      fc.tuple(fc.integer({ min: -10, max: 3_000_000 }), fc.nat(3_000_000)),
      fc.tuple(fc.integer({ min: -10, max: RTT_SAMPLE_MAX_US + 10 }), fc.nat(30_000_000)),
      fc.constant(null),
    ),
    { maxLength: 80 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const [first, ...others] = twins.map(({ engine }) => {
        const rtt = openRtt(engine);
        let nowUs = 0;
        return all.map((step) => {
          if (step === null) rtt.backOff();
          else {
            nowUs += step[1];
            rtt.sample(step[0], nowUs);
          }
          return [rtt.read(), rtt.timeoutUs(), rtt.reorderUs()];
        });
      });
      for (const other of others) expect(other).toEqual(first);
    }),
  );
});
