/*
 * Attack 10 again, by saying things twice: two pings mean what one means, and so do two hellos, skips and nacks of one
 * channel. 1,160 pings in a packet are also the dearest packet there is: ten times a useful one.
 */
import type { EngineName } from "../engines.js";
import { checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { hello, NO_ACK, nack, PING, REASONS, skip } from "./wire.js";
import { CHAT, type World, withWorld } from "./world.js";

export const number = 10;
export const name = "repeats";
export const promise =
  "a payload that says the same thing twice is not canonical (R-2), so it is refused";

type Case = readonly [what: string, frames: (world: World) => readonly Uint8Array[]];

const CASES: readonly Case[] = [
  ["two pings", () => [PING, PING]],
  ["1,160 pings", () => Array.from({ length: 1160 }, () => PING)],
  ["two hellos", ({ protocol }) => [hello(protocol), hello(protocol)]],
  ["two skips of a channel", () => [skip(CHAT, 0), skip(CHAT, 0)]],
  ["two nacks of a channel", () => [nack(CHAT, 0), nack(CHAT, 0)]],
];

export function run(engine: EngineName): Figures {
  return withWorld(engine, {}, (world) => {
    for (const [index, [what, frames]] of CASES.entries()) {
      const insider = new Insider(world, `10.0.1.${index}:1`).connected();
      // Something that a nack may name.
      world.server.send(insider.peer, CHAT, Uint8Array.of(1));
      world.step();
      insider.say(NO_ACK, ...frames(world));
      world.step();
      checkEqual(insider.end?.reason, REASONS.violation, `the end after ${what}`);
    }
    return { repeats: CASES.length };
  });
}
