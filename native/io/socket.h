// Owns one UDP socket: opening it, and moving datagrams through it in batches of up to 64 a call.
// Never parses a byte of a datagram, never blocks, never allocates, never decides what an errno
// means (fault does), and never gives up a peer, whatever ICMP claims: its time-out does, above.
// Invariants:
//  - a datagram is handed up whole or not at all; one that is longer than DATAGRAM_BYTES_MAX is
//    dropped and counted;
//  - datagrams leave in the order in which they were added. What the kernel has no room for stays
//    in the batch, encoded as it is, and goes first at the next call;
//  - every datagram of a send batch ends with exactly one outcome;
//  - however the kernel answers, a call returns after a bounded number of system calls.
//
// A batch holds pointers into itself: open it where it will live, and do not copy it.
#ifndef NETRT_IO_SOCKET_H_
#define NETRT_IO_SOCKET_H_

#include <cstddef>
#include <cstdint>

#include "core/address.h"
#include "core/limits.h"
#include "io/clock.h"
#include "io/endpoint.h"
#include "io/fault.h"
#include "io/kernel.h"

namespace netrt {

// Datagrams per system call. 32 to 64 is the knee of the cost curve; beyond it the buffers fall out
// of the cache and the cost rises again.
constexpr uint32_t BATCH_DATAGRAMS = 64;

// Bytes of the longest datagram that is taken, the buffer size of the field's own reference
// implementations. The kernel marks what is longer (MSG_TRUNC).
constexpr size_t DATAGRAM_BYTES_MAX = 1300;
static_assert(DATAGRAM_BYTES_MAX >= PACKET_BYTES_MAX, "every packet fits a datagram");

// Bytes from one receive buffer to the next: whole cache lines.
constexpr size_t DATAGRAM_STRIDE_BYTES = 1344;
static_assert(DATAGRAM_STRIDE_BYTES >= DATAGRAM_BYTES_MAX && DATAGRAM_STRIDE_BYTES % 64 == 0,
              "a datagram fits its buffer");

// Bytes of control data per datagram: a timestamp and a drop counter.
constexpr size_t CONTROL_BYTES = 64;

// Bytes of one message that the kernel cuts into datagrams: less than an IP packet may have.
constexpr uint32_t SEGMENTED_BYTES_MAX = 65000;
// Bytes of its control data: the size of a datagram.
constexpr size_t SEGMENT_CONTROL_BYTES = 32;

// Kernel buffer asked for, each way, in bytes: 100 ms of 30,000 small datagrams a second, at the
// 0.8 KiB that the kernel accounts for each. It gives what it allows (net.core.rmem_max).
constexpr uint32_t SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
// Below this, asking for less is of no use: it is under every system's default.
constexpr uint32_t SOCKET_BUFFER_BYTES_MIN = 64 * 1024;

// One warning of a kind that repeats for every datagram, in µs.
constexpr uint64_t WARNING_INTERVAL_US = 1000000;

struct SocketOptions {
  Address address;  // where to bind; its type gives the family, port 0 lets the system choose
  uint32_t receiveBufferBytes = SOCKET_BUFFER_BYTES;
  uint32_t sendBufferBytes = SOCKET_BUFFER_BYTES;
  bool segments = true;    // several datagrams to one peer in one message, where the kernel can
  bool reusePort = false;  // share the port between sockets that all ask for it (SO_REUSEPORT)
};

struct SocketStats {
  uint64_t receivedDatagrams;
  uint64_t receivedBytes;
  uint64_t receiveCalls;
  uint64_t sentDatagrams;
  uint64_t sentBytes;
  uint64_t sendCalls;
  uint64_t wouldBlock;    // sends that found the kernel's buffer full and were kept
  uint64_t localLoss;     // sends that this machine dropped for want of memory
  uint64_t tooLarge;      // sends that the kernel found too large for the path
  uint64_t unreachable;   // sends without a route, or refused by a firewall
  uint64_t refused;       // errors that somebody's ICMP message caused, on any call
  uint64_t truncated;     // received datagrams that were too long and were dropped
  uint64_t unanswerable;  // received datagrams from port 0, which were dropped
  uint64_t kernelDrops;   // datagrams that arrived while the kernel's buffer was full
};

// Something to tell the user once a second at most: what, and how often since the last time.
struct SocketWarning {
  Fault fault;
  uint64_t count;
};

struct Socket {
  int handle = -1;
  Address address = {};  // as bound, with the port that the system chose
  uint32_t receiveBufferBytes =
      0;  // as the kernel reports it; Linux reports twice what it was asked
  uint32_t sendBufferBytes = 0;
  const Kernel* kernel = nullptr;
  bool segments = false;  // the kernel cuts messages into datagrams (UDP_SEGMENT)
  ClockMap clock = {};
  uint32_t dropsSeen = 0;  // the kernel's drop counter as last read; it wraps
  SocketStats stats = {};
  bool starved = false;  // the last receive failed for want of something: it comes back in a while
  Fault fault = FAULT_NONE;  // why the socket is gone, once a call answered BatchResult::FATAL
  SocketWarning warning = {FAULT_NONE, 0};
  uint64_t warningDueUs = 0;  // no warning is given out before this
};

// What a batch call leaves behind.
enum class BatchResult : uint8_t {
  DONE,   // receive: the batch is full, there may be more. Send: every datagram has its outcome
  LATER,  // receive: nothing more for now. Send: the kernel is full, the rest is kept in the batch
  FATAL,  // the socket is gone: Socket::fault says why
};

// ---- The life of a socket ----

// Opens and binds. On a fault nothing stays open, and fault.kind says what a user can do about it.
Fault socketOpen(Socket& socket, const SocketOptions& options, const Kernel& kernel = KERNEL);

// Safe to call at any time, also twice. What watches the handle (the waker) is to be stopped
// before.
void socketClose(Socket& socket);

// The warning that is due, if any: at most one a second, however many datagrams it is about.
bool socketWarning(Socket& socket, uint64_t nowUs, SocketWarning& warning);

// ---- The way in ----

struct Datagram {
  Address from;
  uint32_t length;      // 0 is possible: UDP carries empty datagrams
  uint8_t* bytes;       // in the batch; valid, and the reader's to overwrite, until the next call
  uint64_t receivedUs;  // monotonic; when the kernel got it, not when it was read
};

struct ReceiveBatch {
  uint32_t count;
  Datagram datagrams[BATCH_DATAGRAMS];  // the first `count` are good, in the order of arrival
  // What the kernel fills.
  MessageHeader headers[BATCH_DATAGRAMS];
  iovec spans[BATCH_DATAGRAMS];
  Endpoint endpoints[BATCH_DATAGRAMS];
  alignas(8) uint8_t controls[BATCH_DATAGRAMS][CONTROL_BYTES];
  alignas(64) uint8_t bytes[BATCH_DATAGRAMS][DATAGRAM_STRIDE_BYTES];
};

void receiveBatchOpen(ReceiveBatch& batch);

// Takes up to BATCH_DATAGRAMS datagrams; batch.count may be 0 with any result. A caller drains with
// it until LATER, but not without a bound of its own: a flood must not starve the tick.
BatchResult receiveBatch(Socket& socket, ReceiveBatch& batch);

// ---- The way out ----

enum class SendOutcome : uint8_t {
  WAITING,      // in the batch
  SENT,         // the kernel took it
  LOST,         // dropped on this machine
  TOO_LARGE,    // larger than the path carries
  UNREACHABLE,  // nowhere to send it, for now
};

struct SendEntry {
  Address to;
  uint32_t offset;  // of its first byte in SendBatch::bytes
  uint32_t length;
  SendOutcome outcome;
};

struct SendBatch {
  uint8_t* bytes;  // the caller's memory; what a waiting entry points at must not change
  size_t capacity;
  uint32_t count;
  uint32_t next;  // the first entry that still waits
  SendEntry entries[BATCH_DATAGRAMS];
  // What the kernel reads, for each datagram.
  MessageHeader headers[BATCH_DATAGRAMS];
  iovec spans[BATCH_DATAGRAMS];
  Endpoint endpoints[BATCH_DATAGRAMS];
  // Datagrams one behind the other that have a peer and a size in common go as one message.
  bool runs;         // there are such
  uint32_t singles;  // entries before this go alone, whatever they have in common
  MessageHeader messages[BATCH_DATAGRAMS];
  uint8_t carried[BATCH_DATAGRAMS];  // datagrams of each
  alignas(8) uint8_t controls[BATCH_DATAGRAMS][SEGMENT_CONTROL_BYTES];
};

// `bytes` is where the datagrams of this batch are encoded; it outlives the batch.
void sendBatchOpen(SendBatch& batch, uint8_t* bytes, size_t capacity);

// Adds the datagram at bytes[offset, offset + length). False when the batch is full.
bool sendBatchAdd(SendBatch& batch, const Address& to, uint32_t offset, uint32_t length);

// Sends what waits. After LATER call it again, some time later, with the batch as it is.
BatchResult sendBatch(Socket& socket, SendBatch& batch);

// Empties the batch. What waits in it is given up.
void sendBatchClear(SendBatch& batch);

}  // namespace netrt

#endif  // NETRT_IO_SOCKET_H_
