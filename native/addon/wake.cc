#include "addon/wake.h"

#include <cerrno>

namespace netrt {

namespace {

// On the other thread. Two wakes before JavaScript ran are one call.
void wakeQueue(void* context) {
  Wake& wake = *static_cast<Wake*>(context);
  if (wake.refused.load(std::memory_order_relaxed)) return;
  if (wake.queued.exchange(true, std::memory_order_acq_rel)) return;
  const napi_status status =
      napi_call_threadsafe_function(wake.function, nullptr, napi_tsfn_nonblocking);
  // napi_closing: from here on the function may be freed at any moment, by somebody else.
  if (status != napi_ok) wake.refused.store(true, std::memory_order_relaxed);
}

// An exception of the handler is the program's, as from any other callback. A thread-safe function
// left alone with one would only print a warning (DEP0168).
void exceptionRaise(napi_env env) {
  bool pending = false;
  napi_value exception = nullptr;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
    napi_fatal_exception(env, exception);
  }
}

// On JavaScript's thread. Without an environment it is told of a call that will never be made, and
// Wake may be gone.
void wakeDeliver(napi_env env, napi_value onWake, void* context, void*) {
  if (env == nullptr || onWake == nullptr) return;
  Wake& wake = *static_cast<Wake*>(context);
  // Before anything else: what happens from here on deserves a call of its own.
  wake.queued.store(false, std::memory_order_release);
  if (!wake.armed) return;
  wake.armed = false;
  napi_value undefined = nullptr;
  if (napi_get_undefined(env, &undefined) != napi_ok) return;
  // The handler may close the engine: Wake is not touched after it.
  if (napi_call_function(env, undefined, onWake, 0, nullptr, nullptr) != napi_ok) {
    exceptionRaise(env);
  }
}

}  // namespace

Fault wakeOpen(Wake& wake, napi_env env, napi_value onWake, Engine& engine) {
  napi_value name = nullptr;
  const bool created =
      napi_create_string_utf8(env, "netrt", NAPI_AUTO_LENGTH, &name) == napi_ok &&
      napi_create_threadsafe_function(env, onWake, nullptr, name, 0, 1, nullptr, nullptr, &wake,
                                      wakeDeliver, &wake.function) == napi_ok;
  if (!created) {
    wake.function = nullptr;
    Fault fault = faultOf(Call::OPEN, ENOMEM);
    fault.action = FaultAction::FATAL;
    return fault;
  }
  const Fault fault = engineGated(engine)
                          ? threadStart(wake.thread, engine, wakeQueue, &wake)
                          : wakerStart(wake.waker, engine.socket.handle, wakeQueue, &wake);
  if (fault.error != 0) wakeClose(wake);
  return fault;
}

void wakeArm(Wake& wake, uint64_t deadlineUs, bool watch, bool flush) {
  wake.armed = true;
  if (wake.thread.running) {
    threadArm(wake.thread, deadlineUs, watch, flush);
  } else {
    wakerArm(wake.waker, deadlineUs, watch);
  }
}

void wakeClose(Wake& wake) {
  wakerStop(wake.waker);
  threadStop(wake.thread);
  // A function that refused a call has let go of us by itself.
  const bool ours = wake.function != nullptr && !wake.refused.load(std::memory_order_relaxed);
  if (ours) napi_release_threadsafe_function(wake.function, napi_tsfn_abort);
  wake.function = nullptr;
  wake.armed = false;
}

}  // namespace netrt
