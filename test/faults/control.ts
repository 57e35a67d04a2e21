/*
 * Owns the shim: building it, and the control page by which a test tells it, while a process runs,
 * which calls fail and how.
 * Never looks at the process itself.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { CALLS, type Call, type Fault } from "./table.js";

// Words of the page; shim.c has the same.
const CONTROL_WORDS = 1024;
const WORD_ENABLED = 0;
const WORD_SEED = 1;
const WORD_RULE = 8;
const WORD_SEEN = 512;
const WORD_MADE = 640;
const RULES_MAX = 128;

/** No end to the faults. */
export const ENDLESS = 0xffffffff;

/** How often calls fail. */
export interface Rate {
  readonly seed?: number;
  /** A call fails with this chance; or `every`. */
  readonly oneIn?: number;
  /** Each such call fails, counted by kind of call. */
  readonly every?: number;
  /** Faults at most; default no end. */
  readonly left?: number;
  /** Calls of each kind that go well first. */
  readonly skip?: number;
}

/** Compiles the shim into `folder`. A string says why there is none. */
export function buildShim(root: string, folder: string): { shimFile: string } | { reason: string } {
  const { glibcVersionRuntime } = (
    process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  ).header;
  if (process.platform !== "linux" || glibcVersionRuntime === undefined) {
    return { reason: "the shim is for Linux with glibc" };
  }
  const compiler = process.env.CC || "cc";
  const shimFile = path.join(folder, "shim.so");
  const source = path.join(root, "test/faults/shim.c");
  const args = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", source, "-o", shimFile];
  const result = spawnSync(compiler, [...args, "-ldl"], { encoding: "utf8" });
  if (result.error !== undefined) return { reason: `no C compiler: ${compiler}` };
  // A compiler that is there and refuses is a fault of ours.
  if (result.status !== 0) throw new Error(`the shim does not compile: ${result.stderr}`);
  return { shimFile };
}

/** The control page of one process. */
export class Control {
  readonly file: string;
  readonly #handle: number;
  #rules: readonly Fault[] = [];

  constructor(file: string) {
    this.file = file;
    fs.writeFileSync(file, new Uint8Array(CONTROL_WORDS * 4));
    this.#handle = fs.openSync(file, "r+");
  }

  /** From now on calls fail by these rules; counters begin anew. */
  begin(rules: readonly Fault[], rate: Rate): void {
    if (rules.length > RULES_MAX) throw new Error(`more than ${RULES_MAX} rules`);
    this.end();
    this.#rules = rules;
    const page = new Uint32Array(CONTROL_WORDS);
    const { seed = 1, oneIn = 0, every = 0, left = ENDLESS, skip = 0 } = rate;
    page.set([seed, oneIn, every, left, skip, rules.length], WORD_SEED);
    for (const [index, { call, error }] of rules.entries()) {
      page.set([CALLS.indexOf(call), error], WORD_RULE + 2 * index);
    }
    fs.writeSync(this.#handle, page, 0, page.byteLength, 0);
    // The last word written: whoever sees it sees the rest.
    this.#enable(1);
  }

  /** Nothing fails any more; the counters stay. */
  end(): void {
    this.#enable(0);
  }

  #enable(value: number): void {
    const word = Uint32Array.of(value);
    fs.writeSync(this.#handle, word, 0, word.byteLength, WORD_ENABLED * 4);
  }

  #page(): Uint32Array {
    const page = new Uint32Array(CONTROL_WORDS);
    fs.readSync(this.#handle, page, 0, page.byteLength, 0);
    return page;
  }

  /** Calls that could have failed since `begin`. */
  seen(call?: Call): number {
    const seen = this.#page().subarray(WORD_SEEN, WORD_SEEN + CALLS.length);
    return call === undefined ? seen.reduce((sum, n) => sum + n, 0) : seen[CALLS.indexOf(call)]!;
  }

  /** Faults since `begin`, by rule. */
  get made(): readonly { readonly fault: Fault; readonly count: number }[] {
    const page = this.#page();
    return this.#rules.map((fault, index) => ({ fault, count: page[WORD_MADE + index]! }));
  }

  get total(): number {
    return this.made.reduce((sum, { count }) => sum + count, 0);
  }

  close(): void {
    fs.closeSync(this.#handle);
  }
}
