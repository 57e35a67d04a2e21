// What users have consumed of a channel: see window.h.
#include "core/window.h"

#include <algorithm>

#include "core/sequence.h"

namespace netrt {

void channelPause(Channel& channel, bool paused) {
  if (paused && !channel.paused) channel.pausedId = channel.expectedId;
  channel.paused = paused;
}

bool channelConsumed(Channel& channel, uint16_t id16) {
  const int64_t id = sequenceExpand16(id16, static_cast<uint64_t>(channel.nextId));
  if (id > channel.nextId || !channelRepaired(channel)) return false;
  channel.consumedId = std::max(channel.consumedId, id);
  return true;
}

void channelWindowVerdict(Channel& channel, int64_t id, bool acked) {
  if (acked) {
    channel.knownId = std::max(channel.knownId, id);
  } else if (id == channel.toldId) {
    channel.toldId = channel.knownId;
  }
}

}  // namespace netrt
