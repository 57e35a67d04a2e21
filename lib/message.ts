/**
 * What stands between a channel's messages and their bytes: nothing, or the channel's schema.
 *
 * Owns: the checks of a message that is sent, and the reading of one that came.
 * Never does: throw at what came: it is refused, and the peer tells (`rejected`).
 * Invariants: what is about to be sent is placed before anything else is: it may lie in the memory
 * that all messages of its schema are written to.
 */
import { argumentError, NetrtError } from "./errors.js";
import type { ChannelPolicy } from "./policy.js";
import type { Reason } from "./schema/node.js";
import { type Codec, copyBytes, type Schema } from "./schema/schema.js";

const NO_BYTES = new Uint8Array(0);

const outgoing: { bytes: Uint8Array; count: number } = { bytes: NO_BYTES, count: 0 };

/**
 * Checks a message against its channel and has its bytes ready for `placeMessage`.
 *
 * @returns its length, in bytes
 * @throws NetrtError `ERR_NETRT_ARGUMENT`, `ERR_NETRT_MESSAGE_TOO_LARGE`
 */
export function prepareMessage(policy: ChannelPolicy, channel: string, message: unknown): number {
  const schema = policy.message;
  if (schema !== undefined) {
    outgoing.count = codecOf(schema).write(message);
    outgoing.bytes = codecOf(schema).memory;
  } else {
    if (!(message instanceof Uint8Array)) throw argumentError("message", message, "a Uint8Array");
    outgoing.count = message.length;
    outgoing.bytes = message;
  }
  if (outgoing.count > policy.messageBytesMax) {
    throw new NetrtError(
      "ERR_NETRT_MESSAGE_TOO_LARGE",
      `a message of ${outgoing.count} bytes was given; channel "${channel}" takes at most ` +
        `${policy.messageBytesMax}`,
    );
  }
  return outgoing.count;
}

/** A schema is what `schema()` made; strategies see to that. */
function codecOf(schema: Schema<unknown>): Codec<unknown> {
  return schema as Codec<unknown>;
}

/** Puts what was prepared into the ring's memory. */
export function placeMessage(target: Uint8Array, offset: number): void {
  const { bytes, count } = outgoing;
  outgoing.bytes = NO_BYTES;
  copyBytes(bytes, count, target, offset);
}

/** What came on a channel and is no message of its schema. It is dropped. */
export interface RejectedMessage<Name extends string = string> {
  readonly channel: Name;
  readonly reason: Reason;
  /** The first field that is wrong, e.g. `players[].aim.x`; "" for the message as a whole. */
  readonly field: string;
}

/** What `openMessage` makes of bytes that are no message of the channel's schema. */
export const REFUSED: unique symbol = Symbol("refused");

/** What came, as handlers get it: the bytes as they lie, or a new value of the schema's. */
export function openMessage(policy: ChannelPolicy, bytes: Uint8Array): unknown {
  const schema = policy.message;
  if (schema === undefined) return bytes;
  const value = schema.decode(bytes);
  return schema.rejected === undefined ? value : REFUSED;
}
