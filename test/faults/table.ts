/*
 * Owns what can go wrong, as a list: the rows of the errno table, read from native/io/fault.cc so that
 * a new row is tested from the day it is there, and the oddities that are no errno.
 * Never decides what should happen: the rows say it.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** Kinds of system calls, in the shim's order. */
export const CALLS = [
  "socket",
  "option",
  "bind",
  "name",
  "epoll",
  "timer",
  "bell",
  "thread",
  "receive",
  "send",
  "wait",
] as const;
export type Call = (typeof CALLS)[number];

/** The system calls behind a call of the table. */
const CALLS_OF = {
  OPEN: ["socket", "option", "epoll", "timer", "bell", "thread"],
  BIND: ["bind", "name"],
  RECEIVE: ["receive"],
  SEND: ["send"],
  WAIT: ["wait"],
  // Several datagrams in one message: test/native/io_segment.cc has these rows, and the shim doesn't tell them apart.
  SEGMENT: [],
} as const satisfies Record<string, readonly Call[]>;
type TableCall = keyof typeof CALLS_OF;

export type Action = "AGAIN" | "LATER" | "LOSS" | "SHRINK" | "ICMP" | "WARN" | "FATAL";

export interface Fault {
  readonly call: Call;
  /** `EAGAIN` and so on, or the name of an oddity. */
  readonly name: string;
  /** What the shim is told: an errno, or an oddity's number. */
  readonly error: number;
  /** What the table says; oddities have none. */
  readonly action: Action | null;
  /** Why an open failed. */
  readonly kind: string;
}

/** Where the checkout begins, for the sources (test/faults) and the compiled (dist/test/faults). */
export function findRoot(folder: string): string {
  return fs.existsSync(path.join(folder, "binding.gyp")) ? folder : findRoot(path.dirname(folder));
}

// Node knows the numbers of the system it runs on, but for this one.
const ERRNO_MISSING: Record<string, number> = { EHOSTDOWN: 112 };

function errnoOf(name: string): number {
  const errno = (os.constants.errno as Record<string, number>)[name] ?? ERRNO_MISSING[name];
  if (errno === undefined) throw new Error(`no number for ${name}`);
  return errno;
}

/** What goes well and says something odd; the numbers are the shim's. */
const ODDITIES: readonly (readonly [Call, string, number])[] = [
  ["send", "partial", 1000],
  ["send", "zero", 1001],
  ["receive", "truncated", 1002],
  ["receive", "empty", 1003],
  ["receive", "port-zero", 1004],
  ["wait", "spurious", 1005],
];

/** An errno that has no row: the default of its call serves. */
const FOREIGN = "EDOM";

/** All rows of the table, once for each system call behind them, and the oddities. */
export function faultTable(root: string): Fault[] {
  const text = fs.readFileSync(path.join(root, "native/io/fault.cc"), "utf8");
  const rows = text.matchAll(/\{Call::(\w+), (E\w+), FaultAction::(\w+),\s*FaultKind::(\w+)\}/g);
  const faults: Fault[] = [];
  for (const [, call, name, action, kind] of rows) {
    for (const one of CALLS_OF[call as TableCall]) {
      const error = errnoOf(name!);
      faults.push({ call: one, name: name!, error, action: action as Action, kind: kind! });
    }
  }
  for (const call of ["receive", "send"] as const) {
    const error = errnoOf(FOREIGN);
    faults.push({ call, name: FOREIGN, error, action: "WARN", kind: "OTHER" });
  }
  for (const [call, name, error] of ODDITIES) {
    faults.push({ call, name, error, action: null, kind: "OTHER" });
  }
  return faults;
}

/**
 * What says that the handle is no socket of ours, or never will be one that works: the host ends. Written
 * down here as well, so that an errno that is made fatal by mistake is not taken at its word.
 */
const ENDING: Partial<Record<Call, readonly string[]>> = {
  receive: ["EBADF", "ENOTSOCK", "EFAULT", "EINVAL", "ENOSYS"],
  send: ["EBADF", "ENOTSOCK", "EFAULT", "EPIPE", "ENOSYS"],
};

/** Faults that say that the socket is gone. */
export const isEnding = ({ call, name }: Fault): boolean => ENDING[call]?.includes(name) ?? false;

/** Faults that a connection must bear. */
export const isBearable = (fault: Fault): boolean => isRunning(fault) && !isEnding(fault);

export const isRunning = ({ call }: Fault): boolean =>
  call === "receive" || call === "send" || call === "wait";
