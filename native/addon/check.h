// Owns the last look at memory that JavaScript filled, before the core reads it: the words of a
// configuration, and the two rings.
// Never says how a program should be configured (lib does, with errors for people). What it refuses
// is what the core asserts or would read past: a mistake in lib, which must not become a crash.
// Invariant: whatever passes here, no assertion of the core can be reached by it.
#ifndef NETRT_ADDON_CHECK_H_
#define NETRT_ADDON_CHECK_H_

#include <cstddef>
#include <cstdint>

#include "core/ring.h"

namespace netrt {

// Null when these CONFIG_WORDS words can be run, else what is wrong with them.
const char* checkConfig(const uint32_t* words);

// Whether a ring can be laid over so many bytes, and its positions can go on.
bool checkRing(const uint8_t* memory, size_t bytes, size_t capacityLeast);

// Whether everything between two positions of the ring is whole records of kinds that are
// submitted; what they ask for is the core's to judge. A few nanoseconds for each, which is read
// next anyway.
bool checkSubmission(const Ring& ring, uint32_t tail, uint32_t head);

}  // namespace netrt

#endif  // NETRT_ADDON_CHECK_H_
