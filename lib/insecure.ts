/**
 * The fixed secret of insecure servers: for development, on loopback, and worth nothing.
 *
 * Owns: that one key. Never does: open anything.
 */
import { KEY_BYTES } from "./engine/limits.js";

/** "insecure" over and over: anybody can read it here, which is the point. */
export function insecureKey(): Uint8Array {
  const text = new TextEncoder().encode("insecure");
  return Uint8Array.from({ length: KEY_BYTES }, (_, index) => text[index % text.length]);
}
