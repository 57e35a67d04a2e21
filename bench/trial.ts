/*
 * One row at one number of peers: its server and its clients, measured block by block.
 *
 * Invariants: between blocks both processes stand still (SIGSTOP), after a pause without traffic in
 * which everything under way has arrived: a trial costs the others nothing, and its connections and
 * its compiled code stay as they are.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { configureProtocol } from "../lib/configure.js";
import {
  CONFIG_CARRIEDS,
  CONFIG_CHUNKS,
  CONFIG_MESSAGES,
  CONFIG_PENDING_MAX,
  CONFIG_TOKENS_MAX,
  ROLE_CLIENT,
} from "../lib/engine/config.js";
import { generateKey, mintToken } from "../lib/token.js";
import { Actor, type Line } from "./actor.js";
import { programPath } from "./build.js";
import type { Cores } from "./machine.js";
import type { Row, Wire } from "./rows.js";
import { RELIABLE_EVERY, workload } from "./workload.js";

export interface TrialOptions {
  /** A mode of the server and of the clients. */
  readonly mode: string;
  readonly clientMode?: string;
  readonly peers: number;
  readonly rateHz: number;
  readonly inputBytes: number;
  readonly stateBytes: number;
  readonly reliableBytes: number;
  readonly lossPercent: number;
}

/** What happened in a block: counters at its end less those at its beginning. */
export interface Block {
  readonly ms: number;
  readonly server: Readonly<Record<string, number>>;
  readonly clients: Readonly<Record<string, number>>;
  /** The last lines, with what is no counter. */
  readonly serverLine: Line;
  readonly clientLine: Line;
}

/** How long traffic has to die down before both sides stand still, in ms. */
const QUIET_MS = 50;
/** Tokens outlast every pause and wait. */
const TOKEN_SECONDS = 3600;
/** Memory of one client of the simulator: it has few messages under way. */
const CLIENT_POOL = 256;

/** The file from which the simulator's netrt clients are made. */
function writeTokens(key: Uint8Array, port: number, peers: number): string {
  const { config } = configureProtocol(ROLE_CLIENT, workload, 1, {});
  config.fill(CLIENT_POOL, CONFIG_CHUNKS, CONFIG_CHUNKS + 1);
  config.fill(CLIENT_POOL, CONFIG_MESSAGES, CONFIG_MESSAGES + 1);
  config.fill(CLIENT_POOL, CONFIG_CARRIEDS, CONFIG_CARRIEDS + 1);
  config.fill(1, CONFIG_PENDING_MAX, CONFIG_PENDING_MAX + 1);
  config.fill(1, CONFIG_TOKENS_MAX, CONFIG_TOKENS_MAX + 1);
  const parts: Uint8Array[] = [new Uint8Array(config.buffer)];
  for (let client = 1; client <= peers; client++) {
    parts.push(
      mintToken({
        protocol: workload,
        key,
        clientId: client,
        servers: [`127.0.0.1:${port}`],
        expireSeconds: TOKEN_SECONDS,
        timeoutSeconds: TOKEN_SECONDS,
      }),
    );
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-bench-"));
  const file = path.join(folder, "tokens");
  fs.writeFileSync(file, Buffer.concat(parts), { mode: 0o600 });
  return file;
}

function flags(options: TrialOptions): string[] {
  const { peers, rateHz, stateBytes, reliableBytes } = options;
  return [
    ...["--peers", `${peers}`, "--rate", `${rateHz}`, "--state", `${stateBytes}`],
    ...["--reliable", `${reliableBytes}`, "--every", `${RELIABLE_EVERY}`],
  ];
}

/** Counters of two lines, as their difference. */
function difference(before: Line, after: Line): Record<string, number> {
  const counters: Record<string, number> = {};
  for (const [name, value] of Object.entries(after)) {
    const first = before[name];
    if (typeof value === "number" && typeof first === "number") counters[name] = value - first;
  }
  return counters;
}

/** Lets trials run at the same time, uncounted: the compilers of JavaScript get to know the hot path. */
export async function warmUp(trials: readonly Trial[], ms: number): Promise<void> {
  for (const trial of trials) trial.begin();
  await sleep(ms);
  await Promise.all(trials.map((trial) => trial.rest()));
}

export class Trial {
  readonly #server: Actor;
  readonly #clients: Actor;

  private constructor(server: Actor, clients: Actor) {
    this.#server = server;
    this.#clients = clients;
  }

  /** Starts both sides and connects every client. Both run then, and are silent. */
  static async start(row: Row, options: TrialOptions, cores: Cores): Promise<Trial> {
    const key = generateKey();
    const [program, ...args] = row.server;
    const secret = row.wire === "netrt" ? ["--secret", Buffer.from(key).toString("hex")] : [];
    const server = new Actor(
      program,
      [...args, ...secret, "--mode", options.mode, ...flags(options)],
      cores.server,
    );
    let clients: Actor | null = null;
    try {
      const { port } = await server.next();
      clients = await Trial.#startClients(row.wire, options, cores, key, Number(port));
    } catch (error) {
      await server.end();
      throw error;
    }
    return new Trial(server, clients);
  }

  static async #startClients(
    wire: Wire,
    options: TrialOptions,
    cores: Cores,
    key: Uint8Array,
    port: number,
  ): Promise<Actor> {
    const file = wire === "netrt" ? writeTokens(key, port, options.peers) : null;
    const args = ["--protocol", wire, "--port", `${port}`, ...flags(options)];
    args.push("--mode", options.clientMode ?? options.mode, "--input", `${options.inputBytes}`);
    args.push("--loss", `${options.lossPercent}`);
    if (file !== null) args.push("--tokens", file);
    const clients = new Actor(programPath("bench_load") as string, args, cores.clients);
    try {
      await clients.next();
      return clients;
    } catch (error) {
      await clients.end();
      throw error;
    } finally {
      if (file !== null) fs.rmSync(path.dirname(file), { recursive: true });
    }
  }

  get serverPid(): number {
    return this.#server.pid;
  }

  begin(): void {
    this.#server.resume();
    this.#clients.resume();
    this.#server.tell("go");
    this.#clients.tell("go");
  }

  /** Ends the traffic; then both sides stand still. */
  async rest(): Promise<void> {
    this.#clients.tell("hold");
    this.#server.tell("hold");
    await sleep(QUIET_MS);
    this.#clients.pause();
    this.#server.pause();
  }

  /** One block, after `settleMs` of the same. */
  async block(settleMs: number, blockMs: number): Promise<Block> {
    this.begin();
    await sleep(settleMs);
    const block = await this.measure(blockMs);
    await this.rest();
    return block;
  }

  /** A block of what is running. */
  async measure(blockMs: number): Promise<Block> {
    const startMs = performance.now();
    const server = await this.#server.mark();
    const clients = await this.#clients.mark();
    await sleep(blockMs);
    const serverLine = await this.#server.mark();
    const ms = performance.now() - startMs;
    const clientLine = await this.#clients.mark();
    return {
      ms,
      server: difference(server, serverLine),
      clients: difference(clients, clientLine),
      serverLine,
      clientLine,
    };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#clients.end(), this.#server.end()]);
  }
}
