/*
 * digests: prints what the JS engine makes of each input of a pack, one digest a line: `npm run fuzz -- --replay`
 * compares them with those of the C++ core.
 *
 *   node dist/test/fuzz/digests.js TARGET FILE
 */
import { packRead } from "./pack.js";
import { JS_TWIN, runTwins } from "./run.js";
import { TARGETS, type TargetName } from "./targets.js";

const [target, file] = process.argv.slice(2);
if (!TARGETS.includes(target as TargetName) || file === undefined) {
  console.error("digests TARGET FILE");
  process.exit(2);
}
const inputs = packRead(file);
const lines = inputs.map((input) => runTwins(target as TargetName, [JS_TWIN], input));
console.log(lines.join("\n"));
