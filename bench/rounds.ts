/*
 * All rows at one mode and one number of peers, in turn: A B C A B C …, so that what the machine does
 * meanwhile meets all of them; ratios are taken block by block.
 */
import { TICK_RATE_MAX } from "../lib/ticker.js";
import { type Figure, figureOf, ratioOf } from "./figures.js";
import type { Cores } from "./machine.js";
import type { Mode, Options } from "./options.js";
import { ENET, FLOOR, JS, type Row } from "./rows.js";
import { type Block, Trial, type TrialOptions, warmUp } from "./trial.js";

/** One row of the result; see docs/BENCHMARKS.md. */
export interface RowResult {
  readonly name: string;
  readonly peers: number;
  readonly mode: Mode;
  /** Ticks per second that were asked for; null in `flat`. */
  readonly rateHz: number | null;
  /** Server CPU, user and system, per client and tick, in µs. */
  readonly cpuUsPerClientTick: Figure | null;
  readonly ratioToFloor: Figure | null;
  readonly ratioToEnet: Figure | null;
  readonly ratioToJs: Figure | null;
  readonly ratioToDgram: Figure | null;
  /** Both ways; null where the row doesn't tell. */
  readonly datagramsPerSyscall: { readonly in: number; readonly out: number } | null;
  /** Both ways: above 1 acks, pings and repairs went alone. */
  readonly datagramsPerClientTick: { readonly in: number; readonly out: number } | null;
  readonly rssBytes: number | null;
  /** Client-ticks that the server did in a second. */
  readonly clientTicksPerSecond: number | null;
  /** CPU of the JavaScript thread alone, per client-tick, in µs. */
  readonly threadUsPerClientTick: Figure | null;
  /** Bytes of JavaScript heap for each message in or out, of blocks without a collection. */
  readonly heapBytesPerMessage: number | null;
  /** What arrived, as a share of what was to: inputs of the states, states and reliables of those sent. */
  readonly delivered: {
    readonly inputs: number;
    readonly states: number;
    readonly reliables: number;
  } | null;
  /** The row did the work that was asked for. */
  readonly sameWork: boolean;
  /** Why it did not run, or what it did not do. */
  readonly note: string | null;
}

/** What may be under way at the ends of a block, and what a late timer takes. */
const SAME_WORK_SHARE = 0.97;
/** From so many peers on the default rate is lower: the slower rows could not do the same work. */
const MANY_PEERS = 256;
const RATE_HZ = 60;
/** Up to so many peers all rows warm up at the same time; with more they would overrun the core. */
const WARM_TOGETHER_PEERS = 256;
const MANY_PEERS_RATE_HZ = 30;

export function rateFor(options: Options, mode: Mode, peers: number): number {
  if (mode === "flat") return TICK_RATE_MAX;
  return options.rateHz ?? (peers < MANY_PEERS ? RATE_HZ : MANY_PEERS_RATE_HZ);
}

function count(counters: Readonly<Record<string, number>>, name: string): number {
  return counters[name] ?? 0;
}

function sum(blocks: readonly Block[], side: "server" | "clients", name: string): number {
  return blocks.reduce((total, block) => total + count(block[side], name), 0);
}

/** CPU per client-tick of each block; null for one in which nothing happened. */
function perClientTick(blocks: readonly (Block | null)[], counter: string): (number | null)[] {
  return blocks.map((block) => {
    const states = block === null ? 0 : count(block.server, "states");
    const us = block?.server[counter];
    return states === 0 || us === undefined ? null : us / states;
  });
}

const known = (value: number | null): value is number => value !== null;

function datagramsPerSyscall(blocks: readonly Block[]): { in: number; out: number } | null {
  const receiveCalls = sum(blocks, "server", "receiveCalls");
  const sendCalls = sum(blocks, "server", "sendCalls");
  if (receiveCalls === 0 || sendCalls === 0) return null;
  return {
    in: sum(blocks, "server", "datagramsIn") / receiveCalls,
    out: sum(blocks, "server", "datagramsOut") / sendCalls,
  };
}

function datagramsPerClientTick(blocks: readonly Block[]): { in: number; out: number } | null {
  const states = sum(blocks, "server", "states");
  const datagrams = sum(blocks, "server", "datagramsOut");
  if (states === 0 || datagrams === 0) return null;
  return { in: sum(blocks, "server", "datagramsIn") / states, out: datagrams / states };
}

function heapBytesPerMessage(blocks: readonly Block[]): number | null {
  const quiet = blocks.filter(({ server }) => server.collections === 0);
  const messages = quiet.map(
    ({ server }) => count(server, "inputs") + count(server, "states") + count(server, "reliables"),
  );
  const perMessage = quiet
    .map(({ server }, index) => count(server, "heapBytes") / (messages[index] ?? 1))
    .filter((bytes) => Number.isFinite(bytes));
  return figureOf(perMessage)?.median ?? null;
}

interface Judged {
  readonly delivered: RowResult["delivered"];
  readonly sameWork: boolean;
  readonly note: string | null;
}

function judge(blocks: readonly Block[], options: TrialOptions, locked: boolean): Judged {
  const states = sum(blocks, "server", "states");
  const reliables = sum(blocks, "server", "reliables");
  if (states === 0) return { delivered: null, sameWork: false, note: "it sent nothing" };
  const ratio = (part: number, whole: number): number => (whole === 0 ? 1 : part / whole);
  const inputs = sum(blocks, "server", "inputs");
  const delivered = {
    inputs: ratio(inputs, states),
    states: ratio(sum(blocks, "clients", "states"), states),
    reliables: ratio(sum(blocks, "clients", "reliables"), reliables),
  };
  const least = SAME_WORK_SHARE * (1 - options.lossPercent / 100);
  const faults: string[] = [];
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  // A block begins and ends somewhere in a tick: it may hold one more or less of anything.
  const edge = options.peers * blocks.length;
  if (locked) {
    const seconds = blocks.reduce((total, { ms }) => total + ms / 1000, 0);
    const wanted = options.peers * options.rateHz * seconds;
    if (states + edge < SAME_WORK_SHARE * wanted) {
      faults.push(`${percent(states / wanted)} of the ticks`);
    }
  }
  if (inputs + edge < least * states) faults.push(`${percent(delivered.inputs)} of the inputs`);
  const arrived = sum(blocks, "clients", "states");
  if (arrived + edge < least * states) faults.push(`${percent(delivered.states)} of the states`);
  if (sum(blocks, "clients", "reliables") + edge < least * reliables) {
    faults.push(`${percent(delivered.reliables)} of the reliable messages`);
  }
  const lost = sum(blocks, "clients", "lost");
  if (lost > 0) faults.push(`${lost} connections were lost`);
  const note = faults.length === 0 ? null : `not the same work: ${faults.join(", ")}`;
  return { delivered, sameWork: faults.length === 0, note };
}

function notRun(row: Row, peers: number, mode: Mode, rateHz: number, note: string): RowResult {
  return {
    name: row.name,
    peers,
    mode,
    rateHz: mode === "locked" ? rateHz : null,
    cpuUsPerClientTick: null,
    ratioToFloor: null,
    ratioToEnet: null,
    ratioToJs: null,
    ratioToDgram: null,
    datagramsPerSyscall: null,
    datagramsPerClientTick: null,
    rssBytes: null,
    clientTicksPerSecond: null,
    threadUsPerClientTick: null,
    heapBytesPerMessage: null,
    delivered: null,
    sameWork: false,
    note,
  };
}

interface Runner {
  readonly row: Row;
  trial: Trial | null;
  note: string;
  readonly blocks: (Block | null)[];
}

function resultOf(
  runner: Runner,
  cpu: ReadonlyMap<string, (number | null)[]>,
  options: TrialOptions,
  mode: Mode,
): RowResult {
  const { row, blocks, note } = runner;
  const own = cpu.get(row.name) ?? [];
  const figure = figureOf(own.filter(known));
  const base = notRun(row, options.peers, mode, options.rateHz, note);
  if (figure === null) return base;
  const good = blocks.filter((block) => block !== null);
  const seconds = good.reduce((total, { ms }) => total + ms / 1000, 0);
  const rss = good.at(-1)?.serverLine.rssBytes;
  return {
    ...base,
    cpuUsPerClientTick: figure,
    ratioToFloor: ratioOf(own, cpu.get(FLOOR)),
    ratioToEnet: ratioOf(own, cpu.get(ENET)),
    ratioToJs: ratioOf(own, cpu.get(JS)),
    ratioToDgram: ratioOf(own, cpu.get("node:dgram")),
    datagramsPerSyscall: datagramsPerSyscall(good),
    datagramsPerClientTick: datagramsPerClientTick(good),
    rssBytes: typeof rss === "number" ? rss : null,
    clientTicksPerSecond: sum(good, "server", "states") / seconds,
    threadUsPerClientTick: figureOf(perClientTick(good, "threadCpuUs").filter(known)),
    heapBytesPerMessage: heapBytesPerMessage(good),
    ...judge(good, options, mode === "locked"),
  };
}

/** Starts a row; what does not start is a row that says why. */
async function startRow(row: Row, options: TrialOptions, cores: Cores): Promise<Runner> {
  const runner: Runner = { row, trial: null, note: row.missing ?? "", blocks: [] };
  if (row.missing !== null) return runner;
  try {
    runner.trial = await Trial.start(row, options, cores);
    await runner.trial.rest();
  } catch (error) {
    runner.note = `did not start: ${(error as Error).message}`;
  }
  return runner;
}

async function warmAll(runners: readonly Runner[], peers: number, ms: number): Promise<void> {
  const trials = runners.flatMap(({ trial }) => (trial === null ? [] : [trial]));
  if (peers <= WARM_TOGETHER_PEERS) return warmUp(trials, ms);
  for (const trial of trials) await warmUp([trial], ms / 2);
}

/** Runs all rows; `say` is told what happens. */
export async function runRounds(
  rows: readonly Row[],
  mode: Mode,
  peers: number,
  options: Options,
  cores: Cores,
  say: (text: string) => void,
): Promise<RowResult[]> {
  const { inputBytes, stateBytes, reliableBytes, lossPercent, blockMs, quick } = options;
  const rateHz = rateFor(options, mode, peers);
  const trial = { mode, peers, rateHz, inputBytes, stateBytes, reliableBytes, lossPercent };
  const what = `${mode}, ${peers} ${peers === 1 ? "peer" : "peers"}`;
  const runners: Runner[] = [];
  try {
    for (const row of rows) {
      say(`${what}: starting ${row.name}`);
      runners.push(await startRow(row, trial, cores));
    }
    say(`${what}: warming up`);
    await warmAll(runners, peers, quick ? 2000 : 5000);
    for (let round = 0; round < options.rounds; round++) {
      say(`${what}: round ${round + 1} of ${options.rounds}`);
      for (const runner of runners) {
        runner.blocks.push((await runner.trial?.block(quick ? 100 : 250, blockMs)) ?? null);
      }
    }
  } finally {
    for (const runner of runners) await runner.trial?.stop();
  }
  const cpu = new Map(
    runners.map(({ row, blocks }) => [row.name, perClientTick(blocks, "cpuUs")] as const),
  );
  return runners.map((runner) => resultOf(runner, cpu, trial, mode));
}
