// Owns the hash that names things by their bytes: FNV-1a of 32 bits
// (Fowler, Noll, Vo; draft-eastlake-fnv).
// Never guards anything: it is no signature, and whoever chooses the bytes chooses the hash.
// Invariants: seed 0 gives the published FNV-1a values.
#ifndef NETRT_CORE_HASH_H_
#define NETRT_CORE_HASH_H_

#include <cstddef>
#include <cstdint>

namespace netrt {

uint32_t hash32(const uint8_t* bytes, size_t offset, size_t length, uint32_t seed);

}  // namespace netrt

#endif  // NETRT_CORE_HASH_H_
