/*
 * Two ends whose definitions of a channel differ, packet by packet: both refuse, both say what the channel is at theirs, and
 * each is told of its end with what the other said, once. And ends of different versions.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { CONFIG_PAYLOAD_BYTES_MAX } from "../../lib/engine/config.js";
import { LAYOUT_CHANNELS } from "../../lib/engine/layout.js";
import { LAYOUT_BYTES_MAX, NETRT_VERSION, PAYLOAD_BYTES_MIN } from "../../lib/engine/limits.js";
import { PACKET_PAYLOAD } from "../../lib/engine/packet.js";
import { REASON_MISMATCH, REASON_VIOLATION } from "../../lib/engine/state.js";
import { REJECT_PAYLOAD } from "../../lib/engine/stats.js";
import { defineProtocol, type Protocol, realTime, reliable } from "../../lib/index.js";
import { Duo, type DuoEvent, type DuoOptions, MS, type Packet, type Side } from "../duo.js";
import { engines, pairings } from "../engines.js";
import type { FrameValue } from "../payload.js";

const CHAT = 0;
const STATE = 1;
const chat = reliable();
const ours = defineProtocol("mismatch/1", { chat, state: realTime() });
const theirs = defineProtocol("mismatch/1", { chat, state: realTime({ redundancy: "high" }) });
const fewer = defineProtocol("mismatch/1", { chat });
const text = (value: string) => new TextEncoder().encode(value);
const SERVERS = text("the server's");
const CLIENTS = text("the client's");
/** Above every number that a host gets to here. */
const FORGED = 5000;

/** What both ends have to say of a channel, spoken until both are through. */
function speak(duo: Duo, passes: (packet: Packet, from: Side) => boolean): void {
  for (let round = 0; round < 120; round++) {
    for (const side of [duo.client, duo.server]) {
      for (const packet of side.turn()) if (passes(packet, side)) duo.other(side).receive(packet);
    }
    duo.nowUs += 10 * MS;
  }
}

test("both engines refuse alike, packet by packet", () => {
  const [one, other] = engines.map((engine) => {
    const duo = new Duo({ server: engine, client: engine }, ours, { client: { protocol: theirs } });
    const spoken: Omit<Packet, "bytes" | "key">[] = [];
    duo.server.describe(STATE, SERVERS);
    duo.client.describe(STATE, CLIENTS);
    // But for their keys, which are new in each token.
    speak(duo, ({ bytes: _sealed, key: _key, ...packet }) => spoken.push(packet) % 5 !== 0);
    duo.close();
    return { spoken, events: [duo.server.events, duo.client.events] };
  });
  expect(one.spoken.length).toBeGreaterThan(20);
  if (other !== undefined) expect(other).toEqual(one);
});

describe.each(pairings)("server on $server, client on $client", (pairing) => {
  function open(client: Protocol, options: DuoOptions = {}): Duo {
    const duo = new Duo(pairing, ours, {
      ...options,
      client: { protocol: client, ...options.client },
    });
    onTestFinished(() => duo.close());
    return duo;
  }

  /** Both ends have something to say of a channel, and speak until both are through. */
  function meet(
    duo: Duo,
    channel: number,
    passes: (packet: Packet, from: Side) => boolean = () => true,
  ): void {
    duo.server.describe(channel, SERVERS);
    duo.client.describe(channel, CLIENTS);
    speak(duo, passes);
  }

  const mismatch = (side: string, said: Uint8Array, channel = STATE): DuoEvent => ({
    kind: "mismatch",
    text: side,
    local: true,
    channel,
    layout: said,
  });
  const disconnect = (side: string): DuoEvent => ({
    kind: "disconnect",
    reason: REASON_MISMATCH,
    text: side,
    local: true,
  });

  test("each is told what the other says of the channel, once, and a server's user nothing else", () => {
    const duo = open(theirs);
    meet(duo, STATE);
    expect(duo.server.events).toEqual([mismatch("channel 1", CLIENTS)]);
    expect(duo.client.events).toEqual([mismatch("channel 1", SERVERS), disconnect("channel 1")]);
  });

  test("of another number of channels all are told of", () => {
    const duo = open(fewer);
    meet(duo, LAYOUT_CHANNELS);
    expect(duo.server.events).toEqual([mismatch("channels", CLIENTS, LAYOUT_CHANNELS)]);
    expect(duo.client.events[0]).toEqual(mismatch("channels", SERVERS, LAYOUT_CHANNELS));
  });

  test("one packet with a layout is enough, whichever", () => {
    for (let lucky = 0; lucky < 8; lucky++) {
      const duo = open(theirs);
      let said = 0;
      meet(duo, STATE, (packet, from) => {
        if (from === duo.client || !says(packet)) return true;
        said += 1;
        return said === lucky + 1;
      });
      expect(duo.client.events[0]).toEqual(mismatch("channel 1", SERVERS));
    }
  });

  test("where none arrives the end is told all the same, with the last goodbye", () => {
    const duo = open(theirs);
    meet(duo, STATE, (packet) => !says(packet));
    const none = new Uint8Array(0);
    // One of both found it in a hello; the other may have been told by nothing but a disconnect.
    const told = [...duo.server.events, ...duo.client.events].filter(
      ({ kind }) => kind === "mismatch",
    );
    expect(told.length).toBeGreaterThan(0);
    for (const event of told) expect(event).toEqual(mismatch("channel 1", none));
    expect(duo.client.end).toBeDefined();
  });

  test("as much is said as the other's payload takes, and 1024 bytes at most", () => {
    const long = new Uint8Array(2 * LAYOUT_BYTES_MAX).fill(7);
    for (const payloadBytes of [1200, PAYLOAD_BYTES_MIN]) {
      const configure = (config: Uint32Array) => {
        config[CONFIG_PAYLOAD_BYTES_MAX] = payloadBytes;
      };
      const duo = open(theirs, { client: { configure } });
      duo.server.describe(STATE, long);
      const spoken: Packet[] = [];
      meet(duo, LAYOUT_CHANNELS, (packet) => {
        if (says(packet)) spoken.push(packet);
        return true;
      });
      expect(spoken.length).toBeGreaterThan(0);
      for (const { bodyBytes } of spoken) expect(bodyBytes).toBeLessThanOrEqual(payloadBytes);
      const [told] = duo.client.events;
      const said = told.kind === "mismatch" ? told.layout : long;
      expect(said).toEqual(long.subarray(0, said.length));
      if (payloadBytes === 1200) expect(said.length).toBe(LAYOUT_BYTES_MAX);
      else expect(said.length).toBeGreaterThan(payloadBytes / 2);
    }
  });

  /** The server refused the client's hello, and waits for what it says. */
  function waiting(): Duo {
    const duo = open(ours);
    duo.handshake();
    const hashes = [0, 1].map((channel) => theirs.channelHash(channel));
    const { nameHash } = theirs;
    const limits = [1200, 0, 0] as const;
    const key = new Uint8Array(32).fill(9);
    const version = NETRT_VERSION;
    const hello = { kind: "hello" as const, version, nameHash, hashes, limits, suites: 1, key };
    duo.server.receive(duo.client.forgeFrames(FORGED, [hello]));
    expect(duo.server.events).toEqual([]);
    return duo;
  }

  const layout = (channel: number, body: Uint8Array): FrameValue => ({
    kind: "layout",
    channel,
    body,
  });

  test("what is no payload, or says another channel, is waited through", () => {
    const duo = waiting();
    const { server, client } = duo;
    server.receive(client.forge(FORGED + 1, Uint8Array.of(0, 0x0a, STATE, 0x80)));
    server.receive(client.forge(FORGED + 2, Uint8Array.of(0, 0x0a, 65, 0)));
    expect(server.rejected(REJECT_PAYLOAD)).toBe(2);
    server.receive(client.forgeFrames(FORGED + 3, [layout(0, CLIENTS)]));
    server.receive(client.forgeFrames(FORGED + 4, [layout(LAYOUT_CHANNELS, CLIENTS)]));
    server.receive(client.forgeFrames(FORGED + 5, [{ kind: "ping" }]));
    expect(server.events).toEqual([]);
    server.receive(client.forgeFrames(FORGED + 6, [{ kind: "ping" }, layout(STATE, CLIENTS)]));
    expect(server.events).toEqual([mismatch("channel 1", CLIENTS)]);
    server.receive(client.forgeFrames(FORGED + 7, [layout(STATE, SERVERS)]));
    expect(server.events).toHaveLength(1);
  });

  test("a peer that only disconnects ends it, told without a layout", () => {
    const duo = waiting();
    duo.server.receive(duo.client.forge(FORGED + 1, new Uint8Array(0), 6));
    expect(duo.server.events).toEqual([mismatch("channel 1", new Uint8Array(0))]);
    expect(duo.server.turn()).toEqual([]);
  });

  function greeted(): Duo {
    const duo = open(ours);
    duo.handshake();
    return duo;
  }

  test("a hello of another version is that, whatever else stands in it and behind it (R-32)", () => {
    const foreign = (version: number, rest: readonly number[] = []): FrameValue => ({
      kind: "foreign hello",
      version,
      rest: Uint8Array.from(rest),
    });
    const message: FrameValue = { kind: "message", channel: CHAT, id: 0, body: text("no") };
    const version = { kind: "close", reason: REASON_MISMATCH, text: text("version") };
    for (const [frames, told] of [
      [[foreign(NETRT_VERSION + 1)], version],
      [[foreign(0)], version],
      [[foreign(255, new Array(900).fill(0xff))], version],
      // A message of ours, to whom reads on: not before the hello, and not behind it.
      [[foreign(NETRT_VERSION - 1, [0x80 + CHAT, 0, 0, 1])], version],
      [[{ kind: "ping" }, foreign(NETRT_VERSION + 1, [1, 2, 3])], version],
      [[message, foreign(NETRT_VERSION + 1)], { reason: REASON_VIOLATION }],
    ] as const) {
      const { server, client } = greeted();
      server.receive(client.forgeFrames(FORGED, frames));
      expect([server.peer, server.received(CHAT)]).toEqual([0, []]);
      const closes = server.turn().flatMap(({ payload }) => payload?.frames ?? []);
      expect(closes.find(({ kind }) => kind === "close")).toMatchObject(told);
    }
    // Whoever said hello before has another version now: it would be acked, and not read.
    const duo = open(ours);
    duo.connect();
    duo.server.receive(duo.client.forgeFrames(FORGED, [foreign(NETRT_VERSION + 1)]));
    expect(duo.server.end).toMatchObject({ reason: REASON_MISMATCH, text: "version" });
  });

  test("to a peer that agrees a layout counts for nothing", () => {
    const duo = open(ours);
    duo.connect();
    const { server, client } = duo;
    server.receive(client.forgeFrames(FORGED, [layout(STATE, CLIENTS)]));
    expect(server.end).toBeUndefined();
  });
});

/** Whether a packet says what a channel is. */
function says({ type, payload }: Packet): boolean {
  const frames = payload?.frames ?? [];
  return type === PACKET_PAYLOAD && frames.some(({ kind }) => kind === "layout");
}
