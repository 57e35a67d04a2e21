// The queue of due things, against sorting.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DueHeap } from "../../../lib/sim/heap.js";

describe("DueHeap", () => {
  it("is empty at first, and again after clear", () => {
    const heap = new DueHeap<string>();
    expect(heap.nextUs).toBe(Number.POSITIVE_INFINITY);
    expect(heap.pop(Number.MAX_SAFE_INTEGER)).toBeUndefined();
    heap.push(5, "a");
    heap.clear();
    expect(heap.size).toBe(0);
    expect(heap.nextUs).toBe(Number.POSITIVE_INFINITY);
  });

  it("gives nothing before its time", () => {
    const heap = new DueHeap<string>();
    heap.push(5, "a");
    expect(heap.pop(4)).toBeUndefined();
    expect(heap.pop(5)).toBe("a");
  });

  it("gives all by time, and what is due at the same time as it came", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), (times) => {
        const heap = new DueHeap<number>();
        for (const [index, time] of times.entries()) heap.push(time, index);
        const sorted = times
          .map((time, index) => ({ time, index }))
          .sort((a, b) => a.time - b.time || a.index - b.index);
        for (const { time, index } of sorted) {
          expect(heap.nextUs).toBe(time);
          expect(heap.pop(time - 1)).toBeUndefined();
          expect(heap.pop(time)).toBe(index);
        }
        expect(heap.size).toBe(0);
      }),
    );
  });
});
