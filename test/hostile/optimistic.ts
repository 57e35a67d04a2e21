/*
 * Attack 13, optimistic acks: an insider acks packets before they came, as fast as it may hope that they were sent, so that
 * the server believes in a faster path. A step too far is a violation at once; short of that it gains nothing over the
 * configured rate, though it guesses so well that it meets no number that was left out.
 */
import { PACING_BURST_PACKETS, PACKET_BYTES_MAX } from "../../lib/engine/limits.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { ack, REASONS } from "./wire.js";
import { CHAT, SECOND, STATE, type World, withWorld } from "./world.js";

export const number = 13;
export const name = "optimistic";
export const promise =
  "acks of what did not arrive draw no byte over the rate, and one ack too far ends the connection";

const RATE = 50_000;
const BURST = PACING_BURST_PACKETS * PACKET_BYTES_MAX + PACKET_BYTES_MAX;

/** Messages in every step, more than the rate lets through. */
export function pour(world: World, peer: number): void {
  for (let count = 0; count < 4; count++) {
    world.server.send(peer, CHAT, new Uint8Array(1000));
    world.server.send(peer, STATE, new Uint8Array(1000));
  }
}

/** Acks exactly what was sent, at once, without a delay; it knows because it is told here. */
function perfect(engine: EngineName, scale: number): Figures {
  return withWorld(engine, { sendRate: RATE }, (world) => {
    const greedy = new Insider(world, "10.0.1.1:1").connected();
    const before = world.trafficOf(greedy.address).bytesOut;
    const startUs = world.nowUs;
    world.run(5 * SECOND * scale, () => {
      pour(world, greedy.peer);
      greedy.say(greedy.trueAck());
    });
    const bytes = world.trafficOf(greedy.address).bytesOut - before;
    const allowed = (RATE * (world.nowUs - startUs)) / SECOND + BURST;
    check(bytes <= allowed, "the rate holds", { bytes, allowed });
    checkEqual(greedy.end, undefined, "the end of who acks what was sent");
    return { "bytes drawn": bytes, allowed };
  });
}

/** Climbs a little faster than the server sends. */
function hasty(engine: EngineName): Figures {
  return withWorld(engine, { sendRate: RATE }, (world) => {
    const greedy = new Insider(world, "10.0.1.1:1").connected();
    let guess = greedy.latest;
    let steps = 0;
    const tookUs = world.until(
      "who guesses too high is closed",
      () => greedy.end !== undefined,
      10 * SECOND,
      () => {
        pour(world, greedy.peer);
        greedy.say(ack(guess));
        steps += 1;
        guess += 1 + (steps % 2);
      },
    );
    checkEqual(greedy.end?.reason, REASONS.violation, "the end of who guesses too high");
    return { "hasty acks": steps, "closed after virtual s": tookUs / SECOND };
  });
}

export function run(engine: EngineName, scale: number): Figures {
  return { ...perfect(engine, scale), ...hasty(engine) };
}
