#include "io/spawn.h"

#include <signal.h>

#include <cstddef>

namespace netrt {

namespace {

// Ample for a loop, a turn of the core and a callback that only passes a signal on; sanitizers need
// most of it. A page that is not touched costs no memory.
constexpr size_t STACK_BYTES = 512 * 1024;

// Signals that report the thread's own faults. They must reach whoever reports crashes.
constexpr int OWN_SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};

}  // namespace

int spawnThread(pthread_t& thread, ThreadBody body, void* argument) {
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  for (const int own : OWN_SIGNALS) sigdelset(&blocked, own);
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error != 0) return error;
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  error = pthread_sigmask(SIG_SETMASK, &blocked, &before);
  if (error == 0) {
    error = pthread_create(&thread, &attributes, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace netrt
