#!/usr/bin/env node
// `npm run links -- [--only NAME …] [--seconds N] [--json] [--require]`: a server and clients of both engines over real
// links, in network namespaces that this program makes and removes. Exits non-zero when a contract breaks. Where
// namespaces or nft are missing it says so and exits 0, or, with --require, non-zero.
import path from "node:path";
import { parseArgs } from "node:util";
import { linksMissing, sweep } from "./net.js";
import { type EngineName, runScenario, SCENARIOS, type ScenarioResult } from "./scenario.js";
import { LANES } from "./traffic.js";

const HELP = `npm run links [-- options]
netrt over real links: network namespaces, veth, nft, tbf, and a relay.

  --only NAME    this scenario; may be given more than once
  --engine NAME  the server's engine: native or js; each in turn when left out
  --clients N    clients of each engine, 1 to 32; default 4
  --seconds N    of traffic, 1 to 600; default 4
  --require      what can't run here is a failure
  --list         names of the scenarios
  --json         one object: { passed, skipped, scenarios: [{ name, server, skipped, broken, seconds, counters, peers }] }
  --help         this text`;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    engine: { type: "string" },
    clients: { type: "string", default: "4" },
    seconds: { type: "string", default: "4" },
    require: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function fail(what: string): never {
  console.error(`${what}; see --help`);
  process.exit(2);
}

function integer(name: "clients" | "seconds", most: number): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  return fail(`--${name} is 1 to ${most}, not ${values[name]}`);
}

function show({ name, server, skipped, broken, seconds, counters, peers }: ScenarioResult): void {
  const verdict = skipped !== "" ? "skipped" : broken.length === 0 ? "held   " : "BROKEN ";
  const links = Object.values(counters);
  const sum = (field: "lost" | "duplicated" | "overflowed") =>
    links.reduce((total, one) => total + one[field], 0);
  const late = LANES.map((lane) => {
    const worst = Math.max(0, ...peers.map(({ lanes }) => lanes[lane].p99Ms));
    return `${lane} ${worst.toFixed(0)}`;
  });
  const link = `${sum("lost")} lost, ${sum("duplicated")} twice, ${sum("overflowed")} overflowed`;
  console.log(
    `${verdict} ${name.padEnd(11)} server ${server.padEnd(6)} ${seconds.toFixed(1)} s; ${link}; p99 ms: ${late.join(", ")}`,
  );
  if (skipped !== "") console.log(`        why: ${skipped}`);
  for (const what of broken) console.log(`        ${what}`);
}

if (values.help) {
  console.log(HELP);
} else if (values.list) {
  for (const { name, about } of SCENARIOS) console.log(`${name.padEnd(12)} ${about}`);
} else {
  const only = values.only ?? SCENARIOS.map(({ name }) => name);
  const unknown = only.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0) fail(`no scenario ${unknown.join(", ")}`);
  const engines = (["native", "js"] as const).filter(
    (engine) => values.engine === undefined || engine === values.engine,
  );
  if (engines.length === 0) fail(`no engine ${values.engine}`);
  const clientsEach = integer("clients", 32);
  const seconds = integer("seconds", 600);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // The namespaces go with the exit; the programs in them with their standard input.
    process.once(signal, () => process.exit(1));
  }
  const results: ScenarioResult[] = [];
  const missing = linksMissing();
  if (missing === "") {
    sweep();
    for (const scenario of SCENARIOS.filter(({ name }) => only.includes(name))) {
      for (const server of engines) {
        const clients: EngineName[] = ["native", "js"];
        const side = path.join(import.meta.dirname, "side.js");
        const options = { server, clients, clientsEach, seconds };
        const result = await runScenario(scenario, options, side);
        results.push(result);
        if (!values.json) show(result);
      }
    }
  }
  const skipped = missing !== "" || results.some((result) => result.skipped !== "");
  const broken = results.filter((result) => result.broken.length > 0).length;
  const passed = broken === 0 && !(values.require && skipped);
  if (values.json) {
    console.log(JSON.stringify({ passed, skipped: missing, scenarios: results }));
  } else if (missing !== "") {
    console.log(`skipped: ${missing}`);
  } else {
    console.log(`${results.length - broken} of ${results.length} runs held`);
  }
  if (!passed) process.exitCode = 1;
}
