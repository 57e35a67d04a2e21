// Runs `npm start -- --seconds N --json` with one engine and checks the report that the arena prints:
// `node .ci/arena.mjs native|js [--seconds N]`. Exits non-zero, naming what is wrong.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { ROOT } from "./sources.mjs";

const PEERS = 32;
// What a tick clock without drift may miss on a machine whose cores it shares.
const TICK_TOLERANCE = 0.05;
const TIMEOUT_MS = 120_000;

const { values, positionals } = parseArgs({
  options: { seconds: { type: "string", default: "3" } },
  allowPositionals: true,
});
const engine = positionals[0];

const result = spawnSync("npm", ["start", "--", "--seconds", values.seconds, "--json"], {
  cwd: ROOT,
  env: { ...process.env, NETRT_ENGINE: engine },
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
  timeout: TIMEOUT_MS,
  shell: process.platform === "win32",
});

const faults = [];
const check = (holds, what) => {
  if (!holds) faults.push(what);
};

function checkReport(report) {
  check(report.engine === engine, `engine ${report.engine}, not ${engine}`);
  check(report.peers === PEERS, `${report.peers} peers, not ${PEERS}`);
  const ticks = report.tickRate * report.seconds;
  check(
    Math.abs(report.ticks - ticks) <= ticks * TICK_TOLERANCE,
    `${report.ticks} ticks, not ${ticks} ± 5 %`,
  );
  const channels = Object.entries(report.channels ?? {});
  const strategies = channels.map(([, channel]) => channel.strategy);
  for (const strategy of ["RealTime", "TimeSensitive", "Reliable", "Critical"]) {
    check(strategies.includes(strategy), `no channel of strategy ${strategy}`);
  }
  for (const [name, { sent }] of channels) check(sent > 0, `channel ${name}: nothing was sent`);
  const reliable = channels.filter(([, { strategy }]) => /Reliable|Critical/.test(strategy));
  for (const [name, channel] of reliable) {
    const { sent, delivered, lost, duplicates, outOfOrder } = channel;
    const counts = JSON.stringify({ sent, delivered, lost, duplicates, outOfOrder });
    const clean = lost === 0 && duplicates === 0 && outOfOrder === 0;
    check(clean && sent > 0 && delivered === sent, `channel ${name}: ${counts}`);
  }
}

check(result.status === 0, `exit status ${result.status} ${result.error ?? ""}`);
try {
  checkReport(JSON.parse(result.stdout));
} catch (error) {
  faults.push(`stdout is not one JSON object: ${error.message}: ${result.stdout.slice(0, 300)}`);
}
for (const fault of faults) console.error(`arena (${engine}): ${fault}`);
if (faults.length > 0) process.exit(1);
console.error(`arena (${engine}): as it should be`);
