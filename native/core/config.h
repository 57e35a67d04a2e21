// Owns everything that a host is told when it opens, and the layout of the words in which it is
// told.
// Never checks what a user may ask for (lib does, with errors for people); it only reads, and
// asserts what its own arrays hold.
#ifndef NETRT_CORE_CONFIG_H_
#define NETRT_CORE_CONFIG_H_

#include <cstdint>

#include "core/address.h"
#include "core/limits.h"
#include "core/policy.h"

namespace netrt {

constexpr uint32_t ROLE_SERVER = 0;
constexpr uint32_t ROLE_CLIENT = 1;

// ---- Words of the configuration ----

constexpr uint32_t CONFIG_ROLE = 0;
// 1: bare NETCODE payloads, no acks and no channels.
constexpr uint32_t CONFIG_RAW = 1;
constexpr uint32_t CONFIG_PROTOCOL_LOW = 2;
constexpr uint32_t CONFIG_PROTOCOL_HIGH = 3;
constexpr uint32_t CONFIG_PEERS_MAX = 4;
constexpr uint32_t CONFIG_CHANNELS = 5;
constexpr uint32_t CONFIG_PAYLOAD_BYTES_MAX = 6;
// Bytes per second toward one peer.
constexpr uint32_t CONFIG_RATE = 7;
// Bytes of messages that may wait for one peer.
constexpr uint32_t CONFIG_QUEUE_BYTES_MAX = 8;
// Messages that may wait for one peer.
constexpr uint32_t CONFIG_QUEUE_MESSAGES_MAX = 9;
constexpr uint32_t CONFIG_CHUNKS = 10;
constexpr uint32_t CONFIG_MESSAGES = 11;
constexpr uint32_t CONFIG_CARRIEDS = 12;
constexpr uint32_t CONFIG_PENDING_MAX = 13;
constexpr uint32_t CONFIG_TOKENS_MAX = 14;
constexpr uint32_t CONFIG_NAME_HASH = 15;
// Addresses at which a server is reached: count, then CONFIG_ADDRESS_WORDS words each.
constexpr uint32_t CONFIG_ADDRESSES = 16;
constexpr uint32_t CONFIG_ADDRESSES_MAX = 8;
constexpr uint32_t CONFIG_ADDRESS_WORDS = 6;
// Which congestion control: 0 none, 1 delay, 2 binary.
constexpr uint32_t CONFIG_CONGESTION = 66;
// Packets per second that this side takes, told in its hello; 0 for any number.
constexpr uint32_t CONFIG_PACKET_RATE_MAX = 67;
// Bytes per second that this side takes, told in its hello; 0 for any number.
constexpr uint32_t CONFIG_BYTE_RATE_MAX = 68;
// Suites that this side can seal under, told in its hello: SUITES_ALWAYS, SUITES_AES.
constexpr uint32_t CONFIG_SUITES = 69;
constexpr uint32_t CONFIG_POLICIES = 72;
constexpr uint32_t CONFIG_WORDS = CONFIG_POLICIES + CHANNELS_MAX * POLICY_WORDS;

static_assert(CONFIG_ADDRESSES + 1 + CONFIG_ADDRESSES_MAX * CONFIG_ADDRESS_WORDS <=
                  CONFIG_CONGESTION,
              "the addresses fit before what follows");

// Injected randomness: challenge key 32 B, first pre-slot sequence 8 B, key of the tables 8 B,
// first packet number 8 B, what key pairs are drawn from 32 B.
constexpr uint32_t ENTROPY_BYTES = 88;
constexpr uint32_t ENTROPY_SEQUENCE = 32;
constexpr uint32_t ENTROPY_HASH_KEY = 40;
constexpr uint32_t ENTROPY_NUMBER = 48;
constexpr uint32_t ENTROPY_KEYS = 56;

struct HostConfig {
  uint32_t role = ROLE_SERVER;
  bool raw = false;
  uint64_t protocolId = 0;
  uint32_t peersMax = 0;
  uint32_t channelCount = 0;
  uint32_t payloadBytesMax = 0;
  uint32_t rate = 0;
  uint32_t queueBytesMax = 0;
  uint32_t queueMessagesMax = 0;
  uint32_t chunkCount = 0;
  uint32_t messageCount = 0;
  uint32_t carriedCount = 0;
  uint32_t pendingMax = 0;
  uint32_t tokensMax = 0;
  uint32_t nameHash = 0;
  uint32_t congestion = 0;
  uint32_t packetRateMax = 0;
  uint32_t byteRateMax = 0;
  uint32_t suites = 0;
  uint32_t addressCount = 0;
  // The first `addressCount` count.
  Address addresses[CONFIG_ADDRESSES_MAX];
  // The first `channelCount` count.
  Policy policies[CHANNELS_MAX];
  // Channels in the order in which they are served: by priority, then as declared.
  uint32_t channelOrder[CHANNELS_MAX] = {};
};

// Reads CONFIG_WORDS words.
void configRead(HostConfig& config, const uint32_t* words);

}  // namespace netrt

#endif  // NETRT_CORE_CONFIG_H_
