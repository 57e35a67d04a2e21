// One host under test: see machine.h.
#include "machine.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "core/channel.h"
#include "core/fragment.h"
#include "core/packet.h"
#include "core/seal.h"
#include "core/stats.h"

namespace netrt::fuzz {

namespace {

struct Memory {
  alignas(64) uint8_t submission[RING_CONTROL_BYTES + SUBMISSION_CAPACITY];
  alignas(64) uint8_t completion[RING_CONTROL_BYTES + COMPLETION_CAPACITY];
  uint32_t page[PAGE_WORDS];
};

Memory memories[2];

struct Secrets {
  uint8_t privateKey[KEY_BYTES];
  uint8_t entropy[ENTROPY_BYTES];
  Secrets() {
    for (size_t index = 0; index < KEY_BYTES; index++) {
      privateKey[index] = static_cast<uint8_t>(3 * index + 1);
    }
    // Packets are numbered from 0 on, so that inputs can say numbers.
    for (size_t index = 0; index < ENTROPY_BYTES; index++) {
      const bool number = index >= ENTROPY_NUMBER && index < ENTROPY_KEYS;
      entropy[index] = number ? 0 : static_cast<uint8_t>(7 * index + 1);
    }
  }
};

const Secrets secrets;

}  // namespace

const uint8_t* machinePrivateKey() { return secrets.privateKey; }
const uint8_t* machineEntropy() { return secrets.entropy; }

void machineOpen(Machine& machine, uint32_t index, const Profile& profile, uint32_t role,
                 uint32_t peersMax) {
  if (machine.isOpen) machineClose(machine);
  static const bool ciphers = sealInit() != nullptr;
  FUZZ_CHECK(ciphers);
  new (&machine) Machine;
  Memory& memory = memories[index];
  uint32_t words[CONFIG_WORDS];
  machineConfig(profile, role, peersMax, words);
  FUZZ_CHECK(statsWords(peersMax) <= PAGE_WORDS);
  std::memset(memory.page, 0, sizeof(memory.page));
  std::memset(memory.submission, 0, RING_CONTROL_BYTES);
  std::memset(memory.completion, 0, RING_CONTROL_BYTES);
  FUZZ_CHECK(hostOpen(machine.host, words, memory.page, secrets.privateKey, secrets.entropy,
                      memory.submission, sizeof(memory.submission), memory.completion,
                      sizeof(memory.completion)));
  ringSet(machine.out, memory.submission, sizeof(memory.submission));
  ringSet(machine.in, memory.completion, sizeof(memory.completion));
  machine.startUs = profile.startUs;
  machine.nowUs = profile.startUs;
  machine.isOpen = true;
}

void machineClose(Machine& machine) {
  if (!machine.isOpen) return;
  machine.isOpen = false;
  hostClose(machine.host);
}

uint64_t machineSeconds(const Machine& machine) {
  return START_SECONDS + (machine.nowUs - machine.startUs) / 1000000;
}

// ---- What comes in ----

void machineReceive(Machine& machine, const Address& from, const uint8_t* bytes, size_t length) {
  Host& host = machine.host;
  if (!hostReady(host)) return;
  const uint32_t index = indexOf(from) % 16;
  if (slotAtAddress(host, from) == nullptr) machine.bytesIn[index] += length;
  // In memory of exactly its size, so that a read past its end is seen.
  uint8_t* exact = new uint8_t[length];
  if (length > 0) std::memcpy(exact, bytes, length);
  hostReceive(host, machine.nowUs, machine.nowUs, machineSeconds(machine), from, exact, 0, length);
  delete[] exact;
  const Connection* connection = slotAtAddress(host, from);
  if (connection == nullptr) return;
  // Before anything more goes out: an ack of what was never sent has no effect.
  const Sent& sent = connection->sent;
  FUZZ_CHECK(sent.verdictNext <= sent.nextNumber && sent.ackedLatest < sent.nextNumber);
}

// ---- A turn ----

namespace {

void checkDatagram(Machine& machine, const uint8_t* bytes, size_t length) {
  FUZZ_CHECK(length >= PACKET_BYTES_MIN && length <= PACKET_BYTES_MAX);
  PacketHeader header;
  FUZZ_CHECK(packetHeaderRead(bytes, 0, length, header) == 0);
  const bool isServer = machine.host.config.role == ROLE_SERVER;
  if (header.type == PACKET_REQUEST) {
    FUZZ_CHECK(!isServer && length == REQUEST_BYTES);
    return;
  }
  const bool forServer = header.type != PACKET_DENIED && header.type != PACKET_CHALLENGE;
  FUZZ_CHECK(isServer ? header.type != PACKET_RESPONSE : forServer);
  FUZZ_CHECK(packetBodyValid(header.type, length - header.bytes - TAG_BYTES));
  if (header.type == PACKET_DENIED || header.type == PACKET_CHALLENGE) {
    // Their numbers lie apart from a connection's, and none is used twice.
    FUZZ_CHECK(header.sequence >> 63 == 1 && header.sequence > machine.lastPreSlot);
    machine.lastPreSlot = header.sequence;
  } else {
    FUZZ_CHECK(header.sequence <= SEQUENCE_MAX);
  }
}

void send(Machine& machine, const bool* known, uint32_t index) {
  const Batch& batch = machine.batch;
  const uint8_t* bytes = batch.bytes + index * BATCH_STRIDE;
  const size_t length = batch.lengths[index];
  checkDatagram(machine, bytes, length);
  const uint32_t to = indexOf(batch.addresses[index]);
  if (machine.host.config.role == ROLE_SERVER && to < 16 && !known[to]) {
    machine.bytesOut[to] += length;
    FUZZ_CHECK(machine.bytesOut[to] <= machine.bytesIn[to]);
  }
  emit32(to);
  emit32(static_cast<uint32_t>(length));
  emit(bytes, length);
  if (machine.sink != nullptr) machine.sink(machine.world, machine, to, bytes, length);
}

// Whom the host speaks to as a peer: what it sends others is measured against what they sent.
void knownOf(const Machine& machine, bool* known) {
  for (uint32_t index = 0; index < 16; index++) known[index] = false;
  const Host& host = machine.host;
  for (uint32_t index = 0; index < host.openCount; index++) {
    const uint32_t to = indexOf(host.connections[host.open[index]].address);
    if (to < 16) known[to] = true;
  }
}

void transmit(Machine& machine) {
  bool known[16];
  knownOf(machine, known);
  uint32_t count = hostTransmit(machine.host, machine.nowUs, machine.batch);
  for (uint32_t rounds = 0; count > 0; rounds++) {
    // The send rate bounds what one turn can have to say.
    FUZZ_CHECK(rounds < 64);
    for (uint32_t index = 0; index < count; index++) send(machine, known, index);
    count = hostTransmit(machine.host, machine.nowUs, machine.batch);
  }
}

void checkPeers(const Machine& machine) {
  const Host& host = machine.host;
  FUZZ_CHECK(host.openCount + host.freeCount == host.config.peersMax);
  FUZZ_CHECK(host.page[statsHostWord(HOST_PEERS)] == host.openCount);
  for (uint32_t index = 0; index < host.openCount; index++) {
    const Connection& connection = host.connections[host.open[index]];
    FUZZ_CHECK(connection.state != CONNECTION_FREE);
    const uint32_t* row = host.page + statsPeerWord(connection.slot);
    const bool speaks =
        connection.state == CONNECTION_OPEN || connection.state == CONNECTION_DRAINING;
    if (!speaks || host.config.raw || row[PEER_HANDLE] != connection.handle) continue;
    // Every packet has its verdict, one, or is in flight.
    const uint32_t verdicts = row[PEER_PACKETS_ACKED] + row[PEER_PACKETS_LOST];
    FUZZ_CHECK(row[PEER_PACKETS_SENT] == verdicts + row[PEER_IN_FLIGHT]);
    FUZZ_CHECK(row[PEER_IN_FLIGHT] <= IN_FLIGHT_MAX);
  }
}

// What is due is done in this turn, or in the next: a connection that had something to send
// is not looked at before it is sent.
void checkDeadlines(Machine& machine) {
  const Host& host = machine.host;
  FUZZ_CHECK(host.workCount == 0 && host.replyCount == 0);
  FUZZ_CHECK(pendingDeadlineUs(host.handshake) > machine.nowUs);
  FUZZ_CHECK(clientDeadlineUs(host.client) > machine.nowUs);
  for (uint32_t index = 0; index < host.openCount; index++) {
    const uint32_t slot = host.open[index];
    const uint64_t deadlineUs = host.timers.deadlines[slot];
    const bool due = deadlineUs <= machine.nowUs;
    FUZZ_CHECK(!due || machine.dueUs[slot] != deadlineUs);
    machine.dueUs[slot] = due ? deadlineUs : NO_DEADLINE;
  }
}

void checkHost(Machine& machine) {
  const Host& host = machine.host;
  const HostConfig& config = host.config;
  const Pool& pool = host.outlet.pool;
  FUZZ_CHECK(pool.chunksFree <= config.chunkCount && pool.messagesFree <= config.messageCount);
  FUZZ_CHECK(pool.carriedsFree <= config.carriedCount);
  FUZZ_CHECK(host.handshake.pendingFreeCount <= config.pendingMax);
  checkPeers(machine);
  if (hostReady(host)) checkDeadlines(machine);
}

void read(Machine& machine);

}  // namespace

void machineTurn(Machine& machine) {
  Host& host = machine.host;
  hostSubmit(host, machine.nowUs);
  hostAdvance(host, machine.nowUs);
  hostFlush(host);
  transmit(machine);
  hostPublish(host);
  checkHost(machine);
  if (machine.reads) read(machine);
}

// ---- Its user ----

namespace {

uint32_t placeOf(const Machine& machine, uint32_t handle) {
  for (uint32_t place = machine.handleCount; place > 0; place--) {
    if (machine.handles[place - 1] == handle) return place - 1;
  }
  return HANDLES_MAX;
}

void connected(Machine& machine, uint32_t handle) {
  FUZZ_CHECK(handle != 0 && placeOf(machine, handle) == HANDLES_MAX);
  if (machine.handleCount == HANDLES_MAX) {
    // Forgets the oldest.
    std::memmove(machine.handles, machine.handles + 1, (HANDLES_MAX - 1) * sizeof(uint32_t));
    std::memmove(machine.live, machine.live + 1, (HANDLES_MAX - 1) * sizeof(bool));
    machine.handleCount -= 1;
  }
  machine.handles[machine.handleCount] = handle;
  machine.live[machine.handleCount] = true;
  machine.handleCount += 1;
}

void ended(Machine& machine, uint32_t handle) {
  const uint32_t place = placeOf(machine, handle);
  // A client hears of every end, also of one that had no beginning for its user.
  if (place == HANDLES_MAX) {
    FUZZ_CHECK(machine.host.config.role == ROLE_CLIENT);
    return;
  }
  FUZZ_CHECK(machine.live[place]);
  machine.live[place] = false;
}

void fate(Machine& machine, uint32_t tag, uint32_t value) {
  FUZZ_CHECK(value >= FATE_DELIVERED && value <= FATE_DROPPED);
  // A broadcast has no tag, and tells only what was promised and not kept.
  if (tag == 0) return;
  FUZZ_CHECK(tag < machine.tagNext && machine.fates[tag] == 0);
  machine.fates[tag] = static_cast<uint8_t>(value);
  machine.fated += 1;
}

void record(Machine& machine, const uint32_t* words) {
  const uint32_t kind = words[0] >> 24;
  const uint32_t handle = words[1];
  const uint8_t* payload = reinterpret_cast<const uint8_t*>(words + RECORD_WORDS);
  const bool message = kind == RECORD_MESSAGE || kind == RECORD_FRAGMENT || kind == RECORD_BLOCK;
  if (message || kind == RECORD_FATE || kind == RECORD_PACKET) {
    // Nothing comes before the beginning, and nothing after the end.
    const uint32_t place = placeOf(machine, handle);
    FUZZ_CHECK(place != HANDLES_MAX && machine.live[place]);
    FUZZ_CHECK(kind == RECORD_PACKET || words[2] < machine.host.config.channelCount);
  }
  emit32(kind);
  emit32(handle);
  emit32(words[4]);
  emit32(words[3]);
  emit(payload, words[3]);
  if (kind == RECORD_FATE || kind >= RECORD_FRAGMENT) emit32(words[5]);
  switch (kind) {
    case RECORD_CONNECT:
      FUZZ_CHECK(words[3] == PEER_RECORD_BYTES);
      return connected(machine, handle);
    case RECORD_DISCONNECT:
      FUZZ_CHECK(words[3] <= CLOSE_TEXT_BYTES_MAX);
      return ended(machine, handle);
    case RECORD_MESSAGE:
    case RECORD_FRAGMENT:
    case RECORD_BLOCK:
      if (machine.heard != nullptr) machine.heard(machine.world, machine, words);
      return;
    case RECORD_PACKET:
      FUZZ_CHECK(words[3] == 8 && words[5] <= 1);
      return;
    case RECORD_MISMATCH:
      FUZZ_CHECK(words[3] >= PEER_RECORD_BYTES + words[4]);
      FUZZ_CHECK(words[3] - PEER_RECORD_BYTES - words[4] <= LAYOUT_BYTES_MAX);
      return;
    case RECORD_FATE:
      return fate(machine, words[4], words[5]);
    default:
      FUZZ_CHECK(kind == RECORD_STATE && machine.host.config.role == ROLE_CLIENT);
      machine.state = static_cast<int32_t>(words[4]);
      FUZZ_CHECK(machine.state >= CLIENT_TOKEN_EXPIRED && machine.state <= CLIENT_CONNECTED);
  }
}

void read(Machine& machine) {
  Ring& ring = machine.in;
  for (int32_t word = ringPeek(ring); word != NO_ROOM; word = ringPeek(ring)) {
    record(machine, ring.words + word);
    ringNext(ring, word);
  }
  ringRelease(ring);
}

bool push(Machine& machine, uint32_t kind, const uint32_t* words, const uint8_t* bytes,
          uint32_t count) {
  const int32_t word = ringPush(machine.out, kind, count);
  if (word == NO_ROOM) return false;
  uint32_t* target = machine.out.words + word;
  target[1] = words[0];
  target[2] = words[1];
  target[4] = words[2];
  target[5] = words[3];
  if (count > 0) std::memcpy(target + RECORD_WORDS, bytes, count);
  ringPublish(machine.out);
  return true;
}

}  // namespace

uint32_t machineHandle(const Machine& machine, uint32_t index) {
  const uint32_t count = machine.handleCount;
  return count == 0 ? 0 : machine.handles[count - 1 - index % count];
}

uint32_t machineSend(Machine& machine, uint32_t handle, uint32_t channel, const uint8_t* bytes,
                     uint32_t count, uint32_t ttlMs) {
  // lib asks for a byte at least where the payload is the user's: an empty one is no packet.
  if (machine.tagNext == TAGS_MAX || (machine.host.config.raw && count == 0)) return 0;
  // Nothing is ever known of a bare payload once it went out.
  const uint32_t tag = machine.host.config.raw ? 0 : machine.tagNext;
  const uint32_t words[4] = {handle, channel, ttlMs, tag};
  if (!push(machine, RECORD_SEND, words, bytes, count)) return 0;
  if (tag != 0) machine.tagNext += 1;
  return tag;
}

void machineBroadcast(Machine& machine, uint32_t channel, const uint8_t* bytes, uint32_t count) {
  if (machine.host.config.raw && count == 0) return;
  const uint32_t words[4] = {0, channel, TTL_DEFAULT, 0};
  push(machine, RECORD_BROADCAST, words, bytes, count);
}

void machineBlock(Machine& machine, uint32_t handle, uint32_t channel, uint32_t total) {
  const uint32_t slot = handle & 0xffff;
  const HostConfig& config = machine.host.config;
  if (handle == 0 || slot >= config.peersMax || config.raw || total == 0) return;
  // lib knows how long pieces are from the page.
  const uint32_t payloadBytes = machine.host.page[statsPeerWord(slot) + PEER_PAYLOAD_BYTES];
  if (payloadBytes < PAYLOAD_BYTES_MIN || total > config.policies[channel].blockBytesMax) return;
  const uint32_t number = machine.blockNext[channel];
  machine.blockNext[channel] += 1;
  const uint32_t count = fragmentCount(total, payloadBytes);
  for (uint32_t index = 0; index < count && machine.tagNext < TAGS_MAX; index++) {
    uint32_t record[2 + FRAGMENT_BYTES_MAX / 4];
    const uint32_t bytes = fragmentLength(total, payloadBytes, index);
    record[0] = total;
    record[1] = index;
    std::memset(record + 2, static_cast<int>(number + index) & 0xff, bytes);
    const uint32_t words[4] = {handle, channel, number, machine.tagNext};
    const uint8_t* payload = reinterpret_cast<const uint8_t*>(record);
    if (!push(machine, RECORD_SEND_BLOCK, words, payload, FRAGMENT_RECORD_BYTES + bytes)) return;
    machine.tagNext += 1;
  }
}

void machinePause(Machine& machine, uint32_t handle, uint32_t channel) {
  machine.paused[channel] = !machine.paused[channel];
  const uint32_t words[4] = {handle, channel, 0, machine.paused[channel] ? 1u : 0u};
  push(machine, RECORD_PAUSE, words, nullptr, 0);
}

void machineWatch(Machine& machine, uint32_t handle, bool watched) {
  const uint32_t words[4] = {handle, 0, 0, watched ? 1u : 0u};
  push(machine, RECORD_WATCH, words, nullptr, 0);
}

void machineEnd(Machine& machine, uint32_t handle, bool drain, uint32_t reason) {
  const uint32_t words[4] = {handle, 0, reason, drain ? 1u : 0u};
  const uint8_t text[4] = {'o', 'v', 'e', 'r'};
  push(machine, RECORD_CLOSE, words, text, sizeof(text));
}

// ---- The end ----

uint32_t machinePeers(const Machine& machine) {
  return machine.host.page[statsHostWord(HOST_PEERS)];
}

void machineEmpty(const Machine& machine) {
  const Host& host = machine.host;
  const HostConfig& config = host.config;
  const Pool& pool = host.outlet.pool;
  FUZZ_CHECK(host.openCount == 0 && host.freeCount == config.peersMax);
  FUZZ_CHECK(pool.chunksFree == config.chunkCount);
  FUZZ_CHECK(pool.messagesFree == config.messageCount);
  FUZZ_CHECK(pool.carriedsFree == config.carriedCount);
  // A message has a fate, or came too late for its connection and was refused.
  const uint32_t unfated = machine.tagNext - 1 - machine.fated;
  FUZZ_CHECK(unfated <= host.page[statsHostWord(HOST_MESSAGES_REFUSED)]);
}

void machineFinish(Machine& machine) {
  machine.reads = true;
  machineTurn(machine);
  // Goodbyes are ten at most, and a deadline apart.
  for (uint32_t round = 0; machinePeers(machine) > 0; round++) {
    FUZZ_CHECK(round < 256);
    for (uint32_t slot = 0; slot < machine.host.config.peersMax; slot++) {
      const uint32_t handle = machine.host.page[statsPeerWord(slot) + PEER_HANDLE];
      if (handle != 0) machineEnd(machine, handle, false, REASON_CLOSED);
    }
    machineTurn(machine);
    const uint64_t deadlineUs = hostDeadlineUs(machine.host);
    machine.nowUs = std::max(machine.nowUs + 1, std::min(deadlineUs, machine.nowUs + 50000));
  }
  machineTurn(machine);
  machineEmpty(machine);
}

}  // namespace netrt::fuzz
