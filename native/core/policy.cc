// A channel's policy: see policy.h.
#include "core/policy.h"

namespace netrt {

void policyRead(Policy& policy, const uint32_t* words, uint32_t start) {
  policy.order = words[start];
  policy.repair = words[start + 1];
  policy.copies = words[start + 2];
  policy.copiesForced = words[start + 3] != 0;
  policy.expiryMs = words[start + 4];
  policy.priority = words[start + 5];
  policy.messageBytesMax = words[start + 6];
  policy.strategy = words[start + 7];
  policy.hash = words[start + 8];
  policy.blockBytesMax = words[start + 9];
}

}  // namespace netrt
