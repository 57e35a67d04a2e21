/*
 * The way out of a channel: ids at the first ride, copies, superseding, the window, skips, expiry
 * and one fate for each message. test/unit/fate.test.ts has all of it at once, at random.
 */
import { describe, expect, test } from "vitest";
import {
  FATE_DELIVERED,
  FATE_DROPPED,
  FATE_EXPIRED,
  FATE_LOST,
  FATE_SUPERSEDED,
} from "../../lib/engine/channel.js";
import { CHANNEL_WINDOW, COPIES_ADAPTIVE, SEQUENCED_KEPT_MAX } from "../../lib/engine/limits.js";
import {
  EXPIRY_NEVER,
  EXPIRY_SUPERSEDED,
  ORDER_ORDERED,
  ORDER_SEQUENCED,
  REPAIR_ACK,
  REPAIR_NACK,
  REPAIR_NONE,
  STRATEGY_CRITICAL,
} from "../../lib/engine/policy.js";
import { RIDE_COPY, RIDE_FIRST, RIDE_RESEND } from "../../lib/engine/ride.js";
import {
  CHANNEL_ACKED,
  CHANNEL_DROPPED,
  CHANNEL_EXPIRED,
  CHANNEL_LOST,
  CHANNEL_SENT,
  CHANNEL_SUPERSEDED,
  PEER_RELEASED_BYTES,
  PEER_RELEASED_MESSAGES,
} from "../../lib/engine/stats.js";
import { NO_DEADLINE } from "../../lib/engine/timers.js";
import { Line, PEER, policyWords, type Ride } from "../line.js";
import { type EngineProbe, twins } from "../twins.js";

const MS = 1000;
const REPAIR = REPAIR_ACK | REPAIR_NACK;
const RELIABLE = policyWords(ORDER_ORDERED, REPAIR, 0, 0, 10_000);
const REAL_TIME = policyWords(ORDER_SEQUENCED, REPAIR_NONE, 0, 0, EXPIRY_SUPERSEDED);
const ids = (rides: readonly Ride[]) => rides.map(({ id }) => id);
const kinds = (rides: readonly Ride[]) => rides.map(({ ride }) => ride);
const bodies = (rides: readonly Ride[]) => rides.map(({ body }) => body[0]);

const open = (engine: EngineProbe, policy = RELIABLE) => new Line(engine, { policies: [policy] });

describe.each(twins)("a channel of $name", ({ engine }) => {
  test("gives ids at the first ride, in the order of sending", () => {
    const line = open(engine);
    for (const body of [7, 8, 9]) line.send(body);
    expect(line.channel()).toMatchObject({ listed: 3, nextId: 0 });
    // Three of one byte are 5 bytes each: two fit.
    const first = line.fresh(0, 14);
    expect([ids(first), bodies(first), kinds(first)]).toEqual([
      [0, 1],
      [7, 8],
      [RIDE_FIRST, RIDE_FIRST],
    ]);
    expect(ids(line.fresh())).toEqual([2]);
    expect(line.fresh()).toEqual([]);
    expect(line.channel()).toMatchObject({ listed: 3, nextId: 3 });
    expect(line.counter(CHANNEL_SENT)).toBe(3);
  });

  test("is done with a message once a packet with it is acked", () => {
    const line = open(engine);
    line.send(1, { tag: 5 });
    const packet = line.fresh();
    expect(line.events()).toEqual([]);
    line.ack(packet);
    expect(line.fates()).toEqual([[5, FATE_DELIVERED]]);
    expect(line.channel()).toMatchObject({ listed: 0, resends: 0 });
    expect(line.counter(CHANNEL_ACKED)).toBe(1);
  });

  test("tells the user of a delivery only where it was asked for", () => {
    const line = open(engine);
    line.send(1);
    line.ack(line.fresh());
    expect(line.events()).toEqual([]);
  });

  test("sends what is lost again, under the same id in another packet (R-29)", () => {
    const line = open(engine);
    line.send(1);
    const first = line.fresh();
    expect(line.resends()).toEqual([]);
    line.lose(first);
    expect(line.channel().resends).toBe(1);
    const second = line.resends();
    expect([ids(second), kinds(second), bodies(second)]).toEqual([[0], [RIDE_RESEND], [1]]);
    expect(line.resends()).toEqual([]);
    line.ack(second);
    expect(line.counter(CHANNEL_ACKED)).toBe(1);
  });

  test("without repair counts what is lost as lost", () => {
    const line = open(engine, REAL_TIME);
    line.send(1, { tag: 3 });
    line.lose(line.fresh());
    expect(line.fates()).toEqual([[3, FATE_LOST]]);
    expect(line.counter(CHANNEL_LOST)).toBe(1);
    expect(line.channel()).toMatchObject({ listed: 0, resends: 0 });
  });

  test("does not hold the bytes of what is never sent again", () => {
    const line = open(engine, REAL_TIME);
    const free = line.free()[0];
    line.send(1);
    expect(line.free()[0]).toBe(free - 1);
    line.fresh();
    expect(line.free()[0]).toBe(free);
  });

  test("counts what left the queue, for the user's back-pressure", () => {
    const line = open(engine);
    line.send(new Uint8Array(100));
    line.send(new Uint8Array(7));
    line.ack(line.fresh());
    expect(line.peerWord(PEER_RELEASED_BYTES)).toBe(107);
    expect(line.peerWord(PEER_RELEASED_MESSAGES)).toBe(2);
  });

  test("wants a packet at a flush, and for what is lost at any time (R-37)", () => {
    const line = open(engine);
    const wants = () => [false, true].map((flush) => engine.channelWants(line.handle, 0, flush));
    expect(wants()).toEqual([false, false]);
    line.send(1);
    expect(wants()).toEqual([false, true]);
    const packet = line.fresh();
    expect(wants()).toEqual([false, false]);
    line.lose(packet);
    expect(wants()).toEqual([true, true]);
  });

  test("takes no message without memory for it, and keeps none of the memory (R-48)", () => {
    for (const [chunks, messages, taken] of [
      [3, 4, 3],
      [9, 2, 2],
    ]) {
      const line = new Line(engine, { policies: [RELIABLE], chunks, messages });
      const sent = Array.from({ length: 5 }, () => line.send(1)).filter((each) => each);
      expect(sent).toHaveLength(taken);
      expect(line.channel().listed).toBe(taken);
      expect(line.free().slice(0, 2)).toEqual([chunks - taken, messages - taken]);
    }
  });

  test("gives everything back at the end: dropped, once each (R-45, R-47)", () => {
    const line = open(engine, policyWords(ORDER_ORDERED, REPAIR, 2, 0));
    const free = line.free();
    for (let tag = 1; tag <= 4; tag++) line.send(tag, { tag });
    const flying = line.fresh(0, 11);
    const lost = line.fresh(0, 6);
    line.lose(lost);
    line.drop();
    expect(line.fates()).toEqual([1, 2, 3, 4].map((tag) => [tag, FATE_DROPPED]));
    expect(line.counter(CHANNEL_DROPPED)).toBe(4);
    expect(line.channel()).toMatchObject({ listed: 0, resends: 0, copying: 0 });
    // What still flies holds its record, until it is forgotten with the packets.
    expect(line.free()[1]).toBe(free[1] - 2);
    for (const { message } of flying) engine.channelForget(line.handle, message);
    expect(line.free()).toEqual(free);
    line.drop();
    expect(line.events()).toEqual([]);
  });

  test("passes bare NETCODE payloads without any promise", () => {
    const line = open(engine, policyWords(0, REPAIR_NONE));
    const free = line.free();
    line.send(new Uint8Array(30), { tag: 1 });
    engine.channelPass(line.handle, 0, PEER);
    engine.channelPass(line.handle, 0, PEER);
    expect(line.events()).toEqual([]);
    expect(line.counter(CHANNEL_SENT)).toBe(1);
    expect(line.peerWord(PEER_RELEASED_BYTES)).toBe(30);
    expect(line.free()).toEqual(free);
  });
});

describe.each(twins)("copies of $name (R-40)", ({ engine }) => {
  test.each([0, 1, 7, 15])("%i copies ride, each in another packet", (copies) => {
    const line = open(engine, policyWords(ORDER_SEQUENCED, REPAIR_NONE, copies, 1));
    line.send(1, { tag: 9 });
    const packets = [line.fresh()];
    for (let packet = line.copies(); packet.length > 0; packet = line.copies()) {
      expect(kinds(packet)).toEqual([RIDE_COPY]);
      expect([ids(packet), bodies(packet)]).toEqual([[0], [1]]);
      packets.push(packet);
    }
    expect(packets).toHaveLength(1 + copies);
    expect(line.channel().copying).toBe(0);
    // Only the last loss is the message's.
    packets.forEach((packet, index) => {
      expect(line.fates()).toEqual([]);
      line.lose(packet);
      if (index === copies) expect(line.fates()).toEqual([[9, FATE_LOST]]);
    });
  });

  test("one packet carries a message once", () => {
    const line = open(engine, policyWords(ORDER_SEQUENCED, REPAIR_NONE, 3, 1));
    line.send(1);
    const packet = line.pack((probe, handle) => {
      probe.channelPlanFresh(handle, 0);
      probe.channelPlanCopies(handle, 0);
      probe.channelPlanCopies(handle, 0);
    });
    expect(packet).toHaveLength(1);
  });

  test("an ack ends the copying", () => {
    const line = open(engine, policyWords(ORDER_SEQUENCED, REPAIR_NONE, 7, 1));
    line.send(1);
    const first = line.fresh();
    const second = line.copies();
    expect(line.channel().copying).toBe(1);
    line.ack(first);
    expect(line.channel().copying).toBe(0);
    expect(line.copies()).toEqual([]);
    // Of the second packet nothing is to be done any more.
    line.lose(second);
    expect(line.counter(CHANNEL_ACKED)).toBe(1);
    expect(line.free()).toEqual(open(engine).free());
  });

  test("a copy that arrives delivers, though the first was lost", () => {
    const line = open(engine, policyWords(ORDER_SEQUENCED, REPAIR_NONE, 1, 0));
    line.send(1, { tag: 4 });
    const first = line.fresh();
    line.lose(first);
    expect(line.fates()).toEqual([]);
    line.ack(line.copies());
    expect(line.fates()).toEqual([[4, FATE_DELIVERED]]);
  });

  test("a repaired message that waits for its next ride is not resent twice", () => {
    const line = open(engine, policyWords(ORDER_ORDERED, REPAIR, 1, 0));
    line.send(1);
    const first = line.fresh();
    line.lose(first);
    // Marked as lost, it rides as that, and its copy is still to come.
    const packet = line.pack((probe, handle) => {
      probe.channelPlanResends(handle, 0);
      probe.channelPlanCopies(handle, 0);
    });
    expect(kinds(packet)).toEqual([RIDE_RESEND]);
    expect(line.channel()).toMatchObject({ resends: 0, copying: 1 });
    const copy = line.copies();
    line.lose(packet);
    // The copy is undecided: nothing is lost yet.
    expect(line.channel().resends).toBe(0);
    line.lose(copy);
    expect(line.channel().resends).toBe(1);
  });

  test("a message that is to be resent is done when its copy is acked", () => {
    const line = open(engine, policyWords(ORDER_ORDERED, REPAIR, 1, 0));
    line.send(1, { tag: 2 });
    const first = line.fresh();
    const copy = line.copies();
    line.lose(first);
    line.ack(copy);
    expect(line.fates()).toEqual([[2, FATE_DELIVERED]]);
    expect(line.channel()).toMatchObject({ resends: 0, copying: 0, listed: 0 });
  });

  test("copies ride newest first, so that the oldest is left out", () => {
    const line = open(engine, policyWords(ORDER_SEQUENCED, REPAIR_NONE, 1, 0));
    for (let body = 0; body < 5; body++) line.send(body);
    line.fresh();
    // Room for two.
    expect(bodies(line.copies(0, 14))).toEqual([3, 4]);
    expect(bodies(line.copies(0, 14))).toEqual([1, 2]);
    expect(bodies(line.copies(0, 14))).toEqual([0]);
  });

  test("adaptive copies are 1, 3, 5 and 7, from 5, 15 and 30 % loss on", () => {
    const policy = policyWords(ORDER_SEQUENCED, REPAIR_NONE, COPIES_ADAPTIVE, 1);
    for (const [percent, copies] of [
      [0, 1],
      [4.99, 1],
      [5.01, 3],
      [14.99, 3],
      [15.01, 5],
      [29.99, 5],
      [30.01, 7],
      [100, 7],
    ]) {
      const line = open(engine, policy);
      line.lossShare = Math.round((percent * 65_536) / 100);
      line.send(1);
      line.fresh();
      let count = 0;
      while (line.copies().length > 0) count += 1;
      expect([percent, count]).toEqual([percent, copies]);
    }
  });
});

describe.each(twins)("a sequenced channel of $name", ({ engine }) => {
  test("supersedes what was left unsent at a flush, at the next message (R-41)", () => {
    const line = open(engine, REAL_TIME);
    line.send(1, { tag: 1 });
    line.send(2, { tag: 2 });
    line.flushed();
    expect(line.fates()).toEqual([]);
    line.send(3, { tag: 3 });
    expect(line.fates()).toEqual([
      [1, FATE_SUPERSEDED],
      [2, FATE_SUPERSEDED],
    ]);
    expect(line.counter(CHANNEL_SUPERSEDED)).toBe(2);
    const packet = line.fresh();
    // What was never sent leaves no gap.
    expect([ids(packet), bodies(packet)]).toEqual([[0], [3]]);
  });

  test("does not supersede what no flush has passed, nor what was sent", () => {
    const line = open(engine, REAL_TIME);
    line.send(1);
    const sent = line.fresh();
    line.flushed();
    line.send(2);
    line.send(3);
    line.send(4);
    expect(line.counter(CHANNEL_SUPERSEDED)).toBe(0);
    line.ack(sent, line.fresh());
    expect(line.counter(CHANNEL_ACKED)).toBe(4);
  });

  test("gives what was left over its chance until the next message comes", () => {
    const line = open(engine, REAL_TIME);
    line.send(1);
    line.flushed();
    expect(bodies(line.fresh())).toEqual([1]);
    line.send(2);
    expect(line.counter(CHANNEL_SUPERSEDED)).toBe(0);
  });

  test("an ordered channel supersedes nothing", () => {
    const line = open(engine);
    line.send(1);
    line.flushed();
    line.send(2);
    expect(bodies(line.fresh())).toEqual([1, 2]);
  });

  test(`keeps ${SEQUENCED_KEPT_MAX} messages; the oldest sent one is given up`, () => {
    for (const [count, lost] of [
      [SEQUENCED_KEPT_MAX - 1, 0],
      [SEQUENCED_KEPT_MAX, 0],
      [SEQUENCED_KEPT_MAX + 1, 1],
      [SEQUENCED_KEPT_MAX + 5, 5],
    ]) {
      const line = open(engine, REAL_TIME);
      for (let tag = 1; tag <= count; tag++) line.send(tag, { tag });
      line.trim();
      expect(line.events()).toEqual([]);
      const packets = [line.fresh(), line.fresh()];
      line.trim();
      expect(line.fates()).toEqual(
        Array.from({ length: lost }, (_, index) => [index + 1, FATE_LOST]),
      );
      // The fate stays, whatever comes.
      line.ack(...packets);
      expect(line.counter(CHANNEL_LOST)).toBe(lost);
      expect(line.counter(CHANNEL_ACKED)).toBe(count - lost);
    }
  });
});

describe.each(twins)("the window of $name (R-43)", ({ engine }) => {
  const sendAll = (line: Line, count: number) => {
    const packets: Ride[][] = [];
    for (let index = 0; index < count; index++) line.send(index & 0xff);
    for (let packet = line.fresh(); packet.length > 0; packet = line.fresh()) packets.push(packet);
    return packets;
  };
  const sum = (packets: readonly (readonly Ride[])[]) =>
    packets.reduce((total, packet) => total + packet.length, 0);

  test("256 ids may be on the wire, the 257th waits for the first", () => {
    for (const [count, sent] of [
      [CHANNEL_WINDOW - 1, CHANNEL_WINDOW - 1],
      [CHANNEL_WINDOW, CHANNEL_WINDOW],
      [CHANNEL_WINDOW + 1, CHANNEL_WINDOW],
    ]) {
      const line = open(engine);
      const packets = sendAll(line, count);
      expect(sum(packets)).toBe(sent);
      expect(engine.channelWants(line.handle, 0, true)).toBe(false);
      // Later ones that are acked open nothing: the receiver waits for the first.
      line.ack(...packets.slice(1));
      expect(line.fresh()).toEqual([]);
      line.ack(packets[0]);
      // Nor does what its user has not consumed.
      expect(line.fresh()).toEqual([]);
      expect(engine.channelConsumed(line.handle, 0, sent)).toBe(true);
      expect(ids(line.fresh())).toEqual(count > sent ? [CHANNEL_WINDOW] : []);
    }
  });

  test("a hole keeps it shut until the skip is acked (R-33)", () => {
    const line = open(engine);
    line.send(0, { ttl: 50 });
    const first = line.fresh();
    sendAll(line, CHANNEL_WINDOW);
    line.nowUs += 50 * MS;
    line.lose(first);
    expect(line.counter(CHANNEL_EXPIRED)).toBe(1);
    expect(engine.channelInWindow(line.handle, 0, CHANNEL_WINDOW - 1)).toBe(true);
    expect(engine.channelInWindow(line.handle, 0, CHANNEL_WINDOW)).toBe(false);
    expect(engine.channelSkipDue(line.handle, 0)).toBe(true);
    const skipId = engine.channelSkip(line.handle, 0);
    expect(skipId).toBe(1);
    expect(engine.channelInWindow(line.handle, 0, CHANNEL_WINDOW)).toBe(false);
    engine.channelSkipVerdict(line.handle, 0, skipId, true);
    engine.channelConsumed(line.handle, 0, 1);
    expect(engine.channelInWindow(line.handle, 0, CHANNEL_WINDOW)).toBe(true);
    expect(engine.channelInWindow(line.handle, 0, CHANNEL_WINDOW + 1)).toBe(false);
  });

  test("a channel without repair has none", () => {
    const line = open(engine, REAL_TIME);
    expect(sum(sendAll(line, 3 * CHANNEL_WINDOW))).toBe(3 * CHANNEL_WINDOW);
  });

  test.each([65_530, 65_536 * 2 - 3, 2 ** 32 - 4])("it moves on past id %i", (start) => {
    const line = open(engine);
    engine.channelSeek(line.handle, 0, start);
    for (let round = 0; round < 8; round++) {
      const packets = sendAll(line, CHANNEL_WINDOW);
      expect(packets[0][0].id).toBe(start + round * CHANNEL_WINDOW);
      expect(sum(packets)).toBe(CHANNEL_WINDOW);
      line.ack(...packets);
      engine.channelConsumed(line.handle, 0, line.channel().nextId & 0xffff);
    }
    expect(line.channel().nextId).toBe(start + 8 * CHANNEL_WINDOW);
  });
});

describe.each(twins)("expiry of $name (R-44)", ({ engine }) => {
  test("what was never sent expires at its time, and leaves no gap", () => {
    const line = open(engine);
    line.send(1, { ttl: 100, tag: 1 });
    line.send(2, { tag: 2 });
    expect(line.channel().earliestExpiryUs).toBe(line.nowUs + 100 * MS);
    line.nowUs += 100 * MS - 1;
    line.expire();
    expect(line.events()).toEqual([]);
    line.nowUs += 1;
    line.expire();
    expect(line.fates()).toEqual([[1, FATE_EXPIRED]]);
    expect(line.channel()).toMatchObject({ holeFirst: -1, listed: 1 });
    expect(ids(line.fresh())).toEqual([0]);
  });

  test("what is in flight at its time waits for the verdict; acked, it is delivered", () => {
    const line = open(engine);
    line.send(1, { ttl: 100, tag: 1 });
    const packet = line.fresh();
    line.nowUs += 5000 * MS;
    line.expire();
    expect(line.events()).toEqual([]);
    expect(line.channel().earliestExpiryUs).toBe(NO_DEADLINE);
    line.ack(packet);
    expect(line.fates()).toEqual([[1, FATE_DELIVERED]]);
    expect(line.counter(CHANNEL_EXPIRED)).toBe(0);
  });

  test("what is in flight at its time and lost then, expires and leaves a hole", () => {
    const line = open(engine);
    line.send(1, { ttl: 100, tag: 1 });
    const packet = line.fresh();
    line.nowUs += 100 * MS;
    line.lose(packet);
    expect(line.fates()).toEqual([[1, FATE_EXPIRED]]);
    expect(line.channel()).toMatchObject({ holeFirst: 0, holeLast: 0, resends: 0, listed: 0 });
  });

  test("two packets with it must both be decided", () => {
    const line = open(engine, policyWords(ORDER_ORDERED, REPAIR, 1, 0, 100));
    line.send(1, { tag: 1 });
    const first = line.fresh();
    const copy = line.copies();
    line.nowUs += 100 * MS;
    line.lose(first);
    line.expire();
    expect(line.events()).toEqual([]);
    line.ack(copy);
    expect(line.fates()).toEqual([[1, FATE_DELIVERED]]);
  });

  test("what waits to be sent again expires at its time, and leaves a hole", () => {
    const line = open(engine);
    line.send(1, { ttl: 100, tag: 1 });
    line.lose(line.fresh());
    expect(line.channel().resends).toBe(1);
    line.nowUs += 100 * MS;
    line.expire();
    expect(line.fates()).toEqual([[1, FATE_EXPIRED]]);
    expect(line.channel()).toMatchObject({ resends: 0, holeFirst: 0 });
    expect(line.resends()).toEqual([]);
  });

  test("what could not arrive in time is not sent again (R-51)", () => {
    for (const [arrivesMs, resends] of [
      [99, 1],
      [100, 1],
      [101, 0],
    ]) {
      const line = open(engine);
      line.send(1, { ttl: 150, tag: 1 });
      const packet = line.fresh();
      line.nowUs += 50 * MS;
      line.decide(packet, false, arrivesMs * MS);
      expect(line.channel().resends).toBe(resends);
      expect(line.fates()).toEqual(resends === 1 ? [] : [[1, FATE_EXPIRED]]);
    }
  });

  test("the earliest of many is the deadline, whatever their order", () => {
    const line = open(engine);
    const start = line.nowUs;
    for (const ttl of [300, 100, 200]) line.send(1, { ttl });
    expect(line.channel().earliestExpiryUs).toBe(start + 100 * MS);
    line.nowUs = start + 100 * MS;
    line.expire();
    expect(line.channel()).toMatchObject({ earliestExpiryUs: start + 200 * MS, listed: 2 });
    line.nowUs = start + 300 * MS;
    line.expire();
    expect(line.channel()).toMatchObject({ earliestExpiryUs: NO_DEADLINE, listed: 0 });
  });

  test("a time of never has no deadline", () => {
    const line = open(engine, policyWords(ORDER_ORDERED, REPAIR, 0, 0, EXPIRY_NEVER));
    line.send(1);
    expect(line.channel().earliestExpiryUs).toBe(NO_DEADLINE);
    line.nowUs += 2 ** 45;
    line.expire();
    expect(line.channel().listed).toBe(1);
  });

  test("a broken promise is told even where no fate was asked for", () => {
    const line = open(engine);
    line.send(1, { ttl: 1 });
    line.nowUs += MS;
    line.expire();
    expect(line.fates()).toEqual([[0, FATE_EXPIRED]]);
    const other = open(engine, REAL_TIME);
    other.send(1);
    other.lose(other.fresh());
    expect(other.events()).toEqual([]);
  });

  test("a critical channel is broken by what it does not deliver (R-52)", () => {
    const critical = policyWords(ORDER_ORDERED, REPAIR, 0, 0, 100, STRATEGY_CRITICAL);
    const line = open(engine, critical);
    line.send(1);
    line.ack(line.fresh());
    expect(line.channel().broken).toBe(0);
    line.send(2);
    line.nowUs += 100 * MS;
    line.expire();
    expect(line.channel().broken).toBe(1);
  });
});

describe.each(twins)("skips of $name (R-33)", ({ engine }) => {
  /** Sends `count` messages in packets of their own; those named expire at once they are lost. */
  function holes(count: number, expiring: readonly number[]) {
    const line = open(engine);
    const packets = Array.from({ length: count }, (_, id) => {
      line.send(id, expiring.includes(id) ? { ttl: 10 } : {});
      return line.fresh();
    });
    line.nowUs += 10 * MS;
    const due = () => engine.channelSkipDue(line.handle, 0);
    const skip = () => engine.channelSkip(line.handle, 0);
    const verdict = (id: number, acked: boolean) =>
      engine.channelSkipVerdict(line.handle, 0, id, acked);
    return { line, packets, due, skip, verdict };
  }

  test("names the oldest that is still to be acked", () => {
    const { line, packets, due, skip } = holes(4, [0, 1]);
    expect(due()).toBe(false);
    line.lose(packets[0], packets[1]);
    expect(due()).toBe(true);
    expect(skip()).toBe(2);
    // One is on its way.
    expect(due()).toBe(false);
  });

  test("names the next id of all when nothing is left", () => {
    const { line, packets, skip } = holes(3, [2]);
    line.ack(packets[0], packets[1]);
    line.lose(packets[2]);
    expect(skip()).toBe(3);
  });

  test("waits for what is older than the hole", () => {
    const { line, packets, due, skip } = holes(3, [1]);
    line.lose(packets[1]);
    expect(due()).toBe(false);
    line.ack(packets[0]);
    expect(due()).toBe(true);
    expect(skip()).toBe(2);
  });

  test("is sent again when it is lost, and not after its ack", () => {
    const { line, packets, due, skip, verdict } = holes(2, [0]);
    line.lose(packets[0]);
    const id = skip();
    verdict(id, false);
    expect(due()).toBe(true);
    expect(skip()).toBe(id);
    verdict(id, true);
    expect(due()).toBe(false);
    expect(line.channel()).toMatchObject({ holeFirst: -1, holeLast: -1, skipping: -1 });
  });

  test("a hole that came up since stays, and is named next", () => {
    const { line, packets, due, skip, verdict } = holes(5, [0, 2]);
    line.lose(packets[0]);
    const id = skip();
    expect(id).toBe(1);
    line.ack(packets[1]);
    line.lose(packets[2]);
    verdict(id, true);
    expect(line.channel()).toMatchObject({ holeFirst: 1, holeLast: 2 });
    expect(due()).toBe(true);
    expect(skip()).toBe(3);
    verdict(3, true);
    expect(line.channel().holeFirst).toBe(-1);
  });

  test("a hole older than another is the first of them", () => {
    const { line, packets, due, skip } = holes(4, [1, 2]);
    line.lose(packets[2]);
    line.lose(packets[1]);
    expect(line.channel()).toMatchObject({ holeFirst: 1, holeLast: 2 });
    expect(due()).toBe(false);
    line.ack(packets[0]);
    expect(skip()).toBe(3);
  });

  test("a sequenced channel has none: its receiver waits for nothing", () => {
    const line = open(engine, REAL_TIME);
    line.send(1, { ttl: 10 });
    line.lose(line.fresh());
    expect(engine.channelSkipDue(line.handle, 0)).toBe(false);
    expect(line.channel().holeFirst).toBe(-1);
  });
});
