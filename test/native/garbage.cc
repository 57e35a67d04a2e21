// No allocation: a server with 64 peers and its clients run a thousand ticks over loopback, and
// none of them asks for memory once it stands. test/garbage is the same for JavaScript's heap.
#include <memory>
#include <vector>

#include "check.h"
#include "core/seal.h"
#include "inline.h"
#include "memory.h"

#ifdef NETRT_WRAP

namespace {

using namespace netrt;
using namespace netrt::test;

constexpr uint32_t PEERS = 64;
constexpr uint32_t TICKS = 1000;
// Connections stand, records have grown to what the traffic needs.
constexpr uint32_t WARM_TICKS = 200;
constexpr uint32_t CONNECT_TICKS_MAX = 5000;

struct Crowd {
  Inline server;
  std::vector<std::unique_ptr<Inline>> clients;

  bool open() {
    if (!server.open(ROLE_SERVER, PEERS, 1)) return false;
    for (uint32_t index = 0; index < PEERS; index++) {
      clients.emplace_back(new Inline);
      uint8_t token[TOKEN_PUBLIC_BYTES];
      Inline& client = *clients.back();
      const uint16_t port = server.port();
      if (!client.open(ROLE_CLIENT, 1, static_cast<uint8_t>(index + 1))) return false;
      if (!sidesToken(port, token, 5, index + 1)) return false;
      engineConnect(*client.engine, token);
    }
    for (uint32_t round = 0; server.peers.size() < PEERS && round < CONNECT_TICKS_MAX; round++) {
      for (auto& client : clients) client->turn(TURN_ALL);
      server.turn(TURN_ALL);
    }
    return server.peers.size() == PEERS;
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
