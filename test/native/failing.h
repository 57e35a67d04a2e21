// failing: a kernel that fails as it is told, and passes on to the real one what it does not fail.
#ifndef NETRT_TEST_NATIVE_FAILING_H_
#define NETRT_TEST_NATIVE_FAILING_H_

#include <cerrno>
#include <memory>

#include "io/socket.h"
#include "loopback.h"

namespace netrt::test {

constexpr int ALWAYS = -1;
constexpr int UNFORESEEN = 9999;

// What fails next, and what was called. One test runs at a time.
struct Failing {
  int openError;
  int bindError;
  int nameError;
  int optionError;
  int optionRefusedAbove;  // values above this are refused with ENOBUFS; 0: none
  int receiveError;
  int receiveTimes;  // how often, or ALWAYS
  int sendError;
  int sendTimes;
  int sendErrorAt;    // fails when this many datagrams have been sent, counted from 0; -1: at once
  uint32_t sendMost;  // datagrams that one call takes; 0: all
  bool sendNothing;   // a call that takes none answers 0
  uint32_t opened;
  uint32_t closed;
  uint32_t receiveCalls;
  uint32_t sendCalls;
  uint32_t sent;
  uint32_t randomState;  // not 0: one send call in four fails with an errno of SURVIVABLE
};

extern Failing failing;

// All that a running socket is to survive.
// clang-format off
constexpr int SURVIVABLE[] = {
    EAGAIN, EINTR, ENOBUFS, ENOMEM, EMSGSIZE, ECONNREFUSED, ECONNRESET, EHOSTDOWN, EHOSTUNREACH,
    ENETUNREACH, ENOPROTOOPT, EOPNOTSUPP, EPROTO, EACCES, EPERM, ENETDOWN, ETIMEDOUT, EADDRNOTAVAIL,
    UNFORESEEN};
// clang-format on
constexpr uint32_t SURVIVABLE_COUNT = sizeof(SURVIVABLE) / sizeof(SURVIVABLE[0]);

extern const Kernel FAILING;

// Sets errno and answers as a failed call does.
int failWith(int error);

// The next number of failing.randomState: the same run every time.
uint32_t failingRandom();

// Two ends, the left one on the failing kernel.
struct Pair {
  std::unique_ptr<End> left = makeEnd();
  std::unique_ptr<End> right = makeEnd();

  // With `segments`, what failing counts are messages, of several datagrams each.
  bool open(bool segments = false) {
    failing = Failing();
    failing.sendErrorAt = -1;
    SocketOptions options;
    options.address = loopbackV4(0);
    options.segments = segments;
    return left->open(options, FAILING).error == 0 && right->open(loopbackV4(0)).error == 0;
  }

  bool add(uint32_t value) { return left->add(right->socket.address, 32, value); }

  // Whether the datagram that arrives next is this one.
  bool arrives(uint32_t value) {
    const Datagram* datagram = right->next();
    return datagram != nullptr && End::matches(*datagram, 32, value);
  }

  bool silent() {
    return receiveBatch(right->socket, right->in) == BatchResult::LATER && right->in.count == 0;
  }
};

}  // namespace netrt::test

#endif  // NETRT_TEST_NATIVE_FAILING_H_
