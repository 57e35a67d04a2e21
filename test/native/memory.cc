// The memory of a host: all of it is taken when it opens, all of it comes back when it closes, and
// where some is missing nothing is left open.
//
// Where the linker can put itself before the allocator (NETRT_WRAP, see CMakeLists.txt), every call
// of it from the core is counted here, and fails when it is told to.
#include "memory.h"

#include <cstdlib>

#include "bare.h"
#include "check.h"

#ifdef NETRT_WRAP

namespace {

constexpr int32_t NEVER = -1;

// Calls that answered with memory, and blocks that have not come back. One test runs at a time, and
// the threads of others have been joined; while nobody watches nothing is counted.
bool watching = false;
int32_t failsIn = NEVER;
bool refused = false;
uint32_t taken = 0;
int64_t held = 0;

bool granted() {
  if (!watching) return true;
  if (failsIn == 0) {
    refused = true;
    return false;
  }
  if (failsIn > 0) failsIn--;
  taken++;
  held++;
  return true;
}

}  // namespace

extern "C" {
void* __real_malloc(size_t bytes);
void* __real_calloc(size_t count, size_t bytes);
void* __real_realloc(void* block, size_t bytes);
void __real_free(void* block);
void* __real__Znwm(size_t bytes);

void* __wrap_malloc(size_t bytes) { return granted() ? __real_malloc(bytes) : nullptr; }

void* __wrap_calloc(size_t count, size_t bytes) {
  return granted() ? __real_calloc(count, bytes) : nullptr;
}

// Not the core's: what it holds it holds from the beginning.
void* __wrap_realloc(void* block, size_t bytes) {
  if (watching) taken++;
  return __real_realloc(block, bytes);
}

void* __wrap__Znwm(size_t bytes) {
  if (watching) taken++;
  return __real__Znwm(bytes);
}

void __wrap_free(void* block) {
  if (watching && block != nullptr) held--;
  __real_free(block);
}
}

namespace netrt::test {

void memoryWatch() {
  taken = 0;
  watching = true;
}

uint32_t memoryTaken() {
  watching = false;
  return taken;
}

}  // namespace netrt::test

namespace {

using namespace netrt;
using namespace netrt::test;

constexpr uint32_t ALLOCATIONS_MIN = 20;
constexpr uint32_t ALLOCATIONS_MAX = 200;
constexpr uint32_t STEPS = 3000;

}  // namespace

TEST(aHostWithoutMemoryIsNotOpenAndKeepsNone) {
  NEED(sealInit() != nullptr);
  uint32_t failed = 0;
  for (uint32_t role : {ROLE_SERVER, ROLE_CLIENT}) {
    for (uint32_t after = 0; after < ALLOCATIONS_MAX; after++) {
      Bare side;
      held = 0;
      refused = false;
      failsIn = static_cast<int32_t>(after);
      watching = true;
      const bool open = side.open(role);
      failsIn = NEVER;
      if (open) hostClose(*side.host);
      watching = false;
      CHECK_EQUAL(open, !refused);
      CHECK_EQUAL(held, 0);
      if (open) break;
      failed++;
      CHECK(side.host->connections == nullptr && side.host->outlet.pool.chunks == nullptr);
    }
  }
  CHECK(failed >= ALLOCATIONS_MIN && failed < 2 * ALLOCATIONS_MAX);
}

TEST(theCoreTakesNoMemoryOnceItIsOpen) {
  Bare server;
  Bare client;
  uint8_t token[TOKEN_PUBLIC_BYTES];
  NEED(server.open(ROLE_SERVER));
  NEED(client.open(ROLE_CLIENT));
  NEED(sidesToken(SERVER_PORT, token));
  uint64_t nowUs = 1000000;
  uint32_t number = 0;
  taken = 0;
  held = 0;
  watching = true;
  hostConnect(*client.host, token, nowUs);
  for (uint32_t step = 0; step < STEPS; step++, nowUs += STEP_US) {
    server.send(step % 700);
    client.send(step % 700);
    bareStep(server, client, nowUs, number);
  }
  watching = false;
  CHECK_EQUAL(taken, 0u);
  CHECK_EQUAL(held, 0);
  // Two thirds and more of them: the handshake takes its time, and what is lost comes again.
  CHECK(server.received > STEPS * 2 / 3 && client.received > STEPS * 2 / 3);
  // The count sees what it is there to see; called like this, no compiler leaves it out.
  void* (*volatile take)(size_t) = std::malloc;
  watching = true;
  void* block = take(1);
  watching = false;
  CHECK_EQUAL(taken, 1u);
  std::free(block);
  hostClose(*server.host);
  hostClose(*client.host);
}

#endif  // NETRT_WRAP
