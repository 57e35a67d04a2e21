// loopback: sockets on 127.0.0.1 and ::1 for the tests of io, and what they all need around them.
#ifndef NETRT_TEST_NATIVE_LOOPBACK_H_
#define NETRT_TEST_NATIVE_LOOPBACK_H_

#include <dirent.h>
#include <time.h>

#include <cstring>
#include <memory>

#include "check.h"
#include "io/clock.h"
#include "io/socket.h"

namespace netrt::test {

inline Address loopbackV4(uint16_t port) {
  Address address = {};
  address.type = ADDRESS_IPV4;
  address.port = port;
  address.a = 0x7f000001;
  return address;
}

inline Address loopbackV6(uint16_t port) {
  Address address = {};
  address.type = ADDRESS_IPV6;
  address.port = port;
  address.d = 1;
  return address;
}

inline bool sameAddress(const Address& left, const Address& right) {
  return left.type == right.type && left.port == right.port && left.a == right.a &&
         left.b == right.b && left.c == right.c && left.d == right.d;
}

inline void sleepMs(uint32_t ms) {
  timespec time = {static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000) * 1000000};
  while (nanosleep(&time, &time) != 0) {
  }
}

// Open files of this process, or 0 where the system does not tell.
inline uint32_t openHandles() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  uint32_t count = 0;
  while (readdir(folder) != nullptr) count++;
  closedir(folder);
  return count;
}

// A socket with its batches and the memory it encodes into. Closes itself.
struct End {
  Socket socket;
  ReceiveBatch in;
  SendBatch out;
  uint8_t bytes[BATCH_DATAGRAMS * DATAGRAM_STRIDE_BYTES];

  ~End() { socketClose(socket); }

  Fault open(const Address& address, const Kernel& kernel = KERNEL) {
    SocketOptions options;
    options.address = address;
    return open(options, kernel);
  }

  Fault open(const SocketOptions& options, const Kernel& kernel = KERNEL) {
    receiveBatchOpen(in);
    sendBatchOpen(out, bytes, sizeof(bytes));
    return socketOpen(socket, options, kernel);
  }

  // Adds a datagram of `length` bytes, each of them made from `value` and its place.
  bool add(const Address& to, uint32_t length, uint32_t value) {
    const uint32_t offset = out.count * static_cast<uint32_t>(DATAGRAM_STRIDE_BYTES);
    if (out.count == BATCH_DATAGRAMS) return false;
    for (uint32_t index = 0; index < length; index++) bytes[offset + index] = pattern(value, index);
    return sendBatchAdd(out, to, offset, length);
  }

  static uint8_t pattern(uint32_t value, uint32_t index) {
    return static_cast<uint8_t>((value >> (index % 4 * 8)) ^ (index / 4 * 37));
  }

  static bool matches(const Datagram& datagram, uint32_t length, uint32_t value) {
    if (datagram.length != length) return false;
    for (uint32_t index = 0; index < length; index++) {
      if (datagram.bytes[index] != pattern(value, index)) return false;
    }
    return true;
  }

  // Takes one batch, waiting up to two seconds for something to come.
  uint32_t receive() {
    for (uint32_t ms = 0; ms < 2000; ms++) {
      if (receiveBatch(socket, in) == BatchResult::FATAL || in.count > 0) break;
      sleepMs(1);
    }
    return in.count;
  }

  // The next datagram, across batches; nullptr when none comes.
  const Datagram* next() {
    if (taken >= in.count) {
      taken = 0;
      if (receive() == 0) return nullptr;
    }
    return &in.datagrams[taken++];
  }

  uint32_t taken = 0;
};

// Half a megabyte: not for the stack.
inline std::unique_ptr<End> makeEnd() { return std::unique_ptr<End>(new End); }

}  // namespace netrt::test

#endif  // NETRT_TEST_NATIVE_LOOPBACK_H_
