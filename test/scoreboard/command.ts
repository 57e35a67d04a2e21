// command: runs one command of the project to its end, or to the end of its time, and reads the object it prints.
//
// Owns the process and those it starts: they share a group, and the group ends with them.
import { type ChildProcess, spawn } from "node:child_process";

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly secondsMax: number;
}

export interface Printed {
  /** The object that the command printed; undefined when it printed none. */
  readonly object: unknown;
  /** Why the run counts as failed; empty when it does not. */
  readonly problem: string;
  readonly seconds: number;
}

/** Lines of a failed command's complaint that are shown. */
const COMPLAINT_LINES = 12;
/** After a request to end, before there is no choice. */
const KILL_MS = 5000;

/** The object at the end of an output: whole, or after lines of other things. */
export function objectIn(output: string): unknown {
  const starts = [0, ...[...output.matchAll(/\n(?=\{)/g)].map(({ index }) => index + 1)];
  for (const start of starts) {
    try {
      const value: unknown = JSON.parse(output.slice(start));
      if (typeof value === "object" && value !== null) return value;
    } catch {
      // Not from here on.
    }
  }
  return undefined;
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

/** Runs a command. It is told to end when its time is over or the stop signal comes. */
export async function runCommand(
  command: Command,
  cwd: string,
  stop: AbortSignal,
): Promise<Printed> {
  const { program, args, secondsMax } = command;
  const began = performance.now();
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  const child = spawn(program, args, { cwd, stdio, detached: true });
  let [output, complaint, late] = ["", "", false];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-20_000);
  });
  let killer: NodeJS.Timeout | undefined;
  const end = () => {
    signalGroup(child, "SIGTERM");
    killer ??= setTimeout(() => signalGroup(child, "SIGKILL"), KILL_MS);
  };
  const limit = setTimeout(() => {
    late = true;
    end();
  }, secondsMax * 1000);
  stop.addEventListener("abort", end);
  if (stop.aborted) end();
  const status = await new Promise<number | string>((resolve) => {
    child.on("error", ({ message }) => resolve(message));
    child.on("close", (code, signal) => resolve(code ?? signal ?? "?"));
  });
  clearTimeout(limit);
  clearTimeout(killer);
  stop.removeEventListener("abort", end);
  // What it started and left behind.
  signalGroup(child, "SIGKILL");
  const seconds = (performance.now() - began) / 1000;
  const object = objectIn(output);
  if (late) return { object: undefined, problem: `took more than ${secondsMax} s`, seconds };
  if (status === 0 && object !== undefined) return { object, problem: "", seconds };
  const said = complaint.trim().split("\n").slice(-COMPLAINT_LINES).join("\n");
  if (said !== "") console.error(said);
  const why = status === 0 ? "printed no object" : `ended with ${status}`;
  return { object, problem: why, seconds };
}
