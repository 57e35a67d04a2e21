// Owns what the user put into the submission ring (messages, broadcasts, closes) and the check of a
// peer's queue against its limits.
// Never sends: what it queues goes out at a flush.
// Invariant: every message that is taken from the ring is queued or reported dropped.
#ifndef NETRT_CORE_SUBMIT_H_
#define NETRT_CORE_SUBMIT_H_

#include <cstdint>

#include "core/slots.h"

namespace netrt {

// Takes everything that the user has put into the submission ring.
void hostSubmit(Host& host, uint64_t nowUs);

}  // namespace netrt

#endif  // NETRT_CORE_SUBMIT_H_
