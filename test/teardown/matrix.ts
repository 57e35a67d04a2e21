/*
 * Owns the parent's side of the teardown matrix: the processes, the server that notices their ends, and
 * the verdict on each cell.
 * Invariant: every process is gone when its cell is over; one that hangs is killed, and is wrong.
 */
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import {
  createServer,
  defineProtocol,
  type Protocol,
  realTime,
  reliable,
  type Server,
} from "../../lib/index.js";
import { generateKey, mintToken, tokenToBase64 } from "../../lib/token.js";
import { CODE, type EngineName, type Exit, type Plan, type Stage, THROWN } from "./plan.js";

const HANG_MS = 20_000;
/** The time-out of the connections: a peer that vanished is noticed after it. */
const TIMEOUT_SECONDS = 2;
/** How long a peer's notice may take beyond that, on a loaded machine. */
const NOTICE_MS = 8000;

/** The packages that processes load: two copies, each with an addon of its own. */
export interface Packages {
  readonly first: string;
  readonly second: string;
}

/**
 * Two copies of a compiled package (lib/ and test/teardown/) below `folder`, each with an addon of its
 * own: the same file in two places is two addons to the system's loader.
 */
export function copyPackages(root: string, compiled: string, folder: string): Packages {
  const [first, second] = ["first", "second"].map((name) => {
    const home = path.join(folder, name);
    for (const part of ["lib", "test/teardown"]) {
      fs.cpSync(path.join(compiled, part), path.join(home, part), { recursive: true });
    }
    fs.copyFileSync(path.join(root, "package.json"), path.join(home, "package.json"));
    const addon = path.join(root, "build/Release/netrt.node");
    if (fs.existsSync(addon)) fs.cpSync(addon, path.join(home, "build/Release/netrt.node"));
    return home;
  });
  return { first: first!, second: second! };
}

export interface Ended {
  readonly stage: Stage;
  readonly exit: Exit;
  readonly engine: EngineName;
  readonly ms: number;
  readonly wrong: readonly string[];
}

// ---- The peer ----

/** The server that the processes connect to, and what it noticed of each. */
export class Witness {
  readonly protocol: Protocol;
  readonly #server: Server;
  readonly #secret: Uint8Array;
  readonly #noticed = new Map<bigint, Promise<string>>();
  #clients = 0n;

  private constructor(protocol: Protocol, server: Server, secret: Uint8Array) {
    this.protocol = protocol;
    this.#server = server;
    this.#secret = secret;
    server.on("connect", (peer) => {
      const noticed = once(peer, "disconnect").then(([{ reason }]) => reason as string);
      this.#noticed.set(peer.id, noticed);
    });
    for (const name of ["chat", "state"]) {
      server.channel(name).on("message", (peer, bytes) => {
        if (peer.connected) peer.send(name, bytes);
      });
    }
  }

  static async open(engine: EngineName): Promise<Witness> {
    const protocol = defineProtocol("teardown/1", { chat: reliable(), state: realTime() });
    const secret = generateKey();
    const server = await createServer<Protocol>(protocol, {
      address: "127.0.0.1:0",
      secret,
      maxPeers: 64,
      engine,
    });
    return new Witness(protocol, server, secret);
  }

  /** A token for a new client, and its id. */
  invite(): { readonly id: bigint; readonly token: string } {
    this.#clients += 1n;
    const token = mintToken({
      protocol: this.protocol,
      key: this.#secret,
      clientId: this.#clients,
      servers: [this.#server.address],
      expireSeconds: 300,
      timeoutSeconds: TIMEOUT_SECONDS,
    });
    return { id: this.#clients, token: tokenToBase64(token) };
  }

  /** How a client's end looked from here; "" if there was no such client. */
  async noticed(id: bigint): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve("nothing"), TIMEOUT_SECONDS * 1000 + NOTICE_MS);
    });
    const reason = await Promise.race([this.#noticed.get(id) ?? "", late]);
    clearTimeout(timer);
    return reason;
  }

  close(): Promise<void> {
    return this.#server.close({ timeout: 0 });
  }
}

// ---- Ports ----

const taken = new Set<number>();

async function isFree(port: number): Promise<boolean> {
  const socket = createSocket("udp4");
  try {
    socket.bind(port, "127.0.0.1");
    await once(socket, "listening");
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}

/** A free port from below those that systems give to sockets that ask for any. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
}

// ---- One cell ----

interface Outcome {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly hung: boolean;
  /** Ports that were still bound when the process had ended. */
  readonly bound: readonly number[];
}

async function run(program: string, plan: Plan): Promise<Outcome> {
  const args = ["--expose-gc", program, JSON.stringify(plan)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  let hung = false;
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const timer = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, HANG_MS);
  const closed = once(child, "close");
  const [code, signal] = await once(child, "exit");
  clearTimeout(timer);
  const bound: number[] = [];
  for (const port of plan.ports) if (!(await isFree(port))) bound.push(port);
  await closed;
  return { code, signal, stdout, stderr, hung, bound };
}

/** Code and signal with which a process should end. */
function expectedEnd(exit: Exit): readonly [code: number | null, signal: string | null] {
  if (exit === "SIGTERM" || exit === "SIGKILL") return [null, exit];
  return exit === "throw" ? [1, null] : [CODE, null];
}

/** What the peer should notice: "" where there was none. */
function expectedNotice(stage: Stage, exit: Exit): string {
  if (stage === "created" || stage === "bound" || stage === "connecting") return "";
  return stage === "closed" || exit === "natural" ? "closed" : "timedOut";
}

function judge(stage: Stage, exit: Exit, outcome: Outcome): string[] {
  const { code, signal, stdout, stderr, hung, bound } = outcome;
  const wrong: string[] = [];
  const expected = expectedEnd(exit);
  if (hung) wrong.push("it hung");
  if (code !== expected[0] || signal !== expected[1]) {
    wrong.push(`it ended with ${code}, ${signal} in place of ${expected}`);
  }
  if (stdout !== "") wrong.push(`it printed ${stdout}`);
  if (exit === "throw") {
    // The error that was thrown, and nothing beside it.
    if (!stderr.includes(`Error: ${THROWN}`)) wrong.push(`its error is missing: ${stderr}`);
    if (/DEP0168|FATAL|abort|signal|Assertion/i.test(stderr)) wrong.push(stderr);
  } else if (stderr !== "") wrong.push(stderr);
  if (bound.length > 0) wrong.push(`port ${bound} is not free again`);
  return wrong.map((what) => `${stage}: ${what}`);
}

/** Brings a process to a stage, and ends it. What its peer noticed comes later, and is waited for then. */
async function teardown(
  packages: Packages,
  witness: Witness,
  engine: EngineName,
  stage: Stage,
  exit: Exit,
): Promise<() => Promise<Ended>> {
  const began = performance.now();
  const homes = exit === "two copies" ? [packages.first, packages.second] : [packages.first];
  const invited = homes.map(() => witness.invite());
  const plan: Plan = {
    stage,
    exit,
    engine,
    ports: await Promise.all(homes.map(freePort)),
    tokens: invited.map(({ token }) => token),
    packages: homes.map((home) => pathToFileURL(path.join(home, "lib/index.js")).href),
  };
  const program = path.join(packages.first, "test/teardown/child.js");
  const wrong = judge(stage, exit, await run(program, plan));
  const ms = Math.round(performance.now() - began);
  const notices = invited.map(({ id }) => witness.noticed(id));
  return async () => {
    const expected = expectedNotice(stage, exit);
    for (const noticed of await Promise.all(notices)) {
      if (noticed !== expected) wrong.push(`its peer noticed "${noticed}", not "${expected}"`);
    }
    return { stage, exit, engine, ms, wrong };
  };
}

/** Runs the cells, so many processes at a time. */
export async function teardownAll(
  packages: Packages,
  engine: EngineName,
  cells: readonly (readonly [Stage, Exit])[],
  atATime: number,
): Promise<Ended[]> {
  const witness = await Witness.open(engine);
  const verdicts: (() => Promise<Ended>)[] = [];
  const waiting = [...cells];
  const lane = async (): Promise<void> => {
    for (let cell = waiting.shift(); cell !== undefined; cell = waiting.shift()) {
      verdicts.push(await teardown(packages, witness, engine, ...cell));
    }
  };
  await Promise.all(Array.from({ length: atATime }, lane));
  const ended = await Promise.all(verdicts.map((verdict) => verdict()));
  await witness.close();
  return ended;
}
