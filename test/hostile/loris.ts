/*
 * Attack 5, slow loris: 10,000 handshakes with good tokens that go as slowly as they may: requests that never answer the
 * challenge and come again just before they are forgotten, and admitted clients that never say hello. Memory is what it
 * was at open, everything is given back, and an honest client gets in.
 */
import { HOST_PENDING, REJECT_RESOURCES } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { SECOND, withWorld } from "./world.js";

export const number = 5;
export const name = "loris";
export const promise =
  "10,000 handshakes that never end hold what was there at open, and no longer than their time-out";

const HANDSHAKES = 10_000;
const PER_STEP = 500;
/** Silence that the tokens allow. */
const TIMEOUT_SECONDS = 5;
const ROOMY = 4096;

/** Requests of 10,000 addresses, repeated while their pending entry lives. */
function pendings(engine: EngineName): Figures {
  return withWorld(engine, { peersMax: ROOMY }, (world) => {
    const free = world.memory();
    const requests = Array.from({ length: HANDSHAKES }, (_, index) => {
      const address = `10.${1 + (index >>> 14)}.${(index >>> 8) & 63}.${index & 255}:7`;
      const loris = new Insider(world, address);
      return { address, request: loris.request() };
    });
    const flood = () => {
      for (let start = 0; start < HANDSHAKES; start += PER_STEP) {
        for (const { address, request } of requests.slice(start, start + PER_STEP)) {
          world.post(address, request);
        }
        world.step();
      }
    };
    flood();
    const [, , , held, slots] = world.memory();
    checkEqual(held, 0, "pending entries left");
    checkEqual(slots, free[4], "slots left: none is taken before a response");
    checkEqual(world.hostCounter(HOST_PENDING), ROOMY, "handshakes that found an entry");
    checkEqual(world.rejected(REJECT_RESOURCES), HANDSHAKES - ROOMY, "handshakes without an entry");
    const client = world.honestClient("10.0.0.2:5000");
    // Silence frees every entry at its time-out, and the honest client's next request finds one.
    const tookUs = world.until(
      "an honest client connects",
      () => client.connected,
      (TIMEOUT_SECONDS + 1) * SECOND,
    );
    world.run(SECOND);
    const after = world.memory();
    checkEqual([after[3], after[4]], [free[3], free[4] - 1], "free entries and slots afterwards");
    return {
      handshakes: HANDSHAKES,
      "entries held": ROOMY,
      "honest after virtual s": tookUs / SECOND,
    };
  });
}

/** Admitted, and not a word of netrt; alive as far as NETCODE can tell. */
function silent(engine: EngineName): Figures {
  return withWorld(engine, { peersMax: 8 }, (world) => {
    const free = world.memory();
    for (let index = 0; index < 8; index++) new Insider(world, `10.0.1.${index}:7`).admitted();
    checkEqual(world.memory()[4], 0, "free slots");
    world.run((TIMEOUT_SECONDS + 2) * SECOND);
    checkEqual(world.memory(), free, "memory after the time-out of silent clients");
    checkEqual(world.server.peers.length, 0, "peers that the user was told of");
    const client = world.honestClient("10.0.0.2:5000");
    const tookUs = world.until("an honest client connects", () => client.connected, SECOND);
    check(world.hostCounter(HOST_PENDING) >= 9, "every one of them was challenged");
    return { "silent slots": 8, "then an honest client after virtual s": tookUs / SECOND };
  });
}

export function run(engine: EngineName): Figures {
  return { ...pendings(engine), ...silent(engine) };
}
