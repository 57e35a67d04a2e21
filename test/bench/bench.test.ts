// The benchmark as its users start it, with as little of everything as it takes: it runs to its end, every
// row that can run did the work, and the result has the shape that docs/BENCHMARKS.md describes.
// No figure is judged: a machine that is busy with other tests has none.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Result } from "../../bench/bench.js";

const BENCH = path.resolve(import.meta.dirname, "../../dist/bench/bench.js");
/** Long enough to build the C++ programs first. */
const BENCH_MS_MAX = 300_000;

function bench(...args: string[]) {
  return spawnSync(process.execPath, [BENCH, ...args], { encoding: "utf8", timeout: BENCH_MS_MAX });
}

const some = expect.any(Number);
const figure = { median: some, q1: some, q3: some };

describe("npm run bench", () => {
  it(
    "measures rows, and writes them as JSON and as a page",
    () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-test-"));
      onTestFinished(() => fs.rmSync(folder, { recursive: true }));
      const page = path.join(folder, "bench.html");
      const names = ["raw recvmmsg/sendmmsg", "netrt native", "netrt js", "ws"];
      const small = ["--peers", "4", "--rounds", "1", "--block", "500", "--rows-only"];
      const { status, stdout, stderr } = bench(
        ...["--quick", "--json", "--html", page, ...small, "--rows", names.slice(1).join(",")],
      );
      expect(stderr).not.toMatch(/^bench:/m);
      expect(status).toBe(0);
      const result = JSON.parse(stdout) as Result;
      expect(result).toMatchObject({
        machine: { node: process.version, cores: some, cpu: expect.any(String) },
        noise: { loadAtStart: some, floorSpread: some },
        micro: [],
        latency: [],
        idle: null,
      });
      for (const name of names) {
        const row = result.rows.find((one) => one.name === name);
        expect(row, name).toMatchObject({
          peers: 4,
          mode: "locked",
          rateHz: 60,
          cpuUsPerClientTick: figure,
          ratioToFloor: figure,
          ratioToJs: figure,
          rssBytes: some,
          delivered: { inputs: some, states: some, reliables: some },
        });
        expect(row?.cpuUsPerClientTick?.median, name).toBeGreaterThan(0);
        expect(row?.delivered?.states, name).toBeGreaterThan(0);
      }
      const floor = result.rows.find(({ name }) => name === names[0]);
      expect(floor?.ratioToFloor?.median).toBe(1);
      expect(floor?.datagramsPerSyscall).toMatchObject({ in: some, out: some });
      const html = fs.readFileSync(page, "utf8");
      expect(html).toContain("<svg");
      // It opens without a network: nothing in it is fetched.
      expect(html).not.toMatch(/\b(src|href)=|@import|url\(/);
    },
    BENCH_MS_MAX,
  );

  it("refuses options that it does not know or that are out of range, in one line", () => {
    for (const args of [["--peers", "0"], ["--rate", "10"], ["--mode", "fast"], ["--nonsense"]]) {
      const { status, stdout, stderr } = bench(...args);
      expect(status, args.join(" ")).toBe(1);
      expect(stdout).toBe("");
      expect(stderr.trim().split("\n")).toHaveLength(1);
    }
  });

  it("tells its options", () => {
    const { status, stdout } = bench("--help");
    expect(status).toBe(0);
    expect(stdout).toContain("--quick");
  });
});
