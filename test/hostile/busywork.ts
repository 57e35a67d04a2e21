/*
 * Attack 16, useless work: an insider's packets that mean nothing, as many as it can send: bare acks, pings, empty and old
 * messages, skips to where things are, hellos again, nacks of everything. They draw no more bytes than they are, hold no
 * memory, and cost about what a useful packet costs.
 */
import { DATAGRAMS_PER_TURN_MAX } from "../../lib/engine/limits.js";
import type { EngineName } from "../engines.js";
import { check, checkEqual, type Figures } from "./attack.js";
import { Insider } from "./insider.js";
import { hello, last, NO_ACK, nack, PING, sized, skip } from "./wire.js";
import { CHAT, SECOND, STATE, type World, withWorld } from "./world.js";

export const number = 16;
export const name = "busywork";
export const promise =
  "packets that mean nothing draw fewer bytes than they are, hold no memory, and cost a bounded multiple of a useful one";

const PACKETS = 900;
const PER_TURN = 30;
/** A worst packet costs so many useful ones at most: a turn of 1,024 stays within a few milliseconds. */
const COST_MOST = 40;
/** Turns of each kind, of which the quickest counts: the machine may be loaded. */
const REPEATS = 5;
/** Packets that are measured, as a part of a full turn. */
const MEASURED = DATAGRAMS_PER_TURN_MAX / 4;
const _PAYLOAD = 1200;

type Kind = readonly [
  what: string,
  parts: (insider: Insider, world: World) => readonly Uint8Array[],
];

const emptyMessages = Array.from({ length: 63 }, (_, id) => sized(STATE, id, new Uint8Array(0)));

const KINDS: readonly Kind[] = [
  ["a bare ack", (insider) => [insider.trueAck()]],
  ["an empty payload", () => [NO_ACK]],
  ["a ping", (insider) => [insider.trueAck(), PING]],
  ["63 old empty messages", (insider) => [insider.trueAck(), ...emptyMessages, PING]],
  ["an old message", (insider) => [insider.trueAck(), last(STATE, 0, Uint8Array.of(1))]],
  ["a skip to where things are", (insider) => [insider.trueAck(), skip(CHAT, 0)]],
  ["a second hello", (insider, world) => [insider.trueAck(), hello(world.protocol)]],
];

/** Draws no more than it sends, and leaves everything as it was. */
function quiet(engine: EngineName, scale: number): Figures {
  return withWorld(engine, {}, (world) => {
    let worst = 0;
    for (const [index, [what, parts]] of KINDS.entries()) {
      const insider = new Insider(world, `10.0.1.${index}:1`).connected();
      insider.keep = false;
      world.run(SECOND, () => insider.say(insider.trueAck()));
      const free = world.memory();
      const traffic = { ...world.trafficOf(insider.address) };
      for (let sent = 0; sent < PACKETS * scale; sent += PER_TURN) {
        for (let count = 0; count < PER_TURN; count++) insider.say(...parts(insider, world));
        world.step();
      }
      const { bytesIn, bytesOut } = world.trafficOf(insider.address);
      const [sent, drawn] = [bytesIn - traffic.bytesIn, bytesOut - traffic.bytesOut];
      check(drawn <= sent, `${what} draws no more bytes than it is`, { sent, drawn });
      worst = Math.max(worst, drawn / sent);
      checkEqual(insider.end, undefined, `the end after ${what}`);
      world.run(SECOND, () => insider.say(insider.trueAck()));
      checkEqual(world.memory().slice(0, 2), free.slice(0, 2), `free memory after ${what}`);
    }
    return {
      kinds: KINDS.length,
      "packets of each": PACKETS * scale,
      "worst out per in": worst.toFixed(2),
    };
  });
}

/** The quickest turn that takes 1,024 such packets (ms): receiving alone. */
function turnMs(world: World, insider: Insider, parts: () => readonly Uint8Array[]): number {
  const { host } = world.server;
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const packets = Array.from({ length: MEASURED }, () => insider.packet(...parts()));
    const start = performance.now();
    for (const { from, bytes } of packets) {
      host.receive(world.nowUs, world.nowUs, world.unixSeconds, from, bytes, 0, bytes.length);
    }
    best = Math.min(best, performance.now() - start);
    world.step();
  }
  return (best * DATAGRAMS_PER_TURN_MAX) / MEASURED;
}

function cost(engine: EngineName): Figures {
  return withWorld(engine, { sendRate: 10_000_000 }, (world) => {
    const insider = new Insider(world, "10.0.1.1:1").connected();
    insider.keep = false;
    const useful = turnMs(world, insider, () => [
      insider.trueAck(),
      last(STATE, 0, new Uint8Array(100)),
    ]);
    // Many messages in flight, so that a nack has a list to look through.
    for (let index = 0; index < 255; index++)
      world.server.send(insider.peer, CHAT, Uint8Array.of(1));
    world.step();
    const bits = Array(32).fill(255);
    const worstKinds: Kind[] = [
      ...KINDS,
      ["a nack of everything", () => [NO_ACK, nack(CHAT, 0, bits)]],
    ];
    let worst = 0;
    let worstKind = "";
    for (const [what, parts] of worstKinds) {
      const ms = turnMs(world, insider, () => parts(insider, world));
      checkEqual(insider.end, undefined, `the end after ${what}`);
      if (ms > worst) [worst, worstKind] = [ms, what];
    }
    check(worst <= COST_MOST * useful, `a worst packet costs ${COST_MOST} useful ones at most`, {
      worstKind,
      worstMs: worst,
      usefulMs: useful,
    });
    return {
      "turn of useful packets ms": useful.toFixed(1),
      "worst turn ms": worst.toFixed(1),
      "worst kind": worstKind,
    };
  });
}

export function run(engine: EngineName, scale: number): Figures {
  return { ...quiet(engine, scale), ...cost(engine) };
}
