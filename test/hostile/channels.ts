/*
 * Attack 17, all channels and maximal ids: an insider sends on all 64 channels the highest ids that it may, never the ones
 * before them, so that everything it sends is held. It gets no more memory than is set apart for that, and an honest
 * neighbour on a bad link still gets everything, in order.
 */
import { CHANNEL_ACCEPT, MESSAGES_PER_PACKET_MAX } from "../../lib/engine/limits.js";
import { REJECT_MEMORY } from "../../lib/engine/stats.js";
import { defineProtocol, reliable } from "../../lib/index.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { sized } from "./wire.js";
import { SECOND, withWorld } from "./world.js";

export const number = 17;
export const name = "channels";
export const promise =
  "who fills all channels with messages before their turn leaves a quarter of the memory, and harms no neighbour";

const CHANNELS = 64;

const wide = defineProtocol(
  "hostile-wide/1",
  Object.fromEntries(
    Array.from({ length: CHANNELS }, (_, index) => [`c${index}`, reliable({ expiry: 600_000 })]),
  ),
);

export function run(engine: EngineName): Figures {
  return withWorld(engine, { protocol: wide }, (world) => {
    const free = world.memory();
    const client = world.honestConnected("10.0.0.2:5000");
    const { peer } = world.server;
    const insiders = [1, 2].map((index) => new Insider(world, `10.0.1.${index}:1`).connected());
    client.loss = 20;
    let least = [...free];
    let sent = 0;
    // From the highest id down: each is held in front of all before it.
    for (let id = CHANNEL_ACCEPT - 1; id > 0; id -= 8) {
      for (const insider of insiders) {
        for (let channel = 0; channel < CHANNELS; channel++) {
          const messages = Array.from({ length: 8 }, (_, index) =>
            sized(channel, Math.max(id - index, 1), new Uint8Array(100)),
          );
          insider.say(
            insider.trueAck(),
            ...messages.slice(0, MESSAGES_PER_PACKET_MAX),
            Uint8Array.of(4),
          );
        }
      }
      for (const channel of [0, 63]) {
        world.server.send(peer, channel, Uint8Array.of(sent));
        client.send(channel, Uint8Array.of(sent));
      }
      sent += 1;
      world.step();
      least = least.map((count, index) => Math.min(count, world.memory()[index]));
    }
    // Half of a quarter, so that what others hold for a moment doesn't count.
    check(least[0] >= free[0] / 8, "pieces of memory are left", { least: least[0], of: free[0] });
    check(least[1] >= free[1] / 8, "messages are left", { least: least[1], of: free[1] });
    check(world.rejected(REJECT_MEMORY) > 0, "what found no memory was refused");
    const all = () =>
      [0, 63].every(
        (channel) =>
          client.told.bytes(channel).length === sent &&
          world.server.of(peer).bytes(channel).length === sent,
      );
    const tookUs = world.until("the honest neighbour has everything", all, 60 * SECOND, () => {
      for (const insider of insiders) insider.say(insider.trueAck());
    });
    const expected = Array.from({ length: sent }, (_, index) => index & 255);
    for (const channel of [0, 63]) {
      checkEqual(client.told.bytes(channel), expected, "what the honest neighbour got");
      checkEqual(world.server.of(peer).bytes(channel), expected, "what the honest neighbour said");
    }
    for (const insider of insiders) {
      checkEqual(world.server.of(insider.peer).messages.length, 0, "messages out of turn");
      world.server.close(insider.peer, 1);
    }
    client.user.close(client.user.peer, 1);
    world.run(2 * SECOND);
    checkEqual(world.memory(), free, "memory once all are gone");
    return {
      "messages held at most": free[1] - least[1],
      "messages at open": free[1],
      "neighbour done after virtual s": tookUs / SECOND,
    };
  });
}
