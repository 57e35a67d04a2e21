/*
 * Attack 7, fragment hoarding (Rose; FragmentSmack): the beginnings of the longest messages, whose rest never comes, on each
 * kind of channel, in turn and far before their turn. The core leaves a quarter of its memory to others; what puts
 * messages together takes 8 of a sequenced channel and 1 of an ordered one; all of it goes with the peer.
 */
import { Assemblies } from "../../lib/assembly.js";
import { FRAGMENTED_BYTES_MAX } from "../../lib/engine/limits.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { fragment } from "./wire.js";
import { CHAT, longArena, SECOND, SHOTS, STATE, withWorld } from "./world.js";

export const number = 7;
export const name = "hoarding";
export const promise =
  "messages whose rest never comes hold 8 of the longest on a sequenced channel, 1 on an ordered one, and nothing once the peer is gone";

const TOTAL = FRAGMENTED_BYTES_MAX;
/** Ids of one message of that length: 64 pieces. */
const IDS = 64;
const PIECE = new Uint8Array(1024);
const MESSAGES = 400;
const SEQUENCED_MAX = 8;
const TIMEOUT_S = 10;

export function run(engine: EngineName, scale: number): Figures {
  return withWorld(engine, { protocol: longArena }, (world) => {
    const client = world.honestConnected("10.0.0.2:5000");
    const { peer } = world.server;
    world.run(SECOND);
    const free = world.memory();
    const hoarder = new Insider(world, "10.0.1.1:1", world.token({ timeoutSeconds: TIMEOUT_S }));
    hoarder.connected();
    // What lib/server does with an engine's pieces.
    const policies = longArena.channelNames.map((_, index) => ({
      order: index === STATE ? ("sequenced" as const) : ("ordered" as const),
    }));
    const assemblies = new Assemblies(policies);
    let pieces = 0;
    let mostBytes = 0;
    world.server.onFragment = (its, channel, part) => {
      if (its !== hoarder.peer) return;
      pieces += 1;
      check(assemblies.channel(channel).message(part, 1200) === null, "no message is whole");
      mostBytes = Math.max(mostBytes, assemblies.bytes);
    };
    let least = free[0];
    let sent = 0;
    const each = (index: number) => {
      // A sequenced one begins a message after the other; ordered ones begin them out of turn.
      hoarder.say(hoarder.trueAck(), fragment(STATE, index * IDS, 0, TOTAL, PIECE));
      const ahead = 1 + (index % 500);
      hoarder.say(hoarder.trueAck(), fragment(CHAT, ahead, 0, TOTAL, PIECE));
      hoarder.say(hoarder.trueAck(), fragment(SHOTS, ahead, 0, TOTAL, PIECE));
      client.send(CHAT, Uint8Array.of(sent));
      sent += 1;
      world.step();
      least = Math.min(least, world.memory()[0]);
    };
    for (let index = 0; index < MESSAGES * scale; index++) each(index);
    checkEqual(hoarder.end, undefined, "the end of who begins messages");
    check(pieces > MESSAGES / 2, "pieces came through", pieces);
    const bound = (SEQUENCED_MAX + 2) * TOTAL;
    check(mostBytes <= bound, "unfinished messages are bounded", { mostBytes, bound });
    check(mostBytes > TOTAL, "and were there", mostBytes);
    check(least >= free[0] / 8, "pieces of memory are left", { least, of: free[0] });
    world.run((TIMEOUT_S + 3) * SECOND);
    checkEqual(hoarder.end?.reason, 3, "the end of who fell silent");
    const expected = Array.from({ length: sent }, (_, index) => index & 255);
    checkEqual(world.server.of(peer).bytes(CHAT), expected, "what the honest neighbour said");
    checkEqual(world.memory(), free, "memory once it is gone");
    return {
      "pieces taken": pieces,
      "assembly bytes, most": mostBytes,
      "chunks held": free[0] - least,
    };
  });
}
