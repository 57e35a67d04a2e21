// Owns the layout of the page of counters that the core writes and its user reads without a call.
// Never resets a counter while its row is in use, never interprets one.
//   host counters   HOST_COUNTERS pairs of words (low, high)
//   reject counters REJECT_REASONS pairs: datagrams refused, by reason
//   channel rows    CHANNELS_MAX rows of CHANNEL_COUNTERS pairs, summed over all peers
//   peer rows       one row of PEER_WORDS words for each slot
// Invariant: a pair is one 64-bit number; a single word counts modulo 2^32.
#ifndef NETRT_CORE_STATS_H_
#define NETRT_CORE_STATS_H_

#include <cstddef>
#include <cstdint>

#include "core/limits.h"
#include "core/packet.h"

namespace netrt {

// ---- Host counters (pairs) ----

constexpr uint32_t HOST_DATAGRAMS_IN = 0;
constexpr uint32_t HOST_BYTES_IN = 1;
constexpr uint32_t HOST_DATAGRAMS_OUT = 2;
constexpr uint32_t HOST_BYTES_OUT = 3;
constexpr uint32_t HOST_CONNECTED = 4;
constexpr uint32_t HOST_DISCONNECTED = 5;
constexpr uint32_t HOST_DENIED = 6;
constexpr uint32_t HOST_PENDING = 7;
constexpr uint32_t HOST_REPLIES_DROPPED = 8;
constexpr uint32_t HOST_MESSAGES_REFUSED = 9;
constexpr uint32_t HOST_PEERS = 10;
constexpr uint32_t HOST_MISMATCHES = 11;
constexpr uint32_t HOST_COUNTERS = 16;

// ---- Why a datagram was refused (pairs, behind the host counters) ----

constexpr int REJECT_NONE = 0;
// A size that no packet has, or not one of its type.
constexpr int REJECT_SIZE = 1;
// REJECT_TYPE and REJECT_SEQUENCE_BYTES, 2 and 3, are packet.h's.
constexpr int REJECT_ADDRESS = 4;
constexpr int REJECT_REPLAY = 5;
constexpr int REJECT_SEAL = 6;
constexpr int REJECT_BODY = 7;
constexpr int REJECT_VERSION = 8;
constexpr int REJECT_PROTOCOL = 9;
constexpr int REJECT_EXPIRED = 10;
constexpr int REJECT_TOKEN = 11;
constexpr int REJECT_SERVER = 12;
constexpr int REJECT_ADDRESS_CONNECTED = 13;
constexpr int REJECT_CLIENT_CONNECTED = 14;
constexpr int REJECT_TOKEN_USED = 15;
constexpr int REJECT_RESOURCES = 16;
constexpr int REJECT_FULL = 17;
constexpr int REJECT_CHALLENGE = 18;
constexpr int REJECT_PAYLOAD = 19;
constexpr int REJECT_ACK_UNSENT = 20;
constexpr int REJECT_STATE = 21;
constexpr int REJECT_MEMORY = 22;
// Sealed under keys that don't count for its number: too late, or too early.
constexpr int REJECT_KEY = 23;
constexpr uint32_t REJECT_REASONS = 24;

// ---- Channel counters (pairs, behind the reject counters) ----

constexpr uint32_t CHANNEL_SENT = 0;
constexpr uint32_t CHANNEL_ACKED = 1;
constexpr uint32_t CHANNEL_EXPIRED = 2;
constexpr uint32_t CHANNEL_SUPERSEDED = 3;
constexpr uint32_t CHANNEL_LOST = 4;
constexpr uint32_t CHANNEL_DROPPED = 5;
constexpr uint32_t CHANNEL_RECEIVED = 6;
constexpr uint32_t CHANNEL_DUPLICATES = 7;
constexpr uint32_t CHANNEL_LATE = 8;
constexpr uint32_t CHANNEL_SKIPPED = 9;
constexpr uint32_t CHANNEL_COPIES = 10;
constexpr uint32_t CHANNEL_RESENT = 11;
constexpr uint32_t CHANNEL_BYTES_SENT = 12;
constexpr uint32_t CHANNEL_BYTES_RECEIVED = 13;
constexpr uint32_t CHANNEL_FRAGMENTS_SENT = 14;
constexpr uint32_t CHANNEL_FRAGMENTS_RECEIVED = 15;
constexpr uint32_t CHANNEL_COUNTERS = 16;

// ---- A peer's row (words) ----

constexpr uint32_t PEER_HANDLE = 0;
constexpr uint32_t PEER_RTT_US = 1;
constexpr uint32_t PEER_RTT_VARIANCE_US = 2;
constexpr uint32_t PEER_RTT_MINIMUM_US = 3;
constexpr uint32_t PEER_JITTER_US = 4;
constexpr uint32_t PEER_PACKETS_SENT = 5;
constexpr uint32_t PEER_PACKETS_RECEIVED = 6;
constexpr uint32_t PEER_PACKETS_ACKED = 7;
constexpr uint32_t PEER_PACKETS_LOST = 8;
constexpr uint32_t PEER_ACKS_LATE = 9;
// Numbers that the peer sent and that did not arrive, as far as gaps show.
constexpr uint32_t PEER_GAPS = 10;
constexpr uint32_t PEER_IN_FLIGHT = 11;
// Bytes of messages that left the send queue for whatever reason, modulo 2^32.
constexpr uint32_t PEER_RELEASED_BYTES = 12;
// Messages that left the send queue for whatever reason, modulo 2^32.
constexpr uint32_t PEER_RELEASED_MESSAGES = 13;
constexpr uint32_t PEER_BYTES_SENT = 14;
constexpr uint32_t PEER_BYTES_SENT_HIGH = 15;
constexpr uint32_t PEER_BYTES_RECEIVED = 16;
constexpr uint32_t PEER_BYTES_RECEIVED_HIGH = 17;
constexpr uint32_t PEER_COPY_BYTES = 18;
constexpr uint32_t PEER_COPY_BYTES_HIGH = 19;
constexpr uint32_t PEER_RESENT = 20;
constexpr uint32_t PEER_RATE = 21;
// Bytes of messages that ever came into the send queue, modulo 2^32.
constexpr uint32_t PEER_QUEUED_BYTES = 22;
// Messages that ever came into the send queue, modulo 2^32.
constexpr uint32_t PEER_QUEUED_MESSAGES = 23;
// Bytes that may be on their way unacked, and are.
constexpr uint32_t PEER_WINDOW_BYTES = 24;
constexpr uint32_t PEER_FLIGHT_BYTES = 25;
// Queueing delay of the last round trip that counted, µs.
constexpr uint32_t PEER_QUEUE_DELAY_US = 26;
// The longest payload that both ends take.
constexpr uint32_t PEER_PAYLOAD_BYTES = 27;
// Packets a second that may go out; 0 for any number.
constexpr uint32_t PEER_PACKET_RATE = 28;
// What packets to the peer are sealed under: CIPHER_TOKEN, or CIPHER_SESSION and the suite.
constexpr uint32_t PEER_CIPHER = 29;
// How often the way to the peer became another.
constexpr uint32_t PEER_MOVES = 30;
constexpr uint32_t PEER_WORDS = 32;

constexpr uint32_t CIPHER_TOKEN = 0;
constexpr uint32_t CIPHER_SESSION = 1;

static_assert(REJECT_SIZE == REJECT_TOO_SHORT, "the header's reasons are counted as they are");
static_assert(REJECT_TYPE == 2 && REJECT_SEQUENCE_BYTES == 3, "no two reasons have one number");

// ---- Where they stand ----

// The words that a page for so many slots needs.
size_t statsWords(uint32_t slots);

size_t statsHostWord(uint32_t counter);
size_t statsRejectWord(int reason);
size_t statsChannelWord(uint32_t channel, uint32_t counter);
size_t statsPeerWord(uint32_t slot);

// Adds to a pair of words; amount < 2^32.
void statsAdd(uint32_t* page, size_t word, uint32_t amount);

}  // namespace netrt

#endif  // NETRT_CORE_STATS_H_
