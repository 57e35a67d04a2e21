/*
 * The ring between the core and its user: nothing lost, nothing overwritten, nothing seen before it is
 * published; at the end of the memory and where the 32-bit positions wrap.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  NO_ROOM,
  RECORD_BYTES,
  RECORD_FATE,
  RECORD_MESSAGE,
  RING_CONTROL_BYTES,
} from "../../lib/engine/ring.js";
import { type EngineProbe, twins } from "../twins.js";

const CAPACITY = 256;
/** Words of the control block: where the producer and the consumer are. */
const HEAD = 0;
const TAIL = 16;

/** Both ends of one ring, each with its own view as in two languages. */
function openRing(engine: EngineProbe, capacity = CAPACITY, position = 0) {
  const memory = new Uint8Array(engine.ringBytes(capacity));
  const control = new Uint32Array(memory.buffer, 0, RING_CONTROL_BYTES / 4);
  control[HEAD] = position;
  control[TAIL] = position;
  const words = new Uint32Array(memory.buffer, RING_CONTROL_BYTES);
  const bytes = memory.subarray(RING_CONTROL_BYTES);
  const producer = engine.ringOpen(memory);
  const consumer = engine.ringOpen(memory);
  return {
    control,
    room: () => engine.ringRoom(producer),
    /** A record filled with one byte; false when there is no room. */
    push(fill: number, size: number): boolean {
      const word = engine.ringPush(producer, RECORD_MESSAGE, size);
      if (word === NO_ROOM) return false;
      words[word + 4] = fill;
      bytes.fill(fill, word * 4 + RECORD_BYTES, word * 4 + RECORD_BYTES + size);
      return true;
    },
    publish: () => engine.ringPublish(producer),
    /** The oldest record: its fill and size after a look at every byte; null when there is none. */
    take(): [fill: number, size: number] | null {
      const word = engine.ringPeek(consumer);
      if (word === NO_ROOM) return null;
      expect(words[word] >>> 24).toBe(RECORD_MESSAGE);
      const fill = words[word + 4];
      const size = words[word + 3];
      const start = word * 4 + RECORD_BYTES;
      expect(start + size).toBeLessThanOrEqual(capacity);
      expect(bytes.subarray(start, start + size).every((byte) => byte === fill)).toBe(true);
      engine.ringNext(consumer, word);
      return [fill, size];
    },
    release: () => engine.ringRelease(consumer),
  };
}

const recordBytes = (size: number) => (RECORD_BYTES + size + 7) & ~7;

describe.each(twins)("ring of $name", ({ engine }) => {
  test("an empty ring has all its room and no record", () => {
    const ring = openRing(engine);
    expect(ring.room()).toBe(CAPACITY);
    expect(ring.take()).toBeNull();
  });

  test("a record is seen once it is published, not before", () => {
    const ring = openRing(engine);
    ring.push(7, 5);
    expect(ring.take()).toBeNull();
    ring.publish();
    expect(ring.take()).toEqual([7, 5]);
    expect(ring.take()).toBeNull();
  });

  test("memory comes back when it is released, not before", () => {
    const ring = openRing(engine);
    ring.push(1, 0);
    ring.publish();
    ring.take();
    expect(ring.room()).toBe(CAPACITY - RECORD_BYTES);
    ring.release();
    expect(ring.room()).toBe(CAPACITY);
  });

  test("a record takes its header and its payload, padded to 8 bytes", () => {
    for (const size of [0, 1, 7, 8, 9, 15, 16, 100]) {
      const ring = openRing(engine);
      ring.push(1, size);
      expect(CAPACITY - ring.room()).toBe(recordBytes(size));
    }
  });

  test("the exact rest fits, 8 bytes more do not", () => {
    const most = CAPACITY - RECORD_BYTES;
    for (const [size, fits] of [
      [most - 1, true],
      [most, true],
      [most + 1, false],
      [0xffff00, false],
    ] as const) {
      const ring = openRing(engine);
      expect(ring.push(1, size)).toBe(fits);
      expect(ring.room()).toBe(fits ? 0 : CAPACITY);
    }
  });

  test("a full ring refuses, and takes again after a release", () => {
    const ring = openRing(engine, 64);
    expect([ring.push(1, 8), ring.push(2, 8), ring.push(3, 0)]).toEqual([true, true, false]);
    ring.publish();
    expect(ring.take()).toEqual([1, 8]);
    expect(ring.push(3, 0)).toBe(false);
    ring.release();
    expect(ring.push(3, 8)).toBe(true);
    ring.publish();
    expect([ring.take(), ring.take(), ring.take()]).toEqual([[2, 8], [3, 8], null]);
  });

  test("what does not fit before the end begins anew, behind padding", () => {
    const ring = openRing(engine, 128);
    ring.push(1, 72);
    ring.publish();
    ring.take();
    ring.release();
    // 32 bytes are left before the end: 40 do not fit, and the padding counts.
    expect(ring.push(2, 16)).toBe(true);
    expect(ring.room()).toBe(128 - 32 - 40);
    ring.publish();
    expect(ring.take()).toEqual([2, 16]);
    ring.release();
    expect(ring.room()).toBe(128);
  });

  test("padding that has no room refuses the record and changes nothing", () => {
    const ring = openRing(engine, 128);
    ring.push(1, 24);
    ring.push(2, 24);
    ring.publish();
    ring.take();
    ring.release();
    // 80 bytes are free, 32 of them before the end: 48 would follow the padding exactly, 56 would not.
    expect(ring.room()).toBe(80);
    expect(ring.push(3, 32)).toBe(false);
    expect(ring.room()).toBe(80);
    expect(ring.push(3, 24)).toBe(true);
    expect(ring.room()).toBe(0);
    ring.publish();
    expect([ring.take(), ring.take(), ring.take()]).toEqual([[2, 24], [3, 24], null]);
  });

  test("kinds and sizes of a record stand in its first word", () => {
    const memory = new Uint8Array(engine.ringBytes(64));
    const ring = engine.ringOpen(memory);
    const word = engine.ringPush(ring, RECORD_FATE, 3);
    const words = new Uint32Array(memory.buffer, RING_CONTROL_BYTES);
    expect(words[word]).toBe((32 | (RECORD_FATE << 24)) >>> 0);
    expect(words[word + 3]).toBe(3);
  });

  test("a ring that is opened again goes on where it stood", () => {
    const ring = openRing(engine, 256, 1024);
    ring.push(9, 4);
    ring.publish();
    expect([...ring.control].filter((value) => value !== 0)).toEqual([1024 + 32, 1024]);
    expect(ring.take()).toEqual([9, 4]);
  });

  /** Pushes and takes at random; what comes out is what went in. */
  const interplay = fc.array(
    fc.oneof(
      fc.record({ push: fc.integer({ min: 0, max: 150 }) }),
      fc.constantFrom("publish" as const, "take" as const, "release" as const),
    ),
    { maxLength: 200 },
  );

  test.each([0, 2 ** 32 - 256, 2 ** 32 - 8, 2 ** 31 - 8])(
    "producer and consumer at any pace, from position %i",
    (position) => {
      fc.assert(
        fc.property(interplay, (steps) => {
          const ring = openRing(engine, CAPACITY, position);
          const pushed: [number, number][] = [];
          let visible = 0;
          let taken = 0;
          for (const step of steps) {
            if (step === "publish") {
              ring.publish();
              visible = pushed.length;
            } else if (step === "take") {
              const record = ring.take();
              expect(record).toEqual(taken < visible ? pushed[taken] : null);
              if (record !== null) taken += 1;
            } else if (step === "release") {
              ring.release();
            } else {
              const room = ring.room();
              const fill = pushed.length & 0xff;
              if (ring.push(fill, step.push)) pushed.push([fill, step.push]);
              // Twice the size always fits, wherever the end is.
              else expect(room).toBeLessThan(2 * recordBytes(step.push));
            }
            expect(ring.room()).toBeGreaterThanOrEqual(0);
            expect(ring.room()).toBeLessThanOrEqual(CAPACITY);
          }
        }),
        { numRuns: 100 },
      );
    },
  );
});

test("each engine reads what the other wrote", () => {
  for (const from of twins) {
    for (const to of twins) {
      const memory = new Uint8Array(from.engine.ringBytes(128));
      const producer = from.engine.ringOpen(memory);
      const consumer = to.engine.ringOpen(memory);
      for (let round = 0; round < 20; round++) {
        const word = from.engine.ringPush(producer, RECORD_MESSAGE, 40);
        from.engine.ringPublish(producer);
        expect(to.engine.ringPeek(consumer)).toBe(word);
        to.engine.ringNext(consumer, word);
        to.engine.ringRelease(consumer);
      }
    }
  }
});
