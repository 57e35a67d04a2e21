/*
 * Owns the program of the teardown matrix: `child.js <plan>` brings servers and clients to a stage, and
 * ends there as the plan says. What becomes of it is the parent's to see.
 */
import { spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type * as Netrt from "../../lib/index.js";
import { CODE, type Plan, THROWN } from "./plan.js";

const plan: Plan = isMainThread ? JSON.parse(process.argv[2]!) : workerData;
const { stage, exit, engine } = plan;
const inWorker = exit === "worker.terminate" || exit === "worker end";

const BURST_BYTES = 400;
/** A spawned child outlives its parent by this long. */
const ORPHAN_MS = 1000;
/** Exit codes of what went wrong here. */
const CODE_NOT_COLLECTED = 20;
const CODE_NOT_SERVING = 21;
const CODE_WORKER = 22;
const CODE_PORT_TAKEN = 23;

/** Ends the process unless its ports can be bound again while it still lives. */
async function checkPorts(): Promise<void> {
  for (const port of plan.ports) {
    const socket = createSocket("udp4");
    socket.bind(port, "127.0.0.1");
    await once(socket, "listening").catch(() => process.exit(CODE_PORT_TAKEN));
    socket.close();
  }
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One copy of the package, and what it has open. */
class Copy {
  readonly #netrt: typeof Netrt;
  readonly #protocol: Netrt.Protocol;
  readonly #address: string;
  readonly #token: string;
  #opening: Promise<Netrt.Server> | null = null;
  #server: Netrt.Server | null = null;
  #client: Netrt.Client | null = null;
  #silent: Socket | null = null;
  readonly #abort = new AbortController();

  constructor(netrt: typeof Netrt, port: number, token: string) {
    this.#netrt = netrt;
    this.#protocol = netrt.defineProtocol("teardown/1", {
      chat: netrt.reliable(),
      state: netrt.realTime(),
    });
    this.#address = `127.0.0.1:${port}`;
    this.#token = token;
  }

  /** Gets as far as the stage says. `arrived` runs there, in a handler if that is the stage. */
  async reach(arrived: () => void): Promise<void> {
    this.#opening = this.#netrt.createServer(this.#protocol, {
      address: this.#address,
      insecure: true,
      maxPeers: 4,
      engine,
    });
    if (stage === "created") return arrived();
    this.#server = await this.#opening;
    this.#server.channel("chat").on("message", (peer, bytes) => peer.send("chat", bytes));
    if (stage === "bound") return arrived();
    if (stage === "connecting") return this.#connectInVain(arrived);
    await this.#connect();
    if (stage === "idle") return arrived();
    if (stage === "closed") {
      await this.close();
      return arrived();
    }
    this.#burst(arrived);
  }

  /** A client whose requests go to a socket that only listens. */
  async #connectInVain(arrived: () => void): Promise<void> {
    const silent = createSocket("udp4");
    this.#silent = silent;
    silent.bind(0, "127.0.0.1");
    await once(silent, "listening");
    const asked = once(silent, "message");
    const target = { insecure: true, address: `127.0.0.1:${silent.address().port}` } as const;
    this.#netrt
      .connect(this.#protocol, target, { engine, signal: this.#abort.signal })
      .catch(() => undefined);
    await asked;
    arrived();
  }

  async #connect(): Promise<void> {
    const client = await this.#netrt.connect(this.#protocol, this.#token, { engine });
    this.#client = client;
    client.send("chat", new Uint8Array(1));
    await once(client.channel("chat"), "message");
  }

  /** Traffic that goes on by itself: whatever comes back brings forth more. */
  #burst(arrived: () => void): void {
    const client = this.#client as Netrt.Client;
    const payload = new Uint8Array(BURST_BYTES);
    let received = 0;
    const more = (): void => {
      if (!client.connected) return;
      for (let index = 0; index < 8; index++) client.send("chat", payload);
      client.send("state", payload);
    };
    client.channel("chat").on("message", () => {
      received += 1;
      if (received % 8 === 0) more();
      if (received !== 100) return;
      if (stage === "callback") arrived();
      else setImmediate(arrived);
    });
    more();
    more();
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#silent?.close();
    await this.#client?.close();
    await (await this.#opening)?.close();
  }

  /** Lets go of everything, and returns what must be collected if it is closed. */
  forget(): WeakRef<object>[] {
    const held = [this.#server, this.#client].filter((one) => one !== null);
    this.#server = null;
    this.#client = null;
    this.#opening = null;
    return held.map((one) => new WeakRef(one));
  }

  /** Whether the server that nobody holds still serves. */
  async serves(): Promise<boolean> {
    const target = { insecure: true, address: this.#address } as const;
    const client = await this.#netrt.connect(this.#protocol, target, { engine });
    client.send("chat", new Uint8Array(1));
    await once(client.channel("chat"), "message");
    return true;
  }
}

// ---- Leaving ----

async function collected(copies: readonly Copy[]): Promise<never> {
  const weak = copies.flatMap((copy) => copy.forget());
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.();
    await soon();
  }
  if (stage === "closed") {
    process.exit(weak.some((one) => one.deref() !== undefined) ? CODE_NOT_COLLECTED : CODE);
  }
  if (stage === "created") process.exit(CODE);
  for (const copy of copies) if (!(await copy.serves())) process.exit(CODE_NOT_SERVING);
  process.exit(CODE);
}

async function leave(copies: readonly Copy[]): Promise<void> {
  process.exitCode = CODE;
  for (const copy of copies) await copy.close();
  await checkPorts();
}

/** A child that lives on; the parent looks at the ports meanwhile. */
function bear(): void {
  const child = spawn(process.execPath, ["-e", `setTimeout(() => {}, ${ORPHAN_MS})`], {
    stdio: "ignore",
  });
  child.once("spawn", () => process.exit(CODE));
}

/** Ends as the plan says; called from a handler at the stage of that name. */
function end(copies: readonly Copy[]): void {
  switch (exit) {
    case "natural":
      void leave(copies);
      return;
    case "process.exit":
    case "two copies":
      process.exit(CODE);
      break;
    case "throw":
      if (stage === "callback") throw new Error(THROWN);
      setImmediate(() => {
        throw new Error(THROWN);
      });
      return;
    case "SIGTERM":
    case "SIGKILL":
      process.kill(process.pid, exit);
      // Whatever comes first, the signal or more events: nothing ends this process but the signal.
      setInterval(() => undefined, 1000);
      return;
    case "worker.terminate":
      parentPort?.postMessage("there");
      // Not to return from the handler is what this stage is about.
      if (stage === "callback") for (;;);
      setInterval(() => undefined, 1000);
      return;
    case "worker end":
      process.exit(CODE);
      break;
    case "garbage":
      void collected(copies);
      return;
    case "child":
      bear();
  }
}

async function run(): Promise<void> {
  const copies: Copy[] = [];
  let there = 0;
  for (const [index, file] of plan.packages.entries()) {
    const netrt = (await import(file)) as typeof Netrt;
    copies.push(new Copy(netrt, plan.ports[index]!, plan.tokens[index]!));
  }
  const arrived = (): void => {
    there += 1;
    if (there === copies.length) end(copies);
  };
  await Promise.all(copies.map((copy) => copy.reach(arrived)));
}

/** The main thread of a worker: ends by itself, with CODE if the worker ended as it should. */
async function watch(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: plan });
  const exited = once(worker, "exit");
  let expected = CODE;
  if (exit === "worker.terminate") {
    await once(worker, "message");
    await worker.terminate();
    expected = 1;
  }
  const [code] = await exited;
  process.exitCode = code === expected ? CODE : CODE_WORKER;
  await checkPorts();
}

if (isMainThread && inWorker) await watch();
else await run();
