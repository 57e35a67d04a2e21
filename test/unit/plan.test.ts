/*
 * What rides in a packet: the order of service, the room that is there, copies and their time, what goes out at a
 * flush and what along with something else, one message of a stuck channel.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { CONFIG_PAYLOAD_BYTES_MAX } from "../../lib/engine/config.js";
import { LOSSES_ALONE, MESSAGES_PER_PACKET_MAX } from "../../lib/engine/limits.js";
import {
  ORDER_ORDERED,
  ORDER_SEQUENCED,
  REPAIR_ACK,
  REPAIR_NACK,
  REPAIR_NONE,
} from "../../lib/engine/policy.js";
import { CHANNEL_COPIES, CHANNEL_RESENT, CHANNEL_SENT } from "../../lib/engine/stats.js";
import { defineProtocol, realTime, reliable } from "../../lib/index.js";
import { Duo, MS, type Packet, type Side } from "../duo.js";
import { engines } from "../engines.js";
import { Line, policyWords } from "../line.js";
import { twins } from "../twins.js";

const RELIABLE = policyWords(ORDER_ORDERED, REPAIR_ACK | REPAIR_NACK, 1);
const REAL_TIME = policyWords(ORDER_SEQUENCED, REPAIR_NONE, 1);

describe.each(twins)("a plan of $name", ({ engine }) => {
  const open = (...policies: Uint32Array[]) => new Line(engine, { policies });

  test("takes a message into exactly its room, and not into a byte less", () => {
    for (const size of [0, 1, 127, 128, 1100]) {
      const frame = engine.messageFrameBytes(size);
      for (const [room, taken] of [
        [frame - 1, 0],
        [frame, 1],
        [frame + 1, 1],
      ]) {
        const line = open(RELIABLE);
        line.send(new Uint8Array(size));
        engine.planReset(line.handle, room);
        engine.channelPlanFresh(line.handle, 0);
        expect(engine.planRoom(line.handle)).toBe(room - taken * frame);
        expect(line.fresh(0, room)).toHaveLength(taken);
      }
    }
  });

  test("takes 64 messages, not 65", () => {
    for (const [count, first] of [
      [MESSAGES_PER_PACKET_MAX - 1, MESSAGES_PER_PACKET_MAX - 1],
      [MESSAGES_PER_PACKET_MAX, MESSAGES_PER_PACKET_MAX],
      [MESSAGES_PER_PACKET_MAX + 1, MESSAGES_PER_PACKET_MAX],
    ]) {
      const line = open(RELIABLE);
      for (let index = 0; index < count; index++) line.send(new Uint8Array(0));
      expect(line.fresh()).toHaveLength(first);
      expect(line.fresh()).toHaveLength(count - first);
    }
  });

  test("messages stand by channel and age, whatever their rank", () => {
    const line = open(RELIABLE, REAL_TIME);
    for (const body of [1, 2]) line.send(body, { channel: 0 });
    line.lose(line.pack((probe, handle) => probe.channelPlanFresh(handle, 0)));
    for (const body of [3, 4]) line.send(body, { channel: 0 });
    for (const body of [5, 6]) line.send(body, { channel: 1 });
    const packet = line.pack((probe, handle) => {
      probe.channelPlanFresh(handle, 1);
      probe.channelPlanFresh(handle, 0);
      probe.channelPlanResends(handle, 0);
    });
    expect(packet.map(({ channel, body }) => [channel, body[0]])).toEqual([
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 4],
      [1, 5],
      [1, 6],
    ]);
  });

  test("what does not fit keeps what is behind it in its channel waiting, not other channels", () => {
    const line = open(RELIABLE, RELIABLE);
    line.send(1);
    line.send(new Uint8Array(100).fill(2));
    line.send(3);
    line.send(4, { channel: 1 });
    const packet = line.pack((probe, handle) => {
      probe.channelPlanFresh(handle, 0);
      probe.channelPlanFresh(handle, 1);
    }, 50);
    expect(packet.map(({ body }) => body[0])).toEqual([1, 4]);
    expect(line.fresh().map(({ body }) => body[0])).toEqual([2, 3]);
  });

  test("what was lost goes oldest first", () => {
    const line = open(RELIABLE);
    for (const body of [1, 2, 3]) line.send(body);
    line.lose(line.fresh());
    expect(line.resends(0, 10).map(({ body }) => body[0])).toEqual([1, 2]);
    expect(line.resends(0, 10).map(({ body }) => body[0])).toEqual([3]);
  });

  test("a channel whose oldest message was lost 3 times is stuck: then its oldest rides alone (R-48)", () => {
    const line = open(policyWords(ORDER_ORDERED, REPAIR_ACK));
    for (const body of [1, 2, 3]) line.send(body);
    let packet = line.fresh();
    for (let losses = 1; losses <= LOSSES_ALONE; losses++) {
      expect(engine.channelStuck(line.handle, 0)).toBe(false);
      line.lose(packet);
      if (losses < LOSSES_ALONE) packet = line.resends();
    }
    expect(engine.channelStuck(line.handle, 0)).toBe(true);
    const head = line.pack((probe, handle) => probe.channelPlanHead(handle, 0));
    expect(head.map(({ body }) => body[0])).toEqual([1]);
    // On its way it is stuck no longer, and the next oldest is not to go in its place.
    expect(engine.channelStuck(line.handle, 0)).toBe(false);
    expect(line.pack((probe, handle) => probe.channelPlanHead(handle, 0))).toEqual([]);
    line.ack(head);
    expect(engine.channelStuck(line.handle, 0)).toBe(true);
  });
});

const CHAT = 0;
const URGENT = 1;
const STATE = 2;
const INPUT = 3;
const protocol = defineProtocol("plan/1", {
  chat: reliable({ priority: 64 }),
  urgent: reliable({ priority: 200 }),
  state: realTime(),
  input: realTime({ redundancy: "high" }),
});

function open(engine: "js" | "native", payloadBytesMax?: number): Duo {
  const configure = (config: Uint32Array) => {
    if (payloadBytesMax !== undefined) config[CONFIG_PAYLOAD_BYTES_MAX] = payloadBytesMax;
  };
  const duo = new Duo({ server: engine, client: engine }, protocol, { server: { configure } });
  onTestFinished(() => duo.close());
  return duo;
}

/** Messages of a packet as channel and first byte. */
const messages = (packet: Packet | undefined): [channel: number, body: number][] =>
  (packet?.payload?.frames ?? []).flatMap((frame) =>
    frame.kind === "message" ? [[frame.channel, frame.body[0]] as [number, number]] : [],
  );
const frames = (packet: Packet) => packet.payload?.frames.map(({ kind }) => kind);

/** Turns a side at its deadlines until so much time is over; each packet with its time. */
function listen(duo: Duo, side: Side, forUs: number): { atUs: number; packet: Packet }[] {
  const heard: { atUs: number; packet: Packet }[] = [];
  const startUs = duo.nowUs;
  while (duo.nowUs <= startUs + forUs) {
    for (const packet of side.turn(false)) heard.push({ atUs: duo.nowUs - startUs, packet });
    duo.nowUs = Math.max(side.deadlineUs(), duo.nowUs + 1);
  }
  duo.nowUs = startUs + forUs;
  return heard;
}

describe.each(engines)("a packet of the %s engine", (engine) => {
  test("is filled by rank, and by priority within a rank (R-46)", () => {
    // Room for three messages of 57 bytes beside the acks.
    const duo = open(engine, 200);
    duo.connect();
    const { server } = duo;
    const send = (channel: number, body: number) =>
      server.send(channel, new Uint8Array(57).fill(body));
    // Lost: a chat message with its only copy, an input with one of its seven.
    send(CHAT, 1);
    send(INPUT, 2);
    expect(server.turn().map(messages)).toEqual([
      [
        [CHAT, 1],
        [INPUT, 2],
      ],
    ]);
    duo.nowUs += 20 * MS;
    expect(server.turn().map(messages)).toEqual([
      [
        [CHAT, 1],
        [INPUT, 2],
      ],
    ]);
    // All of it is past its time-out: both packets are lost.
    duo.nowUs += 90 * MS;
    send(CHAT, 3);
    send(URGENT, 4);
    send(INPUT, 5);
    send(STATE, 6);
    expect(server.turn().map(messages)).toEqual([
      // Unsent sequenced ones, then copies with room made for them,
      [
        [STATE, 6],
        [INPUT, 2],
        [INPUT, 5],
      ],
      // then what was lost,
      [
        [CHAT, 1],
        [INPUT, 2],
        [INPUT, 5],
      ],
      // then other unsent ones: the urgent first,
      [
        [URGENT, 4],
        [INPUT, 2],
        [INPUT, 5],
      ],
      [
        [CHAT, 3],
        [INPUT, 2],
        [INPUT, 5],
      ],
    ]);
    expect(server.channelCounter(CHANNEL_RESENT, CHAT)).toBe(1);
    // then copies in room left over, the urgent one first.
    const [next] = listen(duo, server, 25 * MS);
    expect(messages(next?.packet)).toEqual([
      [URGENT, 4],
      [INPUT, 2],
      [INPUT, 5],
    ]);
  });

  test("starts with the hello, until one is acked (R-32, R-46)", () => {
    const duo = open(engine);
    duo.handshake();
    const { client } = duo;
    const [first] = client.turn().filter(({ payload }) => payload !== null);
    expect(frames(first)).toEqual(["hello"]);
    // Known to the server, not yet acked: the next starts with it too.
    duo.server.receive(first);
    for (const packet of duo.server.turn()) {
      // Everything but its ack arrives.
      if (packet.payload?.ack === null) client.receive(packet);
    }
    client.peer = 0x1_0000;
    duo.nowUs += 10 * MS;
    for (const packet of duo.server.turn()) expect(frames(packet)?.[0]).toBe("hello");
  });

  test("has its skip before its messages (R-33, R-46)", () => {
    const duo = open(engine);
    duo.connect();
    const { server, client } = duo;
    server.send(CHAT, 1, { ttl: 30 });
    // It is lost, and its time ends.
    expect(server.turn().map(frames)).toEqual([["message"]]);
    duo.nowUs += 200 * MS;
    server.send(CHAT, 2);
    server.send(STATE, 3);
    const packets = server.turn();
    expect(packets.map(frames)).toEqual([["skip", "message", "message"]]);
    expect(packets[0].payload?.frames[0]).toEqual({ kind: "skip", channel: CHAT, id: 1 });
    client.receive(packets[0]);
    expect(client.received(CHAT)).toEqual([2]);
  });

  test("takes unsent messages along when something else goes out anyway (R-37)", () => {
    const duo = open(engine);
    duo.connect();
    const { server, client } = duo;
    server.send(CHAT, 1);
    // No flush: nothing goes out.
    expect(server.turn(false)).toEqual([]);
    // Two packets of the other side ask for an ack.
    for (const body of [1, 2]) {
      client.send(STATE, body);
      for (const packet of client.turn()) server.receive(packet);
    }
    expect(server.turn(false).map(messages)).toEqual([[[CHAT, 1]]]);
  });
});

describe.each(engines)("copies of the %s engine (R-40)", (engine) => {
  test("of a lone message get a packet of their own after 20 ms", () => {
    const duo = open(engine);
    duo.connect();
    duo.nowUs += 1000 * MS;
    duo.rounds(30);
    duo.server.send(STATE, 1);
    const heard = listen(duo, duo.server, 0).concat(
      duo.server.turn().map((packet) => ({ atUs: 0, packet })),
    );
    expect(heard.map(({ packet }) => messages(packet))).toEqual([[[STATE, 1]]]);
    const copies = listen(duo, duo.server, 90 * MS).filter(
      ({ packet }) => messages(packet).length > 0,
    );
    expect(copies.map(({ atUs }) => atUs)).toEqual([20 * MS]);
    expect(duo.server.channelCounter(CHANNEL_COPIES, STATE)).toBe(1);
  });

  test.each([
    [4, 10],
    [6, 10],
    [8, 12],
    [30, 45],
    [66, 99],
    [70, 100],
    [100, 100],
    [101, 20],
  ])("in a stream of one message each %i ms wait %i ms", (intervalMs, delayMs) => {
    const duo = open(engine);
    duo.connect();
    const { server, client } = duo;
    for (let count = 0; count < 4; count++) {
      server.send(STATE, count);
      for (const packet of server.turn()) client.receive(packet);
      if (count === 3) break;
      duo.nowUs += intervalMs * MS;
    }
    // Not acked yet, and the stream ends: the copy of the last message.
    const copies = listen(duo, server, 150 * MS).filter(({ packet }) =>
      messages(packet).some(([channel, body]) => channel === STATE && body === 3),
    );
    expect(copies[0]?.atUs).toBe(delayMs * MS);
  });

  test("with low redundancy ride in the next packet, in room left over", () => {
    const duo = open(engine);
    duo.connect();
    const { server } = duo;
    server.send(STATE, 1);
    expect(server.turn().map(messages)).toEqual([[[STATE, 1]]]);
    duo.nowUs += 10 * MS;
    server.send(STATE, 2);
    expect(server.turn().map(messages)).toEqual([
      [
        [STATE, 1],
        [STATE, 2],
      ],
    ]);
    duo.nowUs += 10 * MS;
    server.send(STATE, 3);
    expect(server.turn().map(messages)).toEqual([
      [
        [STATE, 2],
        [STATE, 3],
      ],
    ]);
    expect(server.channelCounter(CHANNEL_SENT, STATE)).toBe(3);
    expect(server.channelCounter(CHANNEL_COPIES, STATE)).toBe(2);
  });

  test("with high redundancy ride seven times", () => {
    const duo = open(engine);
    duo.connect();
    const { server } = duo;
    const rides = new Array<number>(12).fill(0);
    for (let body = 0; body < rides.length; body++) {
      server.send(INPUT, body);
      for (const packet of server.turn()) {
        for (const [channel, each] of messages(packet)) if (channel === INPUT) rides[each] += 1;
      }
      duo.nowUs += 5 * MS;
    }
    expect(rides).toEqual([8, 8, 8, 8, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  test("end with the ack of any packet", () => {
    const duo = open(engine);
    duo.connect();
    const { server, client } = duo;
    server.send(INPUT, 1);
    for (const packet of server.turn()) client.receive(packet);
    duo.nowUs += 20 * MS;
    for (const packet of client.turn()) server.receive(packet);
    server.send(STATE, 2);
    expect(server.turn().flatMap(messages)).toEqual([[STATE, 2]]);
    expect(server.channelCounter(CHANNEL_COPIES, INPUT)).toBe(0);
  });
});
