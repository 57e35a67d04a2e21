/*
 * The project's targets, each beside what this run measured for it. A target that was not measured says
 * why; none is judged by a row that did not do the same work.
 */
import type { IdleResult, RecoveryResult, TickerResult } from "./idle.js";
import type { LatencyResult } from "./latency.js";
import type { RowResult } from "./rounds.js";
import { DGRAM, ENET, FLOOR, JS, NATIVE, NATIVE_THREAD } from "./rows.js";
import type { TransferResult } from "./transfer.js";

export interface TargetResult {
  readonly against: string;
  readonly target: string;
  /** What was measured, as text with its unit; null where nothing was. */
  readonly measured: string | null;
  /** Null where nothing was measured, or only by rows of unequal work. */
  readonly met: boolean | null;
  readonly note: string | null;
}

export interface Measured {
  readonly rows: readonly RowResult[];
  readonly latency: readonly LatencyResult[];
  readonly idle: IdleResult | { readonly note: string } | null;
  readonly ticker: TickerResult | null;
  readonly recovery: RecoveryResult | null;
  readonly transfer: TransferResult | { readonly note: string } | null;
}

/** The numbers of peers at which the targets hold. */
const PEERS = [64, 256];
/** A floor that answers later than this waits for other programs, not for the kernel (µs). */
const IDLE_FLOOR_US_MAX = 300;

function rowOf(
  rows: readonly RowResult[],
  name: string,
  peers: number,
  mode: RowResult["mode"] = "locked",
): RowResult | undefined {
  return rows.find((row) => row.name === name && row.peers === peers && row.mode === mode);
}

function target(
  against: string,
  text: string,
  values: readonly { text: string; met: boolean; sound: boolean }[],
  missing: string,
): TargetResult {
  if (values.length === 0) {
    return { against, target: text, measured: null, met: null, note: missing };
  }
  const unsound = values.filter(({ sound }) => !sound);
  return {
    against,
    target: text,
    measured: values.map((value) => value.text).join(", "),
    met: unsound.length > 0 ? null : values.every(({ met }) => met),
    note: unsound.length > 0 ? "a row did not do the same work" : null,
  };
}

type RatioName = "ratioToFloor" | "ratioToEnet" | "ratioToJs" | "ratioToDgram";

/** A ratio of the native row at each number of peers. */
function ratioTarget(
  { rows }: Measured,
  against: string,
  base: string,
  ratio: RatioName,
  most: number,
): TargetResult {
  const values = PEERS.flatMap((peers) => {
    const row = rowOf(rows, NATIVE, peers);
    const figure = row?.[ratio];
    if (row === undefined || figure === null || figure === undefined) return [];
    const sound = row.sameWork && (rowOf(rows, base, peers)?.sameWork ?? false);
    const mark = sound ? "" : "*";
    return {
      text: `${figure.median.toFixed(2)}${mark} at ${peers}`,
      met: figure.median <= most,
      sound,
    };
  });
  return target(against, `≤ ${most} ×`, values, "not in this run");
}

function threadTarget({ rows }: Measured): TargetResult {
  const values = PEERS.flatMap((peers) => {
    const row = rowOf(rows, NATIVE_THREAD, peers);
    const us = row?.threadUsPerClientTick?.median;
    if (row === undefined || us === undefined) return [];
    return { text: `${us.toFixed(2)} µs at ${peers}`, met: us <= 0.5, sound: row.sameWork };
  });
  const note = rowOf(rows, NATIVE_THREAD, 64)?.note ?? "not in this run";
  return target("JavaScript thread, I/O thread on", "≤ 0.5 µs", values, note);
}

/** Ticks of 64 and of 4,000 peers are compared flat out: no rate fits both. */
function growthTarget({ rows }: Measured): TargetResult {
  const few = rowOf(rows, NATIVE, 64, "flat");
  const many = rowOf(rows, NATIVE, 4000, "flat");
  const fewUs = few?.cpuUsPerClientTick?.median;
  const manyUs = many?.cpuUsPerClientTick?.median;
  const values =
    few === undefined || many === undefined || fewUs === undefined || manyUs === undefined
      ? []
      : [
          {
            text: `${(manyUs / fewUs).toFixed(2)} flat out`,
            met: manyUs / fewUs <= 1.25,
            sound: few.sameWork && many.sameWork,
          },
        ];
  return target("cost from 64 to 4,000 peers", "≤ 1.25 ×", values, "not in this run");
}

function idleTarget({ idle }: Measured): TargetResult {
  const against = "10,000 idle peers";
  const text = "≤ 3 % of a core, ≤ 16 KiB each";
  if (idle === null || !("cpuShare" in idle)) {
    return target(against, text, [], idle?.note ?? "not in this run");
  }
  const { peers, cpuShare, rssBytesPerPeer } = idle;
  const share = `${(100 * cpuShare).toFixed(1)} %, ${(rssBytesPerPeer / 1024).toFixed(1)} KiB`;
  const met = cpuShare <= 0.03 && rssBytesPerPeer <= 16 * 1024;
  const value = { text: `${share} with ${peers}`, met, sound: peers === 10_000 };
  const result = target(against, text, [value], "");
  return peers === 10_000 ? result : { ...result, note: `only ${peers} peers in this run` };
}

function heapTarget({ rows }: Measured): TargetResult {
  const values = PEERS.flatMap((peers) => {
    const row = rowOf(rows, NATIVE, peers);
    const bytes = row?.heapBytesPerMessage ?? null;
    if (row === undefined || bytes === null) return [];
    return { text: `${bytes.toFixed(0)} B at ${peers}`, met: bytes < 1, sound: row.sameWork };
  });
  return target("JavaScript heap per message", "0 B", values, "not in this run");
}

function batchTarget({ rows }: Measured): TargetResult {
  const row = rowOf(rows, NATIVE, 256);
  const batch = row?.datagramsPerSyscall ?? null;
  const values =
    row === undefined || batch === null
      ? []
      : [
          {
            text: `${batch.in.toFixed(0)} in, ${batch.out.toFixed(0)} out`,
            met: batch.in >= 32 && batch.out >= 32,
            sound: row.sameWork,
          },
        ];
  return target("datagrams per system call at 256 peers", "≥ 32", values, "not in this run");
}

/** Why waits say nothing in this run; null on an idle machine. */
function busyNote({ latency }: Measured): string | null {
  const floor = latency.find(({ name }) => name === FLOOR)?.p99Us ?? null;
  if (floor === null || floor <= IDLE_FLOOR_US_MAX) return null;
  return `the machine is not idle: p99 of the floor's echo is ${floor.toFixed(0)} µs`;
}

/** A target of a wait, which a busy machine can't be judged by. */
function waitTarget(
  measured: Measured,
  against: string,
  text: string,
  value: { text: string; met: boolean },
): TargetResult {
  const busy = busyNote(measured);
  const result = target(against, text, [{ ...value, sound: busy === null }], "");
  return busy === null ? result : { ...result, note: busy };
}

function latencyTarget(measured: Measured): TargetResult {
  const native = measured.latency.find(({ name }) => name === NATIVE);
  const added = native?.addedP99Us ?? null;
  const against = "latency added over the floor, p99";
  const missing = native?.note ?? "not in this run";
  if (added === null) return target(against, "≤ 100 µs", [], missing);
  const value = { text: `${added.toFixed(0)} µs`, met: added <= 100 };
  return waitTarget(measured, against, "≤ 100 µs", value);
}

function tickerTarget(measured: Measured): TargetResult {
  const against = "128 Hz ticker, slip p99";
  const text = "≤ 250 µs, no drift";
  if (measured.ticker === null) return target(against, text, [], "not in this run");
  const { slipP99Us, driftTicks, seconds } = measured.ticker;
  const drift = `${driftTicks.toFixed(1)} ticks off in ${seconds.toFixed(0)} s`;
  const met = slipP99Us <= 250 && Math.abs(driftTicks) <= 2;
  return waitTarget(measured, against, text, { text: `${slipP99Us} µs, ${drift}`, met });
}

function recoveryTarget({ recovery }: Measured): TargetResult {
  const against = "a lost reliable message at 5 % loss, p99";
  const text = "≤ 1 RTT + 1 tick";
  if (recovery === null) return target(against, text, [], "not in this run");
  const { count, p50Us, p99Us, rateHz } = recovery;
  const tickMs = 1000 / rateHz;
  const ms = (us: number): string => (us / 1000).toFixed(1);
  // Loopback has no round trip to speak of; half a millisecond is how often the clients look.
  const met = p99Us / 1000 <= tickMs + 1;
  const measured = `${ms(p99Us)} ms (median ${ms(p50Us)}, ${count} lost) of ${tickMs.toFixed(1)}`;
  return target(against, text, [{ text: measured, met, sound: true }], "");
}

function transferTarget({ transfer }: Measured): TargetResult {
  const against = "16 MiB over 20 Mbit/s, 50 ms RTT, 1 % loss";
  const text = "≥ 85 %, state ≤ 10 ms later";
  if (transfer === null || !("linkShare" in transfer)) {
    return target(against, text, [], transfer?.note ?? "not in this run");
  }
  const { bytes, linkShare, stateDelayMs, idleP99Ms, note } = transfer;
  const mib = (bytes / 2 ** 20).toFixed(0);
  const measured =
    `${(100 * linkShare).toFixed(0)} %, state p99 ${stateDelayMs.toFixed(1)} ms later than ` +
    `${idleP99Ms.toFixed(1)} (${mib} MiB)`;
  const met = linkShare >= 0.85 && stateDelayMs <= 10;
  return { ...target(against, text, [{ text: measured, met, sound: true }], ""), note };
}

/** All targets, in their order. */
export function judgeTargets(measured: Measured): TargetResult[] {
  return [
    ratioTarget(measured, "the floor: raw recvmmsg/sendmmsg", FLOOR, "ratioToFloor", 1.35),
    ratioTarget(measured, "ENet in C, without encryption", ENET, "ratioToEnet", 0.85),
    target("yojimbo in C++, encrypted", "≤ 0.33 ×", [], "no row: no Debian package has it"),
    ratioTarget(measured, "netrt's JavaScript engine", JS, "ratioToJs", 0.15),
    ratioTarget(measured, "node:dgram alone", DGRAM, "ratioToDgram", 0.5),
    threadTarget(measured),
    growthTarget(measured),
    idleTarget(measured),
    heapTarget(measured),
    batchTarget(measured),
    latencyTarget(measured),
    tickerTarget(measured),
    recoveryTarget(measured),
    transferTarget(measured),
  ];
}
