/*
 * The result as tables for a terminal.
 */
import type { Figure } from "./figures.js";
import type { LatencyResult } from "./latency.js";
import type { Noise } from "./machine.js";
import type { MicroResult } from "./micro.js";
import type { RowResult } from "./rounds.js";
import type { TargetResult } from "./targets.js";

/** Cells as columns, the first left and the others right aligned. */
export function tableOf(cells: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of cells) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return cells
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return column === 0 ? cell.padEnd(width) : cell.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function fixed(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? "-" : value.toFixed(digits);
}

export function figureText(figure: Figure | null, digits: number): string {
  if (figure === null) return "-";
  const { median, q1, q3 } = figure;
  return `${median.toFixed(digits)} (${q1.toFixed(digits)}–${q3.toFixed(digits)})`;
}

function bothText(both: { in: number; out: number } | null, digits: number): string {
  return both === null ? "-" : `${both.in.toFixed(digits)}, ${both.out.toFixed(digits)}`;
}

const HEADS = [
  "row",
  "µs/client-tick",
  "/ floor",
  "/ ENet",
  "/ js",
  "per call in, out",
  "per tick in, out",
  "RSS MiB",
  "client-ticks/s",
];

function rowCells(row: RowResult): string[] {
  if (row.cpuUsPerClientTick === null) return [`${row.name}: ${row.note}`];
  return [
    row.sameWork ? row.name : `${row.name} *`,
    figureText(row.cpuUsPerClientTick, 2),
    figureText(row.ratioToFloor, 2),
    fixed(row.ratioToEnet?.median, 2),
    fixed(row.ratioToJs?.median, 2),
    bothText(row.datagramsPerSyscall, 1),
    bothText(row.datagramsPerClientTick, 2),
    fixed(row.rssBytes === null ? null : row.rssBytes / 2 ** 20, 0),
    fixed(row.clientTicksPerSecond, 0),
  ];
}

/** The rows of one mode and number of peers. */
export function rowsText(rows: readonly RowResult[]): string {
  const first = rows[0];
  if (first === undefined) return "";
  const ticks = first.mode === "locked" ? `ticks at ${first.rateHz} Hz` : "flat out";
  const shown = rows.filter((row) => row.cpuUsPerClientTick !== null);
  const lines = [`${first.peers} peers, ${ticks}`, tableOf([HEADS, ...shown.map(rowCells)])];
  for (const row of rows) {
    if (row.note === null) continue;
    lines.push(`${row.cpuUsPerClientTick === null ? "  " : "  * "}${row.name}: ${row.note}`);
  }
  return lines.join("\n");
}

/** Pieces side by side, native and in JavaScript. */
export function microText(micro: readonly MicroResult[]): string {
  const cells: string[][] = [["piece", "native ns", "js ns", "native / js"]];
  for (const name of new Set(micro.map((result) => result.name))) {
    const of = (engine: string): Figure | null =>
      micro.find((result) => result.name === name && result.engine === engine)?.ns ?? null;
    const native = of("native");
    const js = of("js");
    const ratio = native === null || js === null ? null : native.median / js.median;
    cells.push([name, figureText(native, 0), figureText(js, 0), fixed(ratio, 2)]);
  }
  return `Single pieces\n${tableOf(cells)}`;
}

export function latencyText(latency: readonly LatencyResult[]): string {
  const cells: string[][] = [["echo, µs", "p50", "p99", "p99.9", "p99 over the floor"]];
  const missing: string[] = [];
  for (const { name, p50Us, p99Us, p999Us, addedP99Us, note } of latency) {
    if (p50Us === null) missing.push(`  ${name}: ${note}`);
    else {
      const quantiles = [p50Us, p99Us, p999Us, addedP99Us].map((us) => fixed(us, 0));
      cells.push([name, ...quantiles]);
    }
  }
  return ["Latency", tableOf(cells), ...missing].join("\n");
}

export function targetsText(targets: readonly TargetResult[]): string {
  const cells: string[][] = [["against", "target", "measured", ""]];
  for (const { against, target, measured, met, note } of targets) {
    const verdict = met === null ? "?" : met ? "met" : "NOT MET";
    cells.push([against, target, measured ?? "-", note === null ? verdict : `? ${note}`]);
  }
  return `Targets\n${tableOf(cells)}`;
}

export function noiseText(noise: Noise): string {
  const percent = (share: number | null): string =>
    share === null ? "?" : `${(100 * share).toFixed(1)} %`;
  return (
    `Noise: quartiles of the floor ${percent(noise.floorSpread)} apart, ` +
    `${percent(noise.stealShare)} of the cores' time taken by other guests, ` +
    `load ${noise.loadAtStart.toFixed(1)} at the start`
  );
}
