// io/socket: several datagrams to one peer in one message (UDP_SEGMENT), on real sockets, and what
// a kernel that refuses makes of it. Messages are what `failing` counts here.
#include <cerrno>

#include "check.h"
#include "failing.h"
#include "io/socket.h"
#include "loopback.h"

namespace {

using namespace netrt;
using namespace netrt::test;

// Whether this kernel cuts messages at all; elsewhere there is nothing to test.
bool segments() {
#ifdef NETRT_LINUX_IO
  auto end = makeEnd();
  return end->open(loopbackV4(0)).error == 0 && end->socket.segments;
#else
  return false;
#endif
}

bool addAll(Pair& pair, uint32_t count) {
  bool added = true;
  for (uint32_t value = 0; value < count; value++) added = pair.add(value) && added;
  return added;
}

bool allArrive(Pair& pair, uint32_t count) {
  bool arrived = true;
  for (uint32_t value = 0; value < count; value++) arrived = pair.arrives(value) && arrived;
  return arrived && pair.silent();
}

uint32_t outcomes(const Pair& pair, SendOutcome outcome) {
  uint32_t count = 0;
  for (uint32_t index = 0; index < pair.left->out.count; index++) {
    count += pair.left->out.entries[index].outcome == outcome ? 1 : 0;
  }
  return count;
}

// Datagrams of these sizes to one peer: how many messages the kernel got. Each has to arrive as it
// is.
uint32_t messagesOf(const Address& here, std::initializer_list<uint32_t> lengths) {
  auto left = makeEnd();
  auto right = makeEnd();
  failing = Failing();
  failing.sendErrorAt = -1;
  if (left->open(here, FAILING).error != 0 || right->open(here).error != 0) return 0;
  uint32_t value = 0;
  for (const uint32_t length : lengths) CHECK(left->add(right->socket.address, length, value++));
  CHECK(sendBatch(left->socket, left->out) == BatchResult::DONE);
  CHECK_EQUAL(left->socket.stats.sendCalls, 1u);
  CHECK_EQUAL(left->socket.stats.sentDatagrams, lengths.size());
  value = 0;
  for (const uint32_t length : lengths) {
    const Datagram* datagram = right->next();
    CHECK(datagram != nullptr && End::matches(*datagram, length, value));
    value++;
  }
  CHECK_EQUAL(left->socket.stats.sentBytes, right->socket.stats.receivedBytes);
  return failing.sent;
}

}  // namespace

TEST(segmentsGoInOneMessage) {
  if (!segments()) return;
  for (const Address& here : {loopbackV4(0), loopbackV6(0)}) {
    CHECK_EQUAL(messagesOf(here, {1000, 1000, 1000, 1000, 1000}), 1u);
    CHECK_EQUAL(messagesOf(here, {1000, 1000, 7}), 1u);           // the last may be shorter,
    CHECK_EQUAL(messagesOf(here, {1000, 1000, 7, 7}), 2u);        // and ends the message
    CHECK_EQUAL(messagesOf(here, {1000, 1000, 1001, 1001}), 2u);  // longer is another one's
    CHECK_EQUAL(messagesOf(here, {1000, 1000, 0, 1000}), 3u);     // an empty one is none's
    CHECK_EQUAL(messagesOf(here, {0, 0, 5}), 3u);
    CHECK_EQUAL(messagesOf(here, {1, 1, 1, 1}), 1u);
  }
}

TEST(segmentsFillNoMoreThanAMessage) {
  if (!segments()) return;
  auto left = makeEnd();
  auto right = makeEnd();
  failing = Failing();
  failing.sendErrorAt = -1;
  NEED(left->open(loopbackV4(0), FAILING).error == 0 && right->open(loopbackV4(0)).error == 0);
  for (uint32_t value = 0; value < BATCH_DATAGRAMS; value++) {
    NEED(left->add(right->socket.address, DATAGRAM_BYTES_MAX, value));
  }
  CHECK(sendBatch(left->socket, left->out) == BatchResult::DONE);
  CHECK_EQUAL(failing.sent, 2u);
  for (uint32_t value = 0; value < BATCH_DATAGRAMS; value++) {
    const Datagram* datagram = right->next();
    NEED(datagram != nullptr && End::matches(*datagram, DATAGRAM_BYTES_MAX, value));
  }
}

TEST(segmentsOfPeersStayApart) {
  if (!segments()) return;
  auto left = makeEnd();
  auto one = makeEnd();
  auto two = makeEnd();
  failing = Failing();
  failing.sendErrorAt = -1;
  NEED(left->open(loopbackV4(0), FAILING).error == 0);
  NEED(one->open(loopbackV4(0)).error == 0 && two->open(loopbackV4(0)).error == 0);
  for (const uint32_t value : {0u, 1u}) NEED(left->add(one->socket.address, 100, value));
  for (const uint32_t value : {2u, 3u}) NEED(left->add(two->socket.address, 100, value));
  NEED(left->add(one->socket.address, 100, 4));
  CHECK(sendBatch(left->socket, left->out) == BatchResult::DONE);
  CHECK_EQUAL(failing.sent, 3u);
  for (const uint32_t value : {0u, 1u, 4u}) {
    const Datagram* datagram = one->next();
    NEED(datagram != nullptr && End::matches(*datagram, 100, value));
  }
  for (const uint32_t value : {2u, 3u}) {
    const Datagram* datagram = two->next();
    NEED(datagram != nullptr && End::matches(*datagram, 100, value));
  }
}

// The kernel, or a device, does not cut: said once, and never tried again on this socket.
TEST(segmentsThatAreRefusedGoAlone) {
  if (!segments()) return;
  for (const int error : {EIO, EINVAL}) {
    Pair pair;
    NEED(pair.open(true));
    failing.sendError = error;
    failing.sendTimes = 1;
    NEED(addAll(pair, 20));
    CHECK(sendBatch(pair.left->socket, pair.left->out) == BatchResult::DONE);
    CHECK(!pair.left->socket.segments);
    CHECK_EQUAL(pair.left->socket.stats.sendCalls, 2u);
    CHECK_EQUAL(failing.sent, 20u);
    CHECK_EQUAL(outcomes(pair, SendOutcome::SENT), 20u);
    CHECK(allArrive(pair, 20));
    sendBatchClear(pair.left->out);
    NEED(addAll(pair, 5));
    CHECK(sendBatch(pair.left->socket, pair.left->out) == BatchResult::DONE);
    CHECK_EQUAL(failing.sent, 25u);
    CHECK(allArrive(pair, 5));
    SocketWarning warning;
    CHECK(!socketWarning(pair.left->socket, clockNowUs(), warning));
  }
}

// What is wrong with one datagram is found by sending each: it alone has the outcome.
TEST(segmentsKeepErrorsApart) {
  if (!segments()) return;
  for (const int error : SURVIVABLE) {
    const FaultAction action = faultOf(Call::SEND, error).action;
    if (action == FaultAction::AGAIN || action == FaultAction::LATER) continue;
    const bool skips = action != FaultAction::ICMP;
    Pair pair;
    NEED(pair.open(true));
    failing.sendError = error;
    failing.sendTimes = 2;  // the message, and the first that goes alone
    NEED(addAll(pair, 10));
    CHECK(sendBatch(pair.left->socket, pair.left->out) == BatchResult::DONE);
    CHECK(pair.left->socket.segments);
    CHECK_EQUAL(outcomes(pair, SendOutcome::SENT), skips ? 9u : 10u);
    CHECK_EQUAL(pair.left->out.entries[0].outcome == SendOutcome::SENT, !skips);
    CHECK_EQUAL(pair.left->socket.stats.refused, skips ? 0u : 2u);
    for (uint32_t value = skips ? 1 : 0; value < 10; value++) CHECK(pair.arrives(value));
    CHECK(pair.silent());
    // The next batch is one message again.
    sendBatchClear(pair.left->out);
    failing.sent = 0;
    NEED(addAll(pair, 10));
    CHECK(sendBatch(pair.left->socket, pair.left->out) == BatchResult::DONE);
    CHECK_EQUAL(failing.sent, 1u);
    CHECK(allArrive(pair, 10));
  }
}

TEST(segmentsWaitForRoom) {
  if (!segments()) return;
  Pair pair;
  NEED(pair.open(true));
  failing.sendError = EAGAIN;
  failing.sendTimes = 3;
  NEED(addAll(pair, 30));
  for (uint32_t round = 0; round < 3; round++) {
    CHECK(sendBatch(pair.left->socket, pair.left->out) == BatchResult::LATER);
    CHECK_EQUAL(pair.left->out.next, 0u);
  }
  CHECK(sendBatch(pair.left->socket, pair.left->out) == BatchResult::DONE);
  CHECK_EQUAL(pair.left->socket.stats.wouldBlock, 3u);
  CHECK_EQUAL(failing.sent, 1u);
  CHECK(allArrive(pair, 30));
}

// One call in four fails, with anything: as errnoAtRandomConservesDatagrams, by messages.
TEST(segmentsAtRandomConserveDatagrams) {
  if (!segments()) return;
  Pair pair;
  NEED(pair.open(true));
  failing.randomState = 88675123u;
  uint32_t value = 0;
  for (uint32_t round = 0; round < 1000; round++) {
    const uint32_t first = value;
    const uint32_t count = 1 + failingRandom() % BATCH_DATAGRAMS;
    for (uint32_t index = 0; index < count; index++) NEED(pair.add(value++));
    uint32_t calls = 0;
    while (sendBatch(pair.left->socket, pair.left->out) != BatchResult::DONE) NEED(++calls < 1000);
    CHECK(failing.sendCalls <= 4 * BATCH_DATAGRAMS + 2 * calls);
    failing.sendCalls = 0;
    for (uint32_t index = 0; index < count; index++) {
      const SendOutcome outcome = pair.left->out.entries[index].outcome;
      NEED(outcome != SendOutcome::WAITING);
      if (outcome == SendOutcome::SENT) NEED(pair.arrives(first + index));
    }
    NEED(pair.silent());
    sendBatchClear(pair.left->out);
  }
  const SocketStats& stats = pair.left->socket.stats;
  CHECK_EQUAL(stats.sentDatagrams + stats.localLoss + stats.tooLarge + stats.unreachable, value);
  CHECK(pair.left->socket.segments);
  CHECK(stats.refused > 0 && stats.wouldBlock > 0);
}
