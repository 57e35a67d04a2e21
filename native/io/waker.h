// Owns the one thread of a host that sleeps on its behalf: until a datagram can be read or a
// deadline comes, whichever is first. Then it calls back once, and keeps quiet until it is armed
// again, so that a flood or a slow owner can't pile up wake-ups.
// Never reads the socket, never touches the protocol, never knows what it wakes.
// Invariants:
//  - at most one callback per wakerArm, for what that call asked for and not what an earlier one
//    did, and never before its deadline unless a datagram (or an error) is there to be read;
//  - the callback runs on the waker's thread, with no lock held: it may arm again from there;
//  - after wakerStop returned there is no callback and no thread, whatever was going on before;
//  - the thread takes no signal but those of its own faults: the others belong to the program.
//
// Arming costs two system calls and does not wake the thread: it sleeps in epoll, and the owner
// sets its timer and its interest in the socket from outside. A thread that had to be woken in
// order to sleep again, with poll and a time-out, would cost a context switch in every turn. (That
// is what the portable build does, and its deadlines are rounded up to whole milliseconds.)
#ifndef NETRT_IO_WAKER_H_
#define NETRT_IO_WAKER_H_

#include <pthread.h>

#include <cstdint>

#include "io/bell.h"
#include "io/fault.h"

namespace netrt {

using WakeCallback = void (*)(void* context);

// A deadline for those who wait for datagrams only.
constexpr uint64_t WAKER_NEVER = UINT64_MAX;

// What wakerArm asks for; shared with the thread, under the lock.
struct WakerOrder {
  uint64_t deadlineUs = WAKER_NEVER;
  uint32_t serial = 0;  // counts the orders, so that an old one's event is known as such; it wraps
  bool armed = false;
  bool watchSocket = false;
  bool stop = false;
};

// A waker is not copied or moved while it runs: its thread points at it.
struct Waker {
  // The owner's: written only while no thread runs.
  bool running = false;
  pthread_t thread = {};
  int socket = -1;
  int waitHandle = -1;   // Linux: the epoll instance
  int timerHandle = -1;  // Linux: the timer of the deadline
  Bell bell;             // for stopping; elsewhere for arming too
  WakeCallback callback = nullptr;
  void* context = nullptr;
  // Both sides': what is under the lock.
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  WakerOrder order;
};

// A sleep could not begin, with this errno, or ended with nothing at all (0): whoever tries again
// does so in a while, but for an interruption.
void waitFailed(int error);

// Starts the thread, unarmed. `socket` is a handle that outlives it, or -1 for deadlines only.
// On a fault nothing is left behind.
Fault wakerStart(Waker& waker, int socket, WakeCallback callback, void* context);

// Asks for one callback: at `deadlineUs` (monotonic; the past means now) or, with `watchSocket`,
// when a datagram or an error can be read. Replaces what was asked before. From any thread, while
// it runs.
void wakerArm(Waker& waker, uint64_t deadlineUs, bool watchSocket);

// Stops and joins the thread; waits for a callback that is under way, so not to be called from one.
// Safe at any time: before wakerStart, twice, between arming and waking.
void wakerStop(Waker& waker);

}  // namespace netrt

#endif  // NETRT_IO_WAKER_H_
