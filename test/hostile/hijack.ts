/*
 * Attack 19, address hijack: whoever forges a source address, or carries a peer's packets to the server from its own,
 * must not draw the connection there. A connection moves only to who proves to read at an address, so what an
 * attacker carries draws refusals, and where it carries the client's own question a proof that it can't give: no more
 * bytes than it brought. Nothing else goes there, and the client itself finds its server again.
 */
import { PATH_PACKET_BYTES } from "../../lib/engine/limits.js";
import {
  PEER_MOVES,
  PEER_PACKETS_RECEIVED,
  REJECT_ADDRESS,
  REJECT_REPLAY,
} from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { MOVING_PREFIX } from "../tap.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { hello, last, NO_ACK } from "./wire.js";
import { CHAT, type Honest, SECOND, STATE, type World, withWorld, wordsOf } from "./world.js";

export const number = 19;
export const name = "hijack";
export const promise =
  "a connection moves to who proves to read at an address: what others bring draws no more than it was";

const VICTIM = "10.0.0.2:5000";
/** Where the victim is in the end. */
const MOVED = "10.0.0.2:6000";
/** The same host behind another port, as after a rebinding; another host; and one with keys of its own. */
const THIEVES = ["10.0.0.2:5001", "10.0.0.66:5000"];
const INSIDER = "10.0.0.77:7";
/** Questions of the victim that thieves bring first: a fourth would come near its time-out. */
const STOLEN = 3;

/** What the victim sends now, kept from the server. */
function steal(world: World, client: Honest): Uint8Array[] {
  const stolen: Uint8Array[] = [];
  world.onIn = ({ bytes }) => {
    stolen.push(bytes);
    return "kept";
  };
  client.turn();
  world.onIn = undefined;
  return stolen;
}

/** Every packet of the victim comes from the thieves first, still unseen; then from itself. */
function carry(world: World, client: Honest, insider: Insider, count: number): number {
  let carried = 0;
  for (let round = 0; round < count; round++) {
    client.send(CHAT, Uint8Array.of(round));
    world.server.send(world.server.peers[0], CHAT, Uint8Array.of(round));
    const thief = THIEVES[round % THIEVES.length];
    for (const bytes of steal(world, client)) {
      world.post(thief, bytes);
      world.post(INSIDER, bytes);
      world.post(VICTIM, bytes);
      carried += 2;
    }
    // The insider seals with its own keys and says that it is the victim.
    const lie = Buffer.concat([NO_ACK, last(STATE, round, Uint8Array.of(66))]);
    world.post(VICTIM, insider.seal(5, lie));
    world.step();
  }
  return carried;
}

/**
 * An outage: the victim asks whether it is seen, and that comes from the thieves first, again and again, with path ids
 * that they made up; then they fall back behind it. Answers how many questions they stole.
 */
function race(world: World, client: Honest): number {
  let asked = 0;
  const forged = new Uint8Array(60);
  client.rebind(MOVED);
  const moved = () => world.server.of(world.server.peers[0]).moves.length > 0;
  world.until("the victim finds its server again", moved, 20 * SECOND, () => {
    for (const bytes of steal(world, client)) {
      const question = bytes[0] === MOVING_PREFIX;
      asked += question ? 1 : 0;
      // The first three of them it loses.
      const thief = THIEVES[asked % THIEVES.length];
      const from = asked <= STOLEN ? [thief, thief, MOVED] : [MOVED, thief];
      for (const address of question ? from : [thief, MOVED]) world.post(address, bytes);
    }
    for (let at = 0; at < forged.length; at++) forged[at] = world.random.below(256);
    forged[0] = MOVING_PREFIX;
    world.post(THIEVES[0], forged);
  });
  return asked;
}

export function run(engine: EngineName, scale: number): Figures {
  return withWorld(engine, {}, (world) => {
    const client = world.honestConnected(VICTIM);
    const { peer } = world.server;
    const insider = new Insider(world, INSIDER).connected();
    const count = 100 * scale;
    const carried = carry(world, client, insider, count);
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
    const own = world.server.peers[1];
    checkEqual(world.server.of(own).bytes(STATE), [1], "what the insider says for itself");

    const replays = world.rejected(REJECT_REPLAY);
    const asked = race(world, client);
    const drawn = THIEVES.map((thief) => world.trafficOf(thief));
    for (const { bytesIn, bytesOut, datagramsOut } of drawn) {
      check(bytesOut <= bytesIn, "a thief gets no more bytes than it brought");
      checkEqual(bytesOut, datagramsOut * PATH_PACKET_BYTES, "what a thief gets but challenges");
    }
    const challenges = drawn.reduce((sum, { datagramsOut }) => sum + datagramsOut, 0);
    checkEqual(challenges, STOLEN, "challenges to thieves, one for each question that they stole");
    check(world.rejected(REJECT_REPLAY) > replays, "what came again was refused");
    checkEqual(world.server.of(peer).moves, [wordsOf(MOVED).join()], "where the victim is");
    checkEqual(world.peerWord(peer, PEER_MOVES), 1, "how often it moved");
    client.send(CHAT, Uint8Array.of(200));
    world.server.send(peer, CHAT, Uint8Array.of(201));
    world.run(2 * SECOND);
    checkEqual(world.server.of(peer).bytes(CHAT), [...sent, 200], "what the server got then");
    checkEqual(client.told.bytes(CHAT), [...sent, 201], "what the victim got then");
    return {
      "carried packets": carried,
      refused: world.rejected(REJECT_ADDRESS),
      questions: asked,
    };
  });
}
