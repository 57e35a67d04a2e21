/*
 * A connection's time and its ends, in virtual time: pings, goodbyes, when an ack goes out and what delay it
 * tells, deadlines, refusals, the budget, and nothing after the end.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { FATE_DROPPED } from "../../lib/engine/channel.js";
import { CONFIG_PAYLOAD_BYTES_MAX, CONFIG_QUEUE_MESSAGES_MAX } from "../../lib/engine/config.js";
import {
  ACK_HOLD_US,
  CLOSE_TEXT_BYTES_MAX,
  DEADLINE_RETRY_US,
  IN_FLIGHT_MAX,
  NETRT_VERSION,
  PACKET_BYTES_MAX,
  RTO_MAX_US,
  UNASKED_MAX,
} from "../../lib/engine/limits.js";
import { PACKET_DISCONNECT, PACKET_KEEP_ALIVE, PACKET_PAYLOAD } from "../../lib/engine/packet.js";
import {
  REASON_CLOSED,
  REASON_DISCONNECTED,
  REASON_MISMATCH,
  REASON_SHUTDOWN,
  REASON_TIMED_OUT,
  REASON_VIOLATION,
} from "../../lib/engine/state.js";
import {
  PEER_RTT_US,
  REJECT_ACK_UNSENT,
  REJECT_PAYLOAD,
  REJECT_STATE,
} from "../../lib/engine/stats.js";
import { NO_DEADLINE } from "../../lib/engine/timers.js";
import { defineProtocol, realTime, reliable } from "../../lib/index.js";
import { Duo, type DuoOptions, MS, type Packet, type Side } from "../duo.js";
import { engines } from "../engines.js";
import type { FrameValue } from "../payload.js";

const CHAT = 0;
const STATE = 1;
const protocol = defineProtocol("connection/1", { chat: reliable(), state: realTime() });
/** Above every number that a host gets to here. */
const FORGED = 5000;
/** The base point of X25519: as good as any other. */
const PUBLIC_KEY = Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 9 : 0));

function open(engine: "js" | "native", options: DuoOptions = {}): Duo {
  const duo = new Duo({ server: engine, client: engine }, protocol, options);
  onTestFinished(() => duo.close());
  return duo;
}

function connected(engine: "js" | "native", options: DuoOptions = {}): Duo {
  const duo = open(engine, options);
  duo.connect();
  return duo;
}

const kinds = (packet: Packet) => packet.payload?.frames.map(({ kind }) => kind);
const message = (channel: number, id: number, body: number): FrameValue => ({
  kind: "message",
  channel,
  id,
  body: Uint8Array.of(body),
});

/** Turns a side at its deadlines for so long; each packet with its time. */
function listen(duo: Duo, side: Side, forUs: number): { atMs: number; packet: Packet }[] {
  const heard: { atMs: number; packet: Packet }[] = [];
  const startUs = duo.nowUs;
  while (duo.nowUs <= startUs + forUs) {
    for (const packet of side.turn(false)) {
      heard.push({ atMs: (duo.nowUs - startUs) / MS, packet });
    }
    const dueUs = side.deadlineUs();
    // A deadline that was served is never in the past again.
    expect(dueUs).toBeGreaterThan(duo.nowUs);
    if (dueUs === NO_DEADLINE) break;
    duo.nowUs = dueUs;
  }
  duo.nowUs = startUs + forUs;
  return heard;
}

describe.each(engines)("silence on the %s engine (R-15)", (engine) => {
  test("is broken by a ping after 100 ms, then twice as late each time, up to 1 s", () => {
    const duo = connected(engine, { timeoutSeconds: 30 });
    duo.server.send(STATE, 1);
    for (const packet of duo.server.turn()) duo.client.receive(packet);
    duo.rounds(5, 10 * MS);
    const { server, client } = duo;
    // Both have spoken a little while ago; every ping is acked.
    const pings: number[] = [];
    const endUs = duo.nowUs + 6000 * MS;
    while (duo.nowUs < endUs) {
      for (const side of [server, client]) {
        for (const packet of side.turn(false)) {
          if (side === server && kinds(packet)?.includes("ping")) pings.push(duo.nowUs / MS);
          duo.other(side).receive(packet);
        }
      }
      duo.nowUs += MS;
    }
    const waits = pings.slice(1).map((at, index) => at - pings[index]);
    // An ack to the other side's ping is speech as well: the waits are at least these.
    expect(waits[0]).toBeGreaterThanOrEqual(200);
    expect(Math.max(...waits)).toBeLessThanOrEqual(2000);
    expect(pings.length).toBeLessThan(12);
    expect(server.end).toBeUndefined();
  });

  test("of both ends costs two packets a second: one pings, the other's ack says as much", () => {
    const duo = connected(engine, { timeoutSeconds: 30 });
    const { server, client } = duo;
    let pings = 0;
    let packets = 0;
    const startUs = duo.nowUs;
    while (duo.nowUs < startUs + 15_000 * MS) {
      for (const side of [server, client]) {
        for (const packet of side.turn(false)) {
          duo.other(side).receive(packet);
          if (duo.nowUs < startUs + 5000 * MS) continue;
          packets += 1;
          if (kinds(packet)?.includes("ping")) pings += 1;
        }
      }
      duo.nowUs += MS;
    }
    // Ten seconds, of which the ack's 20 ms are no silence.
    expect(pings).toBe(10);
    expect(packets).toBe(20);
    expect(server.end).toBeUndefined();
    expect(client.end).toBeUndefined();
  });

  test("toward a peer that does not answer: 100, 200, 400, 800 ms, then 1 s", () => {
    const duo = connected(engine, { timeoutSeconds: 30 });
    duo.server.send(STATE, 1);
    duo.server.turn();
    listen(duo, duo.server, 90 * MS);
    const times = listen(duo, duo.server, 8000 * MS).filter(({ packet }) =>
      kinds(packet)?.includes("ping"),
    );
    const waits = times.slice(1).map(({ atMs }, index) => atMs - times[index].atMs);
    expect(waits.slice(0, 6)).toEqual([200, 400, 800, 1000, 1000, 1000]);
  });

  test("with a time-out of 2 s the longest wait is a quarter of it", () => {
    const duo = connected(engine, { timeoutSeconds: 2 });
    const times = listen(duo, duo.server, 1800 * MS).filter(({ packet }) =>
      kinds(packet)?.includes("ping"),
    );
    const waits = times.slice(1).map(({ atMs }, index) => atMs - times[index].atMs);
    expect(Math.max(...waits)).toBeLessThanOrEqual(500);
    expect(times.length).toBeGreaterThanOrEqual(3);
  });

  test("of the whole time-out ends the connection, and of a ms less it does not", () => {
    for (const [waitMs, ended] of [
      [4999, false],
      [5000, true],
    ] as const) {
      const duo = connected(engine);
      duo.client.send(STATE, 1);
      for (const packet of duo.client.turn()) duo.server.receive(packet);
      duo.nowUs += waitMs * MS;
      duo.server.turn(false);
      expect(duo.server.end !== undefined).toBe(ended);
      if (ended) {
        expect(duo.server.end).toEqual({
          kind: "disconnect",
          reason: REASON_TIMED_OUT,
          text: "",
          local: true,
        });
      }
    }
  });

  test("one way, for longer than 256 acks last, is survived: acks alone ask for an ack at times", () => {
    const duo = connected(engine, { timeoutSeconds: 30 });
    // A server's: a client that is not acked asks sooner, whether its address changed.
    const { client: speaker, server: acker } = duo;
    let heard = 0;
    let unasked = 0;
    let unaskedMost = 0;
    const stream = (forMs: number, arrives: boolean) => {
      for (const endUs = duo.nowUs + forMs * MS; duo.nowUs < endUs; duo.nowUs += 10 * MS) {
        speaker.send(STATE, 1);
        for (const packet of speaker.turn()) acker.receive(packet);
        for (const packet of acker.turn()) {
          unasked = packet.payload?.frames.length === 0 ? unasked + 1 : 0;
          unaskedMost = Math.max(unaskedMost, unasked);
          if (arrives) speaker.receive(packet);
          if (arrives) heard += 1;
        }
      }
    };
    stream(20_000, false);
    expect(unaskedMost).toBeGreaterThanOrEqual(UNASKED_MAX);
    expect(unaskedMost).toBeLessThan(IN_FLIGHT_MAX);
    stream(3000, true);
    expect(heard).toBeGreaterThan(0);
    stream(15_000, true);
    expect([speaker.end, acker.end]).toEqual([undefined, undefined]);
    expect(heard).toBeGreaterThan(500);
  });
});

describe.each(engines)("an unconfirmed client of the %s engine (R-11)", (engine) => {
  test("gets a keep-alive before every payload, until it was heard", () => {
    const duo = open(engine);
    duo.handshake();
    // The client has its slot and speaks, but nothing of it arrives.
    duo.nowUs += 20 * MS;
    const types = listen(duo, duo.server, 2000 * MS).map(({ packet }) => packet.type);
    expect(types.filter((type) => type === PACKET_PAYLOAD).length).toBeGreaterThan(3);
    types.forEach((type, index) => {
      if (type === PACKET_PAYLOAD)
        expect(types[index - 1] ?? PACKET_KEEP_ALIVE).toBe(PACKET_KEEP_ALIVE);
    });
    for (const packet of duo.client.turn()) duo.server.receive(packet);
    const after = listen(duo, duo.server, 1000 * MS).map(({ packet }) => packet.type);
    expect(after).not.toContain(PACKET_KEEP_ALIVE);
  });
});

describe.each(engines)("acks of the %s engine", (engine) => {
  /** A quiet connection: no ping is due for a while, and nothing is unacked. */
  function quiet(): Duo {
    const duo = connected(engine);
    duo.rounds(3, 10 * MS);
    for (const side of [duo.server, duo.client]) {
      side.send(STATE, 0);
      for (const packet of side.turn()) duo.other(side).receive(packet);
    }
    duo.rounds(4, 10 * MS);
    return duo;
  }

  test("go out after 20 ms, and at once when two packets wait (R-30)", () => {
    const duo = quiet();
    const [one] = duo.client.turn().concat(sendOne(duo.client));
    duo.server.receive(one);
    const [first] = listen(duo, duo.server, 60 * MS);
    expect([first.atMs, kinds(first.packet)]).toEqual([20, []]);
    for (const packet of [...sendOne(duo.client), ...sendOne(duo.client)]) {
      duo.server.receive(packet);
    }
    const [second] = listen(duo, duo.server, 5 * MS);
    expect(second.atMs).toBe(0);
  });

  function sendOne(side: Side): Packet[] {
    side.send(STATE, 1);
    return side.turn();
  }

  test("tell the delay from the kernel's time of arrival on, in 8 µs (R-18, R-23)", () => {
    const duo = quiet();
    const packets = [...sendOne(duo.client), ...sendOne(duo.client)];
    duo.nowUs += 10 * MS;
    // Read now; the kernel got them 4 and 3 ms ago.
    duo.server.receive(packets[0], duo.nowUs - 4 * MS);
    duo.server.receive(packets[1], duo.nowUs - 3 * MS);
    const [ack] = duo.server.turn(false);
    expect(ack.payload?.ack).toMatchObject({ latest: packets[1].number, delay: 375 });
  });

  test("give an RTT from arrival to arrival: neither side's late turn is in it (R-18, R-28)", () => {
    const duo = connected(engine);
    const wayUs = 15 * MS;
    const turnUs = 7 * MS;
    for (let count = 0; count < 60; count++) {
      for (const side of [duo.client, duo.server]) {
        const sentUs = duo.nowUs;
        side.send(STATE, count);
        const packets = side.turn();
        // The other side was busy, and reads what came a while ago.
        duo.nowUs = sentUs + wayUs + turnUs;
        for (const packet of packets) duo.other(side).receive(packet, sentUs + wayUs);
      }
    }
    const rttUs = duo.server.peerWord(PEER_RTT_US);
    expect(Math.abs(rttUs - 2 * wayUs)).toBeLessThan(20);
  });
});

describe.each(engines)("time-outs of the %s engine (R-28)", (engine) => {
  test("in a row wait twice as long each, up to 2 s; what was lost rides in each of them", () => {
    const duo = connected(engine, { timeoutSeconds: 30 });
    const { server } = duo;
    server.send(CHAT, 1);
    server.turn();
    const rides = listen(duo, server, 8000 * MS).filter(({ packet }) =>
      kinds(packet)?.includes("message"),
    );
    const waits = rides.slice(1).map(({ atMs }, index) => atMs - rides[index].atMs);
    // The first is a probe. What else goes out meanwhile, such as pings, is of the same flights: it doubles nothing.
    const timeouts = waits.slice(1).map((wait) => wait - ACK_HOLD_US / MS);
    expect(timeouts.slice(1)).toEqual(
      timeouts.slice(0, -1).map((timeout) => Math.min(2 * timeout, RTO_MAX_US / MS)),
    );
    expect(timeouts.slice(-2)).toEqual([RTO_MAX_US / MS, RTO_MAX_US / MS]);
    for (const packet of server.turn()) duo.client.receive(packet);
    duo.rounds(300, 10 * MS);
    expect(duo.client.received(CHAT)).toEqual([1]);
  });
});

describe.each(engines)("goodbyes of the %s engine (R-16, R-34)", (engine) => {
  test("are ten, 30 ms apart: eight with the reason, two bare", () => {
    const duo = connected(engine);
    duo.server.close(REASON_SHUTDOWN, "restart at noon");
    const heard = listen(duo, duo.server, 400 * MS);
    expect(heard.map(({ atMs }) => atMs)).toEqual([0, 30, 60, 90, 120, 150, 180, 210, 240, 270]);
    expect(heard.map(({ packet }) => packet.type)).toEqual([
      ...new Array<number>(8).fill(PACKET_PAYLOAD),
      PACKET_DISCONNECT,
      PACKET_DISCONNECT,
    ]);
    for (const { packet } of heard.slice(0, 8)) {
      const text = new TextEncoder().encode("restart at noon");
      expect(packet.payload).toEqual({
        ack: null,
        frames: [{ kind: "close", reason: REASON_SHUTDOWN, text }],
      });
    }
    // The slot is free again.
    expect(duo.server.memory()[4]).toBe(1);
    expect(duo.server.turn()).toEqual([]);
  });

  test("are answered with three disconnects by a side that was told why", () => {
    const duo = connected(engine);
    duo.server.close(REASON_CLOSED, "bye");
    const [goodbye] = duo.server.turn();
    duo.client.receive(goodbye);
    expect(duo.client.end).toEqual({
      kind: "disconnect",
      reason: REASON_CLOSED,
      text: "bye",
      local: false,
    });
    const answers = listen(duo, duo.client, 300 * MS);
    expect(answers.map(({ atMs, packet }) => [atMs, packet.type])).toEqual([
      [0, PACKET_DISCONNECT],
      [30, PACKET_DISCONNECT],
      [60, PACKET_DISCONNECT],
    ]);
    // A disconnect ends it at once: the other seven are not needed.
    duo.server.receive(answers[0].packet);
    expect(listen(duo, duo.server, 400 * MS)).toEqual([]);
    expect(duo.server.memory()[4]).toBe(1);
  });

  test("a bare disconnect ends it at once, without a reason", () => {
    const duo = connected(engine);
    duo.server.receive(duo.client.forge(FORGED, new Uint8Array(0), PACKET_DISCONNECT));
    expect(duo.server.end).toEqual({
      kind: "disconnect",
      reason: REASON_DISCONNECTED,
      text: "",
      local: false,
    });
    expect(listen(duo, duo.server, 300 * MS)).toEqual([]);
  });

  test("one that gets through of ten is enough", () => {
    for (const lucky of [0, 4, 7]) {
      const duo = connected(engine);
      duo.server.close(REASON_CLOSED, "bye");
      const heard = listen(duo, duo.server, 400 * MS);
      duo.client.receive(heard[lucky].packet);
      expect(duo.client.end).toMatchObject({ reason: REASON_CLOSED, text: "bye" });
    }
  });

  test("carry up to 120 bytes of text, and no more", () => {
    for (const size of [CLOSE_TEXT_BYTES_MAX - 1, CLOSE_TEXT_BYTES_MAX, 121, 500]) {
      const duo = connected(engine);
      duo.server.close(REASON_CLOSED, "x".repeat(size));
      for (const packet of duo.server.turn()) duo.client.receive(packet);
      const text = "x".repeat(Math.min(size, CLOSE_TEXT_BYTES_MAX));
      expect(duo.client.end).toMatchObject({ text });
    }
  });

  test("a drain waits for everything sent, and then says goodbye", () => {
    const duo = connected(engine);
    for (let body = 0; body < 5; body++) duo.server.send(CHAT, body, { tag: body + 1 });
    duo.server.close(REASON_CLOSED, "done", true);
    // All of it is lost at first.
    duo.server.turn();
    expect(duo.server.end).toBeUndefined();
    duo.rounds(30);
    expect(duo.client.received(CHAT)).toEqual([0, 1, 2, 3, 4]);
    expect(duo.client.end).toMatchObject({ reason: REASON_CLOSED, text: "done", local: false });
    expect(duo.server.end).toMatchObject({ reason: REASON_CLOSED, text: "done", local: true });
  });
});

describe.each(engines)("the end on the %s engine (R-47)", (engine) => {
  test("first drops what is unsent and undecided, then is told, and nothing comes after it", () => {
    const duo = connected(engine);
    const { server, client } = duo;
    server.send(CHAT, 1, { tag: 1 });
    const flying = server.turn();
    server.send(CHAT, 2, { tag: 2 });
    server.close(REASON_CLOSED);
    server.turn();
    expect(server.events.slice(-3)).toEqual([
      { kind: "fate", channel: CHAT, tag: 1, fate: FATE_DROPPED },
      { kind: "fate", channel: CHAT, tag: 2, fate: FATE_DROPPED },
      { kind: "disconnect", reason: REASON_CLOSED, text: "", local: true },
    ]);
    const told = server.events.length;
    // Acks and messages that come after it are of no interest.
    for (const packet of flying) client.receive(packet);
    client.send(CHAT, 3);
    for (const packet of client.turn()) server.receive(packet);
    listen(duo, server, 400 * MS);
    expect(server.events).toHaveLength(told);
    expect(server.host.page[0]).toBeGreaterThan(0);
    expect(server.rejected(REJECT_STATE)).toBeGreaterThan(0);
    // Nothing of it is left in memory.
    expect(server.memory()).toEqual(open(engine).server.memory());
  });

  test("takes what stands before a close in its packet, and nothing behind it", () => {
    const duo = connected(engine);
    const close: FrameValue = { kind: "close", reason: REASON_CLOSED, text: new Uint8Array(0) };
    const frames = [message(CHAT, 0, 1), close, message(CHAT, 1, 2)];
    duo.server.receive(duo.client.forgeFrames(FORGED, frames));
    expect(duo.server.received(CHAT)).toEqual([1]);
    expect(duo.server.events.at(-1)).toMatchObject({ kind: "disconnect", local: false });
  });
});

describe.each(engines)("the %s engine refuses", (engine) => {
  test("an ack of what was never sent: the next number, and one below all (R-22)", () => {
    for (const [latest, bits, refused] of [
      [0, [], false],
      [-1, [], false],
      [1, [], true],
      [0x7f00, [], true],
    ] as const) {
      const duo = connected(engine);
      // The server's next number, from what it sends now.
      duo.server.send(STATE, 1);
      const [{ number }] = duo.server.turn();
      const low = (number + latest) & 0xffff;
      const header = [0x80 + bits.length, low & 0xff, low >>> 8, 0, 0];
      duo.server.receive(duo.client.forge(FORGED, Uint8Array.of(...header, ...bits)));
      expect(duo.server.rejected(REJECT_ACK_UNSENT)).toBe(refused ? 1 : 0);
      expect(duo.server.end?.kind === "disconnect").toBe(refused);
    }
  });

  test("a bit of an ack that tells of a number below 0 (R-22)", () => {
    for (const [latest, bits, refused] of [
      [3, [0b0000_0111], false],
      [3, [0b0000_1000], true],
      [3, [0b1000_0000], true],
      [8, [0xff], false],
      [8, [0xff, 0x01], true],
    ] as const) {
      const duo = connected(engine);
      for (let body = 0; body < 10; body++) {
        duo.server.send(STATE, body);
        duo.server.turn();
      }
      const body = Uint8Array.of(0x80 + bits.length, latest, 0, 0, 0, ...bits);
      duo.server.receive(duo.client.forge(FORGED, body));
      expect(duo.server.rejected(REJECT_ACK_UNSENT)).toBe(refused ? 1 : 0);
    }
  });

  test("a payload that is wrong anywhere, whole: nothing of it took effect (R-20)", () => {
    const good = [0xc0 + CHAT, 0, 0, 1, 65];
    for (const bad of [[0x06], [0xc0 + 2, 0, 0, 0, 4], [0x02, CHAT], [0x81, 0]]) {
      const duo = connected(engine);
      duo.server.receive(duo.client.forge(FORGED, Uint8Array.of(0, ...good, ...bad)));
      expect(duo.server.received(CHAT)).toEqual([]);
      expect(duo.server.rejected(REJECT_PAYLOAD)).toBe(1);
      expect(duo.server.end).toEqual({
        kind: "disconnect",
        reason: REASON_VIOLATION,
        text: "malformed payload",
        local: true,
      });
      for (const packet of duo.server.turn()) duo.client.receive(packet);
      expect(duo.client.end).toMatchObject({ reason: REASON_VIOLATION, local: false });
    }
  });

  test("a packet number that no netrt peer reaches", () => {
    for (const [number, refused] of [
      [2 ** 53 - 1, false],
      [2 ** 53, true],
    ] as const) {
      const duo = open(engine);
      duo.handshake();
      duo.server.receive(duo.client.forge(number, Uint8Array.of(0, 4)));
      expect(duo.server.rejected(REJECT_PAYLOAD)).toBe(refused ? 1 : 0);
    }
  });

  test("a message id out of its window, as a violation (R-43)", () => {
    for (const [id, refused] of [
      [1023, false],
      [1024, true],
    ] as const) {
      const duo = connected(engine);
      duo.server.receive(duo.client.forgeFrames(FORGED, [message(CHAT, id, 1)]));
      expect(duo.server.end !== undefined).toBe(refused);
    }
  });

  test("another protocol, and says what differs (R-32)", () => {
    const { nameHash } = protocol;
    const hashes = [0, 1].map((channel) => protocol.channelHash(channel));
    const limits = [1200, 0, 0] as const;
    const rest = { limits, suites: 1, key: PUBLIC_KEY };
    const hello = { kind: "hello" as const, version: NETRT_VERSION, nameHash, hashes, ...rest };
    for (const [frame, text] of [
      [hello, null],
      [{ ...hello, version: NETRT_VERSION + 1 }, "version"],
      [{ ...hello, version: 0, nameHash: 1 }, "version"],
      [{ ...hello, nameHash: nameHash ^ 1 }, "name"],
      [{ ...hello, hashes: [hashes[0]] }, "channels"],
      [{ ...hello, hashes: [...hashes, 1] }, "channels"],
      [{ ...hello, hashes: [hashes[0] ^ 1, hashes[1]] }, "channel 0"],
      [{ ...hello, hashes: [hashes[0], hashes[1] ^ 1] }, "channel 1"],
      [{ ...hello, hashes: [1, 1] }, "channel 0"],
    ] as const) {
      const duo = open(engine);
      duo.handshake();
      duo.server.receive(duo.client.forgeFrames(FORGED, [frame]));
      // Unequal peers never were there for the server's user.
      expect(duo.server.peer !== 0).toBe(text === null);
      expect(duo.server.end).toBeUndefined();
      const closes = duo.server.turn().flatMap(({ payload }) => payload?.frames ?? []);
      const close = closes.find(({ kind }) => kind === "close");
      const told = text === null ? undefined : new TextEncoder().encode(text);
      expect(close).toEqual(told && { kind: "close", reason: REASON_MISMATCH, text: told });
    }
  });

  test("in one piece what is longer than a payload less 100 bytes, whatever the channel takes (R-54)", () => {
    for (const [payloadBytes, size, refused] of [
      [1200, 1100, false],
      [1200, 1101, true],
      [400, 300, false],
      [400, 301, true],
    ] as const) {
      const configure = (config: Uint32Array) => {
        config[CONFIG_PAYLOAD_BYTES_MAX] = payloadBytes;
      };
      const long = defineProtocol("long/1", { chat: reliable({ messageBytesMax: 4000 }) });
      const duo = new Duo({ server: engine, client: engine }, long, { client: { configure } });
      onTestFinished(() => duo.close());
      duo.connect();
      const frames = [{ ...message(0, 0, 1), body: new Uint8Array(size).fill(1) }];
      duo.server.receive(duo.client.forgeFrames(FORGED, frames));
      expect(duo.server.received(0)).toEqual(refused ? [] : [1]);
      expect(duo.server.end).toEqual(
        refused ? expect.objectContaining({ reason: REASON_VIOLATION }) : undefined,
      );
    }
  });

  test("a message before the first hello, not one behind it in the same packet (R-32)", () => {
    const hashes = [0, 1].map((channel) => protocol.channelHash(channel));
    const { nameHash } = protocol;
    const limits = [1200, 0, 0] as const;
    const rest = { limits, suites: 1, key: PUBLIC_KEY };
    const hello = { kind: "hello" as const, version: NETRT_VERSION, nameHash, hashes, ...rest };
    for (const [frames, refused] of [
      [[message(CHAT, 0, 1)], true],
      [[message(CHAT, 0, 1), hello], true],
      [[hello, message(CHAT, 0, 1)], false],
    ] as const) {
      const duo = open(engine);
      duo.handshake();
      duo.server.receive(duo.client.forgeFrames(FORGED, frames));
      expect(duo.server.received(CHAT)).toEqual(refused ? [] : [1]);
      expect(duo.server.peer !== 0).toBe(!refused);
    }
  });
});

describe.each(engines)("time of the %s engine (R-19)", (engine) => {
  test("whatever is due has a deadline, and a served one is never in the past again", () => {
    const duo = connected(engine);
    let dice = 7;
    const roll = () => {
      dice = (Math.imul(dice, 1103515245) + 12345) >>> 0;
      return dice >>> 16;
    };
    const endUs = duo.nowUs + 8000 * MS;
    while (duo.nowUs < endUs) {
      for (const side of [duo.server, duo.client]) {
        if (roll() % 5 === 0) side.send(CHAT, roll() & 0xff, { ttl: 1 + (roll() % 400) });
        if (roll() % 3 === 0) side.send(STATE, roll() & 0xff);
        const packets = side.turn(roll() % 2 === 0);
        // What a packet made due was served before what time made due: that has a turn of its own.
        if (side.deadlineUs() <= duo.nowUs) packets.push(...side.turn(false));
        expect(side.deadlineUs()).toBeGreaterThan(duo.nowUs);
        for (const packet of packets) if (roll() % 4 !== 0) duo.other(side).receive(packet);
      }
      const dueUs = Math.min(duo.server.deadlineUs(), duo.client.deadlineUs());
      duo.nowUs = Math.max(dueUs, duo.nowUs);
      if (roll() % 4 === 0) duo.nowUs += roll() % (60 * MS);
    }
    expect([duo.server.end, duo.client.end]).toEqual([undefined, undefined]);
  });

  test("what finds no room in the user's ring is tried again a ms later", () => {
    const duo = connected(engine, { server: { completionCapacity: 131_072 } });
    const { server } = duo;
    // The user sleeps: messages fill its ring up to what is kept for one packet.
    for (let id = 0; id < 90; id++) {
      const body = new Uint8Array(1000).fill(id);
      const frames: FrameValue[] = [{ kind: "message", channel: CHAT, id, body }];
      const bytes = duo.client.forgeFrames(FORGED + id, frames);
      if (!server.host.ready()) break;
      // Not drained: the host's own verbs.
      server.host.publish();
      duo.nowUs += 10;
      server.host.receive(
        duo.nowUs,
        duo.nowUs,
        1_700_000_000,
        duo.client.address,
        bytes,
        0,
        bytes.length,
      );
    }
    expect(server.host.ready()).toBe(false);
    duo.nowUs += 200 * MS;
    server.host.advance(duo.nowUs);
    const dueUs = server.host.deadlineUs();
    expect(dueUs).toBeLessThanOrEqual(duo.nowUs + DEADLINE_RETRY_US);
    server.turn();
    expect(server.received(CHAT).length).toBeGreaterThan(50);
  });
});

describe.each(engines)("the budget of the %s engine (R-36)", (engine) => {
  test("bounds everything that goes out: acks, copies and repairs too", () => {
    const rate = 20_000;
    const duo = connected(engine, { server: { sendRate: rate } });
    const { server } = duo;
    const startUs = duo.nowUs;
    let bytes = 0;
    while (duo.nowUs < startUs + 5000 * MS) {
      server.send(CHAT, new Uint8Array(200), { ttl: 300 });
      server.send(STATE, new Uint8Array(300));
      for (const packet of server.turn()) {
        bytes += packet.bytes.length;
        // Every third arrives, so that much is repaired.
        if (packet.number % 3 === 0) duo.client.receive(packet);
      }
      for (const packet of duo.client.turn()) server.receive(packet);
      duo.nowUs += 10 * MS;
    }
    const most = 8 * PACKET_BYTES_MAX + 5 * rate + PACKET_BYTES_MAX;
    expect(bytes).toBeLessThanOrEqual(most);
    expect(bytes).toBeGreaterThan(5 * rate * 0.95);
  });
});

describe.each(engines)("the queue of the %s engine (R-45, R-48)", (engine) => {
  test("takes as many messages as it may hold; one more is dropped, and that is told", () => {
    const most = 10;
    const configure = (config: Uint32Array) => {
      config[CONFIG_QUEUE_MESSAGES_MAX] = most;
    };
    const duo = connected(engine, { server: { configure } });
    const { server } = duo;
    for (let tag = 1; tag <= most + 2; tag++) server.send(CHAT, tag, { tag });
    server.turn(false);
    expect(server.events.filter(({ kind }) => kind === "fate")).toEqual(
      [most + 1, most + 2].map((tag) => ({
        kind: "fate",
        channel: CHAT,
        tag,
        fate: FATE_DROPPED,
      })),
    );
    duo.rounds(10);
    expect(duo.client.received(CHAT)).toEqual(
      Array.from({ length: most }, (_, index) => index + 1),
    );
  });
});
