#include "io/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>

#include "io/kernel.h"

#ifdef NETRT_LINUX_IO
#include <sys/eventfd.h>
#endif

namespace netrt {

#ifdef NETRT_LINUX_IO

bool bellOpen(Bell& bell) {
  bell.readEnd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bell.writeEnd = bell.readEnd;
  return bell.readEnd >= 0;
}

#else

bool bellOpen(Bell& bell) {
  int ends[2];
  if (::pipe(ends) != 0) return false;
  bell.readEnd = ends[0];
  bell.writeEnd = ends[1];
  for (const int end : ends) {
    if (::fcntl(end, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(end, F_SETFL, O_NONBLOCK) != 0) {
      return false;
    }
  }
  return true;
}

#endif

void bellClose(Bell& bell) {
  if (bell.writeEnd == bell.readEnd) bell.writeEnd = -1;
  handleClose(bell.readEnd);
  handleClose(bell.writeEnd);
}

// The only two reasons why a bell can't be written are that it rings already and that it is gone.
void bellRing(const Bell& bell) {
  const uint64_t one = 1;
  while (::write(bell.writeEnd, &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

void bellSilence(const Bell& bell) {
  // One read empties an eventfd; a pipe may hold more.
  uint64_t bytes[32];
  while (::read(bell.readEnd, bytes, sizeof(bytes)) == static_cast<ssize_t>(sizeof(bytes))) {
  }
}

void handleClose(int& handle) {
  if (handle >= 0) ::close(handle);
  handle = -1;
}

}  // namespace netrt
