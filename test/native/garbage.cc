// No allocation: a server with 64 peers and its clients run a thousand ticks over loopback, and
// none of them asks for memory once it stands. Counted in this program's own malloc, in a
// sanitizer's build by that sanitizer. test/garbage is the same for JavaScript's heap.
#include <cstdlib>
#include <vector>

#include "check.h"
#include "core/seal.h"
#include "sides.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NETRT_SANITIZED 1
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*onMalloc)(const volatile void*,
                                                                          size_t),
                                                         void (*onFree)(const volatile void*));
#endif

namespace {

// This thread's allocations, while it counts.
thread_local bool counting = false;
thread_local uint64_t allocations = 0;

void allocated() {
  if (counting) allocations++;
}

}  // namespace

#if defined(NETRT_SANITIZED)

#define NETRT_COUNTS 1
static bool countersOpen() {
  return __sanitizer_install_malloc_and_free_hooks(
             [](const volatile void*, size_t) { allocated(); }, [](const volatile void*) {}) > 0;
}

#elif defined(__GLIBC__)

#define NETRT_COUNTS 1
extern "C" {
void* __libc_malloc(size_t bytes) noexcept;
void* __libc_calloc(size_t count, size_t bytes) noexcept;
void* __libc_realloc(void* memory, size_t bytes) noexcept;

void* malloc(size_t bytes) noexcept {
  allocated();
  return __libc_malloc(bytes);
}

void* calloc(size_t count, size_t bytes) noexcept {
  allocated();
  return __libc_calloc(count, bytes);
}

void* realloc(void* memory, size_t bytes) noexcept {
  allocated();
  return __libc_realloc(memory, bytes);
}
}
static bool countersOpen() { return true; }

#endif

#ifdef NETRT_COUNTS

namespace {

using namespace netrt;
using namespace netrt::test;

constexpr uint32_t PEERS = 64;
constexpr uint32_t TICKS = 1000;
// Connections stand, records have grown to what the traffic needs.
constexpr uint32_t WARM_TICKS = 200;
constexpr uint32_t CONNECT_TICKS_MAX = 5000;

// An engine whose turns are its user's.
struct Inline {
  std::unique_ptr<Engine> engine{new Engine};
  std::vector<uint64_t> memory[4];
  Ring submission;
  Ring completion;
  bool isOpen = false;
  uint32_t peers[PEERS] = {};
  uint32_t peerCount = 0;
  uint64_t received = 0;

  ~Inline() {
    if (isOpen) engineClose(*engine);
  }

  bool open(uint32_t role, uint32_t peersMax, uint8_t number) {
    uint32_t config[CONFIG_WORDS] = {};
    const uint8_t entropy[ENTROPY_BYTES] = {number, static_cast<uint8_t>(role + 1)};
    sidesConfig(config, role);
    config[CONFIG_PEERS_MAX] = peersMax;
    memory[0].resize(ringBytes(RING_CAPACITY) / 8);
    memory[1].resize(ringBytes(COMPLETION_CAPACITY) / 8);
    memory[2].resize(statsWords(peersMax));
    memory[3].resize(PUBLISHED_WORDS / 2);
    EngineOptions options = {};
    options.config = config;
    options.privateKey = SIDES_KEY;
    options.entropy = entropy;
    options.submission = reinterpret_cast<uint8_t*>(memory[0].data());
    options.submissionBytes = memory[0].size() * 8;
    options.completion = reinterpret_cast<uint8_t*>(memory[1].data());
    options.completionBytes = memory[1].size() * 8;
    options.page = reinterpret_cast<uint32_t*>(memory[2].data());
    options.published = reinterpret_cast<uint32_t*>(memory[3].data());
    options.socket.address = loopbackV4(0);
    ringSet(submission, options.submission, options.submissionBytes);
    ringSet(completion, options.completion, options.completionBytes);
    isOpen = engineOpen(*engine, options).error == 0;
    return isOpen;
  }

  void push(uint32_t peer, uint32_t bytes) {
    const int32_t word = ringPush(submission, RECORD_SEND, bytes);
    if (word == NO_ROOM) return;
    submission.words[word + 1] = peer;
    submission.words[word + 2] = 0;
    submission.words[word + 4] = TTL_DEFAULT;
    submission.words[word + 5] = 0;
    ringPublish(submission);
  }

  void pushAll(uint32_t bytes) {
    for (uint32_t index = 0; index < peerCount; index++) push(peers[index], bytes);
  }

  void drain() {
    for (int32_t word = ringPeek(completion); word != NO_ROOM; word = ringPeek(completion)) {
      const uint32_t kind = completion.words[word] >> 24;
      if (kind == RECORD_CONNECT && peerCount < PEERS) {
        peers[peerCount++] = completion.words[word + 1];
      }
      if (kind == RECORD_MESSAGE) received++;
      ringNext(completion, word);
    }
    ringRelease(completion);
  }

  void turn(uint32_t flags) {
    engineTurn(*engine, flags);
    drain();
  }
};

struct Crowd {
  Inline server;
  std::vector<std::unique_ptr<Inline>> clients;

  bool open() {
    if (!server.open(ROLE_SERVER, PEERS, 1)) return false;
    for (uint32_t index = 0; index < PEERS; index++) {
      clients.emplace_back(new Inline);
      uint8_t token[TOKEN_PUBLIC_BYTES];
      Inline& client = *clients.back();
      const uint16_t port = server.engine->socket.address.port;
      if (!client.open(ROLE_CLIENT, 1, static_cast<uint8_t>(index + 1))) return false;
      if (!sidesToken(port, token, 5, index + 1)) return false;
      engineConnect(*client.engine, token);
    }
    for (uint32_t round = 0; server.peerCount < PEERS && round < CONNECT_TICKS_MAX; round++) {
      for (auto& client : clients) client->turn(TURN_ALL);
      server.turn(TURN_ALL);
    }
    return server.peerCount == PEERS;
  }

  // As a game server's: take all, answer all, and the answers' acks come with the next inputs.
  void tick() {
    for (auto& client : clients) {
      client->pushAll(40);
      client->turn(TURN_ALL);
    }
    server.turn(TURN_RECEIVE);
    server.pushAll(200);
    server.turn(TURN_FLUSH | TURN_TRANSMIT);
  }
};

}  // namespace

TEST(allocationsAreCounted) {
  NEED(countersOpen());
  counting = true;
  void* volatile memory = std::malloc(40);
  int* volatile number = new int(7);
  counting = false;
  std::free(memory);
  delete number;
  CHECK_EQUAL(allocations, 2u);
  allocations = 0;
}

TEST(aThousandTicksTakeNoMemory) {
  if (sealInit() == nullptr) return;
  NEED(countersOpen());
  Crowd crowd;
  NEED(crowd.open());
  for (uint32_t tick = 0; tick < WARM_TICKS; tick++) crowd.tick();
  const uint64_t before = crowd.server.received;
  allocations = 0;
  counting = true;
  for (uint32_t tick = 0; tick < TICKS; tick++) crowd.tick();
  counting = false;
  CHECK_EQUAL(allocations, 0u);
  // It is traffic that took none.
  CHECK(crowd.server.received - before > uint64_t{PEERS} * TICKS * 9 / 10);
}

#endif
