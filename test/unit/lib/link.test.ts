// The simulated link, in virtual time.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NetrtError } from "../../../lib/errors.js";
import { Link, type LinkOptions } from "../../../lib/sim/link.js";

const END_US = Number.MAX_SAFE_INTEGER;

interface Arrival {
  readonly atUs: number;
  readonly sentUs: number;
  readonly number: number;
}

function datagram(number: number, bytes = 4): Uint8Array {
  const content = new Uint8Array(Math.max(4, bytes));
  new DataView(content.buffer).setUint32(0, number);
  return content;
}

/** Pushes `count` datagrams, one each `everyUs`, and gives what arrived, in order. */
function run(link: Link, count: number, everyUs: number, bytes = 4): Arrival[] {
  const arrivals: Arrival[] = [];
  const drain = (untilUs: number): void => {
    while (link.nextUs <= untilUs) {
      const atUs = link.nextUs;
      const content = link.pop(atUs) as Uint8Array;
      const number = new DataView(content.buffer).getUint32(0);
      arrivals.push({ atUs, sentUs: number * everyUs, number });
    }
  };
  for (let number = 0; number < count; number++) {
    drain(number * everyUs);
    link.push(number * everyUs, datagram(number, bytes));
  }
  drain(END_US);
  return arrivals;
}

const delays = (arrivals: Arrival[]): number[] => arrivals.map((a) => a.atUs - a.sentUs);
const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const inversions = (arrivals: Arrival[]): number =>
  arrivals.filter((a, index) => index > 0 && a.number < arrivals[index - 1].number).length;

describe("Link", () => {
  it("delivers all, at once and unchanged, when nothing is wrong", () => {
    const link = new Link({}, 1);
    link.push(10, new Uint8Array([1, 2, 3]));
    link.push(10, new Uint8Array([]));
    expect(link.nextUs).toBe(10);
    expect(link.size).toBe(2);
    expect(link.pop(9)).toBeNull();
    expect(link.pop(10)).toEqual(new Uint8Array([1, 2, 3]));
    expect(link.pop(10)).toEqual(new Uint8Array([]));
    expect(link.pop(10)).toBeNull();
    expect(link.nextUs).toBe(Number.POSITIVE_INFINITY);
  });

  it("copies what is pushed, Buffers as well", () => {
    // Buffer.slice shares its memory: a relay once corrupted what its own caller still held.
    const link = new Link({ corruptPercent: 100 }, 1);
    const buffer = Buffer.alloc(100);
    link.push(0, buffer);
    expect(buffer.every((byte) => byte === 0)).toBe(true);
    buffer.fill(0xff);
    const ones = (link.pop(0) as Uint8Array).reduce((sum, byte) => sum + (byte === 0 ? 0 : 1), 0);
    expect(ones).toBeLessThanOrEqual(3);
  });

  it("delays by the delay", () => {
    const arrivals = run(new Link({ delayUs: 20_000 }, 1), 100, 1000);
    expect(new Set(delays(arrivals))).toEqual(new Set([20_000]));
  });

  it("loses its share, evenly", () => {
    const link = new Link({ loss: 5 }, 1);
    const arrivals = run(link, 100_000, 100);
    expect(link.counters.lost + arrivals.length).toBe(100_000);
    expect(link.counters.lost).toBeGreaterThan(4_700);
    expect(link.counters.lost).toBeLessThan(5_300);
    expect(run(new Link({ loss: 100 }, 1), 100, 100)).toEqual([]);
  });

  it("loses in bursts as the Gilbert-Elliott chain says", () => {
    // Bad for 1 / (1 + 24) of the time, 4 datagrams at a stretch on average.
    const link = new Link({ loss: { enterPercent: 1.041_67, leavePercent: 25 } }, 3);
    const arrivals = run(link, 200_000, 100);
    expect(link.counters.lost / 2000).toBeGreaterThan(3.6);
    expect(link.counters.lost / 2000).toBeLessThan(4.4);
    const bursts: number[] = [];
    for (const [index, arrival] of arrivals.entries()) {
      const gap = arrival.number - (index === 0 ? -1 : arrivals[index - 1].number) - 1;
      if (gap > 0) bursts.push(gap);
    }
    expect(mean(bursts)).toBeGreaterThan(3.6);
    expect(mean(bursts)).toBeLessThan(4.4);
  });

  it("loses in both states when told so", () => {
    const loss = { enterPercent: 50, leavePercent: 50, goodLossPercent: 10, badLossPercent: 30 };
    const link = new Link({ loss }, 1);
    run(link, 100_000, 100);
    expect(link.counters.lost / 1000).toBeGreaterThan(19);
    expect(link.counters.lost / 1000).toBeLessThan(21);
  });

  it.each([
    ["uniform", 20_000, 5_000 / Math.sqrt(3), 15_000, 25_000],
    ["normal", 20_000, 5_000, 2_500, 37_500],
    ["longTail", 23_700, null, 20_000, 180_000],
  ] as const)("spreads %s jitter as described", (jitterShape, center, deviation, least, most) => {
    const options = { delayUs: 20_000, jitterUs: 5_000, jitterShape, jitterReorders: true };
    const values = delays(run(new Link(options, 1), 50_000, 100));
    expect(Math.abs(mean(values) - center)).toBeLessThan(150);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...values)).toBeLessThanOrEqual(most);
    if (deviation === null) return;
    const variance = mean(values.map((value) => (value - center) ** 2));
    expect(Math.abs(Math.sqrt(variance) - deviation)).toBeLessThan(deviation * 0.03);
  });

  it("keeps the order under jitter, unless told otherwise", () => {
    const options: LinkOptions = { delayUs: 20_000, jitterUs: 10_000 };
    expect(inversions(run(new Link(options, 1), 1000, 1000))).toBe(0);
    expect(
      inversions(run(new Link({ ...options, jitterReorders: true }, 1), 1000, 1000)),
    ).toBeGreaterThan(100);
  });

  it("never delivers before the push, however strong the jitter", () => {
    const link = new Link({ delayUs: 100, jitterUs: 50_000, jitterReorders: true }, 1);
    expect(Math.min(...delays(run(link, 1000, 100)))).toBeGreaterThanOrEqual(0);
  });

  it("holds back its share, so that others overtake", () => {
    const link = new Link({ delayUs: 1000, reorderPercent: 10, reorderUs: 5_000 }, 1);
    const values = delays(run(link, 10_000, 1000));
    expect(values.filter((value) => value === 6_000).length).toBe(link.counters.reordered);
    expect(values.filter((value) => value === 1_000).length).toBe(10_000 - link.counters.reordered);
    expect(Math.abs(link.counters.reordered - 1000)).toBeLessThan(100);
  });

  it("delivers its share twice", () => {
    const link = new Link({ duplicatePercent: 10 }, 1);
    const arrivals = run(link, 10_000, 100);
    expect(arrivals.length).toBe(10_000 + link.counters.duplicated);
    expect(Math.abs(link.counters.duplicated - 1000)).toBeLessThan(100);
  });

  it("flips one to three bits of its share", () => {
    const link = new Link({ corruptPercent: 10 }, 1);
    let damaged = 0;
    for (let index = 0; index < 10_000; index++) {
      link.push(index, new Uint8Array(40));
      let flipped = 0;
      for (const byte of link.pop(index) as Uint8Array) {
        for (let bits = byte; bits !== 0; bits &= bits - 1) flipped++;
      }
      expect(flipped).toBeLessThanOrEqual(3);
      if (flipped > 0) damaged++;
    }
    // Two flips of the same bit undo each other: damaged may be a little less than corrupted.
    expect(link.counters.corrupted - damaged).toBeLessThan(20);
    expect(Math.abs(link.counters.corrupted - 1000)).toBeLessThan(100);
  });

  it("lets the rate through, headers counted", () => {
    // 72 + 28 bytes at 100,000 bytes/s: one each millisecond.
    const link = new Link({ rateBytes: 100_000, queueBytesMax: 1_000_000 }, 1);
    for (let number = 0; number < 10; number++) link.push(0, datagram(number, 72));
    const times: number[] = [];
    while (link.size > 0) {
      times.push(link.nextUs);
      link.pop(link.nextUs);
    }
    expect(times).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((ms) => ms * 1000));
  });

  it("drops what the queue can't hold, and takes more once it drained", () => {
    const link = new Link({ rateBytes: 100_000, queueBytesMax: 300, headerBytes: 0 }, 1);
    for (let number = 0; number < 5; number++) link.push(0, datagram(number, 100));
    expect(link.counters.overflowed).toBe(2);
    link.push(1000, datagram(5, 100));
    expect(link.counters.overflowed).toBe(2);
    link.push(1000, datagram(6, 100));
    expect(link.counters.overflowed).toBe(3);
    expect(link.size).toBe(4);
  });

  it("drops what is pushed while it is down, and delivers what is inside", () => {
    const link = new Link({ delayUs: 1000 }, 1);
    link.push(0, datagram(0));
    link.up = false;
    expect(link.up).toBe(false);
    link.push(500, datagram(1));
    expect(link.pop(1000)).toEqual(datagram(0));
    link.up = true;
    link.push(1000, datagram(2));
    expect(link.pop(2000)).toEqual(datagram(2));
    expect(link.counters).toMatchObject({ pushed: 3, delivered: 2, partitioned: 1 });
  });

  it("changes while datagrams are inside, which keep their fates", () => {
    const link = new Link({ delayUs: 1000 }, 1);
    link.push(0, datagram(0));
    link.change({ loss: 100 });
    link.push(0, datagram(1));
    expect(link.nextUs).toBe(1000);
    expect(link.size).toBe(1);
    expect(() => link.change({ loss: 101 })).toThrow(NetrtError);
    expect(link.counters.lost).toBe(1);
  });

  const faults = fc.record(
    {
      loss: fc.oneof(
        fc.integer({ min: 0, max: 100 }),
        fc.record({
          enterPercent: fc.integer({ min: 0, max: 100 }),
          leavePercent: fc.integer({ min: 0, max: 100 }),
        }),
      ),
      delayUs: fc.nat(100_000),
      jitterUs: fc.nat(100_000),
      jitterShape: fc.constantFrom("uniform" as const, "normal" as const, "longTail" as const),
      jitterReorders: fc.boolean(),
      reorderPercent: fc.nat(100),
      duplicatePercent: fc.nat(100),
      corruptPercent: fc.nat(100),
      rateBytes: fc.integer({ min: 1000, max: 1_000_000 }),
      queueBytesMax: fc.integer({ min: 1, max: 10_000 }),
    },
    { requiredKeys: [] },
  );

  it("gives the same run for the same seed, and another for another", () => {
    fc.assert(
      fc.property(faults, fc.integer(), (options, seed) => {
        const trace = (): Arrival[] => run(new Link(options, seed), 100, 500);
        expect(trace()).toEqual(trace());
      }),
    );
    const options = { loss: 50, jitterUs: 1000 };
    expect(run(new Link(options, 1), 100, 500)).not.toEqual(run(new Link(options, 2), 100, 500));
  });

  it("accounts for every datagram", () => {
    fc.assert(
      fc.property(faults, fc.integer(), fc.nat(99), (options, seed, downFrom) => {
        const link = new Link(options, seed);
        for (let number = 0; number < 100; number++) {
          link.up = number < downFrom;
          link.push(number * 500, datagram(number, 60));
          link.pop(number * 500);
        }
        const { pushed, duplicated, delivered, lost, overflowed, partitioned } = link.counters;
        expect(pushed).toBe(100);
        expect(pushed + duplicated).toBe(delivered + lost + overflowed + partitioned + link.size);
      }),
    );
  });

  it.each([
    null,
    3,
    { loss: -1 },
    { loss: 101 },
    { loss: "5" },
    { loss: null },
    { loss: { enterPercent: 5 }, jitterShape: "square" },
    { loss: { enterPercent: 101, leavePercent: 1 } },
    { delayUs: -1 },
    { delayUs: 0.5 },
    { delayUs: 60_000_001 },
    { jitterUs: Number.NaN },
    { jitterShape: "square" },
    { jitterReorders: 1 },
    { reorderPercent: 200 },
    { rateBytes: 0 },
    { queueBytesMax: 0 },
    { headerBytes: 101 },
  ])("refuses the options %o", (options) => {
    expect(() => new Link(options as LinkOptions, 1)).toThrow(
      expect.objectContaining({ code: "ERR_NETRT_ARGUMENT" }),
    );
  });

  it("refuses a seed that is no integer", () => {
    expect(() => new Link({}, 0.5)).toThrow(NetrtError);
  });
});
