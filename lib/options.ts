/**
 * What servers and peers are asked for, as types.
 *
 * Owns: the options of calls, with their ranges and defaults in words.
 * Never does: check them; whoever is called does.
 */
import type { EngineChoiceOptions } from "./choice.js";
import type { LimitOptions } from "./configure.js";
import type { Peer } from "./peer.js";
import type { Protocol } from "./protocol.js";

/** Options of one message. */
export interface SendOptions {
  /**
   * How long the message is of interest, in ms, 1 to 600,000 (TimeSensitive: 9,999); instead of the
   * channel's expiry.
   * Only on channels that repair: on RealTime a newer message ends an older one's interest.
   */
  readonly ttl?: number;
  /** Asks for the message's fate: `send` returns a number, and a `fate` event comes with it. */
  readonly receipt?: boolean;
}

/** What became of one packet (PROTOCOL R-25): Tribes' delivery notification. */
export interface PacketVerdict {
  /** Its number, counted from the connection's first packet. */
  readonly number: number;
  /** Acked is definite; lost is probable, and stays the verdict even if an ack comes late. */
  readonly acked: boolean;
  /** Its size on the wire without IP and UDP headers. */
  readonly bytes: number;
}

/** Options of `close`. */
export interface CloseOptions {
  /** Told to the peer, at most 120 bytes of UTF-8. */
  readonly reason?: string;
  /** First send what is queued, blocks included, and wait until it is acked or expired; `send` is over at once. */
  readonly drain?: boolean;
}

/** Options of {@link createServer}. */
export interface ServerOptions extends LimitOptions, EngineChoiceOptions {
  /** Address and port to bind, e.g. `0.0.0.0:40000` or `[::]:40000`; port 0 lets the system choose. */
  readonly address: string;
  /**
   * The 32 bytes that the backend shares with its servers; it mints tokens with them. Make one with
   * `generateKey()` of `netrt/token`.
   */
  readonly secret?: Uint8Array;
  /** For development: a fixed secret that everybody knows. Binds loopback addresses only. */
  readonly insecure?: boolean;
  /**
   * The addresses that tokens name for this server, up to 8: what clients see behind NAT, a load
   * balancer or a container. Default: the bound address, or those of all interfaces. Port 0 means the
   * bound port.
   */
  readonly publicAddresses?: readonly string[];
  /**
   * Ticks per second, 1 to 1000. From 30 on everything happens on the tick: datagrams are taken at its
   * start, what handlers send goes out at its end. Default: no ticks, datagrams are served as they come.
   */
  readonly tickRate?: number;
  /** Slots, 1 to 65,536. Default 4,096. Memory is taken for all of them at once. */
  readonly maxPeers?: number;
  /**
   * Bytes of blocks that have come in part, of all peers together, 16,777,216 to 2^40. Default
   * 268,435,456. Beyond it the peer with most of them is closed with the reason `resources`.
   */
  readonly assemblyBytes?: number;
  /**
   * Share the port with other servers that ask for it too (SO_REUSEPORT): in worker threads or in
   * processes of the same user, one for each core. Each has its own peers: Linux gives a client's
   * address and port always to the same server, as long as no server of the port comes or goes; then
   * clients may be given to others, where they are strangers, and time out. So open all of them before
   * clients come. A token is used up at the server that saw it, and not at its neighbours: keep
   * lifetimes short. The native engine's alone; elsewhere than on Linux one server gets everything.
   * Default false.
   */
  readonly reusePort?: boolean;
  /** Closes the server when it aborts. */
  readonly signal?: AbortSignal;
}

/** Options of `server.broadcast`. */
export interface BroadcastOptions<P extends Protocol = Protocol>
  extends Omit<SendOptions, "receipt"> {
  /** A peer of this server to leave out. */
  readonly except?: Peer<P>;
}

/** Options of `server.close`. */
export interface ServerCloseOptions {
  /** Told to the peers, at most 120 bytes of UTF-8. */
  readonly reason?: string;
  /** First send every peer what is queued for it and wait until it is acked or expired. */
  readonly drain?: boolean;
  /** How long to wait for peers, in ms, 0 to 60,000. Default 5,000 with `drain`, else 1,000. */
  readonly timeout?: number;
}
