// What riding does to a message: see ride.h.
#include "core/ride.h"

#include <algorithm>

#include "core/stats.h"

namespace netrt {

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

uint32_t channelAgeMs(const Channel& channel, const Message& message, uint64_t nowUs) {
  if (!channelTimely(channel) || message.expiresUs == NO_DEADLINE) return 0;
  const uint64_t endUs = nowUs + uint64_t{channel.policy->expiryMs} * 1000;
  if (endUs < message.expiresUs + AGE_MIN_US) return 0;
  const uint64_t ageMs = (endUs - message.expiresUs + 999) / 1000;
  return static_cast<uint32_t>(std::min(ageMs, uint64_t{VARINT_MAX}));
}

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
    if (message.block) {
      // A block waits for its turn as long as it takes; from here on it has the channel's time.
      message.expiresUs = channelExpiryUs(channel, TTL_DEFAULT, nowUs);
      channel.earliestExpiryUs = std::min(channel.earliestExpiryUs, message.expiresUs);
    }
    channelCount(outlet, channel, message.total > 0 ? CHANNEL_FRAGMENTS_SENT : CHANNEL_SENT, 1);
    if (message.group != nullptr && message.index == 0) {
      channelCount(outlet, channel, CHANNEL_SENT, 1);
    }
    return RIDE_FIRST;
  }
  if (message.resend) {
    message.resend = false;
    channel.resends -= 1;
    if (channelTimely(channel) && message.copiesLeft == 0) {
      // A second round trip rarely fits: a repair has a copy instead.
      message.copiesLeft = 1;
      channel.copying += 1;
    }
    return RIDE_RESEND;
  }
  if (message.copiesLeft == 0) return RIDE_COPY;
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
  channelCount(outlet, channel, CHANNEL_SENT, 1);
  channelCount(outlet, channel, CHANNEL_BYTES_SENT, message->bytes);
  channelUnlink(channel, *message);
  channel.listed -= 1;
  channelReleased(outlet, peer, message->bytes);
  messageRelease(outlet.pool, message);
}

void channelTrim(Channel& channel, Outlet& outlet, uint32_t peer) {
  while (channel.policy->order == ORDER_SEQUENCED && channel.listed > SEQUENCED_KEPT_MAX &&
         channel.first->sent) {
    channelFinish(channel, outlet, peer, *channel.first, FATE_LOST);
  }
}

}  // namespace netrt
