// Owns what the user put into the submission ring (messages, broadcasts, closes) and the check of a
// peer's queue against its limits.
// Never sends: what it queues goes out at a flush.
// Invariant: every message that is taken from the ring is queued or reported dropped; so
// what has no room to be reported in the user's ring is not taken.
#ifndef NETRT_CORE_SUBMIT_H_
#define NETRT_CORE_SUBMIT_H_

#include <cstdint>

#include "core/slots.h"

namespace netrt {

// Takes what the user has put into the submission ring, as long as there is room for the answers.
void hostSubmit(Host& host, uint64_t nowUs);

}  // namespace netrt

#endif  // NETRT_CORE_SUBMIT_H_
