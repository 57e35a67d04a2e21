// What becomes of messages that were sent: see repair.h.
#include "core/repair.h"

#include <algorithm>

#include "core/block.h"
#include "core/sequence.h"

namespace netrt {

namespace {

bool resend(Channel& channel, Outlet& outlet, uint32_t peer, Message& message, uint64_t arrivalUs);

// Whether the sender's verdicts say what rides again.
bool repairsByAcks(const Channel& channel) { return (channel.policy->repair & REPAIR_ACK) != 0; }

// Whether the message may have arrived: a packet with it is undecided, or unsettled. A channel that
// repairs by acks doesn't wait for the latter: its receiver waits for the skip.
bool mayHaveArrived(const Channel& channel, const Message& message) {
  return message.inFlight > 0 || (message.unsettled > 0 && !repairsByAcks(channel));
}

}  // namespace

// ---- Verdicts ----

bool channelVerdict(Channel& channel, Outlet& outlet, uint32_t peer, Message& message, bool acked,
                    uint64_t nowUs, uint64_t arrivalUs) {
  message.inFlight -= 1;
  if (!message.listed) {
    messageUntie(outlet.pool, &message);
    return false;
  }
  if (acked) {
    channelFinish(channel, outlet, peer, message, FATE_DELIVERED);
    return false;
  }
  message.unsettled += 1;
  if (message.inFlight == 0 && !message.resend && repairsByAcks(channel)) {
    if (message.expiresUs <= nowUs) {
      channelFinish(channel, outlet, peer, message, FATE_EXPIRED);
    } else {
      if (message.losses < UINT8_MAX) message.losses += 1;
      resend(channel, outlet, peer, message, arrivalUs);
    }
  }
  return true;
}

void channelSettled(Channel& channel, Outlet& outlet, uint32_t peer, Message& message, bool acked,
                    uint64_t nowUs) {
  message.unsettled -= 1;
  if (!message.listed) {
    messageUntie(outlet.pool, &message);
  } else if (acked) {
    channelFinish(channel, outlet, peer, message, FATE_DELIVERED);
  } else if (!repairsByAcks(channel) && !mayHaveArrived(channel, message)) {
    if (message.expiresUs <= nowUs) {
      channelFinish(channel, outlet, peer, message, FATE_EXPIRED);
    } else if (!channelRepaired(channel) && message.copiesLeft == 0) {
      channelFinish(channel, outlet, peer, message, FATE_LOST);
    }
  }
}

namespace {

// The message rides again if it still arrives in time; else its time is over now: false.
bool resend(Channel& channel, Outlet& outlet, uint32_t peer, Message& message, uint64_t arrivalUs) {
  if (arrivalUs <= message.expiresUs) {
    message.resend = true;
    channel.resends += 1;
  } else if (!mayHaveArrived(channel, message) && message.copiesLeft == 0) {
    channelFinish(channel, outlet, peer, message, FATE_EXPIRED);
    return false;
  }
  return true;
}

// Whether a nack whose first missing id is `firstId` names this id.
bool isNamed(int64_t id, int64_t firstId, const uint8_t* bits, size_t offset, uint32_t bytes) {
  const int64_t index = id - firstId - 1;
  if (index < 0) return index == -1;
  if (index >= static_cast<int64_t>(bytes) * 8) return false;
  return (bits[offset + static_cast<size_t>(index >> 3)] & (1 << (index & 7))) != 0;
}

}  // namespace

bool channelNacked(Channel& channel, Outlet& outlet, uint32_t peer, uint16_t id16,
                   const uint8_t* bits, size_t offset, uint32_t bytes, uint64_t nowUs,
                   uint64_t roundTripUs) {
  const int64_t firstId = sequenceExpand16(id16, static_cast<uint64_t>(channel.nextId));
  if (firstId >= channel.nextId || (channel.policy->repair & REPAIR_NACK) == 0) return false;
  const uint64_t arrivalUs = nowUs + roundTripUs / 2;
  Message* message = channel.first;
  while (message != nullptr && message->sent) {
    const bool grouped = message->group != nullptr;
    Message* next = message->next;
    if (isNamed(message->id, firstId, bits, offset, bytes) && !message->resend &&
        nowUs >= message->rodeUs + roundTripUs) {
      if (!resend(channel, outlet, peer, *message, arrivalUs) && grouped) next = channel.first;
    }
    message = next;
  }
  return true;
}

void channelForgo(Channel& channel, Outlet& outlet, uint32_t peer, uint64_t nowUs,
                  uint64_t oneWayUs) {
  if (!channelTimely(channel)) return;
  // Where nothing comes in time, each goes once.
  const bool hopeful = oneWayUs < uint64_t{channel.policy->expiryMs} * 1000;
  const int64_t stalePlace = hopeful ? channel.stalePlace : 0;
  const uint64_t arrivalUs = nowUs + oneWayUs;
  Message* message = channel.resends + channel.copying > 0 ? channel.first : channel.fresh;
  while (message != nullptr && (message->sent || message->place < stalePlace)) {
    Message* next = message->next;
    const bool wants = !message->sent || message->resend || message->copiesLeft > 0;
    if (wants && arrivalUs > message->expiresUs) {
      const bool grouped = message->group != nullptr;
      channelQuiet(channel, *message);
      if (!mayHaveArrived(channel, *message)) {
        channelFinish(channel, outlet, peer, *message, FATE_EXPIRED);
        if (grouped) next = channel.first;
      }
    }
    message = next;
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
  if (message.inFlight > 0) {
    message.inFlight -= 1;
  } else {
    message.unsettled -= 1;
  }
  messageUntie(outlet.pool, &message);
}

// ---- Expiry (R-44) ----

void channelExpire(Channel& channel, Outlet& outlet, uint32_t peer, uint64_t nowUs) {
  if (nowUs < channel.earliestExpiryUs) return;
  uint64_t earliestUs = NO_DEADLINE;
  Message* message = channel.first;
  while (message != nullptr) {
    Message* next = message->next;
    if (message->expiresUs > nowUs) {
      earliestUs = std::min(earliestUs, message->expiresUs);
    } else if (!mayHaveArrived(channel, *message)) {
      // The rest of a message in fragments goes with the first of them.
      const bool grouped = message->group != nullptr;
      channelFinish(channel, outlet, peer, *message, FATE_EXPIRED);
      if (grouped) next = channel.first;
    }
    message = next;
  }
  channel.earliestExpiryUs = earliestUs;
}

void channelDrop(Channel& channel, Outlet& outlet, uint32_t peer) {
  while (channel.first != nullptr) {
    channelFinish(channel, outlet, peer, *channel.first, FATE_DROPPED);
  }
  blockDrop(channel, outlet, peer);
}

}  // namespace netrt
