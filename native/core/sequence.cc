// The arithmetic of 16-bit sequence numbers: see sequence.h.
#include "core/sequence.h"

#include "core/limits.h"

namespace netrt {

namespace {

constexpr uint32_t HALF = 0x8000;
constexpr int64_t RANGE = 0x10000;

}  // namespace

bool sequenceNewer16(uint16_t a, uint16_t b) {
  const uint32_t ahead = static_cast<uint32_t>(a - b) & 0xffff;
  return ahead != 0 && ahead < HALF;
}

int64_t sequenceExpand16(uint16_t low16, uint64_t reference) {
  NETRT_ASSERT(reference <= SEQUENCE_MAX);
  const uint32_t ahead = static_cast<uint32_t>(low16 - reference) & 0xffff;
  const int64_t signedReference = static_cast<int64_t>(reference);
  const int64_t nearest = ahead < HALF ? signedReference + ahead : signedReference + ahead - RANGE;
  return nearest < 0 || nearest > static_cast<int64_t>(SEQUENCE_MAX) ? -1 : nearest;
}

}  // namespace netrt
