/*
 * Attack 15 by many: enough insiders that ack nothing to fill the memory that all peers share. An honest peer's messages
 * must still find room, whatever the others hold.
 */
import { QUEUE_MESSAGES_MAX } from "../../lib/configure.js";
import { CHUNK_BYTES } from "../../lib/engine/limits.js";
import type { EngineName } from "../engines.js";
import { checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { NO_ACK, PING } from "./wire.js";
import { CHAT, SECOND, TRADE, withWorld } from "./world.js";

export const number = 15;
export const name = "crowd";
export const promise = "a crowd that acks nothing leaves an honest peer the memory that it needs";

const SLOTS = 16;

export function run(engine: EngineName): Figures {
  return withWorld(engine, { peersMax: SLOTS }, (world) => {
    const client = world.honestConnected("10.0.0.2:5000");
    const { peer } = world.server;
    const crowd = Array.from({ length: SLOTS - 1 }, (_, index) =>
      new Insider(world, `10.0.1.${index}:1`).connected(),
    );
    const [chunks] = world.memory();
    for (let sent = 0; sent < QUEUE_MESSAGES_MAX; sent++) {
      for (const one of crowd) world.server.send(one.peer, CHAT, new Uint8Array(CHUNK_BYTES));
      if (sent % 16 !== 0) continue;
      if (sent % 64 === 0) for (const one of crowd) one.say(NO_ACK, PING);
      world.step();
    }
    const [left] = world.memory();
    let sent = 0;
    world.run(3 * SECOND, () => {
      for (const one of crowd) {
        if (sent % 4 === 0) one.say(NO_ACK, PING);
        world.server.send(one.peer, CHAT, new Uint8Array(CHUNK_BYTES));
      }
      world.server.send(peer, CHAT, Uint8Array.of(sent));
      world.server.send(peer, TRADE, Uint8Array.of(sent));
      client.send(CHAT, Uint8Array.of(sent));
      sent += 1;
    });
    world.run(SECOND);
    checkEqual(client.told.end, undefined, "the end of the honest peer");
    const expected = Array.from({ length: sent }, (_, index) => index & 255);
    checkEqual(world.server.of(peer).bytes(CHAT), expected, "what the honest peer said");
    checkEqual(client.told.bytes(CHAT).length, sent, "messages that the honest peer got on chat");
    checkEqual(client.told.bytes(TRADE).length, sent, "messages that the honest peer got on trade");
    return { crowd: crowd.length, "chunks at first": chunks, "chunks left by the crowd": left };
  });
}
