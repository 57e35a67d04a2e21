// The kept inputs of every fuzz target through both engines: the codecs must accept, refuse and encode the same, and
// hosts in lockstep must send the same datagrams, tell their users the same, and count the same after every turn.
import { describe, expect, it } from "vitest";
import { twins } from "../twins.js";
import { packFile, packRead } from "./pack.js";
import { runTwins } from "./run.js";
import { TARGETS } from "./targets.js";

describe("the corpora of the fuzzers", () => {
  it.each(TARGETS)("%s: the engines agree on every input", (target) => {
    const inputs = packRead(packFile(target));
    expect(inputs.length).toBeGreaterThan(20);
    const digests = new Set<string>();
    for (const [index, input] of inputs.entries()) {
      try {
        digests.add(runTwins(target, twins, input));
      } catch (error) {
        const hex = Buffer.from(input).toString("hex");
        throw new Error(`input ${index}, ${hex}: ${(error as Error).message}`, { cause: error });
      }
    }
    // Inputs that all end the same way would show nothing.
    expect(digests.size).toBeGreaterThan(10);
  });
});
