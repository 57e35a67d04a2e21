// A channel by itself, out and in, where its rules meet: what rides and what does not, what is
// given up whole, and what a full ring or a far number changes.
#include <cstring>

#include "bare.h"
#include "check.h"
#include "core/block.h"
#include "core/delivery.h"
#include "core/fragment.h"
#include "core/gap.h"
#include "core/plan.h"
#include "core/repair.h"
#include "core/ride.h"

namespace {

using namespace netrt;
using namespace netrt::test;

constexpr uint64_t NOW_US = 1000000;
constexpr uint32_t EXPIRY_MS = 100;
constexpr uint32_t BODY_BYTES = 20;
// Ids that a body of fragments has where a payload is this short.
constexpr uint32_t SHORT_PAYLOAD = PAYLOAD_BYTES_MIN;

// A channel of a host that speaks to nobody.
struct Line {
  Bare side;
  Policy policy;
  Channel channel;
  Plan plan;
  uint8_t body[FRAGMENTED_BYTES_MAX] = {};

  bool open(uint32_t order, uint32_t repair) {
    if (!side.open(ROLE_SERVER)) return false;
    policy.order = order;
    policy.repair = repair;
    policy.expiryMs = EXPIRY_MS;
    policy.messageBytesMax = FRAGMENTED_BYTES_MAX;
    policy.blockBytesMax = BLOCK_BYTES_MAX;
    channel.policy = &policy;
    channelReset(channel);
    planReset(plan, PAYLOAD_BYTES_MAX);
    return true;
  }

  ~Line() { hostClose(*side.host); }

  Outlet& outlet() { return side.host->outlet; }

  bool enqueue(uint32_t bytes = BODY_BYTES) {
    const uint32_t made = bodyCreate(outlet().pool, body, 0, bytes);
    return made != NO_CHUNK &&
           channelEnqueue(channel, outlet(), 0, made, bytes, SHORT_PAYLOAD, NOW_US, TTL_DEFAULT, 1);
  }

  // The next unsent message rides.
  Message& carry() {
    Message& message = *channel.fresh;
    channelCarried(channel, outlet(), message, 0, NOW_US);
    return message;
  }

  // Carried, and lost: nothing of it is on its way.
  Message& lose() {
    Message& message = carry();
    message.inFlight = 0;
    return message;
  }

  uint32_t receive(const Frame& frame, bool holds = true) {
    return deliveryReceive(channel, outlet(), 0, frame, body, holds, NOW_US);
  }

  uint32_t counter(uint32_t which) { return side.page[statsChannelWord(0, which)]; }
};

Frame fragmentFrame(uint32_t id, uint32_t index, uint32_t total) {
  Frame frame;
  frame.payloadBytes = SHORT_PAYLOAD;
  frame.id = static_cast<uint16_t>(id);
  frame.index = index;
  frame.total = total;
  frame.bytes = fragmentLength(total, SHORT_PAYLOAD, index);
  return frame;
}

Frame messageFrame(uint32_t id) {
  Frame frame;
  frame.id = static_cast<uint16_t>(id);
  frame.bytes = BODY_BYTES;
  return frame;
}

}  // namespace

// ---- Out ----

TEST(theOldestRidesOnceAPacketAndOnlyWhenLost) {
  Line line;
  NEED(line.open(ORDER_ORDERED, REPAIR_ACK));
  channelPlanHead(line.channel, line.plan);
  CHECK_EQUAL(line.plan.count, 0u);
  NEED(line.enqueue());
  Message& first = line.lose();
  channelPlanHead(line.channel, line.plan);
  CHECK_EQUAL(line.plan.count, 0u);
  first.resend = true;
  line.channel.resends = 1;
  channelPlanHead(line.channel, line.plan);
  channelPlanHead(line.channel, line.plan);
  CHECK_EQUAL(line.plan.count, 1u);
}

TEST(whatIsSentRidesAgainAsLongAsItArrivesInTime) {
  Line line;
  NEED(line.open(ORDER_ORDERED, REPAIR_ACK));
  for (uint32_t index = 0; index < 4; index++) NEED(line.enqueue());
  Message& planned = line.carry();
  Message& late = line.carry();
  Message& rides = line.carry();
  // The fourth was never sent: it waits behind the window.
  planned.planned = true;
  late.expiresUs = NOW_US + 1;
  const auto plan = [&](size_t room, uint64_t arrivalUs) {
    planReset(line.plan, room);
    channelPlanOldest(line.channel, line.plan, arrivalUs);
    return line.plan.count;
  };
  CHECK_EQUAL(plan(0, NOW_US + 2), 0u);
  CHECK_EQUAL(plan(PAYLOAD_BYTES_MAX, NOW_US + 2), 1u);
  CHECK(line.plan.messages[0] == &rides);
  const uint32_t copying = line.channel.copying;
  CHECK_EQUAL(channelCarried(line.channel, line.outlet(), rides, 0, NOW_US), RIDE_COPY);
  CHECK_EQUAL(line.channel.copying, copying);
  CHECK_EQUAL(rides.inFlight, 2u);
  // Once all of them were sent, the list's end is the end; at the very last moment one is in time.
  line.carry();
  CHECK_EQUAL(plan(PAYLOAD_BYTES_MAX, NOW_US + 1), 3u);
}

TEST(aBlockWaitsForTheWindow) {
  Line line;
  NEED(line.open(ORDER_ORDERED, REPAIR_ACK));
  const uint32_t body = bodyCreate(line.outlet().pool, line.body, 0, BODY_BYTES);
  NEED(blockEnqueue(line.channel, line.outlet(), body, BODY_BYTES, 0, 0, BODY_BYTES, 0));
  line.channel.consumedId = 0;
  line.channel.nextId = CHANNEL_WINDOW;
  channelPlanBlocks(line.channel, line.plan);
  CHECK_EQUAL(line.plan.count, 0u);
  // The window's last id is not the first beyond it.
  line.channel.nextId = CHANNEL_WINDOW - 1;
  channelPlanBlocks(line.channel, line.plan);
  CHECK_EQUAL(line.plan.count, 1u);
}

TEST(anAgeIsOfWhatCanGrowOld) {
  Line line;
  NEED(line.open(ORDER_ORDERED, REPAIR_NACK));
  NEED(line.enqueue());
  line.policy.expiryMs = EXPIRY_NEVER;
  NEED(line.enqueue());
  line.policy.expiryMs = EXPIRY_MS;
  const uint64_t laterUs = NOW_US + 5000;
  CHECK_EQUAL(channelAgeMs(line.channel, *line.channel.first, laterUs), 5u);
  CHECK_EQUAL(channelAgeMs(line.channel, *line.channel.last, laterUs), 0u);
  line.policy.repair = REPAIR_ACK;
  CHECK_EQUAL(channelAgeMs(line.channel, *line.channel.first, laterUs), 0u);
}

TEST(lossesAreCountedUpToWhatAByteHolds) {
  for (const uint32_t before : {253u, 254u, 255u}) {
    Line line;
    NEED(line.open(ORDER_ORDERED, REPAIR_ACK));
    NEED(line.enqueue());
    Message& message = line.carry();
    message.losses = static_cast<uint8_t>(before);
    channelVerdict(line.channel, line.outlet(), 0, message, false, NOW_US, NOW_US);
    CHECK(message.resend);
    CHECK_EQUAL(message.losses, before < 255 ? before + 1 : 255u);
  }
}

// What is asked for again and would come too late takes the rest of its message along.
TEST(aFragmentThatCannotBeRepairedInTimeEndsItsMessage) {
  Line line;
  NEED(line.open(ORDER_ORDERED, REPAIR_NACK));
  const uint32_t messages = line.outlet().pool.messagesFree;
  const uint32_t chunks = line.outlet().pool.chunksFree;
  const uint32_t pieces = 3;
  NEED(line.enqueue(pieces * fragmentBytes(SHORT_PAYLOAD)));
  NEED(line.enqueue());
  for (uint32_t piece = 0; piece < pieces; piece++) line.lose();
  const Message& next = line.lose();
  const uint8_t bits[1] = {0};
  const uint64_t roundTripUs = EXPIRY_MS * 2000 + 2;
  CHECK(channelNacked(line.channel, line.outlet(), 0, 1, bits, 0, 1, NOW_US + roundTripUs,
                      roundTripUs));
  CHECK_EQUAL(line.counter(CHANNEL_EXPIRED), 1u);
  CHECK(line.channel.first == &next);
  CHECK_EQUAL(line.channel.listed, 1u);
  CHECK_EQUAL(line.outlet().pool.messagesFree, messages - 1);
  CHECK_EQUAL(line.outlet().pool.chunksFree, chunks - 1);
  CHECK_EQUAL(line.channel.holeFirst, 0);
  CHECK_EQUAL(line.channel.holeLast, static_cast<int64_t>(pieces) - 1);
}

TEST(aChannelIsIdleWhenNothingIsLeftOfAnything) {
  Message message;
  Policy policy;
  policy.repair = REPAIR_ACK;
  Channel idle;
  idle.policy = &policy;
  channelReset(idle);
  CHECK(channelIdle(idle));
  const auto busy = [&](void (*change)(Channel & channel, Message & message)) {
    Channel channel = idle;
    change(channel, message);
    return !channelIdle(channel);
  };
  CHECK(busy([](Channel& channel, Message& one) { channel.first = &one; }));
  CHECK(busy([](Channel& channel, Message& one) { channel.blockFirst = &one; }));
  CHECK(busy([](Channel& channel, Message& one) { channel.heldFirst = &one; }));
  CHECK(busy([](Channel& channel, Message&) { channel.passId = 1; }));
  CHECK(busy([](Channel& channel, Message&) { channel.holeFirst = 0; }));
  CHECK(busy([](Channel& channel, Message&) { channel.gapId = 0; }));
  CHECK(busy([](Channel& channel, Message&) { channel.nackDueUs = NOW_US; }));
  CHECK(busy([](Channel& channel, Message&) { channel.earliestExpiryUs = NOW_US; }));
  CHECK(busy([](Channel& channel, Message&) { channel.broken = true; }));
  CHECK(busy([](Channel& channel, Message&) { channel.expectedId = WINDOW_STEP; }));
  CHECK(!busy([](Channel& channel, Message&) { channel.expectedId = WINDOW_STEP - 1; }));
}

// ---- In ----

TEST(aFragmentFarBehindTheNewestIsLate) {
  Line line;
  NEED(line.open(ORDER_SEQUENCED, REPAIR_NONE));
  const uint32_t total = 20 * fragmentBytes(SHORT_PAYLOAD);
  // The newest, of a message that never comes whole, so that nothing below it is passed.
  constexpr uint32_t NEWEST = 1199;
  CHECK_EQUAL(line.receive(fragmentFrame(NEWEST, 0, total)), RECEIVE_OK);
  CHECK_EQUAL(line.channel.newestId, NEWEST + 1);
  constexpr uint32_t OLDEST = NEWEST + 1 - CHANNEL_ACCEPT;
  const uint32_t came = line.counter(CHANNEL_FRAGMENTS_RECEIVED);
  CHECK_EQUAL(line.receive(fragmentFrame(OLDEST - 1, 0, total)), RECEIVE_OK);
  CHECK_EQUAL(line.counter(CHANNEL_LATE), 1u);
  CHECK_EQUAL(line.counter(CHANNEL_FRAGMENTS_RECEIVED), came);
  // The oldest that is known of is taken, but its message can't come whole any more.
  for (uint32_t index = 1; index < 20; index++) {
    CHECK_EQUAL(line.receive(fragmentFrame(OLDEST - 1 + index, index, total)), RECEIVE_OK);
  }
  CHECK_EQUAL(line.counter(CHANNEL_FRAGMENTS_RECEIVED), came + 19);
  CHECK_EQUAL(line.channel.expectedId, 0);
  // One that begins there can.
  for (uint32_t index = 0; index < 20; index++) {
    line.receive(fragmentFrame(OLDEST + 30 + index, index, total));
  }
  CHECK_EQUAL(line.channel.expectedId, OLDEST + 50);
}

TEST(whatTheRingHasNoRoomForDidNotCome) {
  Line line;
  NEED(line.open(ORDER_SEQUENCED, REPAIR_NONE));
  const uint32_t total = 3 * fragmentBytes(SHORT_PAYLOAD);
  fill(line.side, RECORD_BYTES);
  const uint32_t head = line.outlet().completion.head;
  CHECK_EQUAL(line.receive(fragmentFrame(0, 0, total)), RECEIVE_OK);
  CHECK_EQUAL(line.outlet().completion.head, head);
  CHECK(!deliverySeen(line.channel, 0));
  CHECK_EQUAL(line.counter(CHANNEL_FRAGMENTS_RECEIVED), 0u);
}

TEST(whatTheRingHasNoRoomForIsHeldUntilThereIs) {
  Line line;
  NEED(line.open(ORDER_ORDERED, REPAIR_ACK));
  fill(line.side, RECORD_BYTES);
  const uint32_t head = line.outlet().completion.head;
  CHECK_EQUAL(line.receive(messageFrame(0)), RECEIVE_HELD);
  CHECK_EQUAL(line.receive(messageFrame(0)), RECEIVE_HELD);
  CHECK_EQUAL(line.counter(CHANNEL_DUPLICATES), 1u);
  CHECK_EQUAL(line.channel.expectedId, 0);
  CHECK_EQUAL(line.outlet().completion.head, head);
  line.side.drain();
  CHECK_EQUAL(deliveryRelease(line.channel, line.outlet(), 0), RECEIVE_OK);
  CHECK_EQUAL(line.channel.expectedId, 1);
  line.side.drain();
  CHECK_EQUAL(line.side.received, 1u);
}

// Nothing waits for what an unordered channel misses, so no time passes it over.
TEST(anUnorderedGapIsNotPassedByTime) {
  Line line;
  NEED(line.open(ORDER_NONE, REPAIR_NACK));
  CHECK_EQUAL(line.receive(messageFrame(1)), RECEIVE_OK);
  gapUpdate(line.channel, NOW_US, 0, 0);
  CHECK_EQUAL(line.channel.gapId, 0);
  gapExpire(line.channel, NOW_US + 1000000 * uint64_t{EXPIRY_MS});
  CHECK_EQUAL(line.channel.gapId, 0);
  CHECK_EQUAL(line.channel.passId, 0);
}
