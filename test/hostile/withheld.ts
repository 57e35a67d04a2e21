/*
 * Attack 15, withheld acks: an insider that stays alive and acks nothing while the server's user sends to it. What is kept
 * for it is bounded by its queue, in flight are 256 packets at most, and everything is given back when it goes.
 */
import { QUEUE_BYTES_DEFAULT, QUEUE_MESSAGES_MAX } from "../../lib/configure.js";
import { CHUNK_BYTES, IN_FLIGHT_MAX } from "../../lib/engine/limits.js";
import { CHANNEL_DROPPED, PEER_IN_FLIGHT } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { NO_ACK, PING } from "./wire.js";
import { CHAT, SECOND, STATE, TRADE, withWorld } from "./world.js";

export const number = 15;
export const name = "withheld";
export const promise =
  "who acks nothing holds its own queue and 256 packets at most, and all of it comes back when it goes";

const BODY = CHUNK_BYTES;

export function run(engine: EngineName, scale: number): Figures {
  return withWorld(engine, {}, (world) => {
    const client = world.honestConnected("10.0.0.2:5000");
    const { peer } = world.server;
    world.run(2 * SECOND);
    const free = world.memory();
    const mean = new Insider(world, "10.0.1.1:1").connected();
    let sent = 0;
    let inFlight = 0;
    let least = free[0];
    world.run(5 * SECOND * scale, () => {
      if (sent % 4 === 0) mean.say(NO_ACK, PING);
      for (let count = 0; count < 4; count++) {
        world.server.send(mean.peer, CHAT, new Uint8Array(BODY));
        world.server.send(mean.peer, STATE, new Uint8Array(BODY));
      }
      world.server.send(peer, CHAT, Uint8Array.of(sent));
      world.server.send(peer, TRADE, Uint8Array.of(sent));
      sent += 1;
      inFlight = Math.max(inFlight, world.peerWord(mean.peer, PEER_IN_FLIGHT));
      least = Math.min(least, world.memory()[0]);
    });
    check(inFlight > 0 && inFlight <= IN_FLIGHT_MAX, "packets in flight are 256 at most", inFlight);
    const held = free[0] - least;
    // The queue's bytes in pieces of 256, the RealTime messages kept for their verdicts, and what the honest peer has.
    const bound = Math.min(QUEUE_MESSAGES_MAX, QUEUE_BYTES_DEFAULT / CHUNK_BYTES) + 64;
    check(held <= bound, "what is kept for one peer is bounded by its queue", { held, bound });
    check(
      world.channelCounter(CHAT, CHANNEL_DROPPED) > 0,
      "what found no room was reported dropped",
    );
    world.run(SECOND);
    const expected = Array.from({ length: sent }, (_, index) => index & 255);
    checkEqual(client.told.bytes(CHAT), expected, "what the honest neighbour got on chat");
    checkEqual(client.told.bytes(TRADE), expected, "what the honest neighbour got on trade");
    checkEqual(mean.end, undefined, "the end of who pings and acks nothing");
    world.server.close(mean.peer, 1);
    world.run(SECOND);
    checkEqual(world.memory(), free, "memory once it is gone");
    return { "most in flight": inFlight, "chunks held": held, "chunks at open": free[0] };
  });
}
