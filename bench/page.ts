/*
 * The result as one page of HTML with plots, which opens from disk: no script, no font and no picture
 * from anywhere. The plots are SVG: bars with their quartiles, and cost against the number of peers.
 */
import type { Result } from "./bench.js";
import type { Figure } from "./figures.js";
import type { Mode } from "./options.js";
import type { RowResult } from "./rounds.js";
import { latencyText, microText, noiseText, rowsText, targetsText } from "./text.js";

const COLORS = [
  "#7f7f7f",
  "#d62728",
  "#ff7f0e",
  "#8c564b",
  "#e377c2",
  "#1f77b4",
  "#2ca02c",
  "#9467bd",
];
const BAR_HEIGHT = 22;
const LABEL_WIDTH = 190;
const PLOT_WIDTH = 620;
const CURVE_HEIGHT = 300;
const MARGIN = 50;

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** Of a row, the same in every plot. */
function colorOf(name: string, names: readonly string[]): string {
  return COLORS[Math.max(0, names.indexOf(name)) % COLORS.length] as string;
}

interface Measured extends RowResult {
  readonly cpuUsPerClientTick: Figure;
}

function measured(rows: readonly RowResult[]): Measured[] {
  return rows.filter((row): row is Measured => row.cpuUsPerClientTick !== null);
}

function bars(rows: readonly Measured[], names: readonly string[]): string {
  const most = Math.max(...rows.map(({ cpuUsPerClientTick: { q3 } }) => q3));
  const scale = (value: number): number => (value / most) * PLOT_WIDTH;
  const lines = rows.map((row, index) => {
    const { median, q1, q3 } = row.cpuUsPerClientTick;
    const top = index * BAR_HEIGHT;
    const middle = top + BAR_HEIGHT / 2 - 2;
    const opacity = row.sameWork ? 1 : 0.4;
    const label = `${row.name}${row.sameWork ? "" : " *"}`;
    const left = LABEL_WIDTH;
    return [
      `<text x="${left - 6}" y="${middle + 4}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${left}" y="${top}" width="${scale(median)}" height="${BAR_HEIGHT - 4}"`,
      ` fill="${colorOf(row.name, names)}" opacity="${opacity}"/>`,
      `<path d="M${left + scale(q1)} ${middle}H${left + scale(q3)}" class="quartiles"/>`,
      `<text x="${left + scale(q3) + 6}" y="${middle + 4}">${median.toFixed(2)}</text>`,
    ].join("");
  });
  const width = LABEL_WIDTH + PLOT_WIDTH + 70;
  return `<svg viewBox="0 0 ${width} ${rows.length * BAR_HEIGHT}">${lines.join("")}</svg>`;
}

/** Both axes are logarithmic: peers to the right, µs upward. */
function curve(rows: readonly Measured[], names: readonly string[]): string {
  const peers = rows.map((row) => Math.log10(row.peers));
  const costs = rows.map(({ cpuUsPerClientTick: { median } }) => Math.log10(median));
  const [left, right] = [Math.min(...peers), Math.max(...peers)];
  const [low, high] = [Math.min(...costs), Math.max(...costs)];
  if (left === right || low === high) return "";
  const x = (count: number): number =>
    MARGIN + ((Math.log10(count) - left) / (right - left)) * PLOT_WIDTH;
  const y = (us: number): number =>
    CURVE_HEIGHT - ((Math.log10(us) - low) / (high - low)) * CURVE_HEIGHT + 10;
  const parts: string[] = [];
  for (const count of new Set(rows.map((row) => row.peers))) {
    parts.push(`<path d="M${x(count)} 10V${CURVE_HEIGHT + 10}" class="grid"/>`);
    parts.push(`<text x="${x(count)}" y="${CURVE_HEIGHT + 28}" class="tick">${count}</text>`);
  }
  for (const us of [1, 2, 5, 10, 20, 50, 100, 200, 500]) {
    if (Math.log10(us) < low || Math.log10(us) > high) continue;
    parts.push(`<path d="M${MARGIN} ${y(us)}H${MARGIN + PLOT_WIDTH}" class="grid"/>`);
    parts.push(`<text x="${MARGIN - 6}" y="${y(us) + 4}" text-anchor="end">${us}</text>`);
  }
  for (const name of names) {
    const own = rows.filter((row) => row.name === name);
    if (own.length === 0) continue;
    const points = own.map((row) => `${x(row.peers)},${y(row.cpuUsPerClientTick.median)}`);
    const color = colorOf(name, names);
    parts.push(`<polyline points="${points.join(" ")}" stroke="${color}" class="curve"/>`);
    const last = own.at(-1) as Measured;
    const at = `x="${x(last.peers) + 6}" y="${y(last.cpuUsPerClientTick.median) + 4}"`;
    parts.push(`<text ${at} fill="${color}">${escaped(name)}</text>`);
  }
  const width = MARGIN + PLOT_WIDTH + 190;
  return `<svg viewBox="0 0 ${width} ${CURVE_HEIGHT + 40}">${parts.join("")}</svg>`;
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
svg { width: 100%; font: 12px system-ui, sans-serif; fill: currentColor; }
pre { overflow-x: auto; font-size: 12px; }
.quartiles { stroke: currentColor; stroke-width: 2; }
.grid { stroke: #8884; }
.curve { fill: none; stroke-width: 2; }
.tick { text-anchor: middle; }
:root { color-scheme: light dark; }`;

function sections(rows: readonly RowResult[], mode: Mode, names: readonly string[]): string[] {
  const ofMode = rows.filter((row) => row.mode === mode);
  if (ofMode.length === 0) return [];
  const title = mode === "locked" ? "Ticks at a rate" : "Flat out";
  const parts = [`<h2>${title}</h2>`, "<p>µs of server CPU per client and tick</p>"];
  const curves = curve(measured(ofMode), names);
  if (curves !== "") parts.push("<h3>Against the number of peers</h3>", curves);
  for (const peers of new Set(ofMode.map((row) => row.peers))) {
    const some = ofMode.filter((row) => row.peers === peers);
    parts.push(`<h3>${peers} peers</h3>`);
    if (measured(some).length > 0) parts.push(bars(measured(some), names));
    parts.push(
      `<details><summary>figures</summary><pre>${escaped(rowsText(some))}</pre></details>`,
    );
  }
  return parts;
}

/** The page. */
export function pageOf(result: Result): string {
  const { machine, rows } = result;
  const names = [...new Set(rows.map(({ name }) => name))];
  const pinned = machine.pinned ? "server and clients pinned to a core each" : "nothing pinned";
  const before = machine.priority ? ", both before other programs" : "";
  const about = `${machine.cpu}, ${machine.cores} cores, ${machine.system}, Node ${machine.node}`;
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width">',
    `<title>netrt: benchmark</title><style>${STYLE}</style></head><body>`,
    "<h1>netrt: benchmark</h1>",
    `<p>${escaped(`${about}; ciphers: ${machine.provider ?? "none"}; ${pinned}${before}.`)}</p>`,
    `<p>${escaped(noiseText(result.noise))}.</p>`,
    `<h2>Targets</h2><pre>${escaped(targetsText(result.targets))}</pre>`,
    ...sections(rows, "locked", names),
    ...sections(rows, "flat", names),
    result.latency.length === 0 ? "" : `<pre>${escaped(latencyText(result.latency))}</pre>`,
    result.micro.length === 0 ? "" : `<pre>${escaped(microText(result.micro))}</pre>`,
    "<p>A row with * did not do the same work. The lines in the bars join the quartiles.</p>",
    "</body></html>\n",
  ].join("\n");
}
