// Owns what a new way to the peer does to a connection: what begins anew.
// Never changes an address (slots does), never draws or judges a proof (path does).
#ifndef NETRT_CORE_MOVE_H_
#define NETRT_CORE_MOVE_H_

#include <cstddef>
#include <cstdint>

#include "core/connection.h"

namespace netrt {

// Another way leads to the peer: what is known of it begins anew, and what went the old one says
// nothing of it, though its verdict is still to come (R-72; RFC 9000 section 9.4).
void connectionMoved(Connection& connection, const Shared& shared, uint64_t nowUs);

// The peer asks for a proof, or tells one; false where that is the other side's to do.
bool connectionProof(Connection& connection, const Shared& shared, bool asked, const uint8_t* bytes,
                     size_t offset, uint64_t nowUs);

}  // namespace netrt

#endif  // NETRT_CORE_MOVE_H_
