// The arithmetic of the benchmark: quartiles, ratios block by block, options, and the judgement of targets.
import { describe, expect, it } from "vitest";
import { figureOf, ratioOf, spreadOf } from "../../bench/figures.js";
import { compare } from "../../bench/instructions.js";
import { readOptions } from "../../bench/options.js";
import { parseReport } from "../../bench/profile.js";
import type { RowResult } from "../../bench/rounds.js";
import { judgeTargets } from "../../bench/targets.js";

describe("figures", () => {
  it("are the median and the quartiles, between samples where they fall there", () => {
    expect(figureOf([4, 1, 3, 2])).toEqual({ median: 2.5, q1: 1.75, q3: 3.25 });
    expect(figureOf([7])).toEqual({ median: 7, q1: 7, q3: 7 });
    expect(figureOf([])).toBeNull();
  });

  it("are divided block by block, less the blocks that one side lacks", () => {
    expect(ratioOf([2, null, 9, 8], [1, 5, 3, null])).toEqual({ median: 2.5, q1: 2.25, q3: 2.75 });
    expect(ratioOf([2], undefined)).toBeNull();
    expect(ratioOf([2], [0])).toBeNull();
  });

  it("spread as far as their quartiles lie apart", () => {
    expect(spreadOf({ median: 4, q1: 3, q3: 5 })).toBe(0.5);
  });
});

describe("options", () => {
  it("have defaults, and --quick has fewer of everything", () => {
    expect(readOptions([])).toMatchObject({
      peers: [1, 64, 256, 1000, 4000],
      modes: ["locked", "flat"],
      rateHz: null,
      lossPercent: 0,
    });
    expect(readOptions(["--quick"])).toMatchObject({ peers: [64, 256], modes: ["locked"] });
    expect(readOptions(["--help"])).toBeNull();
  });

  it("are checked", () => {
    expect(readOptions(["--sizes", "8,300,16"])).toMatchObject({
      inputBytes: 8,
      stateBytes: 300,
      reliableBytes: 16,
    });
    expect(() => readOptions(["--sizes", "8,300"])).toThrow("--sizes");
    expect(() => readOptions(["--sizes", "8,300,8"])).toThrow("reliable");
    expect(() => readOptions(["--loss", "51"])).toThrow("--loss");
    expect(readOptions(["--crypto", "evp"])).toMatchObject({ crypto: "evp" });
    expect(() => readOptions(["--crypto", "rot13"])).toThrow("--crypto");
    expect(() => readOptions(["--peers", "1.5"])).toThrow("whole");
  });
});

function row(name: string, peers: number, ratio: number, sameWork = true): RowResult {
  const figure = { median: ratio, q1: ratio, q3: ratio };
  return {
    name,
    peers,
    mode: "locked",
    rateHz: 60,
    cpuUsPerClientTick: figure,
    ratioToFloor: figure,
    ratioToEnet: null,
    ratioToJs: null,
    ratioToDgram: null,
    datagramsPerSyscall: { in: 40, out: 20 },
    datagramsPerClientTick: null,
    rssBytes: null,
    clientTicksPerSecond: null,
    threadUsPerClientTick: null,
    heapBytesPerMessage: null,
    delivered: null,
    sameWork,
    note: null,
  };
}

const FLOOR = "raw recvmmsg/sendmmsg";
const NATIVE = "netrt native";
const nothing = { latency: [], idle: null, ticker: null, recovery: null, transfer: null };
const judged = (rows: RowResult[], against: string) =>
  judgeTargets({ rows, ...nothing }).find((target) => target.against.includes(against));

describe("targets", () => {
  const floors = [row(FLOOR, 64, 1), row(FLOOR, 256, 1)];

  it("are met when every row is within them", () => {
    const rows = [...floors, row(NATIVE, 64, 1.3), row(NATIVE, 256, 1.35)];
    expect(judged(rows, "the floor")).toMatchObject({
      measured: "1.30 at 64, 1.35 at 256",
      met: true,
    });
    const slow = [...floors, row(NATIVE, 64, 1.3), row(NATIVE, 256, 1.4)];
    expect(judged(slow, "the floor")).toMatchObject({ met: false });
    expect(judged(rows, "system call")).toMatchObject({ measured: "40 in, 20 out", met: false });
  });

  it("are not judged by a row that did not do the same work, nor without one", () => {
    const rows = [...floors, row(NATIVE, 64, 1.3), row(NATIVE, 256, 1.2, false)];
    expect(judged(rows, "the floor")).toMatchObject({ met: null });
    const idleFloor = [row(FLOOR, 64, 1, false), row(NATIVE, 64, 1.3)];
    expect(judged(idleFloor, "the floor")).toMatchObject({ met: null });
    expect(judged([], "the floor")).toMatchObject({ measured: null, met: null });
  });
});

describe("counts of instructions", () => {
  const record = { steady: { instructions: 1000, perClientTick: 10 } };
  const counted = (instructions: number) =>
    compare({ steady: { instructions, perClientTick: 10 } }, record).within;

  it("stay within 2 % of the record, either way", () => {
    expect(counted(1019)).toBe(true);
    expect(counted(981)).toBe(true);
    expect(counted(1021)).toBe(false);
    expect(counted(979)).toBe(false);
  });

  it("fail without a record", () => {
    expect(compare({ lossy: { instructions: 1, perClientTick: 1 } }, record).within).toBe(false);
  });
});

describe("a profile", () => {
  it("has each function's part and time from perf's report", () => {
    const report = [
      "# Overhead|Shared Object|Symbol",
      " 40.00% |[kernel.kallsyms]   |[k] udp_sendmsg",
      " 10.00% |netrt.node          |[.] netrt::(anonymous namespace)::enqueue",
      "  5.00% |netrt.node          |[.] chacha20_encrypt_bytes.part.0",
      "  2.50% |perf-12.map         |[.] JS:*send file:///peer.js:1:2",
    ].join("\n");
    expect(parseReport(report, 10)).toEqual([
      { part: "kernel", name: "udp_sendmsg", share: 0.4, usPerClientTick: 4 },
      { part: "core and addon (C++)", name: "enqueue", share: 0.1, usPerClientTick: 1 },
      { part: "ciphers", name: "chacha20_encrypt_bytes.part.0", share: 0.05, usPerClientTick: 0.5 },
      {
        part: "compiled JavaScript",
        name: "JS:*send file:///peer.js:1:2",
        share: 0.025,
        usPerClientTick: 0.25,
      },
    ]);
  });
});
