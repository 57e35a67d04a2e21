// shrink: a failed case with less in it: fewer steps, faults and clients, as long as it still fails.
//
// Owns the search. Never judges: `fails` does. It may end at another failure than the first; that is one, too.
import { FAULTS } from "./faults.js";
import { type SimCase, SimFailure } from "./sim.js";

/** The failure of a case, or null when it passes. */
export type Fails = (one: SimCase) => SimFailure | null;

/** Runs that a shrinking may take. */
const RUNS_MAX = 120;

export function shrink(first: SimFailure, fails: Fails): SimFailure {
  let best = first;
  let runs = 0;
  const tries = (one: SimCase): boolean => {
    runs += 1;
    if (runs > RUNS_MAX) return false;
    const failure = fails(one);
    if (failure === null) return false;
    best = failure;
    return true;
  };
  const cut = () => {
    // What happened later has nothing to do with it.
    if (best.step + 1 < best.failed.steps) tries({ ...best.failed, steps: best.step + 1 });
  };
  cut();
  for (let clients = 1; clients <= 4; clients++) {
    if (tries({ ...best.failed, clients })) break;
  }
  for (const fault of FAULTS) {
    const without = [...(best.failed.without ?? []), fault];
    if (tries({ ...best.failed, without })) cut();
  }
  // Fewer steps before the faults go off: a fault that is found at the end often began early.
  for (let part = 2; part <= 64; part *= 2) {
    const steps = best.failed.steps - Math.ceil(best.failed.steps / part);
    if (steps > 0 && steps < best.failed.steps) tries({ ...best.failed, steps });
  }
  return best;
}

export function failureOf(run: () => unknown): SimFailure | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof SimFailure) return error;
    throw error;
  }
}
