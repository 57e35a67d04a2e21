// Edges of the core that traffic hardly ever comes to: numbers that carry, hashes that are shared,
// submissions that mean nothing, memory that is used up.
#include <cstring>
#include <vector>

#include "check.h"
#include "core/bytes.h"
#include "couple.h"

namespace {

using namespace netrt;
using namespace netrt::test;

constexpr uint32_t HANDLE_LAST = 0xffff0000;
constexpr uint32_t UNKNOWN_KIND = 99;
constexpr uint32_t BLOCK_MAX = 2000;

// A piece of a block: its place, the block's length, and its own.
bool submitPiece(Bare& side, uint32_t channel, uint32_t index, uint32_t total, uint32_t bytes) {
  uint32_t* body =
      submit(side, RECORD_SEND_BLOCK, {side.peer, channel, 7, 1}, FRAGMENT_RECORD_BYTES + bytes);
  if (body == nullptr) return false;
  body[0] = total;
  body[1] = index;
  return true;
}

}  // namespace

// The last record before padding that is shorter than a record's header, and ends the ring.
TEST(whatStandsBehindIsNoPadding) {
  std::vector<uint64_t> memory(ringBytes(256) / 8);
  Ring ring;
  ringSet(ring, reinterpret_cast<uint8_t*>(memory.data()), memory.size() * 8);
  for (uint32_t record = 0; record < 9; record++) NEED(ringPush(ring, RECORD_SEND, 0) != NO_ROOM);
  const int32_t last = ringPush(ring, RECORD_SEND, 8);
  NEED(last == 9 * static_cast<int32_t>(RECORD_WORDS));
  ringPublish(ring);
  CHECK_EQUAL(ringBehind(ring, ringPeek(ring)), static_cast<int32_t>(RECORD_WORDS));
  for (int32_t word = ringPeek(ring); word != last; word = ringPeek(ring)) ringNext(ring, word);
  CHECK_EQUAL(ringBehind(ring, last), NO_ROOM);
  ringRelease(ring);
  CHECK_EQUAL(ringPush(ring, RECORD_SEND, 0), 0);
  ringPublish(ring);
  CHECK_EQUAL(ringPeek(ring), last);
  CHECK_EQUAL(ringBehind(ring, last), NO_ROOM);
}

TEST(integersStopWhereTheBytesEnd) {
  const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto cut = [&](size_t count, uint64_t (*read)(Reader&)) {
    Reader reader;
    readerSet(reader, bytes, 0, count);
    const uint64_t value = read(reader);
    return value == 0 && reader.failed && reader.offset == count;
  };
  CHECK(cut(0, [](Reader& reader) { return uint64_t{readU8(reader)}; }));
  CHECK(cut(1, [](Reader& reader) { return uint64_t{readU16(reader)}; }));
  CHECK(cut(3, [](Reader& reader) { return uint64_t{readU32(reader)}; }));
  CHECK(cut(7, [](Reader& reader) { return readU64(reader); }));
  uint8_t out[8] = {};
  const auto full = [&](size_t count, void (*write)(Writer&)) {
    Writer writer;
    writerSet(writer, out, 0, count);
    write(writer);
    bool clean = writer.failed;
    for (uint8_t byte : out) clean = clean && byte == 0;
    return clean;
  };
  CHECK(full(0, [](Writer& writer) { writeU8(writer, 0xff); }));
  CHECK(full(1, [](Writer& writer) { writeU16(writer, 0xffff); }));
  CHECK(full(3, [](Writer& writer) { writeU32(writer, 0xffffffff); }));
  CHECK(full(7, [](Writer& writer) { writeU64(writer, UINT64_MAX); }));
}

TEST(countersOfBytesCarry) {
  uint32_t page[2] = {};
  statsAdd(page, 0, 0xffffffff);
  statsAdd(page, 0, 2);
  CHECK_EQUAL(page[0], 1u);
  CHECK_EQUAL(page[1], 1u);
}

TEST(aHandleThatWrapsIsNotNobodys) {
  Couple couple;
  NEED(couple.open());
  NEED(couple.meet());
  for (Bare* side : {&couple.server, &couple.client}) {
    NEED(submit(*side, RECORD_CLOSE, {side->peer, 0, 20, 0}, 0) != nullptr);
    ringPublish(side->submission);
  }
  couple.steps(ENOUGH_STEPS);
  for (Bare* side : {&couple.server, &couple.client}) {
    CHECK(side->host->openCount == 0);
    side->host->connections[0].handle = HANDLE_LAST;
  }
  // Another token: the first has been used.
  NEED(sidesToken(SERVER_PORT, couple.token, 6));
  NEED(couple.meet());
  CHECK_EQUAL(couple.server.peer, 0x10000u);
  CHECK_EQUAL(couple.client.peer, 0x10000u);
}

// Whoever shares a hash is somebody else.
TEST(aHashIsNoIdentity) {
  Couple couple;
  NEED(couple.open());
  Host& host = *couple.server.host;
  const Address address = loopbackV4(SERVER_PORT + 1);
  hostConnect(*couple.client.host, couple.token, couple.nowUs);
  NEED(hostTransmit(*couple.client.host, couple.nowUs, *couple.client.batch) == 1);
  const auto request = [&](const Address& from) {
    hostReceive(host, couple.nowUs, couple.nowUs, clockWallSeconds(), from,
                couple.client.batch->bytes, 0, couple.client.batch->lengths[0]);
    return host.handshake.config->pendingMax - host.handshake.pendingFreeCount;
  };
  CHECK_EQUAL(request(address), 1u);
  Pending* pending = pendingFind(host.handshake, address);
  NEED(pending != nullptr);
  pending->address.port++;
  CHECK(pendingFind(host.handshake, address) == nullptr);
  pending->address.port--;
  NEED(couple.meet());
  Connection* connection = slotAtAddress(host, address);
  NEED(connection != nullptr);
  connection->address.type = ADDRESS_IPV6;
  CHECK(slotAtAddress(host, address) == nullptr);
  connection->address.type = ADDRESS_IPV4;
  connection->clientId++;
  CHECK(slotOfClient(host, connection->clientId - 1) == nullptr);
  CHECK(slotOfClient(host, connection->clientId) == nullptr);
  connection->clientId--;
  CHECK(slotOfClient(host, connection->clientId) == connection);
}

TEST(aTokenThatExpiresOnTheWayIsNotTriedElsewhere) {
  Couple couple;
  NEED(couple.open());
  // Its attempts have no end of their own.
  NEED(sidesToken(SERVER_PORT, couple.token, -1));
  Host& host = *couple.client.host;
  hostConnect(host, couple.token, couple.nowUs);
  host.client.token.serverCount = 2;
  for (uint32_t second = 0; second < 61; second++, couple.nowUs += 1000000) {
    hostAdvance(host, couple.nowUs);
    while (hostTransmit(host, couple.nowUs, *couple.client.batch) > 0) {
    }
  }
  couple.client.drain();
  CHECK_EQUAL(couple.client.state, CLIENT_TOKEN_EXPIRED);
  CHECK_EQUAL(host.client.serverIndex, 0u);
}

TEST(submissionsThatMeanNothingHaveNoEffect) {
  Couple couple;
  NEED(couple.open([](uint32_t* config) { config[CONFIG_POLICIES + 9] = BLOCK_MAX; }));
  NEED(couple.meet());
  Bare& side = couple.server;
  Pool& pool = side.host->outlet.pool;
  const uint32_t chunks = pool.chunksFree;
  NEED(submit(side, UNKNOWN_KIND, {side.peer, 0, 0, 0}, 4) != nullptr);
  NEED(submit(side, RECORD_SEND, {side.peer, 9, TTL_DEFAULT, 0}, 4) != nullptr);
  NEED(submitPiece(side, 9, 0, 100, 100));
  ringPublish(side.submission);
  couple.steps(1);
  CHECK_EQUAL(side.fates, 0u);
  CHECK_EQUAL(side.host->page[statsHostWord(HOST_MESSAGES_REFUSED)], 2u);
  // Pieces of blocks that can't be: of nothing, of too much, and not as long as their place.
  NEED(submitPiece(side, 0, 0, 0, 0));
  NEED(submitPiece(side, 0, 0, BLOCK_MAX + 1, 1000));
  NEED(submitPiece(side, 0, 0, 100, 99));
  ringPublish(side.submission);
  couple.steps(1);
  CHECK_EQUAL(side.fates, 3u);
  CHECK_EQUAL(side.dropped, 3u);
  CHECK_EQUAL(pool.chunksFree, chunks);
  NEED(submitPiece(side, 0, 0, 100, 100));
  ringPublish(side.submission);
  couple.steps(ENOUGH_STEPS);
  CHECK_EQUAL(couple.client.blocks, 1u);
  CHECK_EQUAL(side.dropped, 3u);
}

TEST(aBlockWithoutMemoryIsDroppedAndSaysSo) {
  Couple couple;
  NEED(couple.open([](uint32_t* config) {
    config[CONFIG_POLICIES + 9] = BLOCK_MAX;
    config[CONFIG_MESSAGES] = 0;
  }));
  NEED(couple.meet());
  Bare& side = couple.server;
  const uint32_t chunks = side.host->outlet.pool.chunksFree;
  NEED(submitPiece(side, 0, 0, 100, 100));
  ringPublish(side.submission);
  couple.steps(1);
  CHECK_EQUAL(side.dropped, 1u);
  CHECK_EQUAL(side.host->outlet.pool.chunksFree, chunks);
}

TEST(theFirstDrainCounts) {
  Couple couple;
  NEED(couple.open());
  NEED(couple.meet());
  Bare& side = couple.server;
  side.send(100);
  NEED(submit(side, RECORD_CLOSE, {side.peer, 0, 21, 1}, 0) != nullptr);
  NEED(submit(side, RECORD_CLOSE, {side.peer, 0, 22, 1}, 0) != nullptr);
  ringPublish(side.submission);
  couple.steps(ENOUGH_STEPS);
  CHECK_EQUAL(couple.client.received, 1u);
  CHECK_EQUAL(side.reason, 21u);
  CHECK_EQUAL(couple.client.reason, 21u);
}
