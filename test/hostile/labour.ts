/*
 * Attack 16, labour: packets made to be as dear as can be (Crosby, Wallach: algorithmic complexity). What a datagram costs is
 * counted, not timed: how often each piece of the TypeScript engine's code ran for it, seals aside, in a process of its own
 * (labourer). The C++ engine is the same program, loop by loop. A datagram costs so many useful ones at most, and no
 * more for each message in it, however many are held, in flight or missing.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import type { EngineName } from "../engines.js";
import { check, type Figures } from "./attack.js";

export const number = 16;
export const name = "labour";
export const promise =
  "the dearest datagram costs 120 useful ones at most, counted in steps of the engine, whatever is held or in flight";

/** The dearest that is lawful has 64 messages, each of which may look at 128 that are held; most look at one. */
const MOST = 120;

/** The compiled one, wherever this file itself runs from. */
function file(): string {
  const here = path.resolve(import.meta.dirname, "labourer.js");
  if (existsSync(here)) return here;
  return path.resolve(import.meta.dirname, "../../dist/test/hostile/labourer.js");
}

/** What a datagram of each kind costs. */
interface Labour {
  readonly useful: number;
  readonly kinds: Readonly<Record<string, number>>;
}

/** The engines are one program: the count is the TypeScript one's for both. */
export function run(_engine: EngineName): Figures {
  const child = spawnSync(process.execPath, [file()], { encoding: "utf8" });
  check(child.status === 0, "the labourer ends well", child.stderr);
  const { useful, kinds } = JSON.parse(child.stdout) as Labour;
  check(useful > 50, "steps of a useful datagram were counted", useful);
  const dearest = Math.max(...Object.values(kinds));
  const which = Object.keys(kinds).find((kind) => kinds[kind] === dearest) as string;
  check(dearest <= MOST * useful, `a datagram costs ${MOST} useful ones at most`, {
    useful,
    kinds,
  });
  return {
    kinds: Object.keys(kinds).length,
    "steps of a useful datagram": Math.round(useful),
    "of the dearest": Math.round(dearest),
    "which is": which,
  };
}
