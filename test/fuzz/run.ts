/*
 * run: gives an input to a target over the engines that are named, and answers the digest of what came out.
 */
import { jsEngine } from "../engine-probe-js.js";
import { jsProbe } from "../probe-js.js";
import type { EngineName } from "../sim/pair.js";
import type { Twin } from "../twins.js";
import { bytesTarget, frameTarget, packetTarget, tokenTarget } from "./codec.js";
import { connectionTarget } from "./connection.js";
import { handshakeTarget } from "./handshake.js";
import { hostTarget } from "./host.js";
import { scriptTarget } from "./script.js";
import type { TargetName } from "./targets.js";

const CODECS = { bytes: bytesTarget, packet: packetTarget, frame: frameTarget, token: tokenTarget };
const HOSTS = {
  handshake: handshakeTarget,
  connection: connectionTarget,
  script: scriptTarget,
  host: hostTarget,
};

const isCodec = (target: TargetName): target is keyof typeof CODECS => target in CODECS;

/** The JS engine alone, as a twin: it needs no addon. */
export const JS_TWIN: Twin = { name: "js", core: jsProbe, engine: jsEngine };

/** Runs an input over each twin; they must answer the same. */
export function runTwins(target: TargetName, twins: readonly Twin[], input: Uint8Array): string {
  if (!isCodec(target)) {
    // In lockstep: what comes out of each is compared after every turn.
    return HOSTS[target](
      twins.map(({ name }): EngineName => name),
      input,
    );
  }
  const [first, ...others] = twins.map((twin) => CODECS[target](twin, input));
  for (const other of others) {
    if (other !== first) throw new Error(`the engines differ: ${first}, ${other}`);
  }
  return first;
}
