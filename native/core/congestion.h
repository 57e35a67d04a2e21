// Owns how much may be on its way to a peer unacked, and how fast it goes out: the
// window and the two controllers. By delay (after Swift, Kumar et al., SIGCOMM 2020: a target of
// queueing delay, additive increase, decrease once a round trip), and Glenn Fiedler's binary mode
// ("Reliability and Congestion Avoidance over UDP").
// Never sees a packet's content, never holds a packet back: it answers, the connection waits.
// Invariant: CONGESTION_WINDOW_MIN <= windowBytes <= CONGESTION_WINDOW_MAX.
#ifndef NETRT_CORE_CONGESTION_H_
#define NETRT_CORE_CONGESTION_H_

#include <cstdint>

#include "core/limits.h"
#include "core/rtt.h"

namespace netrt {

// No controller: the send rate alone bounds.
constexpr uint32_t CONGESTION_FIXED = 0;
// Delay and loss.
constexpr uint32_t CONGESTION_DELAY = 1;
// Good or bad.
constexpr uint32_t CONGESTION_BINARY = 2;

constexpr int64_t NO_SAMPLE = -1;

struct Congestion {
  uint32_t mode = CONGESTION_FIXED;
  uint32_t windowBytes = CONGESTION_WINDOW_MAX;
  // The window doubles each round trip until the first sign of a queue.
  bool starting = true;
  // The round trip that runs: it ends when a packet with this number or a later one is acked.
  int64_t roundEnd = 0;
  // The lowest queueing delay of it (µs), or NO_SAMPLE.
  int64_t roundDelayUs = NO_SAMPLE;
  // The most that was on its way in it.
  uint32_t roundFlightBytes = 0;
  // Packets acked and lost when it began, modulo 2^32.
  uint32_t roundAcked = 0;
  uint32_t roundLost = 0;
  // The window has another size: what the next round trip shows was sent before.
  bool settling = false;
  // When a round trip last showed no queue (µs), and the window to come back to after a look
  // beneath it; 0 for none.
  uint64_t emptyUs = 0;
  uint32_t probedBytes = 0;
  // Round trips in a row without a queue.
  uint32_t clearRounds = 0;
  // The last queueing delay that counted (µs), for the user's eyes.
  uint32_t delayUs = 0;

  // ---- Binary ----

  bool good = true;
  bool conditionsGood = true;
  uint64_t penaltyUs = BINARY_PENALTY_US;
  // Since when the mode is what it is, when good last halved the penalty, and since when conditions
  // are what they are (µs).
  uint64_t modeUs = 0;
  uint64_t halvedUs = 0;
  uint64_t conditionsUs = 0;
};

void congestionReset(Congestion& congestion, uint32_t mode, uint64_t nowUs);

// Whether another packet with something to lose may go out while so many bytes are on their way.
bool congestionOpen(const Congestion& congestion, uint32_t flightBytes);

// The rate at which the window goes out (bytes a second), no more than `rate`.
uint32_t congestionRate(const Congestion& congestion, const Rtt& rtt, uint32_t rate);

// Packets a second in binary mode, or 0 for no bound.
uint32_t congestionPacketRate(const Congestion& congestion);

// A packet goes out: so many bytes are on their way now.
void congestionSent(Congestion& congestion, uint32_t flightBytes);

// An ack brought a new sample of the round-trip time.
void congestionSample(Congestion& congestion, const Rtt& rtt);

// After acks took effect: `ackedLatest` is the highest number acked, `nextNumber` the next to send,
// `acked` and `lost` count verdicts.
void congestionAcked(Congestion& congestion, const Rtt& rtt, int64_t ackedLatest,
                     int64_t nextNumber, uint32_t acked, uint32_t lost, uint64_t nowUs);

// No ack came in time: half the window, and doubling from there once acks come again.
void congestionTimedOut(Congestion& congestion);

// Looks at the conditions; the mode follows them down at once, and up after the penalty.
void congestionJudge(Congestion& congestion, const Rtt& rtt, uint64_t nowUs);

}  // namespace netrt

#endif  // NETRT_CORE_CONGESTION_H_
