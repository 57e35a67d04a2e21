/**
 * The second process as the first one sees it.
 *
 * Owns: starting clients.ts, talking to it, and that it is gone when all is over.
 * Invariants: whatever is waited for ends, at the latest when the process does.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { type Answer, type Order, until } from "./control.js";
import { ArenaError } from "./options.js";

type Kind = Answer["kind"];

export class Crowd {
  readonly #process: ChildProcess;
  readonly #answers = new Map<Kind, Answer>();
  readonly #failed: Promise<never>;
  #leaving = false;

  /** @param onWarning gets what the process warns of */
  constructor(onWarning: (text: string) => void) {
    const file = path.join(import.meta.dirname, "clients.js");
    // Whatever it prints is no result: to our stderr.
    this.#process = fork(file, { stdio: ["ignore", 2, 2, "ipc"] });
    this.#failed = new Promise((_resolve, reject) => {
      this.#process.on("message", (answer: Answer) => {
        if (answer.kind === "failed") reject(new ArenaError(answer.text));
        else if (answer.kind === "warning") onWarning(answer.text);
        this.#answers.set(answer.kind, answer);
        this.#process.emit("answer");
      });
      this.#process.on("error", reject);
      this.#process.on("exit", (code, signal) => {
        if (!this.#leaving)
          reject(new ArenaError(`the clients' process ended (${signal ?? code})`));
      });
    });
    // It may fail while nobody waits; then whoever waits next is told.
    this.#failed.catch(() => undefined);
  }

  /** Rejects when the process can't go on; never resolves. */
  get failed(): Promise<never> {
    return this.#failed;
  }

  send(order: Order): void {
    if (this.#process.connected) this.#process.send(order);
  }

  /** Waits for an answer, but no longer than `timeoutMs`. */
  async answer<K extends Kind>(kind: K, timeoutMs: number): Promise<Extract<Answer, { kind: K }>> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (!this.#answers.has(kind)) {
      const next = once(this.#process, "answer", { signal }).catch(() => {
        throw new ArenaError(`the clients were not "${kind}" within ${timeoutMs / 1000} s`);
      });
      await Promise.race([next, this.#failed]);
    }
    return this.#answers.get(kind) as Extract<Answer, { kind: K }>;
  }

  /** Lets the process end, and sees to it that it does. */
  async leave(timeoutMs: number): Promise<void> {
    this.#leaving = true;
    const gone = (): boolean =>
      this.#process.exitCode !== null || this.#process.signalCode !== null;
    this.send({ kind: "leave" });
    if (!(await until(gone, timeoutMs))) this.#process.kill("SIGKILL");
  }
}
