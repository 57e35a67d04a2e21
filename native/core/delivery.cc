// Messages of a channel on their way in: see delivery.h.
#include "core/delivery.h"

#include <algorithm>
#include <cstring>

#include "core/fragment.h"
#include "core/sequence.h"
#include "core/stats.h"

namespace netrt {

namespace {

// What a frame and a held message have in common: which part of what it is.
struct Piece {
  uint32_t total;
  uint32_t index;
  bool block;
  uint16_t number;
};

bool hold(Channel& channel, Outlet& outlet, int64_t id, const Frame& frame, const uint8_t* source,
          bool holds, uint64_t nowUs);
void receiveSequenced(Channel& channel, Outlet& outlet, uint32_t peer, int64_t id,
                      const Frame& frame, const uint8_t* source);
void receiveUnordered(Channel& channel, Outlet& outlet, uint32_t peer, int64_t id,
                      const Frame& frame, const uint8_t* source);
void skipUnordered(Channel& channel, Outlet& outlet);
bool releaseFirst(Channel& channel, Outlet& outlet, uint32_t peer);

void count(Outlet& outlet, const Channel& channel, uint32_t counter, uint32_t amount) {
  statsAdd(outlet.page, statsChannelWord(channel.index, counter), amount);
}

// Reserves the record of a message or a fragment; answers the byte offset of its body, or NO_ROOM.
int32_t deliver(const Channel& channel, Outlet& outlet, uint32_t peer, int64_t id,
                const Piece& piece, uint32_t bytes) {
  const bool whole = piece.total == 0;
  const uint32_t head = whole ? 0 : FRAGMENT_RECORD_BYTES;
  const uint32_t kind = whole ? RECORD_MESSAGE : piece.block ? RECORD_BLOCK : RECORD_FRAGMENT;
  const int32_t word = ringPush(outlet.completion, kind, head + bytes);
  if (word == NO_ROOM) return NO_ROOM;
  uint32_t* words = outlet.completion.words + word;
  words[1] = peer;
  words[2] = channel.index;
  words[4] = piece.block ? piece.number : static_cast<uint32_t>(id - int64_t{piece.index});
  words[5] = piece.index;
  if (!whole) {
    words[RECORD_WORDS] = piece.total;
    words[RECORD_WORDS + 1] = 0;
  }
  count(outlet, channel, whole ? CHANNEL_RECEIVED : CHANNEL_FRAGMENTS_RECEIVED, 1);
  count(outlet, channel, CHANNEL_BYTES_RECEIVED, bytes);
  return word * 4 + static_cast<int32_t>(RECORD_BYTES + head);
}

bool deliverFrame(const Channel& channel, Outlet& outlet, uint32_t peer, int64_t id,
                  const Frame& frame, const uint8_t* source) {
  const Piece piece = {frame.total, frame.index, frame.block, frame.number};
  const int32_t place = deliver(channel, outlet, peer, id, piece, frame.bytes);
  if (place == NO_ROOM) return false;
  if (frame.bytes > 0) {
    std::memcpy(outlet.completion.bytes + place, source + frame.offset, frame.bytes);
  }
  return true;
}

// Whether a lawful sender sends such a message on the channel.
bool deliveryLawful(const Channel& channel, const Frame& frame) {
  const Policy& policy = *channel.policy;
  if (frame.ageMs > 0 && !channelTimely(channel)) return false;
  if (frame.block) return frame.total <= policy.blockBytesMax;
  return std::max(frame.total, frame.bytes) <= policy.messageBytesMax;
}

}  // namespace

uint32_t deliveryReceive(Channel& channel, Outlet& outlet, uint32_t peer, const Frame& frame,
                         const uint8_t* source, bool holds, uint64_t nowUs) {
  if (!deliveryLawful(channel, frame)) return RECEIVE_VIOLATION;
  const int64_t id = sequenceExpand16(frame.id, static_cast<uint64_t>(channel.expectedId));
  if (id < channel.expectedId) {
    const bool late = channel.policy->order == ORDER_SEQUENCED && id != channel.expectedId - 1;
    count(outlet, channel, late ? CHANNEL_LATE : CHANNEL_DUPLICATES, 1);
    return RECEIVE_OK;
  }
  if (channel.policy->order == ORDER_SEQUENCED) {
    receiveSequenced(channel, outlet, peer, id, frame, source);
    return RECEIVE_OK;
  }
  if (id >= channel.expectedId + CHANNEL_ACCEPT) return RECEIVE_VIOLATION;
  if (channel.policy->order == ORDER_NONE) {
    receiveUnordered(channel, outlet, peer, id, frame, source);
    return RECEIVE_OK;
  }
  const bool turn =
      id == channel.expectedId && (channel.heldFirst == nullptr || channel.heldFirst->id != id);
  if (turn && deliverFrame(channel, outlet, peer, id, frame, source)) {
    channel.expectedId = id + 1;
  } else if (!hold(channel, outlet, id, frame, source, holds, nowUs)) {
    return RECEIVE_REFUSED;
  }
  return deliveryRelease(channel, outlet, peer);
}

namespace {

// Keeps a message that came before its turn, in the order of ids; false when it must not.
bool hold(Channel& channel, Outlet& outlet, int64_t id, const Frame& frame, const uint8_t* source,
          bool holds, uint64_t nowUs) {
  Message* before = channel.heldLast;
  while (before != nullptr && before->id > id) before = before->previous;
  if (before != nullptr && before->id == id) {
    count(outlet, channel, CHANNEL_DUPLICATES, 1);
    return true;
  }
  if (!holds) return false;
  Message* message = messageCreate(outlet.pool);
  NETRT_ASSERT(message != nullptr);
  message->id = id;
  // As if it had come by its first ride.
  const uint64_t ageUs = uint64_t{frame.ageMs} * 1000;
  message->rodeUs = nowUs > ageUs ? nowUs - ageUs : 0;
  message->bytes = frame.bytes;
  message->total = frame.total;
  message->index = frame.index;
  message->block = frame.block;
  message->number = frame.number;
  message->body = bodyCreate(outlet.pool, source, frame.offset, frame.bytes);
  message->previous = before;
  message->next = before == nullptr ? channel.heldFirst : before->next;
  if (message->next == nullptr) {
    channel.heldLast = message;
  } else {
    message->next->previous = message;
  }
  if (before == nullptr) {
    channel.heldFirst = message;
  } else {
    before->next = message;
  }
  return true;
}

}  // namespace

bool deliverySeen(const Channel& channel, int64_t id) {
  const uint32_t bit = static_cast<uint32_t>(id) & (CHANNEL_ACCEPT - 1);
  return (channel.seen[bit >> 5] & (uint32_t{1} << (bit & 31))) != 0;
}

namespace {

void setSeen(Channel& channel, int64_t id, bool seen) {
  const uint32_t bit = static_cast<uint32_t>(id) & (CHANNEL_ACCEPT - 1);
  const uint32_t mask = uint32_t{1} << (bit & 31);
  uint32_t& word = channel.seen[bit >> 5];
  word = seen ? word | mask : word & ~mask;
}

// Makes an id the newest; what is forgotten by then is CHANNEL_ACCEPT behind it.
void seenAdvance(Channel& channel, int64_t id) {
  for (int64_t next = std::max(channel.newestId, id - CHANNEL_ACCEPT + 1); next <= id; next++) {
    setSeen(channel, next, false);
  }
  channel.newestId = std::max(channel.newestId, id + 1);
}

bool seenWhole(const Channel& channel, int64_t firstId, int64_t end) {
  if (end > channel.newestId || firstId < channel.newestId - CHANNEL_ACCEPT) return false;
  for (int64_t id = firstId; id < end; id++) {
    if (!deliverySeen(channel, id)) return false;
  }
  return true;
}

// The newest wins; a message in fragments counts once all of them came.
void receiveSequenced(Channel& channel, Outlet& outlet, uint32_t peer, int64_t id,
                      const Frame& frame, const uint8_t* source) {
  if (frame.total == 0) {
    deliverFrame(channel, outlet, peer, id, frame, source);
    channel.expectedId = id + 1;
    return;
  }
  const int64_t firstId = id - int64_t{frame.index};
  if (firstId < channel.expectedId || id < channel.newestId - CHANNEL_ACCEPT) {
    count(outlet, channel, CHANNEL_LATE, 1);
    return;
  }
  seenAdvance(channel, id);
  if (deliverySeen(channel, id)) {
    count(outlet, channel, CHANNEL_DUPLICATES, 1);
    return;
  }
  if (deliverFrame(channel, outlet, peer, id, frame, source)) {
    setSeen(channel, id, true);
    const int64_t end = firstId + fragmentCount(frame.total, frame.payloadBytes);
    if (seenWhole(channel, firstId, end)) channel.expectedId = end;
  }
}

// Moves on over what came, and forgets it: its numbers come again.
void passSeen(Channel& channel) {
  while (deliverySeen(channel, channel.expectedId)) {
    setSeen(channel, channel.expectedId, false);
    channel.expectedId += 1;
  }
}

// An unordered channel hands over at once what it has not seen.
void receiveUnordered(Channel& channel, Outlet& outlet, uint32_t peer, int64_t id,
                      const Frame& frame, const uint8_t* source) {
  if (deliverySeen(channel, id)) {
    count(outlet, channel, CHANNEL_DUPLICATES, 1);
    return;
  }
  deliverFrame(channel, outlet, peer, id, frame, source);
  setSeen(channel, id, true);
  channel.newestId = std::max(channel.newestId, id + 1);
  passSeen(channel);
}

void skipUnordered(Channel& channel, Outlet& outlet) {
  for (; channel.expectedId < channel.passId; channel.expectedId++) {
    if (!deliverySeen(channel, channel.expectedId)) count(outlet, channel, CHANNEL_SKIPPED, 1);
    setSeen(channel, channel.expectedId, false);
  }
  channel.newestId = std::max(channel.newestId, channel.expectedId);
  passSeen(channel);
}

}  // namespace

uint32_t deliverySkip(Channel& channel, Outlet& outlet, uint32_t peer, uint16_t id16) {
  const int64_t id = sequenceExpand16(id16, static_cast<uint64_t>(channel.expectedId));
  const bool repaired = channel.policy->repair != REPAIR_NONE;
  if (!repaired || id > channel.expectedId + CHANNEL_ACCEPT) return RECEIVE_VIOLATION;
  channel.passId = std::max(channel.passId, id);
  if (channel.policy->order == ORDER_NONE) {
    skipUnordered(channel, outlet);
    return RECEIVE_OK;
  }
  return deliveryRelease(channel, outlet, peer);
}

uint32_t deliveryRelease(Channel& channel, Outlet& outlet, uint32_t peer) {
  for (;;) {
    const Message* held = channel.heldFirst;
    if (held != nullptr && held->id == channel.expectedId) {
      if (!releaseFirst(channel, outlet, peer)) return RECEIVE_HELD;
      channel.expectedId += 1;
    } else if (channel.expectedId < channel.passId) {
      const int64_t next = held == nullptr ? channel.passId : std::min(held->id, channel.passId);
      count(outlet, channel, CHANNEL_SKIPPED, static_cast<uint32_t>(next - channel.expectedId));
      channel.expectedId = next;
    } else {
      return RECEIVE_OK;
    }
  }
}

namespace {

bool releaseFirst(Channel& channel, Outlet& outlet, uint32_t peer) {
  if (ringRoom(outlet.completion) < COMPLETION_END_BYTES) return false;
  Message* message = channel.heldFirst;
  const Piece piece = {message->total, message->index, message->block, message->number};
  const int32_t place = deliver(channel, outlet, peer, message->id, piece, message->bytes);
  // A held message takes less than the room that there is.
  if (NETRT_NEVER(place == NO_ROOM)) return false;
  bodyCopy(outlet.pool, message->body, 0, message->bytes, outlet.completion.bytes,
           static_cast<size_t>(place));
  channel.heldFirst = message->next;
  if (message->next == nullptr) {
    channel.heldLast = nullptr;
  } else {
    message->next->previous = nullptr;
  }
  messageRelease(outlet.pool, message);
  return true;
}

}  // namespace

void deliveryDrop(Channel& channel, Outlet& outlet) {
  while (channel.heldFirst != nullptr) {
    Message* message = channel.heldFirst;
    channel.heldFirst = message->next;
    messageRelease(outlet.pool, message);
  }
  channel.heldLast = nullptr;
}

}  // namespace netrt
