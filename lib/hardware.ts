// hardware: whether this machine has AES in hardware, as far as JavaScript can know.
//
// Owns that one question. Never asks the addon, which knows for itself: this is for where there is none.

import { readFileSync } from "node:fs";
import { SUITES_ALWAYS } from "./engine/limits.js";
import { sealSuites } from "./engine/seal.js";

function aesHardware(): boolean {
  // Every x64 processor since 2011 has it, and every one of Apple's and Microsoft's for arm64.
  if (process.arch === "x64") return true;
  if (process.arch !== "arm64") return false;
  if (process.platform !== "linux") return true;
  try {
    return /^Features.*\baes\b.*\bpmull\b/m.test(readFileSync("/proc/cpuinfo", "latin1"));
  } catch {
    return false;
  }
}

/** The suites of `sealSuites` that are worth offering here: without the hardware AES is the slower one. */
export function hardwareSuites(): number {
  return aesHardware() ? sealSuites() : SUITES_ALWAYS;
}
