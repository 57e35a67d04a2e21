// The choice of messages for a packet: see plan.h.
#include "core/plan.h"

#include <algorithm>

#include "core/block.h"
#include "core/frame.h"

namespace netrt {

namespace {

// A byte of a channel of weight 1, in the unit of shares: a multiple of every usual weight.
constexpr uint32_t SHARE_UNIT = 256;

bool planBefore(const Message& message, const Message& other);

}  // namespace

void planReset(Plan& plan, size_t room) {
  plan.count = 0;
  plan.room = room;
}

void planBusy(Plan& plan, const Channel* channels, uint64_t busy, uint32_t channelCount,
              const uint32_t* channelOrder) {
  plan.busyCount = 0;
  for (uint32_t rank = 0; rank < channelCount; rank++) {
    if ((busy >> channelOrder[rank] & 1) == 0) continue;
    const Channel& channel = channels[channelOrder[rank]];
    if (channel.first == nullptr && channel.blockFirst == nullptr) continue;
    plan.busy[plan.busyCount] = channelOrder[rank];
    plan.busyCount += 1;
  }
}

namespace {

size_t frameBytes(const Channel& channel, const Message& message) {
  const size_t bytes = message.total == 0 ? messageFrameBytes(message.bytes)
                                          : fragmentFrameBytes(message.block, message.bytes);
  return channelTimely(channel) ? bytes + AGE_BYTES_MAX : bytes;
}

bool planFits(const Plan& plan, size_t bytes) {
  return bytes <= plan.room && plan.count < MESSAGES_PER_PACKET_MAX;
}

// Takes a message into the plan if it fits, at the place that its channel and id give it.
bool planAdd(Plan& plan, Channel& channel, Message& message) {
  const size_t bytes = frameBytes(channel, message);
  if (!planFits(plan, bytes)) return false;
  plan.room -= bytes;
  channel.served += static_cast<uint32_t>(bytes) * SHARE_UNIT / channel.policy->priority;
  message.planned = true;
  uint32_t index = plan.count;
  while (index > 0 && planBefore(message, *plan.messages[index - 1])) {
    plan.messages[index] = plan.messages[index - 1];
    index -= 1;
  }
  plan.messages[index] = &message;
  plan.count += 1;
  return true;
}

bool planBefore(const Message& message, const Message& other) {
  return message.channel != other.channel ? message.channel < other.channel
                                          : message.place < other.place;
}

}  // namespace

void channelPlanFresh(Channel& channel, Plan& plan) {
  int64_t id = channel.nextId;
  for (Message* message = channel.fresh; message != nullptr; message = message->next) {
    if (!channelInWindow(channel, id) || !planAdd(plan, channel, *message)) return;
    id += 1;
  }
}

void channelPlanBlocks(Channel& channel, Plan& plan) {
  int64_t id = channel.nextId;
  for (const Message* message = channel.fresh; message != nullptr; message = message->next) {
    if (!message->planned) return;
    id += 1;
  }
  while (channel.blockFirst != nullptr && channelInWindow(channel, id) &&
         planFits(plan, frameBytes(channel, *channel.blockFirst))) {
    planAdd(plan, channel, *blockMove(channel));
    id += 1;
  }
}

void channelPlanResends(Channel& channel, Plan& plan) {
  uint32_t left = channel.resends;
  for (Message* message = channel.first; left > 0; message = message->next) {
    // As many as are counted are in the list.
    if (NETRT_NEVER(message == nullptr)) return;
    if (message->resend) {
      left -= 1;
      if (!message->planned && !planAdd(plan, channel, *message)) return;
    }
  }
}

bool channelStuck(const Channel& channel) {
  const Message* first = channel.first;
  return first != nullptr && first->resend && first->losses >= LOSSES_ALONE;
}

void channelPlanHead(Channel& channel, Plan& plan) {
  Message* first = channel.first;
  if (first != nullptr && first->resend && !first->planned) planAdd(plan, channel, *first);
}

void channelPlanOldest(Channel& channel, Plan& plan, uint64_t arrivalUs) {
  for (Message* message = channel.first; message != nullptr && message->sent;
       message = message->next) {
    const bool rides = !message->planned && arrivalUs <= message->expiresUs;
    if (rides && !planAdd(plan, channel, *message)) return;
  }
}

void channelPlanCopies(Channel& channel, Plan& plan) {
  uint32_t left = channel.copying;
  Message* message = channel.fresh == nullptr ? channel.last : channel.fresh->previous;
  for (; left > 0; message = message->previous) {
    // As many as are counted are in the list.
    if (NETRT_NEVER(message == nullptr)) return;
    if (message->copiesLeft > 0) {
      left -= 1;
      if (!message->planned && !planAdd(plan, channel, *message)) return;
    }
  }
}

uint32_t planShares(Plan& plan, Channel* channels, uint32_t channelCount) {
  uint32_t count = 0;
  for (uint32_t rank = 0; rank < plan.busyCount; rank++) {
    const uint32_t index = plan.busy[rank];
    const Channel& channel = channels[index];
    if (channel.policy->order == ORDER_SEQUENCED || !channelUnsent(channel)) continue;
    uint32_t place = count;
    while (place > 0 && channels[plan.order[place - 1]].served > channel.served) {
      plan.order[place] = plan.order[place - 1];
      place -= 1;
    }
    plan.order[place] = index;
    count += 1;
  }
  if (count == 0) return 0;
  const uint64_t least = channels[plan.order[0]].served;
  for (uint32_t index = 0; index < channelCount; index++) {
    channels[index].served = std::max(channels[index].served, least);
  }
  return count;
}

}  // namespace netrt
