/**
 * The protocol: a name and the channels that both sides agree on.
 *
 * Owns: channel names and numbers, and the hashes by which two peers find out that they differ.
 * Never does: deliver, or know a peer.
 * Invariants: a protocol is frozen. Equal definitions have equal ids and hashes on every machine
 * and in every release that runs the same wire protocol; channel numbers follow the order in which
 * the channels are declared.
 */
import { hash32 } from "./engine/hash.js";
import { CHANNELS_MAX } from "./engine/limits.js";
import { argumentError, checkInteger, NetrtError } from "./errors.js";
import { type ChannelPolicy, encodePolicy } from "./policy.js";
import type { Schema } from "./schema/schema.js";
import { checkPolicy } from "./strategy.js";
import { protocolIdOf } from "./token.js";

/** Longest name of a protocol or a channel, in bytes of UTF-8. */
export const NAME_BYTES_MAX = 64;

/** The channels of a protocol: a policy per name, in the order of their numbers. */
export type Channels = { readonly [name: string]: ChannelPolicy };

/**
 * What both sides of a connection speak; {@link defineProtocol} makes it.
 *
 * @typeParam C the channels, by name
 * @typeParam N their names. It is a parameter of its own so that every protocol is assignable to
 *              `Protocol`: through `keyof C` alone the compiler would take `C` for invariant.
 */
export interface Protocol<C extends Channels = Channels, N extends string = keyof C & string> {
  /** The name as given, version part included, e.g. `arena/1`. */
  readonly name: string;
  /**
   * The 64-bit NETCODE protocol id: FNV-1a 64 (draft-eastlake-fnv) of the name's UTF-8. Tokens are
   * minted for it, and packets of another protocol do not open.
   */
  readonly id: bigint;
  /** FNV-1a 32 of the name's UTF-8; peers compare it inside the session. */
  readonly nameHash: number;
  /** The channels and their policies. */
  readonly channels: C;
  /** The channel names by number, from 0. */
  readonly channelNames: readonly N[];
  /** The policies by the same numbers: for each message a look-up by name takes longer than the rest. */
  readonly policies: readonly ChannelPolicy[];
  /**
   * The number of a channel, from 0.
   *
   * @throws NetrtError `ERR_NETRT_UNKNOWN_CHANNEL`
   */
  channelIndex(name: N): number;
  /**
   * What peers compare per channel: FNV-1a 32 over the channel name's UTF-8, a zero byte, the
   * words of the policy (see `encodePolicy`) and, where messages have a schema, its hash, each
   * little-endian.
   *
   * @param index the channel's number, below `channelNames.length`
   * @throws NetrtError `ERR_NETRT_ARGUMENT`
   */
  channelHash(index: number): number;
}

/** The names of a protocol's channels. */
export type ChannelName<P extends Protocol> = keyof P["channels"] & string;

/**
 * What a channel of a protocol carries: the type of its schema, else bytes. `never` for a name that the
 * protocol has not, `unknown` where the protocol is none in particular.
 */
export type MessageOf<P extends Protocol, C extends string> =
  C extends ChannelName<P>
    ? P["channels"][C] extends { readonly message?: Schema<infer T> }
      ? T
      : never
    : never;

/**
 * Defines a protocol: the one value that server and clients share.
 *
 * @param name     the game's name and the version of its messages, e.g. `arena/1`; 1 to 64 bytes of
 *                 UTF-8. Change the version when messages change: peers of another name never meet.
 * @param channels 1 to 64 policies by name; a name has 1 to 64 bytes of UTF-8 and is not a whole
 *                 number (JavaScript would move it to the front, and the order gives the numbers)
 * @throws NetrtError `ERR_NETRT_ARGUMENT` for a bad name, too few or too many channels, or a value
 * that is no policy; `ERR_NETRT_STRATEGY` as the strategies do
 *
 * @example
 * ```ts
 * export const arena = defineProtocol("arena/1", {
 *   input: realTime({ redundancy: "high" }),
 *   state: realTime(),
 *   chat: reliable(),
 * });
 * ```
 */
export function defineProtocol<const C extends Channels>(name: string, channels: C): Protocol<C> {
  const nameBytes = encodeName("protocol name", name);
  if (typeof channels !== "object" || channels === null || Array.isArray(channels)) {
    throw argumentError("channels", channels, "an object of policies by channel name");
  }
  const names = Object.keys(channels);
  if (names.length < 1 || names.length > CHANNELS_MAX) {
    throw argumentError("the number of channels", names.length, `1 to ${CHANNELS_MAX}`);
  }
  const policies: [string, ChannelPolicy][] = [];
  const hashes: number[] = [];
  const indices = new Map<string, number>();
  for (const [index, channel] of names.entries()) {
    const channelBytes = encodeName("channel name", channel);
    if (/^\d+$/.test(channel)) throw argumentError("channel name", channel, "not a whole number");
    const policy = checkPolicy(`channel "${channel}"`, channels[channel]);
    policies.push([channel, policy]);
    hashes.push(hashChannel(channelBytes, policy));
    indices.set(channel, index);
  }
  return Object.freeze<Protocol<C>>({
    name,
    id: protocolIdOf(name),
    nameHash: hash32(nameBytes, 0, nameBytes.length, 0),
    channels: Object.freeze(Object.fromEntries(policies)) as C,
    channelNames: Object.freeze(names as (keyof C & string)[]),
    policies: Object.freeze(policies.map(([, policy]) => policy)),
    channelIndex: (channel) => {
      const index = indices.get(channel);
      if (index !== undefined) return index;
      throw new NetrtError(
        "ERR_NETRT_UNKNOWN_CHANNEL",
        `protocol "${name}" has no channel ${JSON.stringify(channel)}; it has ${names.join(", ")}`,
      );
    },
    channelHash: (index) => hashes[checkInteger("channel number", index, 0, names.length - 1)],
  });
}

/**
 * Passes a protocol.
 *
 * @throws NetrtError `ERR_NETRT_ARGUMENT`
 */
export function checkProtocol<P extends Protocol>(protocol: P): P {
  const given: unknown = protocol;
  const isProtocol =
    typeof given === "object" &&
    given !== null &&
    typeof Reflect.get(given, "channelIndex") === "function";
  if (isProtocol) return protocol;
  throw argumentError("protocol", given, "what defineProtocol() returned");
}

/** A name's UTF-8, once it is known to have one: a lone surrogate would be replaced, and two names
 * that differ would be the same on the wire. */
function encodeName(what: string, name: unknown): Uint8Array {
  const allowed = `a string of 1 to ${NAME_BYTES_MAX} bytes of UTF-8`;
  if (typeof name !== "string" || /\p{Surrogate}/u.test(name)) {
    throw argumentError(what, name, allowed);
  }
  const bytes = new TextEncoder().encode(name);
  if (bytes.length < 1 || bytes.length > NAME_BYTES_MAX) throw argumentError(what, name, allowed);
  return bytes;
}

function hashChannel(nameBytes: Uint8Array, policy: ChannelPolicy): number {
  const words = [...encodePolicy(policy)];
  if (policy.message !== undefined) words.push(policy.message.hash);
  const start = nameBytes.length + 1;
  const bytes = new Uint8Array(start + words.length * 4);
  bytes.set(nameBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setUint32(start + index * 4, word, true);
  return hash32(bytes, 0, bytes.length, 0);
}
