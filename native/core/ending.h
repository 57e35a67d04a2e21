// Owns how a connection ends (closed, drained, closed by the peer, timed out, disconnected) and the
// order of the end: fates, then the report, then goodbyes, then the slot is free.
// Never sends the goodbyes itself (transmit does).
// Invariant: after the end was reported, nothing more is.
#ifndef NETRT_CORE_ENDING_H_
#define NETRT_CORE_ENDING_H_

#include <cstddef>
#include <cstdint>

#include "core/connection.h"

namespace netrt {

// Closes from this side: the peer is told why, several times.
void connectionClose(Connection& connection, Shared& shared, uint32_t reason, const uint8_t* text,
                     size_t offset, uint32_t bytes, uint64_t nowUs);

// Closes once everything queued has its fate; takes no more from the user. RFC 908 has no such
// close.
void connectionDrain(Connection& connection, Shared& shared, uint32_t reason, const uint8_t* text,
                     size_t offset, uint32_t bytes, uint64_t nowUs);

// The peer said goodbye with a reason: answers with a few bare disconnects, then the slot is free.
void connectionPeerClosed(Connection& connection, Shared& shared, uint32_t reason,
                          const uint8_t* text, size_t offset, uint32_t bytes, uint64_t nowUs);

// Tells of the end that waited for what the peer says of a channel: `bytes` of it, or none.
void connectionTold(Connection& connection, Shared& shared, const uint8_t* layout, size_t offset,
                    uint32_t bytes);

// Frees the slot: the peer's disconnect came (then `reason` is reported), or ours are all sent.
void connectionDone(Connection& connection, Shared& shared, uint32_t reason);

// Ends a drain when nothing is left to wait for: no message, and no skip. What came behind a hole
// is acked, but the receiver delivers it only once it knows of the hole; a close that went ahead of
// the skip once made it drop what had been reported delivered (test/lockstep).
void connectionDrained(Connection& connection, Shared& shared, uint64_t nowUs);

// Ends a connection whose critical channel gave a message up.
void connectionBroken(Connection& connection, Shared& shared, uint64_t nowUs);

}  // namespace netrt

#endif  // NETRT_CORE_ENDING_H_
