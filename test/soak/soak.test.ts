// A short soak of both engines; `npm run soak` does it with more peers, for as long as one likes.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { compilePackage, translate } from "../addon/compile.js";
import { engines } from "../engines.js";
import { soak } from "./soak.js";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-soak-"));
const home = compilePackage("test/soak");
translate("test/faults", home);
afterAll(() => {
  for (const made of [folder, home]) fs.rmSync(made, { recursive: true });
});

it.each(engines)("4 peers behind a lossy link, for a while: %s", async (engine) => {
  const options = { engine, seconds: 6, peers: 4, loss: 5, seed: 1 };
  const done = await soak({ home, shimFile: null, folder }, options);
  expect(done.wrong).toEqual([]);
  expect(done.packetsLost).toBeGreaterThan(0);
  // A client a second leaves, and another comes.
  expect(done.connections).toBeGreaterThan(options.peers);
});
