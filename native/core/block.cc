// Blocks that wait: see block.h.
#include "core/block.h"

namespace netrt {

bool blockEnqueue(Channel& channel, Outlet& outlet, uint32_t body, uint32_t bytes, uint16_t number,
                  uint32_t index, uint32_t total, uint32_t tag) {
  Message* message = messageCreate(outlet.pool);
  if (message == nullptr) return false;
  message->channel = static_cast<uint8_t>(channel.index);
  message->body = body;
  message->bytes = bytes;
  message->block = true;
  message->number = number;
  message->index = index;
  message->total = total;
  message->tag = tag;
  message->expiresUs = NO_DEADLINE;
  if (channel.blockLast == nullptr) {
    channel.blockFirst = message;
  } else {
    channel.blockLast->next = message;
  }
  channel.blockLast = message;
  return true;
}

Message* blockMove(Channel& channel) {
  Message* message = channel.blockFirst;
  channel.blockFirst = message->next;
  if (message->next == nullptr) channel.blockLast = nullptr;
  message->next = nullptr;
  channelAppend(channel, *message);
  channel.listed += 1;
  return message;
}

void blockDrop(Channel& channel, Outlet& outlet, uint32_t peer) {
  while (channel.blockFirst != nullptr) {
    Message* message = channel.blockFirst;
    channel.blockFirst = message->next;
    channelReport(outlet, channel, peer, message->tag, message->bytes, FATE_DROPPED);
    messageRelease(outlet.pool, message);
  }
  channel.blockLast = nullptr;
}

}  // namespace netrt
