// Owns how long ids are waited for that have not come although later ones have, and when and how
// they are named to the sender. Never delivers: passing a gap is said to delivery through
// passId. Invariant: gapId is the id that everything held waits for, or NO_ID.
#ifndef NETRT_CORE_GAP_H_
#define NETRT_CORE_GAP_H_

#include <cstddef>
#include <cstdint>

#include "core/channel.h"

namespace netrt {

// After anything came: is an id missing, since when, and when is it named?
void gapUpdate(Channel& channel, uint64_t nowUs, uint64_t delayUs, uint64_t oneWayUs);

// Whether a repair must be asked for with every packet: time alone ends the gap.
bool gapUrgent(const Channel& channel);

// When a gap has waited for as long as a message of this channel is of interest (µs).
uint64_t gapDeadlineUs(const Channel& channel);

// Passes a gap at its deadline; a later message of the channel waits no longer.
void gapExpire(Channel& channel, uint64_t nowUs);

// Marks the ids behind the first missing one that are missing too, in NACK_BITS_BYTES_MAX bytes of
// bitmap; the bytes of it that count.
uint32_t gapMissing(const Channel& channel, uint8_t* bits, size_t offset);

}  // namespace netrt

#endif  // NETRT_CORE_GAP_H_
