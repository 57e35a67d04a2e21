/*
 * Attack 19, address hijack: whoever forges a source address, or carries a peer's packets to the server from its own,
 * must not draw the connection there. Connections don't move at all yet, so nothing may change: what an attacker carries
 * is refused, and every byte goes on to the peer's own address.
 */
import { PEER_PACKETS_RECEIVED, REJECT_ADDRESS } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { hello, last, NO_ACK } from "./wire.js";
import { CHAT, SECOND, STATE, withWorld } from "./world.js";

export const number = 19;
export const name = "hijack";
export const promise =
  "a connection stays at its address: what comes from another is refused, and nothing goes there";

const VICTIM = "10.0.0.2:5000";
/** The same host behind another port, as after a rebinding; another host; and one with keys of its own. */
const THIEVES = ["10.0.0.2:5001", "10.0.0.66:5000"];
const INSIDER = "10.0.0.77:7";

export function run(engine: EngineName, scale: number): Figures {
  return withWorld(engine, {}, (world) => {
    const client = world.honestConnected(VICTIM);
    const { peer } = world.server;
    const insider = new Insider(world, INSIDER).connected();
    const stolen: Uint8Array[] = [];
    let carried = 0;
    // Every packet of the victim comes from the thieves first, still unseen; then from itself.
    const count = 100 * scale;
    for (let round = 0; round < count; round++) {
      client.send(CHAT, Uint8Array.of(round));
      world.server.send(peer, CHAT, Uint8Array.of(round));
      world.onIn = ({ bytes }) => {
        stolen.push(bytes);
        return "kept";
      };
      client.turn();
      world.onIn = undefined;
      const thief = THIEVES[round % THIEVES.length];
      for (const bytes of stolen.splice(0)) {
        world.post(thief, bytes);
        world.post(INSIDER, bytes);
        world.post(VICTIM, bytes);
        carried += 2;
      }
      // The insider seals with its own keys and says that it is the victim.
      world.post(
        VICTIM,
        insider.seal(5, Buffer.concat([NO_ACK, last(STATE, round, Uint8Array.of(66))])),
      );
      world.step();
    }
    world.run(SECOND);
    const sent = Array.from({ length: count }, (_, round) => round & 255);
    checkEqual(world.server.of(peer).bytes(CHAT), sent, "what the server got of the victim");
    checkEqual(client.told.bytes(CHAT), sent, "what the victim got");
    checkEqual(world.server.of(peer).bytes(STATE), [], "what was said in the victim's name");
    for (const thief of THIEVES) {
      checkEqual(world.trafficOf(thief).datagramsOut, 0, `datagrams that went to ${thief}`);
    }
    check(world.rejected(REJECT_ADDRESS) > 0, "what came from elsewhere was refused");
    check(world.peerWord(peer, PEER_PACKETS_RECEIVED) > 0, "the victim's own packets were taken");
    checkEqual(insider.unopened, 0, "packets for the victim that the insider got");
    insider.say(insider.trueAck(), hello(world.protocol), last(STATE, 0, Uint8Array.of(1)));
    world.step();
    checkEqual(world.server.of(insider.peer).bytes(STATE), [1], "what the insider says for itself");
    return { "carried packets": carried, refused: world.rejected(REJECT_ADDRESS) };
  });
}
