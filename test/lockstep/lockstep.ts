// lockstep: runs a world, and says how to run it again when something was wrong.
//
// A world is one server and several clients, each of them once in every engine, with the same inputs.
// After every step the engines must have sent the same datagrams, written the same rings and the same
// page, and want to be woken at the same time; and both must have kept the promises of delivery
// (ledger.ts). In the end all memory is free again and no connection is left.
import { CONFIG_CARRIEDS, CONFIG_CHUNKS, CONFIG_MESSAGES } from "../../lib/engine/config.js";
import type { End } from "./ledger.js";
import { type EngineName, LockstepError } from "./pair.js";
import { userCloses } from "./user.js";
import { World } from "./world.js";

/** Time that peers have to bring what is under way to its end, in µs. */
const REST_US = 40_000_000;
/** Time for what needs no fate any more, in µs: two of the longest retransmission time-outs. */
const SKIP_US = 4_000_000;
/** Time that closing may take, in µs: the longest time-out, and the goodbyes. */
const CLOSE_US = 20_000_000;

export interface LockstepOptions {
  readonly seed: number;
  readonly steps: number;
  /** Default both, TypeScript's first. */
  readonly engines?: readonly EngineName[];
}

export interface LockstepResult {
  readonly steps: number;
  readonly datagrams: number;
  readonly sessions: number;
  readonly messages: number;
  readonly fates: number;
}

/** Runs one world from its beginning to its end. Throws LockstepError with the way to repeat it. */
export function lockstepRun(options: LockstepOptions): LockstepResult {
  const { seed, steps, engines = ["js", "native"] } = options;
  const world = new World(seed, engines);
  let step = 0;
  try {
    for (; step < steps; step++) world.step();
    finish(world);
  } catch (error) {
    const problem = error instanceof LockstepError ? error.message : (error as Error).stack;
    throw new LockstepError(
      `seed ${seed}, step ${step}${world.settling ? " (at the end)" : ""}: ${problem}\n` +
        `repeat: LOCKSTEP_SEED=${seed} LOCKSTEP_STEPS=${Math.min(step + 1, steps)} npm run lockstep`,
    );
  } finally {
    world.close();
  }
  const { ledger, network } = world;
  return {
    steps,
    datagrams: network.sent,
    sessions: ledger.sessions.length,
    messages: ledger.delivered,
    fates: ledger.fates,
  };
}

/** Lets the world come to rest, checks what has to hold then, and closes it. */
function finish(world: World): void {
  const { ledger } = world;
  const queued = () =>
    world.nodes.some((node) => [...node.ends.values()].some((end) => waits(end)));
  const waits = (end: End) =>
    end.live && end.other.live && !end.session.tampered && ledger.unfated(end) > 0;
  if (!world.settle(REST_US, () => !queued())) {
    throw new LockstepError("messages wait for ever between peers that are well");
  }
  // Skips are still under way, and what waits behind a gap for them.
  world.settle(SKIP_US, () => false);
  for (const session of ledger.sessions) ledger.settled(session);
  for (const node of world.nodes) {
    for (const end of node.ends.values()) if (end.live) userCloses(world, node, end, true);
    world.turn(node);
  }
  const ended = world.settle(CLOSE_US, () => world.nodes.every(World.empty)) || closeHard(world);
  for (const session of ledger.sessions) ledger.settled(session);
  for (const node of world.nodes) {
    world.turn(node);
    if (ended && [...node.ends.values()].some((end) => end.live)) {
      throw new LockstepError("the end of a connection was never told");
    }
    if (ended && !World.fated(node)) {
      throw new LockstepError(`${node.unfated} messages have no fate and were not refused`);
    }
    const [chunks, messages, carrieds] = node.pair.memory();
    const { config } = node;
    if (
      ended &&
      (chunks !== config[CONFIG_CHUNKS] ||
        messages !== config[CONFIG_MESSAGES] ||
        carrieds !== config[CONFIG_CARRIEDS])
    ) {
      throw new LockstepError(`memory is missing: ${chunks}, ${messages}, ${carrieds} are free`);
    }
  }
}

/** Connections without a time-out whose peer is gone end by their user's hand only. */
function closeHard(world: World): boolean {
  for (const node of world.nodes) {
    for (const end of node.ends.values()) if (end.live) userCloses(world, node, end, false);
    world.turn(node);
  }
  if (world.settle(CLOSE_US, () => world.nodes.every(World.empty))) return true;
  // One that never came as far as its user stays, where its token sets no time-out.
  if (!world.endless) throw new LockstepError("a connection did not end");
  return false;
}
