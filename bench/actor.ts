/*
 * One process of the benchmark, a server or the client simulator: pinned to a core, told its commands
 * on its standard input, and asked for lines of JSON.
 *
 * Never does: leave a process behind. It ends with its input, and is killed by its own handle if not.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import { createInterface } from "node:readline";

/** Where a process runs. */
export interface Place {
  /** The core that it is pinned to; null leaves it to the system. */
  readonly core: number | null;
  /** Before other programs as far as the system lets us, so that what they do is not measured. */
  readonly priority: boolean;
}

/** Nice values, of a process and of its scheduling group alike. */
const NICE = -20;

function prefer(pid: number): void {
  try {
    // Systems without groups have no such file.
    fs.writeFileSync(`/proc/${pid}/autogroup`, `${NICE}`);
    os.setPriority(pid, NICE);
  } catch {
    // Only root may. Then others' programs show as noise.
  }
}

/** A process that stands still does not see its input end: the kernel ends it with us. */
const DIES_WITH_US =
  spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]).status === 0
    ? ["setpriv", "--pdeathsig", "KILL"]
    : [];

const alive = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** A line of JSON that a process printed: numbers, and what else it has to tell. */
export type Line = Readonly<Record<string, unknown>>;

/** How long a process may take to answer, in ms; thousands of connections take their time. */
const ANSWER_MS_MAX = 90_000;
const END_MS_MAX = 3000;

export class Actor {
  readonly #child: ChildProcess;
  readonly #lines: Line[] = [];
  #waiting: ((line: Line | null) => void) | null = null;
  #errors = "";
  #ended = false;

  constructor(program: string, args: readonly string[], place: Place) {
    const pin = place.core === null ? [] : ["taskset", "-c", `${place.core}`];
    const [first = program, ...rest] = [...DIES_WITH_US, ...pin, program, ...args];
    // Of its own session, so of its own scheduling group, whose priority is its own.
    const detached = place.priority;
    // Who takes which ciphers is said in the arguments: the clients' program has but one kind.
    const env = { ...process.env, NETRT_SEAL: undefined };
    this.#child = spawn(first, rest, { detached, env, stdio: ["pipe", "pipe", "pipe"] });
    if (this.#child.pid !== undefined && place.priority) prefer(this.#child.pid);
    alive.add(this.#child);
    this.#child.on("error", (error) => {
      this.#errors += error.message;
      this.#finish();
    });
    this.#child.on("exit", () => {
      alive.delete(this.#child);
      this.#finish();
    });
    this.#child.stdin?.on("error", () => this.#finish());
    this.#child.stderr?.on("data", (text) => {
      this.#errors = (this.#errors + text).slice(-2000);
    });
    const { stdout } = this.#child;
    if (stdout !== null) createInterface({ input: stdout }).on("line", (text) => this.#line(text));
  }

  /** Of the program itself: what pins it becomes it. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  #line(text: string): void {
    const line = JSON.parse(text) as Line;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) this.#lines.push(line);
    else waiting(line);
  }

  #finish(): void {
    this.#ended = true;
    this.#waiting?.(null);
    this.#waiting = null;
  }

  /** The next line that it prints; an Error with what it said last, if none comes. */
  async next(): Promise<Line> {
    const ready = this.#lines.shift();
    if (ready !== undefined) return ready;
    let timer: NodeJS.Timeout | undefined;
    const line = await new Promise<Line | null>((resolve) => {
      this.#waiting = resolve;
      timer = setTimeout(() => this.#finish(), ANSWER_MS_MAX);
      if (this.#ended) this.#finish();
    });
    clearTimeout(timer);
    if (line === null) throw new Error(this.#errors.trim().split("\n").at(-1) || "it ended early");
    return line;
  }

  tell(command: "go" | "hold" | "quit"): void {
    this.#child.stdin?.write(`${command}\n`);
  }

  /** Its counters as they are now. */
  mark(): Promise<Line> {
    this.#child.stdin?.write("mark\n");
    return this.next();
  }

  /** Stops its clock: it costs nothing while others are measured. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.pid === undefined) return;
    const exit = once(this.#child, "exit");
    this.resume();
    this.tell("quit");
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_MS_MAX);
    await exit;
    clearTimeout(timer);
  }
}
