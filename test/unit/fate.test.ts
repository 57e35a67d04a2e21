/*
 * One channel from end to end over packets that are lost, overtaken and wrongly given up, at random: every message has
 * exactly one fate, late acks or not, what is told delivered arrived, order and window hold, no hole stays,
 * and all memory comes back. Each strategy's policy, each engine at each end.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FATE_DELIVERED, FATE_DROPPED } from "../../lib/engine/channel.js";
import { RECEIVE_OK } from "../../lib/engine/delivery.js";
import {
  ORDER_NONE,
  ORDER_ORDERED,
  ORDER_SEQUENCED,
  REPAIR_ACK,
  REPAIR_NACK,
  REPAIR_NONE,
} from "../../lib/engine/policy.js";
import { Line, PEER, policyWords, type Ride } from "../line.js";
import { type Twin, twins } from "../twins.js";

const MS = 1000;
const RTT_US = 50 * MS;
const REPAIR = REPAIR_ACK | REPAIR_NACK;

interface Strategy {
  readonly name: string;
  readonly policy: Uint32Array;
  /** The receiver waits for what is missing: nothing that arrived in time is thrown away. */
  readonly waits: boolean;
  readonly ordered: boolean;
}

const STRATEGIES: readonly Strategy[] = [
  {
    name: "RealTime, low",
    policy: policyWords(ORDER_SEQUENCED, REPAIR_NONE, 1, 0, 0),
    waits: false,
    ordered: true,
  },
  {
    name: "RealTime, high",
    policy: policyWords(ORDER_SEQUENCED, REPAIR_NONE, 7, 1, 0),
    waits: false,
    ordered: true,
  },
  {
    name: "TimeSensitive",
    policy: policyWords(ORDER_ORDERED, REPAIR_NACK, 0, 0, 200),
    waits: false,
    ordered: true,
  },
  {
    name: "Reliable, without copies",
    policy: policyWords(ORDER_ORDERED, REPAIR, 0, 0, 10_000),
    waits: true,
    ordered: true,
  },
  {
    name: "Reliable, low",
    policy: policyWords(ORDER_ORDERED, REPAIR, 1, 0, 10_000),
    waits: true,
    ordered: true,
  },
  {
    name: "Reliable, unordered",
    policy: policyWords(ORDER_NONE, REPAIR, 1, 0, 10_000),
    waits: true,
    ordered: false,
  },
];

interface Packet {
  readonly rides: readonly Ride[];
  /** The id of the skip in it, or -1. */
  readonly skipId: number;
  readonly nack: { readonly id: number; readonly bits: Uint8Array } | null;
  arrived: boolean;
  decided: boolean;
  readonly lost: boolean;
  /** What of it waits for a late ack. */
  unsettled: readonly Ride[];
}

type Step =
  | { readonly do: "send"; count: number; ttl: number }
  | { readonly do: "flush"; lost: boolean; room: number }
  | { readonly do: "repair"; lost: boolean; room: number }
  | { readonly do: "arrive"; index: number }
  | { readonly do: "decide" }
  | { readonly do: "settle"; index: number }
  | { readonly do: "nack"; lost: boolean }
  | { readonly do: "wait"; ms: number };

class World {
  readonly #strategy: Strategy;
  readonly sender: Line;
  readonly receiver: Line;
  readonly #flying: Packet[] = [];
  readonly #lateOnes: Packet[] = [];
  readonly #bodyOf = new Map<number, number>();
  readonly fates = new Map<number, number>();
  readonly #idOf = new Map<number, number>();
  readonly delivered: number[] = [];
  readonly #came = new Set<number>();
  #tags = 0;

  constructor(from: Twin, to: Twin, strategy: Strategy, start: number) {
    const options = {
      policies: [strategy.policy],
      chunks: 700,
      messages: 700,
      completionCapacity: 262_144,
    };
    this.#strategy = strategy;
    this.sender = new Line(from.engine, options);
    this.receiver = new Line(to.engine, options);
    for (const line of [this.sender, this.receiver]) line.engine.channelSeek(line.handle, 0, start);
  }

  step(step: Step): void {
    if (step.do === "send") this.#send(step.count, step.ttl);
    else if (step.do === "flush") this.#flush(step.lost, step.room);
    else if (step.do === "repair") this.#repair(step.lost, step.room);
    else if (step.do === "arrive") this.#arrive(step.index);
    else if (step.do === "decide") this.#decide();
    else if (step.do === "settle") this.#settle(step.index);
    else if (step.do === "nack") this.#nack(step.lost);
    else this.#wait(step.ms);
    this.#watch();
  }

  #send(count: number, ttl: number): void {
    for (let index = 0; index < count; index++) {
      const tag = this.#tags + 1;
      const body = new Uint8Array(1 + (tag % 40)).fill(tag);
      if (!this.sender.send(body, { tag, ttl })) return;
      this.#tags = tag;
    }
  }

  #fly(rides: readonly Ride[], skipId: number, lost: boolean): void {
    for (const { id, body, tag } of rides) {
      // One message under one id, whenever it rides.
      const known = this.#bodyOf.get(id);
      if (known !== undefined) expect(body[0]).toBe(known);
      this.#bodyOf.set(id, body[0]);
      this.#idOf.set(tag, id);
    }
    if (rides.length === 0 && skipId < 0) return;
    const flight = { arrived: false, decided: false, lost, unsettled: [] };
    this.#flying.push({ rides, skipId, nack: null, ...flight });
  }

  /** As transmit fills a packet. */
  #flush(lost: boolean, room: number): void {
    const { sender } = this;
    const { engine, handle } = sender;
    const skipId = engine.channelSkipDue(handle, 0) ? engine.channelSkip(handle, 0) : -1;
    const rides = sender.pack(() => {
      engine.channelPlanResends(handle, 0);
      engine.channelPlanFresh(handle, 0);
      engine.channelPlanCopies(handle, 0);
    }, room);
    this.#fly(rides, skipId, lost);
    sender.trim();
    sender.flushed();
  }

  #repair(lost: boolean, room: number): void {
    this.#fly(this.sender.resends(0, room), -1, lost);
    this.#fly(this.sender.copies(0, room), -1, lost);
  }

  /** A packet arrives, whether it was given up meanwhile or not. */
  #arrive(index: number): void {
    const all = [...this.#flying, ...this.#lateOnes].filter((each) => !each.arrived && !each.lost);
    if (all.length === 0) return;
    const packet = all[index % all.length];
    packet.arrived = true;
    const { receiver } = this;
    // Nothing that a lawful sender sends is a violation.
    if (packet.skipId >= 0) expect(receiver.skip(packet.skipId)).toBe(RECEIVE_OK);
    for (const { id, body } of packet.rides) {
      expect(receiver.receive(id, body)).toBe(RECEIVE_OK);
      this.#came.add(id);
    }
    receiver.engine.gapUpdate(receiver.handle, 0, receiver.nowUs, 5 * MS);
  }

  #decide(): void {
    const packet = this.#flying.shift();
    if (packet === undefined) return;
    const { engine, handle } = this.sender;
    packet.decided = true;
    if (packet.skipId >= 0) engine.channelSkipVerdict(handle, 0, packet.skipId, packet.arrived);
    packet.unsettled = this.sender.decide(packet.rides, packet.arrived, RTT_US / 2);
    if (packet.arrived) expect(packet.unsettled).toEqual([]);
    else this.#lateOnes.push(packet);
  }

  /** A late ack comes, or none will. */
  #settle(index: number): void {
    const all = this.#lateOnes.filter(({ unsettled }) => unsettled.length > 0);
    if (all.length === 0) return;
    const packet = all[index % all.length];
    this.sender.settle(packet.unsettled, packet.arrived);
    packet.unsettled = [];
  }

  /** The receiver names what it misses, and the sender hears it. */
  #nack(lost: boolean): void {
    const { engine, handle, nowUs } = this.receiver;
    const { expectedId, gapId } = this.receiver.channel();
    if (gapId < 0 || lost) return;
    const bits = new Uint8Array(32);
    const named = bits.slice(0, engine.gapMissing(handle, 0, bits));
    named.set(bits.subarray(0, named.length));
    const id16 = expectedId & 0xffff;
    const sender = this.sender;
    const lawful = sender.engine.channelNacked(sender.handle, 0, PEER, id16, named, nowUs, RTT_US);
    // A receiver names what it misses below something that came: it was sent.
    const repaired = (this.#strategy.policy[1] & REPAIR_NACK) !== 0;
    expect(lawful).toBe(repaired);
  }

  #wait(ms: number): void {
    for (const line of [this.sender, this.receiver]) line.nowUs += ms * MS;
    this.sender.expire();
    const { engine, handle, nowUs } = this.receiver;
    engine.gapExpire(handle, 0, nowUs);
    this.receiver.release();
    engine.gapUpdate(handle, 0, nowUs, 5 * MS);
  }

  /** Looks at both users' rings. */
  #watch(): void {
    for (const event of this.receiver.events()) {
      if (event.kind !== "message") continue;
      expect(event.body[0]).toBe(this.#bodyOf.get(event.id));
      if (this.#strategy.ordered) {
        expect(event.id).toBeGreaterThan(this.delivered.at(-1) ?? -1);
      } else {
        expect(this.delivered).not.toContain(event.id);
      }
      this.delivered.push(event.id);
    }
    for (const [tag, fate] of this.sender.fates()) {
      expect(this.fates.has(tag)).toBe(false);
      this.fates.set(tag, fate);
      // Known to have arrived, and not before it did.
      if (fate === FATE_DELIVERED) expect(this.#came).toContain(this.#idOf.get(tag));
    }
  }

  /** The link is good again: everything comes to its end. */
  settle(): void {
    for (let round = 0; round < 200; round++) {
      while (this.#flying.length > 0) {
        this.#arrive(0);
        this.#decide();
        this.#watch();
      }
      for (const _ of this.#lateOnes) this.step({ do: "settle", index: 0 });
      this.step({ do: "flush", lost: false, room: 1200 });
      this.step({ do: "nack", lost: false });
      this.step({ do: "repair", lost: false, room: 1200 });
      this.step({ do: "wait", ms: 60 });
      const { listed, holeFirst } = this.sender.channel();
      if (listed === 0 && holeFirst < 0 && this.#flying.length === 0) break;
    }
    for (let late = 0; late < this.#lateOnes.length; late++) this.#arrive(late);
    this.#watch();
  }

  end(): void {
    const { listed, holeFirst, nextId } = this.sender.channel();
    expect([listed, holeFirst]).toEqual([0, -1]);
    // Every message has its one fate; every one that was told delivered, is.
    expect([...this.fates.keys()].sort((left, right) => left - right)).toEqual(
      Array.from({ length: this.#tags }, (_, index) => index + 1),
    );
    const got = new Set(this.delivered);
    for (const [tag, fate] of this.fates) {
      const told = fate === FATE_DELIVERED && this.#strategy.waits;
      if (told) expect(got).toContain(this.#idOf.get(tag));
    }
    if (this.#strategy.waits) {
      expect(this.receiver.channel()).toMatchObject({ expectedId: nextId, held: 0 });
    }
    this.#memoryIsBack();
  }

  /** The connection ends in the middle of it. */
  drop(): void {
    this.sender.drop();
    const before = new Set(this.fates.keys());
    for (const [tag, fate] of this.sender.fates()) {
      expect(before.has(tag)).toBe(false);
      expect(fate).toBe(FATE_DROPPED);
      this.fates.set(tag, fate);
    }
    expect(this.fates.size).toBe(this.#tags);
    const { engine, handle } = this.sender;
    for (const { rides } of this.#flying) {
      for (const { message } of rides) engine.channelForget(handle, message);
    }
    for (const { unsettled } of this.#lateOnes) {
      for (const { message } of unsettled) engine.channelForget(handle, message);
    }
    this.receiver.engine.deliveryDrop(this.receiver.handle, 0);
    expect(this.receiver.events()).toEqual([]);
    this.#memoryIsBack();
  }

  #memoryIsBack(): void {
    for (const line of [this.sender, this.receiver]) {
      expect(line.free().slice(0, 2)).toEqual([700, 700]);
    }
  }
}

const often = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });
const lost = fc.oneof(often(2, fc.constant(false)), often(1, fc.constant(true)));
const room = fc.constantFrom(30, 100, 1200, 1200);
const step: fc.Arbitrary<Step> = fc.oneof(
  often(
    3,
    fc.record({
      do: fc.constant("send" as const),
      count: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 90 })),
      ttl: fc.constantFrom(0xffffffff, 0xffffffff, 0xffffffff, 30, 120),
    }),
  ),
  often(5, fc.record({ do: fc.constant("flush" as const), lost, room })),
  often(2, fc.record({ do: fc.constant("repair" as const), lost, room })),
  often(6, fc.record({ do: fc.constant("arrive" as const), index: fc.nat(20) })),
  often(5, fc.record({ do: fc.constant("decide" as const) })),
  often(3, fc.record({ do: fc.constant("settle" as const), index: fc.nat(20) })),
  often(2, fc.record({ do: fc.constant("nack" as const), lost })),
  often(2, fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 80 }) })),
);

const pairs = twins.flatMap((from) => twins.map((to) => ({ from, to })));

describe.each(pairs)("from $from.name to $to.name", ({ from, to }) => {
  test.each(STRATEGIES)("$name", (strategy) => {
    fc.assert(
      fc.property(
        fc.constantFrom(0, 65_500, 131_000),
        fc.array(step, { maxLength: 120 }),
        fc.boolean(),
        (start, steps, ends) => {
          const world = new World(from, to, strategy, start);
          for (const each of steps) world.step(each);
          if (ends) {
            world.drop();
          } else {
            world.settle();
            world.end();
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});
