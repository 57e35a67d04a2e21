/*
 * profile: the worlds of the stateful targets: what the first bytes of an input choose. It mirrors
 * test/fuzz/profile.cc, table by table.
 */
import {
  CONFIG_ADDRESSES,
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
  ROLE_SERVER,
} from "../../lib/engine/config.js";
import {
  CHANNELS_MAX,
  COPIES_ADAPTIVE,
  MESSAGE_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
} from "../../lib/engine/limits.js";
import {
  EXPIRY_NEVER,
  EXPIRY_SUPERSEDED,
  ORDER_NONE,
  ORDER_ORDERED,
  ORDER_SEQUENCED,
  POLICY_WORDS,
  REPAIR_ACK,
  REPAIR_NACK,
  REPAIR_NONE,
  STRATEGY_CRITICAL,
} from "../../lib/engine/policy.js";
import type { Input } from "./targets.js";

export const PROTOCOL_LOW = 0x74667a7a;
export const PROTOCOL_HIGH = 0x6e657472;
export const START_SECONDS = 1_700_000_000;
const NAME_HASH = 0x66757a7a;
const HASH_BASE = 0x1000;
const LONG_MS = 10_000;
const BOTH = REPAIR_ACK | REPAIR_NACK;
/** Index of a policy's longest message among its words, and of its hash. */
const BYTES_WORD = 6;
const HASH_WORD = 8;
const SMALL_BYTES = 480;
/** Addresses are numbered from this port on. */
const PORT = 40_000;

export interface Profile {
  readonly raw: boolean;
  readonly tight: boolean;
  readonly slow: boolean;
  readonly small: boolean;
  readonly ipv6: boolean;
  readonly startUs: number;
  readonly channels: number;
}

const USUAL = [
  [ORDER_SEQUENCED, REPAIR_NONE, 1, 0, EXPIRY_SUPERSEDED, 128, MESSAGE_BYTES_MAX, 1],
  [ORDER_SEQUENCED, REPAIR_NONE, 2, 1, EXPIRY_SUPERSEDED, 128, 300, 1],
  [ORDER_ORDERED, REPAIR_NACK, 0, 0, 200, 128, 300, 2],
  [ORDER_ORDERED, BOTH, 1, 0, LONG_MS, 64, MESSAGE_BYTES_MAX, 3],
  [ORDER_ORDERED, BOTH, 1, 0, EXPIRY_NEVER, 64, MESSAGE_BYTES_MAX, STRATEGY_CRITICAL],
  [ORDER_NONE, BOTH, 1, 0, LONG_MS, 64, 300, 3],
];

const EDGES = [
  [ORDER_SEQUENCED, REPAIR_NONE, 7, 1, EXPIRY_SUPERSEDED, 255, 60, 1],
  [ORDER_ORDERED, REPAIR_NACK, COPIES_ADAPTIVE, 1, 30, 1, MESSAGE_BYTES_MAX, 2],
  [ORDER_ORDERED, REPAIR_ACK, COPIES_ADAPTIVE, 1, 200, 64, MESSAGE_BYTES_MAX, 3],
  [ORDER_ORDERED, REPAIR_ACK, 1, 0, 1500, 64, 300, STRATEGY_CRITICAL],
  [ORDER_NONE, REPAIR_ACK, 0, 0, 60, 1, MESSAGE_BYTES_MAX, 3],
  [ORDER_SEQUENCED, REPAIR_NONE, 0, 0, EXPIRY_SUPERSEDED, 1, 40, 1],
];

const ORDERED = [ORDER_ORDERED, BOTH, 0, 0, EXPIRY_NEVER, 64, MESSAGE_BYTES_MAX, 3];
const RAW = [ORDER_NONE, REPAIR_NONE, 0, 0, EXPIRY_NEVER, 1, PAYLOAD_BYTES_MAX, 0];

function channelCount(profile: Profile): number {
  return profile.raw ? 1 : [6, 6, 1, CHANNELS_MAX][profile.channels];
}

function shapeOf(profile: Profile, channel: number): readonly number[] {
  if (profile.raw) return RAW;
  const half = Math.trunc(channel / 2) % 6;
  const shapes = [USUAL[channel], EDGES[channel], ORDERED, [USUAL, EDGES][channel % 2][half]];
  return shapes[profile.channels];
}

export function profileTake(input: Input): Profile {
  const first = input.take8();
  const second = input.take8();
  return {
    raw: (first & 7) === 7,
    tight: (first & 8) !== 0,
    slow: (first & 16) !== 0,
    small: (first & 32) !== 0,
    startUs: [0, 1_000_000, 2 ** 40, 2 ** 51][first >> 6],
    channels: second & 3,
    ipv6: (second & 4) !== 0,
  };
}

/** The addresses of a world: 0 is the server's, the others are its peers'. */
export function addressOf(profile: Profile, index: number): Uint32Array {
  return profile.ipv6
    ? Uint32Array.of(2, PORT + index, 0xfd000000, 0, 0, 1 + index)
    : Uint32Array.of(1, PORT + index, 0x0a000001 + index, 0, 0, 0);
}

export function indexOf(address: Uint32Array): number {
  return address[1] - PORT;
}

/** The words that a host of this profile is opened with. */
export function machineConfig(profile: Profile, role: number, peersMax: number): Uint32Array {
  const { tight } = profile;
  const words = new Uint32Array(CONFIG_WORDS);
  words[CONFIG_ROLE] = role;
  words[CONFIG_RAW] = profile.raw ? 1 : 0;
  words[CONFIG_PROTOCOL_LOW] = PROTOCOL_LOW;
  words[CONFIG_PROTOCOL_HIGH] = PROTOCOL_HIGH;
  words[CONFIG_PEERS_MAX] = peersMax;
  words[CONFIG_CHANNELS] = channelCount(profile);
  words[CONFIG_PAYLOAD_BYTES_MAX] = profile.small ? 600 : PAYLOAD_BYTES_MAX;
  words[CONFIG_RATE] = profile.slow ? 20_000 : 1_250_000;
  words[CONFIG_QUEUE_BYTES_MAX] = tight ? 4096 : 32_768;
  words[CONFIG_QUEUE_MESSAGES_MAX] = tight ? 32 : 256;
  words[CONFIG_CHUNKS] = tight ? 120 : 160;
  words[CONFIG_MESSAGES] = tight ? 100 : 160;
  words[CONFIG_CARRIEDS] = tight ? 64 : 256;
  words[CONFIG_PENDING_MAX] = 2;
  words[CONFIG_TOKENS_MAX] = 4;
  words[CONFIG_NAME_HASH] = NAME_HASH;
  if (role === ROLE_SERVER) {
    words[CONFIG_ADDRESSES] = 1;
    words.set(addressOf(profile, 0), CONFIG_ADDRESSES + 1);
  }
  for (let channel = 0; channel < words[CONFIG_CHANNELS]; channel++) {
    const start = CONFIG_POLICIES + channel * POLICY_WORDS;
    words.set(shapeOf(profile, channel), start);
    if (profile.small) words[start + BYTES_WORD] = Math.min(words[start + BYTES_WORD], SMALL_BYTES);
    words[start + HASH_WORD] = HASH_BASE + channel;
  }
  return words;
}
