// Owns the arithmetic of packet and message numbers that travel as their low 16 or 24 bits.
// Never keeps state.
// Invariants: of two numbers exactly half the range apart neither is newer, so `newer` can't hold
// in both directions; expansion prefers the lower of two equally near numbers, because a number
// from the past was sent and one from the future was not.
#ifndef NETRT_CORE_SEQUENCE_H_
#define NETRT_CORE_SEQUENCE_H_

#include <cstdint>

namespace netrt {

// Whether `a` was given out after `b`, for numbers less than half the range apart.
bool sequenceNewer16(uint16_t a, uint16_t b);

// The number nearest to `reference` whose low 16 bits are `low16`, or -1 where that number would be
// below zero or past SEQUENCE_MAX. `reference` is at most SEQUENCE_MAX.
int64_t sequenceExpand16(uint16_t low16, uint64_t reference);

// The same of the low 24 bits.
int64_t sequenceExpand24(uint32_t low24, uint64_t reference);

}  // namespace netrt

#endif  // NETRT_CORE_SEQUENCE_H_
