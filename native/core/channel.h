// Owns the messages of one channel of one connection: order, repair, copies, expiry; and which of
// them ride in a packet (the way in is delivery's). One machine serves every policy; a strategy is
// a policy, not a code path. Never knows an address, a packet's number or a clock: time comes in,
// and what a packet carried comes back with its verdict. Invariants: the send list is in the order
// of sending, unsent messages are its tail (from `fresh` on); ids are given at the first ride, so
// what is never sent leaves no gap; an ordered channel never sends an id CHANNEL_WINDOW or more
// above the lowest that the receiver may still wait for; a message leaves the list exactly
// once, with one fate.
#ifndef NETRT_CORE_CHANNEL_H_
#define NETRT_CORE_CHANNEL_H_

#include <cstddef>
#include <cstdint>

#include "core/limits.h"
#include "core/policy.h"
#include "core/queue.h"
#include "core/ring.h"
#include "core/timers.h"

namespace netrt {

// ---- Fates of a message (R-45) ----

constexpr uint32_t FATE_DELIVERED = 1;
constexpr uint32_t FATE_EXPIRED = 2;
constexpr uint32_t FATE_SUPERSEDED = 3;
constexpr uint32_t FATE_LOST = 4;
constexpr uint32_t FATE_DROPPED = 5;

// What a channel needs from its host: shared memory, the ring to its user, the page of counters.
struct Outlet {
  Pool pool;
  Ring completion;
  uint32_t* page = nullptr;
};

constexpr int64_t NO_ID = -1;

struct Channel {
  const Policy* policy = nullptr;
  uint32_t index = 0;

  // ---- Sending ----

  uint32_t listed = 0;
  Message* first = nullptr;
  Message* last = nullptr;
  // The first message that was never in a packet; the list behind it is unsent too.
  Message* fresh = nullptr;
  // The place in line of the next message.
  int64_t nextPlace = 0;
  // Unsent messages with a lower place missed their flush: a newer one supersedes them.
  int64_t stalePlace = 0;
  // The id that the next message gets when it is first sent.
  int64_t nextId = 0;
  // Listed messages whose packets are all lost.
  uint32_t resends = 0;
  // Sent messages that still have copies to ride.
  uint32_t copying = 0;
  uint64_t earliestExpiryUs = NO_DEADLINE;
  // Ids from the first to the last that were sent, given up and not yet skipped.
  int64_t holeFirst = NO_ID;
  int64_t holeLast = NO_ID;
  // The skip that a packet carries now, or NO_ID.
  int64_t skipping = NO_ID;
  // A critical channel gave a message up: the connection must end.
  bool broken = false;

  // ---- Receiving ----

  // Ordered: the id to deliver next. Sequenced: the id behind the newest delivered.
  int64_t expectedId = 0;
  // Gaps below this id are passed: the sender gave them up.
  int64_t passId = 0;
  Message* heldFirst = nullptr;
  Message* heldLast = nullptr;
  // Unordered: the id behind the highest received, and which of the last CHANNEL_ACCEPT came.
  int64_t newestId = 0;
  uint32_t seen[CHANNEL_ACCEPT / 32] = {};
  // The id that everything behind it waits for, and since when (µs); NO_ID for none.
  int64_t gapId = NO_ID;
  uint64_t gapUs = 0;
  // When what is missing is named next.
  uint64_t nackDueUs = NO_DEADLINE;
};

void channelReset(Channel& channel);

// ---- The way out ----

// Appends a message that holds `body` (its reference passes to the channel). False: no memory
//
bool channelEnqueue(Channel& channel, Outlet& outlet, uint32_t peer, uint32_t body, uint32_t bytes,
                    uint64_t nowUs, uint32_t ttlMs, uint32_t tag);

// At the end of a flush: what is unsent now will be superseded by the next message.
void channelFlushed(Channel& channel);

// Whether what is lost rides again.
bool channelRepaired(const Channel& channel);

// Takes a message out of the list with its fate; the record goes once no packet points at it.
void channelFinish(Channel& channel, Outlet& outlet, uint32_t peer, Message& message,
                   uint32_t fate);

// A critical channel doesn't outlive a message that it could not deliver.
void channelBreak(Channel& channel, uint32_t fate);

// Counts a fate and tells the user when it was asked for, or when a promise was not kept.
void channelReport(Outlet& outlet, const Channel& channel, uint32_t peer, uint32_t tag,
                   uint32_t bytes, uint32_t fate);

// Whether something would ride in a packet now; unsent messages count only during a flush.
bool channelWants(const Channel& channel, bool flushing);

// The first id that still matters to the receiver: the oldest sent and listed, or the next.
int64_t channelSkipId(const Channel& channel);

// Whether an id may be on the wire now.
bool channelInWindow(const Channel& channel, int64_t id);

bool channelSkipDue(const Channel& channel);

// ---- Riding ----

// What riding in this packet was for a message.
constexpr uint32_t RIDE_FIRST = 0;
constexpr uint32_t RIDE_RESEND = 1;
constexpr uint32_t RIDE_COPY = 2;

// A planned message went into a packet; answers which kind of ride it was.
uint32_t channelCarried(Channel& channel, Outlet& outlet, Message& message, int32_t lossShare,
                        uint64_t nowUs);

// Bare NETCODE: the oldest unsent message went out, and that is all that is ever known of it.
void channelPass(Channel& channel, Outlet& outlet, uint32_t peer);

// Keeps the list of a sequenced channel short: the oldest sent message is given up as lost.
void channelTrim(Channel& channel, Outlet& outlet, uint32_t peer);

}  // namespace netrt

#endif  // NETRT_CORE_CHANNEL_H_
