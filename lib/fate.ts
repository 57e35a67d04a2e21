/**
 * What becomes of messages, in words.
 *
 * Owns: the names of fates, and what is told with them.
 * Never does: decide a fate; the engine does.
 */
import {
  FATE_DELIVERED,
  FATE_DROPPED,
  FATE_EXPIRED,
  FATE_LOST,
  FATE_SUPERSEDED,
} from "./engine/channel.js";

/**
 * What became of a message. `delivered`: a packet with it is known to have arrived. `expired`:
 * its time ran out. `superseded`: a newer one took its place unsent. `lost`: every packet with it
 * counts as lost, which is probable, not certain. `dropped`: no room, or the connection ended.
 */
export type Fate = "delivered" | "expired" | "superseded" | "lost" | "dropped";

export const FATES = new Map<number, Fate>([
  [FATE_DELIVERED, "delivered"],
  [FATE_EXPIRED, "expired"],
  [FATE_SUPERSEDED, "superseded"],
  [FATE_LOST, "lost"],
  [FATE_DROPPED, "dropped"],
]);

/** The fate of a message that was sent with `receipt: true`. */
export interface Receipt<Name extends string = string> {
  /** What `send` returned for the message. */
  readonly receipt: number;
  readonly channel: Name;
  readonly fate: Fate;
}

/** A message that was promised and will not arrive. */
export interface Undelivered<Name extends string = string> {
  readonly channel: Name;
  /** `expired`: its time ran out. `dropped`: no room, or the connection ended. */
  readonly fate: "expired" | "dropped";
}
