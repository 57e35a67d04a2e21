/*
 * Attack 2, amplification: whoever has no slot never gets more bytes than it sent, at no moment and by no timer. Tried
 * are noise and forgeries of every type, good requests over and over, stolen tokens shown from a victim's address, a full
 * server that denies, and responses that fail.
 */
import { REPLIES_MAX } from "../../lib/engine/limits.js";
import { HOST_DENIED, HOST_PENDING } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { PACKET_TYPES } from "../peers/netcode.js";
import { check, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { forgedAnything, strangerWords } from "./stranger.js";
import { SECOND, type World, withWorld, wordsOf } from "./world.js";

export const number = 2;
export const name = "amplification";
export const promise =
  "an address without a slot never got more bytes than it sent, timers included";

/** Checks every address at every datagram that goes out; those with a slot are left out. */
function watch(world: World): { slots: Set<string>; worst: () => number } {
  const slots = new Set<string>();
  let worst = 0;
  world.onOut = (to) => {
    const key = to.join();
    if (slots.has(key)) return;
    const { bytesIn, bytesOut } = world.trafficOf(to);
    worst = Math.max(worst, bytesOut / Math.max(bytesIn, 1));
    check(bytesOut <= bytesIn, "bytes out are no more than bytes in", { key, bytesIn, bytesOut });
  };
  return { slots, worst: () => worst };
}

/** A good token from a victim's address, shown again and again; its owner never answers. */
function stolen(world: World, address: string): Insider {
  const thief = new Insider(world, address);
  for (let index = 0; index < 20; index++) {
    thief.post(thief.request());
    if (index % 4 === 3) world.step();
  }
  return thief;
}

function badResponses(world: World, address: string): void {
  const attacker = new Insider(world, address);
  const { body } = attacker.challenged();
  for (let index = 0; index < 40; index++) {
    const broken = Uint8Array.from(body);
    broken[index * 7] ^= 1;
    attacker.post(attacker.seal(PACKET_TYPES.response, broken));
    attacker.post(attacker.seal(PACKET_TYPES.payload, Uint8Array.of(0)));
    attacker.post(attacker.seal(PACKET_TYPES.disconnect));
  }
  world.step();
}

export function run(engine: EngineName, scale: number): Figures {
  return withWorld(engine, { peersMax: 2 }, (world) => {
    const { random } = world;
    const { slots, worst } = watch(world);
    const expire = BigInt(world.unixSeconds + 600);
    for (let index = 0; index < 4000 * scale; index++) {
      world.post(strangerWords(random), forgedAnything(random, world.protocol.id, expire));
      if (index % 500 === 0) world.step();
    }
    // More good requests in one turn than answers may wait.
    for (let index = 0; index < 2 * REPLIES_MAX; index++) {
      world.post(
        `10.2.${index >>> 8}.${index & 255}:7`,
        new Insider(world, "10.2.9.9:9").request(),
      );
    }
    // They took every pending entry; it is free again after the time-out of their tokens.
    world.run(6 * SECOND);
    stolen(world, "10.0.1.1:53");
    badResponses(world, "10.0.1.2:53");
    for (const address of ["10.0.0.2:5000", "10.0.0.3:5000"]) {
      slots.add(wordsOf(address).join());
      world.honestConnected(address);
    }
    // No slot left: every request is denied, however often it comes.
    for (let index = 0; index < 50; index++) stolen(world, `10.0.3.${index}:53`);
    check(world.hostCounter(HOST_DENIED) > 0, "a full server denies");
    check(world.hostCounter(HOST_PENDING) > 0, "good requests were challenged");
    // Nobody says a word any more, and no timer answers for them.
    const quiet = new Map([...world.traffic].map(([key, { bytesOut }]) => [key, bytesOut]));
    world.run(30 * SECOND);
    for (const [key, { bytesOut }] of world.traffic) {
      check(slots.has(key) || bytesOut === quiet.get(key), "no timer sends to strangers", key);
    }
    const strangers = [...world.traffic].filter(([key]) => !slots.has(key));
    const sum = (field: "bytesIn" | "bytesOut") =>
      strangers.reduce((total, [, traffic]) => total + traffic[field], 0);
    return {
      addresses: strangers.length,
      "bytes in": sum("bytesIn"),
      "bytes out": sum("bytesOut"),
      "worst out per in": worst().toFixed(3),
    };
  });
}
