// Owns the I/O thread of an engine: it takes turns by itself, so that datagrams are received,
// acked, repaired and paced while the owner (JavaScript) is busy. The owner only reads and writes
// rings.
// Never knows what it wakes, never waits for the owner, never drops what the owner submitted.
//
// A round of the thread:
//   orders    what the owner asked for since: flush, a deadline, a watch, stop
//   wake      when the owner's deadline is there, before any work: a tick must not wait for a turn
//   turn      submit, receive, advance, flush, transmit, publish: io/turn's engineTurn, as inline
//   wake      when the owner watches and there is news: unread records, another number of peers
//   sleep     ppoll on socket and bell, until the sooner of the engine's and the owner's deadline;
//             for an owner that reads at its deadlines only, datagrams gather for GATHER_US
//
// Two locks. `orderLock` is held for some instructions, around the orders and around the decision
// to sleep: whoever changes an order under it knows whether the thread sleeps, and for how long,
// and rings the bell (a system call) only when the thread would not see the order in time by
// itself. `engineLock` is held for a turn; the owner takes it to connect, and to submit at once
// when its ring is full, and then the thread waits for the owner.
//
// The rings need no lock. The core sees of the submission ring what was admitted (Engine::gate): a
// tick's messages become visible together with the flush that sends them. While the owner leaves no
// room for records, the thread doesn't read the socket. It goes on with sending, and with time
// until its peers would seem silent only because nobody listened (SEEN_AGE_MAX_US).
//
// Invariants:
//  - at most one callback per threadArm, on this thread, with no lock held, for that order alone;
//  - an order is served without another one: no wake is lost, whenever it comes;
//  - after threadStop returned there is no thread and no callback, and nothing touches the rings,
//    the pages and the engine any more: their owner may free them;
//  - counters on the pages are words, each whole at any time; pairs of them may be read between two
//    writes.
#ifndef NETRT_IO_THREAD_H_
#define NETRT_IO_THREAD_H_

#include <pthread.h>

#include <atomic>
#include <cstdint>

#include "io/bell.h"
#include "io/fault.h"
#include "io/turn.h"
#include "io/waker.h"

namespace netrt {

// How long the thread waits for room in the completion ring before it looks again, should the owner
// not tell (µs): it tells when it arms.
constexpr uint64_t STALLED_RETRY_US = 10000;
// And how long at least.
constexpr uint64_t STALLED_PAUSE_US = 1000;

// While the owner reads at its deadlines only (a server's ticks), a datagram may wait so long for
// others to be taken with it (µs): every system call and every wake-up is shared by them. Its time
// of arrival is the kernel's, so the round-trip time does not suffer, and an ack is held longer.
constexpr uint64_t GATHER_US = 4000;
// And what waits is taken so long before the deadline (µs): some hundred datagrams' work.
constexpr uint64_t GATHER_LEAD_US = 300;

// What the owner asks for, and whether the thread sleeps; under orderLock.
struct ThreadOrder {
  uint64_t deadlineUs = WAKER_NEVER;
  bool armed = false;
  bool watch = false;
  bool flush = false;
  bool stop = false;
  bool asleep = false;
  uint64_t asleepUntilUs = 0;
  // There are other peers than the owner was last woken for.
  bool peersChanged = false;
  // The engine waits for room in the completion ring.
  bool stalled = false;
};

// Not copied or moved while it runs.
struct Thread {
  // The owner's: written only while no thread runs.
  bool running = false;
  pthread_t thread = {};
  Engine* engine = nullptr;
  Bell bell;
  WakeCallback callback = nullptr;
  void* context = nullptr;
  // Both sides'.
  pthread_mutex_t orderLock = PTHREAD_MUTEX_INITIALIZER;
  ThreadOrder order;
  pthread_mutex_t engineLock = PTHREAD_MUTEX_INITIALIZER;
  std::atomic<bool> engineWanted{false};  // the owner waits for engineLock, and goes first
  std::atomic<bool> failed{false};        // the socket is gone; the page has the errno
  std::atomic<bool> warned{false};        // datagrams could not go; the page has why
  // The thread's.
  bool flushing = false;  // a flush was ordered, and not all that it is about was taken yet
  bool failureTold = false;
  uint32_t peersTold = 0;
};

// Starts the thread over an open engine with a gate (EngineOptions::gated), unarmed. On a fault
// nothing is left behind.
Fault threadStart(Thread& thread, Engine& engine, WakeCallback callback, void* context);

// Asks for one callback: at `deadlineUs` (monotonic; the past means now) or, with `watch`, when
// there is news. Replaces what was asked before. With `flush`, threadFlush in the same breath.
void threadArm(Thread& thread, uint64_t deadlineUs, bool watch, bool flush = false);

// Everything that is admitted goes out, in the thread's next turn.
void threadFlush(Thread& thread);

// Takes what is admitted on the caller's thread, to make room in the ring. TURNED_ bits.
uint32_t threadSubmit(Thread& thread);

// Starts a client, as engineConnect does.
void threadConnect(Thread& thread, const uint8_t* token);

// Stops and joins the thread; waits for a turn or a callback that is under way. Safe at any time.
void threadStop(Thread& thread);

}  // namespace netrt

#endif  // NETRT_IO_THREAD_H_
