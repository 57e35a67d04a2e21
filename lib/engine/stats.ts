// stats: the page of counters that the core writes and its user reads without a call.
//
// Owns the layout. Never resets a counter while its row is in use, never interprets one.
//   host counters   HOST_COUNTERS pairs of words (low, high)
//   reject counters REJECT_REASONS pairs: datagrams refused, by reason
//   channel rows    CHANNELS_MAX rows of CHANNEL_COUNTERS pairs, summed over all peers
//   peer rows       one row of PEER_WORDS words for each slot
// Invariant: a pair is one 64-bit number; a single word counts modulo 2^32.

import { CHANNELS_MAX } from "./limits.js";

// --- host counters (pairs) ---
export const HOST_DATAGRAMS_IN = 0;
export const HOST_BYTES_IN = 1;
export const HOST_DATAGRAMS_OUT = 2;
export const HOST_BYTES_OUT = 3;
export const HOST_CONNECTED = 4;
export const HOST_DISCONNECTED = 5;
export const HOST_DENIED = 6;
export const HOST_PENDING = 7;
export const HOST_REPLIES_DROPPED = 8;
export const HOST_MESSAGES_REFUSED = 9;
export const HOST_PEERS = 10;
export const HOST_MISMATCHES = 11;
export const HOST_COUNTERS = 16;

// --- why a datagram was refused (pairs, behind the host counters) ---
export const REJECT_NONE = 0;
export const REJECT_SIZE = 1;
// 2 and 3 are packet's REJECT_TYPE and REJECT_SEQUENCE_BYTES.
export const REJECT_ADDRESS = 4;
export const REJECT_REPLAY = 5;
export const REJECT_SEAL = 6;
export const REJECT_BODY = 7;
export const REJECT_VERSION = 8;
export const REJECT_PROTOCOL = 9;
export const REJECT_EXPIRED = 10;
export const REJECT_TOKEN = 11;
export const REJECT_SERVER = 12;
export const REJECT_ADDRESS_CONNECTED = 13;
export const REJECT_CLIENT_CONNECTED = 14;
export const REJECT_TOKEN_USED = 15;
export const REJECT_RESOURCES = 16;
export const REJECT_FULL = 17;
export const REJECT_CHALLENGE = 18;
export const REJECT_PAYLOAD = 19;
export const REJECT_ACK_UNSENT = 20;
export const REJECT_STATE = 21;
export const REJECT_MEMORY = 22;
/** Sealed under keys that don't count for its number: too late, or too early. */
export const REJECT_KEY = 23;
export const REJECT_REASONS = 24;

// --- channel counters (pairs, behind the reject counters) ---
export const CHANNEL_SENT = 0;
export const CHANNEL_ACKED = 1;
export const CHANNEL_EXPIRED = 2;
export const CHANNEL_SUPERSEDED = 3;
export const CHANNEL_LOST = 4;
export const CHANNEL_DROPPED = 5;
export const CHANNEL_RECEIVED = 6;
export const CHANNEL_DUPLICATES = 7;
export const CHANNEL_LATE = 8;
export const CHANNEL_SKIPPED = 9;
export const CHANNEL_COPIES = 10;
export const CHANNEL_RESENT = 11;
export const CHANNEL_BYTES_SENT = 12;
export const CHANNEL_BYTES_RECEIVED = 13;
export const CHANNEL_FRAGMENTS_SENT = 14;
export const CHANNEL_FRAGMENTS_RECEIVED = 15;
export const CHANNEL_COUNTERS = 16;

// --- a peer's row (words) ---
export const PEER_HANDLE = 0;
export const PEER_RTT_US = 1;
export const PEER_RTT_VARIANCE_US = 2;
export const PEER_RTT_MINIMUM_US = 3;
export const PEER_JITTER_US = 4;
export const PEER_PACKETS_SENT = 5;
export const PEER_PACKETS_RECEIVED = 6;
export const PEER_PACKETS_ACKED = 7;
export const PEER_PACKETS_LOST = 8;
export const PEER_ACKS_LATE = 9;
/** Numbers that the peer sent and that did not arrive, as far as gaps show. */
export const PEER_GAPS = 10;
export const PEER_IN_FLIGHT = 11;
/** Bytes of messages that left the send queue for whatever reason, modulo 2^32. */
export const PEER_RELEASED_BYTES = 12;
/** Messages that left the send queue for whatever reason, modulo 2^32. */
export const PEER_RELEASED_MESSAGES = 13;
export const PEER_BYTES_SENT = 14;
export const PEER_BYTES_SENT_HIGH = 15;
export const PEER_BYTES_RECEIVED = 16;
export const PEER_BYTES_RECEIVED_HIGH = 17;
export const PEER_COPY_BYTES = 18;
export const PEER_COPY_BYTES_HIGH = 19;
export const PEER_RESENT = 20;
export const PEER_RATE = 21;
/** Bytes of messages that ever came into the send queue, modulo 2^32. */
export const PEER_QUEUED_BYTES = 22;
/** Messages that ever came into the send queue, modulo 2^32. */
export const PEER_QUEUED_MESSAGES = 23;
/** Bytes that may be on their way unacked, and are. */
export const PEER_WINDOW_BYTES = 24;
export const PEER_FLIGHT_BYTES = 25;
/** Queueing delay of the last round trip that counted, µs. */
export const PEER_QUEUE_DELAY_US = 26;
/** The longest payload that both ends take. */
export const PEER_PAYLOAD_BYTES = 27;
/** Packets a second that may go out; 0 for any number. */
export const PEER_PACKET_RATE = 28;
/** What packets to the peer are sealed under: CIPHER_TOKEN, or CIPHER_SESSION and the suite. */
export const PEER_CIPHER = 29;
/** How often the way to the peer became another. */
export const PEER_MOVES = 30;
export const PEER_WORDS = 32;

export const CIPHER_TOKEN = 0;
export const CIPHER_SESSION = 1;

const REJECT_WORD = 2 * HOST_COUNTERS;
const CHANNEL_WORD = REJECT_WORD + 2 * REJECT_REASONS;
const PEER_WORD = CHANNEL_WORD + 2 * CHANNEL_COUNTERS * CHANNELS_MAX;

/** The words that a page for so many slots needs. */
export function statsWords(slots: number): number {
  return PEER_WORD + slots * PEER_WORDS;
}

export function statsHostWord(counter: number): number {
  return 2 * counter;
}

export function statsRejectWord(reason: number): number {
  return REJECT_WORD + 2 * reason;
}

export function statsChannelWord(channel: number, counter: number): number {
  return CHANNEL_WORD + 2 * (channel * CHANNEL_COUNTERS + counter);
}

export function statsPeerWord(slot: number): number {
  return PEER_WORD + slot * PEER_WORDS;
}

/** Adds to a pair of words; amount < 2^32. */
export function statsAdd(page: Uint32Array, word: number, amount: number): void {
  const low = (page[word] + amount) >>> 0;
  if (low < amount) {
    page[word + 1] = page[word + 1] + 1;
  }
  page[word] = low;
}
