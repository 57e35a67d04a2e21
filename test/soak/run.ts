#!/usr/bin/env node
/*
 * `npm run soak`: 64 peers on real sockets behind a lossy link, for as long as one likes.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { loadNative } from "../../lib/native.js";
import { findRoot } from "../faults/table.js";
import { type Soak, soak } from "./soak.js";

const HELP = `npm run soak -- [--minutes M] [--peers N] [--loss PERCENT] [--engine native|js] [--seed S] [--json]
  M minutes (default 1) of N peers (default 64) on all strategies through a relay that loses so many
  packets each way (default 5), 20 ms +- 5 ms; one after the other for both engines. A client a second
  leaves and another comes. Exactly once and in order, nothing undelivered, memory that does not grow,
  no handle left. Exits with 1 when anything is wrong.`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    peers: { type: "string", default: "64" },
    loss: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
    engine: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const MB_PER_DAY = 86_400 / 1e6;

function tell({
  engine,
  seconds,
  messages,
  connections,
  packetsLost,
  rssSlope,
  wrong,
}: Soak): void {
  const [server, clients] = rssSlope.map((bytes) => Math.round(bytes * MB_PER_DAY));
  console.log(
    `${engine}: ${messages} messages, ${connections} connections, ${packetsLost} packets lost in ` +
      `${seconds} s; RSS slope ${server} MB/day at the server, ${clients} MB/day at the clients`,
  );
  for (const what of wrong) console.error(`${engine}: ${what}`);
}

async function main(): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-soak-"));
  const home = path.join(findRoot(import.meta.dirname), "dist");
  const soaks: Soak[] = [];
  try {
    for (const engine of ["native", "js"] as const) {
      if (values.engine !== undefined && values.engine !== engine) continue;
      if (engine === "native" && !("binding" in loadNative())) continue;
      const [seconds, peers] = [Number(values.minutes) * 60, Number(values.peers)];
      const [loss, seed] = [Number(values.loss), Number(values.seed)];
      const bench = { home, shimFile: null, folder };
      const done = await soak(bench, { engine, seconds, peers, loss, seed });
      soaks.push(done);
      if (!values.json) tell(done);
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  if (values.json) console.log(JSON.stringify({ soaks }));
  if (soaks.length === 0 || soaks.some(({ wrong }) => wrong.length > 0)) process.exitCode = 1;
}

if (values.help) console.log(HELP);
else await main();
