/*
 * How long an answer takes: one client sends an input, the server's handler answers it, the client has
 * the answer. The client waits for it without sleeping, so what is measured is the server's side: its
 * wake-up, its library, and the kernel both ways. In blocks by turns, as everything here; each figure is
 * the median of the blocks' own.
 */
import { figureOf } from "./figures.js";
import type { Cores } from "./machine.js";
import type { Options } from "./options.js";
import { FLOOR, NATIVE_BROADCAST, type Row } from "./rows.js";
import { Trial, warmUp } from "./trial.js";

export interface LatencyResult {
  readonly name: string;
  /** Answers in all blocks. */
  readonly count: number;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly p999Us: number | null;
  /** p99 less that of the floor, block by block. */
  readonly addedP99Us: number | null;
  readonly note: string | null;
}

/** Inputs in a second: each finds a server that sleeps. */
const ECHO_HZ = 400;

/** Quantiles of one block, as the client simulator prints them, in ns. */
interface Samples {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

interface Runner {
  readonly row: Row;
  trial: Trial | null;
  note: string | null;
  readonly blocks: Samples[];
}

async function startRow(row: Row, options: Options, cores: Cores): Promise<Runner> {
  const { inputBytes, stateBytes, reliableBytes } = options;
  const sizes = { inputBytes, stateBytes, reliableBytes, lossPercent: 0 };
  const asked = { mode: "echo", peers: 1, rateHz: ECHO_HZ, ...sizes };
  const runner: Runner = { row, trial: null, note: row.missing, blocks: [] };
  if (row.missing !== null) return runner;
  try {
    runner.trial = await Trial.start(row, asked, cores);
    await runner.trial.rest();
  } catch (error) {
    runner.note = `did not start: ${(error as Error).message}`;
  }
  return runner;
}

function medianUs(blocks: readonly Samples[], of: (samples: Samples) => number): number | null {
  const figure = figureOf(blocks.filter(({ count }) => count > 0).map(of));
  return figure === null ? null : figure.median / 1000;
}

function resultOf({ row, note, blocks }: Runner, floor: readonly Samples[]): LatencyResult {
  const added = blocks.flatMap((samples, index) => {
    const base = floor[index];
    const both = base !== undefined && samples.count > 0 && base.count > 0;
    return both ? [(samples.p99 - base.p99) / 1000] : [];
  });
  const count = blocks.reduce((total, samples) => total + samples.count, 0);
  return {
    name: row.name,
    count,
    p50Us: medianUs(blocks, ({ p50 }) => p50),
    p99Us: medianUs(blocks, ({ p99 }) => p99),
    p999Us: medianUs(blocks, ({ p999 }) => p999),
    addedP99Us: figureOf(added)?.median ?? null,
    note: note ?? (count === 0 ? "no answer came" : null),
  };
}

/** All rows, in turn. */
export async function runLatency(
  rows: readonly Row[],
  options: Options,
  cores: Cores,
  say: (text: string) => void,
): Promise<LatencyResult[]> {
  const runners: Runner[] = [];
  try {
    for (const row of rows) {
      if (row.name === NATIVE_BROADCAST) continue;
      say(`latency: starting ${row.name}`);
      runners.push(await startRow(row, options, cores));
    }
    const trials = runners.flatMap(({ trial }) => (trial === null ? [] : [trial]));
    for (const trial of trials) await warmUp([trial], options.quick ? 300 : 2000);
    const rounds = options.quick ? 2 : 9;
    for (let round = 0; round < rounds; round++) {
      say(`latency: round ${round + 1} of ${rounds}`);
      for (const { trial, blocks } of runners) {
        if (trial === null) continue;
        const { clientLine } = await trial.block(50, options.quick ? 300 : 1000);
        blocks.push(clientLine.echoNs as Samples);
      }
    }
  } finally {
    for (const { trial } of runners) await trial?.stop();
  }
  const floor = runners.find(({ row }) => row.name === FLOOR)?.blocks ?? [];
  return runners.map((runner) => resultOf(runner, floor));
}
