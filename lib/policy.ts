/**
 * The delivery policy: how one channel delivers, as data.
 *
 * Owns: the vocabulary of a policy, its limits, and the nine words that carry it to the engines.
 * Never does: judge what a strategy allows; lib/strategy.ts makes policies and holds them to that.
 * Invariant: a policy is frozen and lawful from the moment it exists.
 */
import { COPIES_ADAPTIVE } from "./engine/limits.js";
import {
  EXPIRY_NEVER,
  EXPIRY_SUPERSEDED,
  ORDER_NONE,
  ORDER_ORDERED,
  ORDER_SEQUENCED,
  REPAIR_ACK,
  REPAIR_NACK,
  REPAIR_NONE,
} from "./engine/policy.js";

/** `none`: as it comes. `sequenced`: the newest wins. `ordered`: a gap waits until it is filled or
 * has expired. */
export type Order = "none" | "sequenced" | "ordered";

/** Who asks for what is missing. `nack`: the receiver names it. `ack`: the sender infers it. */
export type Repair = "none" | "nack" | "ack" | "ack+nack";

/**
 * Extra copies of a message, sent before anyone knows that the first was lost.
 * `low` fills room left over in packets that go out anyway. `high` makes room. `adaptive` follows
 * the measured loss. A number says how many copies. All are paid from the pacing budget.
 */
export type Redundancy = "none" | "low" | "high" | "adaptive" | number;

/** How long a message is of interest: `immediate` until a newer one or the next flush, `short`
 * 200 ms, `long` 10 s, `never` ends; or milliseconds. */
export type Expiry = "immediate" | "short" | "long" | "never" | number;

/** The four strategies, as the constructors are called. */
export type Strategy = "realTime" | "timeSensitive" | "reliable" | "critical";

/** `short`, in ms: a few round trips on a usual link, so that one repair still fits. */
export const EXPIRY_SHORT_MS = 200;
/** `long`, in ms: outlives every stall that a connection survives (the time-out is 5 s). */
export const EXPIRY_LONG_MS = 10_000;
/** The longest expiry in numbers, in ms (ten minutes): in µs it still fits 32 bits. */
export const EXPIRY_MS_MAX = 600_000;
/** Copies that `low` redundancy sends at most: one, so that a lost packet is filled by the next. */
export const REDUNDANCY_LOW_COPIES = 1;
/** Copies that `high` redundancy sends at most: with 7, a burst of 7 lost packets (55 ms at 128 Hz)
 * loses no message. Fiedler has 2 to 15 inputs a packet as typical. */
export const REDUNDANCY_HIGH_COPIES = 7;
/** Heaviest channel weight. */
export const PRIORITY_MAX = 255;

/** What every policy has, whatever its strategy. */
interface PolicyBase {
  /** Weight when a packet has no room for all channels, 1 to 255: the heavier goes first. */
  readonly priority: number;
  /** Longest message, in bytes. */
  readonly messageBytesMax: number;
  /** Longest block, in bytes; 0 where the channel takes none. */
  readonly blockBytesMax: number;
}

/** What {@link realTime} makes. */
export interface RealTimePolicy extends PolicyBase {
  readonly strategy: "realTime";
  readonly order: "sequenced";
  readonly repair: "none";
  readonly redundancy: "low" | "high";
  readonly expiry: "immediate";
}

/** What {@link timeSensitive} makes. */
export interface TimeSensitivePolicy extends PolicyBase {
  readonly strategy: "timeSensitive";
  readonly order: "ordered";
  readonly repair: "nack";
  readonly redundancy: Redundancy;
  readonly expiry: "immediate" | "short" | number;
}

/** What {@link reliable} makes. */
export interface ReliablePolicy extends PolicyBase {
  readonly strategy: "reliable";
  readonly order: "ordered" | "none";
  readonly repair: "ack+nack";
  readonly redundancy: "low" | "high" | "adaptive" | number;
  readonly expiry: "short" | "long" | number;
}

/** What {@link critical} makes. */
export interface CriticalPolicy extends PolicyBase {
  readonly strategy: "critical";
  readonly order: "ordered";
  readonly repair: "ack+nack";
  readonly redundancy: "low" | "high";
  readonly expiry: "long" | "never" | number;
}

/** How one channel delivers: a frozen value, made by one of the four constructors. */
export type ChannelPolicy = RealTimePolicy | TimeSensitivePolicy | ReliablePolicy | CriticalPolicy;

const ORDER_WORD: Record<Order, number> = {
  none: ORDER_NONE,
  sequenced: ORDER_SEQUENCED,
  ordered: ORDER_ORDERED,
};
const REPAIR_BITS: Record<Repair, number> = {
  none: REPAIR_NONE,
  nack: REPAIR_NACK,
  ack: REPAIR_ACK,
  "ack+nack": REPAIR_ACK | REPAIR_NACK,
};
const COPIES: Record<Extract<Redundancy, string>, number> = {
  none: 0,
  low: REDUNDANCY_LOW_COPIES,
  high: REDUNDANCY_HIGH_COPIES,
  adaptive: COPIES_ADAPTIVE,
};
const EXPIRY_MS: Record<Extract<Expiry, string>, number> = {
  immediate: EXPIRY_SUPERSEDED,
  short: EXPIRY_SHORT_MS,
  long: EXPIRY_LONG_MS,
  never: EXPIRY_NEVER,
};
const STRATEGY_WORD: Record<Strategy, number> = {
  realTime: 1,
  timeSensitive: 2,
  reliable: 3,
  critical: 4,
};
const ENCODED_WORDS = 9;
/** Words of a policy that stand before its hash in a host's configuration. */
export const POLICY_HASHED_WORDS = 8;

/**
 * A policy as the engines take it, which is also what the channel hash covers: nine 32-bit words.
 *
 * | word | meaning |
 * | --- | --- |
 * | 0 | order: 0 none, 1 sequenced, 2 ordered |
 * | 1 | repair bits: 1 nack, 2 ack |
 * | 2 | most extra copies of a message: low 1, high 7, a number as it is, adaptive 255 |
 * | 3 | 1 if copies make room for themselves, 0 if they take what is left over (low) |
 * | 4 | expiry in ms: 0 superseded by the newest, 0xffffffff never |
 * | 5 | priority, 1 to 255 |
 * | 6 | longest message in bytes |
 * | 7 | strategy, for statistics: 1 RealTime, 2 TimeSensitive, 3 Reliable, 4 Critical |
 * | 8 | longest block in bytes |
 */
export function encodePolicy(policy: ChannelPolicy): Uint32Array {
  const { order, repair, redundancy, expiry, priority, messageBytesMax, strategy } = policy;
  const words = new Uint32Array(ENCODED_WORDS);
  words[0] = ORDER_WORD[order];
  words[1] = REPAIR_BITS[repair];
  words[2] = typeof redundancy === "number" ? redundancy : COPIES[redundancy];
  words[3] = redundancy === "low" || words[2] === 0 ? 0 : 1;
  words[4] = typeof expiry === "number" ? expiry : EXPIRY_MS[expiry];
  words[5] = priority;
  words[6] = messageBytesMax;
  words[7] = STRATEGY_WORD[strategy];
  words[8] = policy.blockBytesMax;
  return words;
}
