// The choice of messages for a packet: see plan.h.
#include "core/plan.h"

#include "core/frame.h"

namespace netrt {

namespace {

bool planBefore(const Message& message, const Message& other);

}  // namespace

void planReset(Plan& plan, size_t room) {
  plan.count = 0;
  plan.room = room;
}

namespace {

// Takes a message into the plan if it fits, at the place that its channel and id give it.
bool planAdd(Plan& plan, Message& message) {
  const size_t bytes = messageFrameBytes(message.bytes);
  if (bytes > plan.room || plan.count == MESSAGES_PER_PACKET_MAX) return false;
  plan.room -= bytes;
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
    if (!channelInWindow(channel, id) || !planAdd(plan, *message)) return;
    id += 1;
  }
}

void channelPlanResends(Channel& channel, Plan& plan) {
  uint32_t left = channel.resends;
  for (Message* message = channel.first; left > 0 && message != nullptr; message = message->next) {
    if (message->resend) {
      left -= 1;
      if (!message->planned && !planAdd(plan, *message)) return;
    }
  }
}

bool channelStuck(const Channel& channel) {
  const Message* first = channel.first;
  return first != nullptr && first->resend && first->losses >= LOSSES_ALONE;
}

void channelPlanHead(Channel& channel, Plan& plan) {
  Message* first = channel.first;
  if (first != nullptr && first->resend && !first->planned) planAdd(plan, *first);
}

void channelPlanCopies(Channel& channel, Plan& plan) {
  uint32_t left = channel.copying;
  Message* message = channel.fresh == nullptr ? channel.last : channel.fresh->previous;
  for (; left > 0 && message != nullptr; message = message->previous) {
    if (message->copiesLeft > 0) {
      left -= 1;
      if (!message->planned && !planAdd(plan, *message)) return;
    }
  }
}

}  // namespace netrt
