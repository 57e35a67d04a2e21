// Owns what goes around the body of a connection's packet: the header before it, the seal behind;
// the choice of header and key, and what a packet that goes out is counted as.
// Never writes a body, never gives a number.
#ifndef NETRT_CORE_WRAP_H_
#define NETRT_CORE_WRAP_H_

#include <cstddef>
#include <cstdint>

#include "core/connection.h"
#include "core/packet.h"

namespace netrt {

// The header, and its bytes. A payload and a disconnect are session packets once the keys are there
//
inline size_t wrapHeader(Connection& connection, uint8_t type, int64_t number, uint8_t* out,
                         size_t offset) {
  const uint64_t sequence = static_cast<uint64_t>(number);
  return sessionSends(connection, sequence) ? sessionHeaderWrite(sequence, out, offset)
                                            : packetHeaderWrite(type, sequence, out, offset);
}

// The header of a packet that is found by the path's id, from whatever address it comes.
size_t wrapMoving(Connection& connection, int64_t number, uint8_t* out, size_t offset);

// Seals a packet whose body of so many bytes stands behind its header; the packet's bytes.
size_t wrapSeal(Connection& connection, Shared& shared, int64_t number, uint64_t nowUs,
                uint8_t* out, size_t offset, size_t headerBytes, size_t bodyBytes);

}  // namespace netrt

#endif  // NETRT_CORE_WRAP_H_
