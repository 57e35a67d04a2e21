/*
 * Owns the two engines as the unit tests see them, so that one suite runs over both.
 * Never hides a missing probe: without it the suite fails. NETRT_TEST_TWINS=js leaves C++ out on
 * purpose; NETRT_PROBE names another build of the probe, such as one with a sanitizer.
 */
import { createRequire } from "node:module";
import path from "node:path";
import type { CoreProbe } from "./probe.js";
import { jsProbe } from "./probe-js.js";

const { NETRT_PROBE, NETRT_TEST_TWINS } = process.env;

/** The probe addon that the C++ twin is. */
export const PROBE_FILE = path.resolve(
  import.meta.dirname,
  "..",
  NETRT_PROBE ?? "build/Release/netrt_probe.node",
);

function loadProbe(): CoreProbe {
  return createRequire(import.meta.url)(PROBE_FILE) as CoreProbe;
}

export interface Twin {
  readonly name: "js" | "native";
  readonly core: CoreProbe;
}

const js: Twin = { name: "js", core: jsProbe };

/** Both engines, TypeScript first. */
export const twins: readonly Twin[] =
  NETRT_TEST_TWINS === "js" ? [js] : [js, { name: "native", core: loadProbe() }];

export * from "./probe.js";
