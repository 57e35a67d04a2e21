// io/fault: the table of errnos, row by row. What the socket makes of the actions is tested in
// io_errno.
#include <cerrno>
#include <cstring>

#include "check.h"
#include "io/fault.h"

namespace {

using namespace netrt;

FaultAction actionOf(Call call, int error) { return faultOf(call, error).action; }

FaultKind kindOf(Call call, int error) { return faultOf(call, error).kind; }

constexpr int UNFORESEEN = 9999;

}  // namespace

TEST(faultRowsAnswerForThemselves) {
  uint32_t count = 0;
  const FaultRow* rows = faultTable(count);
  CHECK(count > 0);
  for (uint32_t index = 0; index < count; index++) {
    const FaultRow& row = rows[index];
    const Fault fault = faultOf(row.call, row.error);
    CHECK_EQUAL(fault.error, row.error);
    CHECK_EQUAL(fault.call, row.call);
    CHECK_EQUAL(fault.action, row.action);
    CHECK_EQUAL(fault.kind, row.kind);
    CHECK(row.action != FaultAction::NONE);
    CHECK(std::strcmp(faultName(row.error), "EUNKNOWN") != 0);
  }
}

TEST(faultRowsAreUnique) {
  uint32_t count = 0;
  const FaultRow* rows = faultTable(count);
  for (uint32_t left = 0; left < count; left++) {
    for (uint32_t right = left + 1; right < count; right++) {
      CHECK(rows[left].call != rows[right].call || rows[left].error != rows[right].error);
    }
  }
}

TEST(faultOfNothingIsNone) {
  for (const Call call : {Call::OPEN, Call::BIND, Call::RECEIVE, Call::SEND, Call::WAIT}) {
    CHECK_EQUAL(actionOf(call, 0), FaultAction::NONE);
  }
}

TEST(faultWhileOpeningIsTyped) {
  CHECK_EQUAL(kindOf(Call::OPEN, EMFILE), FaultKind::EXHAUSTED);
  CHECK_EQUAL(kindOf(Call::OPEN, ENFILE), FaultKind::EXHAUSTED);
  CHECK_EQUAL(kindOf(Call::OPEN, EACCES), FaultKind::DENIED);
  CHECK_EQUAL(kindOf(Call::OPEN, EAFNOSUPPORT), FaultKind::UNSUPPORTED);
  CHECK_EQUAL(kindOf(Call::BIND, EADDRINUSE), FaultKind::IN_USE);
  CHECK_EQUAL(kindOf(Call::BIND, EADDRNOTAVAIL), FaultKind::UNAVAILABLE);
  CHECK_EQUAL(kindOf(Call::BIND, EACCES), FaultKind::DENIED);
  uint32_t count = 0;
  const FaultRow* rows = faultTable(count);
  for (uint32_t index = 0; index < count; index++) {
    if (rows[index].call != Call::OPEN && rows[index].call != Call::BIND) continue;
    const bool interrupted = rows[index].error == EINTR;
    CHECK_EQUAL(rows[index].action, interrupted ? FaultAction::AGAIN : FaultAction::FATAL);
  }
  CHECK_EQUAL(actionOf(Call::OPEN, UNFORESEEN), FaultAction::FATAL);
  CHECK_EQUAL(actionOf(Call::BIND, UNFORESEEN), FaultAction::FATAL);
}

TEST(faultWhileSendingKeepsGoing) {
  CHECK_EQUAL(actionOf(Call::SEND, EAGAIN), FaultAction::LATER);
  CHECK_EQUAL(actionOf(Call::SEND, EWOULDBLOCK), FaultAction::LATER);
  CHECK_EQUAL(actionOf(Call::SEND, EINTR), FaultAction::AGAIN);
  CHECK_EQUAL(actionOf(Call::SEND, ENOBUFS), FaultAction::LOSS);
  CHECK_EQUAL(actionOf(Call::SEND, ENOMEM), FaultAction::LOSS);
  CHECK_EQUAL(actionOf(Call::SEND, EMSGSIZE), FaultAction::SHRINK);
  CHECK_EQUAL(actionOf(Call::SEND, ECONNREFUSED), FaultAction::ICMP);
  for (const int error : {EPERM, EACCES, ENETUNREACH, EHOSTUNREACH, ENETDOWN, EINVAL, UNFORESEEN}) {
    CHECK_EQUAL(actionOf(Call::SEND, error), FaultAction::WARN);
  }
}

TEST(faultOfAMessageOfSeveralIsNoDatagrams) {
  for (const int error : {EIO, EINVAL}) {
    CHECK_EQUAL(actionOf(Call::SEGMENT, error), FaultAction::WHOLE);
  }
  // What anybody can cause by a forged ICMP message switches nothing off.
  for (const int error : {EMSGSIZE, ENOBUFS, EPERM, ECONNREFUSED, ENOPROTOOPT, EOPNOTSUPP, EPROTO,
                          EHOSTUNREACH, UNFORESEEN}) {
    CHECK_EQUAL(actionOf(Call::SEGMENT, error), FaultAction::SPLIT);
  }
  for (const int error : {EAGAIN, EINTR, EBADF, ENOTSOCK, EFAULT, EPIPE, ENOSYS}) {
    CHECK_EQUAL(actionOf(Call::SEGMENT, error), actionOf(Call::SEND, error));
  }
}

TEST(faultWhileReceivingKeepsGoing) {
  CHECK_EQUAL(actionOf(Call::RECEIVE, EAGAIN), FaultAction::LATER);
  CHECK_EQUAL(actionOf(Call::RECEIVE, EINTR), FaultAction::AGAIN);
  CHECK_EQUAL(actionOf(Call::RECEIVE, ENOMEM), FaultAction::LATER);
  for (const int error : {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EPROTO, EMSGSIZE}) {
    CHECK_EQUAL(actionOf(Call::RECEIVE, error), FaultAction::ICMP);
  }
  CHECK_EQUAL(actionOf(Call::RECEIVE, UNFORESEEN), FaultAction::WARN);
}

// The whole of what can end a running socket: errors that only a program's own mistake causes.
TEST(faultEndsARunningSocketOnlyForItsOwnMistakes) {
  for (int error = 1; error < 200; error++) {
    const bool own = error == EBADF || error == ENOTSOCK || error == EFAULT || error == ENOSYS;
    const bool receive = actionOf(Call::RECEIVE, error) == FaultAction::FATAL;
    const bool send = actionOf(Call::SEND, error) == FaultAction::FATAL;
    CHECK_EQUAL(receive, own || error == EINVAL);
    CHECK_EQUAL(send, own || error == EPIPE);
  }
}

TEST(faultNames) {
  CHECK(std::strcmp(faultName(EADDRINUSE), "EADDRINUSE") == 0);
  CHECK(std::strcmp(faultName(EWOULDBLOCK), "EAGAIN") == 0);
  CHECK(std::strcmp(faultName(UNFORESEEN), "EUNKNOWN") == 0);
}
