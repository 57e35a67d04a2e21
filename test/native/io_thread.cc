// io/thread: two engines on their own threads exchange messages over loopback, while this thread,
// in JavaScript's place, only reads and writes rings; and the thread stops at any moment. Under
// TSan this is the proof that what both sides touch is shared as it should be.
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "check.h"
#include "io/thread.h"
#include "sides.h"

using namespace netrt;
using namespace netrt::test;

namespace {

// CPU time of the whole process.
uint64_t workUs() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000 + static_cast<uint64_t>(time.tv_nsec) / 1000;
}

}  // namespace

TEST(threadExchangesWhileTheUserReadsRings) {
  if (!sidesCiphers()) return;
  const std::unique_ptr<Sides> pair = makeSides();
  NEED(pair->open());
  constexpr uint32_t MESSAGES = 20000;
  uint32_t sent[2] = {0, 0};
  const bool done = sidesRun(pair->server, pair->client, [&] {
    pair->server.send(sent[0], MESSAGES, 4 + sent[0] % 200, 500);
    pair->client.send(sent[1], MESSAGES, 4 + sent[1] % 200, 500);
    return pair->server.received == MESSAGES && pair->client.received == MESSAGES;
  });
  CHECK(done);
  CHECK(pair->server.ordered && pair->client.ordered);
  CHECK(pair->server.receiveCalls() > 0);
  CHECK(pair->server.look(PEER_PACKETS_RECEIVED) > 0);
}

// One message, one flush, one wake at a time: nothing that comes later makes up for one that is
// lost.
TEST(threadLosesNoFlushAndNoWake) {
  if (!sidesCiphers()) return;
  const std::unique_ptr<Sides> pair = makeSides();
  NEED(pair->open());
  Side& server = pair->server;
  uint32_t state = 1;
  for (uint32_t round = 0; round < 2000; round++) {
    NEED(pair->client.push(round, 8));
    pair->client.flush();
    const uint64_t readUs = clockNowUs() + randomNext(state) % 100;
    while (clockNowUs() < readUs) {
    }
    // Armed after the message came, or before: either way it is told of.
    const uint32_t before = server.wakes;
    threadArm(server.thread, WAKER_NEVER, true);
    for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS * 20 && server.wakes == before; ms++) usleep(50);
    NEED(server.wakes == before + 1);
    server.drain();
    NEED(server.received == round + 1);
  }
}

TEST(threadMakesRoomInAFullRing) {
  if (!sidesCiphers()) return;
  const std::unique_ptr<Sides> pair = makeSides();
  NEED(pair->open());
  Side& client = pair->client;
  uint32_t sent = 0;
  while (client.push(sent, 64)) sent++;
  CHECK(sent > 100);
  engineAdmit(*client.engine, client.submission.head);
  CHECK_EQUAL(threadSubmit(client.thread), 0u);
  CHECK(client.push(sent, 64));
  sent++;
  client.flush();
  CHECK(sidesRun(pair->server, client, [&] { return pair->server.received == sent; }));
  CHECK(pair->server.ordered);
}

TEST(threadWaitsForAUserThatDoesNotRead) {
  if (!sidesCiphers()) return;
  const std::unique_ptr<Sides> pair = makeSides();
  NEED(pair->open());
  Side& server = pair->server;
  Side& client = pair->client;
  // More than the completion ring holds, to a server that looks at nothing.
  constexpr uint32_t MESSAGES = 2000;
  uint32_t sent = 0;
  const auto send = [&] { client.send(sent, MESSAGES, 1000, 200); };
  const auto full = [&] {
    return server.unreadBytes() > COMPLETION_CAPACITY - COMPLETION_RESERVE_BYTES;
  };
  for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS && !full(); ms++) {
    send();
    sleepMs(1);
  }
  CHECK(full());
  CHECK(sent < MESSAGES);
  // What it says is not taken as long as there is no room for the answer, and sent afterwards.
  CHECK(server.push(0, 8));
  server.flush();
  // What does not fit waits in the socket or at the client, and the thread rests meanwhile. (The
  // client's own ring may be full still: its thread takes it out.)
  bool pushed = client.push(sent, 1000);
  for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS && !pushed; ms++) {
    sleepMs(1);
    pushed = client.push(sent, 1000);
  }
  NEED(pushed);
  sent++;
  client.flush();
  const uint64_t before = server.receiveCalls();
  sleepMs(SEEN_AGE_MAX_US / 1000);
  // By now its time stands still, with deadlines that are past.
  const uint64_t beganUs = workUs();
  sleepMs(200);
  CHECK(workUs() - beganUs < 25000);
  CHECK(server.receiveCalls() - before < 5);
  CHECK(server.unreadBytes() <= COMPLETION_CAPACITY);
  // It reads, and all goes on.
  server.drain();
  CHECK(sidesRun(server, client, [&] {
    send();
    return server.received == MESSAGES && client.received == 1;
  }));
  CHECK(server.ordered);
  // And the flush was not forgotten meanwhile: nothing waits for another one.
  threadStop(server.thread);
  CHECK_EQUAL(server.engine->host.dirtyCount, 0u);
}

TEST(threadComesAtItsDeadline) {
  Side side;
  NEED(side.open(ROLE_SERVER));
  uint64_t worstUs = 0;
  for (uint32_t round = 1; round <= 50; round++) {
    const uint64_t deadlineUs = clockNowUs() + 500 + round * 37;
    threadArm(side.thread, deadlineUs, round % 2 == 0);
    while (side.wakes < round && clockNowUs() < deadlineUs + 10000000) usleep(20);
    NEED(side.wakes == round);
    const uint64_t nowUs = clockNowUs();
    CHECK(nowUs >= deadlineUs);
    if (nowUs - deadlineUs > worstUs) worstUs = nowUs - deadlineUs;
  }
  std::printf("     worst slip of 50 deadlines: %u us\n", static_cast<unsigned>(worstUs));
  // Armed once, called once.
  sleepMs(20);
  CHECK_EQUAL(side.wakes.load(), 50u);
}

TEST(threadTellsOfWhatWasThereBefore) {
  Side side;
  NEED(side.open(ROLE_SERVER));
  // Without peers it has no deadline and no reason of its own to look again.
  sleepMs(20);
  // As if eight bytes had been published and not read.
  __atomic_store_n(side.completion.control + 16, side.completion.tail - 8, __ATOMIC_RELEASE);
  threadArm(side.thread, WAKER_NEVER, false);
  sleepMs(20);
  CHECK_EQUAL(side.wakes.load(), 0u);
  threadArm(side.thread, WAKER_NEVER, true);
  for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS && side.wakes == 0; ms++) sleepMs(1);
  CHECK_EQUAL(side.wakes.load(), 1u);
}

TEST(threadFlushesWhatComesWhileItIsAwake) {
  if (!sidesCiphers()) return;
  const std::unique_ptr<Sides> pair = makeSides();
  NEED(pair->open());
  Side& client = pair->client;
  const uint32_t before = client.wakes;
  client.hold = true;
  threadArm(client.thread, 0, false);
  for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS && client.wakes == before; ms++) sleepMs(1);
  CHECK(client.push(0, 8));
  client.flush();
  client.hold = false;
  for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS && client.waiting() == UINT32_MAX; ms++) sleepMs(1);
  CHECK(client.waiting() != UINT32_MAX);
  threadStop(client.thread);
  CHECK_EQUAL(client.engine->host.dirtyCount, 0u);
}

TEST(threadTakesTheLastOrder) {
  Side side;
  NEED(side.open(ROLE_SERVER));
  threadArm(side.thread, clockNowUs() + 60000000, false);
  sleepMs(5);
  // Sooner than what it sleeps for: the bell rings.
  threadArm(side.thread, clockNowUs() + 1000, false);
  for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS && side.wakes == 0; ms++) sleepMs(1);
  CHECK_EQUAL(side.wakes.load(), 1u);
  threadArm(side.thread, clockNowUs() + 20000, false);
  threadArm(side.thread, WAKER_NEVER, false);
  sleepMs(50);
  CHECK_EQUAL(side.wakes.load(), 1u);
}

TEST(threadRestsWithNothingToDo) {
  Side side;
  NEED(side.open(ROLE_SERVER));
  threadArm(side.thread, WAKER_NEVER, true);
  sleepMs(20);
  const uint64_t before = side.receiveCalls();
  sleepMs(200);
  // Receive calls: a thread that spins makes thousands.
  CHECK(side.receiveCalls() - before < 5);
}

TEST(threadTakesDatagramsTogetherForAnOwnerWithTicks) {
  Side side;
  const std::unique_ptr<End> stranger = makeEnd();
  NEED(side.open(ROLE_SERVER) && stranger->open(loopbackV4(0)).error == 0);
  constexpr uint32_t DATAGRAMS = 200;
  Address address = loopbackV4(side.port());
  const uint64_t deadlineUs = clockNowUs() + 50000;
  threadArm(side.thread, deadlineUs, false);
  sleepMs(5);
  const uint64_t before = side.receiveCalls();
  const uint64_t startUs = clockNowUs();
  for (uint32_t index = 0; index < DATAGRAMS; index++) {
    stranger->add(address, 100, index);
    sendBatch(stranger->socket, stranger->out);
    sendBatchClear(stranger->out);
    while (clockNowUs() < startUs + index * 100) {
    }
  }
  while (side.wakes == 0 && clockNowUs() < deadlineUs + 10000000) usleep(100);
  CHECK_EQUAL(side.wakes.load(), 1u);
  // Each gathering costs two calls at most, the second of which finds nothing.
  const uint64_t gatherings = (clockNowUs() - startUs) / GATHER_US + 4;
  CHECK(side.receiveCalls() - before <= 2 * gatherings);
  for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS && side.datagrams() < DATAGRAMS; ms++) sleepMs(1);
  CHECK_EQUAL(side.datagrams(), uint64_t{DATAGRAMS});
}

TEST(threadSaysThatTheSocketIsGone) {
  Side side;
  NEED(side.open(ROLE_SERVER));
  threadArm(side.thread, WAKER_NEVER, false);
  // A pipe's end in the socket's place: no socket any more.
  int ends[2];
  NEED(pipe(ends) == 0);
  NEED(dup2(ends[0], side.engine->socket.handle) >= 0);
  threadFlush(side.thread);
  for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS && side.wakes == 0; ms++) sleepMs(1);
  CHECK_EQUAL(side.wakes.load(), 1u);
  CHECK(side.thread.failed.load());
  CHECK_EQUAL(threadSubmit(side.thread), TURNED_FAILED);
  CHECK(reinterpret_cast<const uint32_t*>(side.published.data())[PUBLISHED_ERROR] != 0);
  // Once; and it rests: nothing but deadlines and the end is left.
  threadArm(side.thread, WAKER_NEVER, true);
  sleepMs(20);
  CHECK_EQUAL(side.wakes.load(), 1u);
  threadArm(side.thread, 0, true);
  for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS && side.wakes == 1; ms++) sleepMs(1);
  CHECK_EQUAL(side.wakes.load(), 2u);
  side.close();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(threadStopsAtAnyMoment) {
  if (!sidesCiphers()) return;
  const uint32_t handles = openHandles();
  for (uint32_t round = 0; round < 30; round++) {
    const std::unique_ptr<Sides> pair = makeSides();
    NEED(pair->open());
    uint32_t sent = 0;
    while (pair->client.push(sent, 100)) sent++;
    pair->client.flush();
    threadArm(pair->client.thread, clockNowUs() + round * 10, true);
    usleep(round * 50);
    if (round % 2 == 0) {
      pair->client.close();
    } else {
      pair->server.close();
    }
  }
  CHECK_EQUAL(openHandles(), handles);
}
