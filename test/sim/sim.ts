// sim: runs one world of the simulator, and says how to run it again when something was wrong.
//
// Owns what a case is: a seed and what was taken away from its world. A case is one line, prints as the
// command that replays it, and stands in seeds.json once it has failed.
import type { Random } from "../../lib/sim/random.js";
import type { Canary } from "./canary.js";
import type { Fault } from "./faults.js";
import { type EngineName, SimError } from "./pair.js";
import { worldFinish } from "./phases.js";
import { Trace } from "./trace.js";
import { World, type WorldOptions } from "./world.js";

/** Whose engines the hosts are; `mix` draws each host's. */
export type Engines = EngineName | "mix";

export interface SimCase {
  readonly seed: number;
  readonly steps: number;
  readonly engines: Engines;
  /** Faults taken away. */
  readonly without?: readonly Fault[];
  /** Clients, in place of what the seed says. */
  readonly clients?: number;
}

export interface SimOptions {
  readonly canary?: Canary | null;
  readonly shiftUs?: number;
  readonly singles?: boolean;
  readonly prompt?: boolean;
  readonly trace?: Trace | null;
}

export interface SimResult {
  readonly steps: number;
  readonly engines: string;
  readonly faults: readonly Fault[];
  readonly clients: number;
  readonly virtualSeconds: number;
  readonly datagrams: number;
  readonly sessions: number;
  readonly messages: number;
  readonly fates: number;
  readonly blocks: number;
}

/** What a failed case is told by. */
export class SimFailure extends Error {
  override readonly name = "SimFailure";

  constructor(
    readonly failed: SimCase,
    readonly step: number,
    readonly settling: boolean,
    readonly problem: string,
  ) {
    const where = settling ? `after step ${step}, with all faults off` : `step ${step}`;
    super(`seed ${failed.seed}, ${where}: ${problem}\nreplay: ${replayOf(failed)}`);
  }
}

/** The command that runs a case again. */
export function replayOf(one: SimCase): string {
  const words = [`npm run sim -- --seed ${one.seed} --steps ${one.steps}`];
  if (one.engines !== "mix") words.push(`--engine ${one.engines}`);
  if (one.clients !== undefined) words.push(`--clients ${one.clients}`);
  if (one.without?.length) words.push(`--without ${one.without.join(",")}`);
  return words.join(" ");
}

function worldOptions(one: SimCase, options: SimOptions): WorldOptions {
  const { seed, engines, without = [], clients } = one;
  const drawn = (_node: number, random: Random): EngineName[] => {
    const name = random.chance(50) ? "native" : "js";
    return [engines === "mix" ? name : engines];
  };
  return {
    seed,
    engines: drawn,
    without: new Set(without),
    ...(clients === undefined ? {} : { clients }),
    ...options,
  };
}

/** Runs a case. Throws SimFailure. */
export function simRun(one: SimCase, options: SimOptions = {}): SimResult {
  const world = new World(worldOptions(one, options));
  let step = 0;
  try {
    for (; step < one.steps; step++) world.step();
    worldFinish(world);
  } catch (error) {
    const problem = error instanceof SimError ? error.message : String((error as Error).stack);
    throw new SimFailure(one, step, world.settling, problem);
  } finally {
    world.close();
  }
  const { ledger, network, nodes, faults, profile, nowUs, startUs } = world;
  return {
    steps: one.steps,
    engines: nodes.map(({ pair }) => pair.first.engine).join(","),
    faults: faults.names,
    clients: profile.clients,
    virtualSeconds: (nowUs - startUs) / 1e6,
    datagrams: network.sent,
    sessions: ledger.sessions.length,
    messages: ledger.delivered,
    fates: ledger.fates,
    blocks: world.blocks,
  };
}

// --- what must not make a difference ---

/** Much later, and at another place of every 32-bit border. */
const SHIFT_US = 2 ** 40 + 12_345;

/**
 * Runs a case in ways that must give the same: with clocks that start later, in the other engine, and with every
 * datagram's events told one by one. Throws SimFailure; answers how many things were the same.
 */
export function simSame(one: SimCase): number {
  const traceOf = (engines: Engines, options: SimOptions): Trace => {
    const trace = new Trace();
    simRun({ ...one, engines }, { ...options, trace });
    return trace;
  };
  const plain = traceOf("native", {});
  const others: [string, Trace][] = [
    ["clocks that start later", traceOf("native", { shiftUs: SHIFT_US })],
    ["the other engine", traceOf("js", {})],
  ];
  for (const [what, other] of others) {
    const place = plain.differs(other);
    if (place >= 0) {
      throw new SimFailure(one, one.steps, false, `${what}: another trace from ${place} on`);
    }
  }
  // Where a ring is full, it matters when it is read: in these worlds it never is.
  const slowless: SimCase = { ...one, without: [...(one.without ?? []), "slow"] };
  const [batches, singles] = [false, true].map((each) => {
    const trace = new Trace();
    simRun({ ...slowless, engines: "native" }, { singles: each, prompt: true, trace });
    return trace;
  });
  const place = batches.differs(singles);
  if (place >= 0) {
    throw new SimFailure(slowless, one.steps, false, `singles: another trace from ${place} on`);
  }
  return plain.count;
}
