/*
 * The rows of the benchmark: what is compared, how its server starts, and why it can't where it can't.
 */
import path from "node:path";
import { createServer, netrt } from "../lib/index.js";
import { generateKey } from "../lib/token.js";
import { programPath, ROOT } from "./build.js";
import type { Mode, Provider } from "./options.js";
import { workload } from "./workload.js";

/** How the client simulator speaks to a row's server. */
export type Wire = "raw" | "netrt" | "enet" | "ws";

export interface Row {
  readonly name: string;
  readonly wire: Wire;
  /** The program of its server, and its arguments before those of the workload. */
  readonly server: readonly [program: string, ...args: string[]];
  /** Why it can't run here; null where it can. */
  readonly missing: string | null;
  /** It is left out of `--quick`. */
  readonly long?: boolean;
  /** The modes in which it says anything of its own; all where left out. */
  readonly modes?: readonly Mode[];
}

export const FLOOR = "raw recvmmsg/sendmmsg";
export const NATIVE = "netrt native";
export const NATIVE_THREAD = "netrt native, I/O thread";
export const NATIVE_BROADCAST = "netrt native, broadcast";
export const JS = "netrt js";
export const DGRAM = "node:dgram";
export const WS = "ws";
export const ENET = "ENet";

const NO_ENET = "libenet is not here (Debian: libenet-dev)";

function node(script: string, ...args: string[]): readonly [string, ...string[]] {
  return [process.execPath, path.join(ROOT, "dist/bench/serve", script), ...args];
}

/**
 * Whether `createServer` knows an option and judges its value: one that ignores it takes nonsense.
 */
async function knowsOption(option: string): Promise<boolean> {
  const options = {
    address: "127.0.0.1:0",
    secret: generateKey(),
    maxPeers: 1,
    engine: "native" as const,
    [option]: "nonsense",
  };
  try {
    const server = await createServer(workload, options);
    await server.close({ timeout: 0 });
    return false;
  } catch {
    return true;
  }
}

/** All rows, in the order in which they are run and shown. */
export async function findRows(crypto: Provider | null = null): Promise<Row[]> {
  const served = (...args: string[]) =>
    node("netrt.js", ...args, ...(crypto === null ? [] : ["--crypto", crypto]));
  const native = netrt.engine === "native" ? null : "the native engine can't run here";
  const thread =
    native ?? ((await knowsOption("io")) ? null : 'this release has no io: "thread" yet');
  const raw = programPath("bench_raw");
  const enet = programPath("bench_enet");
  return [
    { name: FLOOR, wire: "raw", server: [raw ?? ""], missing: raw === null ? "not built" : null },
    { name: NATIVE, wire: "netrt", server: served(), missing: native },
    {
      name: NATIVE_BROADCAST,
      wire: "netrt",
      server: served("--broadcast"),
      missing: native,
      long: true,
      modes: ["locked"],
    },
    {
      name: NATIVE_THREAD,
      wire: "netrt",
      server: served("--io", "thread"),
      missing: thread,
    },
    { name: JS, wire: "netrt", server: node("netrt.js", "--engine", "js"), missing: null },
    { name: DGRAM, wire: "raw", server: node("dgram.js"), missing: null },
    { name: WS, wire: "ws", server: node("ws.js"), missing: null },
    { name: ENET, wire: "enet", server: [enet ?? ""], missing: enet === null ? NO_ENET : null },
  ];
}
