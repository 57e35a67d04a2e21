// plot: SVG plots of the matrix for docs/STRATEGIES.md.
//
// Owns the drawing. Never measures: the cells are the matrix's own.
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Strategy } from "../../lib/policy.js";
import type { EngineName } from "../sim/rig.js";
import { type CellResult, cellRun } from "./cell.js";
import { POLICIES } from "./matrix.js";

const LOSSES = [0, 1, 2, 5, 10, 20, 30, 40, 50] as const;
const RTT_MS = 100;
const WIDTH = 640;
const HEIGHT = 360;
const LEFT = 64;
const RIGHT = 148;
const TOP = 40;
const BOTTOM = 48;
const COLORS: Record<Strategy, string> = {
  realTime: "#0b6e99",
  timeSensitive: "#b5500a",
  reliable: "#2f7d32",
  critical: "#8a2be2",
};

interface Line {
  readonly label: string;
  readonly color: string;
  readonly dashed: boolean;
  /** By loss. */
  readonly values: readonly number[];
}

interface Axis {
  readonly title: string;
  readonly unit: string;
  readonly ticks: readonly number[];
  readonly logarithmic: boolean;
}

function svg(axis: Axis, lines: readonly Line[]): string {
  const { ticks, logarithmic } = axis;
  const scale = (value: number) => (logarithmic ? Math.log10(value) : value);
  const [low, high] = [scale(ticks[0]), scale(ticks.at(-1) as number)];
  const x = (loss: number) => LEFT + ((WIDTH - LEFT - RIGHT) * loss) / (LOSSES.at(-1) as number);
  const y = (value: number) => {
    const share = (scale(Math.max(value, ticks[0])) - low) / (high - low);
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * Math.min(share, 1);
  };
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 ${WIDTH + 12} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${axis.title}</title>`,
    `<rect x="-12" width="${WIDTH + 12}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="22" font-size="14" font-weight="bold">${axis.title}</text>`,
  ];
  for (const tick of ticks) {
    const at = y(tick).toFixed(1);
    parts.push(
      `<line x1="${LEFT}" y1="${at}" x2="${WIDTH - RIGHT}" y2="${at}" stroke="#ddd"/>`,
      `<text x="${LEFT - 8}" y="${at}" dy="4" text-anchor="end">${tick}${axis.unit}</text>`,
    );
  }
  for (const loss of [0, 10, 20, 30, 40, 50]) {
    const at = x(loss).toFixed(1);
    parts.push(`<text x="${at}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${loss} %</text>`);
  }
  parts.push(
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">loss, each way</text>`,
  );
  for (const [index, line] of lines.entries()) {
    const points = line.values.map(
      (value, at) => `${x(LOSSES[at]).toFixed(1)},${y(value).toFixed(1)}`,
    );
    const dash = line.dashed ? ' stroke-dasharray="5 4"' : "";
    const top = TOP + 10 + index * 20;
    const start = WIDTH - RIGHT + 10;
    parts.push(
      `<polyline points="${points.join(" ")}" fill="none" stroke="${line.color}" stroke-width="2"${dash}/>`,
      `<line x1="${start}" y1="${top}" x2="${start + 18}" y2="${top}" stroke="${line.color}" stroke-width="2"${dash}/>`,
      `<text x="${start + 22}" y="${top}" dy="4" font-size="11">${line.label}</text>`,
    );
  }
  return `${parts.join("\n")}\n</svg>\n`;
}

/** Measures, and writes latency.svg, overhead.svg and delivered.svg; their paths. */
export function plotsWrite(
  folder: string,
  engine: EngineName,
  seed: number,
  seconds: number,
): string[] {
  const strategies = Object.keys(POLICIES) as Strategy[];
  const measured = new Map<Strategy, CellResult[]>();
  for (const strategy of strategies) {
    const policy = POLICIES[strategy];
    const results = LOSSES.map((loss) => {
      const weather = { loss, rttMs: RTT_MS, reorderPercent: 0, duplicatePercent: 0 };
      return cellRun({ policy, weather, engine, seed, seconds });
    });
    measured.set(strategy, results);
  }
  const line = (
    strategy: Strategy,
    label: string,
    dashed: boolean,
    of: (result: CellResult) => number,
  ): Line => ({
    label,
    color: COLORS[strategy],
    dashed,
    values: (measured.get(strategy) as CellResult[]).map(of),
  });
  const latency = strategies.flatMap((strategy) => [
    line(strategy, `${strategy} p99`, false, (result) => result.latency.p99),
    line(strategy, `${strategy} p50`, true, (result) => result.latency.p50),
  ]);
  const overhead = strategies.map((strategy) =>
    line(strategy, strategy, false, (result) => result.overhead),
  );
  const delivered = strategies.map((strategy) =>
    line(strategy, strategy, false, (result) => 100 * result.arrivedShare),
  );
  const conditions = `60 Hz both ways, 200 B, ${RTT_MS} ms RTT`;
  const ticks = [20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
  const files: [string, string][] = [
    [
      "latency.svg",
      svg({ title: `Latency (${conditions})`, unit: " ms", ticks, logarithmic: true }, latency),
    ],
    [
      "overhead.svg",
      svg(
        {
          title: `Bytes sent to payload (${conditions})`,
          unit: "x",
          ticks: [1, 1.5, 2, 2.5, 3],
          logarithmic: false,
        },
        overhead,
      ),
    ],
    [
      "delivered.svg",
      svg(
        {
          title: `Messages delivered (${conditions})`,
          unit: " %",
          ticks: [50, 60, 70, 80, 90, 100],
          logarithmic: false,
        },
        delivered,
      ),
    ],
  ];
  return files.map(([name, text]) => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    return file;
  });
}
