// policy: how a channel delivers, as data.
//
// Owns the form in which a policy reaches the core. Never decides which combinations are lawful
// (that is the strategies' rule, checked where the user states them); here they only run.

import { CHUNK_BYTES } from "./limits.js";

export const ORDER_NONE = 0;
export const ORDER_SEQUENCED = 1;
export const ORDER_ORDERED = 2;

export const REPAIR_NONE = 0;
export const REPAIR_NACK = 1;
export const REPAIR_ACK = 2;

export const EXPIRY_NEVER = 0xffffffff;
export const EXPIRY_SUPERSEDED = 0;

/** The strategy whose messages arrive, or the connection ends. */
export const STRATEGY_CRITICAL = 4;

/** The words of one channel in the configuration. */
export const POLICY_WORDS = 10;

export class Policy {
  order = ORDER_NONE;
  /** REPAIR_NACK and REPAIR_ACK as bits. */
  repair = REPAIR_NONE;
  /** Extra copies of each message, 0..15 or COPIES_ADAPTIVE. */
  copies = 0;
  /** True: copies get room made for them. False: they ride in room left over, and back the tail. */
  copiesForced = false;
  /** Milliseconds, EXPIRY_NEVER, or EXPIRY_SUPERSEDED (until a newer message is there). */
  expiryMs = EXPIRY_NEVER;
  /** 1..255; a higher priority is served first. */
  priority = 1;
  messageBytesMax = CHUNK_BYTES;
  strategy = 0;
  /** Bytes of the longest block; 0 where the channel takes none. */
  blockBytesMax = 0;
  /** Name and policy as one number: both ends must agree. */
  hash = 0;
}

export function policyRead(policy: Policy, words: Uint32Array, start: number): void {
  policy.order = words[start];
  policy.repair = words[start + 1];
  policy.copies = words[start + 2];
  policy.copiesForced = words[start + 3] !== 0;
  policy.expiryMs = words[start + 4];
  policy.priority = words[start + 5];
  policy.messageBytesMax = words[start + 6];
  policy.strategy = words[start + 7];
  policy.hash = words[start + 8];
  policy.blockBytesMax = words[start + 9];
}
