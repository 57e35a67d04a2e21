/**
 * The command line of the arena.
 *
 * Owns: the flags, their ranges and defaults, and the help text.
 * Never does: read the environment; `NETRT_ENGINE` is the library's to read.
 */
import { parseArgs } from "node:util";
import type { EngineChoice } from "../../lib/index.js";

/** A mistake of the user's, or a run that can't go on: shown as one line, without a stack. */
export class ArenaError extends Error {}

/** What a run is made of. */
export interface ArenaOptions {
  readonly clients: number;
  /** Ticks per second of the server, and inputs per second of each client. */
  readonly tickRate: number;
  /** How long to measure; null: until Ctrl-C. */
  readonly seconds: number | null;
  /** Of the simulated link, each way. */
  readonly lossPercent: number;
  /** Of the simulated link, there and back. */
  readonly rttMs: number;
  /** Of the simulated link, each way: up to so much earlier or later. */
  readonly jitterMs: number;
  readonly seed: number;
  readonly serverEngine: EngineChoice | undefined;
  readonly clientEngine: EngineChoice | undefined;
  readonly json: boolean;
}

export const HELP = `The netrt arena: an authoritative server and, in a second process, its clients behind a bad link.

  npm start [-- flags]

  --clients N         clients, 1 to 128 (32)
  --tick HZ           ticks per second, 10 to 1000 (128)
  --seconds S         measure for so long, 0.1 to 86400; without it until Ctrl-C
  --loss PERCENT      lost datagrams, each way, 0 to 100 (5)
  --rtt MS            round-trip time of the link, 0 to 1000 (40)
  --jitter MS         each datagram comes up to so much earlier or later, 0 to 200 (5)
  --seed N            of the link, the players and their game, 0 to 4294967295 (1)
  --engine NAME       native, js or auto, for both processes (NETRT_ENGINE, else auto)
  --server-engine NAME, --client-engine NAME
                      the same for one of them
  --json              print the result as one JSON object on stdout, and all else on stderr
  --help              this text

Ctrl-C ends a run with its summary. The exit code is 0 when all clients got in and every message was as
its channel promises, else 1.
`;

/** Clients at most: the state of so many players fits one packet. */
export const CLIENTS_MAX = 128;
const CLIENTS_DEFAULT = 32;
const TICK_RATE_DEFAULT = 128;
const LOSS_PERCENT_DEFAULT = 5;
const RTT_MS_DEFAULT = 40;
const JITTER_MS_DEFAULT = 5;
const SEED_DEFAULT = 1;
const ENGINES = ["native", "js", "auto"] as const;

const FLAGS = {
  clients: { type: "string" },
  tick: { type: "string" },
  seconds: { type: "string" },
  loss: { type: "string" },
  rtt: { type: "string" },
  jitter: { type: "string" },
  seed: { type: "string" },
  engine: { type: "string" },
  "server-engine": { type: "string" },
  "client-engine": { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/**
 * Reads the arguments; null when they ask for help.
 *
 * @throws ArenaError naming the flag, what was given and what is allowed
 */
export function parseOptions(args: readonly string[]): ArenaOptions | null {
  const values = parseFlags(args);
  if (values.help === true) return null;
  const both = engine("engine", values.engine);
  return {
    clients: whole("clients", values.clients, 1, CLIENTS_MAX, CLIENTS_DEFAULT),
    tickRate: whole("tick", values.tick, 10, 1000, TICK_RATE_DEFAULT),
    seconds: values.seconds === undefined ? null : range("seconds", values.seconds, 0.1, 86_400, 0),
    lossPercent: range("loss", values.loss, 0, 100, LOSS_PERCENT_DEFAULT),
    rttMs: range("rtt", values.rtt, 0, 1000, RTT_MS_DEFAULT),
    jitterMs: range("jitter", values.jitter, 0, 200, JITTER_MS_DEFAULT),
    seed: whole("seed", values.seed, 0, 2 ** 32 - 1, SEED_DEFAULT),
    serverEngine: engine("server-engine", values["server-engine"]) ?? both,
    clientEngine: engine("client-engine", values["client-engine"]) ?? both,
    json: values.json === true,
  };
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: false }).values;
  } catch (error) {
    throw new ArenaError(`${(error as Error).message}; --help lists the flags`);
  }
}

function range(
  flag: string,
  given: string | undefined,
  least: number,
  most: number,
  fallback: number,
): number {
  if (given === undefined) return fallback;
  const value = given.trim() === "" ? Number.NaN : Number(given);
  if (value >= least && value <= most) return value;
  throw new ArenaError(`--${flag} must be a number from ${least} to ${most}, not "${given}"`);
}

function whole(
  flag: string,
  given: string | undefined,
  least: number,
  most: number,
  fallback: number,
): number {
  const value = range(flag, given, least, most, fallback);
  if (Number.isInteger(value)) return value;
  throw new ArenaError(`--${flag} must be a whole number, not "${given}"`);
}

function engine(flag: string, given: string | undefined): EngineChoice | undefined {
  const found = ENGINES.find((name) => name === given);
  if (given === undefined || found !== undefined) return found;
  throw new ArenaError(`--${flag} must be native, js or auto, not "${given}"`);
}
