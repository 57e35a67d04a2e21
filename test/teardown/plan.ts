/*
 * Owns the names of the matrix: how far a process got, and how it ends.
 * Knows neither processes nor sockets.
 */

/** How far a process got. */
export const STAGES = [
  /** A server was asked for; nobody waited for it. */
  "created",
  "bound",
  /** A server, and a client whose server doesn't answer. */
  "connecting",
  "idle",
  "bursting",
  /** The end comes from within a handler. */
  "callback",
  "closed",
] as const;
export type Stage = (typeof STAGES)[number];

/** How it ends. */
export const EXITS = [
  /** Everything is closed, and the event loop runs empty. */
  "natural",
  "process.exit",
  "throw",
  "SIGTERM",
  "SIGKILL",
  /** All that in a worker, which is terminated. */
  "worker.terminate",
  /** All that in a worker, which leaves by itself. */
  "worker end",
  /** Nobody holds anything any more, and garbage is collected. */
  "garbage",
  /** The package is loaded twice, from two places, each with an addon of its own. */
  "two copies",
  /** A child is spawned in the middle of it, and lives on. */
  "child",
] as const;
export type Exit = (typeof EXITS)[number];

export type EngineName = "native" | "js";

/** What a child is told. */
export interface Plan {
  readonly stage: Stage;
  readonly exit: Exit;
  readonly engine: EngineName;
  /** Ports of 127.0.0.1 that are free: one for each copy of the package. */
  readonly ports: readonly number[];
  /** Tokens for the server that notices how this process ends; one for each copy. */
  readonly tokens: readonly string[];
  /** The main module of each copy of the package. */
  readonly packages: readonly string[];
}

/** The exit code of a process that meant to end. */
export const CODE = 7;
export const THROWN = "thrown on purpose";
