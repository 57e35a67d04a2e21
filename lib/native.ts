/**
 * The native engine: finding the addon, and the few calls that reach it.
 *
 * Owns: the search for a binary that fits this runtime, and the typed errors of opening.
 * Never does: choose between the engines (lib/driver.ts does), print, or carry a message.
 * Invariants: nothing here throws because there is no addon; whoever asks gets the reason. The
 * memory that an engine writes is held by the addon until `close`, and can't be transferred away.
 */
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { getSystemErrorName } from "node:util";
import workerThreads from "node:worker_threads";
import { formatAddress } from "./address.js";
import { NetrtError, warnOfSystem } from "./errors.js";
import type { Engine, EngineOptions, IoMode, SocketAddress, SocketStats } from "./turn.js";

/** Words of the page that the addon publishes; native/io/turn.h has the same names and values. */
export const PUBLISHED_DEADLINE = 0;
export const PUBLISHED_PORT = 2;
export const PUBLISHED_ERROR = 3;
export const PUBLISHED_CALL = 4;
export const PUBLISHED_COUNT = 5;
export const PUBLISHED_NOW = 6;
/** Pairs of words (low, high), in the order of the fields of SocketStats. */
export const PUBLISHED_COUNTERS = 8;
export const PUBLISHED_WORDS = 30;

/** Bits of the last word of a wanted socket; native/addon/addon.cc has the same. */
const SOCKET_REUSE_PORT = 1;
const SOCKET_THREAD = 2;

/** Answer of a turn beside lib/turn.ts's: the socket is gone. */
export const TURNED_FAILED = 4;
/** Answer of a turn: datagrams could not go. Once a second at most. */
export const TURNED_WARNED = 8;

/** The addon's functions. What they are given they check; a mistake throws a TypeError. */
export interface Binding {
  /** The provider of the ciphers, or null: then nothing else may be called. */
  seal(): string | null;
  /** The engine's id, or a negative number: the class of a refusal, its errno in `published`. */
  open(
    config: Uint32Array,
    privateKey: Uint8Array,
    entropy: Uint8Array,
    submission: Uint8Array,
    completion: Uint8Array,
    page: Uint32Array,
    socket: Uint32Array,
    published: Uint32Array,
    onWake: () => void,
  ): number;
  connect(id: number, token: Uint8Array): void;
  turn(id: number, flags: number): number;
  arm(id: number, deadlineUs: number, watch: boolean, flush: boolean): void;
  /** Puts the time into `published`, in µs of the clock that deadlines count by. */
  now(id: number): void;
  close(id: number): void;
}

// ---- Finding the addon ----

/** What is used of process.report; other runtimes lack it, and Node's types lack a part of it. */
interface Report {
  excludeNetwork?: boolean;
  getReport(): object;
}

/** The C library that a binary must be built for: `glibc` or `musl`. Only Linux has a choice. */
function libcName(): string {
  const report = process.report as Report | undefined;
  if (process.platform !== "linux" || report === undefined) return "glibc";
  // Who this process is connected to is of no interest here, and naming them asks name servers.
  const excluded = report.excludeNetwork ?? false;
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
  report.excludeNetwork = excluded;
  return header.glibcVersionRuntime === undefined ? "musl" : "glibc";
}

/** Prebuilt binaries that fit: `netrt.<tag>.node`, those with more tags first. */
function prebuilds(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  const { arm_version: armVersion } = process.config.variables as { arm_version?: string };
  const arm = process.arch === "arm64" ? "8" : armVersion;
  const fitting = new Set(["napi", libcName(), `armv${arm}`]);
  const tagsOf = (file: string) => file.split(".").slice(1, -1);
  return fs
    .readdirSync(folder)
    .filter((file) => /^netrt(\.\w+)*\.node$/.test(file))
    .filter((file) => tagsOf(file).every((tag) => fitting.has(tag)))
    .sort((left, right) => tagsOf(right).length - tagsOf(left).length)
    .map((file) => path.join(folder, file));
}

/** Where a binary may lie, below the package's folder, the first that loads is taken. */
export function addonFiles(root: string): string[] {
  const built = ["Release", "Debug"].map((mode) => path.join(root, "build", mode, "netrt.node"));
  const platform = `${process.platform}-${process.arch}`;
  return [...built.filter(fs.existsSync), ...prebuilds(path.join(root, "prebuilds", platform))];
}

/** The addon of the package in `root`, or why there is none. */
export function loadAddon(root: string): { binding: Binding } | { reason: string } {
  const require = createRequire(import.meta.url);
  let reason = `no addon for ${process.platform}-${process.arch} in build/ or prebuilds/`;
  for (const file of addonFiles(root)) {
    try {
      const binding = require(file) as Binding;
      if (binding.seal() !== null) return { binding };
      reason = `${file} finds no ciphers in this runtime`;
    } catch (error) {
      const empty = fs.statSync(file, { throwIfNoEntry: false })?.size === 0;
      const why = empty ? "it is empty, its build was interrupted" : (error as Error).message;
      reason = `${file} does not load: ${why}`;
    }
  }
  return { reason };
}

let loaded: { binding: Binding } | { reason: string } | undefined;

/** The addon, or why the native engine can't run here. Looks once. */
export function loadNative(): { binding: Binding } | { reason: string } {
  // From lib/ in a checkout's tests, from dist/lib/ otherwise.
  const above = path.resolve(import.meta.dirname, "..");
  const isRoot = fs.existsSync(path.join(above, "package.json"));
  loaded ??= loadAddon(isRoot ? above : path.dirname(above));
  return loaded;
}

// ---- The engine ----

/** The order of the counters that the addon publishes. */
const COUNTER_NAMES = [
  "receiveCalls",
  "sendCalls",
  "datagramsReceived",
  "datagramsSent",
  "truncated",
  "kernelDrops",
  "localLoss",
  "unreachable",
  "blocked",
  "tooLarge",
  "refused",
] as const satisfies readonly (keyof SocketStats)[];

/**
 * A 64-bit number of the page; none of them reaches 2^53. An I/O thread may write it meanwhile, both
 * words at once: they belong together when the high one is the same before and after.
 */
function pairOf(page: Uint32Array, word: number): number {
  for (;;) {
    const high = page[word + 1];
    const low = page[word];
    if (page[word + 1] === high) return high * 2 ** 32 + low;
  }
}

class NativeEngine implements Engine {
  readonly name = "native";
  readonly bound: SocketAddress;
  readonly io: IoMode;
  readonly #binding: Binding;
  readonly #published: Uint32Array;
  readonly #clock: Float64Array;
  readonly #memory: readonly (Uint8Array | Uint32Array)[];
  #id: number;

  constructor(binding: Binding, id: number, options: EngineOptions, published: Uint32Array) {
    const { bind, submission, completion, page } = options;
    this.#binding = binding;
    this.#id = id;
    this.#published = published;
    this.#clock = new Float64Array(published.buffer, published.byteOffset + 4 * PUBLISHED_NOW, 1);
    this.#memory = [submission, completion, page, published];
    this.io = options.io;
    this.bound = { ...bind, port: published[PUBLISHED_PORT] };
    for (const { buffer } of this.#memory) workerThreads.markAsUntransferable?.(buffer);
  }

  nowUs(): number {
    // Once it is closed, its clock stands still.
    if (this.#id !== 0) this.#binding.now(this.#id);
    return this.#clock[0];
  }

  turn(flags: number): number {
    this.#check();
    const turned = this.#binding.turn(this.#id, flags);
    if ((turned & TURNED_WARNED) !== 0) {
      const code = getSystemErrorName(-this.#published[PUBLISHED_ERROR]);
      warnOfSystem(formatBind(this.bound), code, this.#published[PUBLISHED_COUNT]);
    }
    if ((turned & TURNED_FAILED) === 0) return turned;
    const cause = systemError("socket", this.#published[PUBLISHED_ERROR], formatBind(this.bound));
    throw new NetrtError("ERR_NETRT_IO", `the socket is gone: ${cause.code}`, { cause });
  }

  deadlineUs(): number {
    // The I/O thread keeps its deadlines itself.
    if (this.io === "thread") return Number.MAX_SAFE_INTEGER;
    return pairOf(this.#published, PUBLISHED_DEADLINE);
  }

  arm(deadlineUs: number, watch: boolean, flush = false): void {
    if (this.#id !== 0) this.#binding.arm(this.#id, deadlineUs, watch, flush);
  }

  connect(token: Uint8Array): void {
    this.#check();
    this.#binding.connect(this.#id, token);
  }

  socketStats(): SocketStats {
    const entries = COUNTER_NAMES.map(
      (name, index) => [name, pairOf(this.#published, PUBLISHED_COUNTERS + 2 * index)] as const,
    );
    return Object.fromEntries(entries) as unknown as SocketStats;
  }

  close(): void {
    if (this.#id === 0) return;
    this.#binding.close(this.#id);
    this.#id = 0;
  }

  /** Nothing native runs without its memory: a buffer may still be detached by its own `transfer`. */
  #check(): void {
    const memory = this.#memory;
    if (memory[0].length === 0 || memory[1].length === 0 || memory[2].length === 0) this.close();
    if (this.#id === 0) throw new NetrtError("ERR_NETRT_CLOSED", "the engine is closed");
  }
}

// ---- Opening ----

/** Classes of a refusal, as native/io/fault.h counts them, negative and from 1. */
const REFUSED_IN_USE = -2;
const REFUSED_UNAVAILABLE = -3;
const REFUSED_DENIED = -4;
const REFUSED_EXHAUSTED = -5;
const REFUSED_UNSUPPORTED = -6;

/** What the system calls that can refuse are called, by native/io/fault.h's numbers. */
const CALL_NAMES = ["socket", "bind"] as const;

function formatBind({ type, port, words: [a, b, c, d] }: SocketAddress): string {
  return formatAddress({ type, port, a, b, c, d });
}

/** The system's error as Node would have made it. */
function systemError(call: string, errno: number, bind: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  const error = new Error(`${call} ${code} ${bind}`);
  return Object.assign(error, { code, errno: -errno, syscall: call });
}

function refusal(refused: number, published: Uint32Array, bind: string): NetrtError {
  const call = CALL_NAMES[published[PUBLISHED_CALL]] ?? CALL_NAMES[0];
  const cause = systemError(call, published[PUBLISHED_ERROR], bind);
  const ioError = (why: string) =>
    new NetrtError("ERR_NETRT_IO", `opening ${bind} failed: ${why} (${cause.code})`, { cause });
  switch (refused) {
    case REFUSED_IN_USE:
      return new NetrtError("ERR_NETRT_PORT_IN_USE", `another socket has ${bind}`, { cause });
    case REFUSED_UNAVAILABLE: {
      const message = `no interface of this machine has the address of ${bind}`;
      return new NetrtError("ERR_NETRT_ADDRESS_NOT_AVAILABLE", message, { cause });
    }
    case REFUSED_DENIED:
      return ioError("the system forbids it; ports below 1024 need a privilege");
    case REFUSED_EXHAUSTED:
      return ioError("no file descriptor, thread or memory is left");
    case REFUSED_UNSUPPORTED:
      return ioError("this machine does not speak that address family");
    default:
      return ioError("the system refused");
  }
}

/** Opens the native engine; see `OpenEngine`. */
export async function openNative(options: EngineOptions): Promise<Engine> {
  const native = loadNative();
  if ("reason" in native) {
    throw new NetrtError("ERR_NETRT_ENGINE_UNAVAILABLE", native.reason);
  }
  const { bind, socketBufferBytes } = options;
  const published = new Uint32Array(PUBLISHED_WORDS);
  const flags =
    (options.reusePort ? SOCKET_REUSE_PORT : 0) | (options.io === "thread" ? SOCKET_THREAD : 0);
  const id = native.binding.open(
    options.config,
    options.privateKey,
    options.entropy,
    options.submission,
    options.completion,
    options.page,
    Uint32Array.of(bind.type, bind.port, ...bind.words, socketBufferBytes, flags),
    published,
    options.onWake,
  );
  if (id < 0) throw refusal(id, published, formatBind(bind));
  return new NativeEngine(native.binding, id, options, published);
}
