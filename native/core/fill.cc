// The messages of a packet: see fill.h.
#include "core/fill.h"

#include <algorithm>

#include "core/plan.h"
#include "core/repair.h"
#include "core/ride.h"
#include "core/stats.h"

namespace netrt {

namespace {

void newsCopiesPlan(Connection& connection, Shared& shared);
void ranksPlan(Connection& connection, Shared& shared, bool blocks, uint64_t nowUs,
               uint64_t arrivalUs);
void planWrite(Connection& connection, Shared& shared, SentPacket& packet, uint64_t nowUs);
bool messageAdd(Connection& connection, Shared& shared, SentPacket& packet, Message& message,
                uint64_t nowUs);
void headWrite(Writer& writer, const Message& message, int64_t id);
void copiesSchedule(Connection& connection, bool first, uint64_t nowUs);

}  // namespace

uint32_t messagesFill(Connection& connection, Shared& shared, SentPacket& packet, uint64_t nowUs) {
  Plan& plan = shared.plan;
  planReset(plan, shared.writer.end - shared.writer.offset);
  if (shared.outlet->pool.carriedsFree < MESSAGES_PER_PACKET_MAX + CHANNELS_MAX) {
    copiesSchedule(connection, false, nowUs);
    return 0;
  }
  Channel* channels = connection.channels;
  planBusy(plan, channels, connection.busy, connection.channelCount, shared.config->channelOrder);
  const uint32_t* order = plan.busy;
  const uint32_t* end = order + plan.busyCount;
  const uint64_t oneWayUs = connection.rtt.smoothedUs / 2;
  bool stuck = false;
  bool blocks = false;
  for (const uint32_t* index = order; index < end; index++) {
    channelForgo(channels[*index], *shared.outlet, connection.handle, nowUs, oneWayUs);
    stuck = stuck || channelStuck(channels[*index]);
    blocks = blocks || channels[*index].blockFirst != nullptr;
    if (channels[*index].policy->order == ORDER_SEQUENCED) channelPlanFresh(channels[*index], plan);
  }
  if (nowUs < connectionOpenUs(connection)) {
    newsCopiesPlan(connection, shared);
  } else if (stuck) {
    for (const uint32_t* index = order; index < end; index++) {
      channelPlanHead(channels[*index], plan);
    }
  } else {
    ranksPlan(connection, shared, blocks, nowUs, nowUs + oneWayUs);
  }
  planWrite(connection, shared, packet, nowUs);
  return plan.count;
}

namespace {

// Copies of real-time messages: all that rides with the newest where the window has no room for
// more, and what goes ahead where blocks wait. Those fill every packet, and a lost state
// once waited for the next (test/matrix).
void newsCopiesPlan(Connection& connection, Shared& shared) {
  Plan& plan = shared.plan;
  for (uint32_t rank = 0; rank < plan.busyCount; rank++) {
    Channel& channel = connection.channels[plan.busy[rank]];
    if (channel.policy->order == ORDER_SEQUENCED) channelPlanCopies(channel, plan);
  }
}

// What rides in the room that the newest real-time messages leave.
void ranksPlan(Connection& connection, Shared& shared, bool blocks, uint64_t nowUs,
               uint64_t arrivalUs) {
  Plan& plan = shared.plan;
  Channel* channels = connection.channels;
  const uint32_t* order = plan.busy;
  const uint32_t* end = order + plan.busyCount;
  for (const uint32_t* index = order; index < end; index++) {
    if (channels[*index].policy->copiesForced) channelPlanCopies(channels[*index], plan);
  }
  for (const uint32_t* index = order; index < end; index++) {
    channelPlanResends(channels[*index], plan);
  }
  const bool flushes = connection.flushBegun;
  const bool probes = nowUs >= connection.probeDueUs;
  for (const uint32_t* index = order; (flushes || probes) && index < end; index++) {
    Channel& channel = channels[*index];
    if ((flushes && channelBlocked(channel)) || (probes && channelTailed(channel))) {
      channelPlanOldest(channel, plan, arrivalUs);
    }
  }
  if (blocks) newsCopiesPlan(connection, shared);
  const uint32_t sharing = planShares(plan, channels, connection.channelCount);
  for (uint32_t place = 0; place < sharing; place++) {
    channelPlanFresh(channels[plan.order[place]], plan);
    channelPlanBlocks(channels[plan.order[place]], plan);
  }
  for (const uint32_t* index = order; index < end; index++) {
    channelPlanCopies(channels[*index], plan);
  }
}

void planWrite(Connection& connection, Shared& shared, SentPacket& packet, uint64_t nowUs) {
  Plan& plan = shared.plan;
  Writer& writer = shared.writer;
  size_t last = 0;
  uint32_t lastBytes = 0;
  bool whole = false;
  bool first = false;
  for (uint32_t index = 0; index < plan.count; index++) {
    Message& message = *plan.messages[index];
    plan.messages[index] = nullptr;
    const uint32_t ageMs = channelAgeMs(connection.channels[message.channel], message, nowUs);
    if (ageMs > 0) ageWrite(writer, ageMs);
    last = writer.offset;
    lastBytes = message.bytes;
    whole = message.total == 0;
    first = messageAdd(connection, shared, packet, message, nowUs) || first;
  }
  if (whole) messageShorten(writer, last, lastBytes);
  copiesSchedule(connection, first, nowUs);
  if (first) {
    for (uint64_t left = connection.busy; left != 0;) {
      channelTrim(connectionNextBusy(connection, left), *shared.outlet, connection.handle);
    }
  }
}

// Writes one message into the payload; true when it rides for the first time.
bool messageAdd(Connection& connection, Shared& shared, SentPacket& packet, Message& message,
                uint64_t nowUs) {
  Outlet& outlet = *shared.outlet;
  Writer& writer = shared.writer;
  Channel& channel = connection.channels[message.channel];
  const uint32_t bytes = message.bytes;
  const uint32_t body = message.body;
  const uint32_t start = message.start;
  Carried* carried = carriedCreate(outlet.pool);
  // messagesFill has seen that there is one for every message.
  if (NETRT_NEVER(carried == nullptr)) return false;
  carried->message = &message;
  carried->channel = static_cast<uint8_t>(channel.index);
  carried->next = packet.carried;
  packet.carried = carried;
  const int64_t id = message.sent ? message.id : channel.nextId;
  headWrite(writer, message, id);
  bodyCopy(outlet.pool, body, start, bytes, writer.bytes, writer.offset);
  writer.offset += bytes;
  const uint32_t ride = channelCarried(channel, outlet, message, connection.sent.lossShare, nowUs);
  statsAdd(outlet.page, statsChannelWord(channel.index, CHANNEL_BYTES_SENT), bytes);
  const size_t row = statsPeerWord(connection.slot);
  if (ride == RIDE_RESEND) {
    statsAdd(outlet.page, statsChannelWord(channel.index, CHANNEL_RESENT), 1);
    outlet.page[row + PEER_RESENT] += 1;
  } else if (ride == RIDE_COPY) {
    statsAdd(outlet.page, statsChannelWord(channel.index, CHANNEL_COPIES), 1);
    statsAdd(outlet.page, row + PEER_COPY_BYTES, bytes);
  }
  return ride == RIDE_FIRST;
}

void headWrite(Writer& writer, const Message& message, int64_t id) {
  if (message.total == 0) {
    messageHeadWrite(writer, message.channel, id, message.bytes);
  } else if (message.block) {
    blockHeadWrite(writer, message.channel, id, message.number, message.index, message.total);
  } else {
    fragmentHeadWrite(writer, message.channel, id, message.index, message.total);
  }
}

// A copy that finds no packet to ride in gets one of its own, a little later than the next is due
//
void copiesSchedule(Connection& connection, bool first, uint64_t nowUs) {
  if (first) {
    connection.streamIntervalUs =
        connection.streamUs == 0 ? NO_DEADLINE : nowUs - connection.streamUs;
    connection.streamUs = nowUs;
  }
  uint32_t copying = 0;
  for (uint64_t left = connection.busy; left != 0;) {
    copying += connectionNextBusy(connection, left).copying;
  }
  if (copying == 0) {
    connection.copyDueUs = NO_DEADLINE;
    return;
  }
  const uint64_t interval = connection.streamIntervalUs;
  const bool steady = interval <= COPY_DELAY_MAX_US;
  const uint64_t delay =
      steady ? std::min(std::max(interval + interval / 2, COPY_DELAY_MIN_US), COPY_DELAY_MAX_US)
             : COPY_DELAY_LONE_US;
  connection.copyDueUs = nowUs + delay;
}

}  // namespace

}  // namespace netrt
