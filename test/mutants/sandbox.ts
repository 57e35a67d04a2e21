/*
 * Owns a copy of the sources in a temporary folder: bugs go in and out of it, it is built, and gates run in it.
 * Never writes into the repository; node_modules is shared by a link, and nothing here installs into it.
 * Every program has a time limit and a process group of its own, which ends with it.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Checker } from "./checker.js";
import { type Edit, edited, type Gate, repositoryRoot, type Side } from "./mutant.js";

/** A gate is cheap: what takes longer than this has not caught anything. */
export const GATE_LIMIT_MS = 60_000;
const BUILD_LIMIT_MS = 300_000;
const NOT_COPIED = /^(node_modules|\.git|dist|build.*|coverage|prebuilds)$/;
const PROBE = "build-probe/netrt_probe.node";
/** Optimised only as far as compiles fast: what is asked is whether a test fails. */
const CXX_FLAGS = "-O1";

interface Ran {
  /** Null: a signal or the time limit ended it. */
  readonly code: number | null;
  readonly output: string;
  readonly late: boolean;
}

/** What became of a gate. `by`: the tests that failed, or how the program died. */
export interface Outcome {
  readonly passed: boolean;
  readonly by: string;
  readonly ms: number;
}

/** A program that could not do its work: the copy does not build, a suite does not load. */
export class BrokenError extends Error {
  override readonly name = "BrokenError";
}

/** Headers that came with this Node, or that node-gyp downloaded for it. */
function nodeHeaders(): string {
  const prefix = path.resolve(path.dirname(fs.realpathSync(process.execPath)), "..");
  const version = process.version.slice(1);
  const places = [
    prefix,
    process.env.npm_config_nodedir ?? prefix,
    path.join(os.homedir(), ".cache/node-gyp", version),
  ].map((folder) => path.join(folder, "include/node"));
  const found = places.find((folder) => fs.existsSync(path.join(folder, "node_api.h")));
  if (found === undefined) throw new BrokenError(`no node_api.h in ${places.join(", ")}`);
  return found;
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

export class Sandbox {
  readonly root: string;
  readonly #from = repositoryRoot();
  readonly #checker: Checker;
  #dirty: string[] = [];
  /** Ends what runs now. */
  #endRunning = () => {};

  constructor() {
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), "netrt-mutants-"));
    for (const entry of fs.readdirSync(this.#from)) {
      if (NOT_COPIED.test(entry)) continue;
      fs.cpSync(path.join(this.#from, entry), path.join(this.root, entry), { recursive: true });
    }
    fs.symlinkSync(path.join(this.#from, "node_modules"), path.join(this.root, "node_modules"));
    fs.mkdirSync(path.join(this.root, "build"));
    this.#checker = new Checker(this.root);
  }

  /** Ends what runs in it, and the folder. */
  remove(): void {
    this.#endRunning();
    fs.rmSync(this.root, { recursive: true, force: true });
  }

  /** Puts a bug in. Throws RottenError where it does not apply; then nothing changed. */
  plant(edits: readonly Edit[]): void {
    for (const [file, text] of edited(this.root, edits)) {
      fs.writeFileSync(path.join(this.root, file), text);
      this.#dirty.push(file);
    }
  }

  /** Takes every bug out again. */
  clean(): void {
    for (const file of this.#dirty) {
      // A new time, so that make builds it again.
      const text = fs.readFileSync(path.join(this.#from, file));
      fs.writeFileSync(path.join(this.root, file), text);
    }
    this.#dirty = [];
  }

  #run(
    command: string,
    args: readonly string[],
    limitMs: number,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Ran> {
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, {
        cwd: this.root,
        env: { ...process.env, ...env, NO_COLOR: "1", FORCE_COLOR: "0" },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      let output = "";
      let late = false;
      const end = () => {
        // The group: vitest has workers, make has compilers.
        if (child.pid !== undefined) {
          try {
            process.kill(-child.pid, "SIGKILL");
          } catch {
            // It ended by itself.
          }
        }
      };
      this.#endRunning = end;
      const timer = setTimeout(() => {
        late = true;
        end();
      }, limitMs);
      const keep = (bytes: Buffer) => {
        output = (output + bytes.toString()).slice(-200_000);
      };
      child.stdout.on("data", keep);
      child.stderr.on("data", keep);
      child.on("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      child.on("close", (code) => {
        clearTimeout(timer);
        end();
        this.#endRunning = () => {};
        resolve({ code, output, late });
      });
    });
  }

  async #must(what: string, command: string, args: readonly string[]): Promise<void> {
    const { code, output } = await this.#run(command, args, BUILD_LIMIT_MS);
    if (code !== 0) throw new BrokenError(`${what} failed:\n${output.slice(-3000)}`);
  }

  /**
   * Brings what a gate runs up to date with the sources. Throws BrokenError where they don't compile: a program that is
   * none is caught by anything.
   */
  async build(side: Side, gate: Gate): Promise<void> {
    if (side === "js") {
      // vitest reads the sources themselves, and does not ask for types.
      const problems = this.#checker.check(this.#dirty);
      if (problems !== "") throw new BrokenError(problems);
    } else if ("core" in gate) {
      await this.#cmake("build-core", "core_tests", []);
    } else {
      await this.#cmake("build-probe", "netrt_probe", [`-DCMAKE_JS_INC=${nodeHeaders()}`]);
    }
  }

  async #cmake(folder: string, target: string, settings: readonly string[]): Promise<void> {
    if (!fs.existsSync(path.join(this.root, folder, "CMakeCache.txt"))) {
      const flags = ["-DCMAKE_BUILD_TYPE=Mutant", `-DCMAKE_CXX_FLAGS=${CXX_FLAGS}`];
      await this.#must("cmake", "cmake", ["-S", ".", "-B", folder, ...flags, ...settings]);
    }
    const args = ["--build", folder, "--parallel", "2", "--target", target];
    await this.#must(`building ${target}`, "cmake", args);
  }

  /** Runs a gate; on "js" without the C++ twin, which may be another program at that moment. */
  async gate(side: Side, gate: Gate): Promise<Outcome> {
    const began = performance.now();
    const answer = "core" in gate ? await this.#core(gate.core) : await this.#suites(side, [gate]);
    return { ...answer, ms: Math.round(performance.now() - began) };
  }

  /** The same for many suites at once, which all have to pass. */
  async suites(side: Side, gates: readonly Gate[]): Promise<Outcome> {
    const began = performance.now();
    const answer = await this.#suites(side, gates);
    return { ...answer, ms: Math.round(performance.now() - began) };
  }

  async #core(words: readonly string[]): Promise<Omit<Outcome, "ms">> {
    const program = path.join(this.root, "build-core/core_tests");
    const { code, output, late } = await this.#run(program, words, GATE_LIMIT_MS);
    const failed = [...output.matchAll(/^FAIL (\S+)/gm)].map(([, name]) => name);
    if (code === 0) return { passed: true, by: "" };
    if (failed.length > 0) return { passed: false, by: failed.join(", ") };
    if (late) throw new BrokenError(`core_tests ran for more than ${GATE_LIMIT_MS / 1000} s`);
    throw new BrokenError(`core_tests ended with ${code}:\n${output.slice(-2000)}`);
  }

  async #suites(side: Side, gates: readonly Gate[]): Promise<Omit<Outcome, "ms">> {
    const env: Record<string, string> =
      side === "js" ? { NETRT_TEST_TWINS: "js" } : { NETRT_TEST_TWINS: "", NETRT_PROBE: PROBE };
    const files: string[] = [];
    for (const gate of gates) {
      if ("core" in gate) continue;
      files.push(gate.suite);
      Object.assign(env, gate.env);
    }
    const report = path.join(this.root, "build/report.json");
    fs.rmSync(report, { force: true });
    const vitest = path.join(this.root, "node_modules/vitest/vitest.mjs");
    const args = ["run", "--project", "forks", "--bail=1", "--reporter=json"];
    args.push(`--outputFile=${report}`);
    const limitMs = GATE_LIMIT_MS * files.length;
    const ran = await this.#run(process.execPath, [vitest, ...args, ...files], limitMs, env);
    const { code, output, late } = ran;
    if (late) throw new BrokenError(`${files} ran for more than ${limitMs / 1000} s`);
    if (!fs.existsSync(report)) throw new BrokenError(`no report:\n${output.slice(-3000)}`);
    const { numPassedTests, testResults } = JSON.parse(
      fs.readFileSync(report, "utf8"),
    ) as VitestReport;
    const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
    const failed = tests.filter(({ status }) => status === "failed");
    if (failed.length > 0) return { passed: false, by: failed[0].fullName };
    const died = /Worker (?:exited|forks emitted error).*|terminated by signal.*/.exec(output)?.[0];
    if (code !== 0 && died !== undefined) return { passed: false, by: died };
    if (code !== 0 || numPassedTests === 0) {
      const message = testResults.map((result) => result.message).join("\n");
      throw new BrokenError(`${files} did not run:\n${message}${output.slice(-3000)}`);
    }
    return { passed: true, by: "" };
  }
}
