/*
 * Owns a server that sends over a link whose packets a test delays or loses one by one, in virtual time: a round trip of
 * 100 ms, and channels of each strategy whose messages have no copies.
 * Never adds a rule: what rides and what becomes of it is an engine's.
 */
import { expect, onTestFinished } from "vitest";
import { CONFIG_POLICIES } from "../lib/engine/config.js";
import { POLICY_WORDS } from "../lib/engine/policy.js";
import { PEER_PACKETS_LOST } from "../lib/engine/stats.js";
import { defineProtocol, realTime, reliable, timeSensitive } from "../lib/index.js";
import { Duo, type DuoOptions, MS, type Packet, type Side } from "./duo.js";

export const STATE = 0;
export const SHOTS = 1;
export const CHAT = 2;
export const PING = 3;
export const SHOTS_MS = 150;
const protocol = defineProtocol("late/1", {
  state: realTime(),
  shots: timeSensitive({ expiry: SHOTS_MS }),
  chat: reliable(),
  ping: reliable(),
});
export const ONE_WAY_US = 50 * MS;
const COPIES_WORD = 2;

/** Nothing rides twice but what was lost. */
export function withoutCopies(config: Uint32Array): void {
  for (let channel = 0; channel < 4; channel++) {
    config[CONFIG_POLICIES + channel * POLICY_WORDS + COPIES_WORD] = 0;
  }
}

/** A server that sends, a client, and what is on its way between them. */
export class Link {
  readonly duo: Duo;
  readonly #wire: { to: Side; packet: Packet; atUs: number }[] = [];
  stepUs = MS;
  /** What becomes of a packet: how long it is on its way (µs), or null where it is lost. */
  delay: (packet: Packet, to: Side) => number | null = () => ONE_WAY_US;

  constructor(engine: "js" | "native", options: DuoOptions = {}, warmMs = 2000) {
    const side = { configure: withoutCopies };
    const engines = { server: engine, client: engine };
    this.duo = new Duo(engines, protocol, { server: side, client: side, ...options });
    onTestFinished(() => this.duo.close());
    this.wait(warmMs);
    if (this.server.peer === 0) throw new Error("not connected");
  }

  get server(): Side {
    return this.duo.server;
  }

  step(flush = true): void {
    const { duo } = this;
    for (const side of [duo.client, duo.server]) {
      for (const packet of side.turn(flush)) {
        const to = duo.other(side);
        const delayUs = this.delay(packet, to);
        if (delayUs !== null) this.#wire.push({ to, packet, atUs: duo.nowUs + delayUs });
      }
    }
    duo.nowUs += this.stepUs;
    const come = this.#wire.filter(({ atUs }) => atUs <= duo.nowUs);
    for (const each of come) {
      this.#wire.splice(this.#wire.indexOf(each), 1);
      each.to.receive(each.packet);
    }
  }

  wait(ms: number): void {
    for (let step = 0; step < ms; step++) this.step();
  }

  /** Sends a message whose packet has this delay; the packet's number. */
  send(channel: number, tag: number, delayUs: number | null): number {
    let number = -1;
    const { delay } = this;
    this.delay = (packet, to) => {
      const carries = packet.payload?.frames.some(
        (frame) => frame.kind === "message" && frame.channel === channel,
      );
      if (!carries || number >= 0) return delay(packet, to);
      number = packet.number;
      return delayUs;
    };
    this.server.send(channel, tag, { tag });
    this.step();
    this.delay = delay;
    expect(number).toBeGreaterThanOrEqual(0);
    return number;
  }

  /** Four packets that arrive and are acked at once, a few ms apart: what was sent before and isn't there is lost then. */
  overtake(): void {
    for (let count = 0; count < 4; count++) {
      this.server.send(PING, 0);
      this.wait(3);
    }
  }

  lost(): number {
    return this.server.peerWord(PEER_PACKETS_LOST);
  }

  /** Fates that the server's user was told, as tag and fate. */
  fates(): [number, number][] {
    return this.server.events.flatMap((event) =>
      event.kind === "fate" && event.tag > 0 ? [[event.tag, event.fate] as [number, number]] : [],
    );
  }

  /** Waits for a fate; how long it took (ms). */
  untilFate(mostMs: number): number {
    const count = this.fates().length;
    for (let ms = 0; ms < mostMs; ms++) {
      this.step();
      if (this.fates().length > count) return ms;
    }
    throw new Error(`no fate within ${mostMs} ms`);
  }
}
