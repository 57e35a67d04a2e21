/*
 * Attack 5 again, one step later: an admitted client that never says hello, but keeps its connection alive with what
 * NETCODE offers. The user was never told of it and can't close it, so the server must end it itself.
 */
import type { EngineName } from "../engines.js";
import { PACKET_TYPES } from "../peers/netcode.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { MS, SECOND, withWorld } from "./world.js";

export const number = 5;
export const name = "mute";
export const promise =
  "who is admitted and never says hello has its slot for a time-out, not for ever";

/** A hello takes a round trip; whoever has not said it after a time-out and more never will. */
const LIMIT_SECONDS = 15;
const SLOTS = 8;

export function run(engine: EngineName): Figures {
  return withWorld(engine, { peersMax: SLOTS }, (world) => {
    const free = world.memory();
    const mute = Array.from({ length: SLOTS }, (_, index) =>
      new Insider(world, `10.0.1.${index}:7`).admitted(),
    );
    let nextUs = 0;
    world.run(LIMIT_SECONDS * SECOND, () => {
      if (world.nowUs < nextUs) return;
      nextUs = world.nowUs + 500 * MS;
      for (const one of mute) one.post(one.seal(PACKET_TYPES.keepAlive, new Uint8Array(8)));
    });
    checkEqual(world.server.peers.length, 0, "peers that the user was told of");
    const [, , , , slots] = world.memory();
    check(slots === free[4], `who never says hello has no slot after ${LIMIT_SECONDS} s`, {
      slots,
      of: free[4],
    });
    return { "mute slots": SLOTS };
  });
}
