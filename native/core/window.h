// Owns the marks that are told and heard of what users have consumed of a channel, ours and the
// peer's. Never sends one (transmit does), never says what the window lets through (channel
// does). Invariant: knownId <= toldId; no mark goes back.
#ifndef NETRT_CORE_WINDOW_H_
#define NETRT_CORE_WINDOW_H_

#include <cstdint>

#include "core/channel.h"

namespace netrt {

// Our user wants no more of this channel for now, or again.
void channelPause(Channel& channel, bool paused);

// The peer's user has consumed everything below the id. False: it can't, the id was never sent.
bool channelConsumed(Channel& channel, uint16_t id16);

// A packet that told a mark has its verdict.
void channelWindowVerdict(Channel& channel, int64_t id, bool acked);

}  // namespace netrt

#endif  // NETRT_CORE_WINDOW_H_
