// matrix: the cells, and their run.
//
// Owns which strategy meets which weather. A cell's seed follows from its name and the run's seed, so a
// cell that is run alone is the same cell.
import { hash32 } from "../../lib/engine/hash.js";
import type { ChannelPolicy, Strategy } from "../../lib/policy.js";
import type { BurstLoss } from "../../lib/sim/link.js";
import { critical, realTime, reliable, timeSensitive } from "../../lib/strategy.js";
import type { EngineName } from "../sim/rig.js";
import { type CellResult, cellRun, type Weather } from "./cell.js";
import { contractBroken, promiseOf } from "./contract.js";

/** Bursts of 5 datagrams on average, in a tenth of the time: 9 % of all. */
export const BURSTS: BurstLoss = { enterPercent: 2, leavePercent: 20 };

const LOSSES: readonly (number | BurstLoss)[] = [0, 1, 5, 20, 50, 90, BURSTS];
const RTTS_MS = [1, 50, 200, 600] as const;
const REORDERS = [0, 5, 30] as const;
const DUPLICATES = [0, 2, 25] as const;
/** Quick: five losses in three settings of the rest. */
const QUICK_LOSSES: readonly (number | BurstLoss)[] = [0, 5, 20, 90, BURSTS];
const QUICK_RESTS = [
  [1, 0, 0],
  [200, 5, 2],
  [600, 30, 25],
] as const;

/** The four strategies as their constructors make them. */
export const POLICIES: Record<Strategy, ChannelPolicy> = {
  realTime: realTime(),
  timeSensitive: timeSensitive(),
  reliable: reliable(),
  critical: critical(),
};

export interface Cell {
  readonly name: string;
  readonly policy: ChannelPolicy;
  readonly weather: Weather;
}

export interface CellRow {
  readonly name: string;
  readonly seed: number;
  readonly weather: Weather;
  readonly promised: string;
  readonly result: CellResult;
  /** What broke; empty when the contract was kept. */
  readonly broken: readonly string[];
}

function cellOf(strategy: Strategy, weather: Weather): Cell {
  const { loss, rttMs, reorderPercent, duplicatePercent } = weather;
  const lossText = typeof loss === "number" ? `${loss}%` : "bursts";
  const rest = `reorder ${reorderPercent}% duplicate ${duplicatePercent}%`;
  return {
    name: `${strategy} ${lossText} ${rttMs}ms ${rest}`,
    policy: POLICIES[strategy],
    weather,
  };
}

/** All cells, or the quick ones; of one strategy where one is named. */
export function cellsOf(quick: boolean, only?: string): Cell[] {
  const rests = quick
    ? QUICK_RESTS
    : RTTS_MS.flatMap((rttMs) =>
        REORDERS.flatMap((reorder) =>
          DUPLICATES.map((duplicate) => [rttMs, reorder, duplicate] as const),
        ),
      );
  const strategies = Object.keys(POLICIES) as Strategy[];
  return strategies
    .filter((strategy) => only === undefined || strategy === only)
    .flatMap((strategy) =>
      (quick ? QUICK_LOSSES : LOSSES).flatMap((loss) =>
        rests.map(([rttMs, reorderPercent, duplicatePercent]) =>
          cellOf(strategy, { loss, rttMs, reorderPercent, duplicatePercent }),
        ),
      ),
    );
}

export interface MatrixOptions {
  readonly engine: EngineName;
  readonly seed: number;
  readonly seeds: number;
  readonly seconds: number;
}

/** Runs the cells one after the other. */
export function* matrixRun(cells: readonly Cell[], options: MatrixOptions): Generator<CellRow> {
  const { engine, seconds } = options;
  for (const { name, policy, weather } of cells) {
    const bytes = Buffer.from(name);
    for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
      const own = hash32(bytes, 0, bytes.length, seed);
      const result = cellRun({ policy, weather, seed: own, engine, seconds });
      const broken = contractBroken(policy, weather, result);
      yield { name, seed, weather, promised: promiseOf(policy), result, broken };
    }
  }
}
