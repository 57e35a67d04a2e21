#include "io/fault.h"

#include <cerrno>

namespace netrt {

namespace {

// Sorted by call, then by what happens. An errno that has no row at its call takes the call's
// default below.
constexpr FaultRow TABLE[] = {
    // socket(), setsockopt(), and the descriptors and the thread of the waker
    {Call::OPEN, EMFILE, FaultAction::FATAL, FaultKind::EXHAUSTED},
    {Call::OPEN, ENFILE, FaultAction::FATAL, FaultKind::EXHAUSTED},
    {Call::OPEN, ENOBUFS, FaultAction::FATAL, FaultKind::EXHAUSTED},
    {Call::OPEN, ENOMEM, FaultAction::FATAL, FaultKind::EXHAUSTED},
    {Call::OPEN, EAGAIN, FaultAction::FATAL,
     FaultKind::EXHAUSTED},  // pthread_create: no thread left
    {Call::OPEN, EACCES, FaultAction::FATAL, FaultKind::DENIED},
    {Call::OPEN, EPERM, FaultAction::FATAL, FaultKind::DENIED},
    {Call::OPEN, EAFNOSUPPORT, FaultAction::FATAL, FaultKind::UNSUPPORTED},
    {Call::OPEN, EPROTONOSUPPORT, FaultAction::FATAL, FaultKind::UNSUPPORTED},
    {Call::OPEN, ENOPROTOOPT, FaultAction::FATAL, FaultKind::UNSUPPORTED},
    {Call::OPEN, EINVAL, FaultAction::FATAL, FaultKind::UNSUPPORTED},
    {Call::OPEN, EINTR, FaultAction::AGAIN, FaultKind::OTHER},

    // bind(), getsockname()
    {Call::BIND, EADDRINUSE, FaultAction::FATAL, FaultKind::IN_USE},
    {Call::BIND, EADDRNOTAVAIL, FaultAction::FATAL, FaultKind::UNAVAILABLE},
    {Call::BIND, EINVAL, FaultAction::FATAL,
     FaultKind::UNAVAILABLE},  // link-local without its interface
    {Call::BIND, ENODEV, FaultAction::FATAL, FaultKind::UNAVAILABLE},
    {Call::BIND, EACCES, FaultAction::FATAL, FaultKind::DENIED},
    {Call::BIND, EPERM, FaultAction::FATAL, FaultKind::DENIED},
    {Call::BIND, ENOBUFS, FaultAction::FATAL, FaultKind::EXHAUSTED},
    {Call::BIND, ENOMEM, FaultAction::FATAL, FaultKind::EXHAUSTED},
    {Call::BIND, EAFNOSUPPORT, FaultAction::FATAL, FaultKind::UNSUPPORTED},
    {Call::BIND, EINTR, FaultAction::AGAIN, FaultKind::OTHER},

    // recvmmsg(), recvmsg()
    {Call::RECEIVE, EAGAIN, FaultAction::LATER, FaultKind::OTHER},
    {Call::RECEIVE, EINTR, FaultAction::AGAIN, FaultKind::OTHER},
    {Call::RECEIVE, ENOMEM, FaultAction::LATER, FaultKind::EXHAUSTED},
    {Call::RECEIVE, ENOBUFS, FaultAction::LATER, FaultKind::EXHAUSTED},
    {Call::RECEIVE, ECONNREFUSED, FaultAction::ICMP, FaultKind::OTHER},
    {Call::RECEIVE, ECONNRESET, FaultAction::ICMP, FaultKind::OTHER},
    {Call::RECEIVE, EHOSTUNREACH, FaultAction::ICMP, FaultKind::OTHER},
    {Call::RECEIVE, EHOSTDOWN, FaultAction::ICMP, FaultKind::OTHER},
    {Call::RECEIVE, ENETUNREACH, FaultAction::ICMP, FaultKind::OTHER},
    {Call::RECEIVE, ENOPROTOOPT, FaultAction::ICMP, FaultKind::OTHER},
    {Call::RECEIVE, EOPNOTSUPP, FaultAction::ICMP, FaultKind::OTHER},
    {Call::RECEIVE, EPROTO, FaultAction::ICMP, FaultKind::OTHER},
    {Call::RECEIVE, EMSGSIZE, FaultAction::ICMP, FaultKind::OTHER},
    {Call::RECEIVE, EACCES, FaultAction::ICMP, FaultKind::DENIED},
    {Call::RECEIVE, ETIMEDOUT, FaultAction::ICMP, FaultKind::OTHER},
    {Call::RECEIVE, EBADF, FaultAction::FATAL, FaultKind::OTHER},
    {Call::RECEIVE, ENOTSOCK, FaultAction::FATAL, FaultKind::OTHER},
    {Call::RECEIVE, EFAULT, FaultAction::FATAL, FaultKind::OTHER},
    {Call::RECEIVE, EINVAL, FaultAction::FATAL, FaultKind::OTHER},
    {Call::RECEIVE, ENOSYS, FaultAction::FATAL, FaultKind::UNSUPPORTED},  // a sandbox

    // sendmmsg(), sendmsg()
    {Call::SEND, EAGAIN, FaultAction::LATER, FaultKind::OTHER},
    {Call::SEND, EINTR, FaultAction::AGAIN, FaultKind::OTHER},
    {Call::SEND, ENOBUFS, FaultAction::LOSS, FaultKind::EXHAUSTED},
    {Call::SEND, ENOMEM, FaultAction::LOSS, FaultKind::EXHAUSTED},
    {Call::SEND, EMSGSIZE, FaultAction::SHRINK, FaultKind::OTHER},
    {Call::SEND, ECONNREFUSED, FaultAction::ICMP, FaultKind::OTHER},
    {Call::SEND, ECONNRESET, FaultAction::ICMP, FaultKind::OTHER},
    {Call::SEND, ENOPROTOOPT, FaultAction::ICMP, FaultKind::OTHER},
    {Call::SEND, EOPNOTSUPP, FaultAction::ICMP, FaultKind::OTHER},
    {Call::SEND, EPROTO, FaultAction::ICMP, FaultKind::OTHER},
    // No route, or a firewall's refusal. An ICMP message gives the same errno as our own routing
    // table, so the
    // peer keeps its connection here as well; if it is really gone, its time-out says so.
    {Call::SEND, EPERM, FaultAction::WARN, FaultKind::DENIED},
    {Call::SEND, EACCES, FaultAction::WARN, FaultKind::DENIED},
    {Call::SEND, ENETUNREACH, FaultAction::WARN, FaultKind::UNAVAILABLE},
    {Call::SEND, EHOSTUNREACH, FaultAction::WARN, FaultKind::UNAVAILABLE},
    {Call::SEND, EHOSTDOWN, FaultAction::WARN, FaultKind::UNAVAILABLE},
    {Call::SEND, ENETDOWN, FaultAction::WARN, FaultKind::UNAVAILABLE},
    {Call::SEND, EADDRNOTAVAIL, FaultAction::WARN, FaultKind::UNAVAILABLE},
    {Call::SEND, EAFNOSUPPORT, FaultAction::WARN, FaultKind::UNSUPPORTED},
    {Call::SEND, EINVAL, FaultAction::WARN, FaultKind::OTHER},  // an address nothing can be sent to
    {Call::SEND, EBADF, FaultAction::FATAL, FaultKind::OTHER},
    {Call::SEND, ENOTSOCK, FaultAction::FATAL, FaultKind::OTHER},
    {Call::SEND, EFAULT, FaultAction::FATAL, FaultKind::OTHER},
    {Call::SEND, EPIPE, FaultAction::FATAL, FaultKind::OTHER},
    {Call::SEND, ENOSYS, FaultAction::FATAL, FaultKind::UNSUPPORTED},

    // sendmmsg() of several datagrams in one message (UDP_SEGMENT). What is said of one of them is
    // no news of the others.
    {Call::SEGMENT, EAGAIN, FaultAction::LATER, FaultKind::OTHER},
    {Call::SEGMENT, EINTR, FaultAction::AGAIN, FaultKind::OTHER},
    {Call::SEGMENT, EIO, FaultAction::WHOLE, FaultKind::UNSUPPORTED},  // a device without checksums
    {Call::SEGMENT, EINVAL, FaultAction::WHOLE, FaultKind::UNSUPPORTED},
    {Call::SEGMENT, EMSGSIZE, FaultAction::SPLIT, FaultKind::OTHER},
    {Call::SEGMENT, EBADF, FaultAction::FATAL, FaultKind::OTHER},
    {Call::SEGMENT, ENOTSOCK, FaultAction::FATAL, FaultKind::OTHER},
    {Call::SEGMENT, EFAULT, FaultAction::FATAL, FaultKind::OTHER},
    {Call::SEGMENT, EPIPE, FaultAction::FATAL, FaultKind::OTHER},
    {Call::SEGMENT, ENOSYS, FaultAction::FATAL, FaultKind::UNSUPPORTED},

    // epoll_wait(), poll()
    {Call::WAIT, EINTR, FaultAction::AGAIN, FaultKind::OTHER},
    {Call::WAIT, EAGAIN, FaultAction::AGAIN, FaultKind::OTHER},
    {Call::WAIT, ENOMEM, FaultAction::AGAIN, FaultKind::EXHAUSTED},
};

constexpr uint32_t TABLE_ROWS = sizeof(TABLE) / sizeof(TABLE[0]);

// An errno that nobody foresaw: loud while opening; while running said once a second, and survived.
FaultAction defaultAction(Call call) {
  if (call == Call::SEGMENT) return FaultAction::SPLIT;
  return call == Call::RECEIVE || call == Call::SEND ? FaultAction::WARN : FaultAction::FATAL;
}

struct ErrorName {
  int error;
  const char* name;
};

constexpr ErrorName NAMES[] = {
    {EACCES, "EACCES"},
    {EADDRINUSE, "EADDRINUSE"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
    {EAFNOSUPPORT, "EAFNOSUPPORT"},
    {EAGAIN, "EAGAIN"},
    {EBADF, "EBADF"},
    {ECONNREFUSED, "ECONNREFUSED"},
    {ECONNRESET, "ECONNRESET"},
    {EFAULT, "EFAULT"},
    {EHOSTDOWN, "EHOSTDOWN"},
    {EHOSTUNREACH, "EHOSTUNREACH"},
    {EINTR, "EINTR"},
    {EINVAL, "EINVAL"},
    {EIO, "EIO"},
    {EMFILE, "EMFILE"},
    {EMSGSIZE, "EMSGSIZE"},
    {ENETDOWN, "ENETDOWN"},
    {ENETUNREACH, "ENETUNREACH"},
    {ENFILE, "ENFILE"},
    {ENOBUFS, "ENOBUFS"},
    {ENODEV, "ENODEV"},
    {ENOMEM, "ENOMEM"},
    {ENOPROTOOPT, "ENOPROTOOPT"},
    {ENOSYS, "ENOSYS"},
    {ENOTSOCK, "ENOTSOCK"},
    {EOPNOTSUPP, "EOPNOTSUPP"},
    {EPERM, "EPERM"},
    {EPIPE, "EPIPE"},
    {EPROTO, "EPROTO"},
    {EPROTONOSUPPORT, "EPROTONOSUPPORT"},
    {ETIMEDOUT, "ETIMEDOUT"},
};

}  // namespace

Fault faultOf(Call call, int error) {
  if (error == 0) return FAULT_NONE;
  // POSIX lets the two differ, and both mean the same.
  const int known = error == EWOULDBLOCK ? EAGAIN : error;
  for (const FaultRow& row : TABLE) {
    if (row.call == call && row.error == known) return {error, call, row.action, row.kind};
  }
  return {error, call, defaultAction(call), FaultKind::OTHER};
}

const char* faultName(int error) {
  for (const ErrorName& entry : NAMES) {
    if (entry.error == error) return entry.name;
  }
  return "EUNKNOWN";
}

const FaultRow* faultTable(uint32_t& count) {
  count = TABLE_ROWS;
  return TABLE;
}

}  // namespace netrt
