/*
 * Owns the two engines as the unit tests see them, so that one suite runs over both.
 * Never hides a missing probe: without it the suite fails. NETRT_TEST_TWINS=js leaves C++ out on
 * purpose; NETRT_PROBE names another build of the probe, such as one with a sanitizer.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { EngineProbe } from "./engine-probe.js";
import { jsEngine } from "./engine-probe-js.js";
import type { CoreProbe } from "./probe.js";
import { jsProbe } from "./probe-js.js";

const { NETRT_PROBE, NETRT_TEST_TWINS } = process.env;

// From the sources (test) and from what tsc made of them (dist/test) alike.
const ROOT = [path.dirname(import.meta.dirname), path.resolve(import.meta.dirname, "../..")].find(
  (folder) => existsSync(path.join(folder, "binding.gyp")),
) as string;

/** The probe addon that the C++ twin is. */
export const PROBE_FILE = path.resolve(ROOT, NETRT_PROBE ?? "build/Release/netrt_probe.node");

function loadProbe(): CoreProbe & EngineProbe {
  return createRequire(import.meta.url)(PROBE_FILE) as CoreProbe & EngineProbe;
}

export interface Twin {
  readonly name: "js" | "native";
  /** The codec half. */
  readonly core: CoreProbe;
  /** The engine half. */
  readonly engine: EngineProbe;
}

function native(): Twin {
  const probe = loadProbe();
  return { name: "native", core: probe, engine: probe };
}

const js: Twin = { name: "js", core: jsProbe, engine: jsEngine };

/** Both engines, TypeScript first. */
export const twins: readonly Twin[] = NETRT_TEST_TWINS === "js" ? [js] : [js, native()];

export * from "./engine-probe.js";
export * from "./probe.js";
