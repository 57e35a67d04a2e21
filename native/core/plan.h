// Owns which messages of which channels ride in the packet under construction: the choice, and its
// order by channel and age.
// Never writes a byte, never changes a message but for its mark; the ranks among channels and kinds
// are fill's.
// Invariant: the messages chosen fit into the room that was given, with their frames' heads.
#ifndef NETRT_CORE_PLAN_H_
#define NETRT_CORE_PLAN_H_

#include <cstddef>
#include <cstdint>

#include "core/channel.h"
#include "core/limits.h"
#include "core/queue.h"

namespace netrt {

// The messages chosen for the packet under construction, and the room that they leave.
struct Plan {
  Message* messages[MESSAGES_PER_PACKET_MAX] = {};
  uint32_t count = 0;
  size_t room = 0;
  // Channels that have messages at all, by their priority: the others are not looked at.
  uint32_t busy[CHANNELS_MAX] = {};
  uint32_t busyCount = 0;
  // Channels that have unsent messages, by their share.
  uint32_t order[CHANNELS_MAX] = {};
};

void planReset(Plan& plan, size_t room);

// Notes the channels that have messages, of those whose bit in `busy` is set.
void planBusy(Plan& plan, const Channel* channels, uint64_t busy, uint32_t channelCount,
              const uint32_t* channelOrder);

// Plans unsent messages, oldest first.
void channelPlanFresh(Channel& channel, Plan& plan);

// Plans waiting pieces of blocks, once everything else of the channel that is unsent is planned.
void channelPlanBlocks(Channel& channel, Plan& plan);

// Plans messages whose packets are all lost, oldest first.
void channelPlanResends(Channel& channel, Plan& plan);

// Whether the oldest message was lost again and again. The receiver may be short of memory: it
// takes a packet of which it can't hold something but doesn't ack it, and the next packet would
// hold the same again.
bool channelStuck(const Channel& channel);

// Plans the oldest message, if its packets are all lost: it is the one that need not be held.
void channelPlanHead(Channel& channel, Plan& plan);

// Plans the oldest messages that were sent and still arrive in time, whether they are lost or not:
// what waits behind them can't go.
void channelPlanOldest(Channel& channel, Plan& plan, uint64_t arrivalUs);

// Plans copies of sent messages, newest first, so that what is left out is the oldest.
void channelPlanCopies(Channel& channel, Plan& plan);

// Sorts the channels that have unsent messages, but for sequenced ones, by what they had of the
// connection so far: start-time fair queueing (Goyal, Vin and Cheng, 1996). Who had nothing to send
// meanwhile takes no more than its share now. Answers how many there are.
uint32_t planShares(Plan& plan, Channel* channels, uint32_t channelCount);

}  // namespace netrt

#endif  // NETRT_CORE_PLAN_H_
