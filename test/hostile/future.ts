/*
 * Attack 4, forged far-future numbers: a packet that claims a number far ahead must not move the replay window unless its
 * seal opens, else the honest packets behind it were too old. An insider may jump ahead on its own connection, and harms
 * nobody but itself.
 */
import { PEER_GAPS, PEER_PACKETS_RECEIVED, REJECT_KEY } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { PACKET_TYPES, sealPacket } from "../peers/netcode.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { randomBytes } from "./stranger.js";
import { hello, last, NO_ACK, REASONS } from "./wire.js";
import { CHAT, SECOND, STATE, type World, withWorld } from "./world.js";

export const number = 4;
export const name = "future";
export const promise =
  "a forged number moves nothing; an authentic one moves its own connection alone, up to 2^53, and is a violation beyond";

const TYPES = [PACKET_TYPES.keepAlive, PACKET_TYPES.payload, PACKET_TYPES.disconnect];
const NUMBERS = [
  255n,
  256n,
  257n,
  512n,
  65_535n,
  65_536n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 257n,
  2n ** 64n - 2n,
  2n ** 64n - 1n,
];

/** Everything far ahead with a wrong key, from the honest client's own address. */
function forged(world: World, scale: number): number {
  const client = world.honestConnected("10.0.0.2:5000");
  const { peer } = world.server;
  const refused = world.rejected(REJECT_KEY);
  let count = 0;
  let messages = 0;
  for (let round = 0; round < 4 * scale; round++) {
    for (const type of TYPES) {
      for (const sequence of NUMBERS) {
        const body = randomBytes(world.random, type === PACKET_TYPES.keepAlive ? 8 : 20);
        const key = randomBytes(world.random, 32);
        const { id: protocolId } = world.protocol;
        world.post("10.0.0.2:5000", sealPacket({ type, sequence, key, protocolId, body }));
        count += 1;
      }
      client.send(CHAT, Uint8Array.of(round));
      messages += 1;
      world.step();
    }
  }
  world.run(SECOND);
  checkEqual(world.rejected(REJECT_KEY) - refused, count, "forgeries refused for their keys");
  checkEqual(world.server.of(peer).messages.length, messages, "honest messages between them");
  checkEqual(world.peerWord(peer, PEER_GAPS), 0, "gaps in the honest numbers");
  checkEqual(world.server.of(peer).end, undefined, "the end of the honest connection");
  return count;
}

/** Authentic jumps: each is taken, everything behind its window is old. */
function jumps(world: World): number {
  const insider = new Insider(world, "10.0.1.1:1").connected();
  const told = world.server.of(insider.peer);
  let id = 0;
  for (const sequence of NUMBERS.filter((one) => one > 300n && one < 2n ** 53n)) {
    insider.number = sequence;
    insider.say(insider.trueAck(), last(STATE, id++, Uint8Array.of(id)));
    world.step();
    checkEqual(told.messages.length, id, `messages taken up to number ${sequence}`);
    const before = world.peerWord(insider.peer, PEER_PACKETS_RECEIVED);
    // Once more, and from behind the window: a replay is no packet.
    for (const old of [sequence, sequence - 256n, 1n]) {
      insider.post(
        insider.seal(
          PACKET_TYPES.payload,
          Uint8Array.from([...NO_ACK, 0x80 | STATE, 99, 0, 1]),
          old,
        ),
      );
    }
    world.step();
    const after = world.peerWord(insider.peer, PEER_PACKETS_RECEIVED);
    checkEqual(after - before, 0, `packets at or behind number ${sequence} that were taken`);
  }
  return id;
}

/** Numbers that a netrt peer never gets to. */
function beyond(world: World): number {
  const past = NUMBERS.filter((one) => one >= 2n ** 53n);
  for (const [index, sequence] of past.entries()) {
    const insider = new Insider(world, `10.0.2.${index}:1`).connected();
    insider.number = sequence;
    insider.say(insider.trueAck(), hello(world.protocol), last(STATE, 0, Uint8Array.of(1)));
    world.step();
    checkEqual(insider.end?.reason, REASONS.violation, `the end after number ${sequence}`);
    const { messages } = world.server.of(insider.peer);
    checkEqual(messages.length, 0, `messages of number ${sequence}`);
  }
  return past.length;
}

export function run(engine: EngineName, scale: number): Figures {
  return withWorld(engine, { peersMax: 64 }, (world) => {
    const forgeries = forged(world, scale);
    const figures = { forgeries, "authentic jumps": jumps(world), violations: beyond(world) };
    world.run(2 * SECOND);
    const [client] = world.honest;
    check(client.connected, "the honest client is connected to the end");
    return figures;
  });
}
