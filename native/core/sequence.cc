// The arithmetic of 16-bit sequence numbers: see sequence.h.
#include "core/sequence.h"

#include "core/limits.h"

namespace netrt {

namespace {

constexpr uint32_t HALF = 0x8000;

// The number nearest to `reference` that has these low bits, the lower of two; or -1.
int64_t expand(uint32_t low, uint32_t bits, uint64_t reference) {
  NETRT_ASSERT(reference <= SEQUENCE_MAX);
  const int64_t range = int64_t{1} << bits;
  const int64_t ahead = (low - static_cast<uint32_t>(reference)) & (range - 1);
  const int64_t signedReference = static_cast<int64_t>(reference);
  const int64_t nearest = signedReference + (ahead < range / 2 ? ahead : ahead - range);
  return nearest < 0 || nearest > static_cast<int64_t>(SEQUENCE_MAX) ? -1 : nearest;
}

}  // namespace

bool sequenceNewer16(uint16_t a, uint16_t b) {
  const uint32_t ahead = static_cast<uint32_t>(a - b) & 0xffff;
  return ahead != 0 && ahead < HALF;
}

int64_t sequenceExpand16(uint16_t low16, uint64_t reference) {
  return expand(low16, 16, reference);
}

int64_t sequenceExpand24(uint32_t low24, uint64_t reference) {
  return expand(low24, 24, reference);
}

}  // namespace netrt
