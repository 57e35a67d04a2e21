// Owns the meaning of every errno at every call, in one table. The code around a call asks for the
// action, and never looks at errno itself.
// Never calls the kernel and keeps no state.
// Invariants:
//  - while opening, every error is the caller's to hear: typed, and nothing stays open;
//  - while running, nothing that the network or a neighbour on the machine can cause ends the host.
//    Only an error that says "this handle is no socket of yours" does: calling on would never end;
//  - an ICMP message is unauthenticated, anybody can forge one: none ever costs a peer its
//    connection.
#ifndef NETRT_IO_FAULT_H_
#define NETRT_IO_FAULT_H_

#include <cstdint>

namespace netrt {

enum class Call : uint8_t { OPEN, BIND, RECEIVE, SEND, WAIT, SEGMENT };

enum class FaultAction : uint8_t {
  NONE,    // no error
  AGAIN,   // interrupted before it did anything: call again at once
  LATER,   // would block: keep what is encoded, come back later
  LOSS,    // this machine dropped the datagram, as a full queue on the way would
  SHRINK,  // too large for the path as the kernel knows it: skip it, later ones can be smaller
  ICMP,    // an earlier datagram's fate, by somebody's word: count it, call again
  WARN,    // can't go now: skip it, the next one to that peer tries again; one warning a second
  FATAL,   // the socket can't be opened, or is gone
  SPLIT,   // of several datagrams in one message: each goes alone, and has an errno of its own
  WHOLE,   // the kernel does not cut messages into datagrams here: each goes alone from now on
};

// Why an open failed, in terms that a user can act on.
enum class FaultKind : uint8_t {
  OTHER,
  IN_USE,       // another socket has the address and port
  UNAVAILABLE,  // no such address on this machine
  DENIED,       // the system forbids it: a port below 1024, a firewall, a sandbox
  EXHAUSTED,    // out of descriptors, memory or threads
  UNSUPPORTED,  // the machine does not speak this address family
};

struct Fault {
  int error;  // errno, 0 when all is well
  Call call;
  FaultAction action;
  FaultKind kind;
};

// One row of the table.
struct FaultRow {
  Call call;
  int error;
  FaultAction action;
  FaultKind kind;
};

constexpr Fault FAULT_NONE = {0, Call::OPEN, FaultAction::NONE, FaultKind::OTHER};

// Classify `error`, an errno, at `call`. Never returns NONE for a non-zero error.
Fault faultOf(Call call, int error);

// "EADDRINUSE" and so on; "EUNKNOWN" for an errno that is not in the table.
const char* faultName(int error);

// The table itself, for the tests and for docs: `count` receives the number of rows.
const FaultRow* faultTable(uint32_t& count);

}  // namespace netrt

#endif  // NETRT_IO_FAULT_H_
