/*
 * Attack 16, useless work, at its worst: packets that ask for an ack, two and more in every turn, so that the connection
 * always has something to send. Its own time must pass all the same: a gap is passed at its deadline, a message
 * expires. A fast client of a slow server does the same without meaning harm.
 */
import { CHANNEL_EXPIRED } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { last, NO_ACK, PING } from "./wire.js";
import { CHAT, MS, SECOND, SHOTS, withWorld } from "./world.js";

export const number = 16;
export const name = "starve";
export const promise =
  "whatever a peer sends in a turn, the deadlines of its connection are served in that turn";

/** TimeSensitive waits 200 ms for a gap, and a turn more. */
const GAP_LIMIT_US = 200 * MS + 20 * MS;
/** Reliable expires after 10 s, and once no packet with it is undecided: a time-out later, 2 s at most. */
const EXPIRY_LIMIT_US = 12 * SECOND + 100 * MS;

export function run(engine: EngineName): Figures {
  const figures: Record<string, number> = {};
  for (const perTurn of [1, 2, 8]) {
    withWorld(engine, {}, (world) => {
      const busy = new Insider(world, "10.0.1.1:1").connected();
      const told = world.server.of(busy.peer);
      const bother = () => {
        for (let count = 0; count < perTurn; count++) busy.say(NO_ACK, PING);
      };
      busy.say(NO_ACK, last(SHOTS, 1, Uint8Array.of(7)));
      const what = `with ${perTurn} packets a turn`;
      const passed = () => told.messages.length > 0;
      const gapUs = world.until(`a gap is passed ${what}`, passed, GAP_LIMIT_US, bother);
      world.server.send(busy.peer, CHAT, Uint8Array.of(1), 5);
      const expired = () => world.channelCounter(CHAT, CHANNEL_EXPIRED) > 0;
      world.until(`a message expires ${what}`, expired, EXPIRY_LIMIT_US, bother);
      check(told.end === undefined, "nobody's connection ended");
      checkEqual(
        told.fates.map(({ tag }) => tag),
        [5],
        "the message that was given up",
      );
      figures[`gap passed ${what} after ms`] = gapUs / MS;
    });
  }
  return figures;
}
