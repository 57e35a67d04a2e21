/**
 * AbortSignals, as options take them.
 *
 * Owns: the check of one, and the listener on it, which must not outlive what it stops: a signal
 * may serve a whole program.
 * Never does: abort anything itself.
 */
import { argumentError } from "./errors.js";

/**
 * Passes an AbortSignal that has not aborted, or undefined.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`; the signal's reason when it has aborted
 */
export function checkSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  // By its shape, as Node itself checks: signals come from other realms and polyfills too.
  if (typeof signal !== "object" || signal === null || !("aborted" in signal)) {
    throw argumentError("signal", signal, "an AbortSignal");
  }
  signal.throwIfAborted();
  return signal;
}

/** Calls `stop` when the signal aborts. The function that it returns takes the listener off again. */
export function onAbort(signal: AbortSignal | undefined, stop: () => void): () => void {
  signal?.addEventListener("abort", stop, { once: true });
  return () => signal?.removeEventListener("abort", stop);
}
