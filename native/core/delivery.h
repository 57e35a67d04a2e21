// Owns the way in of a channel: duplicates, order, gaps, the user's ring, and what is held until
// its turn. Never asks for anything to be sent again (the sender's verdicts and the channel's
// repair do), never reads a clock. Invariants: `held` is in the order of ids, all of them >=
// expectedId; a message is delivered at most once; an ordered channel delivers ids in
// increasing order, and passes a gap only up to passId.
#ifndef NETRT_CORE_DELIVERY_H_
#define NETRT_CORE_DELIVERY_H_

#include <cstddef>
#include <cstdint>

#include "core/channel.h"
#include "core/frame.h"

namespace netrt {

constexpr uint32_t RECEIVE_OK = 0;
// The id is outside what a lawful sender can use.
constexpr uint32_t RECEIVE_VIOLATION = 1;
// The user's ring is full; what is held comes with a later deliveryRelease.
constexpr uint32_t RECEIVE_HELD = 2;
// It came before its turn and nothing more may be held, or after its gap was passed: it was not
// taken.
constexpr uint32_t RECEIVE_REFUSED = 3;

// Takes a message from the wire. Where it `holds`, the pool has memory to hold a packet's messages.
uint32_t deliveryReceive(Channel& channel, Outlet& outlet, uint32_t peer, const Frame& frame,
                         const uint8_t* source, bool holds, uint64_t nowUs);

// Whether an unordered channel has this id, which lies in its window.
bool deliverySeen(const Channel& channel, int64_t id);

// Nothing below the id will come any more: gaps below it are passed.
uint32_t deliverySkip(Channel& channel, Outlet& outlet, uint32_t peer, uint16_t id16);

// Delivers what is held and due, and passes gaps up to passId, as far as the user's ring has room.
uint32_t deliveryRelease(Channel& channel, Outlet& outlet, uint32_t peer);

// Gives up what is held, because the connection ends.
void deliveryDrop(Channel& channel, Outlet& outlet);

}  // namespace netrt

#endif  // NETRT_CORE_DELIVERY_H_
