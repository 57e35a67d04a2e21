// cell: one strategy under one weather: a connection, a steady stream both ways, then good weather
// until nothing is left; and what came of it.
//
// Owns the course of a cell and its figures. Never judges them (contract does).
// The connection is made in good weather with the cell's delay: what a strategy promises begins there.
import {
  FATE_DELIVERED,
  FATE_DROPPED,
  FATE_EXPIRED,
  FATE_LOST,
  FATE_SUPERSEDED,
} from "../../lib/engine/channel.js";
import { messageFrameBytes } from "../../lib/engine/frame.js";
import {
  CHANNEL_COPIES,
  PEER_COPY_BYTES,
  statsChannelWord,
  statsPeerWord,
} from "../../lib/engine/stats.js";
import type { ChannelPolicy } from "../../lib/policy.js";
import { defineProtocol } from "../../lib/protocol.js";
import type { BurstLoss, LinkOptions } from "../../lib/sim/link.js";
import { Flow, type FlowEnd, FlowEndpoint, flowsRun } from "../sim/flow.js";
import { type EngineName, Rig } from "../sim/rig.js";

/** Messages a second, each way. */
export const HZ = 60;
export const TICK_US = 1_000_000 / HZ;
/** Bytes of a message. */
export const MESSAGE_BYTES = 200;
/** A datagram that is reordered is held so long: one or two of its successors overtake it. */
export const REORDER_US = 25_000;
/** The round-trip time must be known and copies must adapt before anything is measured. */
const WARM_US = 2_000_000;
/** Time for what is under way when the weather is good again: several of the longest time-outs. */
const SETTLE_US = 60_000_000;
const CONNECT_US = 10_000_000;

export interface Weather {
  /** Percent, or bursts. */
  readonly loss: number | BurstLoss;
  readonly rttMs: number;
  readonly reorderPercent: number;
  readonly duplicatePercent: number;
}

export interface CellOptions {
  readonly policy: ChannelPolicy;
  readonly weather: Weather;
  readonly seed: number;
  readonly engine: EngineName;
  /** Of measurement, in seconds. */
  readonly seconds: number;
  readonly messageBytes?: number;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface CellResult {
  /** Messages that the engine took, and what their senders were told. */
  readonly sent: number;
  readonly refused: number;
  readonly arrived: number;
  readonly delivered: number;
  readonly expired: number;
  readonly superseded: number;
  readonly lost: number;
  readonly dropped: number;
  readonly unknown: number;
  /** Reported expired, lost or dropped, and arrived all the same. */
  readonly misreported: number;
  /** Neither arrived nor reported. */
  readonly silent: number;
  readonly duplicates: number;
  readonly disordered: number;
  readonly corrupted: number;
  readonly fatesWrong: number;
  /** From `send` to the handler, in ms; of the measured time alone. */
  readonly latency: Latency;
  /** Share of the measured messages that arrived. */
  readonly arrivedShare: number;
  /** The same within the channel's expiry, where it has one. */
  readonly timelyShare: number;
  /** Arrived later than the channel's expiry. */
  readonly late: number;
  /** Bytes of datagrams for each byte of messages; copies in left-over room apart. */
  readonly overhead: number;
  /** Bytes of copies in left-over room (redundancy low) for each byte of messages. */
  readonly spareOverhead: number;
  readonly copies: number;
  /** How the connection ended, if it did, on the server and on the client. */
  readonly ends: readonly (FlowEnd | null)[];
}

export function linkOf(weather: Weather): LinkOptions {
  const { loss, rttMs, reorderPercent, duplicatePercent } = weather;
  return {
    loss,
    delayUs: rttMs * 500,
    reorderPercent,
    reorderUs: REORDER_US,
    duplicatePercent,
  };
}

/** The share of sorted values below the answer. */
export function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

export function latencyOf(values: number[]): Latency {
  values.sort((left, right) => left - right);
  const ms = (us: number) => us / 1000;
  return {
    p50: ms(quantile(values, 0.5)),
    p99: ms(quantile(values, 0.99)),
    max: ms(values.at(-1) ?? Number.NaN),
  };
}

/** A connection of one channel, both ends of it, and a flow each way; connected. */
export class Pairing {
  readonly rig: Rig;
  readonly server: FlowEndpoint;
  readonly client: FlowEndpoint;
  readonly flows: readonly Flow[];

  constructor(options: CellOptions) {
    const { policy, weather, seed, engine, messageBytes = MESSAGE_BYTES } = options;
    const protocol = defineProtocol("matrix/1", { stream: policy });
    this.rig = new Rig({
      seed,
      protocol,
      serverEngine: engine,
      clientEngine: engine,
      link: { delayUs: weather.rttMs * 500 },
    });
    const { rig } = this;
    this.server = new FlowEndpoint(rig, rig.server);
    this.client = new FlowEndpoint(rig, rig.hosts[1]);
    rig.server.users[0] = this.server;
    rig.hosts[1].users[0] = this.client;
    this.flows = [
      new Flow(this.client, this.server, 0, messageBytes),
      new Flow(this.server, this.client, 0, messageBytes),
    ];
    rig.connect(1);
    const untilUs = rig.nowUs + CONNECT_US;
    while (!(this.server.live && this.client.live) && rig.nowUs < untilUs) {
      rig.run(rig.nowUs + 100_000);
    }
    if (!this.server.live || !this.client.live) throw new Error("no connection in good weather");
  }

  /** Good weather until every message has its fate, and every gap its end. */
  settle(delayUs: number): void {
    const { rig, flows } = this;
    rig.weather({ delayUs });
    const untilUs = rig.nowUs + SETTLE_US;
    const waits = () => flows.some((flow) => flow.from.live && flow.pending > 0);
    while (waits() && rig.nowUs < untilUs) rig.run(rig.nowUs + 100_000);
    // A skip may still be under way, and a gap that only time ends.
    rig.run(rig.nowUs + 12_000_000);
  }
}

interface Spent {
  readonly bytes: number;
  readonly copyBytes: number;
  readonly copies: number;
  readonly messages: number;
}

function spent({ rig, server, client, flows }: Pairing, messageBytes: number): Spent {
  let copyBytes = 0;
  let copies = 0;
  for (const { host, handle } of [server, client]) {
    const { page } = host.host;
    copyBytes += page[statsPeerWord(handle & 0xffff) + PEER_COPY_BYTES];
    copies += page[statsChannelWord(0, CHANNEL_COPIES)];
  }
  copyBytes += copies * (messageFrameBytes(messageBytes) - messageBytes);
  const messages = flows.reduce((sum, flow) => sum + flow.sentUs.length, 0);
  return { bytes: rig.bytes, copyBytes, copies, messages };
}

/** Runs a cell. */
export function cellRun(options: CellOptions): CellResult {
  const { weather, seconds, policy, messageBytes = MESSAGE_BYTES } = options;
  const pairing = new Pairing(options);
  const { rig, flows } = pairing;
  rig.weather(linkOf(weather));
  const measuredUs = rig.nowUs + WARM_US;
  const before = spent(pairing, messageBytes);
  flowsRun(rig, flows, HZ, measuredUs + seconds * 1_000_000);
  const after = spent(pairing, messageBytes);
  pairing.settle(weather.rttMs * 500);
  rig.close();
  const low = policy.redundancy === "low";
  const copyBytes = low ? after.copyBytes - before.copyBytes : 0;
  const payload = (after.messages - before.messages) * messageBytes;
  return {
    ...books(flows, policy, !(pairing.server.live && pairing.client.live)),
    ...timing(flows, measuredUs, expiryUs(policy)),
    overhead: (after.bytes - before.bytes - copyBytes) / payload,
    spareOverhead: copyBytes / payload,
    copies: after.copies - before.copies,
    ends: [pairing.server.end, pairing.client.end],
  };
}

/** How long a message of the policy is of interest, in µs; Infinity where nothing says so. */
export function expiryUs(policy: ChannelPolicy): number {
  const { expiry } = policy;
  if (typeof expiry === "number") return expiry * 1000;
  if (expiry === "short") return 200_000;
  return expiry === "long" ? 10_000_000 : Number.POSITIVE_INFINITY;
}

function books(flows: readonly Flow[], policy: ChannelPolicy, ended: boolean) {
  const sum = (count: (flow: Flow) => number) =>
    flows.reduce((total, flow) => total + count(flow), 0);
  const fates = (wanted: number) =>
    sum((flow) => flow.fates.filter((fate) => fate === wanted).length);
  const broken = new Set([FATE_EXPIRED, FATE_DROPPED, FATE_LOST]);
  return {
    sent: sum((flow) => flow.sentUs.length),
    refused: sum((flow) => flow.refused),
    arrived: sum((flow) => flow.arrivedUs.filter((us) => us >= 0).length),
    delivered: fates(FATE_DELIVERED),
    expired: fates(FATE_EXPIRED),
    superseded: fates(FATE_SUPERSEDED),
    lost: fates(FATE_LOST),
    dropped: fates(FATE_DROPPED),
    unknown: fates(0),
    misreported: sum(
      (flow) => flow.fates.filter((fate, at) => broken.has(fate) && flow.arrivedUs[at] >= 0).length,
    ),
    // What an end holds behind a gap goes with its connection, whose end was told.
    silent: policy.repair === "none" || ended ? 0 : sum((flow) => flow.silent()),
    duplicates: sum((flow) => flow.duplicates),
    disordered: sum((flow) => flow.disordered),
    corrupted: sum((flow) => flow.corrupted),
    fatesWrong: sum((flow) => flow.fatesWrong),
  };
}

function timing(flows: readonly Flow[], fromUs: number, limitUs: number) {
  const latencies: number[] = [];
  let sent = 0;
  let late = 0;
  for (const flow of flows) {
    for (const [index, sentUs] of flow.sentUs.entries()) {
      const latency = flow.arrivedUs[index] - sentUs;
      const arrived = flow.arrivedUs[index] >= 0;
      if (arrived && latency > limitUs) late += 1;
      if (sentUs < fromUs) continue;
      sent += 1;
      if (arrived) latencies.push(latency);
    }
  }
  const timely = latencies.filter((latency) => latency <= limitUs).length;
  return {
    latency: latencyOf(latencies),
    arrivedShare: latencies.length / sent,
    timelyShare: timely / sent,
    late,
  };
}
