// Owns packet numbers that are left out, so that acks of packets that never came show (R-65; Savage
// et al., "TCP Congestion Control with a Misbehaving Receiver", 1999; RFC 9000 section 21.4): when
// a number is, and the look for it in acks.
// Never sends, never gives a verdict: acks steps over these numbers.
// Invariants: which number is next to be left out follows from the host's own key, so no peer knows
// it; never two in a row.
#ifndef NETRT_CORE_OMIT_H_
#define NETRT_CORE_OMIT_H_

#include <cstddef>
#include <cstdint>

#include "core/acks.h"
#include "core/connection.h"

namespace netrt {

// Draws the number that is left out next.
void omitNext(Connection& connection, const Shared& shared);

// Before a packet takes its number: leaves that number out when it is the one.
void omitDue(Connection& connection, const Shared& shared, uint64_t nowUs);

// Whether acks tell of a number that was left out: a guess.
bool omitAcked(const Sent& sent, int64_t latest, const uint8_t* bits, size_t bitsOffset,
               uint32_t bitBytes);

}  // namespace netrt

#endif  // NETRT_CORE_OMIT_H_
