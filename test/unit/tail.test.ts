/*
 * The end of a burst: where nothing follows that would show its loss, it is probed after two round trips, once, and what
 * the probe's ack tells of it rides again.
 */
import { describe, expect, test } from "vitest";
import { ACK_HOLD_US } from "../../lib/engine/limits.js";
import {
  CHANNEL_COPIES,
  PEER_PACKETS_SENT,
  PEER_RESENT,
  PEER_RTT_US,
  PEER_RTT_VARIANCE_US,
} from "../../lib/engine/stats.js";
import { MS, type Packet } from "../duo.js";
import { engines } from "../engines.js";
import { CHAT, Link, ONE_WAY_US, SHOTS, STATE } from "../road.js";

/** A link of which one round trip is known: its time-out is three of them. */
function fresh(engine: "js" | "native") {
  const link = new Link(engine, {}, 260);
  const { server } = link;
  const rttUs = server.peerWord(PEER_RTT_US);
  const timeoutUs = rttUs + 4 * server.peerWord(PEER_RTT_VARIANCE_US);
  expect(timeoutUs - 2 * rttUs).toBeGreaterThan(40 * MS);
  return { link, server, probeMs: (2 * rttUs + ACK_HOLD_US) / MS, timeoutMs: timeoutUs / MS };
}

/** Ids of a channel's messages in a packet. */
const idsOf = ({ payload }: Packet, channel: number) =>
  (payload?.frames ?? []).flatMap((frame) =>
    frame.kind === "message" && frame.channel === channel ? [frame.id] : [],
  );

describe.each(engines)("the end of a burst, on the %s engine,", (engine) => {
  test("is probed after two round trips, before its time-out", () => {
    const { link, server, probeMs, timeoutMs } = fresh(engine);
    link.send(CHAT, 1, null);
    const sentUs = link.duo.nowUs;
    const copies = server.channelCounter(CHANNEL_COPIES, CHAT);
    let rodeMs = -1;
    link.delay = (packet, to) => {
      if (to !== server && idsOf(packet, CHAT).length > 0 && rodeMs < 0) {
        rodeMs = (link.duo.nowUs - sentUs) / MS;
      }
      return ONE_WAY_US;
    };
    link.wait(Math.ceil(timeoutMs) - 5);
    expect(Math.abs(rodeMs - probeMs)).toBeLessThan(2);
    expect(server.channelCounter(CHANNEL_COPIES, CHAT) - copies).toBe(1);
    link.wait(200);
    expect(link.duo.client.received(CHAT)).toEqual([1]);
  });

  test("rides again as its oldest messages, in one packet; the rest once the probe is acked", () => {
    const { link, server, probeMs } = fresh(engine);
    const bodies = Array.from({ length: 8 }, (_, index) => new Uint8Array(300).fill(index));
    const rides: number[][] = [];
    link.delay = (packet, to) => {
      if (to === server) return ONE_WAY_US;
      if (idsOf(packet, CHAT).length === 0) return ONE_WAY_US;
      rides.push(idsOf(packet, CHAT));
      return rides.length > 3 ? ONE_WAY_US : null;
    };
    for (const body of bodies) server.send(CHAT, body);
    link.step();
    expect(rides).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ]);
    link.wait(Math.ceil(probeMs) + 2);
    expect(rides.slice(3)).toEqual([[0, 1, 2]]);
    // A round trip, for which the ack may be held.
    link.wait(125);
    expect(rides.slice(4)).toEqual([
      [3, 4, 5],
      [6, 7],
    ]);
    link.wait(100);
    expect(link.duo.client.received(CHAT)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("isn't where traffic behind it shows the loss", () => {
    const { link, server, timeoutMs } = fresh(engine);
    const resent = server.peerWord(PEER_RESENT);
    link.send(CHAT, 1, null);
    for (let ms = 0; ms < timeoutMs; ms += 10) {
      server.send(STATE, 0);
      link.wait(10);
    }
    expect(server.peerWord(PEER_RESENT) - resent).toBe(1);
    expect(server.channelCounter(CHANNEL_COPIES, CHAT)).toBe(0);
    expect(link.duo.client.received(CHAT)).toEqual([1]);
  });

  test.each([STATE, SHOTS])(
    "isn't where acks don't repair, nor goes anything out (channel %i)",
    (channel) => {
      const { link, server, probeMs } = fresh(engine);
      // Silence asks for pings of its own.
      link.send(channel, 1, null);
      const times: number[] = [];
      const sentUs = link.duo.nowUs;
      link.delay = (packet, to) => {
        if (to !== server) times.push((link.duo.nowUs - sentUs) / MS);
        expect(idsOf(packet, channel)).toEqual([]);
        return ONE_WAY_US;
      };
      const packets = server.peerWord(PEER_PACKETS_SENT);
      link.wait(Math.ceil(probeMs) + 5);
      expect(server.peerWord(PEER_PACKETS_SENT) - packets).toBe(times.length);
      expect(times.filter((ms) => Math.abs(ms - probeMs) < 5)).toEqual([]);
    },
  );

  test("isn't where it would come too late", () => {
    const { link, server, probeMs } = fresh(engine);
    let rides = 0;
    link.delay = (packet, to) => {
      const carries = to !== server && idsOf(packet, CHAT).length > 0;
      rides += carries ? 1 : 0;
      return carries ? null : ONE_WAY_US;
    };
    // Until the probe would arrive, and not a round trip longer.
    server.send(CHAT, 1, { tag: 1, ttl: Math.floor(probeMs) + 40 });
    link.wait(1000);
    expect(rides).toBe(1);
  });
});
