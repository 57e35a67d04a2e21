// The steps of hosts and connections at their edges: nobody there, nothing due, more than a packet
// or a queue takes, a ring that is full.
#include <cstring>

#include "check.h"
#include "core/advance.h"
#include "core/ending.h"
#include "core/layout.h"
#include "core/settle.h"
#include "core/transmit.h"
#include "couple.h"

namespace {

using namespace netrt;
using namespace netrt::test;

// A payload that 64 channels' hellos just fit.
constexpr uint32_t TIGHT_PAYLOAD = HELLO_ROOM_BYTES + 4 * CHANNELS_MAX;

// As many channels as there can be, with payloads as short as that allows.
void crowded(uint32_t* config) {
  config[CONFIG_CHANNELS] = CHANNELS_MAX;
  config[CONFIG_PAYLOAD_BYTES_MAX] = TIGHT_PAYLOAD;
  for (uint32_t channel = 1; channel < CHANNELS_MAX; channel++) {
    std::memcpy(config + CONFIG_POLICIES + channel * POLICY_WORDS, config + CONFIG_POLICIES,
                POLICY_WORDS * sizeof(uint32_t));
  }
}

// The peer's connection in a host that has one.
Connection& connectionOf(Bare& side) { return side.host->connections[0]; }

// The next packets of a host, heard by nobody; how many.
uint32_t speak(Bare& side, uint64_t nowUs) {
  uint32_t count = 0;
  while (hostTransmit(*side.host, nowUs, *side.batch) > 0) count += side.batch->count;
  return count;
}

}  // namespace

// ---- Nobody there, nothing due ----

TEST(aFreeConnectionSaysAndTakesNothing) {
  Couple couple;
  NEED(couple.open());
  Host& host = *couple.server.host;
  Shared& shared = host.shared;
  Connection nobody;
  const std::vector<uint32_t> page = couple.server.page;
  const uint32_t head = host.outlet.completion.head;
  const uint8_t text[1] = {};
  CHECK_EQUAL(connectionTransmit(nobody, shared, NO_DEADLINE, couple.server.batch->bytes, 0), 0u);
  CHECK(connectionDeadlineUs(nobody, 0, START_US) == NO_DEADLINE);
  connectionAdvance(nobody, shared, NO_DEADLINE);
  connectionClose(nobody, shared, REASON_CLOSED, text, 0, 1, START_US);
  connectionDrain(nobody, shared, REASON_CLOSED, text, 0, 1, START_US);
  CHECK_EQUAL(nobody.state, CONNECTION_FREE);
  CHECK_EQUAL(nobody.closeReason, 0u);
  CHECK(couple.server.page == page);
  CHECK_EQUAL(host.outlet.completion.head, head);
}

TEST(aGoodbyeEndsWhenTheLastOneIsDue) {
  Couple couple;
  NEED(couple.open());
  NEED(couple.meet());
  Bare& side = couple.server;
  NEED(submit(side, RECORD_CLOSE, {side.peer, 0, 20, 0}, 0) != nullptr);
  ringPublish(side.submission);
  hostSubmit(*side.host, couple.nowUs);
  Connection& connection = connectionOf(side);
  for (uint32_t left = FAREWELL_PACKETS; left > 0; left--) {
    CHECK_EQUAL(connection.farewells, left);
    hostAdvance(*side.host, connection.farewellDueUs);
    CHECK_EQUAL(speak(side, connection.farewellDueUs), 1u);
  }
  connectionAdvance(connection, side.host->shared, connection.farewellDueUs - 1);
  CHECK_EQUAL(connection.state, CONNECTION_CLOSING);
  hostAdvance(*side.host, connection.farewellDueUs);
  CHECK_EQUAL(connection.state, CONNECTION_FREE);
  CHECK_EQUAL(side.host->openCount, 0u);
}

// What bare packets leave behind is nothing that is waited for.
TEST(aBareConnectionSleepsUntilItsNextKeepAlive) {
  Couple couple;
  NEED(couple.open([](uint32_t* config) { config[CONFIG_RAW] = 1; }));
  NEED(couple.meet());
  for (uint32_t round = 0; round < 10; round++) {
    couple.steps(ENOUGH_STEPS);
    const Connection& connection = connectionOf(couple.server);
    const uint64_t dueUs = connection.spokenUs + connection.keepAliveUs;
    CHECK(hostDeadlineUs(*couple.server.host) == dueUs);
  }
}

TEST(theFewerPacketsOfBothEndsCount) {
  struct Row {
    uint32_t mode;
    uint32_t most;
    uint32_t rate;
  };
  const Row rows[] = {
      {CONGESTION_BINARY, 0, BINARY_BAD_HZ},
      {CONGESTION_BINARY, BINARY_BAD_HZ - 1, BINARY_BAD_HZ - 1},
      {CONGESTION_BINARY, BINARY_BAD_HZ, BINARY_BAD_HZ},
      {CONGESTION_BINARY, BINARY_BAD_HZ + 1, BINARY_BAD_HZ},
      {CONGESTION_DELAY, 0, 0},
      {CONGESTION_DELAY, 7, 7},
  };
  for (const Row& row : rows) {
    Connection connection;
    congestionReset(connection.congestion, row.mode, START_US);
    connection.congestion.good = false;
    connection.rateMax = PACING_RATE_MIN;
    connection.packetRateMax = row.most;
    connectionRates(connection, START_US);
    CHECK_EQUAL(connection.pacing.packetRate, row.rate);
  }
}

TEST(whatEndsAClientsAttemptAndWhatDoesNot) {
  Couple couple;
  NEED(couple.open());
  constexpr uint64_t TIMEOUT_US = 5000000;
  struct Row {
    int32_t state;
    void (*event)(Client& client, uint64_t nowUs);
    int32_t next;
    uint32_t server;
  };
  const auto denied = [](Client& client, uint64_t nowUs) { clientDenied(client, nowUs); };
  const auto silence = [](Client& client, uint64_t nowUs) {
    clientAdvance(client, nowUs + TIMEOUT_US);
  };
  const auto challenge = [](Client& client, uint64_t nowUs) {
    const uint8_t bytes[CHALLENGE_BODY_BYTES] = {1};
    clientChallenged(client, bytes, 0, nowUs + 1);
  };
  // With a second server, the first of them is given up for it.
  const Row rows[] = {
      {CLIENT_REQUESTING, denied, CLIENT_REQUESTING, 1},
      {CLIENT_RESPONDING, denied, CLIENT_REQUESTING, 1},
      {CLIENT_CONNECTED, denied, CLIENT_CONNECTED, 0},
      {CLIENT_REQUESTING, silence, CLIENT_REQUESTING, 1},
      {CLIENT_RESPONDING, silence, CLIENT_REQUESTING, 1},
      {CLIENT_CONNECTED, silence, CLIENT_CONNECTED, 0},
      {CLIENT_REQUESTING, challenge, CLIENT_RESPONDING, 0},
      {CLIENT_RESPONDING, challenge, CLIENT_RESPONDING, 0},
      {CLIENT_CONNECTED, challenge, CLIENT_CONNECTED, 0},
      {CLIENT_DENIED, challenge, CLIENT_DENIED, 0},
  };
  for (const Row& row : rows) {
    Client client;
    clientStart(client, couple.token, START_US);
    client.token.serverCount = 2;
    client.state = row.state;
    row.event(client, START_US);
    CHECK_EQUAL(client.state, row.next);
    CHECK_EQUAL(client.serverIndex, row.server);
  }
  // The last server's answer is the last word.
  Client last;
  clientStart(last, couple.token, START_US);
  last.state = CLIENT_RESPONDING;
  clientAdvance(last, START_US + TIMEOUT_US);
  CHECK_EQUAL(last.state, CLIENT_RESPONSE_TIMED_OUT);
}

// ---- Strangers ----

TEST(aTagThatSharesAHashIsAnotherToken) {
  Couple couple;
  NEED(couple.open());
  Host& host = *couple.server.host;
  hostConnect(*couple.client.host, couple.token, couple.nowUs);
  NEED(hostTransmit(*couple.client.host, couple.nowUs, *couple.client.batch) == 1);
  const auto request = [&] {
    hostReceive(host, couple.nowUs, couple.nowUs, clockWallSeconds(), loopbackV4(SERVER_PORT + 1),
                couple.client.batch->bytes, 0, couple.client.batch->lengths[0]);
    return host.handshake.found;
  };
  const uint32_t first = request();
  CHECK_EQUAL(request(), first);
  host.handshake.tokens[first].tag[TAG_BYTES - 1] ^= 1;
  CHECK(request() != first);
}

TEST(answersToStrangersAreBounded) {
  Couple couple;
  NEED(couple.open());
  Host& host = *couple.server.host;
  hostConnect(*couple.client.host, couple.token, couple.nowUs);
  NEED(hostTransmit(*couple.client.host, couple.nowUs, *couple.client.batch) == 1);
  const auto dropped = [&] { return host.page[statsHostWord(HOST_REPLIES_DROPPED)]; };
  for (uint32_t count = 1; count <= REPLIES_MAX + 1; count++) {
    hostReceive(host, couple.nowUs, couple.nowUs, clockWallSeconds(), loopbackV4(SERVER_PORT + 1),
                couple.client.batch->bytes, 0, couple.client.batch->lengths[0]);
    CHECK_EQUAL(dropped(), count <= REPLIES_MAX ? 0u : 1u);
  }
  CHECK_EQUAL(speak(couple.server, couple.nowUs), REPLIES_MAX);
}

TEST(whatIsSaidOfAChannelThatIsNoneIsSaidOfNone) {
  Couple couple;
  NEED(couple.open());
  Bare& side = couple.server;
  const Layouts& layouts = side.host->shared.layouts;
  for (const uint32_t channel : {0u, 1u, LAYOUT_CHANNELS, LAYOUT_NONE, 0xffffffffu}) {
    NEED(submit(side, RECORD_LAYOUT, {0, channel, 0, 0}, 3) != nullptr);
  }
  ringPublish(side.submission);
  hostSubmit(*side.host, couple.nowUs);
  CHECK_EQUAL(layoutLength(layouts, 0), 3u);
  CHECK_EQUAL(layoutLength(layouts, LAYOUT_CHANNELS), 3u);
  CHECK_EQUAL(layoutLength(layouts, 1), 0u);
  CHECK_EQUAL(layoutLength(layouts, LAYOUT_NONE), 0u);
}

// ---- More than fits ----

TEST(marksWithoutRoomGoWithTheNextPackets) {
  Couple couple;
  NEED(couple.open(crowded));
  NEED(couple.meet());
  Connection& connection = connectionOf(couple.server);
  for (uint32_t index = 0; index < CHANNELS_MAX; index++) {
    // What our user consumed, and an id that was given up; the peer has sent and misses as much.
    Channel& channel = connection.channels[index];
    channel.expectedId = WINDOW_STEP;
    channel.nextId = 1;
    channel.holeFirst = 0;
    channel.holeLast = 0;
    connectionBusy(connection, index);
    connectionOf(couple.client).channels[index].nextId = WINDOW_STEP;
  }
  const auto told = [&] {
    uint32_t count = 0;
    for (uint32_t index = 0; index < CHANNELS_MAX; index++) {
      if (connection.channels[index].toldId == WINDOW_STEP) count++;
    }
    return count;
  };
  uint8_t* bytes = couple.server.batch->bytes;
  CHECK(connectionTransmit(connection, couple.server.host->shared, couple.nowUs, bytes, 0) > 0);
  CHECK(told() > 0 && told() < CHANNELS_MAX);
  slotWork(*couple.server.host, connection);
  couple.steps(ENOUGH_STEPS);
  CHECK_EQUAL(told(), CHANNELS_MAX);
  for (uint32_t index = 0; index < CHANNELS_MAX; index++) {
    CHECK_EQUAL(connection.channels[index].holeFirst, NO_ID);
    CHECK_EQUAL(connectionOf(couple.client).channels[index].expectedId, 1);
    CHECK_EQUAL(connectionOf(couple.client).channels[index].consumedId, WINDOW_STEP);
  }
}

TEST(marksWithoutARecordWait) {
  Couple couple;
  NEED(couple.open());
  NEED(couple.meet());
  Connection& connection = connectionOf(couple.server);
  Channel& channel = connection.channels[0];
  channel.expectedId = WINDOW_STEP;
  channel.nextId = 1;
  channel.holeFirst = 0;
  channel.holeLast = 0;
  connectionBusy(connection, 0);
  connectionOf(couple.client).channels[0].nextId = WINDOW_STEP;
  uint32_t& records = couple.server.host->outlet.pool.carriedsFree;
  const uint32_t all = records;
  records = 0;
  slotWork(*couple.server.host, connection);
  couple.steps(ENOUGH_STEPS);
  CHECK_EQUAL(channel.toldId, 0);
  CHECK_EQUAL(channel.skipping, NO_ID);
  CHECK_EQUAL(channel.holeFirst, 0);
  records = all;
  couple.steps(ENOUGH_STEPS);
  CHECK_EQUAL(channel.toldId, WINDOW_STEP);
  CHECK_EQUAL(channel.holeFirst, NO_ID);
}

TEST(nacksWithoutRoomGoWithTheNextPackets) {
  Couple couple;
  NEED(couple.open([](uint32_t* config) {
    crowded(config);
    for (uint32_t channel = 0; channel < CHANNELS_MAX; channel++) {
      config[CONFIG_POLICIES + channel * POLICY_WORDS] = ORDER_NONE;
    }
  }));
  NEED(couple.meet());
  Bare& side = couple.server;
  Connection& connection = connectionOf(side);
  for (uint32_t index = 0; index < CHANNELS_MAX; index++) {
    Channel& channel = connection.channels[index];
    channel.newestId = 5;
    channel.seen[0] = 1u << 4;
    channel.gapId = 0;
    channel.nackDueUs = couple.nowUs;
    connectionBusy(connection, index);
  }
  const auto named = [&] {
    uint32_t count = 0;
    for (uint32_t index = 0; index < CHANNELS_MAX; index++) {
      if (connection.channels[index].nackDueUs > couple.nowUs) count++;
    }
    return count;
  };
  Shared& shared = side.host->shared;
  CHECK(connectionTransmit(connection, shared, couple.nowUs, side.batch->bytes, 0) > 0);
  const uint32_t first = named();
  CHECK(first > 0 && first < CHANNELS_MAX);
  CHECK(connectionTransmit(connection, shared, couple.nowUs, side.batch->bytes, 0) > 0);
  CHECK_EQUAL(named(), CHANNELS_MAX);
}

// ---- A ring that is full ----

TEST(theEndOfAPeerIsCountedThoughNobodyCanBeTold) {
  for (const uint32_t reason : {REASON_CLOSED, REASON_MISMATCH}) {
    Couple couple;
    NEED(couple.open());
    NEED(couple.meet());
    Bare& side = couple.server;
    Host& host = *side.host;
    Connection& connection = connectionOf(side);
    for (uint32_t tag = 1; tag <= 3; tag++) {
      NEED(submit(side, RECORD_SEND, {side.peer, 0, TTL_DEFAULT, tag}, 10) != nullptr);
    }
    ringPublish(side.submission);
    hostSubmit(host, couple.nowUs);
    fill(side, 0);
    const uint32_t head = host.outlet.completion.head;
    const uint32_t chunks = host.outlet.pool.chunksFree;
    const uint8_t text[1] = {};
    connectionClose(connection, host.shared, reason, text, 0, 0, couple.nowUs);
    CHECK_EQUAL(connection.state, CONNECTION_CLOSING);
    CHECK_EQUAL(host.outlet.completion.head, head);
    CHECK_EQUAL(side.page[statsChannelWord(0, CHANNEL_DROPPED)], 3u);
    CHECK_EQUAL(host.outlet.pool.chunksFree, chunks + 3);
    CHECK(!connection.announced);
  }
}

TEST(aPeerConnectsThoughNobodyCanBeTold) {
  Couple couple;
  NEED(couple.open());
  fill(couple.client, 0);
  const uint32_t head = couple.client.host->outlet.completion.head;
  hostConnect(*couple.client.host, couple.token, couple.nowUs);
  uint32_t number = 0;
  for (uint32_t step = 0; step < ENOUGH_STEPS; step++, couple.nowUs += STEP_US) {
    for (Bare* side : {&couple.server, &couple.client}) hostAdvance(*side->host, couple.nowUs);
    carry(couple.client, couple.server, loopbackV4(SERVER_PORT + 1), couple.nowUs, number);
    carry(couple.server, couple.client, loopbackV4(SERVER_PORT), couple.nowUs, number);
  }
  CHECK_EQUAL(couple.client.host->client.state, CLIENT_CONNECTED);
  CHECK_EQUAL(connectionOf(couple.client).state, CONNECTION_OPEN);
  CHECK_EQUAL(couple.client.host->outlet.completion.head, head);
}

TEST(aBarePayloadWithoutRoomIsRefused) {
  Couple couple;
  NEED(couple.open([](uint32_t* config) { config[CONFIG_RAW] = 1; }));
  NEED(couple.meet());
  Bare& side = couple.client;
  fill(side, 0);
  const uint32_t refused = side.page[statsRejectWord(REJECT_MEMORY)];
  couple.server.send(8);
  hostSubmit(*couple.server.host, couple.nowUs);
  hostFlush(*couple.server.host);
  uint32_t number = 0;
  carry(couple.server, side, loopbackV4(SERVER_PORT), couple.nowUs, number);
  CHECK_EQUAL(side.page[statsRejectWord(REJECT_MEMORY)], refused + 1);
  CHECK_EQUAL(side.page[statsChannelWord(0, CHANNEL_RECEIVED)], 0u);
}

// What is held goes first: a goodbye behind it would end it undelivered.
TEST(whileWhatIsHeldFindsNoRoomNothingMoreIsTaken) {
  Couple couple;
  NEED(couple.open([](uint32_t* config) {
    crowded(config);
    config[CONFIG_CHANNELS] = 2;
  }));
  NEED(couple.meet());
  Bare& side = couple.client;
  fill(side, 0);
  const auto refused = [&] { return side.page[statsRejectWord(REJECT_MEMORY)]; };
  const auto send = [&](std::initializer_list<uint32_t> channels) {
    for (const uint32_t channel : channels) {
      submit(couple.server, RECORD_SEND, {couple.server.peer, channel, TTL_DEFAULT, 0}, 8);
    }
    ringPublish(couple.server.submission);
    hostSubmit(*couple.server.host, couple.nowUs);
    hostFlush(*couple.server.host);
    uint32_t unlost = 0;
    carry(couple.server, side, loopbackV4(SERVER_PORT), couple.nowUs, unlost);
    couple.nowUs += STEP_US;
  };
  const uint32_t before = refused();
  send({0, 1});
  CHECK(connectionOf(side).heldUp);
  CHECK_EQUAL(refused(), before);
  send({0});
  CHECK_EQUAL(refused(), before + 1);
  for (const uint32_t channel : {0, 1}) {
    CHECK_EQUAL(connectionOf(side).channels[channel].expectedId, 0);
  }
  side.drain();
  side.received = 0;
  couple.steps(ENOUGH_STEPS);
  CHECK(!connectionOf(side).heldUp);
  CHECK_EQUAL(side.received, 3u);
}

// ---- Late acks ----

TEST(aLateAckThatFoundNoRoomIsDueAtOnce) {
  std::vector<SentPacket> few(SENT_PACKETS_FEW);
  std::vector<SentPacket> many(SENT_PACKETS);
  Sent sent;
  Received received;
  Rtt rtt;
  Carried carried;
  sentOpen(sent, few.data(), many.data());
  sentReset(sent, 0);
  sentAdd(sent, START_US, 100, false)->carried = &carried;
  sentEliciting(sent, *recordOf(sent, 0));
  CHECK(settleDeadlineUs(sent, rtt) == NO_DEADLINE);
  sent.timedOutUs = START_US;
  NEED(acksVerdict(sent, rtt, START_US + 1) == recordOf(sent, 0));
  CHECK_EQUAL(recordOf(sent, 0)->state, SENT_LOST);
  CHECK(settleDeadlineUs(sent, rtt) == START_US + rttSettleUs(rtt));
  acksReceive(sent, received, rtt, 0, 0, nullptr, 0, 0, START_US + 2);
  CHECK(settleDeadlineUs(sent, rtt) == 0);
  CHECK(settleVerdict(sent, rtt, START_US + 2) == recordOf(sent, 0));
  CHECK_EQUAL(sent.lateHeld, 0u);
}
