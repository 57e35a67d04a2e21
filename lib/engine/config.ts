// config: everything that a host is told when it opens, and the words in which it is told.
//
// Owns the layout of the configuration. Never checks what a user may ask for (lib does, with errors
// for people); it only reads.

import { Address } from "./address.js";
import { CHANNELS_MAX, SUITES_ALWAYS } from "./limits.js";
import { POLICY_WORDS, Policy, policyRead } from "./policy.js";

export const ROLE_SERVER = 0;
export const ROLE_CLIENT = 1;

// --- words of the configuration ---
export const CONFIG_ROLE = 0;
/** 1: bare NETCODE payloads, no acks and no channels. */
export const CONFIG_RAW = 1;
export const CONFIG_PROTOCOL_LOW = 2;
export const CONFIG_PROTOCOL_HIGH = 3;
export const CONFIG_PEERS_MAX = 4;
export const CONFIG_CHANNELS = 5;
export const CONFIG_PAYLOAD_BYTES_MAX = 6;
/** Bytes per second toward one peer. */
export const CONFIG_RATE = 7;
/** Bytes of messages that may wait for one peer. */
export const CONFIG_QUEUE_BYTES_MAX = 8;
/** Messages that may wait for one peer. */
export const CONFIG_QUEUE_MESSAGES_MAX = 9;
export const CONFIG_CHUNKS = 10;
export const CONFIG_MESSAGES = 11;
export const CONFIG_CARRIEDS = 12;
export const CONFIG_PENDING_MAX = 13;
export const CONFIG_TOKENS_MAX = 14;
export const CONFIG_NAME_HASH = 15;
/** Addresses at which a server is reached: count, then CONFIG_ADDRESS_WORDS words each. */
export const CONFIG_ADDRESSES = 16;
export const CONFIG_ADDRESSES_MAX = 8;
export const CONFIG_ADDRESS_WORDS = 6;
/** Which congestion control: 0 none, 1 delay, 2 binary. */
export const CONFIG_CONGESTION = 66;
/** Packets per second that this side takes, told in its hello; 0 for any number. */
export const CONFIG_PACKET_RATE_MAX = 67;
/** Bytes per second that this side takes, told in its hello; 0 for any number. */
export const CONFIG_BYTE_RATE_MAX = 68;
/** Suites that this side can seal under, told in its hello: SUITES_ALWAYS, SUITES_AES. */
export const CONFIG_SUITES = 69;
export const CONFIG_POLICIES = 72;
export const CONFIG_WORDS = CONFIG_POLICIES + CHANNELS_MAX * POLICY_WORDS;

/**
 * Injected randomness: challenge key 32 B, first pre-slot sequence 8 B, key of the tables 8 B, first
 * packet number 8 B, what key pairs are drawn from 32 B.
 */
export const ENTROPY_BYTES = 88;
export const ENTROPY_SEQUENCE = 32;
export const ENTROPY_HASH_KEY = 40;
export const ENTROPY_NUMBER = 48;
export const ENTROPY_KEYS = 56;

export class HostConfig {
  role = ROLE_SERVER;
  raw = false;
  protocolIdLo = 0;
  protocolIdHi = 0;
  peersMax = 0;
  channelCount = 0;
  payloadBytesMax = 0;
  rate = 0;
  queueBytesMax = 0;
  queueMessagesMax = 0;
  chunkCount = 0;
  messageCount = 0;
  carriedCount = 0;
  pendingMax = 0;
  tokensMax = 0;
  nameHash = 0;
  congestion = 0;
  packetRateMax = 0;
  byteRateMax = 0;
  suites = 0;
  addresses: Address[] = [];
  policies: Policy[] = [];
  /** Channels in the order in which they are served: by priority, then as declared. */
  channelOrder: number[] = [];
}

export function configRead(config: HostConfig, words: Uint32Array): void {
  config.role = words[CONFIG_ROLE];
  config.raw = words[CONFIG_RAW] !== 0;
  config.protocolIdLo = words[CONFIG_PROTOCOL_LOW];
  config.protocolIdHi = words[CONFIG_PROTOCOL_HIGH];
  config.peersMax = words[CONFIG_PEERS_MAX];
  config.channelCount = words[CONFIG_CHANNELS];
  config.payloadBytesMax = words[CONFIG_PAYLOAD_BYTES_MAX];
  config.rate = words[CONFIG_RATE];
  config.queueBytesMax = words[CONFIG_QUEUE_BYTES_MAX];
  config.queueMessagesMax = words[CONFIG_QUEUE_MESSAGES_MAX];
  config.chunkCount = words[CONFIG_CHUNKS];
  config.messageCount = words[CONFIG_MESSAGES];
  config.carriedCount = words[CONFIG_CARRIEDS];
  config.pendingMax = words[CONFIG_PENDING_MAX];
  config.tokensMax = words[CONFIG_TOKENS_MAX];
  config.nameHash = words[CONFIG_NAME_HASH];
  config.congestion = words[CONFIG_CONGESTION];
  config.packetRateMax = words[CONFIG_PACKET_RATE_MAX];
  config.byteRateMax = words[CONFIG_BYTE_RATE_MAX];
  config.suites = (words[CONFIG_SUITES] | SUITES_ALWAYS) >>> 0;
  for (let index = 0; index < words[CONFIG_ADDRESSES]; index++) {
    const start = CONFIG_ADDRESSES + 1 + index * CONFIG_ADDRESS_WORDS;
    const address = new Address();
    address.type = words[start];
    address.port = words[start + 1];
    address.a = words[start + 2];
    address.b = words[start + 3];
    address.c = words[start + 4];
    address.d = words[start + 5];
    config.addresses.push(address);
  }
  for (let channel = 0; channel < config.channelCount; channel++) {
    const policy = new Policy();
    policyRead(policy, words, CONFIG_POLICIES + channel * POLICY_WORDS);
    config.policies.push(policy);
    let place = channel;
    while (
      place > 0 &&
      config.policies[config.channelOrder[place - 1]].priority < policy.priority
    ) {
      config.channelOrder[place] = config.channelOrder[place - 1];
      place -= 1;
    }
    config.channelOrder[place] = channel;
  }
}
