// Messages of a channel on their way out: see channel.h.
#include "core/channel.h"

#include <algorithm>
#include <iterator>

#include "core/fragment.h"
#include "core/stats.h"

namespace netrt {

namespace {

void supersede(Channel& channel, Outlet& outlet, uint32_t peer);

}  // namespace

void channelReset(Channel& channel) {
  channel.first = nullptr;
  channel.last = nullptr;
  channel.fresh = nullptr;
  channel.listed = 0;
  channel.nextPlace = 0;
  channel.stalePlace = 0;
  channel.nextId = 0;
  channel.resends = 0;
  channel.copying = 0;
  channel.earliestExpiryUs = NO_DEADLINE;
  channel.holeFirst = NO_ID;
  channel.holeLast = NO_ID;
  channel.skipping = NO_ID;
  channel.expectedId = 0;
  channel.passId = 0;
  channel.heldFirst = nullptr;
  channel.heldLast = nullptr;
  channel.broken = false;
  channel.newestId = 0;
  std::fill(std::begin(channel.seen), std::end(channel.seen), 0);
  channel.gapId = NO_ID;
  channel.gapUs = 0;
  channel.gapOneWayUs = 0;
  channel.nackDueUs = NO_DEADLINE;
  channel.blockFirst = nullptr;
  channel.blockLast = nullptr;
  channel.consumedId = 0;
  channel.served = 0;
  channel.toldId = 0;
  channel.knownId = 0;
  channel.paused = false;
  channel.pausedId = 0;
}

void channelCount(Outlet& outlet, const Channel& channel, uint32_t counter, uint32_t amount) {
  statsAdd(outlet.page, statsChannelWord(channel.index, counter), amount);
}

bool channelRepaired(const Channel& channel) { return channel.policy->repair != REPAIR_NONE; }

bool channelTimely(const Channel& channel) { return channel.policy->repair == REPAIR_NACK; }

// ---- The way out ----

namespace {

// The record of a message in fragments: what its fate is reported from.
Message* groupCreate(Pool& pool, uint32_t bytes, uint32_t pieces, uint32_t tag) {
  Message* group = messageCreate(pool);
  group->bytes = bytes;
  group->pieces = static_cast<uint16_t>(pieces);
  group->tag = tag;
  return group;
}

}  // namespace

bool channelEnqueue(Channel& channel, Outlet& outlet, uint32_t peer, uint32_t body, uint32_t bytes,
                    uint32_t payloadBytes, uint64_t nowUs, uint32_t ttlMs, uint32_t tag) {
  if (channel.policy->order == ORDER_SEQUENCED) supersede(channel, outlet, peer);
  Pool& pool = outlet.pool;
  const bool whole = bytes <= wholeBytesMax(payloadBytes);
  const uint32_t count = whole ? 1 : fragmentCount(bytes, payloadBytes);
  if (pool.messagesFree < (whole ? 1 : count + 1)) return false;
  Message* group = whole ? nullptr : groupCreate(pool, bytes, count, tag);
  const uint64_t expiresUs = channelExpiryUs(channel, ttlMs, nowUs);
  for (uint32_t index = 0; index < count; index++) {
    Message* message = messageCreate(pool);
    message->body = body;
    message->tag = tag;
    message->bytes = bytes;
    if (group != nullptr) {
      message->group = group;
      message->index = index;
      message->total = bytes;
      message->start = index * fragmentBytes(payloadBytes);
      message->bytes = fragmentLength(bytes, payloadBytes, index);
    }
    if (index > 0) bodyRetain(pool, body);
    message->expiresUs = expiresUs;
    channelAppend(channel, *message);
  }
  channel.listed += 1;
  return true;
}

uint64_t channelExpiryUs(const Channel& channel, uint32_t ttlMs, uint64_t nowUs) {
  const uint32_t expiryMs = ttlMs == TTL_DEFAULT ? channel.policy->expiryMs : ttlMs;
  const bool bounded =
      expiryMs != EXPIRY_NEVER && (expiryMs != EXPIRY_SUPERSEDED || channelRepaired(channel));
  // What is of interest for this flush only must see it.
  const uint64_t lifeUs = std::max(uint64_t{expiryMs} * 1000, uint64_t{1});
  return bounded ? nowUs + lifeUs : NO_DEADLINE;
}

void channelAppend(Channel& channel, Message& message) {
  message.id = channel.nextId;
  message.place = channel.nextPlace;
  message.channel = static_cast<uint8_t>(channel.index);
  message.listed = true;
  channel.earliestExpiryUs = std::min(channel.earliestExpiryUs, message.expiresUs);
  channel.nextPlace += 1;
  message.previous = channel.last;
  if (channel.last == nullptr) {
    channel.first = &message;
  } else {
    channel.last->next = &message;
  }
  channel.last = &message;
  if (channel.fresh == nullptr) channel.fresh = &message;
}

namespace {

// Drops what was left unsent at the last flush.
void supersede(Channel& channel, Outlet& outlet, uint32_t peer) {
  while (channel.fresh != nullptr && channel.fresh->place < channel.stalePlace) {
    channelFinish(channel, outlet, peer, *channel.fresh, FATE_SUPERSEDED);
  }
}

}  // namespace

void channelFlushed(Channel& channel) { channel.stalePlace = channel.nextPlace; }

void channelUnlink(Channel& channel, Message& message) {
  if (channel.fresh == &message) channel.fresh = message.next;
  if (message.previous == nullptr) {
    channel.first = message.next;
  } else {
    message.previous->next = message.next;
  }
  if (message.next == nullptr) {
    channel.last = message.previous;
  } else {
    message.next->previous = message.previous;
  }
  message.listed = false;
  channelQuiet(channel, message);
}

void channelQuiet(Channel& channel, Message& message) {
  if (message.resend) {
    message.resend = false;
    channel.resends -= 1;
  }
  if (message.sent && message.copiesLeft > 0) {
    message.copiesLeft = 0;
    channel.copying -= 1;
  }
}

namespace {

void take(Channel& channel, Outlet& outlet, Message& message, uint32_t fate);
void takeGroup(Channel& channel, Outlet& outlet, Message& message, uint32_t fate);
void end(Channel& channel, Outlet& outlet, uint32_t peer, uint32_t tag, uint32_t bytes,
         uint32_t fate);

constexpr uint32_t FATE_COUNTERS[] = {
    0, CHANNEL_ACKED, CHANNEL_EXPIRED, CHANNEL_SUPERSEDED, CHANNEL_LOST, CHANNEL_DROPPED,
};

}  // namespace

void channelFinish(Channel& channel, Outlet& outlet, uint32_t peer, Message& message,
                   uint32_t fate) {
  Message* group = message.group;
  if (group == nullptr) {
    const uint32_t tag = message.tag;
    const uint32_t bytes = message.bytes;
    take(channel, outlet, message, fate);
    end(channel, outlet, peer, tag, bytes, fate);
    return;
  }
  if (fate == FATE_DELIVERED) {
    take(channel, outlet, message, fate);
    group->pieces -= 1;
    if (group->pieces > 0) return;
  } else {
    takeGroup(channel, outlet, message, fate);
  }
  end(channel, outlet, peer, group->tag, group->bytes, fate);
  messageRelease(outlet.pool, group);
}

namespace {

// Takes every fragment that is still in the list: they stand next to each other.
void takeGroup(Channel& channel, Outlet& outlet, Message& message, uint32_t fate) {
  const Message* group = message.group;
  Message* piece = &message;
  while (piece->previous != nullptr && piece->previous->group == group) piece = piece->previous;
  while (piece != nullptr && piece->group == group) {
    Message* next = piece->next;
    take(channel, outlet, *piece, fate);
    piece = next;
  }
}

void take(Channel& channel, Outlet& outlet, Message& message, uint32_t fate) {
  if (fate == FATE_EXPIRED && message.sent && channelRepaired(channel)) {
    const bool known = channel.holeFirst != NO_ID;
    channel.holeFirst = known ? std::min(channel.holeFirst, message.id) : message.id;
    channel.holeLast = std::max(channel.holeLast, message.id);
  }
  channelUnlink(channel, message);
  message.group = nullptr;
  messageForgetBody(outlet.pool, &message);
  messageUntie(outlet.pool, &message);
}

void end(Channel& channel, Outlet& outlet, uint32_t peer, uint32_t tag, uint32_t bytes,
         uint32_t fate) {
  channel.listed -= 1;
  channelReport(outlet, channel, peer, tag, bytes, fate);
  channelBreak(channel, fate);
}

}  // namespace

void channelReleased(Outlet& outlet, uint32_t peer, uint32_t bytes) {
  uint32_t* row = outlet.page + statsPeerWord(peer & 0xffff);
  row[PEER_RELEASED_BYTES] += bytes;
  row[PEER_RELEASED_MESSAGES] += 1;
}

void channelBreak(Channel& channel, uint32_t fate) {
  channel.broken =
      channel.broken || (channel.policy->strategy == STRATEGY_CRITICAL && fate != FATE_DELIVERED);
}

void channelReport(Outlet& outlet, const Channel& channel, uint32_t peer, uint32_t tag,
                   uint32_t bytes, uint32_t fate) {
  channelCount(outlet, channel, FATE_COUNTERS[fate], 1);
  channelReleased(outlet, peer, bytes);
  const bool broken = channelRepaired(channel) && fate != FATE_DELIVERED;
  if (tag == 0 && !broken) return;
  const int32_t word = ringPush(outlet.completion, RECORD_FATE, 0);
  if (word != NO_ROOM) {
    uint32_t* words = outlet.completion.words + word;
    words[1] = peer;
    words[2] = channel.index;
    words[4] = tag;
    words[5] = fate;
  }
}

bool channelWants(const Channel& channel, bool flushing) {
  return channel.resends > 0 || channelSkipDue(channel) || channelWindowDue(channel) ||
         (flushing && channelUnsent(channel) && channelInWindow(channel, channel.nextId));
}

bool channelIdle(const Channel& channel) {
  return channel.first == nullptr && channel.blockFirst == nullptr &&
         channel.heldFirst == nullptr && channel.passId <= channel.expectedId &&
         channel.holeFirst == NO_ID && channel.gapId == NO_ID && channel.nackDueUs == NO_DEADLINE &&
         channel.earliestExpiryUs == NO_DEADLINE && !channel.broken && !channelWindowDue(channel);
}

bool channelUnsent(const Channel& channel) {
  return channel.fresh != nullptr || channel.blockFirst != nullptr;
}

int64_t channelSkipId(const Channel& channel) {
  return channel.first != nullptr && channel.first->sent ? channel.first->id : channel.nextId;
}

namespace {

// The lowest id that the receiver may still wait for.
int64_t channelBase(const Channel& channel) {
  const int64_t first = channelSkipId(channel);
  return channel.holeFirst == NO_ID ? first : std::min(first, channel.holeFirst);
}

}  // namespace

bool channelInWindow(const Channel& channel, int64_t id) {
  if (!channelRepaired(channel)) return true;
  return id < std::min(channelBase(channel), channel.consumedId) + CHANNEL_WINDOW;
}

bool channelBlocked(const Channel& channel) {
  return channelRepaired(channel) && channelUnsent(channel) &&
         channel.nextId >= channelBase(channel) + CHANNEL_WINDOW;
}

bool channelTailed(const Channel& channel) {
  const Message* first = channel.first;
  return (channel.policy->repair & REPAIR_ACK) != 0 && first != nullptr && first->sent &&
         !first->resend;
}

bool channelHoled(const Channel& channel) {
  return channel.holeFirst != NO_ID && channelSkipId(channel) > channel.holeFirst;
}

bool channelSkipDue(const Channel& channel) {
  return channel.skipping == NO_ID && channelHoled(channel);
}

int64_t channelMark(const Channel& channel) {
  return channel.paused ? channel.pausedId : channel.expectedId;
}

bool channelWindowDue(const Channel& channel) {
  return channelRepaired(channel) && channelMark(channel) - channel.toldId >= WINDOW_STEP;
}

}  // namespace netrt
