// Owns what a packet that passed the seal does to its connection, and the order of effects: the
// whole payload is checked, then it counts as received, then acks, verdicts and frames take effect
// in the order in which they stand.
// Never sees unauthenticated bytes.
// Invariants: a refused payload changed nothing but counters and, as a violation, the state;
// a packet of which something could not be held is not acked, so its messages ride again.
#ifndef NETRT_CORE_RECEIVE_H_
#define NETRT_CORE_RECEIVE_H_

#include <cstddef>
#include <cstdint>

#include "core/connection.h"

namespace netrt {

// Takes an opened packet of a connected peer; a reason when it was refused, or REJECT_NONE.
int connectionReceive(Connection& connection, Shared& shared, uint8_t type, uint64_t sequence,
                      const uint8_t* bytes, size_t offset, size_t bodyBytes, uint64_t receivedUs,
                      uint64_t nowUs);

}  // namespace netrt

#endif  // NETRT_CORE_RECEIVE_H_
