// lockstep: a world of test/sim whose every host is there once in every engine, with the same inputs.
//
// After every step the engines must have sent the same datagrams, written the same rings and the same
// page, and want to be woken at the same time; and both must have kept what test/sim watches over.
import { type EngineName, SimError } from "../sim/pair.js";
import { worldFinish } from "../sim/phases.js";
import { World } from "../sim/world.js";

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

/** Runs one world from its beginning to its end. Throws SimError with the way to repeat it. */
export function lockstepRun(options: LockstepOptions): LockstepResult {
  const { seed, steps, engines = ["js", "native"] } = options;
  const world = new World({ seed, engines: () => engines });
  let step = 0;
  try {
    for (; step < steps; step++) world.step();
    worldFinish(world);
  } catch (error) {
    const problem = error instanceof SimError ? error.message : (error as Error).stack;
    throw new SimError(
      `seed ${seed}, step ${step}${world.settling ? " (at the end)" : ""}: ${problem}\n` +
        `repeat: npm run lockstep -- --seed ${seed} --steps ${Math.min(step + 1, steps)}`,
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
