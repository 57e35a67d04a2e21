#include "addon/check.h"

#include "core/config.h"
#include "core/congestion.h"
#include "core/policy.h"

namespace netrt {

namespace {

// A pool of more pieces than this is a mistake: its indices and byte counts stay far from wrapping.
constexpr uint32_t POOL_MAX = 1u << 24;
// The same for what is kept about pending clients and used tokens.
constexpr uint32_t TOKENS_KEPT_MAX = 1u << 22;
constexpr uint32_t QUEUE_BYTES_MAX = 1u << 30;
constexpr uint32_t PRIORITY_MAX = 255;
constexpr uint32_t RING_CAPACITY_MAX = 1u << 30;
// Positions and records are laid out by multiples of this.
constexpr uintptr_t RING_ALIGNMENT = 8;
constexpr uint32_t TAIL_WORD = 16;

bool within(uint32_t value, uint32_t least, uint32_t most) {
  return value >= least && value <= most;
}

bool poolsFit(const uint32_t* words) {
  return within(words[CONFIG_CHUNKS], 1, POOL_MAX) && within(words[CONFIG_MESSAGES], 1, POOL_MAX) &&
         within(words[CONFIG_CARRIEDS], 1, POOL_MAX) &&
         within(words[CONFIG_PENDING_MAX], 1, TOKENS_KEPT_MAX) &&
         within(words[CONFIG_TOKENS_MAX], 1, TOKENS_KEPT_MAX);
}

bool policyFits(const uint32_t* words, uint32_t messageBytesMost) {
  return within(words[0], ORDER_NONE, ORDER_ORDERED) &&
         within(words[1], REPAIR_NONE, REPAIR_NACK | REPAIR_ACK) &&
         (within(words[2], 0, COPIES_MAX) || words[2] == COPIES_ADAPTIVE) &&
         within(words[3], 0, 1) && within(words[5], 1, PRIORITY_MAX) &&
         within(words[6], 1, messageBytesMost) && within(words[9], 0, BLOCK_BYTES_MAX);
}

bool policiesFit(const uint32_t* words) {
  const bool raw = words[CONFIG_RAW] == 1;
  const uint32_t payload = words[CONFIG_PAYLOAD_BYTES_MAX];
  for (uint32_t channel = 0; channel < words[CONFIG_CHANNELS]; channel++) {
    const uint32_t* policy = words + CONFIG_POLICIES + channel * POLICY_WORDS;
    if (!policyFits(policy, raw ? payload : FRAGMENTED_BYTES_MAX)) return false;
  }
  return true;
}

bool addressesFit(const uint32_t* words) {
  if (words[CONFIG_ADDRESSES] > CONFIG_ADDRESSES_MAX) return false;
  for (uint32_t index = 0; index < words[CONFIG_ADDRESSES]; index++) {
    const uint32_t* address = words + CONFIG_ADDRESSES + 1 + index * CONFIG_ADDRESS_WORDS;
    if (!within(address[0], ADDRESS_IPV4, ADDRESS_IPV6) || address[1] > UINT16_MAX) return false;
  }
  return true;
}

// Whether a record lies within the `left` bytes that belong to it at most. A padding may be too
// short for a header, so nothing but its first word is read.
bool recordFits(const uint32_t* record, uint32_t left) {
  const uint32_t size = record[0] & 0xffffff;
  const uint32_t kind = record[0] >> 24;
  if (size < 8 || size % 8 != 0 || size > left) return false;
  if (kind == RECORD_PAD) return true;
  if (kind == RECORD_SEND_BLOCK && record[3] < FRAGMENT_RECORD_BYTES) return false;
  return within(kind, RECORD_SEND, RECORD_LAYOUT) && size >= RECORD_BYTES &&
         record[3] <= size - RECORD_BYTES;
}

}  // namespace

const char* checkConfig(const uint32_t* words) {
  if (words[CONFIG_ROLE] > ROLE_CLIENT) return "config: role";
  if (words[CONFIG_RAW] > 1) return "config: raw";
  if (!within(words[CONFIG_PEERS_MAX], 1, PEERS_MAX)) return "config: peersMax";
  if (!within(words[CONFIG_CHANNELS], 1, CHANNELS_MAX)) return "config: channels";
  if (!within(words[CONFIG_PAYLOAD_BYTES_MAX], PAYLOAD_BYTES_MIN, PAYLOAD_BYTES_MAX)) {
    return "config: payloadBytesMax";
  }
  if (words[CONFIG_CONGESTION] > CONGESTION_BINARY || words[CONFIG_PACKET_RATE_MAX] > UINT16_MAX ||
      words[CONFIG_BYTE_RATE_MAX] > PACING_RATE_MAX) {
    return "config: congestion";
  }
  if (!within(words[CONFIG_RATE], PACING_RATE_MIN, PACING_RATE_MAX)) return "config: rate";
  if (!within(words[CONFIG_QUEUE_BYTES_MAX], 1, QUEUE_BYTES_MAX) ||
      !within(words[CONFIG_QUEUE_MESSAGES_MAX], 1, POOL_MAX)) {
    return "config: queue";
  }
  if (!poolsFit(words)) return "config: pools";
  if (!addressesFit(words)) return "config: addresses";
  if (!policiesFit(words)) return "config: policies";
  return nullptr;
}

bool checkRing(const uint8_t* memory, size_t bytes, size_t capacityLeast) {
  if (reinterpret_cast<uintptr_t>(memory) % RING_ALIGNMENT != 0) return false;
  if (bytes < RING_CONTROL_BYTES + capacityLeast) return false;
  const size_t capacity = bytes - RING_CONTROL_BYTES;
  if (capacity > RING_CAPACITY_MAX || (capacity & (capacity - 1)) != 0) return false;
  const uint32_t* control = reinterpret_cast<const uint32_t*>(memory);
  const uint32_t used = control[0] - control[TAIL_WORD];
  return control[0] % 8 == 0 && used % 8 == 0 && used <= capacity;
}

bool checkSubmission(const Ring& ring, uint32_t tail, uint32_t head) {
  uint32_t position = tail;
  if (head - position > ring.capacity || head % 8 != 0) return false;
  while (position != head) {
    const uint32_t index = position & (ring.capacity - 1);
    const uint32_t contiguous = ring.capacity - index;
    const uint32_t left = head - position < contiguous ? head - position : contiguous;
    const uint32_t* record = ring.words + index / 4;
    if (!recordFits(record, left)) return false;
    position += record[0] & 0xffffff;
  }
  return true;
}

}  // namespace netrt
