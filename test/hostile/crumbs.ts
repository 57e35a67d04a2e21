/*
 * Attack 8, tiny pieces (SegmentSmack): a message of 2,049 bytes has a last piece of 1. An insider sends nothing but such
 * pieces, 64 a packet, of ids far before their turn: each costs a piece of memory of 256 bytes, which is counted. Any other
 * piece of a byte has the wrong length and ends the connection.
 */
import { CHANNEL_ACCEPT, MESSAGES_PER_PACKET_MAX } from "../../lib/engine/limits.js";
import { REJECT_MEMORY } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { fragment, REASONS } from "./wire.js";
import { CHAT, longArena, SECOND, TRADE, type World, withWorld } from "./world.js";

export const number = 8;
export const name = "crumbs";
export const promise =
  "a piece of one byte is counted like a whole one: 1,024 a channel at most, a quarter of the memory stays, and no honest peer waits";

const TOTAL = 2049;
const LAST = 2;
/** Of a packet's room: a crumb takes 8 bytes. */
const CROWD = 12;

const crumb = (channel: number, id: number) => fragment(channel, id, LAST, TOTAL, Uint8Array.of(1));

function wrongLengths(world: World): number {
  const wrong = [
    fragment(CHAT, 0, 0, TOTAL, Uint8Array.of(1)),
    fragment(CHAT, 0, 0, 1, Uint8Array.of(1)),
    fragment(CHAT, 2, LAST, TOTAL, new Uint8Array(2)),
    fragment(CHAT, 3, LAST + 1, TOTAL, Uint8Array.of(1)),
    fragment(CHAT, 2, LAST, TOTAL, new Uint8Array(0)),
  ];
  wrong.forEach((piece, index) => {
    const insider = new Insider(world, `10.0.2.${index}:1`).connected();
    insider.say(insider.trueAck(), piece);
    world.step();
    checkEqual(
      insider.end?.reason,
      REASONS.violation,
      `the end of a piece of wrong length, ${index}`,
    );
  });
  world.run(SECOND);
  return wrong.length;
}

export function run(engine: EngineName): Figures {
  return withWorld(engine, { protocol: longArena }, (world) => {
    const client = world.honestConnected("10.0.0.2:5000");
    const { peer } = world.server;
    const refused = wrongLengths(world);
    const free = world.memory();
    const crowd = Array.from({ length: CROWD }, (_, index) =>
      new Insider(world, `10.0.1.${index}:1`).connected(),
    );
    let least = [...free];
    let crumbs = 0;
    let sent = 0;
    // Ids that are not the first in their turn: 0 is never sent, so nothing is delivered.
    for (let id = CHANNEL_ACCEPT - 1; id > LAST; id -= MESSAGES_PER_PACKET_MAX) {
      for (const one of crowd) {
        for (const channel of [CHAT, TRADE]) {
          const all = Array.from(
            { length: Math.min(MESSAGES_PER_PACKET_MAX, id - LAST) },
            (_, index) => crumb(channel, id - index),
          );
          for (const each of all) one.say(one.trueAck(), each);
          crumbs += all.length;
        }
      }
      client.send(CHAT, Uint8Array.of(sent));
      world.server.send(peer, TRADE, Uint8Array.of(sent));
      sent += 1;
      world.step();
      least = least.map((count, index) => Math.min(count, world.memory()[index]));
    }
    for (const one of crowd) checkEqual(one.end, undefined, "the end of who sends crumbs");
    const held = free[1] - least[1];
    check(held > free[1] / 2, "crumbs were held", held);
    check(held <= CROWD * 2 * CHANNEL_ACCEPT, "no more than 1,024 a channel are held", held);
    check(least[0] >= free[0] / 8 && least[1] >= free[1] / 8, "memory is left", { least, free });
    world.run(2 * SECOND);
    const expected = Array.from({ length: sent }, (_, index) => index & 255);
    checkEqual(client.told.bytes(TRADE), expected, "what the honest neighbour got");
    checkEqual(world.server.of(peer).bytes(CHAT), expected, "what the honest neighbour said");
    for (const one of crowd) world.server.close(one.peer, 1);
    world.run(2 * SECOND);
    checkEqual(world.memory().slice(0, 2), free.slice(0, 2), "memory once they are gone");
    return {
      crumbs,
      "pieces held": held,
      "pieces at open": free[1],
      "refused for memory": world.rejected(REJECT_MEMORY),
      "wrong lengths refused": refused,
    };
  });
}
