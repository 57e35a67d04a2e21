// io/socket on real sockets of the loopback interface. Errors that do not happen there are made in
// io_errno.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "check.h"
#include "io/socket.h"
#include "loopback.h"

namespace {

using namespace netrt;
using namespace netrt::test;

// A datagram by the plain call, without netrt's limits.
bool sendPlain(int handle, const Address& to, const void* bytes, size_t length) {
  Endpoint endpoint = {};
  const socklen_t size = endpointSet(endpoint, to);
  const ssize_t sent = sendto(handle, bytes, length, 0, &endpoint.any, size);
  return sent == static_cast<ssize_t>(length);
}

// Every size from 1 byte to the maximum, 64 at a time, there; and one back.
void exchange(const Address& here) {
  auto left = makeEnd();
  auto right = makeEnd();
  NEED(left->open(here).error == 0);
  NEED(right->open(here).error == 0);
  CHECK(left->socket.address.port != 0);
  CHECK(left->socket.address.port != right->socket.address.port);
  uint32_t expected = 1;
  for (uint32_t length = 1; length <= DATAGRAM_BYTES_MAX; length++) {
    NEED(left->add(right->socket.address, length, length * 7919));
    if (left->out.count < BATCH_DATAGRAMS && length < DATAGRAM_BYTES_MAX) continue;
    NEED(sendBatch(left->socket, left->out) == BatchResult::DONE);
    sendBatchClear(left->out);
    for (; expected <= length; expected++) {
      const Datagram* datagram = right->next();
      NEED(datagram != nullptr);
      NEED(End::matches(*datagram, expected, expected * 7919));
      NEED(sameAddress(datagram->from, left->socket.address));
    }
  }
  CHECK_EQUAL(left->socket.stats.sentDatagrams, DATAGRAM_BYTES_MAX);
  CHECK_EQUAL(right->socket.stats.receivedDatagrams, DATAGRAM_BYTES_MAX);
  CHECK_EQUAL(left->socket.stats.sentBytes, right->socket.stats.receivedBytes);
  CHECK_EQUAL(left->socket.stats.sentBytes, DATAGRAM_BYTES_MAX * (DATAGRAM_BYTES_MAX + 1) / 2);
  NEED(right->add(left->socket.address, 9, 1));
  NEED(sendBatch(right->socket, right->out) == BatchResult::DONE);
  const Datagram* answer = left->next();
  NEED(answer != nullptr);
  CHECK(End::matches(*answer, 9, 1));
}

}  // namespace

TEST(endpointRoundTrip) {
  Endpoint endpoint = {};
  Address v4 = loopbackV4(40000);
  v4.a = 0x01020304;
  CHECK_EQUAL(endpointSet(endpoint, v4), sizeof(sockaddr_in));
  const uint8_t* four = reinterpret_cast<const uint8_t*>(&endpoint.v4.sin_addr);
  CHECK(four[0] == 1 && four[1] == 2 && four[2] == 3 && four[3] == 4);
  CHECK_EQUAL(ntohs(endpoint.v4.sin_port), 40000);
  CHECK(sameAddress(endpointAddress(endpoint), v4));
  Address v6 = loopbackV6(65535);
  v6.a = 0x20010db8;
  v6.b = 0x11223344;
  v6.c = 0x55667788;
  v6.d = 0x99aabbcc;
  CHECK_EQUAL(endpointSet(endpoint, v6), sizeof(sockaddr_in6));
  const uint8_t* sixteen = endpoint.v6.sin6_addr.s6_addr;
  CHECK(sixteen[0] == 0x20 && sixteen[3] == 0xb8 && sixteen[4] == 0x11 && sixteen[15] == 0xcc);
  CHECK(sameAddress(endpointAddress(endpoint), v6));
}

TEST(socketExchangesV4) { exchange(loopbackV4(0)); }

TEST(socketExchangesV6) { exchange(loopbackV6(0)); }

TEST(socketCarriesAThousandInOrder) {
  auto left = makeEnd();
  auto right = makeEnd();
  NEED(left->open(loopbackV4(0)).error == 0);
  NEED(right->open(loopbackV4(0)).error == 0);
  for (uint32_t value = 0; value < 1000; value++) {
    NEED(left->add(right->socket.address, 40, value));
    if (left->out.count < BATCH_DATAGRAMS && value < 999) continue;
    NEED(sendBatch(left->socket, left->out) == BatchResult::DONE);
    for (uint32_t index = 0; index < left->out.count; index++) {
      CHECK_EQUAL(left->out.entries[index].outcome, SendOutcome::SENT);
    }
    sendBatchClear(left->out);
  }
  for (uint32_t value = 0; value < 1000; value++) {
    const Datagram* datagram = right->next();
    NEED(datagram != nullptr);
    NEED(End::matches(*datagram, 40, value));
  }
  CHECK(receiveBatch(right->socket, right->in) == BatchResult::LATER);
  CHECK_EQUAL(right->in.count, 0u);
  CHECK_EQUAL(right->socket.stats.kernelDrops, 0u);
  CHECK_EQUAL(left->socket.stats.sendCalls, 16u);
  CHECK(right->socket.stats.receiveCalls <= 64);
}

TEST(socketSaysWhetherThereIsMore) {
  auto left = makeEnd();
  auto right = makeEnd();
  NEED(left->open(loopbackV4(0)).error == 0);
  NEED(right->open(loopbackV4(0)).error == 0);
  for (uint32_t value = 0; value < BATCH_DATAGRAMS; value++) {
    NEED(left->add(right->socket.address, 8, value));
  }
  CHECK(!left->add(right->socket.address, 8, 0));
  NEED(sendBatch(left->socket, left->out) == BatchResult::DONE);
  sleepMs(5);
  CHECK(receiveBatch(right->socket, right->in) == BatchResult::DONE);
  CHECK_EQUAL(right->in.count, BATCH_DATAGRAMS);
  CHECK(receiveBatch(right->socket, right->in) == BatchResult::LATER);
  CHECK_EQUAL(right->in.count, 0u);
}

TEST(socketDropsWhatIsTooLong) {
  auto left = makeEnd();
  auto right = makeEnd();
  NEED(left->open(loopbackV4(0)).error == 0);
  NEED(right->open(loopbackV4(0)).error == 0);
  const Address to = right->socket.address;
  const std::unique_ptr<uint8_t[]> bytes(new uint8_t[60000]());
  uint8_t mark[1] = {1};
  NEED(sendPlain(left->socket.handle, to, mark, 1));
  for (const size_t length : {DATAGRAM_BYTES_MAX + 1, DATAGRAM_STRIDE_BYTES + 1, size_t{60000}}) {
    NEED(sendPlain(left->socket.handle, to, bytes.get(), length));
  }
  NEED(sendPlain(left->socket.handle, to, bytes.get(), DATAGRAM_BYTES_MAX));
  NEED(sendPlain(left->socket.handle, to, mark, 1));
  const Datagram* datagram = right->next();
  NEED(datagram != nullptr);
  CHECK_EQUAL(datagram->length, 1u);
  datagram = right->next();
  NEED(datagram != nullptr);
  CHECK_EQUAL(datagram->length, DATAGRAM_BYTES_MAX);
  datagram = right->next();
  NEED(datagram != nullptr);
  CHECK_EQUAL(datagram->length, 1u);
  CHECK_EQUAL(datagram->bytes[0], 1);
  CHECK_EQUAL(right->socket.stats.truncated, 3u);
  CHECK_EQUAL(right->socket.stats.receivedDatagrams, 3u);
}

TEST(socketReportsEmptyDatagrams) {
  auto left = makeEnd();
  auto right = makeEnd();
  NEED(left->open(loopbackV6(0)).error == 0);
  NEED(right->open(loopbackV6(0)).error == 0);
  NEED(left->add(right->socket.address, 0, 0));
  NEED(left->add(right->socket.address, 3, 5));
  NEED(sendBatch(left->socket, left->out) == BatchResult::DONE);
  const Datagram* datagram = right->next();
  NEED(datagram != nullptr);
  CHECK_EQUAL(datagram->length, 0u);
  CHECK(sameAddress(datagram->from, left->socket.address));
  datagram = right->next();
  NEED(datagram != nullptr);
  CHECK(End::matches(*datagram, 3, 5));
}

// The kernel's time lies between the send and the read, though the read came much later.
TEST(socketTellsWhenADatagramCame) {
  auto left = makeEnd();
  auto right = makeEnd();
  NEED(left->open(loopbackV4(0)).error == 0);
  NEED(right->open(loopbackV4(0)).error == 0);
  // The first one may come before the kernel has begun to stamp.
  NEED(left->add(right->socket.address, 1, 0));
  NEED(sendBatch(left->socket, left->out) == BatchResult::DONE);
  NEED(right->next() != nullptr);
  sendBatchClear(left->out);
  sleepMs(20);
  const uint64_t beforeUs = clockNowUs();
  sleepMs(20);
  NEED(left->add(right->socket.address, 1, 0));
  NEED(sendBatch(left->socket, left->out) == BatchResult::DONE);
  sleepMs(40);
  const uint64_t afterUs = clockNowUs();
  const Datagram* datagram = right->next();
  NEED(datagram != nullptr);
  CHECK(datagram->receivedUs > beforeUs);
  CHECK(datagram->receivedUs < afterUs);
  CHECK(datagram->receivedUs <= clockNowUs());
}

TEST(socketStampsInOrder) {
  auto left = makeEnd();
  auto right = makeEnd();
  NEED(left->open(loopbackV4(0)).error == 0);
  NEED(right->open(loopbackV4(0)).error == 0);
  for (uint32_t value = 0; value < 20; value++) {
    NEED(left->add(right->socket.address, 1, value));
    NEED(sendBatch(left->socket, left->out) == BatchResult::DONE);
    sendBatchClear(left->out);
    sleepMs(2);
  }
  uint64_t lastUs = 0;
  for (uint32_t value = 0; value < 20; value++) {
    const Datagram* datagram = right->next();
    NEED(datagram != nullptr);
    CHECK(datagram->receivedUs >= lastUs);
    lastUs = datagram->receivedUs;
  }
}

TEST(socketRefusesATakenPort) {
  for (const Address& here : {loopbackV4(0), loopbackV6(0)}) {
    auto first = makeEnd();
    auto second = makeEnd();
    NEED(first->open(here).error == 0);
    const uint32_t handles = openHandles();
    const Fault fault = second->open(first->socket.address);
    CHECK_EQUAL(fault.error, EADDRINUSE);
    CHECK_EQUAL(fault.call, Call::BIND);
    CHECK_EQUAL(fault.action, FaultAction::FATAL);
    CHECK_EQUAL(fault.kind, FaultKind::IN_USE);
    CHECK(second->socket.handle < 0);
    CHECK_EQUAL(openHandles(), handles);
  }
}

TEST(socketSharesAPortOnRequest) {
  auto first = makeEnd();
  auto second = makeEnd();
  auto third = makeEnd();
  SocketOptions options;
  options.address = loopbackV4(0);
  options.reusePort = true;
  NEED(first->open(options).error == 0);
  options.address = first->socket.address;
  CHECK_EQUAL(second->open(options).error, 0);
  CHECK(sameAddress(first->socket.address, second->socket.address));
  // Not with one that did not ask.
  CHECK_EQUAL(third->open(first->socket.address).kind, FaultKind::IN_USE);
}

TEST(socketRefusesAForeignAddress) {
  auto end = makeEnd();
  Address address = loopbackV4(0);
  address.a = 0xc0000201;  // 192.0.2.1, which the documentation owns
  const Fault fault = end->open(address);
  CHECK_EQUAL(fault.error, EADDRNOTAVAIL);
  CHECK_EQUAL(fault.kind, FaultKind::UNAVAILABLE);
  CHECK(end->socket.handle < 0);
}

TEST(socketOpensAgainAndClosesTwice) {
  auto end = makeEnd();
  const uint32_t handles = openHandles();
  for (int round = 0; round < 200; round++) {
    NEED(end->open(round % 2 == 0 ? loopbackV4(0) : loopbackV6(0)).error == 0);
    socketClose(end->socket);
    socketClose(end->socket);
  }
  CHECK_EQUAL(openHandles(), handles);
}

TEST(socketSaysWhenHandlesRunOut) {
  auto end = makeEnd();
  const uint32_t handles = openHandles();
  rlimit before;
  NEED(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int lowest = dup(0);
  NEED(lowest >= 0);
  close(lowest);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest);
  NEED(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const Fault fault = end->open(loopbackV4(0));
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK_EQUAL(fault.error, EMFILE);
  CHECK_EQUAL(fault.call, Call::OPEN);
  CHECK_EQUAL(fault.kind, FaultKind::EXHAUSTED);
  CHECK_EQUAL(openHandles(), handles);
  CHECK_EQUAL(end->open(loopbackV4(0)).error, 0);
}

TEST(socketIsClosedOnExecAndNeverBlocks) {
  auto end = makeEnd();
  NEED(end->open(loopbackV4(0)).error == 0);
  CHECK((fcntl(end->socket.handle, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((fcntl(end->socket.handle, F_GETFL) & O_NONBLOCK) != 0);
  CHECK(receiveBatch(end->socket, end->in) == BatchResult::LATER);
  CHECK_EQUAL(end->in.count, 0u);
  CHECK_EQUAL(end->socket.stats.refused, 0u);
}

TEST(socketKeepsFamiliesApart) {
  auto v6 = makeEnd();
  auto v4 = makeEnd();
  Address any = loopbackV6(0);
  any.d = 0;
  NEED(v6->open(any).error == 0);
  NEED(v4->open(loopbackV4(0)).error == 0);
  // An IPv6 socket on all addresses does not hear IPv4: this one has the port to itself.
  auto twin = makeEnd();
  NEED(twin->open(loopbackV4(v6->socket.address.port)).error == 0);
  NEED(v4->add(twin->socket.address, 1, 0));
  NEED(sendBatch(v4->socket, v4->out) == BatchResult::DONE);
  CHECK(twin->next() != nullptr);
  CHECK(receiveBatch(v6->socket, v6->in) == BatchResult::LATER);
  CHECK_EQUAL(v6->in.count, 0u);
}

// A connect token may name a server of the other family: that is no reason to die.
TEST(socketSkipsWhatItCanNotAddress) {
  auto v6 = makeEnd();
  auto v4 = makeEnd();
  NEED(v6->open(loopbackV6(0)).error == 0);
  NEED(v4->open(loopbackV4(0)).error == 0);
  NEED(v6->add(v4->socket.address, 1, 0));
  NEED(v6->add(v6->socket.address, 2, 0));
  CHECK(sendBatch(v6->socket, v6->out) == BatchResult::DONE);
  CHECK_EQUAL(v6->out.entries[0].outcome, SendOutcome::UNREACHABLE);
  CHECK_EQUAL(v6->out.entries[1].outcome, SendOutcome::SENT);
  NEED(v4->add(v4->socket.address, 2, 0));
  NEED(v4->add(v6->socket.address, 1, 0));
  NEED(v4->add(loopbackV4(0), 1, 0));
  CHECK(sendBatch(v4->socket, v4->out) == BatchResult::DONE);
  CHECK_EQUAL(v4->out.entries[0].outcome, SendOutcome::SENT);
  CHECK_EQUAL(v4->out.entries[1].outcome, SendOutcome::UNREACHABLE);
  CHECK_EQUAL(v4->out.entries[2].outcome, SendOutcome::UNREACHABLE);
  SocketWarning warning;
  CHECK(socketWarning(v4->socket, clockNowUs(), warning));
  CHECK_EQUAL(warning.count, 2u);
  CHECK_EQUAL(v4->socket.stats.unreachable, 2u);
  CHECK(v4->next() != nullptr);
  CHECK(v6->next() != nullptr);
}

// Nobody listens: the kernel gets an ICMP message, and the socket goes on as if nothing had been.
TEST(socketIgnoresClosedPorts) {
  auto end = makeEnd();
  auto gone = makeEnd();
  NEED(end->open(loopbackV4(0)).error == 0);
  NEED(gone->open(loopbackV4(0)).error == 0);
  const Address nowhere = gone->socket.address;
  socketClose(gone->socket);
  for (uint32_t round = 0; round < 10; round++) {
    NEED(end->add(nowhere, 10, round));
    NEED(end->add(end->socket.address, 10, round));
    NEED(sendBatch(end->socket, end->out) == BatchResult::DONE);
    sendBatchClear(end->out);
    const Datagram* datagram = end->next();
    NEED(datagram != nullptr);
    CHECK(End::matches(*datagram, 10, round));
  }
}

// The same on a connected socket, where the kernel does report it, at the next call of either kind.
TEST(socketSurvivesConnectionRefused) {
  auto end = makeEnd();
  auto gone = makeEnd();
  NEED(end->open(loopbackV4(0)).error == 0);
  NEED(gone->open(loopbackV4(0)).error == 0);
  const Address nowhere = gone->socket.address;
  socketClose(gone->socket);
  Endpoint endpoint = {};
  const socklen_t size = endpointSet(endpoint, nowhere);
  NEED(connect(end->socket.handle, &endpoint.any, size) == 0);
  NEED(end->add(nowhere, 10, 0));
  NEED(sendBatch(end->socket, end->out) == BatchResult::DONE);
  sleepMs(5);
  CHECK(receiveBatch(end->socket, end->in) == BatchResult::LATER);
  CHECK_EQUAL(end->socket.stats.refused, 1u);
  for (int round = 0; round < 3; round++) {
    sendBatchClear(end->out);
    NEED(end->add(nowhere, 10, 0));
    CHECK(sendBatch(end->socket, end->out) == BatchResult::DONE);
    CHECK_EQUAL(end->out.entries[0].outcome, SendOutcome::SENT);
    sleepMs(5);
  }
  CHECK(end->socket.stats.refused >= 3);
}

#ifdef NETRT_LINUX_IO

// What the kernel dropped while nobody read is counted, to the datagram.
TEST(socketCountsKernelDrops) {
  auto left = makeEnd();
  auto right = makeEnd();
  NEED(left->open(loopbackV4(0)).error == 0);
  SocketOptions options;
  options.address = loopbackV4(0);
  options.receiveBufferBytes = 8192;
  NEED(right->open(options).error == 0);
  CHECK(right->socket.receiveBufferBytes < 100000);
  uint32_t sent = 0;
  for (uint32_t round = 0; round < 10; round++) {
    while (left->add(right->socket.address, 200, sent)) sent++;
    NEED(sendBatch(left->socket, left->out) == BatchResult::DONE);
    sendBatchClear(left->out);
  }
  sleepMs(5);
  while (receiveBatch(right->socket, right->in) == BatchResult::DONE) {
  }
  // The count rides on the datagrams after the gap.
  NEED(left->add(right->socket.address, 200, sent));
  sent++;
  NEED(sendBatch(left->socket, left->out) == BatchResult::DONE);
  CHECK(right->receive() > 0);
  CHECK(right->socket.stats.kernelDrops > 0);
  CHECK_EQUAL(right->socket.stats.kernelDrops + right->socket.stats.receivedDatagrams, sent);
}

#endif

// However small the kernel's send buffer: what does not fit waits in the batch, and arrives in
// order.
TEST(socketWorksWithASmallSendBuffer) {
  auto left = makeEnd();
  auto right = makeEnd();
  SocketOptions options;
  options.address = loopbackV4(0);
  options.sendBufferBytes = 1;
  NEED(left->open(options).error == 0);
  NEED(right->open(loopbackV4(0)).error == 0);
  for (uint32_t value = 0; value < BATCH_DATAGRAMS; value++) {
    NEED(left->add(right->socket.address, 1200, value));
  }
  uint32_t rounds = 0;
  while (sendBatch(left->socket, left->out) == BatchResult::LATER) {
    NEED(++rounds < 100000);
  }
  for (uint32_t value = 0; value < BATCH_DATAGRAMS; value++) {
    const Datagram* datagram = right->next();
    NEED(datagram != nullptr);
    NEED(End::matches(*datagram, 1200, value));
  }
}
