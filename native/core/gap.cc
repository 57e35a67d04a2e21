// Ids that have not come: see gap.h.
#include "core/gap.h"

#include <algorithm>
#include <cstring>

#include "core/delivery.h"

namespace netrt {

namespace {

// The id behind the highest that came.
int64_t arrivedEnd(const Channel& channel) {
  if (channel.policy->order == ORDER_NONE) return std::max(channel.newestId, channel.expectedId);
  return channel.heldLast == nullptr ? channel.expectedId : channel.heldLast->id + 1;
}

// When the oldest of what is held came, or would have by its first ride (µs). Each gap once had a
// time of its own, and what lay behind several of them waited for all (test/matrix).
uint64_t heldSinceUs(const Channel& channel, uint64_t nowUs) {
  uint64_t sinceUs = nowUs;
  for (const Message* held = channel.heldFirst; held != nullptr; held = held->next) {
    sinceUs = std::min(sinceUs, held->rodeUs);
  }
  return sinceUs;
}

}  // namespace

bool gapUrgent(const Channel& channel) { return channel.gapId != NO_ID && channelTimely(channel); }

void gapUpdate(Channel& channel, uint64_t nowUs, uint64_t delayUs, uint64_t oneWayUs) {
  channel.gapOneWayUs = oneWayUs;
  const bool due = channel.heldFirst != nullptr && channel.heldFirst->id == channel.expectedId;
  if (arrivedEnd(channel) == channel.expectedId || due) {
    channel.gapId = NO_ID;
    channel.nackDueUs = NO_DEADLINE;
  } else if (channel.gapId != channel.expectedId) {
    channel.gapId = channel.expectedId;
    if ((channel.policy->repair & REPAIR_NACK) != 0) {
      channel.nackDueUs = std::min(channel.nackDueUs, nowUs + delayUs);
    }
  }
  // A repair is older than what came before it.
  channel.gapUs = gapUrgent(channel) ? heldSinceUs(channel, nowUs) : nowUs;
}

namespace {

// How long what came waits for what is missing (µs): it has been under way for half a round trip
// already. Where that alone takes longer than a message may, only for what it overtook.
uint64_t waitUs(const Channel& channel) {
  const uint64_t expiryUs = uint64_t{channel.policy->expiryMs} * 1000;
  return expiryUs > channel.gapOneWayUs ? expiryUs - channel.gapOneWayUs
                                        : std::min(expiryUs, channel.gapOneWayUs / 4);
}

}  // namespace

uint64_t gapDeadlineUs(const Channel& channel) {
  return gapUrgent(channel) ? channel.gapUs + waitUs(channel) : NO_DEADLINE;
}

void gapExpire(Channel& channel, uint64_t nowUs) {
  if (nowUs < gapDeadlineUs(channel) || channel.heldFirst == nullptr) return;
  channel.passId = channel.heldFirst->id;
  // Every gap below what has waited so long: one passed at each turn, those behind it once waited
  // for as many turns (test/fuzz).
  for (const Message* held = channel.heldFirst; held != nullptr; held = held->next) {
    if (nowUs >= held->rodeUs + waitUs(channel)) channel.passId = held->id;
  }
  channel.gapId = NO_ID;
  channel.nackDueUs = NO_DEADLINE;
}

uint32_t gapMissing(const Channel& channel, uint8_t* bits, size_t offset) {
  const int64_t reach = channel.expectedId + 1 + int64_t{NACK_BITS_BYTES_MAX} * 8;
  const int64_t end = std::min(arrivedEnd(channel), reach);
  uint32_t bytes = 0;
  std::memset(bits + offset, 0, NACK_BITS_BYTES_MAX);
  // What is held ends where the loop does, so there is always a next.
  const Message* held = channel.heldFirst;
  for (int64_t id = channel.expectedId + 1; id < end; id++) {
    const bool came =
        channel.policy->order == ORDER_NONE ? deliverySeen(channel, id) : held->id == id;
    if (!came) {
      const uint32_t index = static_cast<uint32_t>(id - channel.expectedId - 1);
      bits[offset + (index >> 3)] |= static_cast<uint8_t>(1 << (index & 7));
      bytes = (index >> 3) + 1;
    } else if (held != nullptr) {
      held = held->next;
    }
  }
  return bytes;
}

}  // namespace netrt
