/**
 * What a peer tells its user.
 *
 * Owns: the names of a peer's events, and what comes with each.
 * Never does: emit one; the peer does.
 */
import type { BlockProgress } from "./assembly.js";
import type { Disconnect } from "./disconnect.js";
import type { Receipt, Undelivered } from "./fate.js";
import type { RejectedMessage } from "./message.js";
import type { PacketVerdict } from "./options.js";
import type { ChannelName, MessageOf, Protocol } from "./protocol.js";

/** Events of a peer. */
export interface PeerEvents<P extends Protocol> {
  /**
   * A message on any channel: a value of the channel's schema, yours; bytes are a view into the ring:
   * copy what you keep.
   */
  message: { [C in ChannelName<P>]: [channel: C, message: MessageOf<P, C>] }[ChannelName<P>];
  /**
   * What the peer sent on a channel with a schema is no message of it: a peer that is broken or
   * means harm, as both sides have the same schema. Nothing else comes of it; close the peer if you like.
   */
  rejected: [message: RejectedMessage<ChannelName<P>>];
  /** What became of a message that was sent with `receipt: true`; exactly one for each. */
  fate: [receipt: Receipt<ChannelName<P>>];
  /** A message of a channel that repairs will not arrive. */
  undelivered: [message: Undelivered<ChannelName<P>>];
  /** After `send` answered false: there is room again. */
  drain: [];
  /**
   * A packet to this peer has its verdict: exactly one each, in the order of numbers, of which some
   * are left out. The engine reports them only while somebody listens.
   */
  packet: [verdict: PacketVerdict];
  /** How far a block of the peer is, after each turn in which more of it came. */
  progress: [channel: ChannelName<P>, progress: BlockProgress];
  /**
   * The peer proved to be at another address (`peer.address`); `from` is the one before. The connection goes
   * on. Only clients move.
   */
  move: [from: string];
  /** The connection is over. Nothing comes after it. */
  disconnect: [end: Disconnect];
}
