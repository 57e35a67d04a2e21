/*
 * Attack 1, spoofed connect flood: forged requests from addresses that don't exist, faster than a turn can take them.
 * In virtual time half of everything is lost to the flood, the honest client's packets too; the work of a turn is
 * counted in datagrams. On real sockets a thread floods while a client connects.
 */
import { DATAGRAMS_PER_TURN_MAX } from "../../lib/engine/limits.js";
import {
  HOST_BYTES_OUT,
  HOST_DATAGRAMS_IN,
  HOST_PENDING,
  REJECT_TOKEN,
} from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { realFlood } from "./sockets.js";
import { forgedRequest, strangerWords } from "./stranger.js";
import { MS, SECOND, withWorld } from "./world.js";

export const number = 1;
export const name = "flood";
export const promise =
  "an honest client connects within 3 s, a turn takes 1,024 datagrams at most, strangers cost no state and get no byte";

/** Requests kept ready: making one is dearer than refusing it. */
const FORGED = 512;
const CONNECT_LIMIT_US = 3 * SECOND;

function virtualFlood(engine: EngineName, scale: number): Figures {
  // The buffer is full before every turn, and what finds no room is lost.
  const options = { bufferDatagrams: DATAGRAMS_PER_TURN_MAX };
  return withWorld(engine, options, (world) => {
    const { random } = world;
    const expire = BigInt(world.unixSeconds + 60);
    const forged = Array.from({ length: FORGED }, () =>
      forgedRequest(random, world.protocol.id, expire),
    );
    const before = world.memory();
    let sent = 0;
    const flood = (count: number) => {
      for (let index = 0; index < count; index++) {
        world.post(strangerWords(random), forged[random.below(FORGED)]);
      }
      sent += count;
    };
    // Alone with the flood: nothing is kept, nothing is answered.
    for (let turn = 0; turn < 4 * scale; turn++) {
      flood(DATAGRAMS_PER_TURN_MAX + 512);
      world.step();
    }
    checkEqual(world.memory(), before, "memory under the flood alone");
    checkEqual(world.hostCounter(HOST_BYTES_OUT), 0, "bytes sent to strangers");
    const client = world.honestClient("10.0.0.2:5000");
    // Whether the honest packet comes before or behind the flood is chance, as in a full buffer.
    const tookUs = world.until(
      "the honest client connects under the flood",
      () => client.connected && world.server.peers.length === 1,
      CONNECT_LIMIT_US,
      () => {
        flood(random.chance(50) ? DATAGRAMS_PER_TURN_MAX - 8 : DATAGRAMS_PER_TURN_MAX + 512);
      },
    );
    check(world.overflowed > 0, "the flood is more than the buffer holds");
    check(
      world.datagramsPerTurnMost <= DATAGRAMS_PER_TURN_MAX,
      "a turn takes 1,024 datagrams at most",
      world.datagramsPerTurnMost,
    );
    checkEqual(world.hostCounter(HOST_PENDING) >= 1, true, "the honest client was challenged");
    const [, , , pending, slots] = world.memory();
    checkEqual([pending, slots], [before[3], before[4] - 1], "free pending entries and slots");
    const refused = world.rejected(REJECT_TOKEN);
    check(refused > 1000 && refused < sent, "forged requests were refused by their seal", refused);
    for (const [key, { bytesOut }] of world.traffic) {
      const known = [...world.recipients.keys()].includes(key);
      check(known || bytesOut === 0, "a forged request gets no byte", { key, bytesOut });
    }
    return {
      forged: sent,
      "forged that came in": world.hostCounter(HOST_DATAGRAMS_IN),
      "most per turn": world.datagramsPerTurnMost,
      "connected after virtual ms": Math.round(tookUs / MS),
    };
  });
}

export async function run(engine: EngineName, scale: number): Promise<Figures> {
  return { ...virtualFlood(engine, scale), ...(await realFlood(engine, scale)) };
}
