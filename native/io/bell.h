// Owns the way to wake a thread that sleeps on file descriptors: something to be rung from any
// thread, and polled.
// Never counts: rings before the sleeper looked are one.
// Invariant: a bell that was rung is readable until bellSilence.
#ifndef NETRT_IO_BELL_H_
#define NETRT_IO_BELL_H_

namespace netrt {

struct Bell {
  int readEnd = -1;
  int writeEnd = -1;  // Linux: the same eventfd. Elsewhere: the other end of a pipe
};

// False, with errno set, when no handle is left; what was opened then is closed by bellClose.
bool bellOpen(Bell& bell);

// Safe at any time, also twice.
void bellClose(Bell& bell);

void bellRing(const Bell& bell);

void bellSilence(const Bell& bell);

// Closes a handle that may be none, and forgets it.
void handleClose(int& handle);

}  // namespace netrt

#endif  // NETRT_IO_BELL_H_
