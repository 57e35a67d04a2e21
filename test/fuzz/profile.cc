// The worlds of the stateful targets: what the first bytes of an input choose. test/fuzz/profile.ts
// has the same tables.
#include <cstring>

#include "core/config.h"
#include "core/policy.h"
#include "machine.h"

namespace netrt::fuzz {

namespace {

constexpr uint32_t NAME_HASH = 0x66757a7a;
constexpr uint32_t HASH_BASE = 0x1000;
constexpr uint32_t LONG_MS = 10000;

// Order, repair, copies, room made for them, expiry, priority, longest message, strategy.
using Shape = uint32_t[8];

constexpr uint32_t BOTH = REPAIR_ACK | REPAIR_NACK;

// The four strategies as users have them, and an unordered channel.
constexpr Shape USUAL[] = {
    {ORDER_SEQUENCED, REPAIR_NONE, 1, 0, EXPIRY_SUPERSEDED, 128, MESSAGE_BYTES_MAX, 1},
    {ORDER_SEQUENCED, REPAIR_NONE, 2, 1, EXPIRY_SUPERSEDED, 128, 300, 1},
    {ORDER_ORDERED, REPAIR_NACK, 0, 0, 200, 128, 300, 2},
    {ORDER_ORDERED, BOTH, 1, 0, LONG_MS, 64, MESSAGE_BYTES_MAX, 3},
    {ORDER_ORDERED, BOTH, 1, 0, EXPIRY_NEVER, 64, MESSAGE_BYTES_MAX, STRATEGY_CRITICAL},
    {ORDER_NONE, BOTH, 1, 0, LONG_MS, 64, 300, 3},
};

// The same at their edges: many copies, short lives, one kind of repair.
constexpr Shape EDGES[] = {
    {ORDER_SEQUENCED, REPAIR_NONE, 7, 1, EXPIRY_SUPERSEDED, 255, 60, 1},
    {ORDER_ORDERED, REPAIR_NACK, COPIES_ADAPTIVE, 1, 30, 1, MESSAGE_BYTES_MAX, 2},
    {ORDER_ORDERED, REPAIR_ACK, COPIES_ADAPTIVE, 1, 200, 64, MESSAGE_BYTES_MAX, 3},
    {ORDER_ORDERED, REPAIR_ACK, 1, 0, 1500, 64, 300, STRATEGY_CRITICAL},
    {ORDER_NONE, REPAIR_ACK, 0, 0, 60, 1, MESSAGE_BYTES_MAX, 3},
    {ORDER_SEQUENCED, REPAIR_NONE, 0, 0, EXPIRY_SUPERSEDED, 1, 40, 1},
};

constexpr Shape ORDERED[] = {
    {ORDER_ORDERED, BOTH, 0, 0, EXPIRY_NEVER, 64, MESSAGE_BYTES_MAX, 3},
};

constexpr Shape RAW[] = {
    {ORDER_NONE, REPAIR_NONE, 0, 0, EXPIRY_NEVER, 1, PAYLOAD_BYTES_MAX, 0},
};

uint32_t channelCount(const Profile& profile) {
  if (profile.raw) return 1;
  constexpr uint32_t COUNTS[] = {6, 6, 1, CHANNELS_MAX};
  return COUNTS[profile.channels];
}

const Shape& shapeOf(const Profile& profile, uint32_t channel) {
  if (profile.raw) return RAW[0];
  switch (profile.channels) {
    case 0:
      return USUAL[channel];
    case 1:
      return EDGES[channel];
    case 2:
      return ORDERED[0];
    default:
      return channel % 2 == 0 ? USUAL[channel / 2 % 6] : EDGES[channel / 2 % 6];
  }
}

}  // namespace

Profile profileTake(Input& input) {
  constexpr uint64_t STARTS[] = {0, 1000000, uint64_t{1} << 40, uint64_t{1} << 51};
  const uint8_t first = input.take8();
  const uint8_t second = input.take8();
  Profile profile;
  profile.raw = (first & 7) == 7;
  profile.tight = (first & 8) != 0;
  profile.slow = (first & 16) != 0;
  profile.small = (first & 32) != 0;
  profile.startUs = STARTS[first >> 6];
  profile.channels = second & 3;
  profile.ipv6 = (second & 4) != 0;
  return profile;
}

Address addressOf(const Profile& profile, uint32_t index) {
  Address address;
  address.type = profile.ipv6 ? ADDRESS_IPV6 : ADDRESS_IPV4;
  address.port = static_cast<uint16_t>(40000 + index);
  address.a = profile.ipv6 ? 0xfd000000 : 0x0a000001 + index;
  address.d = profile.ipv6 ? 1 + index : 0;
  return address;
}

uint32_t indexOf(const Address& address) { return address.port - 40000u; }

namespace {

void addressWords(const Address& address, uint32_t* words) {
  const uint32_t values[CONFIG_ADDRESS_WORDS] = {address.type, address.port, address.a,
                                                 address.b,    address.c,    address.d};
  std::memcpy(words, values, sizeof(values));
}

}  // namespace

void machineConfig(const Profile& profile, uint32_t role, uint32_t peersMax, uint32_t* words) {
  std::memset(words, 0, CONFIG_WORDS * sizeof(uint32_t));
  words[CONFIG_ROLE] = role;
  words[CONFIG_RAW] = profile.raw ? 1 : 0;
  words[CONFIG_PROTOCOL_LOW] = static_cast<uint32_t>(PROTOCOL_ID);
  words[CONFIG_PROTOCOL_HIGH] = static_cast<uint32_t>(PROTOCOL_ID >> 32);
  words[CONFIG_PEERS_MAX] = peersMax;
  words[CONFIG_CHANNELS] = channelCount(profile);
  words[CONFIG_PAYLOAD_BYTES_MAX] = profile.small ? 600 : PAYLOAD_BYTES_MAX;
  words[CONFIG_RATE] = profile.slow ? 20000 : 1250000;
  words[CONFIG_QUEUE_BYTES_MAX] = profile.tight ? 4096 : 32768;
  words[CONFIG_QUEUE_MESSAGES_MAX] = profile.tight ? 32 : 256;
  words[CONFIG_CHUNKS] = profile.tight ? 120 : 160;
  words[CONFIG_MESSAGES] = profile.tight ? 100 : 160;
  words[CONFIG_CARRIEDS] = profile.tight ? 64 : 256;
  words[CONFIG_PENDING_MAX] = 2;
  words[CONFIG_TOKENS_MAX] = 4;
  words[CONFIG_NAME_HASH] = NAME_HASH;
  if (role == ROLE_SERVER) {
    words[CONFIG_ADDRESSES] = 1;
    addressWords(addressOf(profile, 0), words + CONFIG_ADDRESSES + 1);
  }
  for (uint32_t channel = 0; channel < words[CONFIG_CHANNELS]; channel++) {
    uint32_t* policy = words + CONFIG_POLICIES + channel * POLICY_WORDS;
    std::memcpy(policy, shapeOf(profile, channel), sizeof(Shape));
    if (profile.small && policy[6] > 480) policy[6] = 480;
    policy[8] = HASH_BASE + channel;
  }
}

}  // namespace netrt::fuzz
