/*
 * Attack 18, forged disconnects: nobody but the two ends can end a connection. Tried are unsealed goodbyes under every
 * number, another peer's authentic goodbyes sent from the victim's address, recorded goodbyes of the victim's last
 * session, requests that would replace it, and the same toward the client.
 */
import { HOST_DISCONNECTED } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { PACKET_TYPES } from "../peers/netcode.js";
import { checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { forgedPacket, forgedRequest } from "./stranger.js";
import { close, NO_ACK, payload, REASONS } from "./wire.js";
import { CHAT, SECOND, type World, withWorld } from "./world.js";

export const number = 18;
export const name = "disconnect";
export const promise = "no goodbye ends a connection but its own peer's, sealed and new";

const VICTIM = "10.0.0.2:5000";

/** A session that was, with its goodbyes, as it went by. */
function recordedSession(world: World): Uint8Array[] {
  const recorded: Uint8Array[] = [];
  world.onIn = ({ bytes }) => {
    recorded.push(bytes.slice());
    return undefined;
  };
  const former = world.honestConnected(VICTIM);
  former.user.close(former.user.peer, REASONS.closed);
  world.run(SECOND);
  world.onIn = undefined;
  world.honest.length = 0;
  return recorded;
}

export function run(engine: EngineName, scale: number): Figures {
  return withWorld(engine, {}, (world) => {
    const { random } = world;
    const former = recordedSession(world);
    const client = world.honestConnected(VICTIM);
    const { peer } = world.server;
    const attacker = new Insider(world, "10.0.0.3:1").connected();
    const ended = world.hostCounter(HOST_DISCONNECTED);
    let forgeries = 0;
    const say = (bytes: Uint8Array) => {
      forgeries += 1;
      world.post(VICTIM, bytes);
      client.take(Uint8Array.from(bytes));
    };
    for (let round = 0; round < 32 * scale; round++) {
      for (let bytes = 1; bytes <= 8; bytes++) {
        say(forgedPacket(random, PACKET_TYPES.disconnect, bytes, 1 + bytes + 16));
        say(forgedPacket(random, PACKET_TYPES.denied, bytes, 1 + bytes + 16));
      }
      const expire = BigInt(world.unixSeconds + 60);
      say(forgedRequest(random, world.protocol.id, expire));
      say(attacker.seal(PACKET_TYPES.disconnect, undefined, BigInt(round)));
      say(attacker.seal(PACKET_TYPES.disconnect, undefined, 2n ** 40n + BigInt(round)));
      const closing = payload(NO_ACK, close(REASONS.violation, "bye"));
      say(attacker.seal(PACKET_TYPES.payload, closing, 2n ** 41n + BigInt(round)));
      for (const bytes of former) say(bytes);
      client.send(CHAT, Uint8Array.of(round));
      world.server.send(peer, CHAT, Uint8Array.of(round));
      world.step();
    }
    world.run(SECOND);
    checkEqual(world.hostCounter(HOST_DISCONNECTED), ended, "ended connections");
    checkEqual(world.server.of(peer).end, undefined, "the end that the server's user was told");
    checkEqual(client.told.end, undefined, "the end that the client's user was told");
    const sent = Array.from({ length: 32 * scale }, (_, round) => round & 255);
    checkEqual(world.server.of(peer).bytes(CHAT), sent, "what the server got");
    checkEqual(client.told.bytes(CHAT), sent, "what the client got");
    // Its own goodbye does end it, so what was refused was refused for a reason.
    attacker.post(attacker.seal(PACKET_TYPES.disconnect));
    world.step();
    checkEqual(attacker.end?.reason, REASONS.disconnected, "the end of who said goodbye itself");
    return { forgeries, "of another session": former.length };
  });
}
