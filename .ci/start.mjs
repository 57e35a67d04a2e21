// `npm start`: builds what is not up to date, then runs the arena example with the arguments given, in this process.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { buildNative, buildTs } from "./build.mjs";
import { ROOT } from "./sources.mjs";

const ARENA = path.join(ROOT, "dist", "examples", "arena", "arena.js");

// An engine asked for by name does not need the other one's build.
if (process.env.NETRT_ENGINE !== "js") buildNative();
if (!buildTs() || !fs.existsSync(ARENA)) {
  console.error("netrt: the example was not built");
  process.exit(1);
}
process.argv[1] = ARENA;
await import(pathToFileURL(ARENA).href);
