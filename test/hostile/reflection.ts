/*
 * Attack 20, reflection loops: whatever a host sends is carried to another host, to a host of its own kind, and to itself,
 * as if those had sent it. Nothing is answered more than once: two packets, then silence.
 */
import type { EngineName } from "../engines.js";
import { PACKET_TYPES } from "../peers/netcode.js";
import { check, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { close, NO_ACK, REASONS } from "./wire.js";
import { SECOND, SERVER, World, wordsOf } from "./world.js";

export const number = 20;
export const name = "reflection";
export const promise =
  "no packet of a host makes another host answer in a loop: two packets, then silence";

/** Where both servers are, as the other sees it. */
const OTHER = "10.0.0.9:4000";

/** Two servers of one key and one protocol, of which each gets what the other sends to `OTHER`. */
class Mirror {
  readonly worlds: readonly [World, World];
  carried = 0;

  constructor(engine: EngineName, entropies: readonly [number, number]) {
    const [left, right] = entropies.map((entropy) => new World(engine, { entropy }));
    this.worlds = [left, right];
    for (const [index, world] of this.worlds.entries()) {
      const peer = this.worlds[1 - index];
      world.join({
        address: OTHER,
        take: (bytes) => {
          this.carried += 1;
          peer.post(OTHER, bytes);
        },
      });
    }
  }

  /** How many packets go back and forth until both are silent. */
  settle(what: string): number {
    const before = this.carried;
    const quietFrom = 2 * SECOND;
    let atQuiet = 0;
    for (const [left, right] = this.worlds; left.nowUs < this.#endUs; ) {
      left.step();
      right.step();
      if (left.nowUs <= this.#endUs - quietFrom) atQuiet = this.carried;
    }
    this.#endUs += LOOK_US;
    check(this.carried - before <= 2, `at most two packets after ${what}`, this.carried - before);
    check(this.carried === atQuiet, `silence after ${what}`, this.carried - atQuiet);
    return this.carried - before;
  }

  #endUs = SECOND + LOOK_US;

  end(): void {
    for (const world of this.worlds) world.close();
  }
}

/** How long each case is watched: beyond every timer of a handshake. */
const LOOK_US = 8 * SECOND;

function servers(engine: EngineName): number {
  const mirror = new Mirror(engine, [5, 6]);
  try {
    const [world] = mirror.worlds;
    let carried = 0;
    // A good request in the other server's name; then responses and denials in its name.
    const thief = new Insider(world, "10.0.1.1:1");
    world.post(OTHER, thief.request());
    carried += mirror.settle("a request in another server's name");
    world.post(OTHER, thief.request());
    carried += mirror.settle("the same request again");
    for (const type of Object.values(PACKET_TYPES)) {
      world.post(OTHER, thief.seal(type, new Uint8Array(8)));
      carried += mirror.settle(`a packet of type ${type} in another server's name`);
    }
    return carried;
  } finally {
    mirror.end();
  }
}

/** Everything that a server ever sends, to itself and back at it from whom it was for. */
function itself(engine: EngineName): number {
  const world = new World(engine, {});
  try {
    let reflected = 0;
    const said: { to: Uint32Array; bytes: Uint8Array }[] = [];
    world.onOut = (to, bytes) => said.push({ to, bytes: bytes.slice() });
    const insider = new Insider(world, "10.0.1.1:1").connected();
    insider.say(insider.trueAck(), close(REASONS.closed));
    world.run(2 * SECOND);
    const stranger = new Insider(world, "10.0.1.2:1");
    stranger.challenged();
    world.run(6 * SECOND);
    for (const { to, bytes } of said.splice(0)) {
      for (const from of [to, wordsOf(SERVER)]) {
        world.post(from, bytes);
        reflected += 1;
      }
    }
    world.run(8 * SECOND);
    check(said.length === 0, "a host answers nothing of its own", said.length);
    return reflected;
  } finally {
    world.close();
  }
}

/** Two ends that both say goodbye, and whose goodbyes cross: answers are not answered. */
function goodbyes(engine: EngineName): number {
  const world = new World(engine, {});
  try {
    const insider = new Insider(world, "10.0.1.1:1").connected();
    const before = insider.datagrams;
    // Every answer is answered with a goodbye, by a peer that never stops.
    let answered = 0;
    insider.say(NO_ACK, close(REASONS.closed));
    world.run(5 * SECOND, () => {
      for (; answered < insider.datagrams - before; answered++) {
        insider.post(insider.seal(PACKET_TYPES.disconnect));
      }
    });
    check(answered <= 2, "a goodbye's answer, answered, ends it: two packets at most", answered);
    return answered;
  } finally {
    world.close();
  }
}

export function run(engine: EngineName): Figures {
  return {
    "between two servers": servers(engine),
    "of its own, reflected": itself(engine),
    "goodbyes answered": goodbyes(engine),
  };
}
