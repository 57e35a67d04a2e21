// Owns the way between two peers: when a client asks whether it changed, what proves a new address
// the client's silence, the server's candidate and the proof.
// Never sends, never changes an address or a table (slots does).
// Invariants: a server's candidate has sent an authentic packet, newer than all before; nothing but
// the proof that went to it, come back from it, makes it the peer's address.
#ifndef NETRT_CORE_PATH_H_
#define NETRT_CORE_PATH_H_

#include <cstddef>
#include <cstdint>

#include "core/acks.h"
#include "core/address.h"
#include "core/bytes.h"
#include "core/limits.h"
#include "core/rtt.h"
#include "core/timers.h"

namespace netrt {

struct Path {
  // A client's: when a moving packet is due (µs), and the time to the one behind it.
  uint64_t dueUs = NO_DEADLINE;
  uint64_t intervalUs = PATH_SILENCE_MIN_US;
  // The highest number acked, as far as that was looked at.
  int64_t acked = NO_NUMBER;
  // What a server asked for last, or a client was asked for last.
  uint8_t proof[PATH_PROOF_BYTES] = {};
  bool asked = false;
  // A client's: the next moving packet answers. A server's: the packet at hand did, and rightly.
  bool answered = false;
  // A server's: where the proof went, and when it was drawn (µs).
  Address candidate;
  uint64_t candidateUs = 0;
  // Packets of earlier ways that were lost since this one is used.
  uint32_t strayed = 0;
};

void pathReset(Path& path);

// ---- A client ----

// A packet went out that the server will ack: from now on it counts how long none is.
void pathAsk(Path& path, const Rtt& rtt, uint64_t nowUs);

// The highest number acked: where it is news, the server sees us where we are.
inline void pathAcked(Path& path, int64_t latest) {
  // What it asked for goes out all the same.
  if (latest > path.acked && !path.answered) path.dueUs = NO_DEADLINE;
  path.acked = latest;
}

// A moving packet goes out: it asks for an answer where none came, or gives the one that was asked
// for. The next waits twice as long.
void pathTell(Path& path, Writer& writer, uint64_t nowUs);

// The server sees us elsewhere and asks for proof, which is due at once; true when it is news.
bool pathChallenged(Path& path, const Rtt& rtt, const uint8_t* bytes, size_t offset);

// ---- A server ----

// The packet at hand tells a proof; whether that counts is seen by where it came from (pathProven).
void pathAnswered(Path& path, const uint8_t* bytes, size_t offset);

// Whether the packet at hand, which came from there, proves that the client reads there.
bool pathProven(const Path& path, const Address& address, uint64_t nowUs);

// The client's newest packet came from there: the address becomes the candidate, with a proof that
// nobody knows. Drawn by the peer's handle and the number of that packet, which come
// together once. It stays as it is while packets come from there, so that an answer to any of them
// counts. False where memory is missing.
bool pathSuspect(Path& path, const Address& address, const uint8_t* seed, uint32_t handle,
                 uint64_t number, uint64_t nowUs);

}  // namespace netrt

#endif  // NETRT_CORE_PATH_H_
