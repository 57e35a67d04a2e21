// Owns the way in of a host: whose is a datagram, is it lawful, and what does it open; the order of
// checks and the answers to strangers.
// Never acts on unauthenticated bytes: they change only counters.
#ifndef NETRT_CORE_DEMUX_H_
#define NETRT_CORE_DEMUX_H_

#include <cstddef>
#include <cstdint>

#include "core/address.h"
#include "core/slots.h"

namespace netrt {

// ---- The way in ----

// Whether another datagram may be taken: what it brings forth has room in the user's ring.
bool hostReady(const Host& host);

// Takes one datagram. `receivedUs` is when the kernel got it; bytes are opened in place.
void hostReceive(Host& host, uint64_t nowUs, uint64_t receivedUs, uint64_t unixSeconds,
                 const Address& address, uint8_t* bytes, size_t offset, size_t length);

}  // namespace netrt

#endif  // NETRT_CORE_DEMUX_H_
