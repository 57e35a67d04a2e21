/**
 * The arena: what `npm start` runs. A server in this process, its clients in another.
 *
 * Owns: the course of a run, what is printed where, Ctrl-C and the exit code.
 * Invariants: every wait has an end; the second process never outlives this one; with --json stdout
 * gets one JSON object, or nothing when there is no result.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { NetrtError } from "../../lib/index.js";
import { onWarnings, until } from "./control.js";
import { Crowd } from "./crowd.js";
import { ArenaError, type ArenaOptions, HELP, parseOptions } from "./options.js";
import {
  faultsOf,
  liveHeading,
  liveLine,
  makeReport,
  type Report,
  type Sample,
  summaryText,
  takeSample,
} from "./report.js";
import { ArenaServer } from "./server.js";
import { deliveredOf } from "./tally.js";

/** For the second process to start. */
const START_MS = 20_000;
/** For all clients to connect: two time-outs of 5 s, and what a busy machine takes on top. */
const CONNECT_MS = 20_000;
/** For a question to the second process that it can answer at once. */
const ANSWER_MS = 10_000;
/** For lines that are still on their way: as long as Reliable keeps them. */
const LINES_MS = 12_000;
/** For the copies of the last inputs and states, beyond a round trip. */
const TAIL_MS = 300;
/** For the second process to end. */
const LEAVE_MS = 5000;
/** A second Ctrl-C within this time is the same one: npm hands it on to its child once more. */
const SAME_SIGNAL_MS = 1000;
const DAY_MS = 86_400_000;
const LIVE_MS = 1000;
/** Live lines between two headings. */
const HEADING_LINES = 20;

interface Result {
  readonly report: Report;
  readonly clientEngine: string;
  /** Messages that were not as they should be. */
  readonly damaged: number;
}

const warned = new Set<string>();

/** Both processes may warn of the same. */
function warn(text: string): void {
  if (warned.has(text)) return;
  warned.add(text);
  console.error(text);
}

/** The first Ctrl-C aborts the signal; a later one ends at once. A reader that left is one, too. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  let firstMs = 0;
  const interrupt = (): void => {
    // The second process notices that this one is gone.
    if (controller.signal.aborted && performance.now() - firstMs > SAME_SIGNAL_MS)
      process.exit(130);
    if (!controller.signal.aborted) firstMs = performance.now();
    controller.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, interrupt);
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => controller.abort());
  }
  return controller.signal;
}

/** Prints a line each second; what it returns stops that, with the line of the last second. */
function showLive(server: ArenaServer, begin: Sample, print: (line: string) => void): () => void {
  let last = begin;
  let count = 0;
  const show = (): void => {
    if (count % HEADING_LINES === 0) print(liveHeading());
    count += 1;
    const now = takeSample(server);
    print(liveLine(begin, last, now));
    last = now;
  };
  const timer = setInterval(show, LIVE_MS);
  return () => {
    clearInterval(timer);
    if (performance.now() - last.atMs > LIVE_MS / 2) show();
  };
}

/** Waits for so long, null: for ever, or until the signal aborts; whether it did. */
async function pause(ms: number | null, signal: AbortSignal): Promise<boolean> {
  try {
    do await sleep(ms ?? DAY_MS, undefined, { signal });
    while (ms === null);
    return false;
  } catch {
    return true;
  }
}

/** All clients in, or an error; false when the user has had enough. */
async function gather(
  crowd: Crowd,
  server: ArenaServer,
  options: ArenaOptions,
  tokens: readonly string[],
  interrupt: AbortSignal,
): Promise<boolean> {
  const { clients, tickRate, lossPercent, rttMs, jitterMs, seed, clientEngine: engine } = options;
  const link = { lossPercent, rttMs, jitterMs, seed };
  crowd.send({ kind: "connect", serverPort: server.port, tokens, tickRate, ...link, engine });
  const connected = new AbortController();
  const answered = crowd.answer("connected", CONNECT_MS).finally(() => connected.abort());
  await Promise.race([answered, pause(null, AbortSignal.any([interrupt, connected.signal]))]);
  if (interrupt.aborted) {
    // Its time-out may still come; nobody is interested any more.
    answered.catch(() => undefined);
    return false;
  }
  await answered;
  if (await until(() => server.peers.length === clients, ANSWER_MS)) return true;
  throw new ArenaError(`only ${server.peers.length} of ${clients} clients got in`);
}

/** From the first tick of the game to the last message that arrived. */
async function play(
  crowd: Crowd,
  server: ArenaServer,
  options: ArenaOptions,
  interrupt: AbortSignal,
  print: (line: string) => void,
): Promise<Result> {
  const { clients, seconds, rttMs, jitterMs } = options;
  const { engine: clientEngine } = await crowd.answer("connected", 0);
  print(
    `${clients} clients on the ${clientEngine} engine, server on the ${server.engine} engine; Ctrl-C ends it`,
  );
  const begin = takeSample(server);
  server.play();
  crowd.send({ kind: "play" });
  const stop = showLive(server, begin, print);
  const ended = new AbortController();
  const measured = pause(seconds && seconds * 1000, AbortSignal.any([interrupt, ended.signal]));
  await Promise.race([measured, crowd.failed]).finally(() => {
    ended.abort();
    stop();
  });
  const end = takeSample(server);
  server.rest();
  crowd.send({ kind: "rest" });
  const { inputs, lines } = await crowd.answer("resting", ANSWER_MS);
  const tail = sleep(rttMs + 2 * jitterMs + TAIL_MS);
  await until(() => deliveredOf(server.chat) >= lines, LINES_MS);
  await tail;
  const { linesSent, scoresSent: scores } = server;
  crowd.send({ kind: "count", lines: linesSent, scores, timeoutMs: LINES_MS });
  const { state, shots, score, chat } = await crowd.answer("counted", LINES_MS + ANSWER_MS);
  const report = makeReport(server, options, begin, end, {
    input: { sent: inputs, counts: [server.input] },
    state: { sent: server.statesSent * clients, counts: [state] },
    shots: { sent: server.shotsSent * clients, counts: [shots] },
    score: { sent: scores * clients, counts: [score] },
    chat: { sent: lines + linesSent * clients, counts: [server.chat, chat] },
  });
  const { input, chat: heard } = server;
  const damaged = [input, heard, state, shots, score, chat].reduce(
    (sum, of) => sum + of.damaged,
    0,
  );
  return { report, clientEngine, damaged };
}

/** One run; null when it was interrupted before it began. */
async function run(
  options: ArenaOptions,
  interrupt: AbortSignal,
  print: (line: string) => void,
): Promise<Result | null> {
  const crowd = new Crowd(warn);
  let server: ArenaServer | null = null;
  try {
    const { port } = await crowd.answer("reserved", START_MS);
    const opened = await ArenaServer.open(options, port);
    server = opened.server;
    if (!(await gather(crowd, server, options, opened.tokens, interrupt))) return null;
    const result = await play(crowd, server, options, interrupt, print);
    await server.close(true);
    return result;
  } finally {
    await server?.close(false);
    await crowd.leave(LEAVE_MS);
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === null) {
    process.stdout.write(HELP);
    return 0;
  }
  onWarnings(warn);
  const print = options.json ? console.error : console.log;
  const result = await run(options, interruption(), print);
  if (result === null) {
    console.error("arena: interrupted before all clients were connected");
    return 0;
  }
  const { report, clientEngine, damaged } = result;
  print(summaryText(report, options, clientEngine));
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  const faults = faultsOf(report, damaged);
  for (const fault of faults) console.error(`arena: ${fault}`);
  return faults.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof ArenaError || error instanceof NetrtError;
  const code = error instanceof NetrtError ? `${error.code}: ` : "";
  console.error(known ? `arena: ${code}${error.message}` : error);
  process.exitCode = 1;
}
