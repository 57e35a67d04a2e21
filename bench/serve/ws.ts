/*
 * A server of the workload on ws: what most of Node's games use. TCP, no encryption, no compression.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { Ticker } from "../../lib/ticker.js";
import { Messages } from "../workload.js";
import { Counters, obey, readOptions } from "./control.js";

const options = readOptions();
const counters = new Counters();
let running = false;

interface Peer {
  readonly socket: WebSocket;
  readonly messages: Messages;
  answers: number;
}

const peers = new Set<Peer>();
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
await once(server, "listening");

function answer({ socket, messages }: Peer, reliable: boolean): void {
  socket.send(messages.state);
  counters.states += 1;
  if (!reliable) return;
  messages.stamp();
  socket.send(messages.reliable);
  counters.reliables += 1;
}

server.on("connection", (socket) => {
  // What ws has not sent yet must not change: each peer has its own messages.
  const messages = new Messages(options.stateBytes, options.reliableBytes);
  const peer = { socket, messages, answers: 0 };
  peers.add(peer);
  socket.on("close", () => peers.delete(peer));
  socket.on("error", () => socket.terminate());
  socket.on("message", (data: Buffer) => {
    counters.inputs += 1;
    messages.state[8] = data[4] as number;
    if (!options.answers || !running) return;
    peer.answers += 1;
    answer(peer, peer.answers % options.reliableEvery === 0);
  });
});

const ticker = new Ticker({
  rateHz: options.rateHz,
  spinUs: 0,
  onTick: () => {
    if (!running) return;
    counters.ticks += 1;
    for (const peer of peers) answer(peer, counters.ticks % options.reliableEvery === 0);
  },
});
if (!options.answers) ticker.start();

obey((server.address() as AddressInfo).port, counters, {
  go: () => {
    running = true;
  },
  hold: () => {
    running = false;
  },
  close: () => {
    ticker.stop();
    for (const { socket } of peers) socket.terminate();
    server.close();
  },
});
