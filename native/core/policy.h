// Owns the form in which a channel's policy (how it delivers, as data) reaches the core
//
// Never decides which combinations are lawful (that is the strategies' rule, checked where the user
// states them); here they only run.
#ifndef NETRT_CORE_POLICY_H_
#define NETRT_CORE_POLICY_H_

#include <cstdint>

#include "core/limits.h"

namespace netrt {

constexpr uint32_t ORDER_NONE = 0;
constexpr uint32_t ORDER_SEQUENCED = 1;
constexpr uint32_t ORDER_ORDERED = 2;

constexpr uint32_t REPAIR_NONE = 0;
constexpr uint32_t REPAIR_NACK = 1;
constexpr uint32_t REPAIR_ACK = 2;

constexpr uint32_t EXPIRY_NEVER = 0xffffffff;
constexpr uint32_t EXPIRY_SUPERSEDED = 0;

// The strategy whose messages arrive, or the connection ends.
constexpr uint32_t STRATEGY_CRITICAL = 4;

// The words of one channel in the configuration.
constexpr uint32_t POLICY_WORDS = 10;

struct Policy {
  uint32_t order = ORDER_NONE;
  // REPAIR_NACK and REPAIR_ACK as bits.
  uint32_t repair = REPAIR_NONE;
  // Extra copies of each message, 0 to COPIES_MAX or COPIES_ADAPTIVE.
  uint32_t copies = 0;
  // True: copies get room made for them. False: they ride in room left over, and back the tail.
  bool copiesForced = false;
  // Milliseconds, EXPIRY_NEVER, or EXPIRY_SUPERSEDED (until a newer message is there).
  uint32_t expiryMs = EXPIRY_NEVER;
  // 1..255; a higher priority is served first.
  uint32_t priority = 1;
  uint32_t messageBytesMax = CHUNK_BYTES;
  uint32_t strategy = 0;
  // Bytes of the longest block; 0 where the channel takes none.
  uint32_t blockBytesMax = 0;
  // Name and policy as one number: both ends must agree.
  uint32_t hash = 0;
};

void policyRead(Policy& policy, const uint32_t* words, uint32_t start);

}  // namespace netrt

#endif  // NETRT_CORE_POLICY_H_
