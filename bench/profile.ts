/*
 * Where a server's time goes, by function: `npm run bench -- --profile`. Needs Linux's perf.
 *
 * The row runs locked, as in the table, while perf samples it; each share is given in µs per client-tick
 * of the same block, so that it can be held against the table.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Cores } from "./machine.js";
import type { Options } from "./options.js";
import { rateFor } from "./rounds.js";
import type { Row } from "./rows.js";
import { fixed, tableOf } from "./text.js";
import { Trial, warmUp } from "./trial.js";

export interface ProfiledFunction {
  readonly part: string;
  readonly name: string;
  readonly share: number;
  readonly usPerClientTick: number;
}

export interface Profile {
  readonly name: string;
  readonly peers: number;
  readonly cpuUsPerClientTick: number;
  /** Parts of the whole, the greatest first. */
  readonly parts: readonly ProfiledFunction[];
  readonly functions: readonly ProfiledFunction[];
}

const SAMPLES_HZ = 4000;
const FUNCTIONS_MAX = 40;
const CIPHER = /chacha|poly1305|crypto_|stream_ietf|sodium|aes|gcm|ghash|EVP_/i;

/** Which part of the whole a function belongs to. */
function partOf(object: string, name: string): string {
  if (/kernel|^\[k\]|\.ko/.test(object)) return "kernel";
  if (CIPHER.test(name)) return "ciphers";
  if (/netrt.*\.node/.test(object)) return "core and addon (C++)";
  if (/^lib(c|pthread|m)[.-]/.test(object)) return "C library";
  if (/perf-\d+\.map|JIT|anon|unknown/.test(object)) return "compiled JavaScript";
  return object === "node" ? "Node and V8" : object;
}

/** Lines `share|object|symbol` of perf's report. */
export function parseReport(text: string, cpuUsPerClientTick: number): ProfiledFunction[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*([\d.]+)%\s*\|\s*([^|]*?)\s*\|\s*(?:\[[.k]\]\s*)?(.*?)\s*$/.exec(line);
    if (match === null) return [];
    const [, percent, object = "", symbol = ""] = match;
    const share = Number(percent) / 100;
    const name = symbol.replace(/\(anonymous namespace\)::/g, "").replace(/^netrt::/, "");
    const part = partOf(object, symbol);
    return [{ part, name, share, usPerClientTick: share * cpuUsPerClientTick }];
  });
}

function partsOf(functions: readonly ProfiledFunction[]): ProfiledFunction[] {
  const parts = new Map<string, ProfiledFunction>();
  for (const { part, share, usPerClientTick } of functions) {
    const sum = parts.get(part) ?? { part, name: "", share: 0, usPerClientTick: 0 };
    const us = sum.usPerClientTick + usPerClientTick;
    parts.set(part, { ...sum, share: sum.share + share, usPerClientTick: us });
  }
  return [...parts.values()].sort((a, b) => b.share - a.share);
}

/** JavaScript's functions get names for perf. */
function withNames(row: Row): Row {
  const [program, ...args] = row.server;
  return program === process.execPath
    ? { ...row, server: [program, "--perf-basic-prof", ...args] }
    : row;
}

/** Samples one row for some seconds. @throws Error where perf does not run */
export async function profileRow(
  row: Row,
  peers: number,
  options: Options,
  cores: Cores,
): Promise<Profile> {
  const { inputBytes, stateBytes, reliableBytes, lossPercent } = options;
  const sizes = { inputBytes, stateBytes, reliableBytes, lossPercent };
  const asked = { mode: "locked", peers, rateHz: rateFor(options, "locked", peers), ...sizes };
  const seconds = options.quick ? 3 : 10;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-bench-"));
  const file = path.join(folder, "perf");
  const trial = await Trial.start(withNames(row), asked, cores);
  try {
    await warmUp([trial], 5000);
    trial.begin();
    const record = ["record", "-q", "-e", "cpu-clock", "-F", `${SAMPLES_HZ}`, "-o", file];
    const perf = spawn(
      "perf",
      [...record, "-p", `${trial.serverPid}`, "--", "sleep", `${seconds}`],
      {
        stdio: "ignore",
      },
    );
    const ended = once(perf, "exit");
    const { server } = await trial.measure(seconds * 1000);
    await ended;
    const report = ["report", "-i", file, "--stdio", "--no-children", "-t", "|"];
    const { stdout } = spawnSync("perf", [...report, "-F", "overhead,dso,sym"], {
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    const cpuUsPerClientTick = (server.cpuUs ?? 0) / (server.states ?? 1);
    const functions = parseReport(stdout, cpuUsPerClientTick);
    if (functions.length === 0) throw new Error("perf took no samples");
    return {
      name: row.name,
      peers,
      cpuUsPerClientTick,
      parts: partsOf(functions),
      functions: functions.slice(0, FUNCTIONS_MAX),
    };
  } finally {
    await trial.stop();
    fs.rmSync(folder, { recursive: true });
    // Where Node puts the names of its functions, for perf to find.
    fs.rmSync(`/tmp/perf-${trial.serverPid}.map`, { force: true });
  }
}

export function profileText(profile: Profile): string {
  const { name, peers, cpuUsPerClientTick: us } = profile;
  const cells = (rows: readonly ProfiledFunction[], of: "part" | "name"): string[][] =>
    rows.map((row) => [
      row[of],
      `${(100 * row.share).toFixed(1)} %`,
      fixed(row.usPerClientTick, 2),
      of === "name" ? row.part : "",
    ]);
  return [
    `${name}, ${peers} peers: ${us.toFixed(2)} µs per client-tick`,
    tableOf([["part", "share", "µs", ""], ...cells(profile.parts, "part")]),
    "",
    tableOf([["function", "share", "µs", "part"], ...cells(profile.functions, "name")]),
  ].join("\n");
}
