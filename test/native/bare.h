// bare: hosts of the core without sockets and threads, in virtual time, and what their users own.
#ifndef NETRT_TEST_NATIVE_BARE_H_
#define NETRT_TEST_NATIVE_BARE_H_

#include <algorithm>
#include <memory>
#include <vector>

#include "core/host.h"
#include "sides.h"

namespace netrt::test {

constexpr uint16_t SERVER_PORT = 4000;
constexpr uint64_t STEP_US = 10000;
// One datagram in so many is lost.
constexpr uint32_t LOSS = 7;

// A host and what its user owns, in virtual time.
struct Bare {
  std::unique_ptr<Host> host{new Host};
  std::unique_ptr<Batch> batch{new Batch};
  std::vector<uint64_t> submissionMemory = std::vector<uint64_t>(ringBytes(RING_CAPACITY) / 8);
  std::vector<uint64_t> completionMemory =
      std::vector<uint64_t>(ringBytes(COMPLETION_CAPACITY) / 8);
  std::vector<uint32_t> page = std::vector<uint32_t>(statsWords(1));
  Ring submission;
  Ring completion;
  uint32_t peer = 0;
  uint32_t received = 0;
  // The client's, as its user was last told.
  int32_t state = CLIENT_DISCONNECTED;

  // Pieces of blocks that came, messages that had their fate, and how it all ended.
  uint32_t blocks = 0;
  uint32_t fates = 0;
  uint32_t dropped = 0;
  uint32_t reason = 0;

  bool open(uint32_t role, void (*change)(uint32_t* config) = nullptr) {
    uint32_t config[CONFIG_WORDS] = {};
    const uint8_t entropy[ENTROPY_BYTES] = {static_cast<uint8_t>(role + 1)};
    sidesConfig(config, role);
    if (role == ROLE_SERVER) config[CONFIG_ADDRESSES + 2] = SERVER_PORT;
    if (change != nullptr) change(config);
    uint8_t* in = Side::bytesOf(submissionMemory);
    uint8_t* out = Side::bytesOf(completionMemory);
    ringSet(submission, in, submissionMemory.size() * 8);
    ringSet(completion, out, completionMemory.size() * 8);
    return hostOpen(*host, config, page.data(), SIDES_KEY, entropy, in, submissionMemory.size() * 8,
                    out, completionMemory.size() * 8);
  }

  void send(uint32_t bytes) {
    if (peer == 0) return;
    const int32_t word = ringPush(submission, RECORD_SEND, bytes);
    if (word == NO_ROOM) return;
    submission.words[word + 1] = peer;
    submission.words[word + 2] = 0;
    submission.words[word + 4] = TTL_DEFAULT;
    submission.words[word + 5] = 0;
    ringPublish(submission);
  }

  void drain() {
    hostPublish(*host);
    for (int32_t word = ringPeek(completion); word != NO_ROOM; word = ringPeek(completion)) {
      const uint32_t kind = completion.words[word] >> 24;
      if (kind == RECORD_CONNECT) peer = completion.words[word + 1];
      if (kind == RECORD_MESSAGE) received++;
      if (kind == RECORD_BLOCK) blocks++;
      if (kind == RECORD_FATE) fates++;
      if (kind == RECORD_FATE && completion.words[word + 5] == FATE_DROPPED) dropped++;
      if (kind == RECORD_DISCONNECT) reason = completion.words[word + 4];
      if (kind == RECORD_STATE) state = static_cast<int32_t>(completion.words[word + 4]);
      ringNext(completion, word);
    }
    ringRelease(completion);
  }
};

// Leaves the user of a host only so many bytes of room for what it is told: records of nothing.
inline void fill(Bare& side, uint32_t left) {
  Ring& ring = side.host->outlet.completion;
  while (ringRoom(ring) >= left + RECORD_BYTES) {
    const uint32_t contiguous = ring.capacity - (ring.head & (ring.capacity - 1));
    const uint32_t most = std::min({contiguous, ringRoom(ring) - left, 4096u});
    if (ringPush(ring, RECORD_STATE, std::max(most, RECORD_BYTES) - RECORD_BYTES) == NO_ROOM)
      return;
  }
}

// Everything that a host has to say goes to another, but for what is lost.
inline void carry(Bare& from, Bare& to, const Address& as, uint64_t nowUs, uint32_t& number) {
  while (hostTransmit(*from.host, nowUs, *from.batch) > 0) {
    for (uint32_t index = 0; index < from.batch->count; index++) {
      if (++number % LOSS == 0) continue;
      hostReceive(*to.host, nowUs, nowUs, clockWallSeconds(), as, from.batch->bytes,
                  index * BATCH_STRIDE, from.batch->lengths[index]);
    }
  }
}

// Both hosts' turns at one moment.
inline void bareStep(Bare& server, Bare& client, uint64_t nowUs, uint32_t& number) {
  for (Bare* side : {&server, &client}) {
    hostSubmit(*side->host, nowUs);
    hostAdvance(*side->host, nowUs);
    hostFlush(*side->host);
  }
  carry(client, server, loopbackV4(SERVER_PORT + 1), nowUs, number);
  carry(server, client, loopbackV4(SERVER_PORT), nowUs, number);
  server.drain();
  client.drain();
}

}  // namespace netrt::test

#endif  // NETRT_TEST_NATIVE_BARE_H_
