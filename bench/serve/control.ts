/*
 * What the benchmark's servers in Node share: their options, the commands on their standard input, and
 * the line of counters that each `mark` asks for. bench/native/control.h is the same for those in C++.
 *
 * Never opens a socket.
 */
import fs from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

export interface ServeOptions {
  readonly peers: number;
  readonly rateHz: number;
  /** An answer for each input instead of a state for everybody at each tick. */
  readonly answers: boolean;
  /** Ticks at all. */
  readonly ticks: boolean;
  readonly stateBytes: number;
  readonly reliableBytes: number;
  readonly reliableEvery: number;
  readonly engine: "native" | "js";
  readonly io: string;
  readonly secret: Buffer;
  /** One message for all instead of one for each. */
  readonly broadcast: boolean;
}

export function readOptions(): ServeOptions {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      port: text,
      peers: text,
      rate: text,
      mode: text,
      state: text,
      reliable: text,
      every: text,
      engine: text,
      io: text,
      secret: text,
      crypto: text,
      broadcast: { type: "boolean" },
    },
  });
  // Read when the ciphers are first asked for.
  if (values.crypto !== undefined) process.env.NETRT_SEAL = values.crypto;
  return {
    peers: Number(values.peers ?? 1),
    rateHz: Number(values.rate ?? 60),
    answers: values.mode !== "locked",
    ticks: values.mode !== "echo",
    stateBytes: Number(values.state ?? 200),
    reliableBytes: Number(values.reliable ?? 32),
    reliableEvery: Number(values.every ?? 10),
    engine: values.engine === "js" ? "js" : "native",
    io: values.io ?? "",
    secret: Buffer.from(values.secret ?? "", "hex"),
    broadcast: values.broadcast ?? false,
  };
}

/** What a server has done so far. */
export class Counters {
  inputs = 0;
  states = 0;
  reliables = 0;
  ticks = 0;
}

let collections = 0;

/** CPU time of this thread alone, in µs, where the system tells it. */
function threadCpuUs(): number | null {
  try {
    const [ns] = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ");
    return Number(ns) / 1000;
  } catch {
    return null;
  }
}

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}

export interface Controlled {
  go(): void;
  hold(): void;
  /** Whatever else this server can tell; what is null is not known. */
  extra?(): object;
  close(): Promise<void> | void;
}

/** Prints that the server is ready, and obeys from then on. The end of the input is the end of all. */
export function obey(port: number, counters: Counters, server: Controlled): void {
  new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  }).observe({ entryTypes: ["gc"] });
  // What a mark takes is not the server's.
  let heapBytes = 0;
  let heapAfter = heapUsed();
  const mark = (): void => {
    heapBytes += heapUsed() - heapAfter;
    const { user, system } = process.cpuUsage();
    const line = {
      nowUs: Number(process.hrtime.bigint()) / 1000,
      cpuUs: user + system,
      threadCpuUs: threadCpuUs(),
      rssBytes: process.memoryUsage.rss(),
      heapBytes,
      collections,
      ...counters,
      ...server.extra?.(),
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    heapAfter = heapUsed();
  };
  const end = async (): Promise<void> => {
    await server.close();
    process.exit(0);
  };
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      if (line === "go") server.go();
      else if (line === "hold") server.hold();
      else if (line === "mark") mark();
      else void end();
    })
    .on("close", () => void end());
  process.stdout.write(`${JSON.stringify({ port })}\n`);
}
