/*
 * Peers that take the shortest payloads, where what is to be said does not all fit: it is said as far as it fits, or in
 * the next packet, and never cut where a reader could not tell.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { CONFIG_PAYLOAD_BYTES_MAX } from "../../lib/engine/config.js";
import { LAYOUT_CHANNELS } from "../../lib/engine/layout.js";
import { CHANNELS_MAX, NETRT_VERSION, PAYLOAD_BYTES_MIN } from "../../lib/engine/limits.js";
import { REASON_MISMATCH } from "../../lib/engine/state.js";
import { REJECT_PAYLOAD } from "../../lib/engine/stats.js";
import { defineProtocol, type Protocol, reliable } from "../../lib/index.js";
import { Duo, type DuoOptions, MS, type Packet, type Side } from "../duo.js";
import { jsEngine } from "../engine-probe-js.js";
import { pairings } from "../engines.js";
import { type FrameValue, writePayload } from "../payload.js";

/** Above every number that a host gets to here. */
const FORGED = 5000;
const SAID = new TextEncoder().encode("what the many are");

function protocolOf(channels: number): Protocol {
  const names = Array.from({ length: channels }, (_, index) => [`c${index}`, reliable()] as const);
  return defineProtocol("cramped/1", Object.fromEntries(names));
}

const one = protocolOf(1);
const many = protocolOf(CHANNELS_MAX);
const SHORT = {
  protocol: one,
  configure: (config: Uint32Array) => {
    config[CONFIG_PAYLOAD_BYTES_MAX] = PAYLOAD_BYTES_MIN;
  },
};

function has(kind: FrameValue["kind"], { payload }: Packet): boolean {
  return payload?.frames.some((frame) => frame.kind === kind) ?? false;
}

describe.each(pairings)("server on $server, client on $client", (pairing) => {
  function open(options: DuoOptions): Duo {
    const duo = new Duo(pairing, one, options);
    onTestFinished(() => duo.close());
    return duo;
  }

  /** Both ends speak until both are through. */
  function speak(duo: Duo, passes: (packet: Packet, from: Side) => boolean): void {
    for (let round = 0; round < 120; round++) {
      for (const side of [duo.client, duo.server]) {
        for (const packet of side.turn()) if (passes(packet, side)) duo.other(side).receive(packet);
      }
      duo.nowUs += 10 * MS;
    }
  }

  test("who takes less than the other's hello hears all the same that they differ (R-66)", () => {
    for (const small of ["server", "client"] as const) {
      const big = small === "server" ? "client" : "server";
      const duo = open({ [big]: { protocol: many }, [small]: SHORT });
      duo[big].describe(LAYOUT_CHANNELS, SAID);
      // The first hello is lost, so that the other side is the one that refuses.
      speak(duo, (packet, from) => from !== duo[big] || !has("hello", packet));
      expect(duo[small].rejected(REJECT_PAYLOAD), small).toBe(0);
      const told = { kind: "mismatch", text: "channels", local: false };
      expect(duo[small].events[0], small).toMatchObject(told);
      const closes = duo.sent.filter((packet) => has("close", packet) && has("layout", packet));
      expect(closes.length).toBeGreaterThan(0);
      for (const { bodyBytes } of closes) expect(bodyBytes).toBeLessThanOrEqual(PAYLOAD_BYTES_MIN);
    }
  });

  test("who has acked a hello gets no other with what differs (R-66)", () => {
    const duo = open({ client: { protocol: many }, server: { protocol: many } });
    const { client, server } = duo;
    client.describe(0, SAID);
    duo.handshake();
    let first: Packet | undefined;
    for (let round = 0; first === undefined; round++) {
      expect(round).toBeLessThan(20);
      first = client.turn().find((packet) => has("hello", packet));
      duo.nowUs += 100 * MS;
    }
    const hashes = Array.from({ length: CHANNELS_MAX }, (_, index) => many.channelHash(index));
    hashes[0] ^= 1;
    const hello: FrameValue = {
      kind: "hello",
      version: NETRT_VERSION,
      nameHash: many.nameHash,
      hashes: hashes.map((hash) => hash >>> 0),
      limits: [1200, 0, 0],
      suites: 1,
      key: new Uint8Array(32).fill(9),
    };
    const ack = { latest: first.number, delay: 0, bits: new Uint8Array(0) };
    client.receive(server.forge(FORGED, writePayload(jsEngine, { ack, frames: [hello] })));
    const [goodbye] = client.turn();
    expect(goodbye.payload?.frames.map(({ kind }) => kind)).toEqual(["layout", "close"]);
  });

  test("a peer may be the first to say that the protocols differ (R-34)", () => {
    const duo = open({});
    duo.connect();
    const close: FrameValue = {
      kind: "close",
      reason: REASON_MISMATCH,
      text: new TextEncoder().encode("name"),
    };
    duo.server.receive(duo.client.forgeFrames(FORGED, [close]));
    expect(duo.server.events.slice(1)).toMatchObject([
      { kind: "mismatch", text: "name", local: false },
      { kind: "disconnect", reason: REASON_MISMATCH, text: "name", local: false },
    ]);
  });
});
