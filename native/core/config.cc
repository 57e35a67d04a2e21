// What a host is told when it opens: see config.h.
#include "core/config.h"

namespace netrt {

namespace {

void addressFromWords(Address& address, const uint32_t* words) {
  address.type = static_cast<decltype(address.type)>(words[0]);
  address.port = static_cast<decltype(address.port)>(words[1]);
  address.a = words[2];
  address.b = words[3];
  address.c = words[4];
  address.d = words[5];
}

}  // namespace

void configRead(HostConfig& config, const uint32_t* words) {
  NETRT_ASSERT(words[CONFIG_CHANNELS] <= CHANNELS_MAX);
  NETRT_ASSERT(words[CONFIG_ADDRESSES] <= CONFIG_ADDRESSES_MAX);
  config.role = words[CONFIG_ROLE];
  config.raw = words[CONFIG_RAW] != 0;
  config.protocolId = (uint64_t{words[CONFIG_PROTOCOL_HIGH]} << 32) | words[CONFIG_PROTOCOL_LOW];
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
  config.suites = words[CONFIG_SUITES] | SUITES_ALWAYS;
  config.addressCount = words[CONFIG_ADDRESSES];
  for (uint32_t index = 0; index < config.addressCount; index++) {
    addressFromWords(config.addresses[index],
                     words + CONFIG_ADDRESSES + 1 + index * CONFIG_ADDRESS_WORDS);
  }
  for (uint32_t channel = 0; channel < config.channelCount; channel++) {
    Policy& policy = config.policies[channel];
    policyRead(policy, words, CONFIG_POLICIES + channel * POLICY_WORDS);
    uint32_t place = channel;
    while (place > 0 &&
           config.policies[config.channelOrder[place - 1]].priority < policy.priority) {
      config.channelOrder[place] = config.channelOrder[place - 1];
      place -= 1;
    }
    config.channelOrder[place] = channel;
  }
}

}  // namespace netrt
