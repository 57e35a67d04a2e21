// Messages of a channel on their way out: see channel.h.
#include "core/channel.h"

#include <algorithm>

#include "core/stats.h"

namespace netrt {

namespace {

void supersede(Channel& channel, Outlet& outlet, uint32_t peer);
void finish(Channel& channel, Outlet& outlet, uint32_t peer, Message& message, uint32_t fate);
void expire(Channel& channel, Outlet& outlet, uint32_t peer, Message& message);

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
}

namespace {

bool repaired(const Channel& channel) { return channel.policy->repair != REPAIR_NONE; }

void count(Outlet& outlet, const Channel& channel, uint32_t counter, uint32_t amount) {
  statsAdd(outlet.page, statsChannelWord(channel.index, counter), amount);
}

}  // namespace

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
  const bool bounded = expiryMs != EXPIRY_NEVER && expiryMs != EXPIRY_SUPERSEDED;
  message->expiresUs = bounded ? nowUs + uint64_t{expiryMs} * 1000 : NO_DEADLINE;
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
    finish(channel, outlet, peer, *message, FATE_SUPERSEDED);
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

// Takes a message out of the list with its fate; the record goes once no packet points at it.
void finish(Channel& channel, Outlet& outlet, uint32_t peer, Message& message, uint32_t fate) {
  unlink(channel, message);
  messageForgetBody(outlet.pool, &message);
  channelReport(outlet, channel, peer, message.tag, message.bytes, fate);
  if (message.inFlight == 0) messageRelease(outlet.pool, &message);
}

// Counts a message that left the queue, for the user's back-pressure.
void released(Outlet& outlet, uint32_t peer, uint32_t bytes) {
  uint32_t* row = outlet.page + statsPeerWord(peer & 0xffff);
  row[PEER_RELEASED_BYTES] += bytes;
  row[PEER_RELEASED_MESSAGES] += 1;
}

}  // namespace

void channelReport(Outlet& outlet, const Channel& channel, uint32_t peer, uint32_t tag,
                   uint32_t bytes, uint32_t fate) {
  count(outlet, channel, FATE_COUNTERS[fate], 1);
  released(outlet, peer, bytes);
  const bool broken = repaired(channel) && fate != FATE_DELIVERED;
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
  if (channel.policy->order != ORDER_ORDERED) return true;
  const int64_t first = channelSkipId(channel);
  const int64_t base = channel.holeFirst == NO_ID ? first : std::min(first, channel.holeFirst);
  return id < base + CHANNEL_WINDOW;
}

bool channelSkipDue(const Channel& channel) {
  return channel.holeFirst != NO_ID && channel.skipping == NO_ID &&
         channelSkipId(channel) > channel.holeFirst;
}

// ---- Riding ----

uint32_t channelCarried(Channel& channel, Outlet& outlet, Message& message) {
  message.planned = false;
  message.inFlight += 1;
  if (!message.sent) {
    message.sent = true;
    message.id = channel.nextId;
    channel.nextId += 1;
    channel.fresh = message.next;
    message.copiesLeft = static_cast<uint8_t>(channel.policy->copies);
    if (message.copiesLeft > 0) {
      channel.copying += 1;
    } else if (!repaired(channel)) {
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
    if (!repaired(channel)) messageForgetBody(outlet.pool, &message);
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
    finish(channel, outlet, peer, *channel.first, FATE_LOST);
  }
}

// ---- Verdicts ----

void channelVerdict(Channel& channel, Outlet& outlet, uint32_t peer, Message& message, bool acked,
                    uint64_t nowUs) {
  message.inFlight -= 1;
  if (!message.listed) {
    if (message.inFlight == 0) messageRelease(outlet.pool, &message);
    return;
  }
  if (acked) {
    finish(channel, outlet, peer, message, FATE_DELIVERED);
    return;
  }
  if (message.inFlight > 0 || message.resend) return;
  if (message.expiresUs <= nowUs) {
    expire(channel, outlet, peer, message);
  } else if ((channel.policy->repair & REPAIR_ACK) != 0) {
    message.resend = true;
    if (message.losses < UINT8_MAX) message.losses += 1;
    channel.resends += 1;
  } else if (message.copiesLeft == 0) {
    finish(channel, outlet, peer, message, FATE_LOST);
  }
}

void channelSkipVerdict(Channel& channel, int64_t skipId, bool acked) {
  channel.skipping = NO_ID;
  if (!acked) return;
  if (skipId > channel.holeLast) {
    channel.holeFirst = NO_ID;
    channel.holeLast = NO_ID;
  } else if (skipId > channel.holeFirst) {
    channel.holeFirst = skipId;
  }
}

void channelForget(Outlet& outlet, Message& message) {
  message.inFlight -= 1;
  if (message.inFlight == 0) messageRelease(outlet.pool, &message);
}

// ---- Expiry (R-44) ----

namespace {

void expire(Channel& channel, Outlet& outlet, uint32_t peer, Message& message) {
  if (message.sent && channel.policy->order == ORDER_ORDERED) {
    const bool known = channel.holeFirst != NO_ID;
    channel.holeFirst = known ? std::min(channel.holeFirst, message.id) : message.id;
    channel.holeLast = std::max(channel.holeLast, message.id);
  }
  finish(channel, outlet, peer, message, FATE_EXPIRED);
}

}  // namespace

void channelExpire(Channel& channel, Outlet& outlet, uint32_t peer, uint64_t nowUs) {
  if (nowUs < channel.earliestExpiryUs) return;
  uint64_t earliestUs = NO_DEADLINE;
  Message* message = channel.first;
  while (message != nullptr) {
    Message* next = message->next;
    if (message->expiresUs > nowUs) {
      earliestUs = std::min(earliestUs, message->expiresUs);
    } else if (message->inFlight == 0) {
      expire(channel, outlet, peer, *message);
    }
    message = next;
  }
  channel.earliestExpiryUs = earliestUs;
}

void channelDrop(Channel& channel, Outlet& outlet, uint32_t peer) {
  while (channel.first != nullptr) finish(channel, outlet, peer, *channel.first, FATE_DROPPED);
}

}  // namespace netrt
