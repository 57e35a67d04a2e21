// Fixed traffic between the core's hosts, without sockets and in a time of its own, for counting
// its instructions (`npm run instructions`). The same input gives the same packets, so the count
// says what the code costs and nothing of the machine. What is counted is `traffic` alone, less the
// ciphers (sealPacket, openPacket and what session keys are made from), which are not ours and
// differ from machine to machine.
//
//   bench_core FILE LOSS     FILE holds both configurations, a key and a token for each client
//                            (bench/instructions.ts writes it); LOSS in percent, each way
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/config.h"
#include "core/host.h"
#include "core/ring.h"
#include "core/stats.h"

using namespace netrt;

namespace {

constexpr uint32_t CLIENTS = 32;
constexpr uint32_t TICKS = 400;
// The first ticks, in which the clients connect, lose nothing.
constexpr uint32_t CONNECT_TICKS = 100;
constexpr uint64_t TICK_US = 16667;
// From a sending to its arrival.
constexpr uint64_t DELAY_US = 2000;
// The workload of bench/workload.ts.
constexpr uint32_t CHANNEL_INPUT = 0;
constexpr uint32_t CHANNEL_STATE = 1;
constexpr uint32_t CHANNEL_EVENT = 2;
constexpr uint32_t INPUT_BYTES = 40;
constexpr uint32_t STATE_BYTES = 200;
constexpr uint32_t EVENT_BYTES = 32;
constexpr uint32_t EVENT_EVERY = 10;
constexpr uint64_t UNIX_SECONDS = 1000000000;
constexpr uint32_t SUBMISSION_BYTES = 1 << 18;
constexpr uint32_t COMPLETION_BYTES = 1 << 21;

struct End {
  Host host;
  Ring submission;
  Ring completion;
  std::vector<uint64_t> submissionMemory;
  std::vector<uint64_t> completionMemory;
  std::vector<uint32_t> page;
  Address address;
  uint64_t messages = 0;
};

struct World {
  End server;
  std::vector<std::unique_ptr<End>> clients;
  std::vector<uint8_t> tokens;
  std::vector<uint32_t> peers;
  Batch batch;
  uint64_t nowUs = TICK_US;
  uint32_t random = 2463534242u;
  uint32_t lossPart = 0;
};

bool drops(World& world) {
  world.random ^= world.random << 13;
  world.random ^= world.random >> 17;
  world.random ^= world.random << 5;
  return world.random % 1000 < world.lossPart;
}

bool endOpen(End& end, const uint32_t* config, const uint8_t* key, uint8_t seed) {
  uint8_t entropy[ENTROPY_BYTES];
  std::memset(entropy, seed, sizeof(entropy));
  end.submissionMemory.resize(ringBytes(SUBMISSION_BYTES) / 8);
  end.completionMemory.resize(ringBytes(COMPLETION_BYTES) / 8);
  end.page.resize(statsWords(config[CONFIG_PEERS_MAX]));
  uint8_t* submission = reinterpret_cast<uint8_t*>(end.submissionMemory.data());
  uint8_t* completion = reinterpret_cast<uint8_t*>(end.completionMemory.data());
  const size_t submissionBytes = ringBytes(SUBMISSION_BYTES);
  const size_t completionBytes = ringBytes(COMPLETION_BYTES);
  ringSet(end.submission, submission, submissionBytes);
  ringSet(end.completion, completion, completionBytes);
  return hostOpen(end.host, config, end.page.data(), key, entropy, submission, submissionBytes,
                  completion, completionBytes);
}

bool worldOpen(World& world, const char* file) {
  std::vector<uint32_t> configs(2 * CONFIG_WORDS);
  uint8_t key[KEY_BYTES];
  world.tokens.resize(CLIENTS * TOKEN_PUBLIC_BYTES);
  FILE* input = std::fopen(file, "rb");
  const bool read =
      input != nullptr && std::fread(configs.data(), 4, configs.size(), input) == configs.size() &&
      std::fread(key, 1, sizeof(key), input) == sizeof(key) &&
      std::fread(world.tokens.data(), 1, world.tokens.size(), input) == world.tokens.size();
  if (input != nullptr) std::fclose(input);
  if (!read) return false;
  world.server.address.type = ADDRESS_IPV4;
  world.server.address.a = 0x7f000001;
  world.server.address.port = 40000;
  if (!endOpen(world.server, configs.data(), key, 1)) return false;
  for (uint32_t index = 0; index < CLIENTS; index++) {
    world.clients.push_back(std::make_unique<End>());
    End& client = *world.clients.back();
    client.address = world.server.address;
    client.address.port = static_cast<uint16_t>(50000 + index);
    const uint8_t seed = static_cast<uint8_t>(2 + index);
    if (!endOpen(client, configs.data() + CONFIG_WORDS, key, seed)) return false;
    hostConnect(client.host, world.tokens.data() + index * TOKEN_PUBLIC_BYTES, world.nowUs);
  }
  return true;
}

// Reads what a host tells, as a user does; the server learns its peers from it.
void drain(World& world, End& end) {
  hostPublish(end.host);
  for (int32_t word = ringPeek(end.completion); word != NO_ROOM; word = ringPeek(end.completion)) {
    const uint32_t* record = end.completion.words + word;
    const uint32_t kind = record[0] >> 24;
    if (kind == RECORD_MESSAGE) end.messages++;
    if (kind == RECORD_CONNECT && &end == &world.server) world.peers.push_back(record[1]);
    ringNext(end.completion, word);
  }
  ringRelease(end.completion);
}

void submit(End& end, uint32_t peer, uint32_t channel, uint32_t bytes) {
  const int32_t word = ringPush(end.submission, RECORD_SEND, bytes);
  if (word == NO_ROOM) return;
  uint32_t* record = end.submission.words + word;
  record[1] = peer;
  record[2] = channel;
  record[4] = TTL_DEFAULT;
  record[5] = 0;
  std::memset(record + RECORD_WORDS, 0x55, bytes);
}

// Everything that an end has to send goes over at once, and arrives DELAY_US later.
void transmit(World& world, End& from) {
  while (hostTransmit(from.host, world.nowUs, world.batch) > 0) {
    for (uint32_t index = 0; index < world.batch.count; index++) {
      if (drops(world)) continue;
      const uint16_t port = world.batch.addresses[index].port;
      End& to = port == 40000 ? world.server : *world.clients[port - 50000u];
      hostReceive(to.host, world.nowUs + DELAY_US, world.nowUs + DELAY_US, UNIX_SECONDS,
                  from.address, world.batch.bytes, index * BATCH_STRIDE,
                  world.batch.lengths[index]);
    }
  }
}

// One turn of an end, as the addon does it.
void turn(World& world, End& end) {
  ringPublish(end.submission);
  hostSubmit(end.host, world.nowUs);
  hostAdvance(end.host, world.nowUs);
  hostFlush(end.host);
  transmit(world, end);
  drain(world, end);
}

void tick(World& world, uint32_t number) {
  const uint64_t startUs = world.nowUs;
  for (const auto& client : world.clients) {
    // A client that is not connected yet has no use for an input.
    if (client->host.openCount > 0) {
      submit(*client, client->host.connections[0].handle, CHANNEL_INPUT, INPUT_BYTES);
    }
    turn(world, *client);
  }
  world.nowUs = startUs + 2 * DELAY_US;
  drain(world, world.server);
  for (const uint32_t peer : world.peers) {
    submit(world.server, peer, CHANNEL_STATE, STATE_BYTES);
    if (number % EVENT_EVERY == 0) submit(world.server, peer, CHANNEL_EVENT, EVENT_BYTES);
  }
  turn(world, world.server);
  for (const auto& client : world.clients) drain(world, *client);
  world.nowUs = startUs + TICK_US;
}

}  // namespace

// Not inlined, and by this name: valgrind counts what runs within it.
extern "C" __attribute__((noinline)) void traffic(World* world, uint32_t lossPart) {
  for (uint32_t number = 0; number < TICKS; number++) {
    if (number == CONNECT_TICKS) world->lossPart = lossPart;
    tick(*world, number);
  }
}

int main(int argc, char** argv) {
  static World world;
  if (argc != 3 || sealInit() == nullptr || !worldOpen(world, argv[1])) {
    std::fprintf(stderr, "bench_core: no cipher, or no such file of configurations and tokens\n");
    return 1;
  }
  traffic(&world, static_cast<uint32_t>(10 * std::strtoul(argv[2], nullptr, 10)));
  if (world.peers.size() != CLIENTS) {
    std::fprintf(stderr, "bench_core: %zu of %u clients connected\n", world.peers.size(), CLIENTS);
    return 1;
  }
  uint64_t received = 0;
  for (const auto& client : world.clients) received += client->messages;
  std::printf("{\"clientTicks\":%u,\"inputs\":%" PRIu64 ",\"received\":%" PRIu64 "}\n",
              CLIENTS * TICKS, world.server.messages, received);
  return 0;
}
