#include "failing.h"

namespace netrt::test {

Failing failing;

uint32_t failingRandom() {
  failing.randomState ^= failing.randomState << 13;
  failing.randomState ^= failing.randomState >> 17;
  failing.randomState ^= failing.randomState << 5;
  return failing.randomState;
}

int failWith(int error) {
  errno = error;
  return -1;
}

namespace {

// Counts one failure down; false when it is used up.
bool due(int& times) {
  if (times == 0) return false;
  if (times != ALWAYS) times--;
  return true;
}

int openFailing(int family) {
  if (failing.openError != 0) return failWith(failing.openError);
  failing.opened++;
  return KERNEL.openSocket(family);
}

int closeFailing(int handle) {
  failing.closed++;
  return KERNEL.closeSocket(handle);
}

int bindFailing(int handle, const sockaddr* address, socklen_t bytes) {
  if (failing.bindError != 0) return failWith(failing.bindError);
  return KERNEL.bindSocket(handle, address, bytes);
}

int nameFailing(int handle, sockaddr* address, socklen_t* bytes) {
  if (failing.nameError != 0) return failWith(failing.nameError);
  return KERNEL.socketName(handle, address, bytes);
}

int writeOptionFailing(int handle, int level, int option, const void* value, socklen_t bytes) {
  if (failing.optionError != 0) return failWith(failing.optionError);
  const int number = *static_cast<const int*>(value);
  if (failing.optionRefusedAbove != 0 && number > failing.optionRefusedAbove) {
    return failWith(ENOBUFS);
  }
  return KERNEL.writeOption(handle, level, option, value, bytes);
}

int receiveFailing(int handle, MessageHeader* headers, unsigned int count) {
  failing.receiveCalls++;
  if (failing.receiveError != 0 && due(failing.receiveTimes)) {
    return failWith(failing.receiveError);
  }
  return KERNEL.receiveMany(handle, headers, count);
}

int sendFailing(int handle, MessageHeader* headers, unsigned int count) {
  failing.sendCalls++;
  if (failing.randomState != 0 && failingRandom() % 4 == 0) {
    return failWith(SURVIVABLE[failingRandom() % SURVIVABLE_COUNT]);
  }
  const bool here = failing.sendErrorAt < 0 || failing.sent >= uint32_t(failing.sendErrorAt);
  if (failing.sendError != 0 && here && due(failing.sendTimes)) return failWith(failing.sendError);
  if (failing.sendNothing) return 0;
  unsigned int most = count;
  if (failing.sendMost != 0 && failing.sendMost < most) most = failing.sendMost;
  if (failing.sendError != 0 && failing.sendTimes != 0 && failing.sendErrorAt >= 0) {
    const unsigned int before = unsigned(failing.sendErrorAt) - failing.sent;
    if (before < most) most = before;
  }
  const int sent = KERNEL.sendMany(handle, headers, most);
  if (sent > 0) failing.sent += uint32_t(sent);
  return sent;
}

}  // namespace

const Kernel FAILING = {openFailing,        closeFailing,      bindFailing,    nameFailing,
                        writeOptionFailing, KERNEL.readOption, receiveFailing, sendFailing};

}  // namespace netrt::test
