/*
 * What the user of the benchmark may choose, checked.
 */
import { parseArgs } from "node:util";
import {
  INPUT_BYTES,
  MESSAGE_HEAD_BYTES,
  RELIABLE_BYTES,
  RELIABLE_HEAD_BYTES,
  STATE_BYTES,
  WORKLOAD_BYTES_MAX,
} from "./workload.js";

/** `locked`: ticks at a rate. `flat`: an answer for each input, a thousand times a second if need be. */
export type Mode = "locked" | "flat";

/** Where the native engine's ciphers come from: libsodium, or Node's own OpenSSL. */
export type Provider = "sodium" | "evp";

export interface Options {
  readonly quick: boolean;
  readonly json: boolean;
  /** Where the page of plots goes. */
  readonly html: string | null;
  readonly modes: readonly Mode[];
  readonly peers: readonly number[];
  /** Ticks per second; null: by the number of peers. */
  readonly rateHz: number | null;
  readonly inputBytes: number;
  readonly stateBytes: number;
  readonly reliableBytes: number;
  /** Share of datagrams lost each way, in percent. */
  readonly lossPercent: number;
  /** The ciphers' provider of netrt's native servers; null leaves the choice to them. */
  readonly crypto: Provider | null;
  readonly rounds: number;
  readonly blockMs: number;
  /** Only rows whose name contains one of these. */
  readonly rows: readonly string[];
  /** Only the rows: no micro-benchmarks, latency or idle peers. */
  readonly rowsOnly: boolean;
  /** Profiles the rows instead of comparing them. */
  readonly profile: boolean;
  /** Server and clients run before other programs. */
  readonly priority: boolean;
}

export const USAGE = `npm run bench -- [options]

A game server's tick: every client sends an input, the server sends each a state, and with every tenth
a short reliable message. The figure is the server's CPU time per client and tick, in µs.

  --quick            a minute: fewer peers, rows and rounds
  --json             one object on standard output instead of the table
  --html FILE        a page of plots that opens from disk
  --peers 1,64,...   numbers of peers (default 1,64,256,1000,4000)
  --mode locked|flat only these ticks: at a rate, or an answer for each input at once
  --rate HZ          ticks per second, 30 to 1000 (default 60, from 256 peers on 30)
  --sizes I,S,R      bytes of input, state and reliable message (default ${INPUT_BYTES},${STATE_BYTES},${RELIABLE_BYTES})
  --loss PERCENT     datagrams dropped each way, 0 to 50; a stream (ws) has no such row
  --crypto sodium|evp  netrt's native ciphers by libsodium or by Node's OpenSSL (default: libsodium)
  --rounds N         blocks of each row, 1 to 100
  --block MS         length of a block, 100 to 10000
  --rows A,B         only rows whose names contain these, and the floor
  --rows-only        no micro-benchmarks, latency, idle peers
  --priority         both sides before other programs (root): for a machine that others use too
  --profile          where the servers' time goes, by function (perf), instead of the table
  --help`;

class UsageError extends Error {}

function numberOf(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < least || value > most) {
    throw new UsageError(`--${name} takes ${least} to ${most}, but ${text} was given`);
  }
  return value;
}

function integersOf(name: string, text: string, least: number, most: number): number[] {
  return text.split(",").map((part) => {
    const value = numberOf(name, part, least, most);
    if (!Number.isInteger(value)) throw new UsageError(`--${name} takes whole numbers`);
    return value;
  });
}

function sizesOf(text: string | undefined): [number, number, number] {
  if (text === undefined) return [INPUT_BYTES, STATE_BYTES, RELIABLE_BYTES];
  const sizes = integersOf("sizes", text, MESSAGE_HEAD_BYTES, WORKLOAD_BYTES_MAX);
  const [input, state, reliable] = sizes;
  if (sizes.length !== 3 || input === undefined || state === undefined || reliable === undefined) {
    throw new UsageError("--sizes takes three numbers: input, state, reliable message");
  }
  if (reliable < RELIABLE_HEAD_BYTES) {
    throw new UsageError(`a reliable message has ${RELIABLE_HEAD_BYTES} bytes at least`);
  }
  return [input, state, reliable];
}

function modesOf(text: string | undefined): Mode[] | null {
  if (text === undefined) return null;
  if (text === "locked" || text === "flat") return [text];
  throw new UsageError(`--mode takes locked or flat, but ${text} was given`);
}

function cryptoOf(text: string | undefined): Provider | null {
  if (text === undefined) return null;
  if (text === "sodium" || text === "evp") return text;
  throw new UsageError(`--crypto takes sodium or evp, but ${text} was given`);
}

const text = { type: "string" } as const;
const flag = { type: "boolean", default: false } as const;

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: flag,
        json: flag,
        help: flag,
        "rows-only": flag,
        profile: flag,
        priority: flag,
        html: text,
        peers: text,
        mode: text,
        rate: text,
        sizes: text,
        loss: text,
        crypto: text,
        rounds: text,
        block: text,
        rows: text,
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The options, or null when help was asked for. @throws Error with a line for the user */
export function readOptions(args: readonly string[]): Options | null {
  const values = parse(args);
  if (values.help) return null;
  const { quick } = values;
  const [inputBytes, stateBytes, reliableBytes] = sizesOf(values.sizes);
  const peers = values.peers ?? (quick ? "64,256" : "1,64,256,1000,4000");
  return {
    quick,
    json: values.json,
    html: values.html ?? null,
    modes: modesOf(values.mode) ?? (quick ? ["locked"] : ["locked", "flat"]),
    peers: integersOf("peers", peers, 1, 10_000),
    rateHz: values.rate === undefined ? null : numberOf("rate", values.rate, 30, 1000),
    inputBytes,
    stateBytes,
    reliableBytes,
    lossPercent: numberOf("loss", values.loss ?? "0", 0, 50),
    crypto: cryptoOf(values.crypto),
    rounds: integersOf("rounds", values.rounds ?? (quick ? "3" : "5"), 1, 100)[0] as number,
    blockMs: numberOf("block", values.block ?? (quick ? "400" : "600"), 100, 10_000),
    rows: values.rows === undefined ? [] : values.rows.split(","),
    rowsOnly: values["rows-only"],
    profile: values.profile,
    priority: values.priority,
  };
}
