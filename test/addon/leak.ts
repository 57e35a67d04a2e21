/*
 * Owns the program of the leak check, run with --expose-gc: opens, uses and closes engines, and
 * prints whether their memory came back.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { closePair, connectPair, openPair } from "./harness.js";

const WARM_UP_ROUNDS = 20;
const ROUNDS = 60;
/** What one leaked pair of engines would cost at least, rings included (MiB). */
const PAIR_MIB = 2;

const collect = (globalThis as { gc?: () => void }).gc as () => void;
const finalized = new Set<number>();
const registry = new FinalizationRegistry((round: number) => finalized.add(round));

async function round(index: number): Promise<void> {
  const pair = await openPair();
  await connectPair(pair);
  registry.register(pair.server.options.completion, index);
  closePair(pair);
}

async function rounds(first: number, count: number): Promise<number> {
  for (let index = first; index < first + count; index++) await round(index);
  for (let pass = 0; pass < 5; pass++) {
    collect();
    await sleep(20);
  }
  return process.memoryUsage.rss() / 2 ** 20;
}

const before = await rounds(0, WARM_UP_ROUNDS);
const after = await rounds(WARM_UP_ROUNDS, ROUNDS);
// One object may still lie in a register of the last round.
const collected = finalized.size >= WARM_UP_ROUNDS + ROUNDS - 2;
const grownPairs = Math.max(0, Math.floor((after - before) / (ROUNDS * PAIR_MIB)));
console.log(JSON.stringify({ collected, grownMiB: grownPairs * PAIR_MIB }));
