/*
 * Attack 12, acks of what was never sent: in the latest number and in the bitfield, near and far. Each is a violation
 * and acks nothing.
 */
import { CHANNEL_ACKED, REJECT_ACK_UNSENT } from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { ack, last, REASONS } from "./wire.js";
import { CHAT, SECOND, STATE, type World, withWorld } from "./world.js";

export const number = 12;
export const name = "unsent";
export const promise = "an ack of a packet that was never sent is a violation, and acks nothing";

const DROPPED = 5;

/** What is wrong, as the ack header of an insider to whom `next` would come next. */
type Lie = readonly [what: string, header: (next: number) => Uint8Array];

const LIES: readonly Lie[] = [
  ["the next number", (next) => ack(next)],
  ["the one after", (next) => ack(next + 1)],
  ["a window ahead", (next) => ack(next + 256)],
  ["as far ahead as 16 bits reach", (next) => ack(next + 32_767)],
  ["all of the last 256, from the next on", (next) => ack(next, 0, Array(32).fill(255))],
  ["a number below 0", (next) => ack(next - 1, 0, [...Array(31).fill(0), 128])],
  ["the number just below 0", (next) => below(next)],
  ["half the numbers back", (next) => ack(next - 32_768)],
];

/** A true latest, and in the bitfield the one number before the first. */
function below(next: number): Uint8Array {
  const latest = next - 1;
  const bits = Array(32).fill(0);
  bits[latest >>> 3] |= 1 << (latest & 7);
  return ack(latest, 0, bits.slice(0, (latest >>> 3) + 1));
}

function lie(world: World, index: number, [what, header]: Lie): void {
  const insider = new Insider(world, `10.0.1.${index}:1`).connected();
  const refused = world.rejected(REJECT_ACK_UNSENT);
  // Something in flight that such an ack would claim.
  world.server.send(insider.peer, CHAT, Uint8Array.of(1), 77);
  world.step();
  const acked = world.channelCounter(CHAT, CHANNEL_ACKED);
  insider.say(header(insider.latest + 1), last(STATE, 0, Uint8Array.of(9)));
  world.step();
  const { end, fates, messages } = world.server.of(insider.peer);
  checkEqual(end?.reason, REASONS.violation, `the end after an ack of ${what}`);
  checkEqual(messages.length, 0, `messages that came with an ack of ${what}`);
  checkEqual(world.channelCounter(CHAT, CHANNEL_ACKED) - acked, 0, `what an ack of ${what} acked`);
  checkEqual(
    fates,
    [{ channel: CHAT, tag: 77, fate: DROPPED }],
    `the fate after an ack of ${what}`,
  );
  checkEqual(world.rejected(REJECT_ACK_UNSENT) - refused, 1, `refusals of an ack of ${what}`);
}

export function run(engine: EngineName): Figures {
  return withWorld(engine, { peersMax: 64 }, (world) => {
    const client = world.honestConnected("10.0.0.2:5000");
    const { peer } = world.server;
    for (const [index, one] of LIES.entries()) lie(world, index, one);
    client.send(CHAT, Uint8Array.of(1));
    world.run(SECOND);
    checkEqual(world.server.of(peer).bytes(CHAT), [1], "what the honest neighbour sent");
    return { lies: LIES.length, violations: world.rejected(REJECT_ACK_UNSENT) };
  });
}
