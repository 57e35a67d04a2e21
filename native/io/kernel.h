// Owns the system calls that a socket makes, as one table of functions, and what differs in them
// between systems. The tests put a table of their own in its place and so make any call fail
// with any errno; everything else uses KERNEL.
// Never decides anything: what an errno means stands in fault, what to do about it in socket.
// Invariants: every function sets errno and returns a negative number when it fails, as the call it
// stands for. receiveMany and sendMany answer like recvmmsg and sendmmsg also where the system has
// neither: the number of datagrams that went, an error only when the first one failed.
#ifndef NETRT_IO_KERNEL_H_
#define NETRT_IO_KERNEL_H_

#include <sys/socket.h>

// Batched calls and kernel time to the nanosecond are Linux's. Everywhere else, and in a build that
// says NETRT_PORTABLE_IO, plain POSIX does the same work, a call per datagram.
#if defined(__linux__) && !defined(NETRT_PORTABLE_IO)
#define NETRT_LINUX_IO 1
#endif

namespace netrt {

#ifdef NETRT_LINUX_IO
using MessageHeader = mmsghdr;
#else
struct MessageHeader {
  msghdr msg_hdr;
  unsigned int msg_len;
};
#endif

struct Kernel {
  // A UDP socket of `family`, non-blocking and closed on exec.
  int (*openSocket)(int family);
  int (*closeSocket)(int handle);
  int (*bindSocket)(int handle, const sockaddr* address, socklen_t bytes);
  int (*socketName)(int handle, sockaddr* address, socklen_t* bytes);
  int (*writeOption)(int handle, int level, int option, const void* value, socklen_t bytes);
  int (*readOption)(int handle, int level, int option, void* value, socklen_t* bytes);
  int (*receiveMany)(int handle, MessageHeader* headers, unsigned int count);
  int (*sendMany)(int handle, MessageHeader* headers, unsigned int count);
};

extern const Kernel KERNEL;

}  // namespace netrt

#endif  // NETRT_IO_KERNEL_H_
