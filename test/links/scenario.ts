/*
 * Owns what is tried on real links, and what has to hold there: each scenario is a link, how bad it is, and the contracts of
 * the four strategies over it; and that the link really was as bad as it says.
 */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import type { LinkOptions } from "../../lib/sim/link.js";
import type { RelayCounters } from "../../lib/sim/relay.js";
import {
  BEHIND_PORT,
  ENDS,
  type EndName,
  type LinkCounters,
  type LinkSettings,
  MissingError,
  NetLink,
  RELAY_PORT,
  SERVER_PORT,
} from "./net.js";
import type { PeerReport, SideOptions, SideReport } from "./side.js";
import { LANES, type Lane } from "./traffic.js";

export type EngineName = "native" | "js";

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly link: LinkSettings;
  /** What the relay does, each way. */
  readonly relay?: LinkOptions;
  /** The client's device is down for so long, in the middle. */
  readonly outageMs?: number;
  /**
   * Shares of `state` and `shots` that arrive at least: nobody promised them, but a channel that delivers nothing keeps
   * every order. Low, because a loaded machine that runs late sends states in heaps, of which the newest counts,
   * and what it holds up for 200 ms is rightly given up.
   */
  readonly shares: Readonly<{ state: number; shots: number }>;
}

const REORDER: LinkOptions = {
  delayUs: 40_000,
  jitterUs: 15_000,
  jitterReorders: true,
  reorderPercent: 10,
  reorderUs: 20_000,
};

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "clean",
    about: "nothing is lost, every datagram fits into 1,280 bytes",
    link: { family: 4 },
    shares: { state: 0.3, shots: 0.3 },
  },
  {
    name: "six",
    about: "IPv6, 5 % loss: no datagram is ever cut into pieces",
    link: { family: 6, lossPercent: 5 },
    shares: { state: 0.3, shots: 0.3 },
  },
  {
    name: "loss",
    about: "15 % loss each way",
    link: { family: 4, lossPercent: 15 },
    shares: { state: 0.3, shots: 0.3 },
  },
  {
    name: "twice",
    about: "a quarter of all datagrams comes twice, 2 % never",
    link: { family: 4, lossPercent: 2, duplicatePercent: 25 },
    shares: { state: 0.3, shots: 0.3 },
  },
  {
    name: "narrow",
    about: "2 Mbit/s and a queue of 10 ms, which bursts overflow",
    link: { family: 4, rate: { kilobits: 2000, queueMs: 10 } },
    shares: { state: 0.3, shots: 0.3 },
  },
  {
    name: "reorder",
    about: "40 ms each way, and datagrams overtake each other",
    link: { family: 4, relayed: true },
    relay: REORDER,
    shares: { state: 0.3, shots: 0.3 },
  },
  {
    name: "outage",
    about: "the device is down for a second",
    link: { family: 4 },
    outageMs: 1000,
    shares: { state: 0.3, shots: 0.3 },
  },
  {
    name: "everything",
    about: "8 % loss, 40 ms, overtaking, corruption, duplicates, 6 Mbit/s",
    link: { family: 4, relayed: true, lossPercent: 8, rate: { kilobits: 6000, queueMs: 20 } },
    relay: { ...REORDER, corruptPercent: 1, duplicatePercent: 10 },
    shares: { state: 0.3, shots: 0.3 },
  },
];

export interface ScenarioOptions {
  readonly server: EngineName;
  /** Engines of the client processes. */
  readonly clients: readonly EngineName[];
  readonly clientsEach: number;
  readonly seconds: number;
}

export interface ScenarioResult {
  readonly name: string;
  readonly server: EngineName;
  /** Why it did not run, or "". */
  readonly skipped: string;
  /** Every contract that broke, in words. */
  readonly broken: readonly string[];
  readonly seconds: number;
  readonly counters: Readonly<Partial<Record<EndName, LinkCounters>>>;
  readonly peers: readonly PeerReport[];
}

/** How long a run may take beyond its traffic, in ms: loss and a narrow link are repaired in it. */
const PATIENCE_MS = 30_000;

// --- processes ---

/** A program inside a namespace. */
class Program {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #what: string;
  #stderr = "";

  constructor(link: NetLink, end: EndName, program: string, options: SideOptions) {
    this.#what = options.role;
    const args = ["netns", "exec", link.name(end), process.execPath];
    this.#child = spawn("ip", [...args, program, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child.stderr?.on("data", (bytes) => {
      this.#stderr = (this.#stderr + bytes).slice(-4000);
    });
    // It may be gone before its input is.
    this.#child.stdin?.on("error", () => undefined);
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("a child without output");
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** The next line of its output. */
  async line(limitMs: number): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`the ${this.#what} said nothing for ${limitMs} ms: ${this.#stderr}`));
      }, limitMs);
    });
    try {
      const { value, done } = await Promise.race([this.#lines.next(), late]);
      if (done) throw new Error(`the ${this.#what} ended without a word: ${this.#stderr}`);
      return JSON.parse(value);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What it answers to a line. */
  ask(limitMs: number): Promise<unknown> {
    this.#child.stdin?.write("?\n");
    return this.line(limitMs);
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}

/** The programs of a run, all of which end with it. */
async function traffic(
  scenario: Scenario,
  options: ScenarioOptions,
  link: NetLink,
  side: string,
): Promise<{ peers: PeerReport[]; relay: RelayCounters | null }> {
  const { seconds, clients, clientsEach } = options;
  const behind = scenario.relay !== undefined;
  const programs: Program[] = [];
  const start = (end: EndName, what: SideOptions) => {
    const program = new Program(link, end, side, what);
    programs.push(program);
    return program;
  };
  try {
    const publicAddress = `${link.address("server")}:${SERVER_PORT}`;
    const server = start("server", {
      role: "server",
      engine: options.server,
      bind: behind ? `127.0.0.1:${BEHIND_PORT}` : publicAddress,
      publicAddress,
      clients: clients.length * clientsEach,
      seconds,
    });
    await server.line(PATIENCE_MS);
    let relay: Program | null = null;
    if (scenario.relay !== undefined) {
      const target = { port: RELAY_PORT, targetPort: BEHIND_PORT };
      relay = start("server", { role: "relay", ...target, link: scenario.relay });
      await relay.line(PATIENCE_MS);
    }
    const joined = clients.map((engine, index) =>
      start("client", {
        role: "clients",
        engine,
        server: publicAddress,
        firstId: 1 + index * clientsEach,
        count: clientsEach,
        seconds,
      }),
    );
    await Promise.all(joined.map((program) => program.line(PATIENCE_MS)));
    if (scenario.outageMs !== undefined) await outage(link, seconds, scenario.outageMs);
    const limitMs = seconds * 1000 + PATIENCE_MS;
    const reports = await Promise.all([server, ...joined].map((program) => program.line(limitMs)));
    return {
      peers: (reports as SideReport[]).flatMap(({ peers }) => peers),
      relay: relay === null ? null : ((await relay.ask(PATIENCE_MS)) as RelayCounters),
    };
  } finally {
    for (const program of programs) program.end();
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The fault itself is one of time: the device is down in the middle of the traffic. */
async function outage(link: NetLink, seconds: number, ms: number): Promise<void> {
  await pause(Math.max(seconds * 500, 500));
  link.up("client", false);
  await pause(ms);
  link.up("client", true);
}

// --- contracts ---

function brokenLane(lane: Lane, peer: PeerReport, other: PeerReport, share: number): string[] {
  const got = peer.lanes[lane];
  const { sent } = other.lanes[lane];
  const faults: string[] = [];
  const hold = (holds: boolean, what: string) => {
    if (!holds) faults.push(`${lane}: ${what}`);
  };
  hold(got.duplicates === 0, `${got.duplicates} came twice`);
  hold(got.disordered === 0, `${got.disordered} came out of order`);
  hold(got.corrupted === 0, `${got.corrupted} came changed`);
  if (lane === "chat" || lane === "trade") {
    hold(got.promised === sent, `${got.promised} promised of ${sent}`);
    hold(got.received === sent, `${got.received} of ${sent} arrived`);
  } else {
    hold(got.received >= share * sent, `only ${got.received} of ${sent} arrived`);
  }
  return faults;
}

/** What one connection's two sides saw, against what was promised to them. */
function brokenPair(client: PeerReport, server: PeerReport, scenario: Scenario): string[] {
  const { shares } = scenario;
  const share = (lane: Lane) => (lane === "state" || lane === "shots" ? shares[lane] : 1);
  const faults = LANES.flatMap((lane) => [
    ...brokenLane(lane, client, server, share(lane)).map((what) => `to the client, ${what}`),
    ...brokenLane(lane, server, client, share(lane)).map((what) => `to the server, ${what}`),
  ]);
  for (const [name, { undelivered, end }] of Object.entries({ client, server })) {
    if (undelivered > 0) faults.push(`the ${name} gave ${undelivered} messages up`);
    if (end !== "closed: done") faults.push(`the ${name}'s end was "${end}"`);
  }
  const { relay } = scenario;
  const least = (2 * ((relay?.delayUs ?? 0) - (relay?.jitterUs ?? 0))) / 1000;
  if (client.rttMs < least) faults.push(`a round trip of ${client.rttMs} ms through the relay`);
  return faults;
}

/** The link did what it was made for: else nothing was shown. */
function brokenLink(scenario: Scenario, counters: Record<EndName, LinkCounters>): string[] {
  const { lossPercent = 0, duplicatePercent = 0, rate } = scenario.link;
  return ENDS.flatMap((end) => {
    const { lost, duplicated, overflowed, fragments } = counters[end];
    const faults: string[] = [];
    if (lossPercent > 0 && lost === 0) faults.push("lost nothing");
    if (duplicatePercent > 0 && duplicated === 0) faults.push("duplicated nothing");
    if (rate !== undefined && scenario.name === "narrow" && overflowed === 0) {
      faults.push("was never too narrow");
    }
    if (fragments > 0) faults.push(`saw ${fragments} pieces of datagrams`);
    return faults.map((what) => `the link at the ${end} ${what}`);
  });
}

/** The same of the relay. */
function brokenRelay(scenario: Scenario, counters: RelayCounters | null): string[] {
  if (scenario.relay === undefined || counters === null) return [];
  const { reorderPercent = 0, corruptPercent = 0, duplicatePercent = 0 } = scenario.relay;
  const { up, down } = counters;
  return Object.entries({ up, down }).flatMap(([way, { reordered, corrupted, duplicated }]) => {
    const faults: string[] = [];
    if (reorderPercent > 0 && reordered === 0) faults.push("kept the order");
    if (corruptPercent > 0 && corrupted === 0) faults.push("changed nothing");
    if (duplicatePercent > 0 && duplicated === 0) faults.push("duplicated nothing");
    return faults.map((what) => `the relay's way ${way} ${what}`);
  });
}

/** Runs one scenario. `side` is the program of side.ts, compiled. */
export async function runScenario(
  scenario: Scenario,
  options: ScenarioOptions,
  side: string,
): Promise<ScenarioResult> {
  const began = performance.now();
  const { name } = scenario;
  const broken: string[] = [];
  let skipped = "";
  let counters: ScenarioResult["counters"] = {};
  let peers: PeerReport[] = [];
  let link: NetLink | undefined;
  try {
    link = new NetLink(scenario.link);
    const ran = await traffic(scenario, options, link, path.resolve(side));
    peers = ran.peers;
    const both = { server: link.counters("server"), client: link.counters("client") };
    counters = both;
    broken.push(...brokenLink(scenario, both), ...brokenRelay(scenario, ran.relay));
    const ids = new Set(peers.map(({ id }) => id));
    for (const id of ids) {
      const [server, client] = peers.filter((peer) => peer.id === id);
      if (client === undefined) broken.push(`client ${id}: one side is missing`);
      else
        broken.push(...brokenPair(client, server, scenario).map((what) => `client ${id}: ${what}`));
    }
    const expected = options.clients.length * options.clientsEach;
    if (ids.size !== expected) broken.push(`${ids.size} of ${expected} clients reported`);
  } catch (error) {
    if (error instanceof MissingError) skipped = error.message;
    else broken.push((error as Error).message);
  } finally {
    link?.close();
  }
  const seconds = Math.round(performance.now() - began) / 1000;
  return { name, server: options.server, skipped, broken, seconds, counters, peers };
}
