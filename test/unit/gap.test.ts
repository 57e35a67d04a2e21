/*
 * What is missing: noticed, waited for and named by the receiver, passed where nothing waits longer; and what the
 * sender makes of being told.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FATE_DELIVERED, FATE_EXPIRED } from "../../lib/engine/channel.js";
import { RECEIVE_OK, RECEIVE_VIOLATION } from "../../lib/engine/delivery.js";
import { NACK_BITS_BYTES_MAX } from "../../lib/engine/limits.js";
import {
  ORDER_NONE,
  ORDER_ORDERED,
  ORDER_SEQUENCED,
  REPAIR_ACK,
  REPAIR_NACK,
  REPAIR_NONE,
} from "../../lib/engine/policy.js";
import { RIDE_RESEND } from "../../lib/engine/ride.js";
import { NO_DEADLINE } from "../../lib/engine/timers.js";
import { Line, PEER, policyWords, type Ride } from "../line.js";
import { type EngineProbe, twins } from "../twins.js";

const MS = 1000;
const RTT_US = 40 * MS;
const DELAY_US = 5 * MS;
const TIME_SENSITIVE = policyWords(ORDER_ORDERED, REPAIR_NACK, 0, 0, 200);
const RELIABLE = policyWords(ORDER_ORDERED, REPAIR_ACK | REPAIR_NACK, 0, 0, 10_000);
const UNORDERED = policyWords(ORDER_NONE, REPAIR_ACK | REPAIR_NACK, 0, 0, 10_000);
const STARTS = [0, 65_530, 2 ** 32 - 3];

function open(engine: EngineProbe, policy: Uint32Array, start = 0): Line {
  const line = new Line(engine, { policies: [policy], chunks: 600, messages: 600 });
  engine.channelSeek(line.handle, 0, start);
  return line;
}

/** A message comes, and the channel looks for gaps. */
function come(line: Line, ...ids: readonly number[]): void {
  for (const id of ids) {
    line.receive(id, id & 0xff);
    line.engine.gapUpdate(line.handle, 0, line.nowUs, DELAY_US);
  }
}

/** The ids that a nack names now, less `start`. */
function missing(line: Line, start = 0): number[] {
  const bits = new Uint8Array(NACK_BITS_BYTES_MAX).fill(0xff);
  const bytes = line.engine.gapMissing(line.handle, 0, bits);
  // Canonical: the last byte is not 0, and behind it there is nothing.
  if (bytes > 0) expect(bits[bytes - 1]).not.toBe(0);
  expect(bits.subarray(bytes).every((byte) => byte === 0)).toBe(true);
  const first = line.channel().expectedId;
  const ids = [first];
  for (let index = 0; index < bytes * 8; index++) {
    if ((bits[index >>> 3] & (1 << (index & 7))) !== 0) ids.push(first + 1 + index);
  }
  return ids.map((id) => id - start);
}

describe.each(twins)("a gap in $name (R-49)", ({ engine }) => {
  test("is there once something later has come, and is named a little later", () => {
    for (const policy of [RELIABLE, TIME_SENSITIVE, UNORDERED]) {
      const line = open(engine, policy);
      come(line, 0, 1);
      expect(line.channel()).toMatchObject({ gapId: -1, nackDueUs: NO_DEADLINE });
      come(line, 3);
      expect(line.channel()).toMatchObject({ gapId: 2, nackDueUs: line.nowUs + DELAY_US });
      // More of it does not put it off.
      const dueUs = line.channel().nackDueUs;
      line.nowUs += MS;
      come(line, 5);
      expect(line.channel().nackDueUs).toBe(dueUs);
      come(line, 2);
      expect(line.channel()).toMatchObject({ gapId: 4, nackDueUs: dueUs });
      come(line, 4);
      expect(line.channel()).toMatchObject({ gapId: -1, nackDueUs: NO_DEADLINE });
    }
  });

  test("is not named where nacks do not repair", () => {
    const line = open(engine, policyWords(ORDER_ORDERED, REPAIR_ACK));
    come(line, 3);
    expect(line.channel()).toMatchObject({ gapId: 0, nackDueUs: NO_DEADLINE });
    const sequenced = open(engine, policyWords(ORDER_SEQUENCED, REPAIR_NONE));
    come(sequenced, 3);
    expect(sequenced.channel()).toMatchObject({ gapId: -1, nackDueUs: NO_DEADLINE });
  });

  test.each(STARTS)(
    "names every id that is missing, and none behind the highest, from %i",
    (start) => {
      for (const policy of [RELIABLE, UNORDERED]) {
        const line = open(engine, policy, start);
        come(line, ...[1, 2, 5, 9, 10].map((step) => start + step));
        expect(missing(line, start)).toEqual([0, 3, 4, 6, 7, 8]);
        come(line, start);
        expect(missing(line, start)).toEqual([3, 4, 6, 7, 8]);
      }
    },
  );

  test("names the first, and 256 behind it", () => {
    for (const policy of [RELIABLE, UNORDERED]) {
      for (const [highest, last] of [
        [256, 255],
        [257, 256],
        [258, 256],
        [500, 256],
      ]) {
        const line = open(engine, policy);
        come(line, highest);
        expect(missing(line)).toEqual(Array.from({ length: last + 1 }, (_, id) => id));
      }
    }
  });

  test("any arrivals: the names are what has not come", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(RELIABLE, UNORDERED),
        fc.constantFrom(...STARTS),
        fc.uniqueArray(fc.nat(300), { minLength: 1, maxLength: 120 }),
        (policy, start, steps) => {
          const line = open(engine, policy, start);
          come(line, ...steps.map((step) => start + step));
          const came = new Set(steps);
          const highest = Math.max(...steps);
          const next = Array.from({ length: 302 }, (_, step) => step).find(
            (step) => !came.has(step),
          ) as number;
          const expected = Array.from({ length: 302 }, (_, step) => step).filter(
            (step) => !came.has(step) && step < highest && step <= next + 256,
          );
          if (expected.length > 0) expect(missing(line, start)).toEqual(expected);
          expect(line.channel().gapId).toBe(expected.length > 0 ? start + next : -1);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe.each(twins)("a gap that waited in $name (R-50)", ({ engine }) => {
  test("is passed after the channel's expiry, and not a µs before", () => {
    const line = open(engine, TIME_SENSITIVE);
    come(line, 2, 3, 6);
    const dueUs = line.nowUs + 200 * MS;
    expect(engine.gapDeadlineUs(line.handle, 0)).toBe(dueUs);
    engine.gapExpire(line.handle, 0, dueUs - 1);
    line.release();
    expect(line.delivered()).toEqual([]);
    engine.gapExpire(line.handle, 0, dueUs);
    line.release();
    // What came behind a gap of its own has waited as long.
    expect(line.delivered()).toEqual([2, 3, 6]);
    // What comes now waits anew.
    line.nowUs = dueUs;
    come(line, 9);
    expect(line.channel()).toMatchObject({ gapId: 7, nackDueUs: dueUs + DELAY_US });
    expect(engine.gapDeadlineUs(line.handle, 0)).toBe(dueUs + 200 * MS);
    // What comes too late is not delivered.
    come(line, 0);
    expect(line.delivered()).toEqual([]);
  });

  test("is passed by the age of what came behind it, in whatever order that came (R-50)", () => {
    const line = open(engine, TIME_SENSITIVE);
    const startUs = line.nowUs;
    come(line, 4);
    // Message 2 was first sent 90 ms before it came now, and so 60 ms before message 4.
    line.nowUs += 30 * MS;
    line.receive(2, 2, { ageMs: 90 });
    engine.gapUpdate(line.handle, 0, line.nowUs, DELAY_US);
    const dueUs = startUs + 140 * MS;
    expect(engine.gapDeadlineUs(line.handle, 0)).toBe(dueUs);
    line.nowUs = dueUs;
    engine.gapExpire(line.handle, 0, dueUs);
    line.release();
    engine.gapUpdate(line.handle, 0, line.nowUs, DELAY_US);
    expect(line.delivered()).toEqual([2]);
    // The other one waits for its own time.
    expect(engine.gapDeadlineUs(line.handle, 0)).toBe(startUs + 200 * MS);
  });

  test("an age is lawful where only nacks repair (R-50)", () => {
    for (const [policy, lawful] of [
      [TIME_SENSITIVE, true],
      [RELIABLE, false],
      [UNORDERED, false],
      [policyWords(ORDER_SEQUENCED, REPAIR_NONE), false],
    ] as const) {
      const line = open(engine, policy);
      expect(line.receive(0, 0, { ageMs: 1 })).toBe(lawful ? RECEIVE_OK : RECEIVE_VIOLATION);
      expect(line.receive(0, 0)).toBe(RECEIVE_OK);
    }
  });

  test("waits for ever where acks repair as well", () => {
    for (const policy of [RELIABLE, UNORDERED]) {
      const line = open(engine, policy);
      come(line, 2);
      expect(engine.gapDeadlineUs(line.handle, 0)).toBe(NO_DEADLINE);
      engine.gapExpire(line.handle, 0, 2 ** 45);
      line.release();
      expect(line.channel().expectedId).toBe(0);
    }
  });
});

describe.each(twins)("a nack that $name gets (R-51)", ({ engine }) => {
  /** A sender with messages in packets of their own, sent one a ms. */
  function sent(count: number, policy = TIME_SENSITIVE, start = 0): [Line, Ride[][]] {
    const line = open(engine, policy, start);
    const packets = Array.from({ length: count }, (_, index) => {
      line.nowUs += MS;
      line.send(index, { tag: index + 1 });
      return line.fresh();
    });
    return [line, packets];
  }

  const nack = (line: Line, id: number, bits: readonly number[] = []) =>
    engine.channelNacked(
      line.handle,
      0,
      PEER,
      id & 0xffff,
      Uint8Array.from(bits),
      line.nowUs,
      RTT_US,
    );

  test.each(STARTS)("sends again what it names, from %i", (start) => {
    const [line] = sent(12, TIME_SENSITIVE, start);
    line.nowUs += RTT_US;
    // 1, and behind it 2, 4 and 10.
    expect(nack(line, start + 1, [0b0000_0101, 0b0000_0001])).toBe(true);
    const again = line.resends();
    expect(again.map(({ id }) => id - start)).toEqual([1, 2, 4, 10]);
    expect(again.every(({ ride }) => ride === RIDE_RESEND)).toBe(true);
  });

  test("not what rode less than a round trip ago", () => {
    const [line] = sent(3);
    // The first rode 2 ms before the last.
    line.nowUs += RTT_US - 2 * MS;
    nack(line, 0, [0b11]);
    expect(line.resends().map(({ id }) => id)).toEqual([0]);
    // It rode just now: not again, though it is named again.
    line.nowUs += MS;
    nack(line, 0, [0b11]);
    expect(line.resends().map(({ id }) => id)).toEqual([1]);
    line.nowUs += RTT_US - MS;
    nack(line, 0, []);
    expect(line.resends().map(({ id }) => id)).toEqual([0]);
  });

  test("not what waits for its next ride already, nor what is done", () => {
    const [line, packets] = sent(3, RELIABLE);
    line.lose(packets[0]);
    line.ack(packets[1]);
    line.nowUs += RTT_US;
    expect(nack(line, 0, [0b11])).toBe(true);
    expect(line.channel().resends).toBe(2);
    expect(line.resends().map(({ id }) => id)).toEqual([0, 2]);
  });

  test("not what could not arrive in time: its time is over where nothing carries it", () => {
    const [line, packets] = sent(2);
    line.nowUs += 185 * MS;
    // 20 ms from here to there: within 200 ms for neither.
    expect(nack(line, 0, [0b1])).toBe(true);
    expect(line.channel().resends).toBe(0);
    // Their packets are undecided: they may have arrived.
    expect(line.events()).toEqual([]);
    line.ack(packets[0]);
    line.lose(packets[1]);
    expect(line.fates()).toEqual([[1, FATE_DELIVERED]]);
    nack(line, 1);
    expect(line.fates()).toEqual([[2, FATE_EXPIRED]]);
  });

  test("of an id that was never sent, or on a channel without nacks, is a violation (R-49)", () => {
    for (const [id, lawful] of [
      [2, true],
      [3, false],
      [4, false],
      [32_000, false],
    ] as const) {
      const [line] = sent(3);
      expect(nack(line, id)).toBe(lawful);
    }
    for (const policy of [
      policyWords(ORDER_ORDERED, REPAIR_ACK),
      policyWords(ORDER_SEQUENCED, REPAIR_NONE),
    ]) {
      expect(nack(sent(3, policy)[0], 1)).toBe(false);
    }
  });
});
