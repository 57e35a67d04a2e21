/*
 * The way in of a channel: sequenced, the newest wins; ordered, each id once and in order, a gap waits until it is filled
 * or skipped, within the window; unordered, each id once; what finds no memory is refused.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  RECEIVE_HELD,
  RECEIVE_OK,
  RECEIVE_REFUSED,
  RECEIVE_VIOLATION,
} from "../../lib/engine/delivery.js";
import {
  CHANNEL_ACCEPT,
  COMPLETION_END_BYTES,
  MESSAGE_BYTES_MAX,
} from "../../lib/engine/limits.js";
import {
  ORDER_NONE,
  ORDER_ORDERED,
  ORDER_SEQUENCED,
  REPAIR_ACK,
  REPAIR_NACK,
  REPAIR_NONE,
} from "../../lib/engine/policy.js";
import { RECORD_BYTES } from "../../lib/engine/ring.js";
import {
  CHANNEL_BYTES_RECEIVED,
  CHANNEL_DUPLICATES,
  CHANNEL_LATE,
  CHANNEL_RECEIVED,
  CHANNEL_SKIPPED,
} from "../../lib/engine/stats.js";
import { Line, policyWords } from "../line.js";
import { type EngineProbe, twins } from "../twins.js";

const REPAIR = REPAIR_ACK | REPAIR_NACK;
const ORDERED = policyWords(ORDER_ORDERED, REPAIR);
const SEQUENCED = policyWords(ORDER_SEQUENCED, REPAIR_NONE);
const UNORDERED = policyWords(ORDER_NONE, REPAIR);
/** Where 16 bits wrap, where they do so again, and where 32 bits do. */
const STARTS = [0, 65_533, 2 * 65_536 - 2, 2 ** 32 - 3];

function open(engine: EngineProbe, policy: Uint32Array, start = 0): Line {
  const line = new Line(engine, { policies: [policy], chunks: 1200, messages: 600 });
  engine.channelSeek(line.handle, 0, start);
  return line;
}

const low32 = (ids: readonly number[]) => ids.map((id) => id % 2 ** 32);

describe.each(twins)("a sequenced channel of $name (R-39)", ({ engine }) => {
  test.each(STARTS)("delivers what is newer than everything before, from id %i on", (start) => {
    const line = open(engine, SEQUENCED, start);
    for (const step of [0, 1, 5, 3, 5, 4, 6, 6, 0]) {
      expect(line.receive(start + step, step)).toBe(RECEIVE_OK);
    }
    expect(line.delivered()).toEqual(low32([0, 1, 5, 6].map((step) => start + step)));
    expect(line.counter(CHANNEL_RECEIVED)).toBe(4);
    // 5 and 6 once more are duplicates; 3, 4 and 0 are late.
    expect([line.counter(CHANNEL_DUPLICATES), line.counter(CHANNEL_LATE)]).toEqual([2, 3]);
  });

  test("the half of the numbers is newer, the other half older (R-3)", () => {
    for (const [step, delivered] of [
      [32_766, true],
      [32_767, true],
      [32_768, false],
      [32_769, false],
      [65_535, false],
    ] as const) {
      const line = open(engine, SEQUENCED, 100_000);
      expect(line.receive(100_000 + step, 1)).toBe(RECEIVE_OK);
      expect(line.delivered()).toEqual(delivered ? [100_000 + step] : []);
    }
  });

  test("goes on past 65,536 messages", () => {
    const line = open(engine, SEQUENCED);
    let count = 0;
    for (let id = 0; id < 70_000; id += 3) {
      line.receive(id, 1);
      if (id % 999 === 0) count += line.delivered().length;
    }
    expect(count + line.delivered().length).toBe(Math.ceil(70_000 / 3));
  });

  test("a skip of it is a violation: it has nothing to wait for (R-33)", () => {
    expect(open(engine, SEQUENCED).skip(1)).toBe(RECEIVE_VIOLATION);
  });
});

describe.each(twins)("an ordered channel of $name (R-42)", ({ engine }) => {
  test.each(STARTS)("delivers ids in order, each once, from id %i on", (start) => {
    const line = open(engine, ORDERED, start);
    const arrivals = [0, 2, 2, 4, 0, 1, 1, 3, 5, 2];
    const delivered = arrivals.map((step) => {
      expect(line.receive(start + step, step)).toBe(RECEIVE_OK);
      return line.delivered();
    });
    const expected = [[0], [], [], [], [], [1, 2], [], [3, 4], [5], []];
    expect(delivered).toEqual(expected.map((steps) => low32(steps.map((step) => start + step))));
    expect(line.counter(CHANNEL_DUPLICATES)).toBe(4);
    expect(line.counter(CHANNEL_RECEIVED)).toBe(6);
  });

  test("holds what comes early in its memory, and gives it back", () => {
    const line = open(engine, ORDERED);
    const free = line.free();
    line.receive(1, new Uint8Array(300));
    line.receive(3, new Uint8Array(1));
    expect(line.channel().held).toBe(2);
    expect(line.free()).toEqual([free[0] - 3, free[1] - 2, free[2]]);
    line.receive(2, 0);
    line.receive(0, 0);
    expect(line.channel().held).toBe(0);
    expect(line.free()).toEqual(free);
  });

  test("bodies of every size arrive as they were, at once or after a wait", () => {
    const line = open(engine, ORDERED);
    const bodies = [0, 1, 255, 256, 257, 512, 1000, MESSAGE_BYTES_MAX].map((size, seed) =>
      Uint8Array.from({ length: size }, (_, index) => (index * 7 + seed) & 0xff),
    );
    for (const id of [7, 0, 3, 2, 1, 6, 5, 4]) line.receive(id, bodies[id]);
    const received = line.events().map((event) => (event.kind === "message" ? event.body : null));
    expect(received).toEqual(bodies);
    const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
    expect(line.counter(CHANNEL_BYTES_RECEIVED)).toBe(bytes);
  });

  test("accepts 1023 above its next id, and not 1024 (R-43)", () => {
    for (const [step, result] of [
      [CHANNEL_ACCEPT - 2, RECEIVE_OK],
      [CHANNEL_ACCEPT - 1, RECEIVE_OK],
      [CHANNEL_ACCEPT, RECEIVE_VIOLATION],
      [CHANNEL_ACCEPT + 1, RECEIVE_VIOLATION],
      [32_767, RECEIVE_VIOLATION],
      // From here on it is an old one.
      [32_768, RECEIVE_OK],
    ]) {
      for (const start of [0, 65_300]) {
        const line = open(engine, ORDERED, start + 100_000);
        expect(line.receive(start + 100_000 + step, 1)).toBe(result);
        expect(line.delivered()).toEqual([]);
      }
    }
  });

  test("without memory takes what is in turn, and refuses what is not (R-48)", () => {
    const line = open(engine, ORDERED);
    expect(line.receive(0, 1, { holds: false })).toBe(RECEIVE_OK);
    expect(line.receive(2, 1, { holds: false })).toBe(RECEIVE_REFUSED);
    expect(line.delivered()).toEqual([0]);
    expect(line.channel().held).toBe(0);
    // What is held already is no new burden.
    expect(line.receive(2, 1)).toBe(RECEIVE_OK);
    expect(line.receive(2, 1, { holds: false })).toBe(RECEIVE_OK);
    expect(line.receive(1, 1, { holds: false })).toBe(RECEIVE_OK);
    expect(line.delivered()).toEqual([1, 2]);
  });

  test("waits for room in the user's ring, and goes on where it stopped", () => {
    const line = open(engine, ORDERED);
    for (const id of [1, 2, 3]) line.receive(id, new Uint8Array(1000));
    // Room for the first, for one of those held, and less than the reserve is left.
    line.fill(COMPLETION_END_BYTES + 1024 + 8);
    expect(line.receive(0, new Uint8Array(1000))).toBe(RECEIVE_HELD);
    expect(line.channel()).toMatchObject({ expectedId: 2, held: 2 });
    expect(line.release()).toBe(RECEIVE_HELD);
    expect(line.delivered()).toEqual([0, 1]);
    expect(line.release()).toBe(RECEIVE_OK);
    expect(line.delivered()).toEqual([2, 3]);
  });

  test("a full ring holds even what is in turn, and an ack of it is true", () => {
    const line = open(engine, ORDERED);
    line.fill(RECORD_BYTES + 8);
    expect(line.receive(0, new Uint8Array(8))).toBe(RECEIVE_OK);
    expect(line.receive(1, 7)).toBe(RECEIVE_HELD);
    expect(line.receive(2, 8)).toBe(RECEIVE_HELD);
    expect(line.channel()).toMatchObject({ expectedId: 1, held: 2 });
    expect(line.delivered()).toEqual([0]);
    expect(line.receive(1, 7)).toBe(RECEIVE_OK);
    expect(line.delivered()).toEqual([1, 2]);
    expect(line.counter(CHANNEL_DUPLICATES)).toBe(1);
  });

  test("gives up what it holds when the connection ends (R-47)", () => {
    const line = open(engine, ORDERED);
    const free = line.free();
    for (const id of [1, 2, 9]) line.receive(id, 0);
    engine.deliveryDrop(line.handle, 0);
    expect(line.free()).toEqual(free);
    expect(line.events()).toEqual([]);
  });
});

describe.each(twins)("skips in $name (R-33)", ({ engine }) => {
  test.each(STARTS)(
    "a gap below the skip is passed, what is held is delivered, from %i",
    (start) => {
      const line = open(engine, ORDERED, start);
      for (const step of [2, 3, 6]) line.receive(start + step, step);
      expect(line.skip(start + 2)).toBe(RECEIVE_OK);
      expect(line.delivered()).toEqual(low32([start + 2, start + 3]));
      expect(line.channel().expectedId).toBe(start + 4);
      expect(line.counter(CHANNEL_SKIPPED)).toBe(2);
      expect(line.skip(start + 8)).toBe(RECEIVE_OK);
      expect(line.delivered()).toEqual(low32([start + 6]));
      expect(line.channel().expectedId).toBe(start + 8);
      expect(line.counter(CHANNEL_SKIPPED)).toBe(5);
    },
  );

  test("a skip that is old or comes twice does nothing", () => {
    const line = open(engine, ORDERED);
    line.skip(5);
    line.receive(5, 1);
    for (const id of [0, 3, 5, 6]) expect(line.skip(id)).toBe(RECEIVE_OK);
    expect(line.channel().expectedId).toBe(6);
    expect(line.counter(CHANNEL_SKIPPED)).toBe(5);
  });

  test("an older skip does not take a newer one back, which waits for room", () => {
    const line = open(engine, ORDERED);
    line.receive(3, 1);
    line.fill(COMPLETION_END_BYTES - 8);
    expect(line.skip(8)).toBe(RECEIVE_HELD);
    expect(line.skip(2)).toBe(RECEIVE_HELD);
    line.events();
    expect(line.release()).toBe(RECEIVE_OK);
    expect(line.channel().expectedId).toBe(8);
    expect(line.delivered()).toEqual([3]);
  });

  test("what was skipped and comes all the same is not delivered", () => {
    const line = open(engine, ORDERED);
    line.skip(3);
    line.receive(1, 1);
    line.receive(3, 3);
    expect(line.delivered()).toEqual([3]);
    expect(line.counter(CHANNEL_DUPLICATES)).toBe(1);
  });

  test("up to 1024 above the next id, and no further (R-43)", () => {
    for (const [id, result] of [
      [CHANNEL_ACCEPT - 1, RECEIVE_OK],
      [CHANNEL_ACCEPT, RECEIVE_OK],
      [CHANNEL_ACCEPT + 1, RECEIVE_VIOLATION],
      [32_767, RECEIVE_VIOLATION],
    ]) {
      expect(open(engine, ORDERED).skip(id)).toBe(result);
    }
  });

  test("waits with what is held for room in the user's ring", () => {
    const line = open(engine, ORDERED);
    line.receive(2, 1);
    line.fill(COMPLETION_END_BYTES - 8);
    expect(line.skip(4)).toBe(RECEIVE_HELD);
    expect(line.channel().expectedId).toBe(2);
    line.events();
    expect(line.release()).toBe(RECEIVE_OK);
    expect(line.channel().expectedId).toBe(4);
    expect(line.delivered()).toEqual([2]);
  });
});

describe.each(twins)("an unordered channel of $name (R-53)", ({ engine }) => {
  test.each(STARTS)("delivers at once what it has not seen, each id once, from %i", (start) => {
    const line = open(engine, UNORDERED, start);
    for (const step of [3, 0, 3, 1, 0, 511, 2, 510]) {
      expect(line.receive(start + step, step & 0xff)).toBe(RECEIVE_OK);
    }
    const expected = [3, 0, 1, 511, 2, 510].map((step) => start + step);
    expect(line.delivered()).toEqual(low32(expected));
    expect(line.channel().expectedId).toBe(start + 4);
    expect(line.counter(CHANNEL_DUPLICATES)).toBe(2);
  });

  test("any order of any window: everything once", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...STARTS),
        fc.array(fc.nat(CHANNEL_ACCEPT - 1), { maxLength: 300 }),
        (start, steps) => {
          const line = open(engine, UNORDERED, start);
          let next = start;
          const seen = new Set<number>();
          const delivered: number[] = [];
          for (const step of steps) {
            const id = next + step;
            line.receive(id, 1);
            if (!seen.has(id)) delivered.push(id);
            seen.add(id);
            while (seen.has(next)) next += 1;
            expect(line.channel().expectedId).toBe(next);
          }
          expect(line.delivered()).toEqual(low32(delivered));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("a skip passes what is missing below it, seen or not", () => {
    const line = open(engine, UNORDERED);
    for (const id of [1, 4, 6]) line.receive(id, 1);
    expect(line.skip(4)).toBe(RECEIVE_OK);
    // 0, 2 and 3 were missing; 4 came, 5 is next.
    expect(line.counter(CHANNEL_SKIPPED)).toBe(3);
    expect(line.channel().expectedId).toBe(5);
    for (const id of [0, 1, 2, 3]) line.receive(id, 1);
    expect(line.delivered()).toEqual([1, 4, 6]);
    // The places come again, 1024 later.
    expect(line.receive(5 + CHANNEL_ACCEPT - 1, 1)).toBe(RECEIVE_OK);
    expect(line.receive(5, 1)).toBe(RECEIVE_OK);
    expect(line.delivered()).toEqual([5 + CHANNEL_ACCEPT - 1, 5]);
  });
});

describe.each(twins)("any arrival in $name", ({ engine }) => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ receive: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.record({ skip: fc.nat(40) }) },
  );

  test("an ordered channel delivers each id once, in order, and holds the rest", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...STARTS),
        fc.array(step, { maxLength: 150 }),
        (start, steps) => {
          const line = open(engine, ORDERED, start);
          const free = line.free();
          let next = start;
          const held = new Set<number>();
          const delivered: number[] = [];
          for (const each of steps) {
            if ("skip" in each) {
              const id = next + each.skip - 5;
              line.skip(id);
              for (; next < id; next++) if (held.delete(next)) delivered.push(next);
            } else {
              const id = next + each.receive - 8;
              line.receive(id, id & 0xff);
              if (id >= next) held.add(id);
            }
            for (; held.delete(next); next++) delivered.push(next);
            expect(line.channel()).toMatchObject({ expectedId: next, held: held.size });
          }
          const events = line.events().flatMap((event) => (event.kind === "message" ? event : []));
          expect(events.map(({ id }) => id)).toEqual(low32(delivered));
          for (const { id, body } of events) expect([...body]).toEqual([id & 0xff]);
          expect(line.free()[1]).toBe(free[1] - held.size);
        },
      ),
      { numRuns: 80 },
    );
  });
});
