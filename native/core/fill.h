// Owns the messages of a packet, from their ranks to their bytes: the order in which channels are
// served, and what riding counts as.
// Never writes acks or control frames (transmit does), never decides what is due.
// Order of service: newest real-time messages, copies that room is made for, what was lost, what is
// new by the channels' shares, and copies in the room that is left.
#ifndef NETRT_CORE_FILL_H_
#define NETRT_CORE_FILL_H_

#include <cstdint>

#include "core/connection.h"

namespace netrt {

// Chooses messages by rank, then writes them by channel and age, oldest first; how many.
uint32_t messagesFill(Connection& connection, Shared& shared, SentPacket& packet, uint64_t nowUs);

}  // namespace netrt

#endif  // NETRT_CORE_FILL_H_
