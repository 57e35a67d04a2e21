/**
 * The page of counters as objects for people.
 *
 * Owns: the names and units of statistics.
 * Never does: keep or reset a counter; the engine counts, this reads.
 */
import type { Driver } from "./driver.js";
import { REJECT_SEQUENCE_BYTES, REJECT_TYPE } from "./engine/packet.js";
import {
  CHANNEL_ACKED,
  CHANNEL_BYTES_RECEIVED,
  CHANNEL_BYTES_SENT,
  CHANNEL_COPIES,
  CHANNEL_DROPPED,
  CHANNEL_DUPLICATES,
  CHANNEL_EXPIRED,
  CHANNEL_FRAGMENTS_RECEIVED,
  CHANNEL_FRAGMENTS_SENT,
  CHANNEL_LATE,
  CHANNEL_LOST,
  CHANNEL_RECEIVED,
  CHANNEL_RESENT,
  CHANNEL_SENT,
  CHANNEL_SKIPPED,
  CHANNEL_SUPERSEDED,
  HOST_BYTES_IN,
  HOST_BYTES_OUT,
  HOST_CONNECTED,
  HOST_DATAGRAMS_IN,
  HOST_DATAGRAMS_OUT,
  HOST_DENIED,
  HOST_DISCONNECTED,
  HOST_MESSAGES_REFUSED,
  HOST_MISMATCHES,
  HOST_PENDING,
  HOST_REPLIES_DROPPED,
  PEER_ACKS_LATE,
  PEER_BYTES_RECEIVED,
  PEER_BYTES_SENT,
  PEER_CIPHER,
  PEER_COPY_BYTES,
  PEER_FLIGHT_BYTES,
  PEER_GAPS,
  PEER_IN_FLIGHT,
  PEER_JITTER_US,
  PEER_MOVES,
  PEER_PACKET_RATE,
  PEER_PACKETS_ACKED,
  PEER_PACKETS_LOST,
  PEER_PACKETS_RECEIVED,
  PEER_PACKETS_SENT,
  PEER_PAYLOAD_BYTES,
  PEER_QUEUE_DELAY_US,
  PEER_RATE,
  PEER_RESENT,
  PEER_RTT_MINIMUM_US,
  PEER_RTT_US,
  PEER_RTT_VARIANCE_US,
  PEER_WINDOW_BYTES,
  REJECT_ACK_UNSENT,
  REJECT_ADDRESS,
  REJECT_ADDRESS_CONNECTED,
  REJECT_BODY,
  REJECT_CHALLENGE,
  REJECT_CLIENT_CONNECTED,
  REJECT_EXPIRED,
  REJECT_FULL,
  REJECT_KEY,
  REJECT_MEMORY,
  REJECT_PAYLOAD,
  REJECT_PROTOCOL,
  REJECT_REPLAY,
  REJECT_RESOURCES,
  REJECT_SEAL,
  REJECT_SERVER,
  REJECT_SIZE,
  REJECT_STATE,
  REJECT_TOKEN,
  REJECT_TOKEN_USED,
  REJECT_VERSION,
  statsChannelWord,
  statsHostWord,
  statsPeerWord,
  statsRejectWord,
} from "./engine/stats.js";
import type { SlipBucket } from "./ticker.js";

const REJECTS = {
  /** Shorter than any packet, longer than any, or a request of another size than the standard's. */
  size: REJECT_SIZE,
  /** A packet type that doesn't exist or that this side never accepts. */
  type: REJECT_TYPE,
  /** A sequence of no or more than eight bytes. */
  sequenceBytes: REJECT_SEQUENCE_BYTES,
  /** From an address that has no connection and no pending request. */
  address: REJECT_ADDRESS,
  /** A packet number that was seen or is too old. */
  replay: REJECT_REPLAY,
  /** The seal didn't open: forged, damaged, or sealed with another key. */
  seal: REJECT_SEAL,
  /** A body of a size that its type doesn't have. */
  body: REJECT_BODY,
  /** A request of another version of NETCODE. */
  version: REJECT_VERSION,
  /** A request for another protocol. */
  protocol: REJECT_PROTOCOL,
  /** A request whose token has expired. */
  expired: REJECT_EXPIRED,
  /** A request whose token doesn't open with our secret. */
  token: REJECT_TOKEN,
  /** A token for other servers. */
  server: REJECT_SERVER,
  /** A request or response from an address that is connected. */
  addressConnected: REJECT_ADDRESS_CONNECTED,
  /** A request of a client that is connected. */
  clientConnected: REJECT_CLIENT_CONNECTED,
  /** A token that was used before, or from another address. */
  tokenUsed: REJECT_TOKEN_USED,
  /** No room for another pending client or used token. */
  resources: REJECT_RESOURCES,
  /** No free slot: the client was told so. */
  full: REJECT_FULL,
  /** A response whose challenge isn't ours. */
  challenge: REJECT_CHALLENGE,
  /** An authentic payload that breaks the protocol; the peer was closed. */
  payload: REJECT_PAYLOAD,
  /** An authentic ack of a packet that was never sent; the peer was closed. */
  ackUnsent: REJECT_ACK_UNSENT,
  /** A packet that doesn't belong into the state of the connection. */
  state: REJECT_STATE,
  /** No memory to hold what came: the peer will send it again. */
  memory: REJECT_MEMORY,
  /** Sealed under keys that don't count for its number, such as the token's after the session's (PROTOCOL R-64). */
  key: REJECT_KEY,
} as const;

/** By the word of a peer's row: the token's, then the session's suites. */
const CIPHERS = ["token", "chacha20-poly1305", "aes-256-gcm"] as const;

/** Why a datagram was refused. */
export type RejectReason = keyof typeof REJECTS;

/** Counters of a channel, summed over all peers. */
export interface ChannelStats {
  /** Messages that were sent at least once. */
  readonly sent: number;
  /** Sent messages that a packet is known to have delivered. */
  readonly acked: number;
  /** Reliable messages that ran out of time. */
  readonly expired: number;
  /** RealTime messages that a newer one replaced before they were sent. */
  readonly superseded: number;
  /** RealTime messages all of whose packets were lost. */
  readonly lost: number;
  /** Messages refused for want of room, or given up at the end of a connection. */
  readonly dropped: number;
  /** Extra copies sent. */
  readonly copies: number;
  /** Messages sent again after a loss. */
  readonly resent: number;
  /** Messages delivered to this side. */
  readonly received: number;
  /** Fragments of messages and blocks that were sent at least once, and delivered to this side. */
  readonly fragmentsSent: number;
  readonly fragmentsReceived: number;
  /** Messages that came again and were dropped. */
  readonly duplicates: number;
  /** RealTime messages that came after a newer one and were dropped. */
  readonly late: number;
  /** Messages that the sender gave up and this side stopped waiting for. */
  readonly skipped: number;
  /** Messages that came and were none of the channel's schema. */
  readonly rejected: number;
  /** Payload bytes sent, copies included. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** What is known about the link to a peer. */
export interface PeerStats {
  /** Smoothed round-trip time in ms, the peer's ack delay taken off (RFC 6298); 0 before a sample. */
  readonly rttMs: number;
  readonly rttVarianceMs: number;
  /** Lowest round-trip time of the last 10 to 20 s, in ms. */
  readonly rttMinimumMs: number;
  /** Mean difference of consecutive round-trip times, in ms (RFC 3550). */
  readonly jitterMs: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly packetsAcked: number;
  /** Sent packets with the verdict "lost"; some of them may be acked late. */
  readonly packetsLost: number;
  readonly packetsAckedLate: number;
  /**
   * Packets of the peer that didn't arrive, as far as gaps in their numbers show. A number in 289 is left out on
   * purpose, which can't be told from a loss: 0.35 % of `lossIn` is none.
   */
  readonly packetsMissed: number;
  /** Sent packets that have no verdict yet. */
  readonly packetsInFlight: number;
  /** Share of sent packets that were lost, 0 to 1; late acks are no losses. */
  readonly lossOut: number;
  /** Share of the peer's packets that didn't arrive, 0 to 1. */
  readonly lossIn: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Payload bytes of extra copies. */
  readonly copyBytes: number;
  readonly messagesResent: number;
  /** Bytes of messages that wait or are unacked. */
  readonly queueBytes: number;
  /** The same as time at the current send rate, in ms. */
  readonly queueMs: number;
  /** Bytes per second that may be sent: what congestion control, `sendRate` and the peer leave. */
  readonly sendRate: number;
  /** Packets per second that may be sent; 0 for any number. */
  readonly packetRate: number;
  /** Bytes that may be on their way unacked, and that are (PROTOCOL R-58). */
  readonly windowBytes: number;
  readonly flightBytes: number;
  /** Queueing delay of the last round trip in which at least half the window was used, in ms. */
  readonly queueDelayMs: number;
  /** The longest payload that both ends take, in bytes. */
  readonly payloadBytes: number;
  /**
   * What packets to the peer are sealed under: the token's keys (ChaCha20-Poly1305) until both have said hello,
   * then keys of the session's own, with the cipher that both have the hardware for (PROTOCOL R-61).
   */
  readonly cipher: "token" | "chacha20-poly1305" | "aes-256-gcm";
  /**
   * How often the way to the peer became another: a server's client proved a new address, or a client was
   * asked for such a proof (PROTOCOL R-70).
   */
  readonly moves: number;
}

/** Refusals of the system, by kind. */
export interface SystemFaults {
  /** Sends that found the kernel's buffer full; they went out a moment later. */
  readonly blocked: number;
  /** Datagrams that this machine dropped for want of memory. */
  readonly dropped: number;
  /** Datagrams that the kernel found too large for the path. */
  readonly tooLarge: number;
  /** Datagrams without a route, or refused by a firewall; a warning a second says so. */
  readonly unreachable: number;
  /** Errors that ICMP messages caused. Anybody can forge those: nothing is done about them. */
  readonly refused: number;
}

/** Counters of a host: a server, or a client's own end. */
export interface HostStats {
  readonly engine: "native" | "js";
  /** Where the I/O is done: on the JavaScript thread, or on one of the engine's own. */
  readonly io: "inline" | "thread";
  /** Peers that have a slot. */
  readonly peers: number;
  readonly connected: number;
  readonly disconnected: number;
  /** Clients told that the server is full. */
  readonly denied: number;
  /** Requests that were answered with a challenge. */
  readonly challenged: number;
  /** Peers refused because they define the protocol differently. */
  readonly mismatched: number;
  /** Challenges and refusals dropped because too many waited. */
  readonly repliesDropped: number;
  /** Messages to peers that were gone when the engine got to them. */
  readonly messagesRefused: number;
  readonly datagramsIn: number;
  readonly datagramsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Datagrams per system call, each way. */
  readonly datagramsPerSyscall: { readonly in: number; readonly out: number };
  /** Datagrams that the kernel dropped because its buffer was full, as far as it tells. */
  readonly kernelDrops: number;
  /** What the system refused. None of it ends a connection. */
  readonly faults: SystemFaults;
  /** Datagrams refused, by reason. */
  readonly rejected: Readonly<Record<RejectReason, number>>;
}

/** Reads a pair of words. */
function pair(page: Uint32Array, word: number): number {
  return page[word + 1] * 2 ** 32 + page[word];
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

export function readChannelStats(driver: Driver, channel: number): ChannelStats {
  const { page, assembled, rejected } = driver;
  const read = (counter: number): number => pair(page, statsChannelWord(channel, counter));
  return {
    sent: read(CHANNEL_SENT),
    acked: read(CHANNEL_ACKED),
    expired: read(CHANNEL_EXPIRED),
    superseded: read(CHANNEL_SUPERSEDED),
    lost: read(CHANNEL_LOST),
    dropped: read(CHANNEL_DROPPED),
    copies: read(CHANNEL_COPIES),
    resent: read(CHANNEL_RESENT),
    received: read(CHANNEL_RECEIVED) + (assembled[channel] ?? 0),
    fragmentsSent: read(CHANNEL_FRAGMENTS_SENT),
    fragmentsReceived: read(CHANNEL_FRAGMENTS_RECEIVED),
    duplicates: read(CHANNEL_DUPLICATES),
    late: read(CHANNEL_LATE),
    skipped: read(CHANNEL_SKIPPED),
    rejected: rejected[channel] ?? 0,
    bytesSent: read(CHANNEL_BYTES_SENT),
    bytesReceived: read(CHANNEL_BYTES_RECEIVED),
  };
}

export function readPeerStats(page: Uint32Array, slot: number, queueBytes: number): PeerStats {
  const row = statsPeerWord(slot);
  const read = (field: number): number => page[row + field];
  const lost = read(PEER_PACKETS_LOST) - read(PEER_ACKS_LATE);
  const arrived = read(PEER_PACKETS_RECEIVED);
  const sendRate = read(PEER_RATE);
  return {
    rttMs: read(PEER_RTT_US) / 1000,
    rttVarianceMs: read(PEER_RTT_VARIANCE_US) / 1000,
    rttMinimumMs: read(PEER_RTT_MINIMUM_US) / 1000,
    jitterMs: read(PEER_JITTER_US) / 1000,
    packetsSent: read(PEER_PACKETS_SENT),
    packetsReceived: arrived,
    packetsAcked: read(PEER_PACKETS_ACKED),
    packetsLost: read(PEER_PACKETS_LOST),
    packetsAckedLate: read(PEER_ACKS_LATE),
    packetsMissed: read(PEER_GAPS),
    packetsInFlight: read(PEER_IN_FLIGHT),
    lossOut: ratio(lost, read(PEER_PACKETS_ACKED) + read(PEER_PACKETS_LOST)),
    lossIn: ratio(read(PEER_GAPS), arrived + read(PEER_GAPS)),
    bytesSent: pair(page, row + PEER_BYTES_SENT),
    bytesReceived: pair(page, row + PEER_BYTES_RECEIVED),
    copyBytes: pair(page, row + PEER_COPY_BYTES),
    messagesResent: read(PEER_RESENT),
    queueBytes,
    queueMs: sendRate === 0 ? 0 : (queueBytes * 1000) / sendRate,
    sendRate,
    packetRate: read(PEER_PACKET_RATE),
    windowBytes: read(PEER_WINDOW_BYTES),
    flightBytes: read(PEER_FLIGHT_BYTES),
    queueDelayMs: read(PEER_QUEUE_DELAY_US) / 1000,
    payloadBytes: read(PEER_PAYLOAD_BYTES),
    cipher: CIPHERS[read(PEER_CIPHER)],
    moves: read(PEER_MOVES),
  };
}

export function readHostStats(driver: Driver): HostStats {
  const { page, engine } = driver;
  const read = (counter: number): number => pair(page, statsHostWord(counter));
  const socket = engine.socketStats();
  const rejected = {} as Record<RejectReason, number>;
  for (const [name, reason] of Object.entries(REJECTS)) {
    rejected[name as RejectReason] = pair(page, statsRejectWord(reason));
  }
  // What is longer than any packet never comes as far as the engine.
  rejected.size += socket.truncated;
  return {
    engine: engine.name,
    io: engine.io,
    peers: driver.peers,
    connected: read(HOST_CONNECTED),
    disconnected: read(HOST_DISCONNECTED),
    denied: read(HOST_DENIED),
    challenged: read(HOST_PENDING),
    mismatched: read(HOST_MISMATCHES),
    repliesDropped: read(HOST_REPLIES_DROPPED),
    messagesRefused: read(HOST_MESSAGES_REFUSED),
    datagramsIn: read(HOST_DATAGRAMS_IN),
    datagramsOut: read(HOST_DATAGRAMS_OUT),
    bytesIn: read(HOST_BYTES_IN),
    bytesOut: read(HOST_BYTES_OUT),
    datagramsPerSyscall: {
      in: ratio(socket.datagramsReceived, socket.receiveCalls),
      out: ratio(socket.datagramsSent, socket.sendCalls),
    },
    kernelDrops: socket.kernelDrops,
    faults: {
      blocked: socket.blocked,
      dropped: socket.localLoss,
      tooLarge: socket.tooLarge,
      unreachable: socket.unreachable,
      refused: socket.refused,
    },
    rejected,
  };
}

/** How a server's ticks ran. */
export interface TickStats {
  /** Ticks that ran. */
  readonly ticks: number;
  /** Ticks that never ran: they lay more than 250 ms back when the process got to them. */
  readonly ticksSkipped: number;
  /** How late ticks began, in µs: half of them no later than this. */
  readonly tickSlipP50Us: number;
  readonly tickSlipP99Us: number;
  readonly tickSlipMaxUs: number;
  /** The same in buckets: ticks up to 16 µs late, 32 µs and so on to 0.52 s, and later. */
  readonly tickSlipHistogram: readonly SlipBucket[];
  /**
   * Mean time of a tick that the JavaScript thread spent in the engine, in µs: all of the I/O inline,
   * the calls that show and flush messages with an I/O thread.
   */
  readonly transportUsPerTick: number;
  readonly transportUsPerTickP99: number;
}

export function readTickStats(driver: Driver, ticks: number): TickStats {
  const { schedule } = driver;
  const transportUs = driver.transportUs.whole;
  const measured = schedule !== null && schedule.slip.count > 0;
  return {
    ticks,
    ticksSkipped: schedule?.skippedTicks ?? 0,
    tickSlipP50Us: measured ? schedule.slip.percentile(50) : 0,
    tickSlipP99Us: measured ? schedule.slip.percentile(99) : 0,
    tickSlipMaxUs: measured ? schedule.slip.max : 0,
    tickSlipHistogram: schedule?.slipHistogram ?? [],
    // One wake-up may run several late ticks, or none: the sum counts, not their mean.
    transportUsPerTick:
      ticks > 0 && transportUs.count > 0 ? (transportUs.mean * transportUs.count) / ticks : 0,
    transportUsPerTickP99: transportUs.count > 0 ? transportUs.percentile(99) : 0,
  };
}
