/*
 * Owns the thread that floods a port of loopback with the datagrams that it is given, from several sockets, until it is
 * told to stop; then it says what it sent and what came back.
 * Never sends anywhere but to 127.0.0.1, and ends by itself after `limitMs`.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";

export interface FlooderData {
  readonly port: number;
  readonly sockets: number;
  readonly datagrams: readonly Uint8Array[];
  readonly limitMs: number;
  /** Datagrams a second; 0 for as many as go. */
  readonly rate: number;
}

export interface FlooderReport {
  readonly datagramsOut: number;
  readonly bytesOut: number;
  readonly datagramsIn: number;
  readonly bytesIn: number;
}

/** Sends in a row before the loop looks for the word to stop. */
const BURST = 64;

async function open(onMessage: (bytes: Uint8Array) => void): Promise<Socket> {
  const socket = createSocket({
    type: "udp4",
    // Asking a resolver for a literal address would cost a turn of the loop each.
    lookup: (literal, _options, done) => done(null, literal, 4),
  });
  socket.on("message", onMessage);
  // A full buffer is a lost datagram.
  socket.on("error", () => undefined);
  const listening = once(socket, "listening");
  socket.bind(0, "127.0.0.1");
  await listening;
  return socket;
}

async function flood({
  port,
  sockets,
  datagrams,
  limitMs,
  rate,
}: FlooderData): Promise<FlooderReport> {
  const report = { datagramsOut: 0, bytesOut: 0, datagramsIn: 0, bytesIn: 0 };
  const open_ = Array.from({ length: sockets }, () =>
    open((bytes) => {
      report.datagramsIn += 1;
      report.bytesIn += bytes.length;
    }),
  );
  const all = await Promise.all(open_);
  let stopped = false;
  const stop = () => {
    stopped = true;
  };
  parentPort?.once("message", stop);
  const timer = setTimeout(stop, limitMs);
  parentPort?.postMessage("floods");
  const startMs = performance.now();
  while (!stopped) {
    for (let index = 0; index < BURST; index++) {
      const bytes = datagrams[report.datagramsOut % datagrams.length];
      all[index % all.length].send(bytes, port, "127.0.0.1", () => undefined);
      report.datagramsOut += 1;
      report.bytesOut += bytes.length;
    }
    const aheadMs =
      rate === 0 ? 0 : (report.datagramsOut / rate) * 1000 - (performance.now() - startMs);
    await new Promise((resolve) => {
      if (aheadMs >= 1) setTimeout(resolve, aheadMs);
      else setImmediate(resolve);
    });
  }
  clearTimeout(timer);
  await Promise.all(all.map((socket) => new Promise<void>((done) => socket.close(() => done()))));
  return report;
}

if (parentPort !== null) {
  parentPort.postMessage(await flood(workerData as FlooderData));
  parentPort.close();
}
