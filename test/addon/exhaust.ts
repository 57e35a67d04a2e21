/*
 * Owns the program that runs out of file descriptors: opens engines until the system refuses, closes
 * them, and prints what it saw.
 */
import fs from "node:fs";
import { ROLE_SERVER } from "../../lib/engine/config.js";
import { NetrtError } from "../../lib/errors.js";
import { openNative } from "../../lib/native.js";
import type { Engine } from "../../lib/turn.js";
import { engineOptions } from "./harness.js";

const ENGINES_MAX = 100;
const handles = () => fs.readdirSync("/proc/self/fd").length;

(await openNative(engineOptions(ROLE_SERVER))).close();
const before = handles();
const engines: Engine[] = [];
let refused: unknown;
while (refused === undefined && engines.length < ENGINES_MAX) {
  const opened = await openNative(engineOptions(ROLE_SERVER)).catch((error: unknown) => error);
  if (opened instanceof NetrtError) refused = opened;
  else engines.push(opened as Engine);
}
for (const engine of engines) engine.close();
const { code, cause } = refused as NetrtError & { cause: NodeJS.ErrnoException };
console.log(
  JSON.stringify({
    code,
    cause: cause.code,
    openedAtLeastTwo: engines.length >= 2,
    handlesReturned: handles() === before,
  }),
);
