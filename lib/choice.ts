/**
 * Which engine runs, and on whose thread its I/O is done.
 *
 * Owns: the options that choose, what `NETRT_ENGINE` says, the fallback with its one warning, and the
 * refusal of what the chosen engine hasn't got.
 * Never does: open an engine.
 */
import { argumentError, checkBoolean, NetrtError } from "./errors.js";
import { openJs } from "./js.js";
import { loadNative, openNative } from "./native.js";
import type { IoMode, OpenEngine } from "./turn.js";

/** Which engine runs the protocol. `auto`: native where it loads, else JavaScript with one warning. */
export type EngineChoice = "auto" | "native" | "js";

/** Options that choose the engine; server and client share them. */
export interface EngineChoiceOptions {
  /** Default: `NETRT_ENGINE`, else native where it can run. */
  readonly engine?: EngineChoice;
  /**
   * `"inline"` (default): the JavaScript thread does the I/O in its turns: the least work, and the
   * lowest latency while it is idle. `"thread"`: a thread of the native engine's own receives, acks,
   * repairs and paces while JavaScript computes or collects garbage, so that a stall of the event loop
   * is none for the peers; JavaScript pays for its rings alone. The JavaScript engine has no such
   * thread: asking for both is an error, and where `auto` falls back to it I/O is inline.
   */
  readonly io?: IoMode;
}

/** What is wanted, as a user's options have it, checked or not. */
export interface Wanted {
  readonly engine: EngineChoice | undefined;
  readonly io: IoMode | undefined;
  readonly reusePort: boolean | undefined;
}

/** What was chosen, ready to be opened. */
export interface ChosenEngine {
  readonly open: OpenEngine;
  readonly io: IoMode;
  readonly reusePort: boolean;
}

let warned = false;

function fallBack(reason: string, io: IoMode): void {
  if (warned) return;
  warned = true;
  const inline = io === "thread" ? ", with its I/O inline" : "";
  process.emitWarning(`the JavaScript engine runs${inline}: ${reason}`, { type: "NetrtWarning" });
}

function checkIo(io: unknown): IoMode {
  if (io === "inline" || io === "thread") return io;
  throw argumentError("io", io, '"inline" or "thread"');
}

/** What only the native engine has, of what was asked for. */
function nativeOnly(what: string): NetrtError {
  const message = `${what} is the native engine's alone, and the JavaScript engine was to run`;
  return new NetrtError("ERR_NETRT_ENGINE_UNAVAILABLE", message);
}

/**
 * The engine that the options and `NETRT_ENGINE` mean here.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT` or `ERR_NETRT_ENGINE_UNAVAILABLE`
 */
export function chooseEngine(wants: Wanted): ChosenEngine {
  const { engine } = wants;
  const io = checkIo(wants.io ?? "inline");
  const reusePort = checkBoolean("reusePort", wants.reusePort ?? false);
  const wanted = engine === undefined ? process.env.NETRT_ENGINE || "auto" : engine;
  if (wanted !== "native" && wanted !== "auto" && wanted !== "js") {
    const name = engine === undefined ? "the environment's NETRT_ENGINE" : "engine";
    throw argumentError(name, wanted, '"auto", "native" or "js"');
  }
  if (wanted !== "js") {
    const native = loadNative();
    if ("binding" in native) return { open: openNative, io, reusePort };
    if (wanted === "native") {
      const message = `the native engine can't run here: ${native.reason}`;
      throw new NetrtError("ERR_NETRT_ENGINE_UNAVAILABLE", message);
    }
    fallBack(native.reason, io);
  } else if (io === "thread") {
    throw nativeOnly('io: "thread"');
  }
  if (reusePort) throw nativeOnly("reusePort");
  return { open: openJs, io: "inline", reusePort };
}

/** The engine that `auto` means here: `"native"` or `"js"`. */
export function defaultEngine(): "native" | "js" {
  if (process.env.NETRT_ENGINE === "js") return "js";
  return "binding" in loadNative() ? "native" : "js";
}
