// machine: one host under test with the memory that is its user's, its user, and the checks that
// hold after every turn: deadlines, conservation, what may come out, and the order of events.
// Never breaks a rule itself; what arrives is the targets' business.
#ifndef NETRT_TEST_FUZZ_MACHINE_H_
#define NETRT_TEST_FUZZ_MACHINE_H_

#include <cstddef>
#include <cstdint>

#include "core/host.h"
#include "targets.h"

namespace netrt::fuzz {

constexpr uint64_t PROTOCOL_ID = 0x6e65747274667a7a;
constexpr uint64_t START_SECONDS = 1700000000;
constexpr uint32_t PEERS_MOST = 4;
constexpr uint32_t COMPLETION_CAPACITY = 131072;
constexpr uint32_t SUBMISSION_CAPACITY = 16384;
constexpr uint32_t TAGS_MAX = 1024;
constexpr uint32_t HANDLES_MAX = 32;
constexpr size_t PAGE_WORDS = 4096;

// What the first two bytes of a stateful input say.
struct Profile {
  bool raw;
  bool tight;
  bool slow;
  bool small;
  bool ipv6;
  uint64_t startUs;
  uint8_t channels;
};

Profile profileTake(Input& input);

// The addresses of a world: 0 is the server's, the others are its peers'.
Address addressOf(const Profile& profile, uint32_t index);
uint32_t indexOf(const Address& address);

struct Machine;

// Where datagrams go: `to` is what addressOf calls it.
using Sink = void (*)(void* world, Machine& from, uint32_t to, const uint8_t* bytes, size_t length);
// What a user hears of its messages; null where a target doesn't ask.
using Heard = void (*)(void* world, Machine& machine, uint32_t channel, const uint8_t* bytes,
                       size_t length);

struct Machine {
  Host host;
  Batch batch;
  Ring out;
  Ring in;
  uint64_t nowUs = 0;
  uint64_t startUs = 0;
  uint32_t self = 0;
  void* world = nullptr;
  Sink sink = nullptr;
  Heard heard = nullptr;
  bool isOpen = false;
  // Its user reads what it is told.
  bool reads = true;
  // The connections that its user knows, the newest last.
  uint32_t handles[HANDLES_MAX] = {};
  bool live[HANDLES_MAX] = {};
  uint32_t handleCount = 0;
  // A client's state as its user was told.
  int32_t state = 0;
  // Fate of each tag that its user gave out; the first is 1.
  uint8_t fates[TAGS_MAX] = {};
  uint32_t tagNext = 1;
  uint32_t fated = 0;
  // Bytes that an address without a connection sent and got.
  uint64_t bytesIn[16] = {};
  uint64_t bytesOut[16] = {};
  // The deadlines of slots that were left undone in the last turn.
  uint64_t dueUs[PEERS_MOST] = {NO_DEADLINE, NO_DEADLINE, NO_DEADLINE, NO_DEADLINE};
  // The last number sent before a slot existed.
  uint64_t lastPreSlot = 0;
};

// The words that a host of this profile is opened with.
void machineConfig(const Profile& profile, uint32_t role, uint32_t peersMax, uint32_t* words);

// Opens the machine anew. `index`: 0 or 1, whose memory it takes.
void machineOpen(Machine& machine, uint32_t index, const Profile& profile, uint32_t role,
                 uint32_t peersMax);
void machineClose(Machine& machine);

const uint8_t* machinePrivateKey();
const uint8_t* machineEntropy();

uint64_t machineSeconds(const Machine& machine);

// Takes a datagram, if the host is ready for one; it is gone otherwise.
void machineReceive(Machine& machine, const Address& from, const uint8_t* bytes, size_t length);

// One turn: what was submitted, time, everything that is due, and what its user is told.
void machineTurn(Machine& machine);

// Connections in use.
uint32_t machinePeers(const Machine& machine);

// What its user does. A handle of 0 is nobody's.
uint32_t machineHandle(const Machine& machine, uint32_t index);
// A message with a tag of its own; its tag, or 0 when the ring was full.
uint32_t machineSend(Machine& machine, uint32_t handle, uint32_t channel, const uint8_t* bytes,
                     uint32_t count, uint32_t ttlMs);
void machineBroadcast(Machine& machine, uint32_t channel, const uint8_t* bytes, uint32_t count);
void machineEnd(Machine& machine, uint32_t handle, bool drain, uint32_t reason);

// Closes everything and lets time pass: in the end all memory is free again.
void machineFinish(Machine& machine);

// All pools are full, all slots free, and every message has had its fate.
void machineEmpty(const Machine& machine);

}  // namespace netrt::fuzz

#endif  // NETRT_TEST_FUZZ_MACHINE_H_
