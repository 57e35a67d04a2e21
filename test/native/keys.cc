// Which key opens what: by the kind of a packet, its epoch and what the peer has shown to have.
#include <cstring>

#include "check.h"
#include "core/acks.h"
#include "core/omit.h"
#include "couple.h"

namespace {

using namespace netrt;
using namespace netrt::test;

constexpr uint32_t EPOCH = 5;
constexpr uint64_t EPOCH_START = uint64_t{EPOCH} << EPOCH_BITS;
constexpr uint64_t EPOCH_END = (uint64_t{EPOCH} + 1) << EPOCH_BITS;
constexpr uint32_t LOW_LAST = (1u << EPOCH_BITS) - 1;

enum class Key { NONE, RECEIVE, OTHER, NEXT };

// What a connection knows, and a packet.
struct Row {
  bool derived;
  bool confirmed;
  bool token;
  bool other;
  uint64_t newest;
  uint8_t type;
  uint64_t number;
  Key key;
};

Key keyOf(Connection& connection, const Row& row) {
  Session& session = connection.session;
  session.derived = row.derived;
  session.confirmed = row.confirmed;
  session.token = row.token;
  session.receiveEpoch = EPOCH;
  session.lowest = EPOCH_START + 100;
  session.otherKey.ready = row.other;
  connection.replay.newest = row.newest;
  SealKey scratch;
  if (!sealKeyOpen(scratch)) return Key::NONE;
  PacketHeader header;
  header.type = row.type;
  header.sequence = row.type == PACKET_SESSION ? row.number & LOW_LAST : row.number;
  const SealKey* key = sessionKeyOf(connection, scratch, header);
  const bool found = key == &scratch;
  sealKeyClose(scratch);
  if (key != nullptr && header.sequence != row.number) return Key::NONE;
  return key == nullptr                  ? Key::NONE
         : found                         ? Key::NEXT
         : key == &connection.receiveKey ? Key::RECEIVE
                                         : Key::OTHER;
}

}  // namespace

TEST(aPacketIsOpenedUnderTheKeyThatItsNumberTells) {
  constexpr uint64_t MIDDLE = EPOCH_START + (1u << 22);
  constexpr uint8_t OLD = PACKET_PAYLOAD;
  constexpr uint8_t OURS = PACKET_SESSION;
  const Row rows[] = {
      // The token's key, until the peer has shown the session's; then for what was sent before.
      {true, false, false, true, MIDDLE, OLD, MIDDLE, Key::RECEIVE},
      {true, true, true, true, MIDDLE, OLD, EPOCH_START + 99, Key::OTHER},
      {true, true, true, true, MIDDLE, OLD, EPOCH_START + 100, Key::NONE},
      {true, true, false, true, MIDDLE, OLD, EPOCH_START + 99, Key::NONE},
      // Session packets before there are keys, and where numbers end.
      {false, false, false, false, MIDDLE, OURS, MIDDLE, Key::NONE},
      {true, true, false, true, SEQUENCE_MAX + 1, OURS, EPOCH_START, Key::NONE},
      {true, true, false, true, 10, OURS, LOW_LAST, Key::NONE},
      // The first of them belongs to the epoch in which they were agreed on.
      {true, false, false, true, MIDDLE, OURS, MIDDLE, Key::OTHER},
      {true, false, false, true, EPOCH_END - 1, OURS, EPOCH_END, Key::NONE},
      // Later: this epoch's, the one before, the one behind.
      {true, true, false, true, MIDDLE, OURS, MIDDLE + 1, Key::RECEIVE},
      {true, true, false, true, EPOCH_START, OURS, EPOCH_START - 1, Key::OTHER},
      {true, true, true, true, EPOCH_START, OURS, EPOCH_START - 1, Key::NONE},
      {true, true, false, false, EPOCH_START, OURS, EPOCH_START - 1, Key::NONE},
      {true, true, false, true, EPOCH_END - 1, OURS, EPOCH_END, Key::NEXT},
      // An epoch that is passed over has no key.
      {true, true, false, true, EPOCH_END, OURS, EPOCH_END + (1u << EPOCH_BITS) - 9000000,
       Key::NEXT},
      {true, true, false, true, EPOCH_END + LOW_LAST, OURS, EPOCH_END + LOW_LAST + 1, Key::NONE},
  };
  Couple couple;
  NEED(couple.open());
  NEED(couple.meet());
  Connection& connection = couple.server.host->connections[0];
  for (const Row& row : rows) CHECK_EQUAL(keyOf(connection, row), row.key);
}

TEST(theNextEpochTakesThePlaceOfWhateverKeyWasKept) {
  for (const bool open : {true, false}) {
    Couple couple;
    NEED(couple.open());
    NEED(couple.meet());
    Connection& connection = couple.server.host->connections[0];
    Session& session = connection.session;
    if (open) {
      NEED(session.otherKey.open || sealKeyOpen(session.otherKey));
    } else {
      sealKeyClose(session.otherKey);
    }
    session.confirmed = true;
    session.token = true;
    const uint32_t epoch = session.receiveEpoch;
    PacketHeader header;
    header.type = PACKET_SESSION;
    header.sequence = uint64_t{epoch + 1} << EPOCH_BITS;
    connection.replay.newest = header.sequence;
    SealKey next;
    NEED(sealKeyOpen(next));
    sealSuiteSet(next, session.suite, SIDES_KEY, 0);
    sessionOpened(connection, next, header);
    sealKeyClose(next);
    CHECK_EQUAL(session.receiveEpoch, epoch + 1);
    CHECK(session.lowest == header.sequence && !session.token);
    CHECK(std::memcmp(connection.receiveKey.bytes, SIDES_KEY, KEY_BYTES) == 0);
  }
}

TEST(aKeyThatWasNeverOpenedIsForgottenAllTheSame) {
  SealKey key;
  std::memset(key.bytes, 7, KEY_BYTES);
  key.ready = true;
  sealKeyClear(key);
  CHECK(!key.ready && !key.open);
  for (const uint8_t byte : key.bytes) CHECK_EQUAL(byte, 0);
}

TEST(aNumberIsLeftOutOnlyWhereOneIsLeftForAPacket) {
  for (const uint32_t inFlight : {IN_FLIGHT_MAX - 3, IN_FLIGHT_MAX - 2, IN_FLIGHT_MAX - 1}) {
    Couple couple;
    NEED(couple.open());
    NEED(couple.meet());
    Connection& connection = couple.server.host->connections[0];
    Sent& sent = connection.sent;
    while (sentInFlight(sent) < inFlight) sentAdd(sent, couple.nowUs, 0, false);
    connection.omitNumber = sent.nextNumber;
    const uint32_t before = sent.omitted;
    omitDue(connection, couple.server.host->shared, couple.nowUs);
    CHECK_EQUAL(sent.omitted - before, inFlight + 1 < IN_FLIGHT_MAX ? 1u : 0u);
    CHECK(sentReady(sent));
  }
}

TEST(aNumberThatComesTwiceFillsNoGap) {
  Received received;
  receivedReset(received);
  receivedAdd(received, 0, START_US, true, 0);
  receivedAdd(received, 3, START_US, true, 0);
  CHECK_EQUAL(received.gaps, 2u);
  const uint64_t bits = received.bits[0];
  receivedAdd(received, 3, START_US, true, 0);
  CHECK_EQUAL(received.gaps, 2u);
  CHECK_EQUAL(received.bits[0], bits);
  receivedAdd(received, 2, START_US, true, 0);
  CHECK_EQUAL(received.gaps, 1u);
}
