/**
 * What the two processes tell each other, beside the game: over Node's IPC, as JSON.
 *
 * Owns: these messages in their order, and waiting with an end.
 * In a real game the first half is what a backend does: it knows the servers, and hands out tokens.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { EngineChoice } from "../../lib/index.js";
import type { Counts } from "./tally.js";

/** From the server's process to the clients'. */
export type Order =
  /** Open the relay in front of the server, and connect a client with each token. */
  | {
      readonly kind: "connect";
      readonly serverPort: number;
      /** In base64. */
      readonly tokens: readonly string[];
      readonly tickRate: number;
      readonly lossPercent: number;
      readonly rttMs: number;
      readonly jitterMs: number;
      readonly seed: number;
      readonly engine: EngineChoice | undefined;
    }
  /** All are connected: play. */
  | { readonly kind: "play" }
  /** Send nothing more, and say what was sent. */
  | { readonly kind: "rest" }
  /** Say what arrived, once each client has so many chat lines and scores or the time is up. */
  | {
      readonly kind: "count";
      readonly lines: number;
      readonly scores: number;
      readonly timeoutMs: number;
    }
  /** The server is closed: end. */
  | { readonly kind: "leave" };

/** The channels on which clients hear. */
export type Heard = "state" | "shots" | "score" | "chat";

/** From the clients' process to the server's. */
export type Answer =
  /** The port that the relay will have: the address that tokens must name. */
  | { readonly kind: "reserved"; readonly port: number }
  | { readonly kind: "connected"; readonly engine: "native" | "js" }
  /** Messages sent, by all clients. */
  | { readonly kind: "resting"; readonly inputs: number; readonly lines: number }
  | ({ readonly kind: "counted" } & Record<Heard, Counts>)
  | { readonly kind: "warning"; readonly text: string }
  /** It can't go on. */
  | { readonly kind: "failed"; readonly text: string };

const POLL_MS = 10;

/** Waits until something holds, but no longer than `timeoutMs`; whether it holds. */
export async function until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() >= endMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Takes the printing of warnings from Node, which needs two lines for each. */
export function onWarnings(show: (text: string) => void): void {
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message }) => {
    show(name === "NetrtWarning" ? `netrt: ${message}` : `${name}: ${message}`);
  });
}
