/*
 * Owns the worker thread that test/api/thread.test.ts runs twice: a server on a shared port that
 * answers every line with its own name. Told to, it says how many peers it has, or closes.
 */
import { parentPort, workerData } from "node:worker_threads";
import { createServer, defineProtocol, type IoMode, reliable } from "../../lib/index.js";

export interface ShareData {
  readonly name: string;
  readonly port: number;
  readonly io: IoMode;
}

export const shared = defineProtocol("shared/1", { chat: reliable() });

if (parentPort !== null) {
  const port = parentPort;
  const { name, port: bound, io } = workerData as ShareData;
  const server = await createServer(shared, {
    address: `127.0.0.1:${bound}`,
    insecure: true,
    maxPeers: 64,
    reusePort: true,
    io,
  });
  const answer = new TextEncoder().encode(name);
  server.channel("chat").on("message", (peer) => peer.send("chat", answer));
  port.on("message", (asked) => {
    if (asked === "count") port.postMessage(server.peerCount);
    else void server.close().then(() => port.close());
  });
  port.postMessage(server.address);
}
