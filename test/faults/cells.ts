/*
 * Owns the cells of the fault table: what is made to fail, how, and whether the two processes bore it.
 * Invariant: a cell in which nothing failed is no pass: it is `idle`, and counts as wrong.
 */
import type { SystemFaults } from "../../lib/index.js";
import type { Rate } from "./control.js";
import type { Report } from "./host.js";
import {
  type Bench,
  closePair,
  type EngineName,
  type Engines,
  Host,
  openPair,
  type Pair,
} from "./pair.js";
import { type Action, type Fault, isBearable, isRunning } from "./table.js";

export interface Cell {
  readonly name: string;
  /** Calls that could have failed, and those that did. */
  readonly calls: number;
  readonly faults: number;
  readonly ms: number;
  /** What is wrong; empty for a pass. */
  readonly wrong: readonly string[];
}

/** Time for what was sent to come back, once nothing fails any more. */
const PATIENCE_MS = 10_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const nameOf = ({ call, name }: Fault): string => `${call} ${name}`;

/** What a report must not tell. */
function complaints(who: string, report: Report): string[] {
  const { errors, losses, uncaught } = report;
  const thrown = uncaught.map(({ code, message }) => `${code} ${message}`);
  return [...errors, ...losses, ...thrown].map((what) => `${who}: ${what}`);
}

interface Both {
  readonly wrong: string[];
  /** Sums of both ends. */
  readonly lost: number;
  readonly rejectedSizes: number;
  readonly faults: SystemFaults;
  readonly warnings: readonly string[];
}

async function reports(pair: Pair): Promise<Both> {
  const [server, client] = await Promise.all([pair.server.report(), pair.client.report()]);
  const sum = (kind: keyof SystemFaults): number => server.faults[kind] + client.faults[kind];
  return {
    wrong: [...complaints("server", server), ...complaints("client", client)],
    lost: server.packetsLost + client.packetsLost,
    rejectedSizes: server.rejectedSizes + client.rejectedSizes,
    faults: {
      blocked: sum("blocked"),
      dropped: sum("dropped"),
      tooLarge: sum("tooLarge"),
      unreachable: sum("unreachable"),
      refused: sum("refused"),
    },
    warnings: [...server.warnings, ...client.warnings],
  };
}

/** Runs one cell: what `body` throws is wrong with it. */
async function cell(
  name: string,
  hosts: readonly Host[],
  body: () => Promise<string[]>,
): Promise<Cell> {
  const began = performance.now();
  const wrong: string[] = [];
  try {
    wrong.push(...(await body()));
  } catch (error) {
    wrong.push((error as Error).message);
  }
  for (const { control } of hosts) control.end();
  const calls = hosts.reduce((sum, { control }) => sum + control.seen(), 0);
  const faults = hosts.reduce((sum, { control }) => sum + control.total, 0);
  if (faults === 0) wrong.push("nothing failed");
  return { name, calls, faults, ms: Math.round(performance.now() - began), wrong };
}

/** Waits for the first fault, on a machine that may be busy with something else. */
async function untilFault(hosts: readonly Host[]): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (hosts.every(({ control }) => control.total === 0) && performance.now() < until) {
    await sleep(10);
  }
}

// ---- While running ----

/** How the calls of a cell fail. */
const MODES = {
  /** Every third call. */
  third: { every: 3 },
  /** All of them, for a while. */
  outage: { every: 1 },
} as const satisfies Record<string, Rate>;
type Mode = keyof typeof MODES;

/** An outage lasts so long: several times the longest RTO that an idle loopback has. */
const OUTAGE_MS = 120;
/**
 * What is over with the call that told it (a signal, an ICMP message) is made again at once, as
 * it should be: its outage is so many in a row.
 */
const PASSING_MAX = 1000;

const isPassing = ({ call, name, action }: Fault): boolean =>
  name === "EINTR" || (call === "receive" && action === "ICMP");

/**
 * Calls of the native engine's two ends in a millisecond of an outage that may last: each tries again after one.
 * Whoever makes more doesn't wait for its end, but turns in circles until then.
 */
const CALLS_PER_MS = 4;

/** EAGAIN of a socket that says it is readable: no kernel is so, and none could tell it from one that is empty. */
const mayLast = (fault: Fault): boolean =>
  !isPassing(fault) && !(fault.call === "receive" && fault.name === "EAGAIN");

const rateOf = (fault: Fault, mode: Mode): Rate =>
  mode === "outage" && isPassing(fault) ? { ...MODES.outage, left: PASSING_MAX } : MODES[mode];
/** Messages on each channel under a fault, and after it. */
const MESSAGES = 40;
/** How often a cell goes on sending until there was a fault. */
const MORE_MAX = 20;

function begin(pair: Pair, rules: readonly Fault[], rate: Rate): void {
  for (const [index, host] of pair.hosts.entries()) {
    host.control.begin(rules, { ...rate, seed: (rate.seed ?? 1) * 2 + index });
  }
}

function traffic(pair: Pair, messages: number): Promise<unknown> {
  return pair.client.ask("traffic", { messages, patienceMs: PATIENCE_MS });
}

/** One row of the table, while messages go both ways: all of them arrive. */
function runningCell(pair: Pair, engines: Engines, fault: Fault, mode: Mode): Promise<Cell> {
  const name = `${engines.server}-${engines.client} ${nameOf(fault)} ${mode}`;
  return cell(name, pair.hosts, async () => {
    const before = await reports(pair);
    begin(pair, [fault], rateOf(fault, mode));
    const wrong = [...before.wrong];
    const sent = traffic(pair, MESSAGES);
    sent.catch(() => undefined); // it is awaited below, after the outage
    if (mode === "outage") {
      const began = performance.now();
      await sleep(OUTAGE_MS);
      await untilFault(pair.hosts);
      const calls = pair.hosts.reduce((sum, { control }) => sum + control.total, 0);
      const most = Math.ceil((performance.now() - began) * CALLS_PER_MS);
      if (engines.server === "native" && mayLast(fault) && calls > most) {
        wrong.push(`${calls} calls failed while no more than ${most} were worth a try`);
      }
      // A part of each batch is no outage: it goes on until there was such a batch.
      if (fault.name !== "partial") for (const { control } of pair.hosts) control.end();
    }
    await sent;
    // A batch of several packets, which only can be sent in part, is not in every burst.
    const made = () => pair.hosts.some(({ control }) => control.total > 0);
    for (let more = 0; more < MORE_MAX && !made(); more++) await traffic(pair, MESSAGES);
    const after = await reports(pair);
    wrong.push(...after.wrong, ...uncounted(engines.server, fault, before, after));
    const lost = after.lost - before.lost;
    if (mode === "third" && lost > 0 && isLossless(engines.server, fault)) {
      wrong.push(`${lost} packets were lost, which could have gone out`);
    }
    return wrong;
  });
}

// What libuv calls again until it works.
const LIBUV_REPEATS = ["EAGAIN", "EINTR", "ENOBUFS"];

/** Where the statistics of the API count an action of the table; what is received later isn't counted. */
const COUNTERS: Partial<Record<Action, keyof SystemFaults>> = {
  LOSS: "dropped",
  SHRINK: "tooLarge",
  ICMP: "refused",
};

/** What the statistics should have counted and haven't. */
function uncounted(engine: EngineName, fault: Fault, before: Both, after: Both): string[] {
  const { call, name, action } = fault;
  const wrong: string[] = [];
  const spoilt = name === "truncated" || name === "empty";
  // libuv has room for the longest datagram that there is: none is ever cut short.
  if (spoilt && !(engine === "js" && name === "truncated")) {
    if (after.rejectedSizes === before.rejectedSizes) wrong.push("no datagram was rejected");
  }
  const counter = action === "LATER" && call === "send" ? "blocked" : COUNTERS[action ?? "AGAIN"];
  const expected = action === "WARN" && call === "send" ? "unreachable" : counter;
  // libuv waits by itself where there is no room, and has fewer words for ICMP messages.
  const silent = LIBUV_REPEATS.includes(name) || expected === "refused";
  if (expected !== undefined && action !== "AGAIN" && !(engine === "js" && silent)) {
    if (after.faults[expected] === before.faults[expected]) wrong.push(`not counted: ${expected}`);
  }
  return wrong;
}

/** Whether every packet still arrives, if not at once: nothing was received, and nothing thrown away. */
function isLossless(engine: EngineName, { call, name, action }: Fault): boolean {
  if (call === "wait") return true;
  if (call === "receive") return action !== null;
  if (engine === "js") return LIBUV_REPEATS.includes(name);
  return name === "partial" || name === "zero" || ["AGAIN", "LATER", "ICMP"].includes(action ?? "");
}

/** The waker is the addon's, and libuv sends batches only from a queue that netrt never lets it have. */
export function isApplicable({ server, client }: Engines, { call, name }: Fault): boolean {
  if (server === "native" || client === "native") return true;
  return call !== "wait" && name !== "partial" && name !== "zero";
}

/** The whole table against a pair of engines, in both modes. */
export async function runningCells(
  bench: Bench,
  engines: Engines,
  faults: readonly Fault[],
): Promise<Cell[]> {
  const cells: Cell[] = [];
  let pair = await openPair(bench, engines);
  for (const fault of faults) {
    if (!isBearable(fault) || !isApplicable(engines, fault)) continue;
    for (const mode of Object.keys(MODES) as Mode[]) {
      const ran = await runningCell(pair, engines, fault, mode);
      cells.push(ran);
      if (ran.wrong.length === 0) continue;
      // The next cell is not to suffer for this one.
      await closePair(pair);
      pair = await openPair(bench, engines);
    }
  }
  const name = `${engines.server}-${engines.client} after all`;
  return [...cells, { name, calls: 0, faults: 0, ms: 0, wrong: await closePair(pair) }];
}

/** Calls fail by chance, each with an errno of its table, until `calls` could have failed. */
export function stormCell(
  pair: Pair,
  engines: Engines,
  faults: readonly Fault[],
  options: { readonly seed: number; readonly calls: number; readonly oneIn: number },
): Promise<Cell> {
  const { seed, calls, oneIn } = options;
  const name = `${engines.server}-${engines.client} 1 call in ${oneIn}, seed ${seed}`;
  return cell(name, pair.hosts, async () => {
    begin(pair, faults.filter(isBearable), { seed, oneIn });
    const seen = () => pair.hosts.reduce((sum, { control }) => sum + control.seen(), 0);
    while (seen() < calls) {
      await traffic(pair, 200);
      const { wrong } = await reports(pair);
      if (wrong.length > 0) return wrong;
    }
    return [];
  });
}

/** Long enough for more datagrams than warnings. */
const WARNED_MS = 2200;

/** Nothing can go out for a while: one warning a second, however many datagrams it is about. */
export function warningCell(pair: Pair, engines: Engines, faults: readonly Fault[]): Promise<Cell> {
  const unreachable = faults.find(({ call, name }) => call === "send" && name === "ENETUNREACH");
  const name = `${engines.server}-${engines.client} a warning a second`;
  return cell(name, pair.hosts, async () => {
    const began = performance.now();
    begin(pair, [unreachable as Fault], MODES.outage);
    const sent = traffic(pair, MESSAGES);
    sent.catch(() => undefined); // it is awaited below, after the outage
    await sleep(WARNED_MS);
    for (const { control } of pair.hosts) control.end();
    await sent;
    const most = 1 + (performance.now() - began) / 1000;
    const wrong: string[] = [];
    for (const host of pair.hosts) {
      const report = await host.report();
      const count = report.warnings.filter((text) => text.includes("ENETUNREACH")).length;
      if (count < 1 || count > most) wrong.push(`${count} warnings: ${report.warnings}`);
      wrong.push(...complaints("", report));
    }
    return wrong;
  });
}

// ---- The socket is gone ----

/** Long enough for a second word, were there one. */
const SILENCE_MS = 200;

/** An errno that ends the host: said once, with a typed error, and the process goes on. */
export async function fatalCell(bench: Bench, fault: Fault): Promise<Cell> {
  const pair = await openPair(bench, { server: "native", client: "native" });
  const { server, client } = pair;
  const one = await cell(`native ${nameOf(fault)} is the end`, [server], async () => {
    await traffic(pair, MESSAGES);
    server.control.begin([fault], { every: 1 });
    // The client's messages wake the server, or what the server has to say does.
    client.ask("traffic", { messages: MESSAGES, patienceMs: 1000 }).catch(() => undefined);
    await untilFault([server]);
    await sleep(SILENCE_MS);
    const { uncaught, errors, losses } = await server.report();
    const wrong = [...errors];
    const loss = `disconnected: failed the socket is gone: ${fault.name}`;
    if (losses.at(-1) !== loss) wrong.push(`its peer was told ${losses}`);
    if (uncaught.length !== 1) wrong.push(`said ${uncaught.length} times`);
    for (const { code, message } of uncaught.slice(0, 1)) {
      if (code !== "ERR_NETRT_IO" || !message.includes(fault.name))
        wrong.push(`${code} ${message}`);
    }
    server.control.end();
    await server.ask("close");
    const again = await server.attempt("127.0.0.1:0");
    if (again.code !== "") wrong.push(`does not open again: ${again.code}`);
    return wrong;
  });
  const wrong = [...one.wrong, ...complaints("client", await client.report())];
  return { ...one, wrong: [...wrong, ...(await closePair(pair))] };
}

// ---- While opening ----

const IN_USE = "ERR_NETRT_PORT_IN_USE";
const UNAVAILABLE = "ERR_NETRT_ADDRESS_NOT_AVAILABLE";

/** The code of an open that met this fault; "" for one that succeeds all the same. */
function expectedCode(engine: EngineName, { call, name, kind, action }: Fault): string {
  // Options only cost precision. The native engine's interrupted calls are made again, and libuv
  // takes EINVAL for a kernel that doesn't know its flags yet.
  if (call === "option") return "";
  if (engine === "js" && call === "socket" && name === "EINVAL") return "";
  const retried = call === "socket" || call === "bind" || call === "name";
  if (engine === "native" && action === "AGAIN" && retried) return "";
  if (kind === "IN_USE") return IN_USE;
  const unavailable = engine === "native" ? kind === "UNAVAILABLE" : name === "EADDRNOTAVAIL";
  return unavailable ? UNAVAILABLE : "ERR_NETRT_IO";
}

/** libuv has one word for a family that isn't there and an address of another family. */
const causeOf = (engine: EngineName, { call, name }: Fault): string =>
  engine === "js" && call === "bind" && name === "EAFNOSUPPORT" ? "EINVAL" : name;

/** Whether the engine makes such a call while it opens. */
export const isOpening = (engine: EngineName, fault: Fault): boolean =>
  !isRunning(fault) && (engine === "native" || ["socket", "option", "bind"].includes(fault.call));

/** One row of the table, at the first such call of an open: typed, nothing leaked, and it opens after. */
function openingCell(host: Host, engine: EngineName, fault: Fault): Promise<Cell> {
  return cell(`${engine} open: ${nameOf(fault)}`, [host], async () => {
    const wrong: string[] = [];
    // Every option fails, one of the other calls does.
    host.control.begin([fault], { every: 1, ...(fault.call === "option" ? {} : { left: 1 }) });
    const refused = await host.attempt("127.0.0.1:0");
    const expected = expectedCode(engine, fault);
    if (refused.code !== expected) wrong.push(`"${refused.code}" in place of "${expected}"`);
    if (expected !== "" && refused.cause !== causeOf(engine, fault))
      wrong.push(`caused by ${refused.cause}`);
    if (refused.leaked !== 0) wrong.push(`${refused.leaked} handles or threads leaked`);
    host.control.end();
    const again = await host.attempt("127.0.0.1:0");
    if (again.code !== "" || again.leaked !== 0) wrong.push(`then: ${JSON.stringify(again)}`);
    return wrong;
  });
}

/** All rows of an engine's open, in one process. */
export async function openingCells(
  bench: Bench,
  engine: EngineName,
  faults: readonly Fault[],
): Promise<Cell[]> {
  const host = await Host.open(bench, engine);
  // What a first open makes for good is not its leak.
  await host.attempt("127.0.0.1:0");
  await host.attempt("127.0.0.1:0");
  const cells: Cell[] = [];
  for (const fault of faults.filter((one) => isOpening(engine, one))) {
    cells.push(await openingCell(host, engine, fault));
  }
  const { uncaught } = await host.report();
  const stderr = await host.close();
  const wrong = uncaught.map(({ code, message }) => `${code} ${message}`);
  if (stderr !== "") wrong.push(stderr);
  return [...cells, { name: `${engine} open: after all`, calls: 0, faults: 0, ms: 0, wrong }];
}
