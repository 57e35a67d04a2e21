/*
 * Two ends and a link that loses, delays and overtakes, at random: every packet has exactly one verdict, in order;
 * nothing is acked that did not arrive; what an ack header leaves out is known already; what arrived is acked in
 * the end; late acks are counted. Numbers start where 16 bits wrap as well.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ACK_BITS_MAX, LATE_MAX_US, SENT_PACKETS } from "../../lib/engine/limits.js";
import { NO_DEADLINE } from "../../lib/engine/timers.js";
import { AckEnd, numbersOf } from "../ends.js";
import { type Twin, twins } from "../twins.js";

interface Packet {
  readonly number: number;
  readonly arrivesUs: number;
  /** What stands in the header: latest modulo 65536, bitfield; null before anything was received. */
  readonly header: { readonly latest16: number; readonly bits: Uint8Array } | null;
  /** What the sender had received, as far back as an ack reaches. */
  readonly received: readonly number[];
  readonly eliciting: boolean;
}

class Side {
  readonly #twin: Twin;
  readonly end: AckEnd;
  readonly #first: number;
  readonly #sentUs = new Map<number, number>();
  readonly received = new Set<number>();
  latest = -1;
  /** Packets on their way to the other side. */
  readonly wire: Packet[] = [];
  /** What acks told of our packets, and what verdicts they got. */
  readonly known = new Set<number>();
  readonly lost = new Set<number>();
  late = 0;
  next: number;
  verdictNext: number;

  constructor(twin: Twin, first: number) {
    this.#twin = twin;
    this.#first = first;
    this.next = first;
    this.verdictNext = first;
    this.end = new AckEnd(twin.engine, first);
  }

  send(nowUs: number, delayUs: number | null, eliciting: boolean): void {
    if (!this.#twin.engine.sentReady(this.end.handle)) return;
    const bits = this.end.bits();
    const header = this.latest < 0 ? null : { latest16: this.latest & 0xffff, bits };
    if (header !== null) {
      // Nothing is acked that did not arrive.
      for (const number of numbersOf(this.latest, bits)) expect(this.received).toContain(number);
    }
    const received = [...this.received].filter((number) => this.latest - number <= ACK_BITS_MAX);
    const number = this.end.send(nowUs, eliciting);
    this.end.answer();
    expect(number).toBe(this.next);
    this.#sentUs.set(number, nowUs);
    this.next += 1;
    if (delayUs === null) return;
    this.wire.push({ number, arrivesUs: nowUs + delayUs, header, received, eliciting });
  }

  arrive(packet: Packet, nowUs: number): void {
    // As a connection: acks first, then the packet itself.
    if (packet.header !== null) this.#acked(packet, packet.header, nowUs);
    this.end.receive(packet.number, nowUs, packet.eliciting);
    this.received.add(packet.number);
    this.latest = Math.max(this.latest, packet.number);
    expect(this.end.read().latest).toBe(this.latest);
    this.verdicts(nowUs);
  }

  #acked(packet: Packet, header: NonNullable<Packet["header"]>, nowUs: number): void {
    const latest = this.#twin.core.sequenceExpand16(header.latest16, this.next);
    expect(latest).toBe(Math.max(...packet.received));
    for (const number of numbersOf(latest, header.bits)) {
      const sentUs = this.#sentUs.get(number) ?? 0;
      const remembered = number >= this.next - SENT_PACKETS && nowUs < sentUs + LATE_MAX_US;
      if (this.lost.has(number) && !this.known.has(number) && remembered) this.late += 1;
      this.known.add(number);
    }
    this.end.ack(latest, header.bits, nowUs);
    // What the header left out, the other side knows that we know.
    for (const number of packet.received) expect(this.known).toContain(number);
    expect(this.end.read().late).toBe(this.late);
  }

  /** Every verdict in order, and only one: acked where an ack told of it. */
  verdicts(nowUs: number): void {
    for (const verdict of this.end.verdicts(nowUs)) {
      const number = verdict < 0 ? -1 - verdict : verdict;
      expect(number).toBe(this.verdictNext);
      this.verdictNext += 1;
      if (verdict < 0) {
        expect(this.known).not.toContain(number);
        this.lost.add(number);
      } else {
        expect(this.known).toContain(number);
      }
    }
    const { acked, lost, verdictNext } = this.end.read();
    expect(acked + lost).toBe(verdictNext - this.#first);
    expect(lost).toBe(this.lost.size);
  }

  turn(nowUs: number): void {
    this.end.expire(nowUs);
    this.verdicts(nowUs);
    const dueUs = this.#twin.engine.acksDeadlineUs(this.end.handle);
    // A deadline that was served is not in the past again.
    expect(dueUs).toBeGreaterThan(nowUs);
  }
}

interface Step {
  readonly from: 0 | 1;
  readonly waitUs: number;
  /** null: lost on the way. */
  readonly delayUs: number | null;
  readonly eliciting: boolean;
}

/** Runs the steps, then some exchange without a fault, and looks at what is left. */
function run(sides: readonly [Side, Side], steps: readonly Step[]): void {
  let nowUs = 1_000_000;
  const arrivals = (untilUs: number) => {
    for (;;) {
      const due = sides
        .flatMap((side, index) => side.wire.map((packet) => ({ packet, side, index })))
        .filter(({ packet }) => packet.arrivesUs <= untilUs)
        .sort((left, right) => left.packet.arrivesUs - right.packet.arrivesUs);
      if (due.length === 0) return;
      const [{ packet, side, index }] = due;
      side.wire.splice(side.wire.indexOf(packet), 1);
      sides[1 - index].arrive(packet, Math.max(packet.arrivesUs, nowUs));
    }
  };
  for (const { from, waitUs, delayUs, eliciting } of steps) {
    arrivals(nowUs + waitUs);
    nowUs += waitUs;
    for (const side of sides) side.turn(nowUs);
    sides[from].send(nowUs, delayUs, eliciting);
  }
  // A second for what is still on its way; then each side speaks until everything has a verdict.
  nowUs += 1_000_000;
  arrivals(nowUs);
  const finish = sides.map((side) => side.next);
  for (let round = 0; round < 8; round++) {
    for (const side of sides) {
      nowUs += 50_000;
      arrivals(nowUs);
      side.send(nowUs, 1000, true);
      arrivals(nowUs + 2000);
      side.turn(nowUs + 2000);
    }
  }
  sides.forEach((side, index) => {
    const other = sides[1 - index];
    expect(side.verdictNext).toBeGreaterThanOrEqual(finish[index]);
    for (const number of other.received) {
      // Everything that arrived was acked, but for what 256 packets had passed before an ack went out.
      const told = number < finish[index] && number > other.latest - ACK_BITS_MAX;
      if (told) expect(side.known).toContain(number);
    }
  });
}

const step = (loss: number, delayMostUs: number): fc.Arbitrary<Step> =>
  fc.record({
    from: fc.constantFrom(0 as const, 1 as const),
    waitUs: fc.oneof(fc.nat(3000), fc.nat(60_000)),
    delayUs: fc.oneof(
      { weight: loss, arbitrary: fc.constant(null) },
      { weight: 10 - loss, arbitrary: fc.nat(delayMostUs) },
    ),
    eliciting: fc.oneof(
      { weight: 4, arbitrary: fc.constant(true) },
      { weight: 1, arbitrary: fc.constant(false) },
    ),
  });

/** Each end in each engine. */
const pairs = twins.flatMap((left) => twins.map((right) => ({ left, right })));

describe.each(pairs)("a bad link between $left.name and $right.name", ({ left, right }) => {
  test.each([
    ["loses nothing and keeps order", 0, 0],
    ["overtakes", 0, 200_000],
    ["loses a tenth", 1, 30_000],
    ["loses nine tenths, and overtakes", 9, 400_000],
    ["loses half, and overtakes", 5, 400_000],
  ] as const)("that %s", (_name, loss, delayMostUs) => {
    const firsts = fc.constantFrom(0, 1, 32_760, 65_500, 131_050, 2 ** 32 - 30);
    fc.assert(
      fc.property(
        firsts,
        firsts,
        fc.array(step(loss, delayMostUs), { maxLength: 150 }),
        (first, second, steps) => run([new Side(left, first), new Side(right, second)], steps),
      ),
      { numRuns: 25 },
    );
  });
});

describe.each(twins)("a long life of $name", (twin) => {
  test("over 140,000 packets the 16-bit number wraps twice and nothing is lost", () => {
    const { engine, core } = twin;
    const a = new AckEnd(engine);
    const b = new AckEnd(engine);
    for (let number = 0; number < 140_000; number++) {
      const nowUs = number * 10_000;
      const sent = a.send(nowUs);
      b.receive(sent, nowUs + 1000);
      const latest = core.sequenceExpand16(sent & 0xffff, sent + 1);
      if (latest !== sent) expect(latest).toBe(sent);
      a.ack(latest, new Uint8Array(0), nowUs + 2000);
      a.verdicts(nowUs + 2000);
    }
    expect(a.read()).toMatchObject({ acked: 140_000, lost: 0, late: 0, eliciting: 0 });
    expect(b.read()).toMatchObject({ latest: 139_999, gaps: 0 });
    expect(engine.acksDeadlineUs(a.handle)).toBe(NO_DEADLINE);
  });
});
