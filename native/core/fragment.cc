// The sizes of fragments: see fragment.h.
#include "core/fragment.h"

#include <algorithm>

#include "core/limits.h"

namespace netrt {

uint32_t wholeBytesMax(uint32_t payloadBytes) { return payloadBytes - MESSAGE_ROOM_BYTES; }

uint32_t fragmentBytes(uint32_t payloadBytes) {
  const uint32_t room = payloadBytes - FRAGMENT_ROOM_BYTES;
  return std::min(room - room % FRAGMENT_UNIT_BYTES, FRAGMENT_BYTES_MAX);
}

uint32_t fragmentCount(uint32_t total, uint32_t payloadBytes) {
  const uint32_t size = fragmentBytes(payloadBytes);
  return (total + size - 1) / size;
}

uint32_t fragmentLength(uint32_t total, uint32_t payloadBytes, uint32_t index) {
  const uint64_t size = fragmentBytes(payloadBytes);
  const uint64_t start = index * size;
  return start >= total ? 0 : static_cast<uint32_t>(std::min(size, total - start));
}

}  // namespace netrt
