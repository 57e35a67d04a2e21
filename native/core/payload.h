// Owns the rules of a payload as a whole, before anything of it takes effect: order, number and
// channels of its frames.
// Never acts on what it reads: a refused payload changed nothing.
#ifndef NETRT_CORE_PAYLOAD_H_
#define NETRT_CORE_PAYLOAD_H_

#include <cstddef>
#include <cstdint>

#include "core/bytes.h"
#include "core/frame.h"

namespace netrt {

// Whether a whole payload is canonical, names only channels below `channelCount` and has at most
// MESSAGES_PER_PACKET_MAX messages.
bool payloadCheck(Reader& reader, AckHeader& header, Frame& frame, const uint8_t* bytes,
                  size_t offset, size_t end, uint32_t channelCount);

}  // namespace netrt

#endif  // NETRT_CORE_PAYLOAD_H_
