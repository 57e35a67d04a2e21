// Processes on bad days: system calls that fail, event loops that stand still, garbage, slow handlers.
// `npm run faults` runs the same in full.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compilePackage } from "../addon/compile.js";
import { engines, pairings } from "../engines.js";
import {
  type Cell,
  fatalCell,
  openingCells,
  runningCells,
  stormCell,
  warningCell,
} from "./cells.js";
import { buildShim } from "./control.js";
import { type Bench, closePair, openPair } from "./pair.js";
import { garbage, slowConsumer } from "./pressure.js";
import { stallRun, WHO } from "./stalls.js";
import { faultTable, findRoot, isBearable, isEnding, isRunning } from "./table.js";

/** For the 150 cells of the table; 12 s on two cores that have nothing else to do. */
const TIMEOUT_MS = 180_000;
/** Less than the time-out of 5 s by what a machine under load may add; `npm run faults` goes nearer. */
const STALL_MS = 4000;

const root = findRoot(import.meta.dirname);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-faults-"));
const home = compilePackage("test/faults");
const shim = buildShim(root, folder);
const reason = "reason" in shim ? `: skipped, ${shim.reason}` : "";
const bare: Bench = { home, shimFile: null, folder };
const bench: Bench = { ...bare, shimFile: "reason" in shim ? null : shim.shimFile };
const faults = faultTable(root);
afterAll(() => {
  for (const made of [folder, home]) fs.rmSync(made, { recursive: true });
});

const wrong = (cells: readonly Cell[]) =>
  cells.filter((cell) => cell.wrong.length > 0).map((cell) => [cell.name, ...cell.wrong]);

describe("the table", () => {
  it("is read whole from the sources", () => {
    const text = fs.readFileSync(path.join(root, "native/io/fault.cc"), "utf8");
    const rows = text.match(/\{Call::/g)?.length ?? 0;
    // OPEN stands for six system calls, BIND for two, SEGMENT for none that the shim knows.
    const open = text.match(/\{Call::OPEN/g)?.length ?? 0;
    const bind = text.match(/\{Call::BIND/g)?.length ?? 0;
    const segment = text.match(/\{Call::SEGMENT/g)?.length ?? 0;
    const fromTable = faults.filter(({ action, name }) => action !== null && name !== "EDOM");
    expect(rows).toBeGreaterThan(60);
    expect(fromTable).toHaveLength(rows + 5 * open + bind - segment);
    expect(faults.filter(isBearable).length).toBeGreaterThan(30);
  });

  it("ends a host for what says that its socket is gone, and for nothing else", () => {
    const fatal = faults.filter((fault) => isRunning(fault) && fault.action === "FATAL");
    expect(faults.filter(isEnding)).toEqual(fatal);
  });
});

describe.skipIf(bench.shimFile === null)(`system calls that fail${reason}`, () => {
  it.each(engines)("at each call of an open: typed, and nothing leaks: %s", async (engine) => {
    const cells = await openingCells(bench, engine, faults);
    expect(wrong(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(20);
  });

  it(
    "each errno at each call of a connection, and outages",
    async () => {
      const runs = engines.map(async (engine) => {
        const both = { server: engine, client: engine };
        const cells = await runningCells(bench, both, faults);
        expect(wrong(cells)).toEqual([]);
        expect(cells.length).toBeGreaterThan(50);
      });
      await Promise.all(runs);
    },
    TIMEOUT_MS,
  );

  it.each(pairings)("one in a hundred, by chance: $server and $client", async (both) => {
    const pair = await openPair(bench, both);
    const storm = await stormCell(pair, both, faults, { seed: 1, calls: 3000, oneIn: 100 });
    expect(storm.wrong).toEqual([]);
    expect(storm.faults).toBeGreaterThan(10);
    expect((await warningCell(pair, both, faults)).wrong).toEqual([]);
    expect(await closePair(pair)).toEqual([]);
  });

  it.runIf(engines.includes("native"))("because the socket is gone: said once", async () => {
    // One of each call; `npm run faults` runs them all.
    const ending = ["receive", "send"].map((call) =>
      faults.filter(isEnding).find((fault) => fault.call === call && fault.name === "EBADF"),
    );
    const cells = await Promise.all(ending.map((fault) => fatalCell(bench, fault!)));
    expect(wrong(cells)).toEqual([]);
  });
});

describe("a process", () => {
  it("may stand still for less than its time-out", async () => {
    const runs = engines.flatMap((engine) =>
      WHO.map((who) => stallRun(bare, engine, who, [STALL_MS])),
    );
    const stalls = (await Promise.all(runs)).flat();
    expect(stalls).toHaveLength(engines.length * 4);
    expect(stalls.filter((stall) => stall.wrong.length > 0)).toEqual([]);
  });

  it.each([
    ["collect garbage all the while", garbage],
    ["take long for each message", slowConsumer],
  ])("may %s", async (_name, press) => {
    const runs = engines.map((engine) => press(bare, { server: engine, client: engine }));
    for (const run of await Promise.all(runs)) expect(run.wrong, run.name).toEqual([]);
  });
});
