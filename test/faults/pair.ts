/*
 * Owns the processes under the shim as a test has them: starting them, asking them, ending them.
 * Invariant: whatever happens, a process is gone once its `Host` was closed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { Control } from "./control.js";
import type { Attempt, Report } from "./host.js";

export type EngineName = "native" | "js";

/** Where programs, shim and control pages are. */
export interface Bench {
  /** The folder of the compiled package: lib/ and test/faults/ are below. */
  readonly home: string;
  /** What runs below it; by default the program of this folder. */
  readonly program?: string;
  /** The shim; null for none. */
  readonly shimFile: string | null;
  /** Added to the environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** For control pages. */
  readonly folder: string;
}

/** No answer takes longer. */
const PATIENCE_MS = 30_000;

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

let hosts = 0;

/** One process. */
export class Host {
  readonly control: Control;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #asked = 0;
  #stderr = "";
  /** How it ended; null while it runs. */
  ended: { readonly code: number | null; readonly signal: string | null } | null = null;

  constructor(bench: Bench, engine: EngineName, flags: readonly string[] = []) {
    this.control = new Control(path.join(bench.folder, `control-${process.pid}-${++hosts}`));
    const shim = bench.shimFile === null ? {} : { LD_PRELOAD: bench.shimFile };
    const program = path.join(bench.home, bench.program ?? "test/faults/host.js");
    this.#child = spawn(process.execPath, ["--no-warnings", ...flags, program], {
      env: {
        ...process.env,
        ...bench.environment,
        ...shim,
        NETRT_ENGINE: engine,
        NETRT_FAULTS: this.control.file,
      },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (chunk) => {
      this.#stderr += chunk;
    });
    this.#child.on("message", (reply: Reply) => {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
    this.#child.on("exit", (code, signal) => {
      this.ended = { code, signal };
      for (const answer of this.#waiting.values()) answer({ id: 0, error: this.#obituary() });
      this.#waiting.clear();
    });
  }

  static async open(bench: Bench, engine: EngineName, flags?: readonly string[]): Promise<Host> {
    const host = new Host(bench, engine, flags);
    await host.#answer(0);
    return host;
  }

  #obituary(): string {
    return `the process ended: ${JSON.stringify(this.ended)} ${this.#stderr}`;
  }

  #answer(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no answer")), PATIENCE_MS);
      this.#waiting.set(id, ({ result, error }) => {
        clearTimeout(timer);
        if (error === undefined) resolve(result);
        else reject(new Error(error));
      });
    });
  }

  /** Does something there. */
  ask(verb: string, argument?: unknown): Promise<unknown> {
    if (this.ended !== null) return Promise.reject(new Error(this.#obituary()));
    const id = ++this.#asked;
    this.#child.send({ id, verb, argument });
    return this.#answer(id);
  }

  async report(): Promise<Report> {
    return (await this.ask("report")) as Report;
  }

  async attempt(address: string): Promise<Attempt> {
    return (await this.ask("attempt", address)) as Attempt;
  }

  /** Ends it, gently at first; what it left on stderr. */
  async close(): Promise<string> {
    this.control.end();
    if (this.ended === null) {
      const exit = once(this.#child, "exit");
      const timer = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE_MS);
      await this.ask("exit").catch(() => undefined);
      await exit;
      clearTimeout(timer);
    }
    this.control.close();
    return this.#stderr;
  }
}

export interface Engines {
  readonly server: EngineName;
  readonly client: EngineName;
}

/** A server and a client that are connected. */
export interface Pair {
  readonly server: Host;
  readonly client: Host;
  readonly hosts: readonly Host[];
}

/** Two processes that are not connected yet. */
export async function openHosts(
  bench: Bench,
  engines: Engines,
  flags?: readonly string[],
): Promise<Pair> {
  const [server, client] = await Promise.all([
    Host.open(bench, engines.server, flags),
    Host.open(bench, engines.client, flags),
  ]);
  return { server, client, hosts: [server, client] };
}

export async function openPair(
  bench: Bench,
  engines: Engines,
  flags?: readonly string[],
): Promise<Pair> {
  const pair = await openHosts(bench, engines, flags);
  const address = await pair.server.ask("server", { address: "127.0.0.1:0" });
  await pair.client.ask("client", { address });
  await pair.server.ask("joined");
  return pair;
}

/** Ends both; what is wrong with how they ended. */
export async function closePair(pair: Pair): Promise<string[]> {
  const wrong: string[] = [];
  for (const host of pair.hosts) host.control.end();
  for (const host of [pair.client, pair.server]) {
    if (host.ended === null) await host.ask("close").catch((error) => wrong.push(String(error)));
    const stderr = await host.close();
    if (stderr !== "") wrong.push(`stderr: ${stderr}`);
    if (host.ended?.code !== 0) wrong.push(`ended with ${JSON.stringify(host.ended)}`);
  }
  return wrong;
}
