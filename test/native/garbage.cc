// No allocation: a server with 64 peers and its clients run a thousand ticks over loopback, and
// none of them asks for memory once it stands. test/garbage is the same for JavaScript's heap.
#include <vector>

#include "check.h"
#include "core/seal.h"
#include "memory.h"
#include "sides.h"

#ifdef NETRT_WRAP

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

TEST(aThousandTicksTakeNoMemory) {
  if (sealInit() == nullptr) return;
  Crowd crowd;
  NEED(crowd.open());
  for (uint32_t tick = 0; tick < WARM_TICKS; tick++) crowd.tick();
  const uint64_t before = crowd.server.received;
  memoryWatch();
  for (uint32_t tick = 0; tick < TICKS; tick++) crowd.tick();
  CHECK_EQUAL(memoryTaken(), 0u);
  // It is traffic that took none.
  CHECK(crowd.server.received - before > uint64_t{PEERS} * TICKS * 9 / 10);
}

#endif
