/*
 * Owns planting a bug and looking whether its gate notices; and that the same gates pass without one.
 * Invariant: a bug that does not apply, does not compile or whose gate does not run is not caught.
 */
import type { Gate, Mutant, Side } from "./mutant.js";
import type { Sandbox } from "./sandbox.js";

/** What became of one bug on one side. */
export interface Result {
  readonly name: string;
  readonly bug: string;
  readonly side: Side;
  readonly gate: string;
  readonly caught: boolean;
  /** The test that noticed; or why nothing did. */
  readonly by: string;
  readonly ms: number;
}

const gateName = (gate: Gate) =>
  "core" in gate ? `core_tests ${gate.core.join(" ")}` : gate.suite;

/** Plants one bug, and takes it out again. */
export async function mutate(sandbox: Sandbox, mutant: Mutant, side: Side): Promise<Result> {
  const { name, bug, gate } = mutant;
  const about = { name, bug, side, gate: gateName(gate) };
  const began = performance.now();
  const ms = () => Math.round(performance.now() - began);
  try {
    sandbox.plant(mutant[side] ?? []);
    await sandbox.build(side, gate);
    const { passed, by } = await sandbox.gate(side, gate);
    return { ...about, caught: !passed, by: passed ? "survived" : by, ms: ms() };
  } catch (error) {
    return { ...about, caught: false, by: `${error}`, ms: ms() };
  } finally {
    sandbox.clean();
  }
}

/** The copy without a bug passes the gates that the bugs have to fail; why not, or "". */
export async function baseline(
  sandbox: Sandbox,
  mutants: readonly Mutant[],
  side: Side,
): Promise<string> {
  const gates = mutants.filter((mutant) => mutant[side] !== undefined).map(({ gate }) => gate);
  const suites = new Map<string, Gate[]>();
  for (const gate of gates) {
    const key = "core" in gate ? "core" : JSON.stringify(gate.env ?? {});
    const known = suites.get(key) ?? [];
    if (!known.some((each) => gateName(each) === gateName(gate))) suites.set(key, [...known, gate]);
  }
  try {
    for (const [key, group] of suites) {
      await sandbox.build(side, group[0]);
      if (key !== "core") {
        const { passed, by } = await sandbox.suites(side, group);
        if (!passed) return by;
        continue;
      }
      for (const gate of group) {
        const { passed, by } = await sandbox.gate(side, gate);
        if (!passed) return by;
      }
    }
    return "";
  } catch (error) {
    return `${error}`;
  }
}
