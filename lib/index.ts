/**
 * netrt: real-time messaging on UDP for Node.js.
 *
 * Define a protocol of channels, open a server, mint tokens in your backend (`netrt/token`), connect
 * clients. `netrt/netcode` has the bare NETCODE 1.02 standard, `netrt/schema` messages with a schema,
 * `netrt/bytes` a writer and reader.
 *
 * @module
 */
import { defaultEngine } from "./choice.js";

export type { BlockProgress } from "./assembly.js";
export type { BlockOptions } from "./block.js";
export type { ClientChannel, ServerChannel } from "./channel.js";
export type { EngineChoice, EngineChoiceOptions } from "./choice.js";
export {
  Client,
  type ClientStats,
  type ConnectOptions,
  connect,
  type InsecureTarget,
} from "./client.js";
export type { CongestionMode, LimitOptions, ReceiveLimits } from "./configure.js";
export type { Disconnect, DisconnectReason } from "./disconnect.js";
export { type ErrorCode, NetrtError } from "./errors.js";
export type { PeerEvents } from "./events.js";
export type { Fate, Receipt, Undelivered } from "./fate.js";
export type { RejectedMessage } from "./message.js";
export type { MismatchedClient } from "./mismatch.js";
export type {
  BroadcastOptions,
  CloseOptions,
  PacketVerdict,
  SendOptions,
  ServerCloseOptions,
  ServerOptions,
} from "./options.js";
export { Peer } from "./peer.js";
export type { ChannelPolicy, Expiry, Order, Redundancy, Repair, Strategy } from "./policy.js";
export {
  type ChannelName,
  type Channels,
  defineProtocol,
  type MessageOf,
  type Protocol,
} from "./protocol.js";
export { createServer, Server, type ServerEvents, type ServerStats } from "./server.js";
export type {
  ChannelStats,
  HostStats,
  PeerStats,
  RejectReason,
  SystemFaults,
  TickStats,
} from "./stats.js";
export {
  type CriticalOptions,
  critical,
  type MessageOptions,
  type RealTimeOptions,
  type ReliableOptions,
  realTime,
  reliable,
  type TimeSensitiveOptions,
  timeSensitive,
} from "./strategy.js";
export type { SlipBucket } from "./ticker.js";

export type { IoMode } from "./turn.js";

/** What runs unless a call says otherwise. */
export const netrt = {
  /** `"native"`, or `"js"` where the addon can't run or `NETRT_ENGINE=js` is set. */
  get engine(): "native" | "js" {
    return defaultEngine();
  },
};
