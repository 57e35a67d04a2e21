/*
 * A block over a thin link: 16 MiB from the server to a client over 20 Mbit/s with 50 ms of round trip
 * and 1 % loss, while a real-time state goes along 60 times a second.
 *
 * The link is lib/sim's relay. The block goes as messages of the greatest size that this release takes on
 * a reliable channel, one after the other.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
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
  readonly messageBytes: number;
  readonly seconds: number;
  /** Of the link's rate, headers and all, what the block's bytes took. */
  readonly linkShare: number;
  /** What the state took longer while the block went, p99 over the median before, in ms. */
  readonly stateDelayMs: number;
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
/** How long the state goes alone before. */
const BEFORE_MS = 1500;
const TRANSFER_MS_MAX = 60_000;
/** Message sizes that are tried, down to what every release takes. */
const SIZES = [BLOCK_BYTES, MIB, 65_536, 16_384, 1100];

function protocolOf(messageBytesMax: number) {
  return defineProtocol("bench-block/1", {
    state: realTime(),
    block: reliable({ messageBytesMax, expiry: 600_000 }),
  });
}
type Protocol = ReturnType<typeof protocolOf>;

/** The protocol with the greatest messages that this release takes. */
function greatest(): { protocol: Protocol; messageBytes: number } {
  for (const messageBytes of SIZES) {
    try {
      return { protocol: protocolOf(messageBytes), messageBytes };
    } catch {
      // Not in this release: smaller ones.
    }
  }
  throw new Error("no size of message is lawful");
}

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

/** Sends the block as fast as it is taken. */
function sendBlock(peer: Peer<Protocol>, bytes: number, messageBytes: number): void {
  const message = Buffer.alloc(messageBytes);
  let left = bytes;
  const go = (): void => {
    while (left > 0 && peer.connected) {
      const part = message.subarray(0, Math.min(left, messageBytes));
      if (!peer.send("block", part)) return;
      left -= part.length;
    }
  };
  peer.on("drain", go);
  go();
}

/** Resolves when so many bytes have arrived, or when it takes too long. */
function arrival(client: Client<Protocol>, bytes: number): Promise<number> {
  return new Promise((resolve) => {
    let arrived = 0;
    const timer = setTimeout(() => resolve(arrived), TRANSFER_MS_MAX);
    client.on("message", (channel, message) => {
      if (channel !== "block") return;
      arrived += message.length;
      if (arrived < bytes) return;
      clearTimeout(timer);
      resolve(arrived);
    });
  });
}

function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** Both ends of the link. */
async function open(protocol: Protocol, messageBytes: number) {
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
    queueBytes: Math.max(1 << 20, 2 * messageBytes),
  });
  const connected = once(server, "connect") as Promise<[Peer<Protocol>]>;
  const client = await connect(protocol, { insecure: true, address, clientId: 1n });
  const [peer] = await connected;
  return { relay, server, client, peer };
}

/** Transfers one block, on whatever engine runs by default. */
export async function runTransfer(options: Options): Promise<TransferResult> {
  const { protocol, messageBytes } = greatest();
  const bytes = options.quick ? BLOCK_BYTES_QUICK : BLOCK_BYTES;
  const { relay, server, client, peer } = await open(protocol, messageBytes);
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
    const whole = arrival(client, bytes);
    const startMs = performance.now();
    sendBlock(peer, bytes, messageBytes);
    const arrived = await whole;
    const seconds = (performance.now() - startMs) / 1000;
    const percent = ((100 * arrived) / bytes).toFixed(0);
    return {
      bytes,
      messageBytes,
      seconds,
      linkShare: arrived / seconds / LINK_BYTES_PER_SECOND,
      stateDelayMs: (quantile(during, 0.99) - quantile(before, 0.5)) / 1000,
      note: arrived < bytes ? `${percent} % arrived within a minute` : null,
    };
  } finally {
    stop();
    await client.close();
    await server.close({ timeout: 0 });
    await relay.close();
  }
}
