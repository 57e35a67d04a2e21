// Owns how what is longer than a packet is cut: sizes follow from the payload that both ends
// take, so no length stands on the wire and no peer can send a message in crumbs.
// Never holds a message.
#ifndef NETRT_CORE_FRAGMENT_H_
#define NETRT_CORE_FRAGMENT_H_

#include <cstdint>

namespace netrt {

// Bytes of the longest message that goes in one piece.
uint32_t wholeBytesMax(uint32_t payloadBytes);

// Bytes of every fragment but the last.
uint32_t fragmentBytes(uint32_t payloadBytes);

// Fragments of a whole of so many bytes, at least 1.
uint32_t fragmentCount(uint32_t total, uint32_t payloadBytes);

// Bytes of one fragment; 0 behind the last.
uint32_t fragmentLength(uint32_t total, uint32_t payloadBytes, uint32_t index);

}  // namespace netrt

#endif  // NETRT_CORE_FRAGMENT_H_
