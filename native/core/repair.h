// Owns what becomes of messages that were sent: verdicts, nacks, the end of their time; and so the
// decision that a message rides again. Never chooses a packet for it (plan does).
// Invariants: a message is marked to ride again only while it is listed; what is given up after it
// was sent leaves a hole that the receiver is told of.
#ifndef NETRT_CORE_REPAIR_H_
#define NETRT_CORE_REPAIR_H_

#include <cstddef>
#include <cstdint>

#include "core/channel.h"

namespace netrt {

// ---- Verdicts ----

// A packet that carried the message has its verdict. What would be sent now arrives at `arrivalUs`:
// later than a message is of interest, it is not sent again. True: channelSettled must
// follow, an ack that comes late still tells that it arrived.
bool channelVerdict(Channel& channel, Outlet& outlet, uint32_t peer, Message& message, bool acked,
                    uint64_t nowUs, uint64_t arrivalUs);

// A lost packet that carried the message was acked late, or will not be any more.
void channelSettled(Channel& channel, Outlet& outlet, uint32_t peer, Message& message, bool acked,
                    uint64_t nowUs);

// The receiver names ids that it misses: `id16`, and for bit i of the bitmap the id i + 1 behind it
// . What rode less than a round trip ago is on its way. False: an id that was never sent.
bool channelNacked(Channel& channel, Outlet& outlet, uint32_t peer, uint16_t id16,
                   const uint8_t* bits, size_t offset, uint32_t bytes, uint64_t nowUs,
                   uint64_t roundTripUs);

// On a channel that only nacks repair, what would come too late doesn't ride: it waited for
// its packet since that was decided, is a copy, or missed its flush.
void channelForgo(Channel& channel, Outlet& outlet, uint32_t peer, uint64_t nowUs,
                  uint64_t oneWayUs);

// A packet that carried a skip has its verdict.
void channelSkipVerdict(Channel& channel, int64_t skipId, bool acked);

// A packet that carried the message is forgotten without a verdict, because the connection ended.
void channelForget(Outlet& outlet, Message& message);

// ---- Expiry (R-44) ----

// Ends what is past its time. A message that may have arrived waits for what tells: then it is
// delivered, not expired.
void channelExpire(Channel& channel, Outlet& outlet, uint32_t peer, uint64_t nowUs);

// Gives up everything unsent and unacked, because the connection ends.
void channelDrop(Channel& channel, Outlet& outlet, uint32_t peer);

}  // namespace netrt

#endif  // NETRT_CORE_REPAIR_H_
