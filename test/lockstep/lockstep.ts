// lockstep: a world of test/sim whose every host is there once in every engine, with the same inputs.
//
// After every input the engines must show the same page, have the same memory free and want to be woken at the
// same time, after every ask for packets have sent the same datagrams, and after every turn have written the
// same rings; and both must have kept what test/sim watches over.
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
  /** Turns of hosts: the steps, and those on the way to rest. */
  readonly turns: number;
  /** Inputs given to both engines (submissions, datagrams, time, flushes, asks for packets), each compared. */
  readonly inputs: number;
  readonly datagrams: number;
  readonly sessions: number;
  readonly messages: number;
  readonly fates: number;
  readonly blocks: number;
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
        `repeat: npm run lockstep -- --seed ${seed} --turns ${Math.min(step + 1, steps)} --steps 1`,
    );
  } finally {
    world.close();
  }
  const { ledger, network } = world;
  return {
    steps,
    turns: world.turns,
    inputs: world.inputs,
    datagrams: network.sent,
    sessions: ledger.sessions.length,
    messages: ledger.delivered,
    fates: ledger.fates,
    blocks: world.blocks,
  };
}
