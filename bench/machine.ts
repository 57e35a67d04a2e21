/*
 * The machine that was measured on, and how much of it others took meanwhile.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import type { Place } from "./actor.js";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** The ciphers that the native engine found, where it runs. */
  readonly provider: string | null;
  /** Server and clients on a core each. */
  readonly pinned: boolean;
  /** Both before other programs. */
  readonly priority: boolean;
}

/** Where servers and where clients run. */
export interface Cores {
  readonly server: Place;
  readonly clients: Place;
}

function allowedCores(): number[] {
  try {
    const status = fs.readFileSync("/proc/self/status", "utf8");
    const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "";
    return list.split(",").flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
  } catch {
    return [];
  }
}

/** The last core for servers, the first for clients: the first one serves most interrupts. */
export function chooseCores(priority: boolean): Cores {
  const cores = allowedCores();
  const taskset = spawnSync("taskset", ["--version"], { stdio: "ignore" });
  const pins = cores.length >= 2 && taskset.error === undefined;
  const place = (core: number | undefined): Place => ({
    core: pins && core !== undefined ? core : null,
    priority,
  });
  return { server: place(cores.at(-1)), clients: place(cores[0]) };
}

export function describeMachine(cores: Cores, provider: string | null): Machine {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release().split("-")[0]} ${os.arch()}`,
    node: process.version,
    provider,
    pinned: cores.server.core !== null,
    priority: cores.server.priority,
  };
}

/** Seconds of all cores since the start of the machine: all, idle, and taken by other guests. */
interface CpuTimes {
  readonly all: number;
  readonly idle: number;
  readonly steal: number;
}

function cpuTimes(): CpuTimes | null {
  try {
    const line = fs.readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "";
    const times = line.trim().split(/\s+/).slice(1, 9).map(Number);
    const [, , , idle = 0, iowait = 0, , , steal = 0] = times;
    return { all: times.reduce((sum, time) => sum + time, 0), idle: idle + iowait, steal };
  } catch {
    return null;
  }
}

/** How noisy a run was. */
export interface Noise {
  /** Share of all cores' time that other guests of the host took; null where it is not told. */
  readonly stealShare: number | null;
  /** Share of all cores' time that was used, by the benchmark and by others. */
  readonly busyShare: number | null;
  /** Processes that wanted a core when the run began. */
  readonly loadAtStart: number;
  /** (q3 - q1) / median of the floor, the greatest of all its rows. */
  readonly floorSpread: number | null;
}

/** Watches the machine from now on. */
export function watchNoise(): (floorSpread: number | null) => Noise {
  const before = cpuTimes();
  const loadAtStart = os.loadavg()[0] ?? 0;
  return (floorSpread) => {
    const after = cpuTimes();
    const known = before !== null && after !== null && after.all > before.all;
    const all = known ? after.all - before.all : 0;
    return {
      stealShare: known ? (after.steal - before.steal) / all : null,
      busyShare: known ? 1 - (after.idle - before.idle) / all : null,
      loadAtStart,
      floorSpread,
    };
  };
}
