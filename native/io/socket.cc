#include "io/socket.h"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>

namespace netrt {

namespace {

// Calls that came back with nothing done (interrupted, or with an ICMP error of an earlier
// datagram) before a batch call returns anyway. A forger can keep such errors coming at line rate.
constexpr uint32_t RETRIES_MAX = 16;
// The same for one datagram of a send batch: the error was another's, so it deserves a second try.
constexpr uint32_t DATAGRAM_RETRIES_MAX = 2;

constexpr int64_t NS_PER_SECOND = 1000000000;

#ifdef NETRT_LINUX_IO
// linux/udp.h's, which older C libraries lack.
constexpr int UDP_SEGMENT_OPTION = 103;
static_assert(SEGMENT_CONTROL_BYTES >= CMSG_SPACE(sizeof(uint16_t)), "the size of a datagram fits");
#endif

// ---- Opening ----

bool writeFlag(const Socket& socket, int level, int option, int value) {
  return socket.kernel->writeOption(socket.handle, level, option, &value, sizeof(value)) == 0;
}

// Asks for a kernel buffer, for half of it where that is refused, and so on. Linux never refuses,
// it gives its limit. A small buffer is no fault: the drop counter shows what it costs.
uint32_t bufferAsk(const Socket& socket, int option, uint32_t bytes) {
  NETRT_ASSERT(bytes > 0 && bytes <= INT32_MAX);
  while (!writeFlag(socket, SOL_SOCKET, option, static_cast<int>(bytes))) {
    bytes /= 2;
    if (bytes < SOCKET_BUFFER_BYTES_MIN) break;
  }
  int granted = 0;
  socklen_t size = sizeof(granted);
  if (socket.kernel->readOption(socket.handle, SOL_SOCKET, option, &granted, &size) != 0) return 0;
  return granted > 0 ? static_cast<uint32_t>(granted) : 0;
}

// Fragmentation. netrt's packets are at most 1225 B: nearly every path carries them whole, and so
// does every IPv6 path by definition. For the rest, a packet in two fragments is better than a
// black hole, so IPv4's don't-fragment bit stays off; and since a forged ICMP "too big" could make
// the kernel fragment everything, its path MTU is not believed (OMIT). In IPv6 only the sender can
// fragment, so there the kernel's path MTU is used (DONT): a forged one can't be below 1280 B,
// which we fit.
void fragmentationAllow(const Socket& socket) {
#if defined(IP_PMTUDISC_OMIT) && defined(IPV6_PMTUDISC_DONT)
  if (socket.address.type == ADDRESS_IPV6) {
    writeFlag(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
  } else if (!writeFlag(socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT)) {
    writeFlag(socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  }
#else
  static_cast<void>(socket);  // elsewhere this is how a UDP socket begins
#endif
}

// Whether the kernel knows how to cut a message into datagrams (Linux 4.18). What a device on the
// way makes of one shows when it is sent.
bool segmentsKnown(const Socket& socket) {
#ifdef NETRT_LINUX_IO
  int size = 0;
  socklen_t bytes = sizeof(size);
  return socket.kernel->readOption(socket.handle, IPPROTO_UDP, UDP_SEGMENT_OPTION, &size, &bytes) ==
         0;
#else
  static_cast<void>(socket);
  return false;
#endif
}

// What the socket can do without: a system that lacks it costs precision, not the socket.
void optionsTry(Socket& socket, const SocketOptions& options) {
#ifdef NETRT_LINUX_IO
  writeFlag(socket, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  writeFlag(socket, SOL_SOCKET, SO_RXQ_OVFL, 1);
#elif defined(SO_TIMESTAMP)
  writeFlag(socket, SOL_SOCKET, SO_TIMESTAMP, 1);
#endif
  socket.segments = options.segments && segmentsKnown(socket);
  fragmentationAllow(socket);
  socket.receiveBufferBytes = bufferAsk(socket, SO_RCVBUF, options.receiveBufferBytes);
  socket.sendBufferBytes = bufferAsk(socket, SO_SNDBUF, options.sendBufferBytes);
}

// The calls of an open in their order. Returns the errno of the first that failed, and which it
// was.
int openSteps(Socket& socket, const SocketOptions& options, Call& call) {
  const Kernel& kernel = *socket.kernel;
  const bool v6 = options.address.type == ADDRESS_IPV6;
  call = Call::OPEN;
  socket.handle = kernel.openSocket(v6 ? AF_INET6 : AF_INET);
  if (socket.handle < 0) return errno;
  // One family per socket: an IPv4 peer has one address, not a second one mapped into IPv6.
  if (v6 && !writeFlag(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1)) return errno;
  // SO_REUSEADDR is never set: on a UDP socket it lets another process take over a bound port.
  if (options.reusePort && !writeFlag(socket, SOL_SOCKET, SO_REUSEPORT, 1)) return errno;
  optionsTry(socket, options);

  call = Call::BIND;
  Endpoint endpoint = {};
  socklen_t bytes = endpointSet(endpoint, options.address);
  if (kernel.bindSocket(socket.handle, &endpoint.any, bytes) != 0) return errno;
  bytes = sizeof(endpoint);
  if (kernel.socketName(socket.handle, &endpoint.any, &bytes) != 0) return errno;
  socket.address = endpointAddress(endpoint);
  return 0;
}

// ---- Warnings ----

void warningNote(Socket& socket, const Fault& fault) {
  socket.warning.fault = fault;
  socket.warning.count++;
}

// ---- The way in ----

void headerReset(ReceiveBatch& batch, uint32_t index) {
  msghdr& header = batch.headers[index].msg_hdr;
  header.msg_namelen = sizeof(Endpoint);
  header.msg_controllen = CONTROL_BYTES;
  header.msg_flags = 0;
}

// Reads what the kernel says about a datagram: when it came, and how many were dropped before it.
uint64_t controlRead(Socket& socket, msghdr& header) {
  uint64_t receivedUs = socket.clock.nowUs;
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET) continue;
#ifdef NETRT_LINUX_IO
    if (item->cmsg_type == SCM_TIMESTAMPNS) {
      timespec stamp;
      std::memcpy(&stamp, CMSG_DATA(item), sizeof(stamp));
      const int64_t wallNs = static_cast<int64_t>(stamp.tv_sec) * NS_PER_SECOND + stamp.tv_nsec;
      receivedUs = clockMapStamp(socket.clock, wallNs);
    } else if (item->cmsg_type == SO_RXQ_OVFL) {
      uint32_t drops = 0;
      std::memcpy(&drops, CMSG_DATA(item), sizeof(drops));
      socket.stats.kernelDrops += static_cast<uint32_t>(drops - socket.dropsSeen);
      socket.dropsSeen = drops;
    }
#elif defined(SCM_TIMESTAMP)
    if (item->cmsg_type == SCM_TIMESTAMP) {
      timeval stamp;
      std::memcpy(&stamp, CMSG_DATA(item), sizeof(stamp));
      const int64_t wallNs = static_cast<int64_t>(stamp.tv_sec) * NS_PER_SECOND +
                             static_cast<int64_t>(stamp.tv_usec) * 1000;
      receivedUs = clockMapStamp(socket.clock, wallNs);
    }
#endif
  }
  return receivedUs;
}

// Hands one received datagram up, unless it is unfit.
void datagramTake(Socket& socket, ReceiveBatch& batch, uint32_t index) {
  MessageHeader& header = batch.headers[index];
  const uint64_t receivedUs = controlRead(socket, header.msg_hdr);
  if ((header.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
    socket.stats.truncated++;
    return;
  }
  Datagram& datagram = batch.datagrams[batch.count];
  datagram.from = endpointAddress(batch.endpoints[index]);
  // Nothing can be sent to port 0: an answer to it would only make a warning.
  if (datagram.from.port == 0) {
    socket.stats.unanswerable++;
    return;
  }
  datagram.length = header.msg_len;
  datagram.bytes = batch.bytes[index];
  datagram.receivedUs = receivedUs;
  batch.count++;
  socket.stats.receivedDatagrams++;
  socket.stats.receivedBytes += header.msg_len;
}

// ---- The way out ----

// Gives the next waiting datagram its outcome.
void entryEnd(SendBatch& batch, SendOutcome outcome) {
  batch.entries[batch.next].outcome = outcome;
  batch.next++;
}

void entriesSent(Socket& socket, SendBatch& batch, uint32_t count) {
  NETRT_ASSERT(count <= batch.count - batch.next);
  for (uint32_t index = 0; index < count; index++) {
    socket.stats.sentBytes += batch.entries[batch.next].length;
    entryEnd(batch, SendOutcome::SENT);
  }
  socket.stats.sentDatagrams += count;
}

// How many entries from `first` on go as one message: all to one peer and of one size, of which the
// last alone may have less.
uint32_t runLength(const SendBatch& batch, uint32_t first) {
  const SendEntry& head = batch.entries[first];
  if (first < batch.singles || head.length == 0) return 1;
  uint32_t bytes = head.length;
  uint32_t index = first + 1;
  for (; index < batch.count; index++) {
    const SendEntry& entry = batch.entries[index];
    const bool fits = entry.length > 0 && entry.length <= head.length &&
                      bytes + entry.length <= SEGMENTED_BYTES_MAX;
    if (!fits || !addressEqual(entry.to, head.to)) break;
    bytes += entry.length;
    if (entry.length < head.length) return index + 1 - first;
  }
  return index - first;
}

// Has the kernel cut a message into datagrams of this size.
void segmentSet(msghdr& header, uint8_t* control, uint16_t bytes) {
#ifdef NETRT_LINUX_IO
  header.msg_control = control;
  header.msg_controllen = CMSG_SPACE(sizeof(bytes));
  cmsghdr* item = CMSG_FIRSTHDR(&header);
  item->cmsg_level = IPPROTO_UDP;
  item->cmsg_type = UDP_SEGMENT_OPTION;
  item->cmsg_len = CMSG_LEN(sizeof(bytes));
  std::memcpy(CMSG_DATA(item), &bytes, sizeof(bytes));
#else
  static_cast<void>(header);
  static_cast<void>(control);
  static_cast<void>(bytes);
#endif
}

// Makes messages of what waits. Returns how many there are.
uint32_t messagesMake(SendBatch& batch) {
  uint32_t count = 0;
  for (uint32_t first = batch.next; first < batch.count; count++) {
    const uint32_t carried = runLength(batch, first);
    MessageHeader& message = batch.messages[count];
    message = batch.headers[first];
    message.msg_hdr.msg_iovlen = carried;
    if (carried > 1) {
      segmentSet(message.msg_hdr, batch.controls[count],
                 static_cast<uint16_t>(batch.entries[first].length));
    }
    batch.carried[count] = static_cast<uint8_t>(carried);
    first += carried;
  }
  return count;
}

// One failed send, about the datagram at batch.next. `retries` counts what came back undone for it.
// True when the batch can go on.
bool sendFault(Socket& socket, SendBatch& batch, const Fault& fault, uint32_t& retries) {
  switch (fault.action) {
    case FaultAction::AGAIN:
      retries++;
      return retries <= RETRIES_MAX;
    case FaultAction::ICMP:
      socket.stats.refused++;
      retries++;
      if (retries <= DATAGRAM_RETRIES_MAX) return true;
      break;
    case FaultAction::LATER:
      socket.stats.wouldBlock++;
      return false;
    case FaultAction::SHRINK:
      socket.stats.tooLarge++;
      retries = 0;
      entryEnd(batch, SendOutcome::TOO_LARGE);
      return true;
    case FaultAction::WARN:
      socket.stats.unreachable++;
      retries = 0;
      warningNote(socket, fault);
      entryEnd(batch, SendOutcome::UNREACHABLE);
      return true;
    case FaultAction::FATAL:
      socket.fault = fault;
      return false;
    case FaultAction::LOSS:
    case FaultAction::NONE:
    case FaultAction::SPLIT:
    case FaultAction::WHOLE:
      break;
  }
  socket.stats.localLoss++;
  retries = 0;
  entryEnd(batch, SendOutcome::LOST);
  return true;
}

// The same for a message of several datagrams: an error that is about one of them is not theirs
// all.
bool messageFault(Socket& socket, SendBatch& batch, const Fault& fault, uint32_t& retries) {
  switch (fault.action) {
    case FaultAction::WHOLE:
      socket.segments = false;
      return true;
    case FaultAction::SPLIT:
      if (faultOf(Call::SEND, fault.error).action == FaultAction::ICMP) socket.stats.refused++;
      batch.singles = batch.next + batch.carried[0];
      return true;
    default:
      return sendFault(socket, batch, fault, retries);
  }
}

// Sends what waits as messages of one or more datagrams each. Returns how many datagrams went, or
// what the kernel answered instead.
int messagesSend(Socket& socket, SendBatch& batch) {
  const uint32_t count = messagesMake(batch);
  const int sent = socket.kernel->sendMany(socket.handle, batch.messages, count);
  int datagrams = 0;
  for (int index = 0; index < sent; index++) datagrams += batch.carried[index];
  return sent > 0 ? datagrams : sent;
}

}  // namespace

Fault socketOpen(Socket& socket, const SocketOptions& options, const Kernel& kernel) {
  NETRT_ASSERT(socket.handle < 0);
  socket = Socket();
  socket.kernel = &kernel;
  socket.address = options.address;
  clockMapOpen(socket.clock);
  for (uint32_t attempt = 0;; attempt++) {
    Call call = Call::OPEN;
    const int error = openSteps(socket, options, call);
    if (error == 0) return FAULT_NONE;
    socketClose(socket);
    Fault fault = faultOf(call, error);
    if (fault.action == FaultAction::AGAIN && attempt < RETRIES_MAX) continue;
    fault.action = FaultAction::FATAL;
    return fault;
  }
}

void socketClose(Socket& socket) {
  if (socket.handle < 0) return;
  // A handle that was closed behind our back may belong to another file by now.
  const bool ours = socket.fault.error != EBADF && socket.fault.error != ENOTSOCK;
  // An interrupted close() has closed: it is not called again, for the same reason.
  if (ours) socket.kernel->closeSocket(socket.handle);
  socket.handle = -1;
}

bool socketWarning(Socket& socket, uint64_t nowUs, SocketWarning& warning) {
  if (socket.warning.count == 0 || nowUs < socket.warningDueUs) return false;
  warning = socket.warning;
  socket.warning.count = 0;
  socket.warningDueUs = nowUs + WARNING_INTERVAL_US;
  return true;
}

void receiveBatchOpen(ReceiveBatch& batch) {
  batch.count = 0;
  for (uint32_t index = 0; index < BATCH_DATAGRAMS; index++) {
    batch.spans[index] = {batch.bytes[index], DATAGRAM_BYTES_MAX};
    batch.headers[index] = {};
    batch.headers[index].msg_hdr.msg_name = &batch.endpoints[index];
    batch.headers[index].msg_hdr.msg_iov = &batch.spans[index];
    batch.headers[index].msg_hdr.msg_iovlen = 1;
    batch.headers[index].msg_hdr.msg_control = batch.controls[index];
    headerReset(batch, index);
  }
}

BatchResult receiveBatch(Socket& socket, ReceiveBatch& batch) {
  batch.count = 0;
  socket.starved = false;
  if (socket.fault.error != 0) return BatchResult::FATAL;
  for (uint32_t attempt = 0; attempt < RETRIES_MAX; attempt++) {
    socket.stats.receiveCalls++;
    const int taken = socket.kernel->receiveMany(socket.handle, batch.headers, BATCH_DATAGRAMS);
    if (taken >= 0) {
      const uint32_t count = static_cast<uint32_t>(taken);
      NETRT_ASSERT(count <= BATCH_DATAGRAMS);
      clockMapSample(socket.clock);
      for (uint32_t index = 0; index < count; index++) {
        datagramTake(socket, batch, index);
        headerReset(batch, index);
      }
      return count == BATCH_DATAGRAMS ? BatchResult::DONE : BatchResult::LATER;
    }
    const Fault fault = faultOf(Call::RECEIVE, errno);
    if (fault.action == FaultAction::AGAIN) continue;
    if (fault.action == FaultAction::ICMP) {
      socket.stats.refused++;
      continue;
    }
    if (fault.action == FaultAction::FATAL) {
      socket.fault = fault;
      return BatchResult::FATAL;
    }
    if (fault.action == FaultAction::WARN) warningNote(socket, fault);
    // Datagrams may wait all the same: who looked for them at once would find the same again.
    socket.starved = fault.error != EAGAIN;
    return BatchResult::LATER;
  }
  return BatchResult::LATER;
}

void sendBatchOpen(SendBatch& batch, uint8_t* bytes, size_t capacity) {
  batch.bytes = bytes;
  batch.capacity = capacity;
  batch.count = 0;
  batch.next = 0;
  batch.runs = false;
  batch.singles = 0;
  for (uint32_t index = 0; index < BATCH_DATAGRAMS; index++) {
    batch.headers[index] = {};
    batch.headers[index].msg_hdr.msg_name = &batch.endpoints[index];
    batch.headers[index].msg_hdr.msg_iov = &batch.spans[index];
    batch.headers[index].msg_hdr.msg_iovlen = 1;
  }
}

bool sendBatchAdd(SendBatch& batch, const Address& to, uint32_t offset, uint32_t length) {
  if (batch.count == BATCH_DATAGRAMS) return false;
  NETRT_ASSERT(length <= DATAGRAM_BYTES_MAX);
  NETRT_ASSERT(offset <= batch.capacity && length <= batch.capacity - offset);
  const uint32_t index = batch.count;
  batch.entries[index] = {to, offset, length, SendOutcome::WAITING};
  batch.spans[index] = {batch.bytes + offset, length};
  batch.headers[index].msg_hdr.msg_namelen = endpointSet(batch.endpoints[index], to);
  batch.runs = batch.runs || (index > 0 && batch.entries[index - 1].length == length &&
                              addressEqual(batch.entries[index - 1].to, to));
  batch.count++;
  return true;
}

BatchResult sendBatch(Socket& socket, SendBatch& batch) {
  if (socket.fault.error != 0) return BatchResult::FATAL;
  uint32_t retries = 0;
  while (batch.next < batch.count) {
    socket.stats.sendCalls++;
    const bool runs = batch.runs && socket.segments;
    const int sent = runs ? messagesSend(socket, batch)
                          : socket.kernel->sendMany(socket.handle, batch.headers + batch.next,
                                                    batch.count - batch.next);
    if (sent > 0) {
      entriesSent(socket, batch, static_cast<uint32_t>(sent));
      retries = 0;
      continue;
    }
    const bool several = runs && batch.carried[0] > 1;
    const Fault fault = faultOf(several ? Call::SEGMENT : Call::SEND, sent == 0 ? EAGAIN : errno);
    if (several ? messageFault(socket, batch, fault, retries)
                : sendFault(socket, batch, fault, retries)) {
      continue;
    }
    return fault.action == FaultAction::FATAL ? BatchResult::FATAL : BatchResult::LATER;
  }
  return BatchResult::DONE;
}

void sendBatchClear(SendBatch& batch) {
  batch.count = 0;
  batch.next = 0;
  batch.runs = false;
  batch.singles = 0;
}

}  // namespace netrt
