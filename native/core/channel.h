// Owns the state of one channel of one connection and its line of messages (what rides is plan's
// and ride's, the way in delivery's). One machine serves every policy; a strategy is a policy, not
// a code path. Never knows an address, a packet's number or a clock: time comes in, and what a
// packet carried comes back with its verdict. Invariants: the send list is in the order of sending,
// unsent messages are its tail (from `fresh` on); ids are given at the first ride, so what is never
// sent leaves no gap; an ordered channel never sends an id CHANNEL_WINDOW or more above the lowest
// that the receiver may still wait for; a message leaves the list exactly once, with one
// fate. A long message stands in the list as its fragments, one behind the other, and leaves
// it with the first of them that is given up.
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

  // Messages in the list; the fragments of one count as one.
  uint32_t listed = 0;
  Message* first = nullptr;
  Message* last = nullptr;
  // The first message that was never in a packet; the list behind it is unsent too.
  Message* fresh = nullptr;
  // Fragments of blocks that wait behind everything else.
  Message* blockFirst = nullptr;
  Message* blockLast = nullptr;
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
  // The peer's user has consumed everything below this id.
  int64_t consumedId = 0;
  // Bytes that rode, by the channel's weight: whoever has the least goes first.
  uint64_t served = 0;
  // A critical channel gave a message up: the connection must end.
  bool broken = false;

  // ---- Receiving ----

  // Ordered: the id to deliver next. Sequenced: the id behind the newest delivered.
  int64_t expectedId = 0;
  // Gaps below this id are passed: the sender gave them up.
  int64_t passId = 0;
  Message* heldFirst = nullptr;
  Message* heldLast = nullptr;
  // Unordered, and fragments of sequenced: the id behind the highest received.
  int64_t newestId = 0;
  // The id that everything behind it waits for, and since when (µs); NO_ID for none.
  int64_t gapId = NO_ID;
  uint64_t gapUs = 0;
  // Half a round trip, when that was looked at last (µs).
  uint64_t gapOneWayUs = 0;
  // When what is missing is named next.
  uint64_t nackDueUs = NO_DEADLINE;
  // The peer was told that our user has consumed everything below toldId, and knows it of knownId.
  int64_t toldId = 0;
  int64_t knownId = 0;
  // Our user wants no more for now: what came from pausedId on doesn't count as consumed.
  bool paused = false;
  int64_t pausedId = 0;
  // Which of the last CHANNEL_ACCEPT before newestId came; where only nacks repair, which before
  // expectedId were passed. Behind what every message touches.
  uint32_t seen[CHANNEL_ACCEPT / 32] = {};
  // Of each group of ids (id / HELD_GROUP_IDS) the last message that is held.
  Message* heldTops[HELD_GROUPS] = {};
};

void channelReset(Channel& channel);

// ---- The way out ----

// Appends a message that holds `body`, whose reference passes to the channel: in one piece, or in
// fragments of one body where a payload of `payloadBytes` doesn't hold it. False: no memory.
bool channelEnqueue(Channel& channel, Outlet& outlet, uint32_t peer, uint32_t body, uint32_t bytes,
                    uint32_t payloadBytes, uint64_t nowUs, uint32_t ttlMs, uint32_t tag);

// When a message of the channel that starts now ends to be of interest (µs), or NO_DEADLINE.
uint64_t channelExpiryUs(const Channel& channel, uint32_t ttlMs, uint64_t nowUs);

// Puts an unsent message at the end of the list.
void channelAppend(Channel& channel, Message& message);

// At the end of a flush: what is unsent now will be superseded by the next message.
void channelFlushed(Channel& channel);

// Whether what is lost rides again.
bool channelRepaired(const Channel& channel);

// Whether only nacks repair: what comes after its time is worth nothing, and nothing waits for it.
bool channelTimely(const Channel& channel);

// The message rides no more, but for what carries it already.
void channelQuiet(Channel& channel, Message& message);

// Takes a message out of the list, and out of what the channel counts of it.
void channelUnlink(Channel& channel, Message& message);

// Takes a message out of the list with its fate. A fragment that arrived leaves the rest of its
// message behind; one that is given up takes the rest along, so a caller that walks the list starts
// over.
void channelFinish(Channel& channel, Outlet& outlet, uint32_t peer, Message& message,
                   uint32_t fate);

// A critical channel doesn't outlive a message that it could not deliver.
void channelBreak(Channel& channel, uint32_t fate);

void channelCount(Outlet& outlet, const Channel& channel, uint32_t counter, uint32_t amount);

// Counts a message that left the queue, for the user's back-pressure.
void channelReleased(Outlet& outlet, uint32_t peer, uint32_t bytes);

// Counts a fate and tells the user when it was asked for, or when a promise was not kept.
void channelReport(Outlet& outlet, const Channel& channel, uint32_t peer, uint32_t tag,
                   uint32_t bytes, uint32_t fate);

// Whether something would ride in a packet now; unsent messages count only during a flush.
bool channelWants(const Channel& channel, bool flushing);

// Whether nothing of the channel is under way, missing, due or to be told: until more happens to
// it, there is no need to look at it.
bool channelIdle(const Channel& channel);

// Whether anything waits for its first packet.
bool channelUnsent(const Channel& channel);

// The first id that still matters to the receiver: the oldest sent and listed, or the next.
int64_t channelSkipId(const Channel& channel);

// Whether an id may be on the wire now: the receiver's window and its user's have room (R-43,
//
bool channelInWindow(const Channel& channel, int64_t id);

// Whether what is unsent waits for an ack of the oldest id: the receiver's window is full.
bool channelBlocked(const Channel& channel);

// Whether an ack of the oldest message is waited for, and nothing else sends it again.
bool channelTailed(const Channel& channel);

// Whether ids were given up that the receiver may not know of.
bool channelHoled(const Channel& channel);

// Whether no packet is on its way that tells of them.
bool channelSkipDue(const Channel& channel);

// What our user has consumed: what was handed over, but for what came since it paused.
int64_t channelMark(const Channel& channel);

// Whether the peer is to be told how much our user has consumed.
bool channelWindowDue(const Channel& channel);

}  // namespace netrt

#endif  // NETRT_CORE_CHANNEL_H_
