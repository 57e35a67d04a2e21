#include "io/thread.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>

#include <algorithm>

#include "core/stats.h"
#include "io/clock.h"
#include "io/kernel.h"
#include "io/spawn.h"

#ifdef NETRT_LINUX_IO
#include <sys/prctl.h>
#endif

namespace netrt {

namespace {

constexpr uint64_t US_PER_SECOND = 1000000;

struct Lock {
  explicit Lock(pthread_mutex_t& lockMutex) : mutex(lockMutex) { pthread_mutex_lock(&mutex); }
  ~Lock() { pthread_mutex_unlock(&mutex); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  pthread_mutex_t& mutex;
};

// ---- Sleeping, per system ----

#ifdef NETRT_LINUX_IO

// Deadlines to the interrupt: the kernel adds 50 µs of slack to every sleep otherwise.
void sleepPrepare() { ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }

int sleepOn(pollfd* handles, nfds_t count, uint64_t leftUs) {
  timespec left;
  left.tv_sec = static_cast<time_t>(leftUs / US_PER_SECOND);
  left.tv_nsec = static_cast<long>(leftUs % US_PER_SECOND * 1000);
  return ::ppoll(handles, count, &left, nullptr);
}

#else

void sleepPrepare() {}

// Whole milliseconds, rounded up: never early.
int sleepOn(pollfd* handles, nfds_t count, uint64_t leftUs) {
  return ::poll(handles, count, static_cast<int>((leftUs + 999) / 1000));
}

#endif

// A sleep without any deadline ends after this all the same: an hour, which poll's int holds.
constexpr uint64_t SLEEP_US_MAX = 3600 * US_PER_SECOND;

// What a turn leaves to do: whether to tell the owner, and how to sleep.
struct Rest {
  bool wake;
  bool sleep;
  bool reads;  // datagrams end the sleep
  uint64_t untilUs;
  uint64_t gatherUntilUs;  // but not before this
};

// Sleeps until a time, or the bell, or a datagram if it is watched for; true: for a datagram.
bool sleepOnce(const Thread& thread, uint64_t untilUs, bool reads) {
  const uint64_t nowUs = clockNowUs();
  uint64_t leftUs = untilUs > nowUs ? untilUs - nowUs : 0;
  if (leftUs > SLEEP_US_MAX) leftUs = SLEEP_US_MAX;
  pollfd handles[2] = {{thread.bell.readEnd, POLLIN, 0}, {thread.engine->socket.handle, POLLIN, 0}};
  const int count = sleepOn(handles, reads ? 2 : 1, leftUs);
  if (count < 0) waitFailed(errno);
  if (count <= 0) return false;
  const bool rung = handles[0].revents != 0;
  if (rung) bellSilence(thread.bell);
  return !rung;
}

void sleepFor(const Thread& thread, const Rest& rest) {
  if (!sleepOnce(thread, rest.untilUs, rest.reads)) return;
  if (clockNowUs() < rest.gatherUntilUs) sleepOnce(thread, rest.gatherUntilUs, false);
}

// ---- A round ----

bool orderDue(const ThreadOrder& order) { return order.armed && clockNowUs() >= order.deadlineUs; }

// The owner goes first: a lock alone would be taken again before the owner came to run.
void engineYield(const Thread& thread) {
  while (thread.engineWanted.load(std::memory_order_acquire)) sched_yield();
}

// How a turn ended: what is read of the engine while it is the thread's.
struct Turned {
  bool failed;
  bool more;
  bool stalled;
  bool starved;
  uint64_t nowUs;
  uint64_t deadlineUs;
  uint32_t peers;
};

Turned turnTake(Thread& thread) {
  engineYield(thread);
  const Lock held(thread.engineLock);
  Engine& engine = *thread.engine;
  const uint32_t flags = TURN_RECEIVE | TURN_TRANSMIT | (thread.flushing ? TURN_FLUSH : 0);
  const uint32_t turned = engineTurn(engine, flags);
  // What was ordered to go out and is not yet taken goes out when it is.
  thread.flushing = thread.flushing && !engineTookAll(engine);
  if ((turned & TURNED_WARNED) != 0) thread.warned.store(true, std::memory_order_release);
  Turned result;
  result.failed = (turned & TURNED_FAILED) != 0;
  result.stalled = engine.inNext < engine.in.count;
  result.starved = engine.socket.starved;
  result.more = (turned & TURNED_MORE) != 0 && !result.stalled;
  result.nowUs = engine.nowUs;
  result.deadlineUs = engine.deadlineUs;
  if (result.stalled) {
    // Time stands still for an engine that waits long: its deadlines may be past, and stay so.
    result.deadlineUs = std::max(result.deadlineUs, engine.nowUs + STALLED_PAUSE_US);
    result.deadlineUs = std::min(result.deadlineUs, engine.nowUs + STALLED_RETRY_US);
  }
  if (result.starved) {
    result.deadlineUs = std::min(result.deadlineUs, engine.nowUs + BLOCKED_RETRY_US);
  }
  result.peers = engine.host.page[statsHostWord(HOST_PEERS)];
  return result;
}

// Takes the orders; false: stop. What is due is told at once.
bool ordersTake(Thread& thread) {
  bool due = false;
  {
    const Lock held(thread.orderLock);
    ThreadOrder& order = thread.order;
    order.asleep = false;
    if (order.stop) return false;
    thread.flushing = thread.flushing || order.flush;
    order.flush = false;
    due = orderDue(order);
    if (due) order.armed = false;
  }
  if (due) thread.callback(thread.context);
  return true;
}

// While the owner reads at its deadlines only, datagrams are taken together rather than one by one,
// and once more shortly before it reads.
uint64_t gatherUntil(const ThreadOrder& order, uint64_t takenUs) {
  if (order.watch) return 0;
  const uint64_t untilUs = takenUs + GATHER_US;
  if (!order.armed || order.deadlineUs < takenUs + GATHER_LEAD_US) return untilUs;
  return std::min(untilUs, order.deadlineUs - GATHER_LEAD_US);
}

Rest turnEnd(Thread& thread, const Turned& turned) {
  const bool unread = engineUnread(*thread.engine);
  const Lock held(thread.orderLock);
  ThreadOrder& order = thread.order;
  order.peersChanged = turned.peers != thread.peersTold;
  order.stalled = turned.stalled;
  Rest rest = {};
  rest.untilUs = turned.failed ? WAKER_NEVER : turned.deadlineUs;
  rest.reads = !turned.failed && !turned.stalled && !turned.starved;
  const bool news = !turned.failed && order.watch && (unread || order.peersChanged);
  // That it failed is told once: who is told and arms again would hear of nothing else any more.
  rest.wake = order.armed && (news || (turned.failed && !thread.failureTold));
  if (rest.wake) {
    order.armed = false;
    order.peersChanged = false;
    thread.failureTold = turned.failed;
    thread.peersTold = turned.peers;
  }
  if (order.armed) rest.untilUs = std::min(rest.untilUs, order.deadlineUs);
  rest.gatherUntilUs = std::min(rest.untilUs, gatherUntil(order, turned.nowUs));
  rest.sleep = (turned.failed || !turned.more) && !order.flush && !order.stop;
  order.asleep = rest.sleep;
  order.asleepUntilUs = rest.untilUs;
  return rest;
}

void* threadRun(void* argument) {
  Thread& thread = *static_cast<Thread*>(argument);
  sleepPrepare();
  Turned turned = {};
  while (ordersTake(thread)) {
    // A socket that is gone stays gone: all that is left is to be told to stop.
    if (!turned.failed) turned = turnTake(thread);
    if (turned.failed) thread.failed.store(true, std::memory_order_release);
    const Rest rest = turnEnd(thread, turned);
    if (rest.wake) thread.callback(thread.context);
    if (rest.sleep) sleepFor(thread, rest);
  }
  return nullptr;
}

// ---- The owner's side ----

// Takes the engine from the thread, for as long as it lives.
struct EngineHold {
  explicit EngineHold(Thread& owner) : thread(owner) {
    thread.engineWanted.store(true, std::memory_order_release);
    pthread_mutex_lock(&thread.engineLock);
    thread.engineWanted.store(false, std::memory_order_release);
  }
  ~EngineHold() { pthread_mutex_unlock(&thread.engineLock); }
  EngineHold(const EngineHold&) = delete;
  EngineHold& operator=(const EngineHold&) = delete;
  Thread& thread;
};

// Has a turn begin after this, whatever the thread does now.
void turnAsk(Thread& thread, bool flush) {
  bool ring = false;
  {
    const Lock held(thread.orderLock);
    ThreadOrder& order = thread.order;
    order.flush = order.flush || flush;
    ring = order.asleep || !flush;
    order.asleep = false;
  }
  if (ring) bellRing(thread.bell);
}

}  // namespace

Fault threadStart(Thread& thread, Engine& engine, WakeCallback callback, void* context) {
  NETRT_ASSERT(!thread.running && callback != nullptr && engineGated(engine));
  thread.engine = &engine;
  thread.callback = callback;
  thread.context = context;
  thread.order = ThreadOrder();
  thread.failed = false;
  thread.warned = false;
  thread.flushing = false;
  thread.failureTold = false;
  thread.peersTold = engine.host.page[statsHostWord(HOST_PEERS)];
  int error = bellOpen(thread.bell) ? 0 : errno;
  if (error == 0) error = spawnThread(thread.thread, threadRun, &thread);
  if (error != 0) {
    bellClose(thread.bell);
    Fault fault = faultOf(Call::OPEN, error);
    fault.action = FaultAction::FATAL;
    return fault;
  }
  thread.running = true;
  return FAULT_NONE;
}

void threadArm(Thread& thread, uint64_t deadlineUs, bool watch, bool flush) {
  NETRT_ASSERT(thread.running);
  bool ring = false;
  {
    const Lock held(thread.orderLock);
    ThreadOrder& order = thread.order;
    // Whoever was content with its deadlines let datagrams gather; now each counts.
    const bool each = watch && !order.watch;
    order.deadlineUs = deadlineUs;
    order.watch = watch;
    order.armed = true;
    order.flush = order.flush || flush;
    const bool unread = engineUnread(*thread.engine);
    const bool news = watch && (unread || order.peersChanged);
    const bool gone = thread.failed.load(std::memory_order_acquire);
    // What the owner has read is room for what waits.
    const bool wanted =
        flush || news || each || gone || order.stalled || deadlineUs < order.asleepUntilUs;
    ring = order.asleep && wanted;
    // Whoever rings first is enough.
    if (ring) order.asleep = false;
  }
  if (ring) bellRing(thread.bell);
}

void threadFlush(Thread& thread) {
  NETRT_ASSERT(thread.running);
  turnAsk(thread, true);
}

uint32_t threadSubmit(Thread& thread) {
  NETRT_ASSERT(thread.running);
  if (thread.failed.load(std::memory_order_acquire)) return TURNED_FAILED;
  uint32_t turned = 0;
  {
    const EngineHold held(thread);
    turned = engineTurn(*thread.engine, 0);
  }
  // There may be an earlier deadline than the one that the thread sleeps until.
  turnAsk(thread, false);
  return turned;
}

void threadConnect(Thread& thread, const uint8_t* token) {
  NETRT_ASSERT(thread.running);
  {
    const EngineHold held(thread);
    engineConnect(*thread.engine, token);
  }
  // Its first request is due.
  turnAsk(thread, false);
}

void threadStop(Thread& thread) {
  if (!thread.running) return;
  NETRT_ASSERT(pthread_equal(thread.thread, pthread_self()) == 0);
  {
    const Lock held(thread.orderLock);
    thread.order.stop = true;
  }
  bellRing(thread.bell);
  pthread_join(thread.thread, nullptr);
  thread.running = false;
  bellClose(thread.bell);
}

}  // namespace netrt
