// Owns the start of a thread beside a program that knows nothing of it: the signals of others are
// blocked from its first instruction on, and its stack is small.
// Never ends a thread: whoever started it tells it to stop, and joins.
#ifndef NETRT_IO_SPAWN_H_
#define NETRT_IO_SPAWN_H_

#include <pthread.h>

namespace netrt {

using ThreadBody = void* (*)(void* argument);

// 0, or the errno of why there is no thread.
int spawnThread(pthread_t& thread, ThreadBody body, void* argument);

}  // namespace netrt

#endif  // NETRT_IO_SPAWN_H_
