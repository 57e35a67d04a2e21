// Owns an engine, which is a host, its socket and the batches between them, and the one thing that
// an engine does: a turn.
// Never knows JavaScript, never calls back, never waits.
// Invariants:
//  - a datagram that was taken from the socket and found no room above waits here, in order;
//  - a packet that the kernel had no room for goes first in the next turn, encoded as it is;
//  - nobody times out while his datagrams wait to be read (see Engine::seenUs);
//  - the time that the core is told never runs backwards;
//  - with a gate, the core sees of the submission ring what was admitted, and nothing behind it.
//
// An engine is one thread's at a time. With a gate, one other thread may be the user of its rings
// at the same time: it calls engineSubmitted, engineAdmit and engineUnread, and reads the pages.
#ifndef NETRT_IO_TURN_H_
#define NETRT_IO_TURN_H_

#include <cstddef>
#include <cstdint>

#include "core/host.h"
#include "io/socket.h"

namespace netrt {

// What a turn does; lib/turn.ts says what each is for.
constexpr uint32_t TURN_RECEIVE = 1;
constexpr uint32_t TURN_FLUSH = 2;
constexpr uint32_t TURN_TRANSMIT = 4;
constexpr uint32_t TURN_ALL = TURN_RECEIVE | TURN_FLUSH | TURN_TRANSMIT;

// A turn takes no further batch of datagrams when it has taken them for as long: whatever the
// network sends, the event loop turns.
constexpr uint32_t TURN_RECEIVE_US_MAX = 3000;

// How it ended.
constexpr uint32_t TURNED_MORE = 1;
constexpr uint32_t TURNED_BLOCKED = 2;
// The socket is gone; the page has the errno. There is nothing left but to close.
constexpr uint32_t TURNED_FAILED = 4;
// Datagrams could not go; the page has the errno, and how many. Once a second at most.
constexpr uint32_t TURNED_WARNED = 8;

// Words of the page that an engine publishes after each turn; lib/native.ts reads them.
constexpr uint32_t PUBLISHED_DEADLINE = 0;
constexpr uint32_t PUBLISHED_PORT = 2;
constexpr uint32_t PUBLISHED_ERROR = 3;
constexpr uint32_t PUBLISHED_CALL = 4;
constexpr uint32_t PUBLISHED_COUNT = 5;
// The time as JavaScript asked for it last, a double: a number made for each answer is garbage.
constexpr uint32_t PUBLISHED_NOW = 6;
// Pairs of words, in the order of lib/native.ts.
constexpr uint32_t PUBLISHED_COUNTERS = 8;
constexpr uint32_t PUBLISHED_WORDS = 30;

// A blocked engine tries again after this long: the kernel sends a buffer's worth in less.
constexpr uint64_t BLOCKED_RETRY_US = 1000;

// Datagrams that wait are at most this old in a socket that is merely busy. Time-outs are counted
// in seconds, so an engine that has seen everything up to here may let time pass.
constexpr uint64_t SEEN_AGE_MAX_US = 250000;

struct EngineOptions {
  const uint32_t* config;     // CONFIG_WORDS words
  const uint8_t* privateKey;  // KEY_BYTES
  const uint8_t* entropy;     // ENTROPY_BYTES
  uint8_t* submission;
  size_t submissionBytes;
  uint8_t* completion;
  size_t completionBytes;
  uint32_t* page;       // statsWords(peersMax) words
  uint32_t* published;  // PUBLISHED_WORDS words, aligned to 8 bytes
  bool gated = false;   // the rings' user is on another thread
  SocketOptions socket;
};

// Half a megabyte that is touched as it is used. Not copied or moved: the batches point into it.
struct Engine {
  Host host;
  Socket socket;
  uint32_t* published;
  uint64_t nowUs;
  uint64_t deadlineUs;  // when the next turn is due
  // The submission ring's positions: those of the user and, with a gate between, those of the core.
  uint32_t* submitted;
  uint32_t gate[RING_CONTROL_BYTES / sizeof(uint32_t)];
  // Every datagram that the kernel got before this was handed to the host.
  uint64_t seenUs;
  ReceiveBatch in;
  uint32_t inNext;  // the first of `in` that waits for room above
  uint64_t receiveUsMax = TURN_RECEIVE_US_MAX;
  SendBatch out;
  Batch batch;  // the host's packets, which `out` points at
};

// On a fault nothing stays open.
Fault engineOpen(Engine& engine, const EngineOptions& options);

// Starts a client with a token of TOKEN_PUBLIC_BYTES.
void engineConnect(Engine& engine, const uint8_t* token);

uint32_t engineTurn(Engine& engine, uint32_t flags);

// Puts the time on the page. The user of the rings alone asks, whoever has the turns.
void engineNow(Engine& engine);

// ---- With a gate: what the user of the rings does meanwhile ----

bool engineGated(const Engine& engine);

// How far the user's ring is written.
uint32_t engineSubmitted(const Engine& engine);

// Lets the core see the ring up to there, once the records are known to be whole.
void engineAdmit(Engine& engine, uint32_t head);

// Whether all that was admitted is taken. The engine's own thread alone asks.
bool engineTookAll(const Engine& engine);

// Whether the completion ring holds what its user has not read, and was told of.
bool engineUnread(const Engine& engine);

// What watches the socket is to be stopped before.
void engineClose(Engine& engine);

}  // namespace netrt

#endif  // NETRT_IO_TURN_H_
