// Owns the way from an engine's other thread to JavaScript: one thread-safe function for each. That
// thread is a waker, which only sleeps for an engine that takes its turns inline, or the I/O
// thread. Never reads the socket and never decides when to wake: arming does. Invariants:
//  - at most one call is queued, and JavaScript is called at most once for each arming;
//  - after wakeClose returned nothing is called, no thread of ours runs, and the memory of Wake may
//    go, whatever the environment is doing;
//  - while it is open the event loop stays alive: a server that listens keeps its process.
#ifndef NETRT_ADDON_WAKE_H_
#define NETRT_ADDON_WAKE_H_

#include <node_api.h>

#include <atomic>
#include <cstdint>

#include "io/fault.h"
#include "io/thread.h"
#include "io/waker.h"

namespace netrt {

// Not copied or moved while it is open: the thread and the environment point at it.
struct Wake {
  napi_threadsafe_function function = nullptr;
  // One of the two runs.
  Waker waker;
  Thread thread;
  bool armed = false;  // JavaScript's thread only
  // Both threads': a call is on its way to JavaScript.
  std::atomic<bool> queued{false};
  // Written by the other thread: the environment goes down and wants no more calls.
  std::atomic<bool> refused{false};
};

// Starts the thread, unarmed: an I/O thread for an engine with a gate. `onWake` is a function. On a
// fault nothing is left behind.
Fault wakeOpen(Wake& wake, napi_env env, napi_value onWake, Engine& engine);

// Asks for one call at the deadline (µs), or before it when `watch` is set and a datagram comes (an
// I/O thread: when there is news of its turns). Replaces what was asked before. `flush` is for an
// I/O thread alone.
void wakeArm(Wake& wake, uint64_t deadlineUs, bool watch, bool flush);

// Safe from within the call itself, and in the clean-up of the environment.
void wakeClose(Wake& wake);

}  // namespace netrt

#endif  // NETRT_ADDON_WAKE_H_
