// Owns what time and acks do to a connection (verdicts, losses, expiries, time-outs) and the order
// in which they take effect. Never receives or sends. Invariant: verdicts reach the channels in the
// order of packet numbers.
#ifndef NETRT_CORE_ADVANCE_H_
#define NETRT_CORE_ADVANCE_H_

#include <cstdint>

#include "core/connection.h"

namespace netrt {

// Hands every verdict that is due to the channels, in the order of packet numbers.
void connectionVerdicts(Connection& connection, Shared& shared, uint64_t nowUs);

// What the acks of a packet say of the path.
void connectionCongestion(Connection& connection, bool sampled, uint64_t nowUs);

// Does what time asks for: time-outs, losses, expiries, the end of a drain, the end of goodbyes.
void connectionAdvance(Connection& connection, Shared& shared, uint64_t nowUs);

// Hands over what waits for room in the user's ring; true when nothing waits any more.
bool connectionRelease(Connection& connection, Shared& shared);

}  // namespace netrt

#endif  // NETRT_CORE_ADVANCE_H_
