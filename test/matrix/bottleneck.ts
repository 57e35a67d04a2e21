// bottleneck: clients that send all they can through one link with a rate and a queue, and a steady
// real-time stream beside each: is the link shared fairly, and does the queue stay short?
//
// Owns the course and what is measured. Never wants a figure: figures does.
import { QUEUE_BYTES_DEFAULT } from "../../lib/configure.js";
import { PEER_QUEUED_BYTES, PEER_RELEASED_BYTES, statsPeerWord } from "../../lib/engine/stats.js";
import { defineProtocol } from "../../lib/protocol.js";
import { realTime, reliable } from "../../lib/strategy.js";
import { Flow, FlowEndpoint } from "../sim/flow.js";
import { type EngineName, Rig } from "../sim/rig.js";
import { quantile } from "./cell.js";

/** The link: a tenth of a second of it fits in its queue, as at home. */
export interface BottleneckOptions {
  readonly clients: number;
  /** Bytes a second. */
  readonly rateBytes: number;
  readonly lossPercent?: number;
}

const DELAY_US = 25_000;
const PUMP_US = 5000;
const TICK_US = 16_667;
const BULK_BYTES = 1000;
const STATE_BYTES = 50;
/** Messages that one pump hands over at most. */
const PUMP_MAX = 64;
const BULK = 0;
const STATE = 1;

export interface BottleneckResult {
  /** Jain's index of the bytes that arrived: 1 is fair, 1/n is one that has all. */
  readonly fairness: number;
  /** Share of the link that bulk messages have. */
  readonly use: number;
  /** What real-time messages wait above the link's delay, in ms. */
  readonly queueP50: number;
  readonly queueP95: number;
  /** Clients whose connection ended. */
  readonly ended: number;
}

interface Sender {
  readonly endpoint: FlowEndpoint;
  readonly bulk: Flow;
  readonly state: Flow;
}

function pump({ endpoint, bulk }: Sender, nowUs: number): void {
  const { page } = endpoint.host.host;
  const row = statsPeerWord(endpoint.handle & 0xffff);
  const queued = (page[row + PEER_QUEUED_BYTES] - page[row + PEER_RELEASED_BYTES]) >>> 0;
  const room = Math.trunc((QUEUE_BYTES_DEFAULT - queued) / BULK_BYTES);
  for (let count = Math.min(room, PUMP_MAX); count > 0; count--) bulk.send(nowUs);
}

function open(engine: EngineName, seed: number, options: BottleneckOptions): [Rig, Sender[]] {
  const { clients, rateBytes, lossPercent = 0 } = options;
  const protocol = defineProtocol("bottleneck/1", { bulk: reliable(), state: realTime() });
  const rig = new Rig({
    seed,
    protocol,
    clients,
    serverEngine: engine,
    clientEngine: engine,
    shared: true,
    link: { delayUs: DELAY_US, rateBytes, queueBytesMax: rateBytes / 10, loss: lossPercent },
  });
  const senders = Array.from({ length: clients }, (_, index) => {
    const endpoint = new FlowEndpoint(rig, rig.hosts[index + 1]);
    const server = new FlowEndpoint(rig, rig.server);
    rig.server.users[index] = server;
    rig.hosts[index + 1].users[0] = endpoint;
    rig.connect(index + 1);
    const bulk = new Flow(endpoint, server, BULK, BULK_BYTES);
    return { endpoint, bulk, state: new Flow(endpoint, server, STATE, STATE_BYTES) };
  });
  rig.run(rig.nowUs + 1_000_000);
  return [rig, senders];
}

/** Runs it for so long, and measures the second half. */
export function bottleneckRun(
  engine: EngineName,
  seed: number,
  options: BottleneckOptions,
  seconds: number,
): BottleneckResult {
  const { clients, rateBytes } = options;
  const [rig, senders] = open(engine, seed, options);
  const startUs = rig.nowUs;
  const endUs = startUs + seconds * 1_000_000;
  let tickUs = startUs;
  while (rig.nowUs < endUs) {
    for (const sender of senders) pump(sender, rig.nowUs);
    if (rig.nowUs >= tickUs) {
      for (const { state } of senders) state.send(rig.nowUs);
      tickUs += TICK_US;
    }
    rig.run(rig.nowUs + PUMP_US);
  }
  rig.close();
  const fromUs = startUs + (endUs - startUs) / 2;
  const arrived = senders.map(
    ({ bulk }) => bulk.arrivedUs.filter((us) => us >= fromUs).length * BULK_BYTES,
  );
  const total = arrived.reduce((sum, bytes) => sum + bytes, 0);
  const squares = arrived.reduce((sum, bytes) => sum + bytes * bytes, 0);
  const waits = senders.flatMap(({ state }) =>
    state.sentUs.flatMap((sentUs, index) => {
      const waitUs = state.arrivedUs[index] - sentUs - DELAY_US;
      return sentUs >= fromUs && state.arrivedUs[index] >= 0 ? [waitUs / 1000] : [];
    }),
  );
  waits.sort((left, right) => left - right);
  return {
    fairness: (total * total) / (clients * squares),
    use: total / ((rateBytes * (endUs - fromUs)) / 1_000_000),
    queueP50: quantile(waits, 0.5),
    queueP95: quantile(waits, 0.95),
    ended: senders.filter(({ endpoint }) => !endpoint.live).length,
  };
}
