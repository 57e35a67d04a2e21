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
  CONFIG_CARRIEDS,
  CONFIG_CHANNELS,
  CONFIG_CHUNKS,
  CONFIG_MESSAGES,
  CONFIG_NAME_HASH,
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
  CONFIG_TOKENS_MAX,
  CONFIG_WORDS,
} from "./engine/config.js";
import {
  COMPLETION_RESERVE_BYTES,
  PACING_RATE_MAX,
  PACING_RATE_MIN,
  PAYLOAD_BYTES_MAX,
  PEERS_MAX,
} from "./engine/limits.js";
import { POLICY_WORDS } from "./engine/policy.js";
import { argumentError, checkInteger } from "./errors.js";
import { encodePolicy } from "./policy.js";
import type { Protocol } from "./protocol.js";
import type { SocketAddress } from "./turn.js";

/** Peers of a server unless it says otherwise. */
export const PEERS_DEFAULT = 4096;
/** Bytes per second toward one peer: 10 Mbit/s, far above a game's stream, below a home link's. */
export const RATE_DEFAULT = 1_250_000;
/** Bytes of messages that may wait for one peer: a fifth of a second at the default rate. */
export const QUEUE_BYTES_DEFAULT = 262_144;
/** Messages that may wait for one peer: bounds what one end can report at once. */
export const QUEUE_MESSAGES_MAX = 1024;
/** Bytes asked of the kernel for a socket buffer: 3,000 full datagrams, a tick of 1,000 peers. */
export const SOCKET_BUFFER_BYTES = 4_194_304;

/** Options about memory and rates that server and client share. */
export interface LimitOptions {
  /**
   * Bytes per second toward one peer, 1,000 to 1,000,000,000. Default 1,250,000 (10 Mbit/s).
   * What is over it waits in the queue; a newer RealTime message takes the place of a waiting one.
   */
  readonly sendRate?: number;
  /**
   * Bytes of messages that may wait for one peer, 4,096 to 67,108,864. Default 262,144. `send`
   * answers false when a message doesn't fit.
   */
  readonly queueBytes?: number;
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
  // A RealTime channel alone keeps up to 32 messages of a peer that falls silent (SEQUENCED_KEPT_MAX):
  // with less than that for each, one stall of the link takes the memory of everything Reliable.
  config[CONFIG_MESSAGES] = Math.min(8192 + peersMax * 64, 262_144);
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
  config[CONFIG_QUEUE_MESSAGES_MAX] = QUEUE_MESSAGES_MAX;
  // One pending client per slot and some more: clients that were challenged and went away again.
  config[CONFIG_PENDING_MAX] = clamp(peersMax, 64, 4096);
  // A used token is remembered until it expires: several generations of clients.
  config[CONFIG_TOKENS_MAX] = clamp(peersMax * 4, 1024, 262_144);
  return config;
}

function limits(config: Uint32Array, options: LimitOptions): number {
  const { sendRate = RATE_DEFAULT, queueBytes = QUEUE_BYTES_DEFAULT } = options;
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
    config.set(encodePolicy(policy), start);
    config[start + 8] = protocol.channelHash(index);
  }
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
  return sizes(config, peersMax, limits(config, options));
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
