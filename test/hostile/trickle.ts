/*
 * Attack 6, slow sessions: insiders that ack every packet and whose user "consumes" one message at a time, so that the
 * server's line to each never empties (Sockstress; Slow Read). What is kept for one is its queue, what is on its way ends
 * at 256 ids, a window that opens by one draws one message, and an honest peer hears everything in time.
 */
import { QUEUE_BYTES_DEFAULT, QUEUE_MESSAGES_MAX } from "../../lib/configure.js";
import { CHANNEL_WINDOW, CHUNK_BYTES } from "../../lib/engine/limits.js";
import { CHANNEL_SENT } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { window } from "./wire.js";
import { CHAT, SECOND, TRADE, withWorld } from "./world.js";

export const number = 6;
export const name = "trickle";
export const promise =
  "who consumes one message at a time is sent one at a time, holds its own queue at most, and slows down nobody else";

const SLOW = 8;

export function run(engine: EngineName, scale: number): Figures {
  return withWorld(engine, {}, (world) => {
    const client = world.honestConnected("10.0.0.2:5000");
    const { peer } = world.server;
    const slow = Array.from({ length: SLOW }, (_, index) =>
      new Insider(world, `10.0.1.${index}:1`).connected(),
    );
    world.run(SECOND, () => {
      for (const one of slow) one.say(one.trueAck());
    });
    const free = world.memory();
    let [least] = free;
    let steps = 0;
    let opened = 0;
    let honest = 0;
    const before = world.channelCounter(CHAT, CHANNEL_SENT);
    world.run(5 * SECOND * scale, () => {
      for (const one of slow) {
        for (let count = 0; count < 4; count++) {
          world.server.send(one.peer, CHAT, new Uint8Array(CHUNK_BYTES));
        }
        // The first windows only once as many messages came: an id that was never sent is a violation.
        const opens = steps > 100 && steps % 10 === 0;
        one.say(one.trueAck(), ...(opens ? [window(CHAT, opened + 1)] : []));
      }
      if (steps > 100 && steps % 10 === 0) opened += 1;
      world.server.send(peer, TRADE, Uint8Array.of(honest));
      honest += 1;
      steps += 1;
      least = Math.min(least, world.memory()[0]);
    });
    const sent = (world.channelCounter(CHAT, CHANNEL_SENT) - before) / SLOW;
    const most = CHANNEL_WINDOW + opened;
    check(sent <= most, "a window that opens by one draws one message", { sent, most });
    check(sent > CHANNEL_WINDOW, "the windows did open", sent);
    const held = free[0] - least;
    const bound = SLOW * (Math.min(QUEUE_MESSAGES_MAX, QUEUE_BYTES_DEFAULT / CHUNK_BYTES) + 64);
    check(held <= bound, "what is kept for a slow one is bounded by its queue", { held, bound });
    for (const one of slow) checkEqual(one.end, undefined, "the end of who is slow");
    world.run(SECOND, () => {
      for (const one of slow) one.say(one.trueAck());
    });
    const expected = Array.from({ length: honest }, (_, index) => index & 255);
    checkEqual(client.told.bytes(TRADE), expected, "what the honest neighbour got");
    for (const one of slow) world.server.close(one.peer, 1);
    world.run(2 * SECOND);
    check(world.memory()[0] >= free[0], "the memory comes back", {
      of: free[0],
      now: world.memory()[0],
    });
    return { "messages drawn by each": sent, "windows opened": opened, "chunks held": held };
  });
}
