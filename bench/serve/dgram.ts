/*
 * A server of the workload on node:dgram alone: no protocol, no encryption, a lost message is lost.
 * What Node offers without a library, used as well as it can be (no name look-up for a send).
 */
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { Ticker } from "../../lib/ticker.js";
import { MESSAGE_HEAD_BYTES, Messages } from "../workload.js";
import { Counters, obey, readOptions } from "./control.js";

const BUFFER_BYTES = 4 * 1024 * 1024;

const options = readOptions();
const counters = new Counters();
let running = false;

interface Peer {
  readonly port: number;
  readonly address: string;
  readonly messages: Messages;
  answers: number;
}

const peers = new Map<number, Peer>();
const socket = createSocket({
  type: "udp4",
  lookup: (host, _options, found) => found(null, host, 4),
});
// Bound at once: the look-up above answers at once.
const listening = once(socket, "listening");
socket.bind(0, "127.0.0.1");
await listening;
socket.setRecvBufferSize(BUFFER_BYTES);
socket.setSendBufferSize(BUFFER_BYTES);

function answer(peer: Peer): void {
  const { port, address, messages } = peer;
  // A datagram that waits in the event loop must not change: each peer has its own messages.
  socket.send(messages.state, port, address);
  counters.states += 1;
  peer.answers += 1;
  if (peer.answers % options.reliableEvery !== 0) return;
  messages.stamp();
  socket.send(messages.reliable, port, address);
  counters.reliables += 1;
}

function peerOf(client: number, from: RemoteInfo): Peer {
  let peer = peers.get(client);
  if (peer === undefined) {
    const messages = new Messages(options.stateBytes, options.reliableBytes);
    peer = { port: from.port, address: from.address, messages, answers: 0 };
    peers.set(client, peer);
  }
  return peer;
}

socket.on("message", (bytes, from) => {
  if (bytes.length < MESSAGE_HEAD_BYTES) return;
  const peer = peerOf(bytes.readUInt32LE(4), from);
  peer.messages.state[8] = bytes[4] as number;
  counters.inputs += 1;
  if (options.answers && running) answer(peer);
});

const ticker = new Ticker({
  rateHz: options.rateHz,
  spinUs: 0,
  onTick: () => {
    if (!running) return;
    counters.ticks += 1;
    for (const peer of peers.values()) answer(peer);
  },
});
if (!options.answers) ticker.start();

obey(socket.address().port, counters, {
  go: () => {
    running = true;
  },
  hold: () => {
    running = false;
  },
  close: () => {
    ticker.stop();
    socket.close();
  },
});
