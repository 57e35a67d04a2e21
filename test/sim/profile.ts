// profile: what kind of world a seed makes: the channels, the memory, the links, the times.
import {
  CONFIG_ADDRESS_WORDS,
  CONFIG_ADDRESSES,
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
  CONFIG_TOKENS_MAX,
  CONFIG_WORDS,
  ROLE_CLIENT,
  ROLE_SERVER,
} from "../../lib/engine/config.js";
import { CONGESTION_BINARY } from "../../lib/engine/congestion.js";
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
import type { Random } from "../../lib/sim/random.js";
import { ADDRESS_WORDS } from "../hosts.js";
import type { FaultSet } from "./faults.js";

/** What a channel promises of order: see ledger. */
export type ChannelPromise = "sequenced" | "ordered" | "unordered" | "timely" | "raw";

export interface ChannelShape {
  readonly words: readonly number[];
  readonly promise: ChannelPromise;
  readonly bytesMax: number;
  /** 0 where the channel takes no blocks. */
  readonly blockBytesMax?: number;
}

export interface Profile {
  readonly raw: boolean;
  readonly channels: readonly ChannelShape[];
  readonly protocolIdLo: number;
  readonly protocolIdHi: number;
  readonly clients: number;
  readonly peersMax: number;
  readonly rate: number;
  readonly payloadBytesMax: number;
  /** 0 none, 1 by delay, 2 binary. */
  readonly congestion: number;
  /** Packets and bytes a second that clients take; 0 for any number. */
  readonly packetRateMax: number;
  readonly byteRateMax: number;
  readonly queueBytesMax: number;
  readonly queueMessagesMax: number;
  readonly chunks: number;
  readonly messages: number;
  readonly carrieds: number;
  readonly pendingMax: number;
  readonly tokensMax: number;
  readonly submissionCapacity: number;
  readonly completionCapacity: number;
  readonly startUs: number;
  readonly startSeconds: number;
  readonly ipv6: boolean;
  /** Messages that one turn of a user sends at most. */
  readonly sendsMax: number;
  /** Percent of turns after which a user reads its ring. */
  readonly drainPercent: number;
  /** One client speaks another protocol, under the same id. */
  readonly stranger: boolean;
  /** Some that have the keys break the rules. */
  readonly insiders: boolean;
  /** What each node's clock shows when the world begins, more than the world's (µs). */
  readonly clocksUs: readonly number[];
}

function pick<T>(random: Random, ...choices: readonly T[]): T {
  return choices[random.below(choices.length)];
}

/** A message of two fragments in a full payload, of four in a small one. */
const LONG_BYTES = 1900;

const STRATEGY_REAL_TIME = 1;
const STRATEGY_TIME_SENSITIVE = 2;
const STRATEGY_RELIABLE = 3;

function realTimeWords(random: Random, bytesMax: number): number[] {
  const copies = pick(random, 0, 1, 1, 3, 7);
  const forced = copies > 1 ? 1 : 0;
  const priority = pick(random, 1, 128, 128, 255);
  const words = [ORDER_SEQUENCED, REPAIR_NONE, copies, forced, EXPIRY_SUPERSEDED, priority];
  return [...words, bytesMax, STRATEGY_REAL_TIME];
}

function reliableWords(random: Random, order: number, bytesMax: number): number[] {
  const copies = pick(random, 0, 1, 1, 7, COPIES_ADAPTIVE);
  const forced = copies > 1 ? 1 : 0;
  const expiryMs = pick(random, 60, 200, 200, 1500, 10_000, EXPIRY_NEVER);
  const repair = pick(random, REPAIR_ACK, REPAIR_ACK | REPAIR_NACK, REPAIR_ACK | REPAIR_NACK);
  const words = [order, repair, copies, forced, expiryMs, pick(random, 1, 64, 64, 128)];
  return [...words, bytesMax, random.chance(20) ? STRATEGY_CRITICAL : STRATEGY_RELIABLE];
}

function timeSensitiveWords(random: Random, bytesMax: number): number[] {
  const copies = pick(random, 0, 0, 1, 7, COPIES_ADAPTIVE);
  const forced = copies > 1 ? 1 : 0;
  const expiryMs = pick(random, 0, 30, 200, 200, 1500);
  const words = [ORDER_ORDERED, REPAIR_NACK, copies, forced, expiryMs, pick(random, 1, 128)];
  return [...words, bytesMax, STRATEGY_TIME_SENSITIVE];
}

function channelShape(random: Random, bytesLimit: number, bulk: boolean): ChannelShape {
  const bytesMax = Math.min(
    pick(random, 40, 300, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX, LONG_BYTES, LONG_BYTES),
    bytesLimit,
  );
  if (random.chance(bulk ? 10 : 35)) {
    return { words: realTimeWords(random, bytesMax), promise: "sequenced", bytesMax };
  }
  if (random.chance(20)) {
    return { words: timeSensitiveWords(random, bytesMax), promise: "timely", bytesMax };
  }
  const ordered = random.chance(75);
  const words = reliableWords(random, ordered ? ORDER_ORDERED : ORDER_NONE, bytesMax);
  return { words, promise: ordered ? "ordered" : "unordered", bytesMax };
}

/** The longest block of a world, and for how many seconds one may take the rate. */
const BLOCK_BYTES = [2000, 60_000, 300_000, 300_000];
const BLOCK_SECONDS = 4;

/** The channels, of which those that may take blocks do; and there is one at least on which a block lasts. */
function blockShapes(
  random: Random,
  shapes: readonly ChannelShape[],
  rate: number,
): readonly ChannelShape[] {
  const blockBytesMax = Math.min(pick(random, ...BLOCK_BYTES), BLOCK_SECONDS * rate);
  const repair = REPAIR_ACK | REPAIR_NACK;
  const lasting: ChannelShape = {
    words: [ORDER_ORDERED, repair, 1, 0, EXPIRY_NEVER, 64, LONG_BYTES, STRATEGY_RELIABLE],
    promise: "ordered",
    bytesMax: LONG_BYTES,
  };
  const all = shapes.length < CHANNELS_MAX ? [...shapes, lasting] : shapes;
  return all.map((shape) =>
    shape.promise === "ordered" && shape.words[1] === repair ? { ...shape, blockBytesMax } : shape,
  );
}

function rawShape(): ChannelShape {
  const words = [0, 0, 0, 0, EXPIRY_NEVER, 1, PAYLOAD_BYTES_MAX, 0];
  return { words, promise: "raw", bytesMax: PAYLOAD_BYTES_MAX };
}

/** The clients that a world may have. */
const CLIENTS_MAX = 5;

/** Draws a world; `clients` says how many, in place of the draw; `late` draws what blocks need. */
export function profileDraw(
  random: Random,
  late: Random,
  faults: FaultSet,
  clients?: number,
): Profile {
  const profile = plainDraw(random, faults, clients);
  if (profile.raw || !faults.has("blocks")) return profile;
  const { channels, rate, congestion, packetRateMax, byteRateMax } = profile;
  const slow = congestion === CONGESTION_BINARY || packetRateMax > 0 || byteRateMax > 0;
  return { ...profile, channels: blockShapes(late, channels, slow ? RATE_SLOW : rate) };
}

/** What is left of the rate where packets are counted: ten a second in bad conditions. */
const RATE_SLOW = 10_000;

function plainDraw(random: Random, faults: FaultSet, clients?: number): Profile {
  const raw = random.chance(10);
  const tight = faults.has("tight");
  const full = faults.has("slow");
  // Long messages, many of them: what a gap holds up is more than the user's ring.
  const bulk = random.chance(12);
  const small = !raw && random.chance(15);
  const many = !raw && !small && random.chance(10);
  const drawn = 2 + random.below(CLIENTS_MAX - 1);
  const count = clients ?? drawn;
  const channels = raw ? 1 : many ? CHANNELS_MAX : 1 + random.below(6);
  const bytesLimit = random.chance(60) ? LONG_BYTES : small ? 480 : MESSAGE_BYTES_MAX;
  return {
    raw,
    channels: Array.from({ length: channels }, () =>
      raw ? rawShape() : channelShape(random, bytesLimit, bulk),
    ),
    protocolIdLo: random.next32(),
    protocolIdHi: random.next32(),
    clients: count,
    peersMax: 1 + random.below(count + 1),
    rate: bulk ? 1_000_000_000 : pick(random, 20_000, 100_000, 1_250_000, 1_250_000, 1_000_000_000),
    payloadBytesMax: small ? 600 : PAYLOAD_BYTES_MAX,
    congestion: raw ? 0 : pick(random, 0, 1, 1, 1, 2),
    packetRateMax: pick(random, 0, 0, 0, 0, 100),
    byteRateMax: pick(random, 0, 0, 0, 0, 50_000),
    queueBytesMax: bulk ? 262_144 : pick(random, 4096, 65_536, 262_144),
    queueMessagesMax: bulk ? 1024 : pick(random, 32, 256, 1024),
    chunks: tight ? 200 + random.below(400) : 8192,
    messages: tight ? 150 + random.below(300) : 8192,
    carrieds: tight ? 200 + random.below(600) : 16_384,
    pendingMax: pick(random, 1, 4, 64),
    tokensMax: pick(random, 4, 16, 1024),
    submissionCapacity: tight ? 16_384 : 262_144,
    completionCapacity: full || bulk ? 131_072 : 1_048_576,
    startUs: pick(random, 0, 1, 1_000_000 + random.next32(), 2 ** 51),
    startSeconds: 1_700_000_000 + random.below(1_000_000),
    ipv6: random.chance(40),
    sendsMax: bulk ? 60 : faults.has("burst-sends") ? pick(random, 4, 16, 16) : pick(random, 1, 4),
    drainPercent: full ? pick(random, 90, 20, 5) : pick(random, 100, 90, 40),
    stranger: !raw && faults.has("mismatch") && random.chance(30),
    insiders: faults.has("insider"),
    clocksUs: Array.from({ length: CLIENTS_MAX + 1 }, () =>
      pick(random, 0, random.below(1_000_000), random.next32() * 1000),
    ),
  };
}

/** The address of a node: 0 the server, then the clients; beyond, nobody. */
export function nodeAddress(profile: Profile, node: number): Uint32Array {
  const port = 40_000 + node;
  return profile.ipv6
    ? Uint32Array.of(2, port, 0xfd000000, 0, 0, node + 1)
    : Uint32Array.of(1, port, 0x0a000001 + node, 0, 0, 0);
}

/** The configuration of a server, or of a client. */
export function profileConfig(profile: Profile, server: boolean, stranger: boolean): Uint32Array {
  const config = new Uint32Array(CONFIG_WORDS);
  config[CONFIG_ROLE] = server ? ROLE_SERVER : ROLE_CLIENT;
  config[CONFIG_RAW] = profile.raw ? 1 : 0;
  config[CONFIG_PROTOCOL_LOW] = profile.protocolIdLo;
  config[CONFIG_PROTOCOL_HIGH] = profile.protocolIdHi;
  config[CONFIG_PEERS_MAX] = server ? profile.peersMax : 1;
  config[CONFIG_CHANNELS] = profile.channels.length;
  config[CONFIG_PAYLOAD_BYTES_MAX] = profile.payloadBytesMax;
  config[CONFIG_RATE] = profile.rate;
  config[CONFIG_CONGESTION] = profile.congestion;
  config[CONFIG_PACKET_RATE_MAX] = server ? 0 : profile.packetRateMax;
  config[CONFIG_BYTE_RATE_MAX] = server ? 0 : profile.byteRateMax;
  config[CONFIG_QUEUE_BYTES_MAX] = profile.queueBytesMax;
  config[CONFIG_QUEUE_MESSAGES_MAX] = profile.queueMessagesMax;
  config[CONFIG_CHUNKS] = profile.chunks;
  config[CONFIG_MESSAGES] = profile.messages;
  config[CONFIG_CARRIEDS] = profile.carrieds;
  config[CONFIG_PENDING_MAX] = profile.pendingMax;
  config[CONFIG_TOKENS_MAX] = profile.tokensMax;
  config[CONFIG_NAME_HASH] = 0x6e747274;
  if (server) {
    // The second is an own address as well that nobody uses.
    config[CONFIG_ADDRESSES] = 2;
    for (const [index, node] of [0, 99].entries()) {
      const start = CONFIG_ADDRESSES + 1 + index * CONFIG_ADDRESS_WORDS;
      config.set(nodeAddress(profile, node).subarray(0, ADDRESS_WORDS), start);
    }
  }
  for (const [index, shape] of profile.channels.entries()) {
    const start = CONFIG_POLICIES + index * POLICY_WORDS;
    config.set(shape.words, start);
    const last = index === profile.channels.length - 1;
    config[start + 8] = 0x1000 + index + (stranger && last ? 1 : 0);
    config[start + 9] = shape.blockBytesMax ?? 0;
  }
  return config;
}
