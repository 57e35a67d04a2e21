/*
 * Attack 13 as Savage, Cardwell, Wetherall and Anderson had it ("TCP Congestion Control with a Misbehaving Receiver", 1999):
 * an insider acks every number below the latest, came it or not, so that no loss ever slows the server down. The numbers
 * that the server left out are among them. It does so from the beginning, or after a while of good manners.
 */
import {
  IN_FLIGHT_MAX,
  OMIT_PACKETS_MAX,
  OMIT_PACKETS_MIN,
  OMIT_SOONER,
} from "../../lib/engine/limits.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { pour } from "./optimistic.js";
import { ack, REASONS } from "./wire.js";
import { SECOND, withWorld } from "./world.js";

export const number = 13;
export const name = "guesser";
export const promise =
  "who acks all numbers is closed within 64 packets of its beginning, and later within 512, however it guesses";

const WORLDS = 16;
/** A rate at which a step has no more than its packets, so that the bound is felt. */
const RATE = 200_000;
/** Packets of a step and of what was on its way. */
const SLACK = 16;

/** The packets that it was sent from its first guess until its end. */
function guessed(engine: EngineName, entropy: number, mannersUs: number): number {
  return withWorld(engine, { entropy, sendRate: RATE }, (world) => {
    const greedy = new Insider(world, "10.0.1.1:1").connected();
    const each = () => pour(world, greedy.peer);
    world.run(mannersUs, () => {
      each();
      greedy.say(greedy.trueAck());
    });
    checkEqual(greedy.end, undefined, "the end of who acks what came");
    const first = mannersUs === 0 ? 0 : greedy.latest;
    world.until(
      "who acks everything is closed",
      () => greedy.end !== undefined,
      30 * SECOND,
      () => {
        each();
        // As far down as it never acked honestly.
        const bytes = Math.min((greedy.latest - first) >> 3, IN_FLIGHT_MAX / 8);
        greedy.say(ack(greedy.latest, 0, Array(bytes).fill(255)));
      },
    );
    checkEqual(greedy.end?.reason, REASONS.violation, "the end of who acks everything");
    return greedy.latest - first;
  });
}

const mean = (numbers: readonly number[]) =>
  Math.round(numbers.reduce((sum, one) => sum + one, 0) / numbers.length);

export function run(engine: EngineName, scale: number): Figures {
  const seeds = Array.from({ length: WORLDS * scale }, (_, index) => index);
  const early = seeds.map((seed) => guessed(engine, seed, 0));
  const late = seeds.map((seed) => guessed(engine, seed, 2 * SECOND));
  const bounds = [OMIT_PACKETS_MAX / OMIT_SOONER, OMIT_PACKETS_MAX].map((most) => most + SLACK);
  check(Math.max(...early) <= bounds[0], "a guesser ends within its first packets", early);
  check(Math.max(...late) <= bounds[1], "a later one ends within 512 packets", late);
  return {
    "early, mean packets": mean(early),
    "early, most": Math.max(...early),
    "later, mean packets": mean(late),
    "later, most": Math.max(...late),
    "between two left out": `${OMIT_PACKETS_MIN} to ${OMIT_PACKETS_MAX}`,
  };
}
