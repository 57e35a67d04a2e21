/**
 * What a user asks for, as the words that an engine opens with.
 *
 * Owns: the defaults of sizes and rates, each with its reason, and the sizing of rings and pools.
 * Never does: check a delivery policy (strategy does), or open anything.
 */
import { networkInterfaces } from "node:os";
import { formatAddress, parseAddress } from "./address.js";
import { ADDRESS_IPV4, type Address } from "./engine/address.js";
import {
  CONFIG_ADDRESS_WORDS,
  CONFIG_ADDRESSES,
  CONFIG_ADDRESSES_MAX,
  CONFIG_BYTE_RATE_MAX,
  CONFIG_CARRIEDS,
  CONFIG_CHANNELS,
  CONFIG_CHUNKS,
  CONFIG_CONGESTION,
  CONFIG_MESSAGES,
  CONFIG_NAME_HASH,
  CONFIG_PACKET_RATE_MAX,
  CONFIG_PAYLOAD_BYTES_MAX,
  CONFIG_PEERS_MAX,
  CONFIG_PENDING_MAX,
  CONFIG_POLICIES,
  CONFIG_PROTOCOL_HIGH,
  CONFIG_PROTOCOL_LOW,
  CONFIG_QUEUE_BYTES_MAX,
  CONFIG_QUEUE_MESSAGES_MAX,
  CONFIG_RATE,
  CONFIG_RAW,
  CONFIG_ROLE,
  CONFIG_SUITES,
  CONFIG_TOKENS_MAX,
  CONFIG_WORDS,
} from "./engine/config.js";
import { CONGESTION_BINARY, CONGESTION_DELAY, CONGESTION_FIXED } from "./engine/congestion.js";
import {
  COMPLETION_RESERVE_BYTES,
  HELLO_ROOM_BYTES,
  PACING_RATE_MAX,
  PACING_RATE_MIN,
  PAYLOAD_BYTES_MAX,
  PAYLOAD_BYTES_MIN,
  PEERS_MAX,
  SUITES_AES,
  SUITES_ALWAYS,
} from "./engine/limits.js";
import { POLICY_WORDS } from "./engine/policy.js";
import { argumentError, checkInteger, checkOptions } from "./errors.js";
import { encodePolicy, POLICY_HASHED_WORDS } from "./policy.js";
import type { Protocol } from "./protocol.js";
import type { SocketAddress } from "./turn.js";

/** Peers of a server unless it says otherwise. */
export const PEERS_DEFAULT = 4096;
/** Bytes per second toward one peer where nothing else bounds: 10 Mbit/s, below a home link's. */
export const RATE_FIXED_DEFAULT = 1_250_000;
/** … and where congestion control finds what the path takes: 1 Gbit/s. */
export const RATE_DEFAULT = 125_000_000;
/** Bytes of messages that may wait for one peer: twice what a channel has on its way at most. */
export const QUEUE_BYTES_DEFAULT = 524_288;
/** Bytes of blocks that have come in part, of all peers of a server. */
export const ASSEMBLY_BYTES_DEFAULT = 268_435_456;
/** Messages that may wait for one peer: bounds what one end can report at once. */
export const QUEUE_MESSAGES_MAX = 1024;
/** Bytes asked of the kernel for a socket buffer: 3,000 full datagrams, a tick of 1,000 peers. */
export const SOCKET_BUFFER_BYTES = 4_194_304;

/** Options about memory and rates that server and client share. */
export interface LimitOptions {
  /**
   * How the rate toward a peer is found. `delay` (default): from queueing delay and loss, so that other
   * traffic on the path keeps its share (PROTOCOL R-58). `binary`: Glenn Fiedler's good and bad mode, 30
   * and 10 packets a second. `fixed`: `sendRate` alone.
   */
  readonly congestion?: CongestionMode;
  /**
   * Bytes per second toward one peer at most, 1,000 to 1,000,000,000. Default 125,000,000 (1 Gbit/s); with
   * `congestion: "fixed"` 1,250,000 (10 Mbit/s). What is over the rate waits in the queue; a newer
   * RealTime message takes the place of a waiting one.
   */
  readonly sendRate?: number;
  /**
   * Bytes of messages that may wait for one peer, 4,096 to 67,108,864. Default 524,288. `send`
   * answers false when a message doesn't fit. Blocks take half of it at most.
   */
  readonly queueBytes?: number;
  /**
   * What this end takes of the other, told at the beginning: a client on a thin link dictates
   * how it is served.
   */
  readonly receive?: ReceiveLimits;
}

/** Modes of congestion control. */
export type CongestionMode = "delay" | "binary" | "fixed";

/** What one end takes of the other. */
export interface ReceiveLimits {
  /** Longest payload, 200 to 1200 bytes. Default 1200. Longer messages come in smaller fragments. */
  readonly payloadBytes?: number;
  /** Packets per second, 1 to 65,535. Default: any number. */
  readonly packetsPerSecond?: number;
  /** Bytes per second, 1,000 to 1,000,000,000. Default: any number. */
  readonly bytesPerSecond?: number;
}

export interface Sizes {
  readonly config: Uint32Array;
  readonly submissionBytes: number;
  readonly completionBytes: number;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

function powerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

/** Rings and pools for so many peers: memory that is there from the start and never grows. */
function sizes(config: Uint32Array, peersMax: number, queueBytes: number): Sizes {
  config[CONFIG_CHUNKS] = clamp(peersMax * 16, 8192, 262_144);
  // A RealTime channel alone keeps up to 64 messages of a peer that falls silent (SEQUENCED_KEPT_MAX):
  // with less than that for each, one stall of the link takes the memory of everything Reliable.
  config[CONFIG_MESSAGES] = Math.min(8192 + peersMax * 96, 393_216);
  config[CONFIG_CARRIEDS] = Math.min(16_384 + peersMax * 256, 1_048_576);
  return {
    config,
    submissionBytes: powerOfTwo(clamp(2 * queueBytes, 262_144, 4_194_304)),
    completionBytes: powerOfTwo(clamp(peersMax * 2048, 16 * COMPLETION_RESERVE_BYTES, 8_388_608)),
  };
}

function base(role: number, raw: boolean, protocolId: bigint, peersMax: number): Uint32Array {
  const config = new Uint32Array(CONFIG_WORDS);
  config[CONFIG_ROLE] = role;
  config[CONFIG_RAW] = raw ? 1 : 0;
  config[CONFIG_PROTOCOL_LOW] = Number(protocolId & 0xffffffffn);
  config[CONFIG_PROTOCOL_HIGH] = Number(protocolId >> 32n);
  config[CONFIG_PEERS_MAX] = peersMax;
  config[CONFIG_PAYLOAD_BYTES_MAX] = PAYLOAD_BYTES_MAX;
  // The engine leaves out what the machine has no hardware for.
  config[CONFIG_SUITES] = SUITES_ALWAYS | SUITES_AES;
  config[CONFIG_QUEUE_MESSAGES_MAX] = QUEUE_MESSAGES_MAX;
  // One pending client per slot and some more: clients that were challenged and went away again.
  config[CONFIG_PENDING_MAX] = clamp(peersMax, 64, 4096);
  // A used token is remembered until it expires: several generations of clients.
  config[CONFIG_TOKENS_MAX] = clamp(peersMax * 4, 1024, 262_144);
  return config;
}

const CONGESTION: Record<CongestionMode, number> = {
  fixed: CONGESTION_FIXED,
  delay: CONGESTION_DELAY,
  binary: CONGESTION_BINARY,
};

function limits(config: Uint32Array, options: LimitOptions): number {
  const { congestion = "delay", queueBytes = QUEUE_BYTES_DEFAULT } = options;
  if (!Object.hasOwn(CONGESTION, congestion)) {
    throw argumentError("congestion", congestion, '"delay", "binary" or "fixed"');
  }
  const { sendRate = congestion === "fixed" ? RATE_FIXED_DEFAULT : RATE_DEFAULT } = options;
  config[CONFIG_CONGESTION] = CONGESTION[congestion];
  config[CONFIG_RATE] = checkInteger("sendRate", sendRate, PACING_RATE_MIN, PACING_RATE_MAX, "B/s");
  config[CONFIG_QUEUE_BYTES_MAX] = checkInteger(
    "queueBytes",
    queueBytes,
    4096,
    67_108_864,
    "bytes",
  );
  return queueBytes;
}

function receiveLimits(config: Uint32Array, receive: ReceiveLimits = {}): void {
  const { payloadBytes = PAYLOAD_BYTES_MAX, packetsPerSecond, bytesPerSecond } = receive;
  // The hello names every channel in one payload.
  const least = Math.max(PAYLOAD_BYTES_MIN, HELLO_ROOM_BYTES + 4 * config[CONFIG_CHANNELS]);
  config[CONFIG_PAYLOAD_BYTES_MAX] = checkInteger(
    "receive.payloadBytes",
    payloadBytes,
    least,
    PAYLOAD_BYTES_MAX,
    "bytes",
  );
  if (packetsPerSecond !== undefined) {
    const name = "receive.packetsPerSecond";
    config[CONFIG_PACKET_RATE_MAX] = checkInteger(name, packetsPerSecond, 1, 65_535, "packets/s");
  }
  if (bytesPerSecond !== undefined) {
    const name = "receive.bytesPerSecond";
    const [least, most] = [PACING_RATE_MIN, PACING_RATE_MAX];
    config[CONFIG_BYTE_RATE_MAX] = checkInteger(name, bytesPerSecond, least, most, "B/s");
  }
}

/** The configuration of a host that speaks a protocol's channels. */
export function configureProtocol(
  role: number,
  protocol: Protocol,
  peersMax: number,
  options: LimitOptions,
): Sizes {
  const config = base(role, false, protocol.id, checkInteger("maxPeers", peersMax, 1, PEERS_MAX));
  const names = protocol.channelNames;
  config[CONFIG_CHANNELS] = names.length;
  config[CONFIG_NAME_HASH] = protocol.nameHash;
  for (const [index, name] of names.entries()) {
    const policy = protocol.channels[name] as Protocol["channels"][string];
    const start = CONFIG_POLICIES + index * POLICY_WORDS;
    const words = encodePolicy(policy);
    config.set(words.subarray(0, POLICY_HASHED_WORDS), start);
    config[start + 8] = protocol.channelHash(index);
    config[start + 9] = words[8];
  }
  receiveLimits(config, checkOptions(options.receive ?? {}));
  return sizes(config, peersMax, limits(config, options));
}

/** Words of the one channel of a bare NETCODE host: a queue of payloads, nothing more. */
const RAW_POLICY = [0, 0, 0, 0, 0xffffffff, 1, PAYLOAD_BYTES_MAX, 0];

/** The configuration of a host that carries bare NETCODE payloads. */
export function configureRaw(
  role: number,
  protocolId: bigint,
  peersMax: number,
  options: LimitOptions,
): Sizes {
  const config = base(role, true, protocolId, checkInteger("maxClients", peersMax, 1, PEERS_MAX));
  config[CONFIG_CHANNELS] = 1;
  config.set(RAW_POLICY, CONFIG_POLICIES);
  // Bare payloads are never acked: nothing tells what the path takes.
  return sizes(config, peersMax, limits(config, { ...options, congestion: "fixed" }));
}

// --- addresses ---

export function socketAddress(address: Readonly<Address>): SocketAddress {
  const { type, port, a, b, c, d } = address;
  return { type, port, words: [a, b, c, d] };
}

function isWildcard(address: Readonly<Address>): boolean {
  return (address.a | address.b | address.c | address.d) === 0;
}

/** 127.0.0.0/8 and ::1: what only this machine can reach. */
export function isLoopback(address: Readonly<Address>): boolean {
  if (address.type === ADDRESS_IPV4) return address.a >>> 24 === 127;
  return (address.a | address.b | address.c) === 0 && address.d === 1;
}

function interfaceAddresses(bind: Readonly<Address>): Address[] {
  const family = bind.type === ADDRESS_IPV4 ? "IPv4" : "IPv6";
  const found: Address[] = [];
  for (const entries of Object.values(networkInterfaces())) {
    for (const { address, family: its, scopeid } of entries ?? []) {
      if (its !== family || (scopeid !== undefined && scopeid !== 0)) continue;
      const text = its === "IPv4" ? address : `[${address}]`;
      found.push(parseAddress(`${text}:${bind.port}`));
    }
  }
  return found;
}

/**
 * The addresses that tokens may name for this server: those given, else the bound one, else (bound
 * to all interfaces) those of the interfaces.
 */
export function ownAddresses(bind: Readonly<Address>, given: readonly string[]): Address[] {
  if (!Array.isArray(given) || given.length > CONFIG_ADDRESSES_MAX) {
    const allowed = `an array of up to ${CONFIG_ADDRESSES_MAX} addresses`;
    throw argumentError("publicAddresses", given, allowed);
  }
  if (given.length > 0) return given.map((address: string) => parseAddress(address));
  if (!isWildcard(bind)) return [bind as Address];
  return interfaceAddresses(bind).slice(0, CONFIG_ADDRESSES_MAX);
}

/** Puts a server's own addresses into its configuration; port 0 takes the bound port. */
export function configureAddresses(config: Uint32Array, addresses: readonly Address[]): void {
  config[CONFIG_ADDRESSES] = addresses.length;
  for (const [index, { type, port, a, b, c, d }] of addresses.entries()) {
    config.set([type, port, a, b, c, d], CONFIG_ADDRESSES + 1 + index * CONFIG_ADDRESS_WORDS);
  }
}

/** An address in text with the port that the system gave. */
export function boundText(bound: SocketAddress): string {
  const [a, b, c, d] = bound.words;
  return formatAddress({ type: bound.type, port: bound.port, a, b, c, d });
}
