/*
 * Packet numbers that are left out: when, that nobody is harmed, and that whoever acks one is closed.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import {
  OMIT_PACKETS_MAX,
  OMIT_PACKETS_MIN,
  OMIT_SOONER,
  PACKET_BYTES_MAX,
} from "../../lib/engine/limits.js";
import { PACKET_CHALLENGE } from "../../lib/engine/packet.js";
import { REASON_VIOLATION } from "../../lib/engine/state.js";
import {
  PEER_GAPS,
  PEER_IN_FLIGHT,
  PEER_PACKETS_ACKED,
  PEER_PACKETS_LOST,
  PEER_PACKETS_SENT,
  REJECT_ACK_UNSENT,
} from "../../lib/engine/stats.js";
import { defineProtocol, realTime } from "../../lib/index.js";
import { Duo } from "../duo.js";
import { engines } from "../engines.js";

const protocol = defineProtocol("omit/1", { state: realTime() });
describe.each(engines)("numbers left out by the %s engine", (engine) => {
  function open(): Duo {
    const duo = new Duo({ server: engine, client: engine }, protocol);
    onTestFinished(() => duo.close());
    return duo;
  }

  /** The client's latest number. */
  let said = 0;

  /** Numbers of the server's next packets; all arrive. */
  function numbers(duo: Duo, count: number): number[] {
    const all: number[] = [];
    while (all.length < count) {
      for (const packet of duo.client.turn()) {
        said = packet.number;
        duo.server.receive(packet);
      }
      if (duo.server.peer !== 0) duo.server.send(0, 1);
      for (const packet of duo.server.turn()) {
        // Challenges have numbers of their own, from 2^63 on.
        if (packet.type !== PACKET_CHALLENGE) all.push(packet.number);
        duo.client.receive(packet);
      }
      duo.nowUs += 10_000;
    }
    return all;
  }

  function leftOut(sent: readonly number[]): number[] {
    const last = sent[sent.length - 1];
    const known = new Set(sent);
    return Array.from({ length: last - sent[0] }, (_, index) => sent[0] + index).filter(
      (number) => !known.has(number),
    );
  }

  /** A connection whose server left a number out in its last packet but one; that number. */
  function omitted(duo: Duo): number {
    duo.connect();
    let sent = numbers(duo, 1);
    for (;;) {
      const next = numbers(duo, 1);
      if (next[0] !== sent[sent.length - 1] + 1) return next[0] - 1;
      sent = next;
    }
  }

  /** `0x80`, then latest and delay: an ack header by hand. */
  function ack(latest: number, bits: readonly number[] = []): Uint8Array {
    const low = latest % 65_536;
    return Uint8Array.of(0x80 + bits.length, low & 255, low >> 8, 255, 255, ...bits);
  }

  test("R-65: one comes early, then one after 64 to 512 packets, not foreseeable", () => {
    const sent = numbers(open(), 6000);
    const out = leftOut(sent);
    expect(out[0] - sent[0]).toBeGreaterThanOrEqual(Math.floor(OMIT_PACKETS_MIN / OMIT_SOONER));
    expect(out[0] - sent[0]).toBeLessThanOrEqual(OMIT_PACKETS_MAX / OMIT_SOONER);
    const steps = out.slice(1).map((number, index) => number - out[index] - 1);
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(OMIT_PACKETS_MIN);
    expect(Math.max(...steps)).toBeLessThanOrEqual(OMIT_PACKETS_MAX);
    expect(new Set(steps).size).toBeGreaterThan(steps.length / 2);
  });

  test("R-65: who keeps the rules is not harmed: a verdict for each packet, none for a number without one", () => {
    const duo = open();
    const out = leftOut(numbers(duo, 2000));
    duo.rounds(20);
    const { server } = duo;
    expect(out.length).toBeGreaterThanOrEqual(4);
    expect(server.end).toBeUndefined();
    expect(server.peerWord(PEER_PACKETS_LOST)).toBe(0);
    expect(server.peerWord(PEER_PACKETS_ACKED) + server.peerWord(PEER_IN_FLIGHT)).toBe(
      server.peerWord(PEER_PACKETS_SENT),
    );
    // A receiver can't know a number that is left out from a packet that is lost.
    expect(duo.client.peerWord(PEER_GAPS)).toBe(out.length);
  });

  test("R-65: an ack of one ends the connection, as the latest number and as a bit", () => {
    for (const acks of [
      (number: number) => ack(number),
      (number: number) => ack(number + 1, [1]),
    ]) {
      const duo = open();
      const number = omitted(duo);
      duo.server.receive(duo.client.forge(said + 100, acks(number)));
      expect(duo.server.end).toMatchObject({ reason: REASON_VIOLATION });
      expect(duo.server.rejected(REJECT_ACK_UNSENT)).toBe(1);
    }
  });

  test("R-65: acks of its neighbours don't", () => {
    const duo = open();
    const number = omitted(duo);
    duo.server.receive(duo.client.forge(said + 100, ack(number + 1, [0b110])));
    duo.server.receive(duo.client.forge(said + 101, ack(number - 1)));
    expect(duo.server.end).toBeUndefined();
  });

  test("a lost number and one left out beside it: the verdicts stay in order", () => {
    const duo = open();
    omitted(duo);
    duo.server.send(0, new Uint8Array(PACKET_BYTES_MAX / 2));
    duo.server.turn();
    duo.nowUs += 10_000;
    numbers(duo, 8);
    duo.rounds(20);
    expect(duo.server.peerWord(PEER_PACKETS_LOST)).toBe(1);
    expect(duo.server.end).toBeUndefined();
  });
});
