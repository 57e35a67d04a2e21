#include "io/waker.h"

#include <errno.h>
#include <time.h>

#include "core/limits.h"
#include "io/clock.h"
#include "io/kernel.h"
#include "io/spawn.h"

#ifdef NETRT_LINUX_IO
#include <sys/epoll.h>
#include <sys/timerfd.h>
#else
#include <poll.h>
#endif

namespace netrt {

namespace {

constexpr uint64_t US_PER_SECOND = 1000000;

// A sleep that could not begin, for want of memory or by a kernel's whim, is tried again after this
// long: at once, the thread would burn a processor until there is memory.
constexpr long PAUSE_NS = 1000000;

// What a sleep ended with.
struct Wake {
  bool timerCame;
  bool socketReady;
  uint32_t serial;  // of the order that the socket was watched for
};

void handlesClose(Waker& waker) {
  handleClose(waker.waitHandle);
  handleClose(waker.timerHandle);
  bellClose(waker.bell);
}

// ---- Sleeping and arming, per system ----

#ifdef NETRT_LINUX_IO

// What an event of the epoll instance is about; for the socket the order's serial is added.
constexpr uint64_t EVENT_BELL = uint64_t{1} << 32;
constexpr uint64_t EVENT_TIMER = uint64_t{2} << 32;
constexpr uint64_t EVENT_SOCKET = uint64_t{3} << 32;
constexpr int EVENTS_MAX = 3;

// 68 years of uptime: a deadline beyond it never comes, and 32-bit seconds hold it.
constexpr uint64_t TIMER_SECONDS_MAX = INT32_MAX;

bool watchSet(Waker& waker, int operation, int handle, uint32_t events, uint64_t about) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = about;
  return ::epoll_ctl(waker.waitHandle, operation, handle, &event) == 0;
}

bool handlesOpen(Waker& waker) {
  waker.waitHandle = ::epoll_create1(EPOLL_CLOEXEC);
  if (waker.waitHandle < 0) return false;
  waker.timerHandle = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (waker.timerHandle < 0) return false;
  if (!bellOpen(waker.bell)) return false;
  // The timer reports its edge only, so nobody has to read it. The socket is enabled once per
  // order.
  return watchSet(waker, EPOLL_CTL_ADD, waker.bell.readEnd, EPOLLIN, EVENT_BELL) &&
         watchSet(waker, EPOLL_CTL_ADD, waker.timerHandle, EPOLLIN | EPOLLET, EVENT_TIMER) &&
         (waker.socket < 0 ||
          watchSet(waker, EPOLL_CTL_ADD, waker.socket, EPOLLONESHOT, EVENT_SOCKET));
}

// An absolute timer of the monotonic clock: precise to the interrupt, without the 50 µs of slack
// that the kernel adds to the time-outs of poll and epoll.
void timerSet(Waker& waker) {
  uint64_t seconds = waker.order.deadlineUs / US_PER_SECOND;
  if (seconds > TIMER_SECONDS_MAX) seconds = TIMER_SECONDS_MAX;
  itimerspec timer = {};
  timer.it_value.tv_sec = static_cast<time_t>(seconds);
  timer.it_value.tv_nsec = static_cast<long>(waker.order.deadlineUs % US_PER_SECOND * 1000);
  // All zero would switch the timer off, and means the distant past: now.
  if (timer.it_value.tv_sec == 0 && timer.it_value.tv_nsec == 0) timer.it_value.tv_nsec = 1;
  const bool set = ::timerfd_settime(waker.timerHandle, TFD_TIMER_ABSTIME, &timer, nullptr) == 0;
  NETRT_ASSERT(set);
}

// Called under the lock, so that two orders reach the kernel in the order of their serials.
void orderPublish(Waker& waker) {
  timerSet(waker);
  if (!waker.order.watchSocket) return;
  const bool watched = watchSet(waker, EPOLL_CTL_MOD, waker.socket, EPOLLIN | EPOLLONESHOT,
                                EVENT_SOCKET | waker.order.serial);
  NETRT_ASSERT(watched);  // the owner closed the socket under its waker
}

Wake sleepOnce(Waker& waker) {
  Wake wake = {false, false, 0};
  epoll_event events[EVENTS_MAX];
  const int count = ::epoll_wait(waker.waitHandle, events, EVENTS_MAX, -1);
  if (count <= 0) waitFailed(count < 0 ? errno : 0);
  for (int index = 0; index < count; index++) {
    const uint64_t about = events[index].data.u64;
    const uint64_t source = about & ~uint64_t{UINT32_MAX};
    if (source == EVENT_TIMER) wake.timerCame = true;
    if (source != EVENT_SOCKET) continue;
    wake.socketReady = true;
    wake.serial = static_cast<uint32_t>(about);
  }
  return wake;
}

#else

bool handlesOpen(Waker& waker) { return bellOpen(waker.bell); }

void timerSet(Waker&) {}  // every sleep has its own time-out

void orderPublish(Waker& waker) { bellRing(waker.bell); }

// Milliseconds until the deadline, rounded up: never early. -1 waits for the bell alone.
int timeoutOf(const WakerOrder& order) {
  if (!order.armed || order.deadlineUs == WAKER_NEVER) return -1;
  const uint64_t nowUs = clockNowUs();
  if (order.deadlineUs <= nowUs) return 0;
  const uint64_t leftMs = (order.deadlineUs - nowUs - 1) / 1000 + 1;
  return leftMs > INT32_MAX ? INT32_MAX : static_cast<int>(leftMs);
}

Wake sleepOnce(Waker& waker) {
  pthread_mutex_lock(&waker.lock);
  const WakerOrder order = waker.order;
  pthread_mutex_unlock(&waker.lock);
  if (order.stop) return {false, false, 0};
  const bool watch = order.armed && order.watchSocket;
  pollfd polled[2] = {{waker.bell.readEnd, POLLIN, 0}, {waker.socket, POLLIN, 0}};
  const int count = ::poll(polled, watch ? 2 : 1, timeoutOf(order));
  if (count < 0) waitFailed(errno);
  if (count <= 0) return {false, false, 0};
  if (polled[0].revents != 0) bellSilence(waker.bell);
  return {false, watch && polled[1].revents != 0, order.serial};
}

#endif

// ---- The thread ----

enum class Verdict : uint8_t { SLEEP, CALL, STOP };

// What a wake means to the order as it is now. Taking an order disarms it: that is what makes the
// callback come once.
Verdict orderTake(Waker& waker, const Wake& wake) {
  Verdict verdict = Verdict::SLEEP;
  pthread_mutex_lock(&waker.lock);
  WakerOrder& order = waker.order;
  if (order.stop) {
    verdict = Verdict::STOP;
  } else if (order.armed) {
    // Only this order's own interest counts: the event of an earlier one may be about a datagram
    // that the owner has read since.
    const bool readable = wake.socketReady && wake.serial == order.serial;
    if (readable || clockNowUs() >= order.deadlineUs) {
      order.armed = false;
      verdict = Verdict::CALL;
    } else if (wake.timerCame) {
      // An earlier order's edge, most likely. Should it have been this one's, a hair too early by
      // the clock that we read, then no other would follow: a deadline is set again rather than
      // missed.
      timerSet(waker);
    }
  }
  pthread_mutex_unlock(&waker.lock);
  return verdict;
}

void* threadRun(void* argument) {
  Waker& waker = *static_cast<Waker*>(argument);
  for (;;) {
    const Wake wake = sleepOnce(waker);
    const Verdict verdict = orderTake(waker, wake);
    if (verdict == Verdict::STOP) return nullptr;
    if (verdict == Verdict::CALL) waker.callback(waker.context);
  }
}

}  // namespace

void waitFailed(int error) {
  if (error != 0) NETRT_ASSERT(faultOf(Call::WAIT, error).action == FaultAction::AGAIN);
  // An interruption is over with the call.
  if (error == EINTR) return;
  const timespec time = {0, PAUSE_NS};
  ::nanosleep(&time, nullptr);
}

Fault wakerStart(Waker& waker, int socket, WakeCallback callback, void* context) {
  NETRT_ASSERT(!waker.running && callback != nullptr);
  waker.socket = socket;
  waker.callback = callback;
  waker.context = context;
  waker.order = WakerOrder();
  int error = handlesOpen(waker) ? 0 : errno;
  if (error == 0) error = spawnThread(waker.thread, threadRun, &waker);
  if (error != 0) {
    handlesClose(waker);
    Fault fault = faultOf(Call::OPEN, error);
    fault.action = FaultAction::FATAL;
    return fault;
  }
  waker.running = true;
  return FAULT_NONE;
}

void wakerArm(Waker& waker, uint64_t deadlineUs, bool watchSocket) {
  NETRT_ASSERT(waker.running && (waker.socket >= 0 || !watchSocket));
  pthread_mutex_lock(&waker.lock);
  waker.order.deadlineUs = deadlineUs;
  waker.order.watchSocket = watchSocket;
  waker.order.serial++;
  waker.order.armed = true;
  orderPublish(waker);
  pthread_mutex_unlock(&waker.lock);
}

void wakerStop(Waker& waker) {
  if (!waker.running) return;
  NETRT_ASSERT(pthread_equal(waker.thread, pthread_self()) == 0);
  pthread_mutex_lock(&waker.lock);
  waker.order.stop = true;
  pthread_mutex_unlock(&waker.lock);
  bellRing(waker.bell);
  pthread_join(waker.thread, nullptr);
  waker.running = false;
  handlesClose(waker);
}

}  // namespace netrt
