// couple: a server and a client of the core in virtual time, and what their users submit.
#ifndef NETRT_TEST_NATIVE_COUPLE_H_
#define NETRT_TEST_NATIVE_COUPLE_H_

#include "bare.h"

namespace netrt::test {

constexpr uint64_t START_US = 1000000;
constexpr uint32_t ENOUGH_STEPS = 60;

// A server and a client that have met, at a time that goes on.
struct Couple {
  Bare server;
  Bare client;
  uint64_t nowUs = START_US;
  uint32_t number = 0;
  uint8_t token[TOKEN_PUBLIC_BYTES];

  bool open(void (*change)(uint32_t* config) = nullptr) {
    return server.open(ROLE_SERVER, change) && client.open(ROLE_CLIENT, change) &&
           sidesToken(SERVER_PORT, token);
  }

  bool meet() {
    server.peer = 0;
    client.peer = 0;
    hostConnect(*client.host, token, nowUs);
    steps(ENOUGH_STEPS);
    return server.peer != 0 && client.peer != 0;
  }

  void steps(uint32_t count) {
    for (uint32_t step = 0; step < count; step++, nowUs += STEP_US) {
      bareStep(server, client, nowUs, number);
    }
  }

  ~Couple() {
    hostClose(*server.host);
    hostClose(*client.host);
  }
};

// The words of a submission: peer, channel, 4 and 5; and a body of so many bytes.
inline uint32_t* submit(Bare& side, uint32_t kind, const uint32_t (&words)[4], uint32_t bytes) {
  const int32_t word = ringPush(side.submission, kind, bytes);
  if (word == NO_ROOM) return nullptr;
  uint32_t* record = side.submission.words + word;
  record[1] = words[0];
  record[2] = words[1];
  record[4] = words[2];
  record[5] = words[3];
  return record + RECORD_WORDS;
}

}  // namespace netrt::test

#endif  // NETRT_TEST_NATIVE_COUPLE_H_
