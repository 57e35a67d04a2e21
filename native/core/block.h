// Owns the line of fragments of blocks that wait behind everything else of their channel. A
// block is fed piece by piece by the user's side, which keeps its bytes; a piece joins the
// channel's list when a packet takes it, so whatever is sent meanwhile goes ahead of it. Never
// delivers: on the way in a piece is a message like any other.
#ifndef NETRT_CORE_BLOCK_H_
#define NETRT_CORE_BLOCK_H_

#include <cstdint>

#include "core/channel.h"
#include "core/queue.h"

namespace netrt {

// Appends a piece that holds `body`, whose reference passes to the channel. False: no memory
//
bool blockEnqueue(Channel& channel, Outlet& outlet, uint32_t body, uint32_t bytes, uint16_t number,
                  uint32_t index, uint32_t total, uint32_t tag);

// Moves the oldest waiting piece to the end of the channel's list.
Message* blockMove(Channel& channel);

// Gives up every waiting piece, because the connection ends.
void blockDrop(Channel& channel, Outlet& outlet, uint32_t peer);

}  // namespace netrt

#endif  // NETRT_CORE_BLOCK_H_
