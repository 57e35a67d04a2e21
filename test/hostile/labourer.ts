/*
 * labourer: counts what an insider's datagrams cost the TypeScript engine, and prints it as JSON. Each count is a mean over
 * DATAGRAMS of how often the blocks of lib/engine ran (V8's precise coverage), without seal and hash, whose work is bytes.
 *
 *   node dist/test/hostile/labourer.js
 */
import { Session } from "node:inspector";
import { Insider } from "./insider.js";
import { fragment, last, NO_ACK, nack, PING, sized, skip, window } from "./wire.js";
import { CHAT, longArena, SHOTS, STATE, TRADE, type World, withWorld } from "./world.js";

const DATAGRAMS = 64;
const MESSAGES = 63;
/** Pieces that are held before their turn. */
const HELD = 1000;
const EMPTY = new Uint8Array(0);
const ONE = Uint8Array.of(1);

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[];
  }[];
}

const session = new Session();
session.connect();

function post(method: string, argument: object = {}): unknown {
  let answer: unknown;
  session.post(method, argument, (error, result) => {
    if (error !== null) throw new Error(error.message);
    answer = result;
  });
  return answer;
}

/** Steps since the last count. */
function steps(): number {
  let sum = 0;
  for (const { url, functions } of (post("Profiler.takePreciseCoverage") as Coverage).result) {
    if (!/\/lib\/engine\/(?!seal|hash)\w+\.js$/.test(url)) continue;
    for (const { ranges } of functions) for (const { count } of ranges) sum += count;
  }
  return sum;
}

const many = (part: (index: number) => Uint8Array) =>
  Array.from({ length: MESSAGES }, (_, index) => part(index));

/** Steps of one such datagram. */
function cost(world: World, insider: Insider, parts: () => readonly Uint8Array[]): number {
  const { host } = world.server;
  const packets = Array.from({ length: DATAGRAMS }, () =>
    insider.packet(insider.trueAck(), ...parts()),
  );
  steps();
  for (const { from, bytes } of packets) {
    host.receive(world.nowUs, world.nowUs, world.unixSeconds, from, bytes, 0, bytes.length);
  }
  const sum = steps() / DATAGRAMS;
  world.step();
  if (insider.end !== undefined) throw new Error(`it was closed: ${JSON.stringify(insider.end)}`);
  return sum;
}

/** Holds ids 1 to HELD of a channel; 0 is never sent. */
function hold(world: World, insider: Insider, channel: number, step: number): void {
  const ids = Array.from({ length: HELD }, (_, index) => 1 + ((index * step) % HELD));
  for (let start = 0; start < HELD; start += MESSAGES) {
    const part = ids.slice(start, start + MESSAGES).map((id) => sized(channel, id, ONE));
    insider.say(insider.trueAck(), ...part, PING);
    world.step();
  }
}

function measure(): Record<string, number> {
  const kinds: Record<string, number> = {};
  withWorld("js", { protocol: longArena, sendRate: 10_000_000 }, (world) => {
    let peers = 0;
    const insider = (): Insider => {
      const one = new Insider(world, `10.0.1.${peers++}:1`).connected();
      one.keep = false;
      return one;
    };
    const of = (what: string, one: Insider, parts: () => readonly Uint8Array[]) => {
      kinds[what] = cost(world, one, parts);
    };
    const plain = insider();
    of("useful", plain, () => [last(STATE, 0, new Uint8Array(100))]);
    of("old messages", plain, () => [...many((id) => sized(STATE, id, EMPTY)), PING]);
    of("a skip to where things are", plain, () => [skip(CHAT, 0), skip(TRADE, 0), PING]);
    const full = insider();
    for (let index = 0; index < 255; index++) world.server.send(full.peer, CHAT, ONE);
    world.step();
    const bits = Array<number>(32).fill(255);
    of("a nack of everything", full, () => [nack(CHAT, 0, bits), PING]);
    of("a window that says nothing new", full, () => [window(CHAT, 0), PING]);
    const early = insider();
    hold(world, early, CHAT, 1);
    of("copies of the lowest that is held", early, () => [
      ...many(() => sized(CHAT, 1, ONE)),
      PING,
    ]);
    of("copies of the highest", early, () => [...many(() => sized(CHAT, HELD, ONE)), PING]);
    of("copies of all", early, () => [...many((index) => sized(CHAT, 1 + 15 * index, ONE)), PING]);
    const scattered = insider();
    hold(world, scattered, TRADE, 617);
    of("copies of what came scattered", scattered, () => [
      ...many((index) => sized(TRADE, 1 + 15 * index, ONE)),
      PING,
    ]);
    const late = insider();
    hold(world, late, SHOTS, 7);
    of("copies where time runs", late, () => [...many(() => sized(SHOTS, 2, ONE)), PING]);
    const pieces = insider();
    of("pieces of long messages", pieces, () => [
      ...many((index) => fragment(CHAT, 3 + index, 2, 2049, ONE)),
      PING,
    ]);
    of("pieces of sequenced messages", pieces, () => [
      ...many((index) => fragment(STATE, 2 + 3 * index, 2, 2049, ONE)),
      PING,
    ]);
    of("nothing but an ack", pieces, () => [NO_ACK.subarray(1)]);
  });
  return kinds;
}

post("Profiler.enable");
post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
const { useful, ...kinds } = measure();
console.log(JSON.stringify({ useful, kinds }));
