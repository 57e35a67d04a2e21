// Messages of a channel on their way out: see channel.h.
#include "core/channel.h"

#include <algorithm>
#include <iterator>

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
  channel.nackDueUs = NO_DEADLINE;
}

namespace {

void count(Outlet& outlet, const Channel& channel, uint32_t counter, uint32_t amount) {
  statsAdd(outlet.page, statsChannelWord(channel.index, counter), amount);
}

}  // namespace

bool channelRepaired(const Channel& channel) { return channel.policy->repair != REPAIR_NONE; }

// ---- The way out ----

bool channelEnqueue(Channel& channel, Outlet& outlet, uint32_t peer, uint32_t body, uint32_t bytes,
                    uint64_t nowUs, uint32_t ttlMs, uint32_t tag) {
  if (channel.policy->order == ORDER_SEQUENCED) supersede(channel, outlet, peer);
  Message* message = messageCreate(outlet.pool);
  if (message == nullptr) return false;
  message->id = channel.nextId;
  message->place = channel.nextPlace;
  message->channel = static_cast<uint8_t>(channel.index);
  message->body = body;
  message->bytes = bytes;
  message->tag = tag;
  message->listed = true;
  const uint32_t expiryMs = ttlMs == TTL_DEFAULT ? channel.policy->expiryMs : ttlMs;
  const bool bounded =
      expiryMs != EXPIRY_NEVER && (expiryMs != EXPIRY_SUPERSEDED || channelRepaired(channel));
  // What is of interest for this flush only must see it.
  const uint64_t lifeUs = std::max(uint64_t{expiryMs} * 1000, uint64_t{1});
  message->expiresUs = bounded ? nowUs + lifeUs : NO_DEADLINE;
  channel.earliestExpiryUs = std::min(channel.earliestExpiryUs, message->expiresUs);
  channel.nextPlace += 1;
  message->previous = channel.last;
  if (channel.last == nullptr) {
    channel.first = message;
  } else {
    channel.last->next = message;
  }
  channel.last = message;
  if (channel.fresh == nullptr) channel.fresh = message;
  channel.listed += 1;
  return true;
}

namespace {

// Drops what was left unsent at the last flush.
void supersede(Channel& channel, Outlet& outlet, uint32_t peer) {
  Message* message = channel.fresh;
  while (message != nullptr && message->place < channel.stalePlace) {
    Message* next = message->next;
    channelFinish(channel, outlet, peer, *message, FATE_SUPERSEDED);
    message = next;
  }
}

}  // namespace

void channelFlushed(Channel& channel) { channel.stalePlace = channel.nextPlace; }

namespace {

void unlink(Channel& channel, Message& message) {
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
  channel.listed -= 1;
  if (message.resend) {
    message.resend = false;
    channel.resends -= 1;
  }
  if (message.sent && message.copiesLeft > 0) {
    message.copiesLeft = 0;
    channel.copying -= 1;
  }
}

constexpr uint32_t FATE_COUNTERS[] = {
    0, CHANNEL_ACKED, CHANNEL_EXPIRED, CHANNEL_SUPERSEDED, CHANNEL_LOST, CHANNEL_DROPPED,
};

// Counts a message that left the queue, for the user's back-pressure.
void released(Outlet& outlet, uint32_t peer, uint32_t bytes) {
  uint32_t* row = outlet.page + statsPeerWord(peer & 0xffff);
  row[PEER_RELEASED_BYTES] += bytes;
  row[PEER_RELEASED_MESSAGES] += 1;
}

}  // namespace

void channelFinish(Channel& channel, Outlet& outlet, uint32_t peer, Message& message,
                   uint32_t fate) {
  unlink(channel, message);
  messageForgetBody(outlet.pool, &message);
  channelReport(outlet, channel, peer, message.tag, message.bytes, fate);
  channelBreak(channel, fate);
  if (message.inFlight == 0) messageRelease(outlet.pool, &message);
}

void channelBreak(Channel& channel, uint32_t fate) {
  channel.broken =
      channel.broken || (channel.policy->strategy == STRATEGY_CRITICAL && fate != FATE_DELIVERED);
}

void channelReport(Outlet& outlet, const Channel& channel, uint32_t peer, uint32_t tag,
                   uint32_t bytes, uint32_t fate) {
  count(outlet, channel, FATE_COUNTERS[fate], 1);
  released(outlet, peer, bytes);
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
  return channel.resends > 0 || channelSkipDue(channel) ||
         (flushing && channel.fresh != nullptr && channelInWindow(channel, channel.nextId));
}

int64_t channelSkipId(const Channel& channel) {
  return channel.first != nullptr && channel.first->sent ? channel.first->id : channel.nextId;
}

bool channelInWindow(const Channel& channel, int64_t id) {
  if (!channelRepaired(channel)) return true;
  const int64_t first = channelSkipId(channel);
  const int64_t base = channel.holeFirst == NO_ID ? first : std::min(first, channel.holeFirst);
  return id < base + CHANNEL_WINDOW;
}

bool channelSkipDue(const Channel& channel) {
  return channel.holeFirst != NO_ID && channel.skipping == NO_ID &&
         channelSkipId(channel) > channel.holeFirst;
}

// ---- Riding ----

namespace {

// Copies for so much loss, in 65536ths: one always, more from 5, 15 and 30 % on.
uint8_t adaptiveCopies(int32_t lossShare) {
  constexpr int32_t STEPS[] = {3277, 9830, 19661};
  uint8_t copies = 1;
  for (const int32_t least : STEPS) {
    if (lossShare >= least) copies += 2;
  }
  return copies;
}

}  // namespace

uint32_t channelCarried(Channel& channel, Outlet& outlet, Message& message, int32_t lossShare,
                        uint64_t nowUs) {
  message.planned = false;
  message.inFlight += 1;
  message.rodeUs = nowUs;
  if (!message.sent) {
    message.sent = true;
    message.id = channel.nextId;
    channel.nextId += 1;
    channel.fresh = message.next;
    const uint32_t copies = channel.policy->copies;
    message.copiesLeft =
        copies == COPIES_ADAPTIVE ? adaptiveCopies(lossShare) : static_cast<uint8_t>(copies);
    if (message.copiesLeft > 0) {
      channel.copying += 1;
    } else if (!channelRepaired(channel)) {
      messageForgetBody(outlet.pool, &message);
    }
    count(outlet, channel, CHANNEL_SENT, 1);
    return RIDE_FIRST;
  }
  if (message.resend) {
    message.resend = false;
    channel.resends -= 1;
    return RIDE_RESEND;
  }
  message.copiesLeft -= 1;
  if (message.copiesLeft == 0) {
    channel.copying -= 1;
    if (!channelRepaired(channel)) messageForgetBody(outlet.pool, &message);
  }
  return RIDE_COPY;
}

void channelPass(Channel& channel, Outlet& outlet, uint32_t peer) {
  Message* message = channel.fresh;
  if (message == nullptr) return;
  count(outlet, channel, CHANNEL_SENT, 1);
  count(outlet, channel, CHANNEL_BYTES_SENT, message->bytes);
  unlink(channel, *message);
  released(outlet, peer, message->bytes);
  messageRelease(outlet.pool, message);
}

void channelTrim(Channel& channel, Outlet& outlet, uint32_t peer) {
  while (channel.policy->order == ORDER_SEQUENCED && channel.listed > SEQUENCED_KEPT_MAX &&
         channel.first != nullptr && channel.first->sent) {
    channelFinish(channel, outlet, peer, *channel.first, FATE_LOST);
  }
}

}  // namespace netrt
