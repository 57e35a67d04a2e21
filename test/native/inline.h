// inline: an engine whose turns are its user's, for tests of io/turn.
#ifndef NETRT_TEST_NATIVE_INLINE_H_
#define NETRT_TEST_NATIVE_INLINE_H_

#include <memory>
#include <vector>

#include "loopback.h"
#include "sides.h"

namespace netrt::test {

struct Inline {
  std::unique_ptr<Engine> engine{new Engine};
  std::vector<uint64_t> memory[4];
  Ring submission;
  Ring completion;
  bool isOpen = false;
  std::vector<uint32_t> peers;
  uint64_t received = 0;

  ~Inline() {
    if (isOpen) engineClose(*engine);
  }

  bool open(uint32_t role, uint32_t peersMax, uint8_t number) {
    uint32_t config[CONFIG_WORDS] = {};
    const uint8_t entropy[ENTROPY_BYTES] = {number, static_cast<uint8_t>(role + 1)};
    sidesConfig(config, role);
    config[CONFIG_PEERS_MAX] = peersMax;
    peers.reserve(peersMax);
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
    for (const uint32_t peer : peers) push(peer, bytes);
  }

  void drain() {
    for (int32_t word = ringPeek(completion); word != NO_ROOM; word = ringPeek(completion)) {
      const uint32_t kind = completion.words[word] >> 24;
      if (kind == RECORD_CONNECT) peers.push_back(completion.words[word + 1]);
      if (kind == RECORD_MESSAGE) received++;
      ringNext(completion, word);
    }
    ringRelease(completion);
  }

  uint32_t turn(uint32_t flags) {
    const uint32_t turned = engineTurn(*engine, flags);
    drain();
    return turned;
  }

  uint16_t port() const { return engine->socket.address.port; }
};

}  // namespace netrt::test

#endif  // NETRT_TEST_NATIVE_INLINE_H_
