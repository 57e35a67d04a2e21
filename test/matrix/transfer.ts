// transfer: a block of 16 MiB through one link with a rate, a queue and losses, beside a steady real-time state:
// how much of the link it gets, and what the state waits longer for it.
//
// Owns the course and what is measured. Never wants a figure: figures does.
// The block goes the way of `sendBlock`: lib's sender feeds the engine, lib's assembly puts it together.
import { Assembly, type Fragment } from "../../lib/assembly.js";
import { BlockSender } from "../../lib/block.js";
import { QUEUE_BYTES_DEFAULT } from "../../lib/configure.js";
import { ringPublish, ringPush } from "../../lib/engine/ring.js";
import { statsPeerWord } from "../../lib/engine/stats.js";
import { defineProtocol } from "../../lib/protocol.js";
import { realTime, reliable } from "../../lib/strategy.js";
import { Flow, FlowEndpoint } from "../sim/flow.js";
import { type EngineName, Rig, type RigHost } from "../sim/rig.js";
import { HZ, quantile } from "./cell.js";

export interface TransferOptions {
  readonly blockBytes: number;
  /** Bytes a second; a tenth of a second of it fits in the link's queue. */
  readonly rateBytes: number;
  readonly rttMs: number;
  readonly lossPercent: number;
}

export interface TransferResult {
  /** Of the link, headers and all, what the block's bytes took until it was whole. */
  readonly share: number;
  readonly seconds: number;
  readonly whole: boolean;
  /** From `send` to the handler, in ms: of the states before, as long as the block took, and beside it. */
  readonly idleP99: number;
  readonly stateP99: number;
  readonly idleP50: number;
  readonly stateP50: number;
}

const STATE = 0;
const BLOCK = 1;
const STATE_BYTES = 200;
const STEP_US = 1000;
const LONGEST_US = 120_000_000;

/** A sender whose driver is a host of the rig. */
function blockSender(host: RigHost, handle: number): BlockSender {
  const { page, out } = host.host;
  const outlet = {
    page,
    submission: out,
    push: (kind: number, bytes: number) => ringPush(out, kind, bytes),
    submitted: () => {
      ringPublish(out);
      host.due = true;
      host.flushing = true;
    },
  };
  return new BlockSender(outlet, handle, statsPeerWord(handle & 0xffff), QUEUE_BYTES_DEFAULT);
}

/** Sends states until then, and what is asked for after each step. */
function statesRun(rig: Rig, state: Flow, done: () => boolean, turned: () => void): number {
  const startUs = rig.nowUs;
  const untilUs = startUs + LONGEST_US;
  let tick = 0;
  while (!done() && rig.nowUs < untilUs) {
    if (rig.nowUs >= startUs + Math.round((tick * 1_000_000) / HZ)) {
      state.send(rig.nowUs);
      tick += 1;
    }
    turned();
    rig.run(rig.nowUs + STEP_US);
  }
  return rig.nowUs - startUs;
}

function waits(state: Flow, fromUs: number, untilUs: number): number[] {
  const all = state.sentUs.flatMap((sentUs, index) => {
    const measured = sentUs >= fromUs && sentUs < untilUs && state.arrivedUs[index] >= 0;
    return measured ? [(state.arrivedUs[index] - sentUs) / 1000] : [];
  });
  return all.sort((left, right) => left - right);
}

/** Transfers one block, then lets the states go alone for as long. */
export function transferRun(
  engine: EngineName,
  seed: number,
  options: TransferOptions,
): TransferResult {
  const { blockBytes, rateBytes, rttMs, lossPercent } = options;
  const protocol = defineProtocol("transfer/1", {
    state: realTime(),
    block: reliable({ blockBytesMax: blockBytes }),
  });
  const delayUs = rttMs * 500;
  const link = { delayUs, rateBytes, queueBytesMax: rateBytes / 10, loss: lossPercent };
  const rig = new Rig({ seed, protocol, serverEngine: engine, clientEngine: engine, link });
  const server = new FlowEndpoint(rig, rig.server);
  const client = new FlowEndpoint(rig, rig.hosts[1]);
  rig.server.users[0] = server;
  rig.hosts[1].users[0] = client;
  const state = new Flow(server, client, STATE, STATE_BYTES);
  rig.connect(1);
  while (!(server.live && client.live)) rig.run(rig.nowUs + 100_000);
  rig.run(rig.nowUs + 1_000_000);

  const bytes = Buffer.alloc(blockBytes, "netrt");
  const assembly = new Assembly({ order: "ordered" });
  let whole: Uint8Array | null = null;
  client.block = (fragment: Fragment) => {
    whole = assembly.block(fragment) ?? whole;
  };
  const sender = blockSender(rig.server, server.handle);
  server.blocks = sender;
  const startUs = rig.nowUs;
  sender.begin(
    BLOCK,
    bytes,
    {},
    () => undefined,
    () => undefined,
  );
  const tookUs = statesRun(
    rig,
    state,
    () => whole !== null,
    () => sender.pump(),
  );
  rig.run(rig.nowUs + 2_000_000);
  const idleUs = rig.nowUs;
  statesRun(
    rig,
    state,
    () => rig.nowUs >= idleUs + tookUs,
    () => undefined,
  );
  rig.run(rig.nowUs + 1_000_000);
  rig.close();
  const beside = waits(state, startUs, startUs + tookUs);
  const idle = waits(state, idleUs, idleUs + tookUs);
  return {
    share: blockBytes / (rateBytes * (tookUs / 1_000_000)),
    seconds: tookUs / 1_000_000,
    whole: whole !== null && bytes.equals(whole),
    idleP99: quantile(idle, 0.99),
    stateP99: quantile(beside, 0.99),
    idleP50: quantile(idle, 0.5),
    stateP50: quantile(beside, 0.5),
  };
}
