// Owns what riding in a packet does to a message: ids (given at the first ride), copies left, and
// how many messages of a sequenced channel are kept. Never chooses what rides (plan does), never
// writes a byte.
#ifndef NETRT_CORE_RIDE_H_
#define NETRT_CORE_RIDE_H_

#include <cstdint>

#include "core/channel.h"
#include "core/queue.h"

namespace netrt {

// What riding in this packet was for a message.
constexpr uint32_t RIDE_FIRST = 0;
constexpr uint32_t RIDE_RESEND = 1;
constexpr uint32_t RIDE_COPY = 2;

// How old a message is (ms), as its receiver counts: its time ends when the channel's does.
uint32_t channelAgeMs(const Channel& channel, const Message& message, uint64_t nowUs);

// A planned message went into a packet; answers which kind of ride it was.
uint32_t channelCarried(Channel& channel, Outlet& outlet, Message& message, int32_t lossShare,
                        uint64_t nowUs);

// Bare NETCODE: the oldest unsent message went out, and that is all that is ever known of it.
void channelPass(Channel& channel, Outlet& outlet, uint32_t peer);

// Keeps the list of a sequenced channel short: the oldest sent message is given up as lost.
void channelTrim(Channel& channel, Outlet& outlet, uint32_t peer);

}  // namespace netrt

#endif  // NETRT_CORE_RIDE_H_
