/*
 * Congestion control of both engines: the window by delay and loss, round trip by round trip, and Glenn Fiedler's
 * good and bad mode with his numbers.
 */
import { describe, expect, test } from "vitest";
import {
  CONGESTION_BINARY,
  CONGESTION_DELAY,
  CONGESTION_FIXED,
} from "../../lib/engine/congestion.js";
import {
  CONGESTION_LOSS_FLOOR,
  CONGESTION_PROBE_US,
  CONGESTION_STEP,
  CONGESTION_TARGET_US,
  CONGESTION_WINDOW_INITIAL,
  CONGESTION_WINDOW_MAX,
  CONGESTION_WINDOW_MIN,
  PACING_RATE_MAX,
} from "../../lib/engine/limits.js";
import { type EngineProbe, ROAD_FIELDS } from "../engine-probe.js";
import { twins } from "../twins.js";

const MS = 1000;
const S = 1_000_000;
/** What a window grows by with so much of a queue. */
const step = (delayMs: number) =>
  Math.trunc((CONGESTION_STEP * (CONGESTION_TARGET_US - delayMs * MS)) / CONGESTION_TARGET_US);

function open(engine: EngineProbe, mode = CONGESTION_DELAY) {
  const road = engine.congestionOpen(mode, 0);
  const out = new Float64Array(ROAD_FIELDS.length);
  let number = 0;
  let nowUs = 0;
  const counts = { acked: 0, lost: 0 };
  const read = () => {
    engine.congestionRead(road, out);
    return Object.fromEntries(ROAD_FIELDS.map((field, index) => [field, out[index]]));
  };
  return {
    road,
    read,
    /** A round trip of 100 packets with so much queueing delay over 50 ms, so many lost; all of the window used, or a part. */
    round(delayMs: number, lost = 0, used = 1) {
      number += 100;
      counts.acked += 100 - lost;
      counts.lost += lost;
      engine.congestionSent(road, Math.trunc(read().windowBytes * used));
      const rttUs = 50 * MS + delayMs * MS;
      engine.congestionRtt(road, rttUs + 20 * MS, 50 * MS, rttUs);
      engine.congestionRtt(road, rttUs, 50 * MS, rttUs);
      nowUs += rttUs;
      engine.congestionAcked(road, number, number + 1, counts.acked, counts.lost, nowUs);
      return read().windowBytes;
    },
  };
}

describe.each(twins)("congestion control of $name by delay (R-58)", ({ engine }) => {
  test("the window doubles until a queue shows, then grows by less the nearer the target", () => {
    const { read, round } = open(engine);
    // The first ack ends a round trip that knows of nothing before it.
    expect(read().windowBytes).toBe(CONGESTION_WINDOW_INITIAL);
    expect(round(0)).toBe(2 * CONGESTION_WINDOW_INITIAL);
    expect(round(4)).toBe(4 * CONGESTION_WINDOW_INITIAL);
    expect(read().starting).toBe(1);
    expect(round(5)).toBe(4 * CONGESTION_WINDOW_INITIAL + step(5));
    expect(read().starting).toBe(0);
    expect(round(8)).toBe(4 * CONGESTION_WINDOW_INITIAL + step(5) + step(8));
    expect(round(9)).toBe(4 * CONGESTION_WINDOW_INITIAL + step(5) + step(8));
  });

  test("a queue above the target is drained", () => {
    const { round } = open(engine);
    round(7);
    const before = round(7);
    // 50 of 75 ms are the path's own: two thirds.
    expect(round(25)).toBe(Math.trunc((before * 50) / 75));
    for (let trip = 0; trip < 40; trip++) round(200);
    expect(round(200)).toBe(CONGESTION_WINDOW_MIN);
  });

  test("the lowest delay of a round trip counts, so that jitter is no queue", () => {
    const { round, road, read } = open(engine);
    round(7);
    const before = read().windowBytes;
    engine.congestionRtt(road, 500 * MS, 50 * MS, 60 * MS);
    expect(round(1)).toBe(before + step(1));
  });

  test("a queue that comes and goes within a round trip stops the growth, and shrinks nothing", () => {
    const { round, road, read } = open(engine);
    round(7);
    const before = read().windowBytes;
    // The lowest is 0, the mean 20 ms.
    engine.congestionSent(road, before);
    engine.congestionRtt(road, 50 * MS, 50 * MS, 70 * MS);
    engine.congestionAcked(road, 1000, 1001, 1000, 0, 100 * MS);
    expect(read().windowBytes).toBe(before);
  });

  test("a tenth of the packets lost is congestion, less is a lossy link", () => {
    const { round } = open(engine);
    round(7);
    const before = round(7);
    expect(round(7, 9)).toBe(before + step(7));
    expect(round(7, 11)).toBe(Math.trunc(((before + step(7)) * 7) / 10));
    // Without a queue it is a lossy link, up to three times as much.
    const clear = open(engine);
    clear.round(7);
    const first = clear.read().windowBytes;
    expect(clear.round(2, 29)).toBe(first + step(2));
    expect(clear.round(2, 31)).toBe(Math.trunc(((first + step(2)) * 7) / 10));
    for (let trip = 0; trip < 40; trip++) round(7, 50);
    expect(round(7, 50)).toBe(CONGESTION_LOSS_FLOOR);
  });

  test("four round trips without a queue, and it grows by an eighth, up to all numbers", () => {
    const { round } = open(engine);
    round(7);
    let window = round(1);
    for (let trip = 0; trip < 3; trip++) window = round(1);
    const grown = window + Math.trunc(window / 8) + step(1);
    expect(round(1)).toBe(grown);
    // What is acked now was sent before: it shows nothing of that.
    expect(round(8)).toBe(grown);
    expect(round(1)).toBe(grown + Math.trunc(grown / 8) + step(1));
    for (let trip = 0; trip < 60; trip++) round(1);
    expect(round(1)).toBe(CONGESTION_WINDOW_MAX);
  });

  test("a queue that never went away is emptied after five seconds, so that the path's own length is known", () => {
    const { round } = open(engine);
    let window = round(7);
    const rounds = Math.trunc((CONGESTION_PROBE_US - 1) / (57 * MS)) - 1;
    for (let trip = 0; trip < rounds; trip++) window = round(7);
    // Three quarters of what would empty it; two round trips later it is as before.
    const beneath = Math.trunc((Math.trunc((window * 50) / 57) * 3) / 4);
    expect(round(7)).toBe(beneath);
    expect(round(7)).toBe(beneath);
    expect(round(0)).toBe(window);
    expect(round(7)).toBe(window);
    expect(round(7)).toBe(window + step(7));
    // One that was seen empty meanwhile needs no look beneath.
    for (let trip = 0; trip < 2 * rounds; trip++) round(trip % 50 === 0 ? 2 : 8);
    expect(round(8)).toBeGreaterThan(window);
  });

  test("what does not use its window learns nothing of the path", () => {
    const { round } = open(engine);
    for (const [delayMs, lost] of [
      [0, 0],
      [300, 0],
      [0, 80],
    ]) {
      expect(round(delayMs, lost, 0.4)).toBe(CONGESTION_WINDOW_INITIAL);
    }
    // What uses no more than a part of it doesn't need more.
    expect(round(0, 0, 0.8)).toBe(CONGESTION_WINDOW_INITIAL);
  });

  test("a time-out halves it, and it starts again", () => {
    const { road, read, round } = open(engine);
    round(7);
    const before = read().windowBytes;
    engine.congestionTimedOut(road);
    expect(read()).toMatchObject({ windowBytes: Math.trunc(before / 2), starting: 1 });
    for (let time = 0; time < 20; time++) engine.congestionTimedOut(road);
    expect(read().windowBytes).toBe(CONGESTION_LOSS_FLOOR);
  });

  test("so many bytes may be on their way, at five quarters of the window in a round trip", () => {
    const { read, round } = open(engine);
    round(0);
    expect(read()).toMatchObject({ openBelow: 1, openAt: 0 });
    expect(read().rate).toBe(Math.trunc((2 * read().windowBytes * S) / (50 * MS)));
    round(7);
    expect(read().rate).toBe(Math.trunc((read().windowBytes * 5 * (S / 4)) / (57 * MS)));
  });

  test("without a controller the rate alone bounds", () => {
    const { read, round } = open(engine, CONGESTION_FIXED);
    expect(round(500, 90)).toBe(CONGESTION_WINDOW_MAX);
    expect(read()).toMatchObject({ rate: PACING_RATE_MAX, packetRate: 0 });
  });
});

describe.each(twins)("binary mode of $name (R-59)", ({ engine }) => {
  function binary() {
    const { road, read } = open(engine, CONGESTION_BINARY);
    let nowUs = 0;
    return {
      /** So long at such a round-trip time, looked at every 10 ms; the packet rate then. */
      run(ms: number, rttMs: number, minimumMs = 50) {
        engine.congestionRtt(road, rttMs * MS, minimumMs * MS, rttMs * MS);
        for (let passed = 0; passed < ms; passed += 10) {
          nowUs += 10 * MS;
          engine.congestionJudge(road, nowUs);
        }
        return read().packetRate;
      },
      penaltyS: () => read().penaltyUs / S,
    };
  }

  test("30 packets a second in good conditions, 10 at once in bad ones", () => {
    const { run } = binary();
    expect(run(1000, 100)).toBe(30);
    expect(run(10, 250)).toBe(30);
    expect(run(10, 251)).toBe(10);
    // A player far away is not congested.
    const far = binary();
    expect(far.run(1000, 300, 160)).toBe(30);
    expect(far.run(1000, 330, 160)).toBe(10);
  });

  test("back to good after the penalty of good conditions without a break", () => {
    const { run } = binary();
    run(11_000, 100);
    run(1000, 400);
    // 10 s of good had halved it to 2 s.
    expect(run(1990, 100)).toBe(10);
    expect(run(10, 400)).toBe(10);
    expect(run(2000, 100)).toBe(10);
    expect(run(20, 100)).toBe(30);
  });

  test("bad again within 10 s doubles the penalty, up to a minute", () => {
    const { run, penaltyS } = binary();
    const penalties: number[] = [];
    for (let time = 0; time < 6; time++) {
      run(20, 400);
      penalties.push(penaltyS());
      run(penaltyS() * 1000 + 20, 100);
    }
    expect(penalties).toEqual([8, 16, 32, 60, 60, 60]);
  });

  test("each 10 s of good halve it, down to a second", () => {
    const { run, penaltyS } = binary();
    const penalties = Array.from({ length: 4 }, () => {
      run(10_000, 100);
      return penaltyS();
    });
    expect(penalties).toEqual([2, 1, 1, 1]);
  });
});
