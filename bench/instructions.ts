/*
 * `npm run instructions`: how many instructions the native core takes for fixed traffic, against the
 * record in bench/instructions.json. Counted by valgrind, so the same on every run: what a change costs
 * shows although the machine is noisy.
 *
 * A count that is more than 2 % off, either way, fails: a loss is looked at, a gain is recorded
 * (--record), with its reason in the commit. A record holds for one compiler, one C library and one machine
 * type: elsewhere the counts are printed, and it is said that nothing was compared.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { parseAddress } from "../lib/address.js";
import { configureAddresses, configureProtocol } from "../lib/configure.js";
import { ROLE_CLIENT, ROLE_SERVER } from "../lib/engine/config.js";
import { mintToken } from "../lib/token.js";
import { buildPrograms, programPath, ROOT } from "./build.js";
import { workload } from "./workload.js";

const RECORD_FILE = path.join(ROOT, "bench", "instructions.json");
/** How far a count may be from its record. */
const TOLERANCE = 0.02;
const VALGRIND_MS_MAX = 300_000;

/** Of bench/native/core.cc. */
const CLIENTS = 32;
const SERVER = "127.0.0.1:40000";
const UNIX_MS = 1_000_000_000_000;

const SCENES = [
  { name: "steady", lossPercent: 0 },
  { name: "lossy", lossPercent: 5 },
] as const;

const USAGE = `npm run instructions -- [--record] [--json]

Counts the instructions of the native core for fixed traffic, with and without loss, and compares them with
bench/instructions.json. Fails when one is more than ${100 * TOLERANCE} % off. With another compiler, C library or
machine type than the record's nothing is compared, and a line says so. --record renews the record.`;

export interface Count {
  readonly instructions: number;
  readonly perClientTick: number;
}
type Counts = Record<string, Count>;
type Records = Record<string, Counts>;

/** Both configurations, a key and the clients' tokens, as bench_core reads them. */
function writeInput(file: string): void {
  const key = new Uint8Array(32).fill(7);
  const server = configureProtocol(ROLE_SERVER, workload, CLIENTS, {});
  configureAddresses(server.config, [parseAddress(SERVER)]);
  const client = configureProtocol(ROLE_CLIENT, workload, 1, {});
  const parts = [new Uint8Array(server.config.buffer), new Uint8Array(client.config.buffer), key];
  for (let clientId = 1; clientId <= CLIENTS; clientId++) {
    const servers = [SERVER];
    parts.push(mintToken({ protocol: workload, key, clientId, servers, now: UNIX_MS }));
  }
  fs.writeFileSync(file, Buffer.concat(parts));
}

function firstLine(command: string, ...args: string[]): string {
  return spawnSync(command, args, { encoding: "utf8" }).stdout?.split("\n")[0]?.trim() || command;
}

/** The compiler, the C library and the machine type that a record is for. */
function environmentName(): string {
  const compiler = firstLine(process.env.CXX || "c++", "--version");
  const library = firstLine("getconf", "GNU_LIBC_VERSION");
  return `${compiler}, ${library}, ${os.arch()}`;
}

function count(program: string, input: string, lossPercent: number, profile: string): Count {
  // Of the traffic, all but the ciphers and what keys are made with: those are their library's.
  const ciphers = [
    "sealPacket",
    "openPacket",
    "x25519Public",
    "x25519Agree",
    "hmacSha256",
    "sealSuiteSet",
  ];
  const toggles = ["traffic*", ...ciphers.map((name) => `netrt::${name}*`)];
  const { status, error, stdout, stderr } = spawnSync(
    "valgrind",
    [
      "--tool=callgrind",
      "--collect-atstart=no",
      ...toggles.map((name) => `--toggle-collect=${name}`),
      `--callgrind-out-file=${profile}`,
      program,
      input,
      `${lossPercent}`,
    ],
    { encoding: "utf8", timeout: VALGRIND_MS_MAX },
  );
  if (error !== undefined) throw new Error(`valgrind does not run: ${error.message}`);
  const collected = Number(/Collected : (\d+)/.exec(stderr)?.[1]);
  const complaint = /^bench_core: .*$/m.exec(stderr)?.[0];
  if (status !== 0 || !(collected > 0)) throw new Error(complaint ?? "valgrind counted nothing");
  const { clientTicks, received } = JSON.parse(stdout) as { clientTicks: number; received: number };
  if (!(received > 0.9 * clientTicks)) throw new Error(`only ${received} messages arrived`);
  return { instructions: collected, perClientTick: Math.round(collected / clientTicks) };
}

function readRecords(): Records {
  if (!fs.existsSync(RECORD_FILE)) return {};
  return JSON.parse(fs.readFileSync(RECORD_FILE, "utf8")) as Records;
}

/** A line for each scene, and whether all are within the tolerance. */
export function compare(counts: Counts, record: Counts): { lines: string[]; within: boolean } {
  let within = true;
  const lines = Object.entries(counts).map(([name, { instructions, perClientTick }]) => {
    const recorded = record[name]?.instructions;
    const what = `${name}: ${perClientTick} instructions per client-tick`;
    if (recorded === undefined) {
      within = false;
      return `${what}, not recorded`;
    }
    const change = instructions / recorded - 1;
    if (Math.abs(change) > TOLERANCE) within = false;
    const sign = change < 0 ? "" : "+";
    return `${what}, ${sign}${(100 * change).toFixed(2)} % against the record`;
  });
  return { lines, within };
}

function countAll(): Counts {
  const reason = buildPrograms();
  const program = programPath("bench_core");
  if (reason !== null || program === null) throw new Error(reason ?? "bench_core was not built");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-bench-"));
  try {
    const input = path.join(folder, "input");
    writeInput(input);
    return Object.fromEntries(
      SCENES.map(({ name, lossPercent }) => {
        const profile = path.join(folder, name);
        return [name, count(program, input, lossPercent, profile)];
      }),
    );
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

function main(): void {
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({ options: { record: flag, json: flag, help: flag } });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const environment = environmentName();
  const counts = countAll();
  if (values.json) process.stdout.write(`${JSON.stringify({ environment, counts }, null, 1)}\n`);
  if (values.record) {
    const records = { ...readRecords(), [environment]: counts };
    fs.writeFileSync(RECORD_FILE, `${JSON.stringify(records, null, 2)}\n`);
    process.stderr.write(`recorded for ${environment}\n`);
    return;
  }
  const records = readRecords();
  const record = records[environment];
  const { lines, within } = compare(counts, record ?? {});
  process.stderr.write(`${environment}\n${lines.join("\n")}\n`);
  if (record === undefined) {
    const known = Object.keys(records).join("\n  ");
    process.stderr.write(`NOTHING WAS COMPARED: the records are for\n  ${known}\n`);
    return;
  }
  if (!within) {
    process.stderr.write("if that is meant: npm run instructions -- --record, and say why\n");
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) {
  try {
    main();
  } catch (error) {
    process.stderr.write(`instructions: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
