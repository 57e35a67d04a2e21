// FNV-1a: see hash.h.
#include "core/hash.h"

namespace netrt {

namespace {

constexpr uint32_t OFFSET_BASIS = 0x811c9dc5u;
constexpr uint32_t PRIME = 0x01000193u;

}  // namespace

uint32_t hash32(const uint8_t* bytes, size_t offset, size_t length, uint32_t seed) {
  const size_t end = offset + length;
  uint32_t hash = OFFSET_BASIS ^ seed;
  for (size_t index = offset; index < end; index++) {
    hash = (hash ^ bytes[index]) * PRIME;
  }
  return hash;
}

}  // namespace netrt
