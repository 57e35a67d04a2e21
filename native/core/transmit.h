// Owns the packet that a connection sends now, from what wants to go out to the sealed bytes: the
// choice of frames and their order.
// Never sends, never sends the same bytes twice: whatever rides again rides in a new packet under a
// new number.
// Order of service: acks, hello, skips, newest real-time messages, copies that room is made
// for, what was lost, what is new, and copies in the room that is left.
#ifndef NETRT_CORE_TRANSMIT_H_
#define NETRT_CORE_TRANSMIT_H_

#include <cstddef>
#include <cstdint>

#include "core/connection.h"

namespace netrt {

// Writes the packet that this connection wants to send now, sealed, at most PACKET_BYTES_MAX bytes;
// its bytes, or 0 for nothing.
// The caller asks again until 0: a flush may take several packets.
size_t connectionTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                          size_t offset);

// A server's packet to the address from which a client's came: it asks for proof that the client
// reads there, PATH_PACKET_BYTES long; 0 where there is no number for it now.
size_t challengeTransmit(Connection& connection, Shared& shared, uint64_t nowUs, uint8_t* out,
                         size_t offset);

}  // namespace netrt

#endif  // NETRT_CORE_TRANSMIT_H_
