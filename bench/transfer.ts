/*
 * A block over a thin link: 16 MiB from the server to a client over 20 Mbit/s with 50 ms of round trip
 * and 1 % loss, while a real-time state goes along 60 times a second. The link is lib/sim's relay.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import {
  type Client,
  connect,
  createServer,
  defineProtocol,
  type Peer,
  realTime,
  reliable,
} from "../lib/index.js";
import { createRelay } from "../lib/sim/relay.js";
import type { Options } from "./options.js";

export interface TransferResult {
  readonly bytes: number;
  readonly seconds: number;
  /** Of the link's rate, headers and all, what the block's bytes took. */
  readonly linkShare: number;
  /** The p99 of the state's way while the block went, less that of as long a time without one, in ms. */
  readonly stateDelayMs: number;
  readonly idleP99Ms: number;
  /** How late the event loop of this process was, which has both ends and the link, p99 in ms. */
  readonly lateMs: number;
  readonly note: string | null;
}

const MIB = 2 ** 20;
const BLOCK_BYTES = 16 * MIB;
const BLOCK_BYTES_QUICK = MIB;
const LINK_BYTES_PER_SECOND = 2_500_000;
const ONE_WAY_US = 25_000;
const LOSS_PERCENT = 1;
/** The link's own queue: a tenth of a second. */
const LINK_QUEUE_BYTES = 250_000;
const STATE_MS = 16;
const STATE_BYTES = 200;
/** How long the state goes alone before: about as long as the block takes. */
const BEFORE_MS = 7000;
/** Of this much lateness the figures are the machine's, not the protocol's. */
const LATE_MS = 4;
const LOOP_RESOLUTION_MS = 1;
const TRANSFER_MS_MAX = 60_000;
const protocol = defineProtocol("bench-block/1", {
  state: realTime(),
  block: reliable({ blockBytesMax: BLOCK_BYTES }),
});
type Protocol = typeof protocol;

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}

const nowUs = (): number => Math.floor(performance.now() * 1000);

/** Sends the state at its rate until it is told to stop. */
function sendStates(peer: Peer<Protocol>): () => void {
  const state = Buffer.alloc(STATE_BYTES);
  const timer = setInterval(() => {
    if (!peer.connected) return;
    state.writeDoubleLE(nowUs(), 0);
    peer.send("state", state);
  }, STATE_MS);
  return () => clearInterval(timer);
}

/** Sends a block; resolves when the client has it whole, or to false when that takes too long. */
async function transfer(peer: Peer<Protocol>, client: Client<Protocol>, bytes: number) {
  const late = AbortSignal.timeout(TRANSFER_MS_MAX);
  const whole = new Promise<boolean>((resolve) => {
    client.channel("block").on("block", (block) => resolve(block.length === bytes));
    late.addEventListener("abort", () => resolve(false));
  });
  peer.sendBlock("block", new Uint8Array(bytes), { signal: late }).catch(() => undefined);
  return await whole;
}

function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** Both ends of the link. */
async function open() {
  const link = {
    loss: LOSS_PERCENT,
    delayUs: ONE_WAY_US,
    rateBytes: LINK_BYTES_PER_SECOND,
    queueBytesMax: LINK_QUEUE_BYTES,
  };
  const targetPort = await freePort();
  const relay = await createRelay({ targetPort, up: link, down: link });
  const address = `127.0.0.1:${relay.port}`;
  const server = await createServer(protocol, {
    address: `127.0.0.1:${targetPort}`,
    publicAddresses: [address],
    insecure: true,
    maxPeers: 4,
  });
  const connected = once(server, "connect") as Promise<[Peer<Protocol>]>;
  const client = await connect(protocol, { insecure: true, address, clientId: 1n });
  const [peer] = await connected;
  return { relay, server, client, peer };
}

/** Transfers one block, on whatever engine runs by default. */
export async function runTransfer(options: Options): Promise<TransferResult> {
  const bytes = options.quick ? BLOCK_BYTES_QUICK : BLOCK_BYTES;
  const { relay, server, client, peer } = await open();
  const before: number[] = [];
  const during: number[] = [];
  let delays = before;
  client.on("message", (channel, message) => {
    if (channel !== "state") return;
    const view = new DataView(message.buffer, message.byteOffset, message.length);
    delays.push(nowUs() - view.getFloat64(0, true));
  });
  const stop = sendStates(peer);
  try {
    await new Promise((resolve) => setTimeout(resolve, options.quick ? 500 : BEFORE_MS));
    delays = during;
    const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
    loop.enable();
    const startMs = performance.now();
    const arrived = await transfer(peer, client, bytes);
    const seconds = (performance.now() - startMs) / 1000;
    loop.disable();
    const lateMs = Math.max(loop.percentile(99) / 1e6 - LOOP_RESOLUTION_MS, 0);
    const idleP99Us = quantile(before, 0.99);
    return {
      bytes,
      seconds,
      linkShare: arrived ? bytes / seconds / LINK_BYTES_PER_SECOND : 0,
      stateDelayMs: (quantile(during, 0.99) - idleP99Us) / 1000,
      idleP99Ms: idleP99Us / 1000,
      lateMs,
      note: arrived
        ? lateMs > LATE_MS
          ? `the machine held this process up: p99 ${lateMs.toFixed(0)} ms`
          : null
        : "the block did not arrive within a minute",
    };
  } finally {
    stop();
    await client.close();
    await server.close({ timeout: 0 });
    await relay.close();
  }
}
