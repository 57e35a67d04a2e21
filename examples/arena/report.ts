/**
 * What a run looks like from outside: the live line, the summary, the JSON.
 *
 * Owns: measuring between two moments, and all formatting.
 * Never does: print; it returns text.
 */
import type { PeerStats, Strategy } from "../../lib/index.js";
import type { ArenaOptions } from "./options.js";
import { arena } from "./protocol.js";
import type { ArenaServer } from "./server.js";
import { type Counts, deliveredOf } from "./tally.js";

const NAMES = arena.channelNames;
const STRATEGIES = {
  realTime: "RealTime",
  timeSensitive: "TimeSensitive",
  reliable: "Reliable",
  critical: "Critical",
} as const satisfies Record<Strategy, string>;

/** Counts of a channel, over all senders and receivers. */
export interface ChannelReport {
  readonly strategy: (typeof STRATEGIES)[Strategy];
  /** Messages sent, once for each receiver. */
  readonly sent: number;
  readonly delivered: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly outOfOrder: number;
}

/** The object that `--json` prints. */
export interface Report {
  /** The server's. */
  readonly engine: "native" | "js";
  readonly node: string;
  readonly tickRate: number;
  /** Ticks that ran while it was measured. */
  readonly ticks: number;
  /** How late ticks began, in µs: 99 of 100 no later than this. */
  readonly tickSlipP99Us: number;
  readonly peers: number;
  /** Measured, from the moment when all clients were connected. */
  readonly seconds: number;
  readonly rttMsMedian: number;
  /** Lost packets of both directions, as the server's transport found out. */
  readonly lossPercent: number;
  /** At the server. */
  readonly datagramsPerSyscall: { readonly in: number; readonly out: number };
  /** CPU time of the server's process, the game included. */
  readonly cpuUsPerClientTick: number;
  readonly channels: Record<string, ChannelReport>;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Lost packets of both directions, in percent; a late ack is no loss. */
function lossPercentOf(peers: readonly PeerStats[]): number {
  let lost = 0;
  let all = 0;
  for (const peer of peers) {
    lost += peer.packetsLost - peer.packetsAckedLate + peer.packetsMissed;
    all += peer.packetsAcked + peer.packetsLost + peer.packetsReceived + peer.packetsMissed;
  }
  return all === 0 ? 0 : (100 * lost) / all;
}

/** A moment of the server; two of them make a measurement. */
export function takeSample(server: ArenaServer) {
  const peers = server.peers.map((peer) => peer.stats);
  return {
    atMs: performance.now(),
    cpu: process.cpuUsage(),
    ticks: server.ticks,
    slipUs: server.slip.takeRecentP99Us(),
    peers: peers.length,
    rttMs: median(peers.map((peer) => peer.rttMs)),
    lossPercent: lossPercentOf(peers),
    stats: server.stats,
  };
}

export type Sample = ReturnType<typeof takeSample>;

/** What was sent and what arrived, of one channel. */
export interface Outcome {
  readonly sent: number;
  readonly counts: readonly Counts[];
}

function channelReport(name: (typeof NAMES)[number], { sent, counts }: Outcome): ChannelReport {
  const sum = (read: (of: Counts) => number): number =>
    counts.reduce((total, of) => total + read(of), 0);
  const delivered = sum(deliveredOf);
  return {
    strategy: STRATEGIES[arena.channels[name].strategy],
    sent,
    delivered,
    lost: sent - delivered,
    duplicates: sum((of) => of.duplicates),
    outOfOrder: sum((of) => of.outOfOrder),
  };
}

export function makeReport(
  server: ArenaServer,
  options: ArenaOptions,
  begin: Sample,
  end: Sample,
  outcomes: Record<(typeof NAMES)[number], Outcome>,
): Report {
  const ticks = end.ticks - begin.ticks;
  const cpuUs = end.cpu.user - begin.cpu.user + end.cpu.system - begin.cpu.system;
  const { datagramsPerSyscall } = end.stats;
  return {
    engine: server.engine,
    node: process.version,
    tickRate: options.tickRate,
    ticks,
    tickSlipP99Us: server.slip.p99Us,
    peers: end.peers,
    // To 10 ms: a timer that asked for 5 s ends some hundred µs later.
    seconds: round((end.atMs - begin.atMs) / 1000, 2),
    rttMsMedian: round(end.rttMs, 2),
    lossPercent: round(end.lossPercent, 2),
    datagramsPerSyscall: {
      in: round(datagramsPerSyscall.in, 2),
      out: round(datagramsPerSyscall.out, 2),
    },
    cpuUsPerClientTick: ticks === 0 ? 0 : round(cpuUs / (options.clients * ticks), 2),
    channels: Object.fromEntries(
      NAMES.map((name) => [name, channelReport(name, outcomes[name])] as const),
    ),
  };
}

/** What a run did that no channel may do; empty when all is well. */
export function faultsOf(report: Report, damaged: number): string[] {
  const faults = damaged === 0 ? [] : [`${damaged} messages were damaged`];
  for (const [name, channel] of Object.entries(report.channels)) {
    const { strategy, lost, duplicates, outOfOrder } = channel;
    if (duplicates !== 0) faults.push(`${name}: ${duplicates} duplicates`);
    if (outOfOrder !== 0) faults.push(`${name}: ${outOfOrder} out of order`);
    const losesNone = strategy === "Reliable" || strategy === "Critical";
    if (lost < 0 || (losesNone && lost !== 0)) faults.push(`${name}: ${lost} lost`);
  }
  return faults;
}

// --- the live line ---

const pad = (value: number | string, width: number): string => String(value).padStart(width);

/** The heading of the live lines. */
export function liveHeading(): string {
  const channels = NAMES.map((name) => `${pad(`${name}/s`, 10)} ${pad("kbit/s", 7)}`).join("");
  return `${pad("s", 5)}${pad("ticks/s", 9)}${pad("slip p99", 11)}${pad("peers", 7)}${pad("RTT", 9)}${pad("loss", 8)}${channels}${pad("transport", 12)}`;
}

/** A second, from one sample to the next. */
export function liveLine(begin: Sample, last: Sample, now: Sample): string {
  const seconds = (now.atMs - last.atMs) / 1000;
  const columns = [
    pad(Math.round((now.atMs - begin.atMs) / 1000), 5),
    pad(((now.ticks - last.ticks) / seconds).toFixed(1), 9),
    pad(`${(now.slipUs / 1000).toFixed(2)} ms`, 11),
    pad(now.peers, 7),
    pad(`${now.rttMs.toFixed(1)} ms`, 9),
    pad(`${now.lossPercent.toFixed(1)} %`, 8),
  ];
  for (const name of NAMES) {
    const was = last.stats.channels[name];
    const is = now.stats.channels[name];
    const messages = is.sent + is.received - was.sent - was.received;
    const bytes = is.bytesSent + is.bytesReceived - was.bytesSent - was.bytesReceived;
    columns.push(pad(Math.round(messages / seconds), 10), " ");
    columns.push(pad(Math.round((bytes * 8) / 1000 / seconds), 7));
  }
  columns.push(pad(`${Math.round(transportUs(last, now))} µs`, 12));
  return columns.join("");
}

/** Time in the engine per tick; the statistics have its mean since the server opened. */
function transportUs(last: Sample, now: Sample): number {
  const total = ({ stats }: Sample): number => stats.transportUsPerTick * stats.ticks;
  const ticks = now.stats.ticks - last.stats.ticks;
  return ticks === 0 ? 0 : Math.max(0, (total(now) - total(last)) / ticks);
}

// --- the summary ---

const SUMMARY_COLUMNS = ["sent", "delivered", "lost", "duplicates", "outOfOrder"] as const;

export function summaryText(report: Report, options: ArenaOptions, clientEngine: string): string {
  const { lossPercent, rttMs, jitterMs } = options;
  const { datagramsPerSyscall: per } = report;
  const lines = [
    "",
    `${report.seconds} s, ${report.tickRate} Hz, server on the ${report.engine} engine, ${report.peers} clients on the ${clientEngine} engine`,
    `link: ${lossPercent} % loss each way, ${rttMs} ms RTT, ${jitterMs} ms jitter; measured: ${report.lossPercent} % loss, ${report.rttMsMedian} ms RTT`,
    `${report.ticks} ticks, ${(report.tickSlipP99Us / 1000).toFixed(2)} ms late at the most in 99 of 100`,
    `${report.cpuUsPerClientTick} µs of CPU per client and tick; datagrams per system call: ${per.in} in, ${per.out} out`,
    "",
    `${"channel".padEnd(9)}${"strategy".padEnd(15)}${SUMMARY_COLUMNS.map((name) => pad(name, 12)).join("")}`,
  ];
  for (const [name, channel] of Object.entries(report.channels)) {
    const counts = SUMMARY_COLUMNS.map((column) => pad(channel[column], 12)).join("");
    lines.push(`${name.padEnd(9)}${channel.strategy.padEnd(15)}${counts}`);
  }
  return lines.join("\n");
}
