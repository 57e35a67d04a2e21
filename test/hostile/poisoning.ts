/*
 * Attack 14, RTT poisoning: an insider acks late and says that it acked at once, or at once and says that it waited, or
 * both in turns. What it spoils is its own connection: the estimate stays in bounds, the rate holds whatever time-outs
 * follow, and a neighbour's round trips don't change.
 */
import { PACING_BURST_PACKETS, PACKET_BYTES_MAX } from "../../lib/engine/limits.js";
import { CHANNEL_RESENT, PEER_RTT_MINIMUM_US, PEER_RTT_US } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { ack, PING } from "./wire.js";
import { CHAT, SECOND, withWorld } from "./world.js";

export const number = 14;
export const name = "poisoning";
export const promise =
  "lies about ack delays bend the liar's estimate alone, within its bounds, and send no byte over the rate";

/** RTT_SAMPLE_MAX_US of the limits: no sample is believed beyond. */
const RTT_BOUND_US = 60 * SECOND;
const RATE = 100_000;
const BURST = PACING_BURST_PACKETS * PACKET_BYTES_MAX + PACKET_BYTES_MAX;
const UNKNOWN = 65_535;

/** Steps that an ack is held back, and the delay that is claimed, as functions of the step. */
const LIES: readonly (readonly [string, (step: number) => number, (step: number) => number])[] = [
  ["acks at once, claims half a second", () => 0, () => UNKNOWN - 1],
  ["acks at once, claims not to know", () => 0, () => UNKNOWN],
  ["acks at once, claims one unit", () => 0, () => 1],
  ["acks after a second, claims none", () => 100, () => 0],
  ["acks after 4 s, claims half a second", () => 400, () => UNKNOWN - 1],
  ["acks now and then", (step) => (step % 7) * 20, (step) => (step * 7919) % 65_536],
];

export function run(engine: EngineName, scale: number): Figures {
  let worstUs = 0;
  let leastUs = RTT_BOUND_US;
  let resent = 0;
  for (const [what, hold, delay] of LIES) {
    withWorld(engine, { sendRate: RATE }, (world) => {
      const client = world.honestConnected("10.0.0.2:5000");
      const { peer } = world.server;
      const liar = new Insider(world, "10.0.1.1:1").connected();
      const rttBefore = world.peerWord(peer, PEER_RTT_US);
      const bytesBefore = world.trafficOf("10.0.1.1:1").bytesOut;
      const startUs = world.nowUs;
      let sent = 0;
      let step = 0;
      const history: number[] = [];
      world.run(5 * SECOND * scale, () => {
        step += 1;
        for (let count = 0; count < 2; count++) {
          world.server.send(liar.peer, CHAT, new Uint8Array(300));
        }
        world.server.send(peer, CHAT, Uint8Array.of(sent));
        sent += 1;
        // It tells of a number so many steps after that came, and of all before it.
        history.push(liar.latest);
        const latest = history[Math.max(history.length - 1 - hold(step), 0)];
        const bits = Array(32)
          .fill(255)
          .slice(0, Math.min(latest >> 3, 32));
        liar.say(ack(latest, delay(step), bits), PING);
      });
      const spentUs = world.nowUs - startUs;
      const bytes = world.trafficOf("10.0.1.1:1").bytesOut - bytesBefore;
      const allowed = (RATE * spentUs) / SECOND + BURST;
      check(bytes <= allowed, `the rate holds toward who ${what}`, { bytes, allowed });
      const rttUs = world.peerWord(liar.peer, PEER_RTT_US);
      check(rttUs <= RTT_BOUND_US, `the estimate is in bounds for who ${what}`, rttUs);
      const minimumUs = world.peerWord(liar.peer, PEER_RTT_MINIMUM_US);
      check(minimumUs >= 1 || rttUs === 0, `the minimum is above 0 for who ${what}`, minimumUs);
      world.run(SECOND);
      checkEqual(client.told.messages.length, sent, `what the neighbour of who ${what} got`);
      const rttAfter = world.peerWord(peer, PEER_RTT_US);
      const moved = Math.abs(rttAfter - rttBefore) / rttBefore;
      check(moved < 0.1, `a neighbour's round trip moves less than 10 % beside who ${what}`, {
        rttBefore,
        rttAfter,
      });
      worstUs = Math.max(worstUs, rttUs);
      leastUs = Math.min(leastUs, rttUs);
      resent += world.channelCounter(CHAT, CHANNEL_RESENT);
    });
  }
  return { lies: LIES.length, "greatest RTT us": worstUs, "least RTT us": leastUs, resent };
}
