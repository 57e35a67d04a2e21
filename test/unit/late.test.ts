/*
 * What becomes of messages whose packet was judged lost: an ack that comes late tells that they arrived; where
 * none comes, they are lost or expired, once, when none can come any more. In virtual time, over a link of 100 ms a round trip.
 */
import { describe, expect, test } from "vitest";
import { FATE_DELIVERED, FATE_DROPPED, FATE_EXPIRED, FATE_LOST } from "../../lib/engine/channel.js";
import {
  CONFIG_CARRIEDS,
  CONFIG_CONGESTION,
  CONFIG_POLICIES,
  ENTROPY_BYTES,
  ENTROPY_KEYS,
  ENTROPY_NUMBER,
} from "../../lib/engine/config.js";
import { CONGESTION_FIXED } from "../../lib/engine/congestion.js";
import { IN_FLIGHT_MAX, SENT_PACKETS } from "../../lib/engine/limits.js";
import { EXPIRY_NEVER, ORDER_NONE, POLICY_WORDS, REPAIR_NONE } from "../../lib/engine/policy.js";
import { REASON_CLOSED } from "../../lib/engine/state.js";
import { PEER_ACKS_LATE, PEER_RESENT } from "../../lib/engine/stats.js";
import { MS } from "../duo.js";
import { engines } from "../engines.js";
import { CHAT, Link, ONE_WAY_US, PING, SHOTS, SHOTS_MS, STATE, withoutCopies } from "../road.js";

describe.each(engines)("a packet that was judged lost, on the %s engine,", (engine) => {
  test.each([STATE, SHOTS])("and acked late, delivered what it carried (channel %i)", (channel) => {
    const link = new Link(engine);
    const before = link.lost();
    const late = link.server.peerWord(PEER_ACKS_LATE);
    link.send(channel, 1, ONE_WAY_US + 90 * MS);
    link.overtake();
    link.wait(102);
    expect([link.lost() - before, link.fates()]).toEqual([1, []]);
    link.untilFate(120);
    expect(link.fates()).toEqual([[1, FATE_DELIVERED]]);
    expect(link.server.peerWord(PEER_ACKS_LATE) - late).toBe(1);
    link.wait(2000);
    expect(link.fates()).toEqual([[1, FATE_DELIVERED]]);
  });

  test("and never acked, lost what it carried: told once, when no ack can come any more", () => {
    const link = new Link(engine);
    const before = link.lost();
    link.send(STATE, 1, null);
    link.overtake();
    link.wait(102);
    expect([link.lost() - before, link.fates()]).toEqual([1, []]);
    // Two time-outs of a round trip and some, and twice the time for which acks are held.
    const ms = 115 + link.untilFate(1000);
    expect(ms).toBeGreaterThan(240);
    expect(ms).toBeLessThan(400);
    link.wait(2000);
    expect(link.fates()).toEqual([[1, FATE_LOST]]);
  });

  test("and whose acks were lost, delivered what arrived, though its time is over since", () => {
    const link = new Link(engine);
    link.send(SHOTS, 1, ONE_WAY_US);
    let deaf = true;
    link.delay = (_packet, to) => (deaf && to === link.server ? null : ONE_WAY_US);
    link.wait(SHOTS_MS + 30);
    expect(link.duo.client.received(SHOTS)).toEqual([1]);
    expect(link.fates()).toEqual([]);
    deaf = false;
    link.duo.client.send(PING, 0);
    link.untilFate(300);
    expect(link.fates()).toEqual([[1, FATE_DELIVERED]]);
  });

  test("expired what it carried where no ack came, on a channel that only nacks repair", () => {
    const link = new Link(engine);
    link.send(SHOTS, 1, null);
    expect(link.untilFate(1000)).toBeGreaterThan(SHOTS_MS);
    expect(link.fates()).toEqual([[1, FATE_EXPIRED]]);
  });

  test("and acked late, ends what rides again since", () => {
    const link = new Link(engine);
    const again = link.server.peerWord(PEER_RESENT);
    link.send(CHAT, 1, ONE_WAY_US + 90 * MS);
    const { delay } = link;
    // What rides again is lost, as often as it does.
    link.delay = (packet, to) => {
      const frames = packet.payload?.frames ?? [];
      const chat = frames.some((frame) => frame.kind === "message" && frame.channel === CHAT);
      return chat ? null : delay(packet, to);
    };
    link.overtake();
    link.untilFate(300);
    expect(link.fates()).toEqual([[1, FATE_DELIVERED]]);
    expect(link.server.peerWord(PEER_RESENT) - again).toBe(1);
    link.wait(1000);
    expect(link.server.peerWord(PEER_RESENT) - again).toBe(1);
    expect(link.duo.client.received(CHAT)).toEqual([1]);
  });

  test("is dropped with the connection in between, and its memory comes back", () => {
    const link = new Link(engine);
    const [chunks, messages, carrieds] = link.server.memory();
    const before = link.lost();
    for (const [tag, channel] of [STATE, SHOTS, CHAT].entries()) link.send(channel, tag + 1, null);
    link.overtake();
    link.wait(102);
    expect([link.lost() - before, link.fates()]).toEqual([3, []]);
    link.server.close(REASON_CLOSED);
    link.wait(1000);
    const fates = link.fates().sort(([left], [right]) => left - right);
    expect(fates).toEqual([1, 2, 3].map((tag) => [tag, FATE_DROPPED]));
    expect(link.server.memory().slice(0, 3)).toEqual([chunks, messages, carrieds]);
  });

  test("is settled at once where memory is scarce (R-48)", () => {
    const server = {
      configure: (config: Uint32Array) => {
        withoutCopies(config);
        config[CONFIG_CARRIEDS] = 600;
      },
    };
    const link = new Link(engine, { server });
    const before = link.lost();
    link.send(STATE, 1, null);
    // More than three quarters of the records are on their way.
    for (let packet = 0; packet < 8; packet++) {
      for (let count = 0; count < 60; count++) link.server.send(PING, 0);
      link.step();
    }
    expect(link.server.memory()[2]).toBeLessThan(150);
    link.wait(102);
    expect([link.lost() - before, link.fates()]).toEqual([1, [[1, FATE_LOST]]]);
  });

  test("is settled before its record is used again, wherever numbers wrap", () => {
    // The 16 bits of an ack header wrap among them.
    const entropy = (role: number) => {
      const bytes = new Uint8Array(ENTROPY_BYTES).fill(role + 1);
      bytes.fill(0, ENTROPY_NUMBER, ENTROPY_KEYS).set([0xc0, 0xff], ENTROPY_NUMBER);
      return bytes;
    };
    const side = {
      configure: (config: Uint32Array) => {
        withoutCopies(config);
        config[CONFIG_CONGESTION] = CONGESTION_FIXED;
        config.set(
          [ORDER_NONE, REPAIR_NONE, 0, 0, EXPIRY_NEVER],
          CONFIG_POLICIES + SHOTS * POLICY_WORDS,
        );
      },
    };
    const link = new Link(engine, { entropy, server: side, client: side });
    const memory = link.server.memory();
    link.stepUs = 500;
    // So many in the time for which late acks are waited for: numbers settle, not time.
    const tags = SENT_PACKETS + IN_FLIGHT_MAX;
    let number = 0;
    for (let tag = 1; tag <= tags; tag++) {
      number = link.send(SHOTS, tag, tag % 2 === 0 ? null : ONE_WAY_US + ((tag * 7) % 20) * MS);
    }
    expect(number).toBeGreaterThan(65_536 + tags / 2);
    link.stepUs = MS;
    link.wait(1000);
    expect(link.server.peerWord(PEER_ACKS_LATE)).toBeGreaterThan(100);
    expect(link.fates().sort(([left], [right]) => left - right)).toEqual(
      Array.from({ length: tags }, (_, index) => [
        index + 1,
        index % 2 === 0 ? FATE_DELIVERED : FATE_LOST,
      ]),
    );
    expect(link.server.memory()).toEqual(memory);
  });
});
