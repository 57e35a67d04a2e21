// What a peer has sent and the engine has not counted yet, against a list of all of it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Pending } from "../../../lib/pending.js";

describe("Pending", () => {
  it("counts what is sent until it is taken", () => {
    const pending = new Pending();
    expect([pending.bytes, pending.messages]).toEqual([0, 0]);
    pending.add(10, 40);
    pending.add(20, 90);
    pending.settle(0);
    expect([pending.bytes, pending.messages]).toEqual([30, 2]);
    pending.settle(90);
    expect([pending.bytes, pending.messages]).toEqual([0, 0]);
  });

  it("does not grow while there is always something untaken", () => {
    const pending = new Pending();
    // The engine is two messages behind, for ever.
    for (let sent = 1; sent <= 1000; sent++) {
      pending.add(1, sent);
      pending.settle(Math.max(0, sent - 2));
      expect(pending.messages).toBeGreaterThanOrEqual(Math.min(sent, 2));
      expect(pending.messages).toBeLessThanOrEqual(4);
    }
  });

  it("never forgets what is untaken, and all that is taken in the end", () => {
    const step = fc.record({
      bytes: fc.nat(1000),
      gap: fc.nat(5000),
      taken: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const pending = new Pending();
        const sent: { bytes: number; end: number }[] = [];
        let end = 0;
        let taken = 0;
        for (const { bytes, gap, taken: share } of steps) {
          end += gap + bytes + 1;
          sent.push({ bytes, end });
          pending.add(bytes, end);
          taken = Math.max(taken, Math.floor(end * share));
          pending.settle(taken);
          const untaken = sent.filter((message) => message.end > taken);
          const sum = untaken.reduce((total, message) => total + message.bytes, 0);
          expect(pending.bytes).toBeGreaterThanOrEqual(sum);
          expect(pending.messages).toBeGreaterThanOrEqual(untaken.length);
        }
        pending.settle(end);
        expect([pending.bytes, pending.messages]).toEqual([0, 0]);
      }),
    );
  });
});
