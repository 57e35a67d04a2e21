// The target `script`: two hosts that keep the rules, a network that keeps none, and users who
// send, close, drain and at times don't read. What was promised of delivery must hold, whatever is
// lost, doubled, late, or turned over: order, exactly once, nothing passed over in silence, a fate
// for each message, and in the end all memory free.
//
// Input: two bytes of profile, then operations: a byte whose low half says what, and whose high
// half is its parameter.
#include <algorithm>
#include <cstring>

#include "core/channel.h"
#include "core/fragment.h"
#include "core/policy.h"
#include "core/ring.h"
#include "machine.h"
#include "peer.h"
#include "targets.h"

namespace netrt::fuzz {

namespace {

constexpr uint32_t OPERATIONS_MAX = 64;
constexpr uint32_t DATAGRAMS_MAX = 48;
constexpr uint32_t SERVER = 0;
constexpr uint32_t CLIENT = 1;
// Messages of one channel in one direction that the ledger knows.
constexpr uint32_t MESSAGES_MAX = 512;
// Fragments of the longest message, in the shortest payload, and messages that come together at
// once.
constexpr uint32_t FRAGMENTS_MAX = 16;
constexpr uint32_t PARTIALS = 16;
// Bytes of a message's number at its start.
constexpr uint32_t NUMBER_BYTES = 4;

struct Datagram {
  uint32_t to;
  size_t length;
  uint8_t bytes[PACKET_BYTES_MAX];
};

// What one end sent on a channel, and what became of it.
struct Lane {
  uint32_t sent;
  // The tag of each; 0 where it was never submitted.
  uint16_t tags[MESSAGES_MAX];
  uint16_t sizes[MESSAGES_MAX];
  bool delivered[MESSAGES_MAX];
  int32_t last;
  // The last piece of a block that came.
  int32_t lastPiece;
};

// Fragments of a message that have come.
struct Partial {
  uint64_t age;
  uint32_t channel;
  uint32_t id;
  // 0 where there is none.
  uint32_t total;
  uint32_t got;
  bool seen[FRAGMENTS_MAX];
  uint8_t bytes[LONG_BYTES];
};

struct World {
  Profile profile;
  Machine machines[2];
  // Lanes by sender.
  Lane lanes[2][CHANNELS_MAX];
  // Of whoever receives.
  Partial partials[2][PARTIALS];
  uint64_t age;
  Datagram datagrams[DATAGRAMS_MAX];
  uint32_t count;
};

World world;

// ---- The network ----

void wire(void*, Machine& machine, uint32_t, const uint8_t* bytes, size_t length) {
  if (world.count == DATAGRAMS_MAX) return;
  Datagram& datagram = world.datagrams[world.count];
  datagram.to = machine.self == SERVER ? CLIENT : SERVER;
  datagram.length = length;
  std::memcpy(datagram.bytes, bytes, length);
  world.count += 1;
}

void forget(uint32_t index) {
  world.count -= 1;
  for (uint32_t place = index; place < world.count; place++) {
    Datagram& target = world.datagrams[place];
    const Datagram& source = world.datagrams[place + 1];
    target.to = source.to;
    target.length = source.length;
    std::memcpy(target.bytes, source.bytes, source.length);
  }
}

void arrive(uint32_t index) {
  const Datagram& datagram = world.datagrams[index];
  Machine& machine = world.machines[datagram.to];
  const uint32_t from = datagram.to == SERVER ? CLIENT : SERVER;
  machineReceive(machine, addressOf(world.profile, from), datagram.bytes, datagram.length);
}

void deliver(uint32_t index) {
  if (world.count == 0) return;
  const uint32_t place = index % world.count;
  arrive(place);
  forget(place);
}

void deliverAll() {
  for (uint32_t index = 0; index < world.count; index++) arrive(index);
  world.count = 0;
}

void turnOver(uint32_t index, uint8_t where) {
  if (world.count == 0) return;
  Datagram& datagram = world.datagrams[index % world.count];
  datagram.bytes[where % datagram.length] ^= static_cast<uint8_t>(1 << (where & 7));
}

// ---- The ledger ----

uint8_t patternOf(uint32_t number, uint32_t channel, uint32_t index) {
  return static_cast<uint8_t>(number * 7 + channel * 3 + index);
}

void arrived(Machine& machine, uint32_t channel, const uint8_t* bytes, size_t length, bool whole) {
  Lane& lane = world.lanes[machine.self == SERVER ? CLIENT : SERVER][channel];
  FUZZ_CHECK(length >= NUMBER_BYTES);
  const uint32_t number = bytes[0] | (uint32_t{bytes[1]} << 8) | (uint32_t{bytes[2]} << 16) |
                          (uint32_t{bytes[3]} << 24);
  FUZZ_CHECK(number < lane.sent && length == lane.sizes[number]);
  for (uint32_t index = NUMBER_BYTES; index < length; index++) {
    FUZZ_CHECK(bytes[index] == patternOf(number, channel, index));
  }
  FUZZ_CHECK(!lane.delivered[number]);
  lane.delivered[number] = true;
  const uint32_t order = machine.host.config.policies[channel].order;
  // lib drops a message of a sequenced channel whose last fragment came too late.
  const bool ordered = order == ORDER_ORDERED || (order == ORDER_SEQUENCED && whole);
  FUZZ_CHECK(!ordered || static_cast<int32_t>(number) > lane.last);
  lane.last = std::max(lane.last, static_cast<int32_t>(number));
}

// The place where fragments of a message come together; the oldest makes room.
Partial& partialOf(uint32_t self, uint32_t channel, uint32_t id, uint32_t total) {
  Partial* oldest = &world.partials[self][0];
  for (Partial& partial : world.partials[self]) {
    if (partial.total > 0 && partial.channel == channel && partial.id == id) return partial;
    if (partial.age < oldest->age) oldest = &partial;
  }
  oldest->age = ++world.age;
  oldest->channel = channel;
  oldest->id = id;
  oldest->total = total;
  oldest->got = 0;
  std::memset(oldest->seen, 0, sizeof(oldest->seen));
  return *oldest;
}

// A fragment: each comes once, and all of them are the message.
void fragment(Machine& machine, const uint32_t* words) {
  const uint32_t channel = words[2];
  const uint32_t index = words[5];
  const uint32_t total = words[RECORD_WORDS];
  const uint32_t bytes = words[3] - FRAGMENT_RECORD_BYTES;
  FUZZ_CHECK(total <= LONG_BYTES && index < FRAGMENTS_MAX && bytes > 0);
  Partial& partial = partialOf(machine.self, channel, words[4], total);
  FUZZ_CHECK(partial.total == total && !partial.seen[index]);
  partial.seen[index] = true;
  // All but the last are equally long.
  const uint32_t payloadBytes = world.profile.small ? 600 : PAYLOAD_BYTES_MAX;
  const uint32_t start = index * fragmentBytes(payloadBytes);
  FUZZ_CHECK(start + bytes <= total);
  std::memcpy(partial.bytes + start, words + RECORD_WORDS + 2, bytes);
  partial.got += bytes;
  if (partial.got < total) return;
  partial.total = 0;
  partial.age = 0;
  arrived(machine, channel, partial.bytes, total, false);
}

// A piece of a block: in order, and what was sent.
void block(Machine& machine, const uint32_t* words) {
  Lane& lane = world.lanes[machine.self == SERVER ? CLIENT : SERVER][words[2]];
  const int32_t place = static_cast<int32_t>(words[4] * 1024 + words[5]);
  FUZZ_CHECK(place > lane.lastPiece);
  lane.lastPiece = place;
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(words + RECORD_WORDS + 2);
  for (uint32_t index = 0; index < words[3] - FRAGMENT_RECORD_BYTES; index++) {
    FUZZ_CHECK(bytes[index] == static_cast<uint8_t>(words[4] + words[5]));
  }
}

void heard(void*, Machine& machine, const uint32_t* words) {
  const uint32_t kind = words[0] >> 24;
  if (kind == RECORD_FRAGMENT) return fragment(machine, words);
  if (kind == RECORD_BLOCK) return block(machine, words);
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(words + RECORD_WORDS);
  arrived(machine, words[2], bytes, words[3], true);
}

void sends(uint32_t sender, uint32_t channel, uint32_t bytes, uint32_t ttlMs) {
  Machine& machine = world.machines[sender];
  channel %= machine.host.config.channelCount;
  Lane& lane = world.lanes[sender][channel];
  if (lane.sent == MESSAGES_MAX) return;
  uint8_t body[LONG_BYTES];
  bytes = std::min(std::max(bytes, NUMBER_BYTES),
                   machine.host.config.policies[channel].messageBytesMax);
  for (uint32_t index = 0; index < NUMBER_BYTES; index++) {
    body[index] = static_cast<uint8_t>(lane.sent >> (8 * index));
  }
  for (uint32_t index = NUMBER_BYTES; index < bytes; index++) {
    body[index] = patternOf(lane.sent, channel, index);
  }
  const uint32_t tag = machineSend(machine, machineHandle(machine, 0), channel, body, bytes, ttlMs);
  if (tag == 0 && !world.profile.raw) return;
  lane.tags[lane.sent] = static_cast<uint16_t>(tag);
  lane.sizes[lane.sent] = static_cast<uint16_t>(bytes);
  lane.delivered[lane.sent] = false;
  lane.sent += 1;
}

// What a channel that acks repair passes over was reported; a critical one passes nothing.
void checkLane(uint32_t sender, uint32_t channel) {
  const Machine& machine = world.machines[sender];
  const Policy& policy = machine.host.config.policies[channel];
  const Lane& lane = world.lanes[sender][channel];
  if (policy.order != ORDER_ORDERED || (policy.repair & REPAIR_ACK) == 0) return;
  for (int32_t number = 0; number < lane.last; number++) {
    if (lane.delivered[number]) continue;
    const uint8_t fate = machine.fates[lane.tags[number]];
    FUZZ_CHECK(fate == FATE_EXPIRED || fate == FATE_DROPPED || fate == 0);
    FUZZ_CHECK(policy.strategy != STRATEGY_CRITICAL || fate == 0);
  }
}

void checkLanes() {
  if (world.profile.raw) return;
  for (uint32_t sender = 0; sender < 2; sender++) {
    const uint32_t channels = world.machines[sender].host.config.channelCount;
    for (uint32_t channel = 0; channel < channels; channel++) checkLane(sender, channel);
  }
}

// ---- Time ----

void pass(uint64_t us) {
  for (Machine& machine : world.machines) machine.nowUs += us;
}

void turnBoth() {
  for (Machine& machine : world.machines) machineTurn(machine);
}

// Every message has its fate, and nothing is under way.
bool settled() {
  for (const Machine& machine : world.machines) {
    if (machine.fated + 1 < machine.tagNext) return false;
  }
  return world.count == 0;
}

bool gone() {
  for (const Machine& machine : world.machines) {
    if (machinePeers(machine) > 0) return false;
  }
  return true;
}

bool never() { return false; }

// Good weather: everything arrives, in order, and time goes on to whatever is due.
void calm(uint32_t rounds, uint64_t stepMaxUs, bool (*done)()) {
  for (uint32_t round = 0; round < rounds && !done(); round++) {
    turnBoth();
    deliverAll();
    uint64_t nextUs = world.machines[SERVER].nowUs + stepMaxUs;
    for (Machine& machine : world.machines) {
      nextUs = std::min(nextUs, hostDeadlineUs(machine.host));
    }
    const uint64_t nowUs = world.machines[SERVER].nowUs;
    pass(nextUs > nowUs ? nextUs - nowUs : 1);
  }
}

// ---- The script ----

// What a user wants to hear: everything or nothing, of packets, of a channel.
void wish(Machine& machine, uint8_t parameter) {
  const uint32_t handle = machineHandle(machine, 0);
  switch (parameter >> 2) {
    case 0:
      machine.reads = (parameter & 2) != 0;
      return;
    case 1:
      return machineWatch(machine, handle, (parameter & 2) != 0);
    default:
      return machinePause(machine, handle, (parameter & 4) != 0 ? 3 : 5);
  }
}

void blocks(Machine& machine, uint32_t total) {
  const uint32_t channel = machine.host.config.channelCount > 3 ? 3 : 0;
  machineBlock(machine, machineHandle(machine, 0), channel, total);
}

void operate(Input& input, uint8_t operation) {
  constexpr uint32_t TTLS[4] = {TTL_DEFAULT, 0, 30, 500};
  const uint8_t parameter = operation >> 4;
  Machine& machine = world.machines[parameter & 1];
  const uint32_t self = machine.self;
  switch (operation & 15) {
    case 0:
      return machineTurn(machine);
    case 1:
      return turnBoth();
    case 2:
      return deliver(parameter);
    case 3:
      if (world.count > 0) forget(parameter % world.count);
      return;
    case 4:
      // Twice: it arrives, and stays under way.
      if (world.count > 0) arrive(parameter % world.count);
      return;
    case 5:
      return deliverAll();
    case 6:
      world.count = 0;
      return;
    case 7:
      return pass((uint64_t{input.take8()} + 1) << parameter);
    case 8: {
      const uint8_t choice = input.take8();
      return sends(self, choice & 63, parameter * 8, TTLS[choice >> 6]);
    }
    case 9: {
      const uint8_t choice = input.take8();
      return sends(self, choice & 63, (choice >> 6) * 1500 + parameter, TTL_DEFAULT);
    }
    case 10: {
      const uint8_t channel = input.take8();
      for (uint32_t count = 0; count < 2u + parameter; count++) {
        sends(self, channel & 63, channel >> 6 == 0 ? 12 : 300, TTL_DEFAULT);
      }
      return;
    }
    case 11:
      return turnOver(parameter, input.take8());
    case 12:
      return calm(1u + parameter, 20000, never);
    case 13:
      // Rare: most of a script is between two that are well.
      if (input.take8() == 0xee) {
        machineEnd(machine, machineHandle(machine, 0), (parameter & 2) != 0, 20 + parameter);
      }
      return;
    case 14:
      return wish(machine, parameter);
    default:
      if (parameter < 8) return sends(self, parameter, 200, TTL_DEFAULT);
      return blocks(machine, parameter * 400u);
  }
}

void begin() {
  world.count = 0;
  world.age = 0;
  for (uint32_t self = 0; self < 2; self++) {
    for (Partial& partial : world.partials[self]) {
      partial.total = 0;
      partial.age = 0;
    }
    Machine& machine = world.machines[self];
    machineOpen(machine, self, world.profile, self == SERVER ? ROLE_SERVER : ROLE_CLIENT, 1);
    machine.self = self;
    machine.sink = wire;
    machine.heard = heard;
    for (uint32_t channel = 0; channel < machine.host.config.channelCount; channel++) {
      world.lanes[self][channel].sent = 0;
      world.lanes[self][channel].last = -1;
      world.lanes[self][channel].lastPiece = -1;
    }
  }
  hostConnect(world.machines[CLIENT].host, identityOf(world.profile, CLIENT).token,
              world.profile.startUs);
  calm(4, 1000, never);
  FUZZ_CHECK(world.machines[CLIENT].host.client.state == CLIENT_CONNECTED);
}

// A time without faults in which everything that is under way comes to its end, then goodbyes.
void end(bool rests) {
  for (Machine& machine : world.machines) {
    machine.reads = true;
    for (uint32_t channel = 0; channel < CHANNELS_MAX; channel++) {
      if (machine.paused[channel]) machinePause(machine, machineHandle(machine, 0), channel);
    }
  }
  if (rests) calm(64, 200000, settled);
  checkLanes();
  for (uint32_t tries = 0; tries < (rests ? 2u : 1u); tries++) {
    for (Machine& machine : world.machines) {
      machineEnd(machine, machineHandle(machine, 0), rests && tries == 0, 40);
    }
    calm(rests ? 40 : 4, 50000, gone);
  }
  checkLanes();
  for (Machine& machine : world.machines) {
    machineFinish(machine);
    machineClose(machine);
  }
}

}  // namespace

void scriptTarget(const uint8_t* data, size_t size) {
  Input input{data, size};
  world.profile = profileTake(input);
  begin();
  for (uint32_t count = 0; count < OPERATIONS_MAX && !input.ended(); count++) {
    operate(input, input.take8());
  }
  end(size > 2 && (data[size - 1] & 7) == 0);
}

}  // namespace netrt::fuzz
