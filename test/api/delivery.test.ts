/*
 * What the strategies promise, held over links that lose, delay, reorder, repeat and damage, and
 * checked by content: the newest wins, copies fill what is lost, all in order, once.
 */
import { expect } from "vitest";
import type { Client } from "../../lib/index.js";
import { pairings } from "../engines.js";
import { type Arena, decode, encode, openLinkedPair, testEach, until } from "./harness.js";

const WILD = {
  loss: 20,
  delayUs: 10_000,
  jitterUs: 8000,
  jitterReorders: true,
  reorderPercent: 10,
  duplicatePercent: 10,
  corruptPercent: 5,
};

/** A message that carries its number, and bytes that only that number has. */
function numbered(number: number): Uint8Array {
  const bytes = new Uint8Array(4 + (number % 97)).fill(number & 255, 4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function numberOf(bytes: Uint8Array): number {
  const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  expect(bytes.slice()).toEqual(numbered(number));
  return number;
}

/** The numbers that come in on a client's channel. */
function collect(client: Client<Arena>, channel: "input" | "state"): number[] {
  const numbers: number[] = [];
  client.channel(channel).on("message", (bytes) => numbers.push(numberOf(bytes)));
  return numbers;
}

function expectIncreasing(numbers: readonly number[]): void {
  for (let index = 1; index < numbers.length; index++) {
    expect(numbers[index]).toBeGreaterThan(numbers[index - 1]);
  }
}

testEach(
  "Reliable: exactly once, in order, both ways, over the worst of links",
  pairings,
  async (pairing) => {
    const { server, client, peer, relay } = await openLinkedPair(pairing, WILD);
    const count = 500;
    const up: string[] = [];
    const down: string[] = [];
    server.channel("chat").on("message", (_peer, bytes) => up.push(decode(bytes)));
    client.channel("chat").on("message", (bytes) => down.push(decode(bytes)));
    const lines = Array.from({ length: count }, (_, index) => `line ${index}`.padEnd(index % 300));
    // A burst, then a line for each that arrived: the window slides, and tails are lost as well.
    let sent = 0;
    const say = (): void => {
      if (sent === count) return;
      client.send("chat", encode(lines[sent]));
      peer.send("chat", encode(lines[sent]));
      sent += 1;
    };
    server.channel("chat").on("message", say);
    client.channel("chat").on("message", say);
    for (let index = 0; index < 100; index++) say();
    await until(server.channel("chat"), "message", "the lines up", () => up.length >= count);
    await until(client.channel("chat"), "message", "the lines down", () => down.length >= count);
    expect(up).toEqual(lines);
    expect(down).toEqual(lines);
    const { counters } = relay;
    expect(counters.up.lost + counters.down.lost).toBeGreaterThan(20);
    expect(counters.up.corrupted + counters.down.corrupted).toBeGreaterThan(0);
    expect(server.stats.channels.chat.resent).toBeGreaterThan(0);
    expect(server.stats.channels.chat.duplicates).toBeGreaterThan(0);
    // What was damaged never got past the seal.
    expect(server.stats.rejected.seal).toBeGreaterThan(0);
    expect(server.stats.rejected.payload + server.stats.rejected.ackUnsent).toBe(0);
    expect(client.connected).toBe(true);
  },
);

testEach("RealTime: strictly increasing over the worst of links", pairings, async (pairing) => {
  const { server, client } = await openLinkedPair(pairing, WILD, { tickRate: 128 });
  const inputs = collect(client, "input");
  const states = collect(client, "state");
  server.on("tick", (tick) => {
    server.broadcast("state", numbered(tick));
    server.broadcast("input", numbered(tick));
  });
  await until(client.channel("state"), "message", "a second of states", () => {
    return (states.at(-1) as number) - states[0] >= 128;
  });
  expectIncreasing(inputs);
  expectIncreasing(states);
  const { late, duplicates } = client.hostStats.channels.input;
  expect(late + duplicates).toBeGreaterThan(0);
});

testEach("redundancy high fills nearly all of a loss of 20 %", pairings, async (pairing) => {
  const link = { loss: 20, delayUs: 10_000 };
  const { server, client, relay } = await openLinkedPair(pairing, link, { tickRate: 128 });
  const inputs = collect(client, "input");
  const span = 256;
  // Numbers of its own: a server that was held up skips ticks.
  let sent = 0;
  server.on("tick", () => void server.broadcast("input", numbered(sent++)));
  await until(client.channel("input"), "message", "two seconds of inputs", () => {
    return (inputs.at(-1) as number) - inputs[0] >= span;
  });
  expectIncreasing(inputs);
  const whole = (inputs.at(-1) as number) - inputs[0] + 1;
  expect(inputs.length / whole).toBeGreaterThan(0.99);
  // The link did lose a fifth: it is the copies that fill it.
  expect(relay.counters.down.lost / relay.counters.down.pushed).toBeGreaterThan(0.1);
  expect(server.stats.channels.input.copies).toBeGreaterThan(whole * 2);
});

testEach("redundancy high upward, from a client without ticks", pairings, async (pairing) => {
  const link = { loss: 20, delayUs: 5000 };
  const { server, client } = await openLinkedPair(pairing, link, { tickRate: 128 });
  const inputs: number[] = [];
  server.channel("input").on("message", (_peer, bytes) => inputs.push(numberOf(bytes)));
  let sent = 0;
  const timer = setInterval(() => client.send("input", numbered(sent++)), 8);
  const done = until(server.channel("input"), "message", "150 inputs", () => inputs.length >= 150);
  await done.finally(() => clearInterval(timer));
  expectIncreasing(inputs);
  const whole = (inputs.at(-1) as number) - inputs[0] + 1;
  expect(inputs.length / whole).toBeGreaterThan(0.97);
});
