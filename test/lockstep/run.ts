#!/usr/bin/env node
// `npm run lockstep -- --steps N [--seed S] [--seeds COUNT] [--js]`: worlds from a seed on.
import { parseArgs } from "node:util";
import { lockstepRun } from "./lockstep.js";

const { values } = parseArgs({
  options: {
    steps: { type: "string" },
    seed: { type: "string" },
    seeds: { type: "string", default: "1" },
    js: { type: "boolean", default: false },
  },
});
const { LOCKSTEP_SEED, LOCKSTEP_STEPS } = process.env;
const first = Number(values.seed ?? LOCKSTEP_SEED ?? 1);
const steps = Number(values.steps ?? LOCKSTEP_STEPS ?? 5000);
const began = performance.now();
let total = 0;
for (let seed = first; seed < first + Number(values.seeds); seed++) {
  try {
    const result = lockstepRun({ seed, steps, ...(values.js ? { engines: ["js"] } : {}) });
    total += result.steps;
    console.log(`seed ${seed}`, JSON.stringify(result));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
const seconds = (performance.now() - began) / 1000;
console.log(`${total} steps in ${seconds.toFixed(1)} s, ${Math.round(total / seconds)} steps/s`);
