// io/waker: that it wakes for what it was asked, once, in time and not before; and that it stops at
// any moment. Times are checked for their order only: machines under test are busy.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "check.h"
#include "io/waker.h"
#include "loopback.h"

namespace {

using namespace netrt;
using namespace netrt::test;

constexpr uint32_t PATIENCE_MS = 10000;

// Counts callbacks, and remembers when the last one came.
struct Counter {
  std::atomic<uint32_t> count{0};
  std::atomic<uint64_t> lastUs{0};

  static void wake(void* context) {
    Counter& counter = *static_cast<Counter*>(context);
    counter.lastUs = clockNowUs();
    counter.count++;
  }

  // Waits until it has counted this many.
  bool reaches(uint32_t wanted) const {
    for (uint32_t ms = 0; ms < PATIENCE_MS; ms++) {
      if (count >= wanted) return true;
      sleepMs(1);
    }
    return count >= wanted;
  }
};

// A waker on a socket, and another socket to send to it.
struct Bed {
  Waker waker;
  Counter counter;
  std::unique_ptr<End> sender = makeEnd();
  std::unique_ptr<End> watched = makeEnd();

  ~Bed() { wakerStop(waker); }

  bool open() {
    if (sender->open(loopbackV4(0)).error != 0) return false;
    if (watched->open(loopbackV4(0)).error != 0) return false;
    return wakerStart(waker, watched->socket.handle, Counter::wake, &counter).error == 0;
  }

  void send() {
    sender->add(watched->socket.address, 8, 0);
    sendBatch(sender->socket, sender->out);
    sendBatchClear(sender->out);
  }

  static void spin(uint32_t us) {
    const uint64_t untilUs = clockNowUs() + us;
    while (clockNowUs() < untilUs) {
    }
  }

  void drain() {
    while (receiveBatch(watched->socket, watched->in) == BatchResult::DONE) {
    }
  }
};

// CPU time of the whole process.
uint64_t workUs() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000 + static_cast<uint64_t>(time.tv_nsec) / 1000;
}

uint32_t random32(uint32_t& state) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

}  // namespace

TEST(wakerComesAtItsDeadline) {
  Bed bed;
  NEED(bed.open());
  uint64_t worstUs = 0;
  for (uint32_t round = 1; round <= 50; round++) {
    const uint64_t deadlineUs = clockNowUs() + 500 + round * 37;
    wakerArm(bed.waker, deadlineUs, round % 2 == 0);
    NEED(bed.counter.reaches(round));
    CHECK(bed.counter.lastUs >= deadlineUs);
    const uint64_t slipUs = bed.counter.lastUs - deadlineUs;
    if (slipUs > worstUs) worstUs = slipUs;
  }
  std::printf("     worst slip of 50 deadlines: %u us\n", static_cast<unsigned>(worstUs));
}

TEST(wakerComesAtOnceForThePast) {
  Bed bed;
  NEED(bed.open());
  const uint64_t deadlines[] = {0, 1, clockNowUs() - 1000000, clockNowUs() - 1, clockNowUs()};
  uint32_t expected = 0;
  for (const uint64_t deadlineUs : deadlines) {
    wakerArm(bed.waker, deadlineUs, false);
    CHECK(bed.counter.reaches(++expected));
  }
}

TEST(wakerComesForADatagram) {
  Bed bed;
  NEED(bed.open());
  for (uint32_t round = 1; round <= 100; round++) {
    wakerArm(bed.waker, WAKER_NEVER, true);
    bed.send();
    NEED(bed.counter.reaches(round));
    bed.drain();
  }
}

TEST(wakerComesForADatagramThatIsThere) {
  Bed bed;
  NEED(bed.open());
  bed.send();
  sleepMs(2);
  wakerArm(bed.waker, WAKER_NEVER, true);
  NEED(bed.counter.reaches(1));
  // Nobody read it: so it is there for the next order too.
  wakerArm(bed.waker, WAKER_NEVER, true);
  CHECK(bed.counter.reaches(2));
}

TEST(wakerLeavesTheSocketAloneUnlessAsked) {
  Bed bed;
  NEED(bed.open());
  bed.send();
  const uint64_t deadlineUs = clockNowUs() + 20000;
  wakerArm(bed.waker, deadlineUs, false);
  NEED(bed.counter.reaches(1));
  CHECK(bed.counter.lastUs >= deadlineUs);
  // Interest from an order before does not outlive it.
  bed.drain();
  wakerArm(bed.waker, WAKER_NEVER, true);
  const uint64_t laterUs = clockNowUs() + 20000;
  wakerArm(bed.waker, laterUs, false);
  bed.send();
  NEED(bed.counter.reaches(2));
  CHECK(bed.counter.lastUs >= laterUs);
}

TEST(wakerCallsOnceUntilArmedAgain) {
  Bed bed;
  NEED(bed.open());
  wakerArm(bed.waker, clockNowUs() + 2000, true);
  for (uint32_t index = 0; index < 200; index++) bed.send();
  NEED(bed.counter.reaches(1));
  // More datagrams and the deadline: none of them is another callback.
  sleepMs(10);
  for (uint32_t index = 0; index < 200; index++) bed.send();
  sleepMs(10);
  CHECK_EQUAL(bed.counter.count.load(), 1u);
  wakerArm(bed.waker, WAKER_NEVER, true);
  NEED(bed.counter.reaches(2));
  sleepMs(10);
  CHECK_EQUAL(bed.counter.count.load(), 2u);
}

TEST(wakerTakesTheLastOrder) {
  Bed bed;
  NEED(bed.open());
  // A later deadline in place of an earlier one: the earlier one never comes.
  wakerArm(bed.waker, clockNowUs() + 5000, false);
  const uint64_t laterUs = clockNowUs() + 40000;
  wakerArm(bed.waker, laterUs, false);
  NEED(bed.counter.reaches(1));
  CHECK(bed.counter.lastUs >= laterUs);
  // An earlier one in place of one that is far away.
  wakerArm(bed.waker, WAKER_NEVER, false);
  wakerArm(bed.waker, clockNowUs() + 1000, false);
  CHECK(bed.counter.reaches(2));
  // None in place of one: it keeps quiet.
  wakerArm(bed.waker, clockNowUs() + 5000, false);
  wakerArm(bed.waker, WAKER_NEVER, false);
  sleepMs(20);
  CHECK_EQUAL(bed.counter.count.load(), 2u);
}

TEST(wakerWorksWithoutASocket) {
  Waker waker;
  Counter counter;
  NEED(wakerStart(waker, -1, Counter::wake, &counter).error == 0);
  wakerArm(waker, clockNowUs() + 1000, false);
  CHECK(counter.reaches(1));
  wakerStop(waker);
}

namespace {

// Arms again from its own callback.
struct Chain {
  Waker waker;
  std::atomic<uint32_t> count{0};

  static void wake(void* context) {
    Chain& chain = *static_cast<Chain*>(context);
    chain.count++;
    wakerArm(chain.waker, clockNowUs() + 20, false);
  }
};

}  // namespace

TEST(wakerCanBeArmedFromItsCallback) {
  Chain chain;
  NEED(wakerStart(chain.waker, -1, Chain::wake, &chain).error == 0);
  wakerArm(chain.waker, 0, false);
  for (uint32_t ms = 0; ms < PATIENCE_MS && chain.count < 500; ms++) sleepMs(1);
  wakerStop(chain.waker);
  CHECK(chain.count >= 500);
  const uint32_t stopped = chain.count;
  sleepMs(5);
  CHECK_EQUAL(chain.count.load(), stopped);
}

// ---- No wake is lost, none is made up ----

namespace {

struct Flood {
  Bed* bed;
  std::atomic<bool> over{false};

  static void* run(void* context) {
    Flood& flood = *static_cast<Flood*>(context);
    uint32_t state = 88675123;
    while (!flood.over) {
      flood.bed->send();
      for (uint32_t spin = random32(state) % 3000; spin > 0; spin--) {
        if (flood.over.load(std::memory_order_relaxed)) break;
      }
    }
    return nullptr;
  }
};

}  // namespace

// Datagrams come at any moment around the arming: each order is answered, and answered once.
TEST(wakerLosesNoWakeUnderFire) {
  Bed bed;
  NEED(bed.open());
  Flood flood;
  flood.bed = &bed;
  pthread_t thread;
  NEED(pthread_create(&thread, nullptr, Flood::run, &flood) == 0);
  uint32_t orders = 0;
  uint32_t state = 521288629;
  const uint64_t endUs = clockNowUs() + 1000000;
  // A second, and on a machine that is busy elsewhere as long as it takes for some orders.
  while (clockNowUs() < endUs || orders <= 100) {
    const uint32_t choice = random32(state) % 4;
    const uint64_t deadlineUs =
        choice == 0 ? clockNowUs() + random32(state) % 100 : clockNowUs() + 5000000;
    wakerArm(bed.waker, deadlineUs, choice != 0);
    orders++;
    const uint64_t lostUs = clockNowUs() + 4000000;
    while (bed.counter.count < orders && clockNowUs() < lostUs) {
    }
    if (bed.counter.count != orders) break;
    bed.drain();
  }
  flood.over = true;
  pthread_join(thread, nullptr);
  CHECK(orders > 100);
  CHECK_EQUAL(bed.counter.count.load(), orders);
}

// Orders replace each other faster than the thread wakes: never more callbacks than orders, never
// one too early, and the last order is answered.
TEST(wakerKeepsItsCountsUnderReplacement) {
  Bed bed;
  NEED(bed.open());
  uint32_t state = 362436069;
  uint32_t orders = 0;
  for (uint32_t round = 0; round < 20000; round++) {
    if (round % 16 == 0) bed.send();
    wakerArm(bed.waker, clockNowUs() + random32(state) % 200, round % 3 == 0);
    orders++;
    if (round % 64 == 0) bed.drain();
    NEED(bed.counter.count <= orders);
  }
  const uint64_t deadlineUs = clockNowUs() + 3000;
  wakerArm(bed.waker, deadlineUs, false);
  for (uint32_t ms = 0; ms < PATIENCE_MS && bed.counter.lastUs < deadlineUs; ms++) sleepMs(1);
  CHECK(bed.counter.lastUs >= deadlineUs);
  CHECK(bed.counter.count <= orders + 1);
}

// The timer of the order before fires while the next one is placed: it must not use that one up.
TEST(wakerDoesNotTakeAnOldTimerForANewOne) {
  Bed bed;
  NEED(bed.open());
  uint32_t state = 1812433253;
  for (uint32_t round = 0; round < 1000; round++) {
    wakerArm(bed.waker, clockNowUs() + 30, false);
    bed.spin(random32(state) % 100);
    const uint64_t deadlineUs = clockNowUs() + 400;
    wakerArm(bed.waker, deadlineUs, false);
    const uint64_t lostUs = deadlineUs + 4000000;
    while (bed.counter.lastUs < deadlineUs && clockNowUs() < lostUs) {
    }
    NEED(bed.counter.lastUs >= deadlineUs);
  }
}

// The same with a datagram that the owner has read by the time its event is looked at.
TEST(wakerDoesNotTakeAnOldDatagramForANewOne) {
  Bed bed;
  NEED(bed.open());
  uint32_t state = 1664525;
  for (uint32_t round = 0; round < 1000; round++) {
    wakerArm(bed.waker, WAKER_NEVER, true);
    bed.send();
    bed.spin(random32(state) % 20);
    bed.drain();
    wakerArm(bed.waker, WAKER_NEVER, true);
    bed.spin(200);
    const uint64_t sentUs = clockNowUs();
    bed.send();
    while (bed.counter.lastUs < sentUs && clockNowUs() < sentUs + 4000000) {
    }
    NEED(bed.counter.lastUs >= sentUs);
    bed.drain();
  }
}

// With a datagram that nobody reads and no order, the thread sleeps: it does not turn round and
// round.
TEST(wakerRestsBetweenOrders) {
  Bed bed;
  NEED(bed.open());
  wakerArm(bed.waker, WAKER_NEVER, true);
  bed.send();
  NEED(bed.counter.reaches(1));
  bed.send();
  const uint64_t beforeUs = clockNowUs();
  const uint64_t workBeforeUs = workUs();
  sleepMs(100);
  CHECK((workUs() - workBeforeUs) * 2 < clockNowUs() - beforeUs);
}

// ---- Stopping ----

TEST(wakerStopsAtAnyMoment) {
  auto sender = makeEnd();
  auto watched = makeEnd();
  NEED(sender->open(loopbackV4(0)).error == 0);
  NEED(watched->open(loopbackV4(0)).error == 0);
  const uint32_t handles = openHandles();
  uint32_t state = 123456789;
  for (uint32_t round = 0; round < 1000; round++) {
    Waker waker;
    Counter counter;
    wakerStop(waker);  // not started
    NEED(wakerStart(waker, watched->socket.handle, Counter::wake, &counter).error == 0);
    const uint32_t scene = random32(state) % 5;
    if (scene > 0) wakerArm(waker, clockNowUs() + random32(state) % 60, scene > 2);
    if (scene > 3) {
      sender->add(watched->socket.address, 8, 0);
      sendBatch(sender->socket, sender->out);
      sendBatchClear(sender->out);
    }
    Bed::spin(random32(state) % 100);
    wakerStop(waker);
    const uint32_t stopped = counter.count;
    CHECK(stopped <= 1);
    wakerStop(waker);
    CHECK_EQUAL(counter.count.load(), stopped);
    receiveBatch(watched->socket, watched->in);
  }
  CHECK_EQUAL(openHandles(), handles);
}

TEST(wakerStopsFromWithinAChain) {
  for (uint32_t round = 0; round < 200; round++) {
    Chain chain;
    NEED(wakerStart(chain.waker, -1, Chain::wake, &chain).error == 0);
    wakerArm(chain.waker, 0, false);
    for (uint32_t spin = 0; spin < round * 50; spin++) {
      if (chain.count > 1000000) break;
    }
    wakerStop(chain.waker);
  }
}

TEST(wakerStartsAgain) {
  Waker waker;
  Counter counter;
  for (uint32_t round = 1; round <= 20; round++) {
    NEED(wakerStart(waker, -1, Counter::wake, &counter).error == 0);
    wakerArm(waker, 0, false);
    NEED(counter.reaches(round));
    wakerArm(waker, WAKER_NEVER, false);
    wakerStop(waker);
  }
}

// ---- The machine around it ----

TEST(wakerSaysWhenHandlesRunOut) {
  const uint32_t handles = openHandles();
  rlimit before;
  NEED(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int lowest = dup(0);
  NEED(lowest >= 0);
  close(lowest);
  // No handle left, then one, and so on, until it starts.
  uint32_t failures = 0;
  for (rlim_t spare = 0; spare < 8; spare++) {
    rlimit few = before;
    few.rlim_cur = static_cast<rlim_t>(lowest) + spare;
    Waker waker;
    Counter counter;
    NEED(setrlimit(RLIMIT_NOFILE, &few) == 0);
    const Fault fault = wakerStart(waker, -1, Counter::wake, &counter);
    setrlimit(RLIMIT_NOFILE, &before);
    if (fault.error == 0) {
      wakerStop(waker);
      break;
    }
    failures++;
    CHECK_EQUAL(fault.error, EMFILE);
    CHECK_EQUAL(fault.action, FaultAction::FATAL);
    CHECK_EQUAL(fault.kind, FaultKind::EXHAUSTED);
    CHECK_EQUAL(openHandles(), handles);
    wakerStop(waker);
  }
  CHECK(failures > 0 && failures < 8);
  CHECK_EQUAL(openHandles(), handles);
}

// A signal to the process must find the program's own threads, not ours.
TEST(wakerTakesNoSignal) {
  Bed bed;
  NEED(bed.open());
  sigset_t one;
  sigset_t before;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  NEED(pthread_sigmask(SIG_BLOCK, &one, &before) == 0);
  // With this thread out of the way only the waker's could take it, and that would end the process.
  NEED(kill(getpid(), SIGUSR1) == 0);
  wakerArm(bed.waker, clockNowUs() + 1000, false);
  CHECK(bed.counter.reaches(1));
  sigset_t pending;
  NEED(sigpending(&pending) == 0);
  CHECK(sigismember(&pending, SIGUSR1) == 1);
  int taken = 0;
  CHECK(sigwait(&one, &taken) == 0);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  // Nor did starting it change the mask of this thread.
  CHECK(sigismember(&before, SIGTERM) == 0);
}
