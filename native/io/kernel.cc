#include "io/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

namespace netrt {

namespace {

#ifdef NETRT_LINUX_IO

int openSocket(int family) {
  return ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
}

int receiveMany(int handle, MessageHeader* headers, unsigned int count) {
  return ::recvmmsg(handle, headers, count, MSG_DONTWAIT, nullptr);
}

int sendMany(int handle, MessageHeader* headers, unsigned int count) {
  return ::sendmmsg(handle, headers, count, MSG_DONTWAIT);
}

#else

int openSocket(int family) {
  const int handle = ::socket(family, SOCK_DGRAM, IPPROTO_UDP);
  if (handle < 0) return handle;
  if (::fcntl(handle, F_SETFD, FD_CLOEXEC) == 0 && ::fcntl(handle, F_SETFL, O_NONBLOCK) == 0) {
    return handle;
  }
  const int error = errno;
  ::close(handle);
  errno = error;
  return -1;
}

int receiveMany(int handle, MessageHeader* headers, unsigned int count) {
  unsigned int index = 0;
  for (; index < count; index++) {
    const ssize_t bytes = ::recvmsg(handle, &headers[index].msg_hdr, MSG_DONTWAIT);
    if (bytes < 0) break;
    headers[index].msg_len = static_cast<unsigned int>(bytes);
  }
  return index > 0 ? static_cast<int>(index) : -1;
}

int sendMany(int handle, MessageHeader* headers, unsigned int count) {
  unsigned int index = 0;
  for (; index < count; index++) {
    const ssize_t bytes = ::sendmsg(handle, &headers[index].msg_hdr, MSG_DONTWAIT);
    if (bytes < 0) break;
    headers[index].msg_len = static_cast<unsigned int>(bytes);
  }
  return index > 0 ? static_cast<int>(index) : -1;
}

#endif

}  // namespace

const Kernel KERNEL = {openSocket,   ::close,      ::bind,      ::getsockname,
                       ::setsockopt, ::getsockopt, receiveMany, sendMany};

}  // namespace netrt
