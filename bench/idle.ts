/*
 * What netrt costs without traffic of its own: connected peers that are silent, and the precision of
 * its ticks; and how soon a lost reliable message is there.
 */
import { Actor } from "./actor.js";
import type { Cores } from "./machine.js";
import type { Options } from "./options.js";
import type { Row } from "./rows.js";
import { type Block, Trial, type TrialOptions } from "./trial.js";

export interface IdleResult {
  readonly peers: number;
  /** Share of one core. */
  readonly cpuShare: number;
  /** Resident memory of the server for each peer, what a server without peers has taken off. */
  readonly rssBytesPerPeer: number;
  /** Datagrams of a peer in a second, both ways. */
  readonly datagramsPerPeerSecond: number;
  readonly note: string | null;
}

export interface TickerResult {
  readonly rateHz: number;
  readonly seconds: number;
  readonly slipP99Us: number;
  /** How far the number of ticks is from what the clock says, in ticks. */
  readonly driftTicks: number;
}

export interface RecoveryResult {
  readonly lossPercent: number;
  readonly rateHz: number;
  /** Reliable messages that were late, and so lost at first. */
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const IDLE_PEERS = 10_000;
const IDLE_PEERS_QUICK = 1000;
/** Ticks of the server while its peers are idle. */
const IDLE_HZ = 60;
const TICKER_HZ = 128;
const RECOVERY_LOSS_PERCENT = 5;
const RECOVERY_PEERS = 64;
const RECOVERY_HZ = 60;

function trialOptions(
  options: Options,
  peers: number,
  rateHz: number,
): TrialOptions & { mode: string } {
  const { inputBytes, stateBytes, reliableBytes } = options;
  return { mode: "locked", peers, rateHz, inputBytes, stateBytes, reliableBytes, lossPercent: 0 };
}

function numberAt(block: Block, name: string): number {
  return block.server[name] ?? 0;
}

/** Resident memory of the row's server with room for one peer and none connected. */
async function emptyRss(row: Row, cores: Cores): Promise<number> {
  const [program, ...args] = row.server;
  const secret = ["--secret", "00".repeat(32)];
  const server = new Actor(program, [...args, ...secret, "--peers", "1"], cores.server);
  try {
    await server.next();
    return Number((await server.mark()).rssBytes);
  } finally {
    await server.end();
  }
}

/** Peers that say nothing, or why it did not work. */
export async function runIdle(
  row: Row,
  options: Options,
  cores: Cores,
): Promise<IdleResult | { note: string }> {
  if (row.missing !== null) return { note: row.missing };
  const peers = options.quick ? IDLE_PEERS_QUICK : IDLE_PEERS;
  const asked = { ...trialOptions(options, peers, IDLE_HZ), clientMode: "idle" };
  let trial: Trial | null = null;
  try {
    const before = await emptyRss(row, cores);
    trial = await Trial.start(row, asked, cores);
    // Nobody says `go`: pings are all there is, and they become fewer.
    await new Promise((resolve) => setTimeout(resolve, options.quick ? 1000 : 8000));
    const block = await trial.measure(options.quick ? 1000 : 10_000);
    const datagrams = numberAt(block, "datagramsIn") + numberAt(block, "datagramsOut");
    const connected = Number(block.serverLine.peers);
    return {
      peers,
      cpuShare: numberAt(block, "cpuUs") / (block.ms * 1000),
      rssBytesPerPeer: (Number(block.serverLine.rssBytes) - before) / peers,
      datagramsPerPeerSecond: datagrams / peers / (block.ms / 1000),
      note: connected === peers ? null : `only ${connected} stayed connected`,
    };
  } catch (error) {
    return { note: `did not start: ${(error as Error).message}` };
  } finally {
    await trial?.stop();
  }
}

/** Ticks of a server with one peer. */
export async function runTicker(
  row: Row,
  options: Options,
  cores: Cores,
): Promise<TickerResult | null> {
  if (row.missing !== null) return null;
  const asked = trialOptions(options, 1, TICKER_HZ);
  const trial = await Trial.start(row, asked, cores);
  try {
    trial.begin();
    // The histogram of slips can't be set back: what the start took stays in it.
    const block = await trial.measure(options.quick ? 2000 : 20_000);
    const stats = block.serverLine.stats as { readonly tickSlipP99Us: number };
    const seconds = numberAt(block, "nowUs") / 1e6;
    return {
      rateHz: TICKER_HZ,
      seconds,
      slipP99Us: stats.tickSlipP99Us,
      driftTicks: numberAt(block, "ticks") - seconds * TICKER_HZ,
    };
  } finally {
    await trial.stop();
  }
}

/** Reliable messages over a link that loses some. */
export async function runRecovery(
  row: Row,
  options: Options,
  cores: Cores,
): Promise<RecoveryResult | null> {
  if (row.missing !== null) return null;
  const asked = {
    ...trialOptions(options, RECOVERY_PEERS, RECOVERY_HZ),
    clientMode: "watch",
    lossPercent: RECOVERY_LOSS_PERCENT,
  };
  const trial = await Trial.start(row, asked, cores);
  try {
    const { clientLine } = await trial.block(700, options.quick ? 1500 : 15_000);
    const late = clientLine.repairedUs as { count: number; p50: number; p99: number };
    return {
      lossPercent: RECOVERY_LOSS_PERCENT,
      rateHz: RECOVERY_HZ,
      count: late.count,
      p50Us: late.p50,
      p99Us: late.p99,
    };
  } finally {
    await trial.stop();
  }
}
