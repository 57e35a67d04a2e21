/*
 * A server of the workload on netrt, as its users write it: handlers in TypeScript, the public API.
 */
import { createServer, type Peer, type Server, type ServerOptions } from "../../lib/index.js";
import { MESSAGE_HEAD_BYTES, Messages, workload } from "../workload.js";
import { Counters, obey, readOptions } from "./control.js";

const options = readOptions();
const counters = new Counters();
const messages = new Messages(options.stateBytes, options.reliableBytes);
let running = false;

const wanted: ServerOptions = {
  address: "127.0.0.1:0",
  secret: options.secret,
  engine: options.engine,
  maxPeers: options.peers,
  ...(options.ticks ? { tickRate: options.rateHz } : {}),
  ...(options.io === "" ? {} : { io: options.io as "inline" | "thread" }),
};
const server: Server<typeof workload> = await createServer(workload, wanted);

/** The last byte of each client's newest input, as a game would keep the whole of it. */
const inputs = new Uint8Array(options.peers);

server.channel("input").on("message", (peer, bytes) => {
  counters.inputs += 1;
  const client = (bytes[4] as number) | ((bytes[5] as number) << 8);
  inputs[client] = bytes[bytes.length - 1] as number;
  if (!options.answers || !running) return;
  sendState(peer);
  if (counters.states % options.reliableEvery === 0) sendReliable(peer);
});

function sendState(peer: Peer<typeof workload>): void {
  messages.state[MESSAGE_HEAD_BYTES] = counters.states;
  if (peer.send("state", messages.state)) counters.states += 1;
}

function sendReliable(peer: Peer<typeof workload>): void {
  messages.stamp();
  if (peer.send("event", messages.reliable)) counters.reliables += 1;
}

server.on("tick", () => {
  if (!running || options.answers) return;
  counters.ticks += 1;
  const reliable = counters.ticks % options.reliableEvery === 0;
  if (options.broadcast) {
    if (server.broadcast("state", messages.state)) counters.states += server.peerCount;
    messages.stamp();
    if (reliable && server.broadcast("event", messages.reliable)) {
      counters.reliables += server.peerCount;
    }
    return;
  }
  for (const peer of server.peers) sendState(peer);
  if (reliable) for (const peer of server.peers) sendReliable(peer);
});

obey(Number(server.address.split(":").at(-1)), counters, {
  go: () => {
    running = true;
  },
  hold: () => {
    running = false;
  },
  extra: () => {
    const { stats } = server;
    const { datagramsIn, datagramsOut, datagramsPerSyscall: batch } = stats;
    const calls = (datagrams: number, perCall: number): number =>
      perCall === 0 ? 0 : datagrams / perCall;
    return {
      datagramsIn,
      datagramsOut,
      receiveCalls: calls(datagramsIn, batch.in),
      sendCalls: calls(datagramsOut, batch.out),
      peers: server.peerCount,
      stats,
    };
  },
  close: () => server.close({ timeout: 0 }),
});
