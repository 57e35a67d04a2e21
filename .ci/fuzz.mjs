// The fuzzers of test/fuzz: `npm run fuzz`. Builds them with clang and libFuzzer under ASan and UBSan, runs each for a
// time, and says what it found; or replays the kept corpora through any compiler's build and the JS engine.
// Ends with 1 when a target failed: the input that did it is kept, and the line that repeats it is printed.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./sources.mjs";

const HELP = `npm run fuzz -- [options]

  --seconds N      how long each target runs (60)
  --target NAME    only this target; may be given more than once
  --jobs N         targets that run at the same time (one for each core)
  --input FILE     runs one input of the one target that is named, under the sanitizers
  --keep           adds what was found to test/fuzz/corpus, minimized
  --replay         no fuzzing: the corpora through a plain build and the JS engine, with equal results
  --seed-corpus    makes test/fuzz/corpus anew, from the seeds of the project's own encoders and what was found
  --json           one object on stdout
  --help`;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    target: { type: "string", multiple: true, default: [] },
    jobs: { type: "string", default: String(os.availableParallelism()) },
    input: { type: "string" },
    keep: { type: "boolean", default: false },
    replay: { type: "boolean", default: false },
    "seed-corpus": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const TARGETS = "bytes packet frame token handshake connection script host".split(" ");
// Bytes of an input at most: what a stateless target can take, and scripts of 64 operations.
const LENGTH_MAX = { bytes: 1400, packet: 1300, frame: 1201, token: 2049 };
const SCRIPT_LENGTH_MAX = 512;
// Bytes of the inputs of one target that are kept in the repository.
const KEPT_BYTES_MAX = 100_000;
// A turn that takes longer than this (s) is a fault of its own.
const INPUT_SECONDS_MAX = 10;
// Sanitizers that keep no freed memory and no stacks: a core takes its memory at open and gives it back at close, and
// what is freed is used by the next input. A sixth of a stateful target's time; `npm run sanitize` has the defaults.
const ASAN_OPTIONS =
  "quarantine_size_mb=0:thread_local_quarantine_size_kb=0:malloc_context_size=1:max_malloc_fill_size=0:" +
  "detect_stack_use_after_return=0:detect_leaks=1";
const FUZZ_FOLDER = path.join(ROOT, "build-fuzz");
const REPLAY_FOLDER = path.join(ROOT, "build-replay");
const CORPUS = path.join(ROOT, "test/fuzz/corpus");
const FOUND = path.join(FUZZ_FOLDER, "found");

const say = (line) => console.error(line);

function fail(line) {
  say(`fuzz: ${line}`);
  process.exit(1);
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: ROOT, encoding: "utf8", ...options });
  if (result.error) fail(`${command}: ${result.error.message}`);
  return result;
}

// --- packed corpora: each input is its length in two bytes, low first, and its bytes (test/fuzz/pack.ts) ---

const packOf = (target) => path.join(CORPUS, `${target}.pack`);

function unpack(target) {
  const file = packOf(target);
  const bytes = fs.existsSync(file) ? fs.readFileSync(file) : Buffer.alloc(0);
  const inputs = [];
  for (let offset = 0; offset + 2 <= bytes.length; ) {
    const length = bytes.readUInt16LE(offset);
    inputs.push(bytes.subarray(offset + 2, offset + 2 + length));
    offset += 2 + length;
  }
  return inputs;
}

// The shortest first, so that the tree changes little and what is cut at the end is what costs most.
function pack(target, inputs) {
  const order = (a, b) => a.length - b.length || Buffer.compare(a, b);
  const kept = [];
  let bytes = 0;
  for (const [index, input] of [...inputs].sort(order).entries()) {
    if (index > 0 && Buffer.compare(input, kept.at(-1)) === 0) continue;
    bytes += 2 + input.length;
    if (bytes > KEPT_BYTES_MAX) break;
    const length = Buffer.alloc(2);
    length.writeUInt16LE(input.length);
    kept.push(length, input);
  }
  fs.mkdirSync(CORPUS, { recursive: true });
  fs.writeFileSync(packOf(target), Buffer.concat(kept));
  return kept.length / 2;
}

function filesOf(folder) {
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder).map((name) => path.join(folder, name));
}

// --- building ---

function clang() {
  for (const name of ["clang++-19", "clang++-20", "clang++-18", "clang++"]) {
    const probe = spawnSync(name, ["-fsanitize=fuzzer", "-x", "c++", "-", "-o", os.devNull], {
      input:
        'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }',
      stdio: ["pipe", "ignore", "ignore"],
    });
    if (probe.status === 0) return name;
  }
  return fail("no clang with libFuzzer: apt-get install clang-19 libclang-rt-19-dev llvm-19");
}

function build(folder, settings, targets) {
  const options = { stdio: ["ignore", 2, 2] };
  const configure = [
    "-S",
    ROOT,
    "-B",
    folder,
    "-DNETRT_FUZZ=ON",
    "-DNETRT_TESTS=OFF",
    "-DNETRT_WERROR=ON",
  ];
  if (run("cmake", [...configure, ...settings], options).status !== 0) fail("cmake failed");
  const args = ["--build", folder, "--parallel", String(os.availableParallelism()), "--target"];
  if (run("cmake", [...args, ...targets], options).status !== 0) fail("the build failed");
}

function buildFuzzers(targets) {
  buildTs();
  const settings = [
    `-DCMAKE_CXX_COMPILER=${clang()}`,
    "-DNETRT_SANITIZE=fuzzer-no-link,address,undefined",
  ];
  build(
    FUZZ_FOLDER,
    settings,
    targets.map((name) => `fuzz_${name}`),
  );
}

const fuzzer = (target) => path.join(FUZZ_FOLDER, `fuzz_${target}`);
const environment = { ...process.env, ASAN_OPTIONS, UBSAN_OPTIONS: "print_stacktrace=1" };

// --- running ---

/** Seconds of processor time that a process has used so far, where the system tells. */
function processorSeconds(pid) {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

const workOf = (target) => path.join(FUZZ_FOLDER, "corpus", target);

function prepare(target) {
  const folder = workOf(target);
  fs.mkdirSync(folder, { recursive: true });
  fs.mkdirSync(FOUND, { recursive: true });
  unpack(target).forEach((input, index) => {
    fs.writeFileSync(path.join(folder, `kept-${index}`), input);
  });
  seeds(target, folder);
  return folder;
}

/** Writes the inputs that the project's own encoders make. */
function seeds(target, folder) {
  lines(process.execPath, ["dist/test/fuzz/seeds.js", target, folder]);
}

function buildTs() {
  const options = { stdio: ["ignore", 2, 2] };
  const { status } = run(process.execPath, [".ci/build.mjs", "--only", "ts"], options);
  if (status !== 0) fail("the TypeScript build failed");
}

function argumentsOf(target, folder) {
  const dictionary = path.join(ROOT, "test/fuzz/dictionaries", `${target}.dict`);
  return [
    `-max_total_time=${values.seconds}`,
    `-max_len=${LENGTH_MAX[target] ?? SCRIPT_LENGTH_MAX}`,
    `-timeout=${INPUT_SECONDS_MAX}`,
    "-rss_limit_mb=1024",
    "-len_control=20",
    "-print_final_stats=1",
    `-artifact_prefix=${FOUND}/${target}-`,
    ...(fs.existsSync(dictionary) ? [`-dict=${dictionary}`] : []),
    folder,
  ];
}

/** What libFuzzer's output says of a run. */
function resultOf(target, output, status, seconds, processor) {
  const edges = [...output.matchAll(/^#\d+\s+\w+\s+cov: (\d+) ft: (\d+)/gm)];
  const begun = /^#\d+\s+INITED cov: (\d+)/m.exec(output);
  const executions = Number(/^stat::number_of_executed_units: (\d+)/m.exec(output)?.[1] ?? 0);
  const found = /Test unit written to (\S+)/.exec(output)?.[1];
  const last = edges.at(-1);
  return {
    target,
    passed: status === 0,
    executions,
    seconds: Math.round(seconds),
    perSecond: Math.round(executions / seconds),
    // Other work on the machine takes time from a run, but none of its processor time.
    perProcessorSecond: processor > 0 ? Math.round(executions / processor) : null,
    edges: Number(last?.[1] ?? 0),
    newEdges: Number(last?.[1] ?? 0) - Number(begun?.[1] ?? 0),
    ...(found === undefined ? {} : { input: path.relative(ROOT, found) }),
  };
}

function fuzz(target) {
  const folder = prepare(target);
  const begin = Date.now();
  const child = spawn(fuzzer(target), argumentsOf(target, folder), {
    cwd: ROOT,
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let output = "";
  let processor = 0;
  child.stderr.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  const watch = setInterval(() => {
    processor = Math.max(processor, processorSeconds(child.pid));
  }, 200);
  return new Promise((resolve) => {
    child.on("close", (status) => {
      clearInterval(watch);
      const seconds = (Date.now() - begin) / 1000;
      const result = resultOf(target, output, status, seconds, processor);
      if (status !== 0) say(trouble(result, output));
      resolve(result);
    });
  });
}

function trouble(result, output) {
  const lines = output.split("\n");
  const start = lines.findIndex((line) =>
    /check failed|runtime error|ERROR:|assertion failed/.test(line),
  );
  const part = lines.slice(Math.max(start, 0), Math.max(start, 0) + 24).join("\n");
  const repeat =
    result.input === undefined
      ? "no input was kept"
      : `repeat: npm run fuzz -- --target ${result.target} --input ${result.input}`;
  return `${part}\n${result.target}: FAILED\n${repeat}`;
}

async function fuzzAll(targets) {
  buildFuzzers(targets);
  const waiting = [...targets];
  const results = [];
  const worker = async () => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      const result = await fuzz(target);
      results.push(result);
      if (!values.json) print(result);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
  if (values.keep) for (const target of targets) keep(target);
  return results;
}

function print(result) {
  const { target, passed, executions, seconds, perSecond, perProcessorSecond, edges, newEdges } =
    result;
  const rate = `${perSecond}/s, ${perProcessorSecond ?? "?"} a second of processor`;
  const end = passed ? "" : "  FAILED";
  console.log(
    `${target.padEnd(10)} ${executions} executions in ${seconds} s (${rate}), ${edges} edges, ${newEdges} new${end}`,
  );
}

/** Keeps the seeds, and the smallest set of inputs that reaches what all inputs of a target reach. */
function keep(target) {
  const small = path.join(FUZZ_FOLDER, "minimized", target);
  fs.rmSync(small, { recursive: true, force: true });
  fs.mkdirSync(small, { recursive: true });
  const merge = run(
    fuzzer(target),
    ["-set_cover_merge=1", `-artifact_prefix=${FOUND}/`, small, workOf(target)],
    {
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  if (merge.status !== 0) fail(`${target}: the corpus could not be minimized\n${merge.stderr}`);
  // The seeds stay whatever they reach: many stand at a limit, which looks like any other refusal.
  seeds(target, small);
  const inputs = filesOf(small).map((file) => fs.readFileSync(file));
  const count = pack(target, inputs);
  say(`${target}: ${count} inputs are kept`);
}

// --- other ways ---

function runInput(targets) {
  if (targets.length !== 1) fail("--input needs one --target");
  buildFuzzers(targets);
  const file = path.resolve(ROOT, values.input);
  const { status } = run(fuzzer(targets[0]), [file], { env: environment, stdio: "inherit" });
  process.exitCode = status === 0 ? 0 : 1;
}

function lines(command, args) {
  const { status, stdout, stderr } = run(command, args, { maxBuffer: 1 << 28 });
  if (status !== 0) fail(`${command} ${args.join(" ")}\n${stderr}`);
  return stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "");
}

/** Both engines say the same of every kept input: the C++ one here, in a plain build; JS in its own process. */
function replay(targets) {
  build(REPLAY_FOLDER, [], ["fuzz_replay"]);
  buildTs();
  return targets.map((target) => {
    const file = packOf(target);
    const native = lines(path.join(REPLAY_FOLDER, "fuzz_replay"), ["--digests", target, file]);
    const js = lines(process.execPath, ["dist/test/fuzz/digests.js", target, file]);
    const differs = native.findIndex((line, index) => line !== js[index]);
    const passed = native.length > 0 && differs < 0 && native.length === js.length;
    if (!passed) say(`${target}: the engines differ at input ${differs} of ${native.length}`);
    if (!values.json)
      console.log(`${target.padEnd(10)} ${native.length} inputs${passed ? "" : "  FAILED"}`);
    return { target, passed, inputs: native.length };
  });
}

function seedAll(targets) {
  buildFuzzers(targets);
  for (const target of targets) {
    prepare(target);
    keep(target);
  }
}

async function main() {
  if (values.help) return console.log(HELP);
  const unknown = values.target.filter((name) => !TARGETS.includes(name));
  if (unknown.length > 0) fail(`no target ${unknown}; there are ${TARGETS.join(", ")}`);
  const targets = values.target.length > 0 ? values.target : TARGETS;
  if (values.input !== undefined) return runInput(targets);
  if (values["seed-corpus"]) return seedAll(targets);
  const results = values.replay ? replay(targets) : await fuzzAll(targets);
  const passed = results.every((result) => result.passed);
  if (values.json) console.log(JSON.stringify({ passed, targets: results }));
  if (!passed) process.exitCode = 1;
}

await main();
