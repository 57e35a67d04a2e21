// Owns what the benchmark's C++ programs share: their options, the commands that they are told on
// their standard input, and what they read of the machine (clock, CPU time, memory).
// Never opens a socket.
// A program prints one line of JSON when it is ready and one for every `mark`; it ends with `quit`
// or with the end of its input, so that none outlives who started it.
#ifndef NETRT_BENCH_CONTROL_H_
#define NETRT_BENCH_CONTROL_H_

#include <cstddef>
#include <cstdint>

namespace bench {

// Bytes of a message at most; bytes of a message's head: kind 1 B, 3 B zero, client 4 B.
constexpr uint32_t MESSAGE_BYTES_MAX = 1100;
constexpr uint32_t MESSAGE_HEAD_BYTES = 8;
// The head of a reliable message goes on with the time of its sending (µs, 8 B).
constexpr uint32_t RELIABLE_HEAD_BYTES = 16;

constexpr uint8_t KIND_INPUT = 1;
constexpr uint8_t KIND_STATE = 2;
constexpr uint8_t KIND_RELIABLE = 3;

struct Options {
  const char* protocol = "raw";
  // What the clients of netrt open with: words of the configuration, then a token for each.
  const char* tokens = "";
  // locked: ticks at a rate. flat: as many a second as a ticker has, an answer for each input.
  // echo: no ticks, an answer for each input as it comes.
  const char* mode = "locked";
  uint32_t port = 0;
  uint32_t peers = 1;
  double rateHz = 60;
  uint32_t inputBytes = 40;
  uint32_t stateBytes = 200;
  uint32_t reliableBytes = 32;
  uint32_t reliableEvery = 10;
  // Share of datagrams that the clients drop, each way, in percent.
  double lossPercent = 0;
};

// Reads `--name value` pairs; false, with a line on stderr, for anything else.
bool optionsRead(int argc, char** argv, Options& options);

bool modeIs(const Options& options, const char* mode);

enum class Command { NONE, GO, HOLD, MARK, QUIT };

// The next command if one is there. Never waits.
Command commandNext();

// Waits until a command may be there, the descriptor (or none: -1) can be read, or the time is
// there (ns).
void commandWait(int descriptor, uint64_t untilNs);

// The monotonic clock, the one of Node's process.hrtime.
uint64_t nowNs();

// Sleeps until then; returns at once when it is past.
void sleepUntilNs(uint64_t untilNs);

// User and system time of this process so far, in µs.
uint64_t cpuUs();

// Resident memory of this process.
uint64_t rssBytes();

// A process of thousands of sockets: takes what the system allows.
void descriptorsMost();

// True for that share of calls, the same ones in every run.
class Loss {
 public:
  explicit Loss(double percent) : limit_(static_cast<uint32_t>(percent * 42949672.95)) {}
  bool drops() {
    if (limit_ == 0) return false;
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_ < limit_;
  }

 private:
  uint32_t limit_;
  uint32_t state_ = 2463534242u;
};

}  // namespace bench

#endif  // NETRT_BENCH_CONTROL_H_
