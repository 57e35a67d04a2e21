// sides: two ends of a connection in C++, each an engine on its I/O thread and, in JavaScript's
// place, the user of its rings. For the tests of io/thread.
#ifndef NETRT_TEST_NATIVE_SIDES_H_
#define NETRT_TEST_NATIVE_SIDES_H_

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "check.h"
#include "core/config.h"
#include "core/seal.h"
#include "core/stats.h"
#include "core/token.h"
#include "io/thread.h"
#include "loopback.h"

namespace netrt::test {

constexpr uint32_t SIDES_PATIENCE_MS = 20000;
constexpr uint32_t SIDES_PROTOCOL_ID = 77;
constexpr uint32_t RING_CAPACITY = 1 << 16;
constexpr uint32_t COMPLETION_CAPACITY = 1 << 18;
// The words of a policy: ordered, ack and nack, one copy, no expiry to speak of.
constexpr uint32_t SIDES_POLICY[] = {2, 3, 1, 0, 10000, 1, 1100, 3, 77};
constexpr uint8_t SIDES_KEY[KEY_BYTES] = {1, 2, 3};

inline void sidesConfig(uint32_t* words, uint32_t role) {
  words[CONFIG_ROLE] = role;
  words[CONFIG_PROTOCOL_LOW] = SIDES_PROTOCOL_ID;
  words[CONFIG_PEERS_MAX] = 1;
  words[CONFIG_CHANNELS] = 1;
  words[CONFIG_PAYLOAD_BYTES_MAX] = 1200;
  words[CONFIG_RATE] = 12500000;
  words[CONFIG_QUEUE_BYTES_MAX] = 1 << 18;
  words[CONFIG_QUEUE_MESSAGES_MAX] = 1024;
  words[CONFIG_CHUNKS] = 4096;
  words[CONFIG_MESSAGES] = 4096;
  words[CONFIG_CARRIEDS] = 16384;
  words[CONFIG_PENDING_MAX] = 64;
  words[CONFIG_TOKENS_MAX] = 64;
  if (role == ROLE_SERVER) {
    words[CONFIG_ADDRESSES] = 1;
    words[CONFIG_ADDRESSES + 1] = ADDRESS_IPV4;
    words[CONFIG_ADDRESSES + 3] = 0x7f000001;
  }
  std::memcpy(words + CONFIG_POLICIES, SIDES_POLICY, sizeof(SIDES_POLICY));
}

// A token for the server at this port, good for a minute; what times out does so after so many
// seconds.
inline bool sidesToken(uint16_t port, uint8_t* out, int32_t timeoutSeconds = 5,
                       uint32_t client = 5) {
  const Address server = loopbackV4(port);
  PrivateToken inner;
  inner.clientId = client;
  inner.timeoutSeconds = timeoutSeconds;
  inner.serverCount = 1;
  inner.servers[0] = server;
  inner.clientToServerKey[0] = 9;
  inner.serverToClientKey[0] = 8;
  ConnectToken token;
  token.protocolId = SIDES_PROTOCOL_ID;
  token.createTimestamp = clockWallSeconds();
  token.expireTimestamp = token.createTimestamp + 60;
  token.timeoutSeconds = inner.timeoutSeconds;
  token.serverCount = 1;
  token.servers[0] = server;
  std::memcpy(token.clientToServerKey, inner.clientToServerKey, KEY_BYTES);
  std::memcpy(token.serverToClientKey, inner.serverToClientKey, KEY_BYTES);
  token.nonce[0] = static_cast<uint8_t>(port);
  token.nonce[1] = static_cast<uint8_t>(client);
  uint8_t associated[TOKEN_ASSOCIATED_BYTES];
  tokenAssociatedData(SIDES_PROTOCOL_ID, token.expireTimestamp, associated);
  SealScratch scratch;
  const bool sealed = sealScratchOpen(scratch) && tokenPrivateWrite(inner, token.privateBytes, 0) &&
                      sealToken(scratch, SIDES_KEY, token.nonce, associated, sizeof(associated),
                                token.privateBytes, 0, TOKEN_PRIVATE_PLAIN_BYTES) > 0;
  sealScratchClose(scratch);
  return sealed && tokenPublicWrite(token, out, 0);
}

// An engine on its thread, and the user of its rings. A wake arms nothing by itself: this side
// counts it and looks.
struct Side {
  std::unique_ptr<Engine> engine{new Engine};
  Thread thread;
  std::vector<uint64_t> submissionMemory = std::vector<uint64_t>(ringBytes(RING_CAPACITY) / 8);
  std::vector<uint64_t> completionMemory =
      std::vector<uint64_t>(ringBytes(COMPLETION_CAPACITY) / 8);
  std::vector<uint32_t> page = std::vector<uint32_t>(statsWords(1));
  std::vector<uint64_t> published = std::vector<uint64_t>(PUBLISHED_WORDS / 2);
  Ring submission;
  Ring completion;
  std::atomic<uint32_t> wakes{0};
  bool isOpen = false;
  uint32_t peer = 0;
  uint32_t received = 0;
  bool ordered = true;

  // Holds the thread within a wake, until it is let go.
  std::atomic<bool> hold{false};

  static void wake(void* context) {
    Side& side = *static_cast<Side*>(context);
    side.wakes++;
    while (side.hold) usleep(50);
  }

  ~Side() { close(); }

  void close() {
    threadStop(thread);
    if (isOpen) engineClose(*engine);
    isOpen = false;
  }

  static uint8_t* bytesOf(std::vector<uint64_t>& memory) {
    return reinterpret_cast<uint8_t*>(memory.data());
  }

  bool open(uint32_t role) {
    uint32_t config[CONFIG_WORDS] = {};
    const uint8_t entropy[ENTROPY_BYTES] = {static_cast<uint8_t>(role + 1)};
    sidesConfig(config, role);
    EngineOptions options = {};
    options.config = config;
    options.privateKey = SIDES_KEY;
    options.entropy = entropy;
    options.submission = bytesOf(submissionMemory);
    options.submissionBytes = submissionMemory.size() * 8;
    options.completion = bytesOf(completionMemory);
    options.completionBytes = completionMemory.size() * 8;
    options.page = page.data();
    options.published = reinterpret_cast<uint32_t*>(published.data());
    options.gated = true;
    options.socket.address = loopbackV4(0);
    options.socket.receiveBufferBytes = 1 << 20;
    options.socket.sendBufferBytes = 1 << 20;
    ringSet(submission, options.submission, options.submissionBytes);
    ringSet(completion, options.completion, options.completionBytes);
    if (engineOpen(*engine, options).error != 0) return false;
    isOpen = true;
    return threadStart(thread, *engine, wake, this).error == 0;
  }

  uint16_t port() const { return engine->socket.address.port; }

  // One message that holds its number; false when the ring is full.
  bool push(uint32_t number, uint32_t bytes) {
    const int32_t word = ringPush(submission, RECORD_SEND, bytes);
    if (word == NO_ROOM) return false;
    submission.words[word + 1] = peer;
    submission.words[word + 2] = 0;
    submission.words[word + 4] = TTL_DEFAULT;
    submission.words[word + 5] = 0;
    std::memcpy(submission.bytes + word * 4 + RECORD_BYTES, &number, sizeof(number));
    ringPublish(submission);
    return true;
  }

  void flush() {
    engineAdmit(*engine, submission.head);
    threadFlush(thread);
  }

  void drain() {
    for (int32_t word = ringPeek(completion); word != NO_ROOM; word = ringPeek(completion)) {
      const uint32_t kind = completion.words[word] >> 24;
      if (kind == RECORD_CONNECT) peer = completion.words[word + 1];
      if (kind == RECORD_MESSAGE) {
        uint32_t number = 0;
        std::memcpy(&number, completion.bytes + word * 4 + RECORD_BYTES, sizeof(number));
        ordered = ordered && number == received;
        received++;
      }
      ringNext(completion, word);
    }
    ringRelease(completion);
  }

  // A look at the counters, as JavaScript does: aligned words, read while the core writes them. The
  // core's writes are plain, so a sanitizer is not asked about this one access.
  __attribute__((no_sanitize("thread"))) uint32_t look(uint32_t counter) const {
    const volatile uint32_t* words = page.data();
    return words[statsPeerWord(0) + counter];
  }

  // Messages that wait or are unacked, once all that was pushed is taken; before that, as many as
  // can be.
  uint32_t waiting() const {
    if (ringRoom(submission) < submission.capacity) return UINT32_MAX;
    return look(PEER_QUEUED_MESSAGES) - look(PEER_RELEASED_MESSAGES);
  }

  // Pushes messages while fewer than `most` wait, and flushes them.
  void send(uint32_t& sent, uint32_t count, uint32_t bytes, uint32_t most) {
    const uint32_t already = waiting();
    for (uint32_t left = already < most ? most - already : 0; left > 0 && sent < count; left--) {
      if (!push(sent, bytes)) break;
      sent++;
    }
    flush();
  }

  uint32_t unreadBytes() const {
    return __atomic_load_n(completion.control, __ATOMIC_ACQUIRE) - completion.tail;
  }

  // The counters of the socket, in the order of lib/native.ts.
  uint64_t receiveCalls() const { return counter(0); }
  uint64_t datagrams() const { return counter(2); }
  uint64_t counter(uint32_t index) const {
    return __atomic_load_n(&published[PUBLISHED_COUNTERS / 2 + index], __ATOMIC_RELAXED);
  }
};

// Reads both until `done`, as two users whose only hints are their wakes; a wake that is lost would
// be a wait that never ends.
template <typename Done>
bool sidesRun(Side& left, Side& right, Done done) {
  uint32_t seen[2] = {left.wakes, right.wakes};
  Side* sides[2] = {&left, &right};
  for (Side* side : sides) threadArm(side->thread, WAKER_NEVER, true);
  for (uint32_t ms = 0; ms < SIDES_PATIENCE_MS * 10; ms++) {
    for (uint32_t index = 0; index < 2; index++) {
      Side& side = *sides[index];
      if (side.wakes == seen[index]) continue;
      seen[index] = side.wakes;
      side.drain();
      threadArm(side.thread, WAKER_NEVER, true);
    }
    if (done()) return true;
    usleep(100);
  }
  return false;
}

struct Sides {
  Side server;
  Side client;

  bool open() {
    uint8_t token[TOKEN_PUBLIC_BYTES];
    if (!server.open(ROLE_SERVER) || !client.open(ROLE_CLIENT)) return false;
    if (!sidesToken(server.port(), token)) return false;
    threadConnect(client.thread, token);
    return sidesRun(server, client, [this] { return server.peer != 0 && client.peer != 0; });
  }
};

inline std::unique_ptr<Sides> makeSides() { return std::unique_ptr<Sides>(new Sides); }

inline uint32_t randomNext(uint32_t& state) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

inline bool sidesCiphers() {
  if (sealInit() != nullptr) return true;
  std::printf("     no ciphers in this build: not run\n");
  return false;
}

}  // namespace netrt::test

#endif  // NETRT_TEST_NATIVE_SIDES_H_
