/*
 * Owns what happens to a process that has no time: garbage that is collected all the while, and
 * handlers that take longer than what they handle takes to come.
 */
import { type Bench, closePair, type Engines, openHosts, type Pair } from "./pair.js";

export interface Pressure {
  readonly name: string;
  readonly ms: number;
  readonly wrong: readonly string[];
}

const LITTER_MS = 1000;
const LITTERED = 300;
/** What a heap may have grown by after the same garbage again. */
const HEAP_GROWTH_MAX = 4 << 20;
const PATIENCE_MS = 20_000;

/** Handlers that take this long, for each of so many messages on each of four channels… */
const HANDLER_MS = 2;
const HANDLED = 900;
/** …are busy for longer than this, the time-out of their connection. */
const TIMEOUT_SECONDS = 2;
/** What a process may grow by meanwhile: rings and buffers are there from the start. */
const RSS_GROWTH_MAX = 32 << 20;

async function run(
  name: string,
  bench: Bench,
  engines: Engines,
  timeoutSeconds: number | undefined,
  body: (pair: Pair) => Promise<string[]>,
): Promise<Pressure> {
  const began = performance.now();
  const pair = await openHosts(bench, engines, ["--expose-gc"]);
  const wrong: string[] = [];
  try {
    const limits = timeoutSeconds === undefined ? {} : { timeoutSeconds };
    const address = await pair.server.ask("server", { address: "127.0.0.1:0", ...limits });
    await pair.client.ask("client", { address, ...limits });
    await pair.server.ask("joined");
    wrong.push(...(await body(pair)));
  } catch (error) {
    wrong.push((error as Error).message);
  }
  for (const host of pair.hosts) {
    if (host.ended !== null) continue;
    const { errors, losses, uncaught } = await host.report();
    wrong.push(...errors, ...losses, ...uncaught.map(({ message }) => message));
  }
  wrong.push(...(await closePair(pair)));
  const full = `${engines.server}-${engines.client} ${name}`;
  return { name: full, ms: Math.round(performance.now() - began), wrong };
}

/** Allocation and collection at both ends, while messages go both ways. */
export function garbage(bench: Bench, engines: Engines): Promise<Pressure> {
  return run("garbage", bench, engines, undefined, async (pair) => {
    const heaps: number[][] = [];
    for (let round = 0; round < 2; round++) {
      const littered = pair.hosts.map((host) => host.ask("litter", LITTER_MS));
      await pair.client.ask("traffic", { messages: LITTERED, patienceMs: PATIENCE_MS });
      await Promise.all(littered);
      heaps.push((await Promise.all(pair.hosts.map((host) => host.ask("heap")))) as number[]);
    }
    const [first, second] = heaps as [number[], number[]];
    const grown = second.map((heap, index) => heap - first[index]!);
    return grown
      .filter((bytes) => bytes > HEAP_GROWTH_MAX)
      .map((bytes) => `a heap grew by ${bytes} bytes`);
  });
}

/** A server whose handlers take longer than messages take to come: nobody falls silent for it. */
export function slowConsumer(bench: Bench, engines: Engines): Promise<Pressure> {
  return run("slow handlers", bench, engines, TIMEOUT_SECONDS, async (pair) => {
    const small = { messages: HANDLED, patienceMs: PATIENCE_MS, small: true };
    await pair.client.ask("traffic", small);
    const before = await pair.server.report();
    await pair.server.ask("slow", HANDLER_MS);
    const began = performance.now();
    await pair.client.ask("traffic", small);
    const took = performance.now() - began;
    const after = await pair.server.report();
    const wrong = [...before.losses, ...after.losses];
    if (took < TIMEOUT_SECONDS * 2 * 1000) wrong.push(`took ${took} ms: nobody had to wait`);
    const grown = after.rssBytes - before.rssBytes;
    if (grown > RSS_GROWTH_MAX) wrong.push(`the server grew by ${grown} bytes`);
    return wrong;
  });
}
