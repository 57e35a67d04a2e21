/*
 * Acks and verdicts, rule by rule: what an ack header tells and how far back, one verdict for each packet in
 * the order of numbers, when a packet counts as lost, RTT samples, when an ack goes out.
 * test/unit/link.test.ts has both ends of a bad link.
 */
import { describe, expect, test } from "vitest";
import {
  ACK_BITS_MAX,
  ACK_DELAY_UNIT_US,
  ACK_DELAY_UNKNOWN,
  ACK_HOLD_US,
  IN_FLIGHT_MAX,
  LATE_MAX_US,
  SENT_PACKETS,
  SENT_PACKETS_FEW,
} from "../../lib/engine/limits.js";
import { NO_DEADLINE } from "../../lib/engine/timers.js";
import { AckEnd, bitsOf, numbersOf } from "../ends.js";
import { twins } from "../twins.js";

const NO_BITS: Uint8Array = new Uint8Array(0);
const MS = 1000;

describe.each(twins)("what $name received", ({ engine }) => {
  test("nothing yet: no ack is owed, no bit is set", () => {
    const end = new AckEnd(engine);
    expect(end.dueUs()).toBe(NO_DEADLINE);
    expect(end.read()).toMatchObject({ latest: -1, floor: -1, owed: 0, gaps: 0 });
  });

  test("bit i tells of packet latest - 1 - i (R-21)", () => {
    const end = new AckEnd(engine);
    for (const number of [1, 2, 4, 6, 7]) end.receive(number, 0);
    expect(end.bits()).toEqual(bitsOf(7, [6, 4, 2, 1]));
    expect(bitsOf(7, [6, 4, 2, 1])).toEqual(Uint8Array.of(0b110101));
  });

  test("zero bytes at the end are left out (R-24)", () => {
    const end = new AckEnd(engine);
    end.receive(0, 0);
    expect(end.bits()).toEqual(NO_BITS);
    for (const [latest, bytes] of [
      [8, 1],
      [9, 2],
      [16, 2],
      [17, 3],
    ]) {
      const other = new AckEnd(engine);
      other.receive(0, 0);
      other.receive(latest, 0);
      expect(other.bits().length).toBe(bytes);
      expect(other.bits()).toEqual(bitsOf(latest, [0]));
    }
  });

  test("32 acks, 33 and more fit one header: Fiedler's 32 are not the end", () => {
    for (const count of [31, 32, 33, 34, 64, 65, 255, 256]) {
      const end = new AckEnd(engine);
      for (let number = 0; number <= count; number++) end.receive(number, 0);
      const numbers = Array.from({ length: count }, (_, number) => number);
      expect(end.bits()).toEqual(bitsOf(count, numbers));
      expect(end.bits().every((byte, index) => byte === 0xff || index === count >>> 3)).toBe(true);
    }
  });

  test("it reaches 256 packets back and no further", () => {
    for (const [latest, told] of [
      [ACK_BITS_MAX - 1, true],
      [ACK_BITS_MAX, true],
      [ACK_BITS_MAX + 1, false],
    ] as const) {
      const end = new AckEnd(engine);
      end.receive(0, 0);
      end.receive(latest, 0);
      expect(end.bits()).toEqual(told ? bitsOf(latest, [0]) : NO_BITS);
    }
  });

  test.each([1, 31, 32, 33, 63, 64, 65, 200, 255, 256, 257, 1000])(
    "a jump of %i packets moves every bit with it",
    (jump) => {
      const end = new AckEnd(engine);
      const numbers = [0, 1, 5, 33, 40, 41, 100];
      for (const number of numbers) end.receive(number, 0);
      const latest = 100 + jump;
      end.receive(latest, 0);
      const told = numbers.filter((number) => latest - 1 - number < ACK_BITS_MAX);
      expect(end.bits()).toEqual(bitsOf(latest, told));
    },
  );

  test("a number that comes late is told within the same reach", () => {
    for (const [distance, told] of [
      [1, true],
      [ACK_BITS_MAX - 1, true],
      [ACK_BITS_MAX, true],
      [ACK_BITS_MAX + 1, false],
    ] as const) {
      const end = new AckEnd(engine);
      end.receive(1000, 0);
      end.receive(1000 - distance, 0);
      expect(end.bits()).toEqual(told ? bitsOf(1000, [1000 - distance]) : NO_BITS);
    }
  });

  test("gaps are the numbers passed over, less those that came late", () => {
    const end = new AckEnd(engine);
    for (const [number, gaps] of [
      [0, 0],
      [1, 0],
      [5, 3],
      [3, 2],
      [6, 2],
      [2, 1],
      [4, 0],
      [400, 393],
      [399, 392],
    ]) {
      end.receive(number, 0);
      expect(end.read().gaps).toBe(gaps);
    }
  });

  test("the first number of all leaves no gap, whatever it is", () => {
    const end = new AckEnd(engine);
    end.receive(1000, 0);
    expect(end.read()).toMatchObject({ latest: 1000, gaps: 0 });
    expect(end.bits()).toEqual(NO_BITS);
  });

  test("the delay counts 8 µs, up to half a second or more (R-23)", () => {
    const end = new AckEnd(engine);
    const arrivedUs = 5_000_000;
    end.receive(0, arrivedUs);
    for (const [heldUs, delay] of [
      [-1, 0],
      [0, 0],
      [7, 0],
      [8, 1],
      [15, 1],
      [16, 2],
      [10 * MS, 1250],
      [ACK_DELAY_UNIT_US * (ACK_DELAY_UNKNOWN - 1), ACK_DELAY_UNKNOWN - 1],
      [ACK_DELAY_UNIT_US * ACK_DELAY_UNKNOWN - 1, ACK_DELAY_UNKNOWN - 1],
      [ACK_DELAY_UNIT_US * ACK_DELAY_UNKNOWN, ACK_DELAY_UNKNOWN],
      [3_600_000_000, ACK_DELAY_UNKNOWN],
    ]) {
      expect(engine.receivedDelay(end.handle, arrivedUs + heldUs)).toBe(delay);
    }
  });

  test("the delay is counted from the latest packet, not from one that came late", () => {
    const end = new AckEnd(engine);
    end.receive(7, 100);
    end.receive(6, 900);
    expect(engine.receivedDelay(end.handle, 900)).toBe(100);
  });

  test("an ack is due after 20 ms, and at once when 2 packets wait (R-30)", () => {
    const end = new AckEnd(engine);
    end.receive(0, 500);
    expect(end.dueUs()).toBe(500 + ACK_HOLD_US);
    end.receive(1, 900);
    expect(end.dueUs()).toBe(0);
    end.answer();
    expect(end.dueUs()).toBe(NO_DEADLINE);
    end.receive(2, 1000);
    expect(end.dueUs()).toBe(1000 + ACK_HOLD_US);
  });

  test("a packet that asks for none gets none (R-30)", () => {
    const end = new AckEnd(engine);
    for (let number = 0; number < 10; number++) end.receive(number, 0, false);
    expect(end.dueUs()).toBe(NO_DEADLINE);
    end.receive(10, 7, true);
    end.receive(11, 8, false);
    expect(end.dueUs()).toBe(7 + ACK_HOLD_US);
  });
});

describe.each(twins)("the floor of $name (R-24)", ({ engine }) => {
  /** An end that got `numbers`, and then sent one packet that reported them. */
  function reported(numbers: readonly number[]): AckEnd {
    const end = new AckEnd(engine);
    for (const number of numbers) end.receive(number, 0);
    expect(end.send(0)).toBe(0);
    return end;
  }

  test("an ack of a packet that told ends the telling", () => {
    const end = reported([0, 1, 2, 3]);
    end.receive(4, 0);
    expect(end.bits()).toEqual(bitsOf(4, [0, 1, 2, 3]));
    end.ack(0);
    expect(end.read().floor).toBe(3);
    expect(end.bits()).toEqual(NO_BITS);
    end.receive(5, 0);
    // In whole bytes: what the last one tells besides is known already.
    expect(end.bits()).toEqual(bitsOf(5, [4, 3, 2, 1, 0]));
  });

  test.each([7, 8, 9, 15, 16, 17, 200, 255, 256, 257, 300])(
    "%i packets behind the floor take as many bytes as they need, and never more than 32",
    (count) => {
      const first = Array.from({ length: 300 }, (_, number) => number);
      const end = reported(first);
      end.ack(0);
      for (let number = 300; number < 300 + count; number++) end.receive(number, 0);
      expect(end.bits().length).toBe(Math.min(Math.ceil((count - 1) / 8), ACK_BITS_MAX / 8));
      expect(end.bits().every((byte) => byte === 0xff)).toBe(true);
    },
  );

  test("the latest itself is told every time", () => {
    const end = reported([0, 1]);
    end.ack(0);
    expect(end.read()).toMatchObject({ latest: 1, floor: 1 });
    expect(end.bits()).toEqual(NO_BITS);
  });

  test("a packet that comes late, at the floor or below, lowers it to just before its number", () => {
    const numbers = [0, ...Array.from({ length: 91 }, (_, index) => 10 + index)];
    for (const late of [1, 5, 9]) {
      const end = reported(numbers);
      end.ack(0);
      expect(end.read().floor).toBe(100);
      end.receive(late, 0);
      expect(end.read().floor).toBe(late - 1);
      const told = numbersOf(100, end.bits());
      expect(told).toContain(late);
      expect(told.filter((number) => number > 9)).toEqual([...numbers.slice(1)].reverse());
    }
  });

  test("one that comes late above the floor leaves it", () => {
    const end = reported([0, 1]);
    end.receive(5, 0);
    end.ack(0);
    end.receive(3, 0);
    expect(end.read().floor).toBe(1);
    expect(numbersOf(5, end.bits())).toEqual([5, 3, 1, 0]);
  });

  test("acks of packets sent before it came do not raise it over it again", () => {
    const end = reported([0, 2]);
    // Packet 1 of ours reports up to 2, but not 1, which comes only now.
    end.send(0);
    end.receive(1, 0);
    end.ack(1);
    expect(end.read().floor).toBe(-1);
    expect(end.bits()).toEqual(bitsOf(2, [0, 1]));
    // One that was sent after does.
    end.send(0);
    end.ack(2);
    expect(end.read().floor).toBe(2);
  });

  test("a packet of ours that is lost told nothing, until an ack of it comes late", () => {
    const end = reported([0, 1]);
    expect(end.expire(10_000 * MS)).toBe(true);
    expect(end.verdicts(10_000 * MS)[0]).toBe(-1);
    expect(end.read().floor).toBe(-1);
    end.ack(0);
    expect(end.read()).toMatchObject({ floor: 1, late: 1 });
  });
});

describe.each(twins)("verdicts of $name", ({ engine }) => {
  test("come in the order of numbers, whatever the order of acks (R-25)", () => {
    const end = new AckEnd(engine);
    for (let number = 0; number < 3; number++) end.send(number);
    end.ack(2);
    expect(end.verdicts(0)).toEqual([]);
    end.ack(1);
    expect(end.verdicts(0)).toEqual([]);
    end.ack(0);
    expect(end.verdicts(0)).toEqual([0, 1, 2]);
    expect(end.verdicts(0)).toEqual([]);
    expect(end.read()).toMatchObject({ acked: 3, lost: 0, eliciting: 0, verdictNext: 3 });
  });

  test("an ack that comes twice counts once", () => {
    const end = new AckEnd(engine);
    end.send(0);
    end.ack(0);
    end.ack(0);
    expect(end.verdicts(0)).toEqual([0]);
    end.ack(0);
    expect(end.verdicts(0)).toEqual([]);
    expect(end.read()).toMatchObject({ acked: 1, lost: 0, late: 0 });
  });

  test("one that 3 later packets overtook is lost, with 2 it is not (R-26)", () => {
    for (const [acked, verdicts] of [
      [1, []],
      [2, []],
      [3, [-1]],
    ] as const) {
      const end = new AckEnd(engine);
      for (let number = 0; number < 4; number++) end.send(0);
      end.ack(acked);
      expect(end.verdicts(0)).toEqual(verdicts);
    }
  });

  test("one that was overtaken at all is lost after RTT + RTT/8 (R-26)", () => {
    const end = new AckEnd(engine);
    end.send(1000);
    end.send(1000);
    // The ack is a sample of 80 ms.
    end.ack(1, NO_BITS, 81 * MS);
    expect(engine.acksDeadlineUs(end.handle)).toBe(1000 + 90 * MS);
    expect(end.verdicts(1000 + 90 * MS - 1)).toEqual([]);
    expect(end.verdicts(1000 + 90 * MS)).toEqual([-1, 1]);
  });

  test("one without an ack is lost after RTO + 20 ms (R-26)", () => {
    const end = new AckEnd(engine);
    end.send(1000);
    const dueUs = 1000 + 300 * MS + ACK_HOLD_US;
    expect(engine.acksTimeoutUs(end.handle)).toBe(dueUs);
    expect(engine.acksDeadlineUs(end.handle)).toBe(dueUs);
    expect(engine.acksExpire(end.handle, dueUs - 1)).toBe(false);
    expect(end.verdicts(dueUs - 1)).toEqual([]);
    expect(engine.acksExpire(end.handle, dueUs)).toBe(true);
    expect(end.verdicts(dueUs)).toEqual([-1]);
    expect(engine.acksTimeoutUs(end.handle)).toBe(NO_DEADLINE);
  });

  test("each further time-out waits twice as long (R-28)", () => {
    const end = new AckEnd(engine);
    let nowUs = 1;
    for (const waitUs of [300 * MS, 600 * MS, 1200 * MS, 2000 * MS, 2000 * MS]) {
      end.send(nowUs);
      nowUs += waitUs + ACK_HOLD_US;
      expect(engine.acksTimeoutUs(end.handle)).toBe(nowUs);
      expect(end.expire(nowUs)).toBe(true);
      expect(end.verdicts(nowUs)).toHaveLength(1);
      nowUs += 1;
    }
  });

  test("a time-out doesn't make wait longer what was sent before it, and counts once for all of that (R-28)", () => {
    const end = new AckEnd(engine);
    end.send(0);
    end.send(20 * MS);
    end.send(21 * MS);
    end.send(330 * MS);
    const waitUs = 300 * MS + ACK_HOLD_US;
    expect(end.expire(waitUs)).toBe(true);
    expect(end.verdicts(waitUs)).toEqual([-1]);
    expect(engine.acksTimeoutUs(end.handle)).toBe(waitUs + 20 * MS);
    expect(end.expire(waitUs + 20 * MS)).toBe(false);
    expect(end.verdicts(waitUs + 20 * MS)).toEqual([-2]);
    expect(end.expire(waitUs + 21 * MS)).toBe(false);
    expect(end.verdicts(waitUs + 21 * MS)).toEqual([-3]);
    expect(end.rtt().backoff).toBe(1);
    // What was sent since waits twice as long, and is a time-out of its own.
    const dueUs = 330 * MS + 600 * MS + ACK_HOLD_US;
    expect(engine.acksTimeoutUs(end.handle)).toBe(dueUs);
    expect(end.expire(dueUs)).toBe(true);
    expect(end.verdicts(dueUs)).toEqual([-4]);
    expect(end.rtt().backoff).toBe(2);
  });

  test("after a stall nothing stays that is past its time-out, of whichever flight", () => {
    const end = new AckEnd(engine);
    end.send(0);
    end.send(300 * MS);
    const waitUs = 300 * MS + ACK_HOLD_US;
    expect(end.expire(waitUs)).toBe(true);
    expect(end.verdicts(waitUs)).toEqual([-1]);
    end.send(330 * MS);
    expect(end.expire(5000 * MS)).toBe(false);
    expect(end.verdicts(5000 * MS)).toEqual([-2, -3]);
    expect(engine.acksDeadlineUs(end.handle)).toBe(NO_DEADLINE);
  });

  test("a time-out takes what was sent until then, not what was sent since", () => {
    const end = new AckEnd(engine);
    end.send(0);
    end.send(5, false);
    end.send(10);
    end.send(11);
    const timeoutUs = 320 * MS;
    expect(end.expire(timeoutUs + 10)).toBe(true);
    expect(end.verdicts(timeoutUs + 10)).toEqual([-1, -2, -3]);
  });

  test("packets that ask for nothing have no time-out of their own", () => {
    const end = new AckEnd(engine);
    end.send(0, false);
    expect(engine.acksTimeoutUs(end.handle)).toBe(NO_DEADLINE);
    expect(end.expire(60_000 * MS)).toBe(false);
    expect(end.verdicts(60_000 * MS)).toEqual([]);
    // They are decided with the packets behind them.
    end.send(60_000 * MS);
    end.send(60_000 * MS);
    end.ack(2, NO_BITS, 60_010 * MS);
    expect(end.verdicts(60_010 * MS)).toEqual([-1]);
  });

  test.each([10, 100, 160, 161, 200, 600, 3000])(
    "on a steady path of %i ms a time-out ends with a verdict, overtaken or not: a deadline never spins",
    (rttMs) => {
      const end = new AckEnd(engine);
      for (let number = 0; number < 60; number++) {
        const sentUs = number * 100 * MS;
        end.send(sentUs);
        end.ack(number, NO_BITS, sentUs + rttMs * MS);
        end.verdicts(sentUs + rttMs * MS);
      }
      // Two packets; the second is acked, the first never.
      const startUs = 60_000 * MS;
      end.send(startUs);
      end.send(startUs);
      end.ack(61, NO_BITS, startUs + rttMs * MS);
      const verdicts: number[] = [];
      let turns = 0;
      for (let nowUs = startUs; verdicts.length < 2 && turns < 20; turns++) {
        const dueUs = engine.acksDeadlineUs(end.handle);
        expect(dueUs).toBeGreaterThan(nowUs);
        nowUs = dueUs;
        end.expire(nowUs);
        verdicts.push(...end.verdicts(nowUs));
      }
      expect(verdicts).toEqual([-61, 61]);
      expect(turns).toBe(1);
    },
  );

  test("an ack of a lost packet is counted as late, once; the verdict stays (R-27)", () => {
    const end = new AckEnd(engine);
    for (let number = 0; number < 4; number++) end.send(0);
    end.ack(3);
    expect(end.verdicts(0)).toEqual([-1]);
    for (let count = 0; count < 2; count++) {
      end.ack(3, bitsOf(3, [0]));
      expect(end.read()).toMatchObject({ lost: 1, late: 1 });
    }
    end.ack(3, bitsOf(3, [0, 1, 2]));
    expect(end.verdicts(0)).toEqual([1, 2, 3]);
    expect(end.read()).toMatchObject({ acked: 3, lost: 1, late: 1 });
  });

  test("a late ack is told from an ack of a newer packet for 512 packets", () => {
    for (const [more, late] of [
      [SENT_PACKETS - 2, 1],
      [SENT_PACKETS - 1, 1],
      [SENT_PACKETS, 0],
    ]) {
      const end = new AckEnd(engine);
      for (let number = 0; number < 4; number++) end.send(0);
      end.ack(3, bitsOf(3, [1, 2]));
      expect(end.verdicts(0)).toEqual([-1, 1, 2, 3]);
      for (let number = 4; number <= more; number++) {
        end.send(0);
        end.ack(number);
        end.verdicts(0);
      }
      end.ack(255, bitsOf(255, [0]));
      expect(end.read().late).toBe(late);
    }
  });

  test("a late ack counts for 10 s, however many packets followed (R-27)", () => {
    for (const [more, ackUs, late] of [
      [1, LATE_MAX_US - 1, 1],
      [1, LATE_MAX_US, 0],
      [SENT_PACKETS_FEW + 1, LATE_MAX_US - 1, 1],
      [SENT_PACKETS_FEW + 1, LATE_MAX_US, 0],
    ]) {
      const end = new AckEnd(engine);
      for (let number = 0; number < 4; number++) end.send(0);
      end.ack(3, bitsOf(3, [1, 2]));
      expect(end.verdicts(0)).toEqual([-1, 1, 2, 3]);
      for (let number = 4; number <= 3 + more; number++) {
        end.send(number);
        end.ack(number, new Uint8Array(), number);
        end.verdicts(number);
      }
      end.ack(255, bitsOf(255, [0]), ackUs);
      expect(end.read().late).toBe(late);
    }
  });

  test("few records become many while packets are on their way, and all get their verdicts", () => {
    for (const first of [0, 5, SENT_PACKETS - 3]) {
      const end = new AckEnd(engine, first);
      const numbers = Array.from({ length: 3 * SENT_PACKETS_FEW }, (_, index) => first + index);
      for (const number of numbers) end.send(number);
      const last = first + numbers.length - 1;
      end.ack(last, bitsOf(last, numbers.slice(0, -1)));
      expect(end.verdicts(0)).toEqual(numbers);
      expect(end.read()).toMatchObject({ acked: numbers.length, lost: 0, eliciting: 0 });
      // The next connection of the slot begins with few again, and knows nothing of these.
      engine.sentReset(end.handle, first);
      for (const number of numbers) end.send(number);
      expect(end.verdicts(0)).toEqual([]);
      end.ack(last, bitsOf(last, numbers.slice(0, -1)));
      expect(end.verdicts(0)).toEqual(numbers);
    }
  });

  test("an ack of nothing that was sent, or of what has no record, does nothing", () => {
    const end = new AckEnd(engine, 10);
    // A client's responses had numbers below: they are never acked, and an ack of them says nothing.
    end.send(0);
    end.ack(10, bitsOf(10, [9, 8]));
    expect(end.verdicts(0)).toEqual([10]);
    const first = new AckEnd(engine);
    first.send(0);
    first.ack(0, Uint8Array.of(0xff));
    expect(first.verdicts(0)).toEqual([0]);
    expect(first.read()).toMatchObject({ acked: 1, late: 0 });
  });

  test("256 packets may be without a verdict, no more", () => {
    const end = new AckEnd(engine);
    for (let count = 0; count < IN_FLIGHT_MAX; count++) {
      expect(engine.sentReady(end.handle)).toBe(true);
      end.send(0);
    }
    expect(engine.sentInFlight(end.handle)).toBe(IN_FLIGHT_MAX);
    expect(engine.sentReady(end.handle)).toBe(false);
    end.ack(0);
    expect(engine.sentReady(end.handle)).toBe(false);
    end.verdicts(0);
    expect(engine.sentReady(end.handle)).toBe(true);
  });

  test("an ack reaches every one of the 256", () => {
    const end = new AckEnd(engine);
    const numbers = Array.from({ length: IN_FLIGHT_MAX }, () => end.send(0));
    end.ack(255, bitsOf(255, numbers.slice(0, -1)));
    expect(end.verdicts(0)).toEqual(numbers);
  });

  test("a number for a packet that is never acked is passed over", () => {
    const end = new AckEnd(engine);
    expect(engine.sentUnrecorded(end.handle)).toBe(0);
    expect(engine.sentInFlight(end.handle)).toBe(0);
    expect(end.send(0)).toBe(1);
    expect(engine.sentUnrecorded(end.handle)).toBe(2);
    end.ack(2);
    expect(end.read()).toMatchObject({ acked: 0, nextNumber: 3, verdictNext: 1 });
  });

  test("a connection that starts over begins at its first number, with clean counters", () => {
    const end = new AckEnd(engine);
    for (let number = 0; number < 4; number++) end.send(0);
    end.ack(3);
    end.verdicts(0);
    engine.sentReset(end.handle, 7);
    expect(end.read()).toMatchObject({
      nextNumber: 7,
      verdictNext: 7,
      ackedLatest: -1,
      acked: 0,
      lost: 0,
      late: 0,
      eliciting: 0,
    });
    end.ack(3);
    expect(end.verdicts(0)).toEqual([]);
    expect(end.send(0)).toBe(7);
  });
});

describe.each(twins)("RTT samples of $name (R-28)", ({ engine }) => {
  /** The sample that an ack of packet `latest` brings, 0 for none. Packet 0 was sent at 1 ms. */
  function sampleOf(
    end: AckEnd,
    latest: number,
    delay: number,
    atMs: number,
    bits: Uint8Array = NO_BITS,
  ) {
    engine.acksReceive(end.handle, latest, delay, bits, 0, bits.length, atMs * MS);
    return end.rtt().latestUs;
  }

  test("is arrival less sending less delay", () => {
    const end = new AckEnd(engine);
    end.send(MS);
    expect(sampleOf(end, 0, 1250, 51)).toBe(40 * MS);
  });

  test("none without a known delay", () => {
    const end = new AckEnd(engine);
    end.send(MS);
    expect(sampleOf(end, 0, ACK_DELAY_UNKNOWN, 51)).toBe(0);
  });

  test("none of a packet that did not ask", () => {
    const end = new AckEnd(engine);
    end.send(MS, false);
    expect(sampleOf(end, 0, 0, 51)).toBe(0);
  });

  test("none when the latest is no news", () => {
    const end = new AckEnd(engine);
    end.send(MS);
    end.send(MS);
    sampleOf(end, 1, 0, 11);
    // The bitfield brings news of packet 0, the latest is known.
    expect(sampleOf(end, 1, 0, 90, bitsOf(1, [0]))).toBe(10 * MS);
  });

  test("one of a packet that counts as lost already: a path longer than the time-out is measured", () => {
    const end = new AckEnd(engine);
    end.send(MS);
    end.expire(1000 * MS);
    expect(end.verdicts(1000 * MS)).toEqual([-1]);
    expect(sampleOf(end, 0, 0, 1001)).toBe(1000 * MS);
    // Once: the second ack is no news.
    expect(sampleOf(end, 0, 0, 1501)).toBe(1000 * MS);
    expect(end.read().late).toBe(1);
  });

  test("a delay longer than the whole is not believed", () => {
    for (const [delay, sampleUs] of [
      [6249, 8],
      [6251, 50 * MS],
      [ACK_DELAY_UNKNOWN - 1, 50 * MS],
    ]) {
      const end = new AckEnd(engine);
      end.send(MS);
      expect(sampleOf(end, 0, delay, 51)).toBe(sampleUs);
    }
  });

  test("an ack that seems to come before its packet went counts as 1 µs", () => {
    const end = new AckEnd(engine);
    end.send(5 * MS);
    expect(sampleOf(end, 0, 0, 4)).toBe(1);
  });
});
