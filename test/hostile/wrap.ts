/*
 * Attack 11, wraps: message ids and packet numbers pass 2^16, an insider's numbers pass 2^32, the clock passes 2^32 µs
 * and starts near the end of what a number holds exactly, counters pass 2^32. Nothing is delivered twice, late or never.
 */
import { QUEUE_BYTES_DEFAULT } from "../../lib/configure.js";
import { OMIT_PACKETS_MAX, OMIT_PACKETS_MIN } from "../../lib/engine/limits.js";
import {
  HOST_BYTES_IN,
  PEER_GAPS,
  PEER_QUEUED_BYTES,
  PEER_QUEUED_MESSAGES,
  PEER_RELEASED_BYTES,
  PEER_RELEASED_MESSAGES,
  PEER_RTT_US,
  statsHostWord,
  statsPeerWord,
} from "../../lib/engine/stats.js";
import type { EngineName } from "../engines.js";
import { PACKET_TYPES } from "../peers/netcode.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import type { User } from "./user.js";
import { last, payload } from "./wire.js";
import { CHAT, SECOND, STATE, STEP_US, type World, withWorld } from "./world.js";

export const number = 11;
export const name = "wrap";
export const promise =
  "past the end of every counter (ids, numbers, clock, statistics) messages come once, in order, and all";

const IDS = 65_536;
/** Full messages, one in a packet, so that packet numbers wrap with the ids. */
const BYTES = 1100;
const PER_STEP = 200;

/** A receiver that keeps no body: it wants 0, 1, 2 … and counts. */
class Counting {
  next = 0;

  constructor(user: User) {
    user.onMessage = (_peer, { channel, body }) => {
      if (channel !== CHAT) return;
      const value = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
      checkEqual(value, this.next, "the next message");
      this.next += 1;
    };
  }
}

function numbered(value: number, bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  new DataView(body.buffer).setUint32(0, value, true);
  return body;
}

/** More messages than ids and more packets than 16 bits of numbers, from the server to a client. */
function idsAndNumbers(engine: EngineName): Figures {
  return withWorld(engine, { sendRate: 100_000_000 }, (world) => {
    const client = world.honestConnected("10.0.0.2:5000");
    const { peer } = world.server;
    const counting = new Counting(client.user);
    const answers = new Counting(world.server);
    const count = IDS + 2000;
    let sent = 0;
    const row = statsPeerWord(peer & 0xffff);
    const { page } = world.server.host;
    const queued = () => (page[row + PEER_QUEUED_BYTES] - page[row + PEER_RELEASED_BYTES]) >>> 0;
    const each = () => {
      // As a user does who heeds back-pressure.
      const room = Math.floor((QUEUE_BYTES_DEFAULT - queued()) / BYTES);
      for (let index = 0; index < Math.min(room, PER_STEP) && sent < count; index++) {
        world.server.send(peer, CHAT, numbered(sent, BYTES));
        client.send(CHAT, numbered(sent, 4));
        sent += 1;
      }
    };
    const all = () => counting.next === count && answers.next === count;
    world.until("every message arrives", all, 60 * SECOND, each);
    checkEqual(client.told.end, undefined, "the end of the connection");
    const { datagramsIn, datagramsOut } = world.trafficOf("10.0.0.2:5000");
    const gaps = world.peerWord(peer, PEER_GAPS);
    const most = datagramsIn / OMIT_PACKETS_MIN + 1;
    check(
      gaps >= Math.floor(datagramsIn / OMIT_PACKETS_MAX) && gaps <= most,
      "the numbers left out are all gaps",
      {
        gaps,
        most,
      },
    );
    check(datagramsOut > IDS, "packet numbers passed 2^16", datagramsOut);
    return { messages: 2 * count, packets: datagramsOut };
  });
}

/** An insider's own numbers across 2^16 and 2^32, and the server's acks of them. */
function insiderNumbers(world: World): number {
  const insider = new Insider(world, "10.0.1.1:1").connected();
  const told = world.server.of(insider.peer);
  let id = 0;
  for (const start of [65_530n, 2n ** 31n - 6n, 2n ** 32n - 6n, 2n ** 48n - 6n]) {
    insider.number = start;
    for (let index = 0; index < 12; index++) {
      insider.say(insider.trueAck(), last(STATE, id, Uint8Array.of(id)));
      id += 1;
      world.step();
    }
    checkEqual(told.messages.length, id, `messages under numbers around ${start + 6n}`);
    const { payloads } = insider;
    const header = payloads[payloads.length - 1];
    const acked = header.readUInt16LE(1);
    // The last one or the one before it: two packets may wait for an ack.
    const behind = Number((insider.number - 1n) & 0xffffn) - acked;
    check(
      behind >= 0 && behind <= 2,
      `the server acks the low half of ${insider.number - 1n}`,
      acked,
    );
    const replayed = insider.seal(PACKET_TYPES.payload, payload(insider.trueAck()), start);
    insider.post(replayed);
    world.step();
    checkEqual(told.end, undefined, "the end of the connection");
  }
  return id;
}

/** A session across a moment of the clock. */
function clock(engine: EngineName, startUs: number): void {
  withWorld(engine, { startUs }, (world) => {
    const client = world.honestConnected("10.0.0.2:5000");
    const { peer } = world.server;
    for (let index = 0; index < 200; index++) {
      client.send(CHAT, Uint8Array.of(index));
      world.server.send(peer, CHAT, Uint8Array.of(index));
      world.step();
    }
    world.run(SECOND);
    const sent = Array.from({ length: 200 }, (_, index) => index);
    checkEqual(world.server.of(peer).bytes(CHAT), sent, `what came around ${startUs} µs`);
    checkEqual(client.told.bytes(CHAT), sent, `what the client got around ${startUs} µs`);
    const rttUs = world.peerWord(peer, PEER_RTT_US);
    check(rttUs > 0 && rttUs <= 3 * STEP_US, `a round trip around ${startUs} µs`, rttUs);
    // Silence still ends it on time.
    world.honest.length = 0;
    world.run(6 * SECOND);
    check(world.server.of(peer).end !== undefined, `the time-out around ${startUs} µs`);
  });
}

/** Counters that stand just below 2^32: pairs carry, single words count on modulo 2^32. */
function counters(world: World): void {
  const { page } = world.server.host;
  const client = world.honestConnected("10.0.0.2:5000");
  const { peer } = world.server;
  const bytesIn = statsHostWord(HOST_BYTES_IN);
  page[bytesIn] = 2 ** 32 - 10;
  const row = statsPeerWord(peer & 0xffff);
  for (const word of [PEER_QUEUED_BYTES, PEER_RELEASED_BYTES]) page[row + word] = 2 ** 32 - 100;
  for (const word of [PEER_QUEUED_MESSAGES, PEER_RELEASED_MESSAGES]) page[row + word] = 2 ** 32 - 3;
  for (let index = 0; index < 50; index++) {
    world.server.send(peer, CHAT, new Uint8Array(10).fill(index));
    client.send(CHAT, Uint8Array.of(index));
    world.step();
  }
  world.run(SECOND);
  checkEqual(
    client.told.messages.length,
    50,
    "messages that passed the wrap of the queue's counters",
  );
  checkEqual(page[bytesIn + 1], 1, "the high half of the bytes that came in");
  checkEqual(page[row + PEER_QUEUED_BYTES], 400, "the queue's bytes modulo 2^32");
  checkEqual(page[row + PEER_RELEASED_BYTES], 400, "the released bytes modulo 2^32");
  checkEqual(page[row + PEER_QUEUED_MESSAGES], 47, "the queue's messages modulo 2^32");
}

export function run(engine: EngineName): Figures {
  const starts = [2 ** 31, 2 ** 32, 2 ** 41, 2 ** 52].map((moment) => moment - 2 * SECOND);
  for (const startUs of starts) clock(engine, startUs);
  const insiders = withWorld(engine, {}, insiderNumbers);
  withWorld(engine, {}, counters);
  return { ...idsAndNumbers(engine), "insider's numbers": insiders, clocks: starts.length };
}
