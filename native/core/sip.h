// Owns the hash that guards: HalfSipHash-1-3 over whole words (Aumasson and Bernstein, "SipHash: a
// fast short-input PRF"; the variant of 32 bits that Linux keeps its tables with).
// Never names anything on the wire: its key is drawn anew by each host, and no peer knows it
//
// Invariant: without the key nobody finds two inputs that collide more often than chance makes
// them.
#ifndef NETRT_CORE_SIP_H_
#define NETRT_CORE_SIP_H_

#include <cstdint>

namespace netrt {

// Words of a key.
constexpr uint32_t SIP_KEY_WORDS = 2;

// The keyed hash of the first `count` words, which stand for 4 bytes each, low byte first.
uint32_t sipHash(const uint32_t* key, const uint32_t* words, uint32_t count);

}  // namespace netrt

#endif  // NETRT_CORE_SIP_H_
