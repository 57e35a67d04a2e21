#include "control.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {

namespace {

constexpr uint64_t NS_PER_SECOND = 1000000000;

bool optionSet(Options& options, const char* name, const char* value) {
  const struct {
    const char* name;
    uint32_t* target;
  } numbers[] = {
      {"--port", &options.port},
      {"--peers", &options.peers},
      {"--input", &options.inputBytes},
      {"--state", &options.stateBytes},
      {"--reliable", &options.reliableBytes},
      {"--every", &options.reliableEvery},
  };
  for (const auto& number : numbers) {
    if (std::strcmp(name, number.name) != 0) continue;
    *number.target = static_cast<uint32_t>(std::strtoul(value, nullptr, 10));
    return true;
  }
  if (std::strcmp(name, "--rate") == 0) {
    options.rateHz = std::strtod(value, nullptr);
  } else if (std::strcmp(name, "--loss") == 0) {
    options.lossPercent = std::strtod(value, nullptr);
  } else if (std::strcmp(name, "--protocol") == 0) {
    options.protocol = value;
  } else if (std::strcmp(name, "--mode") == 0) {
    options.mode = value;
  } else if (std::strcmp(name, "--tokens") == 0) {
    options.tokens = value;
  } else {
    return false;
  }
  return true;
}

// Whether so many bytes hold the head of a message and fit a packet.
bool sizeLawful(uint32_t bytes, uint32_t headBytes) {
  return bytes >= headBytes && bytes <= MESSAGE_BYTES_MAX;
}

}  // namespace

bool optionsRead(int argc, char** argv, Options& options) {
  for (int index = 1; index < argc; index += 2) {
    if (index + 1 < argc && optionSet(options, argv[index], argv[index + 1])) continue;
    std::fprintf(stderr, "%s: unknown or incomplete option %s\n", argv[0], argv[index]);
    return false;
  }
  if (options.peers > 0 && options.rateHz > 0 && options.reliableEvery > 0 &&
      sizeLawful(options.inputBytes, MESSAGE_HEAD_BYTES) &&
      sizeLawful(options.stateBytes, MESSAGE_HEAD_BYTES) &&
      sizeLawful(options.reliableBytes, RELIABLE_HEAD_BYTES)) {
    return true;
  }
  std::fprintf(stderr, "%s: an option is out of range\n", argv[0]);
  return false;
}

bool modeIs(const Options& options, const char* mode) {
  return std::strcmp(options.mode, mode) == 0;
}

Command commandNext() {
  static char line[64];
  static size_t length = 0;
  for (;;) {
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) <= 0) return Command::NONE;
    char byte = 0;
    if (read(STDIN_FILENO, &byte, 1) <= 0) return Command::QUIT;
    if (byte != '\n') {
      if (length < sizeof(line) - 1) line[length++] = byte;
      continue;
    }
    line[length] = 0;
    length = 0;
    if (std::strcmp(line, "go") == 0) return Command::GO;
    if (std::strcmp(line, "hold") == 0) return Command::HOLD;
    if (std::strcmp(line, "mark") == 0) return Command::MARK;
    return Command::QUIT;
  }
}

void commandWait(int descriptor, uint64_t untilNs) {
  const uint64_t now = nowNs();
  const uint64_t leftNs = untilNs > now ? untilNs - now : 0;
  const timespec left = {static_cast<time_t>(leftNs / NS_PER_SECOND),
                         static_cast<long>(leftNs % NS_PER_SECOND)};
  pollfd waited[] = {{STDIN_FILENO, POLLIN, 0}, {descriptor, POLLIN, 0}};
  ppoll(waited, descriptor < 0 ? 1 : 2, &left, nullptr);
}

uint64_t nowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * NS_PER_SECOND + static_cast<uint64_t>(now.tv_nsec);
}

void sleepUntilNs(uint64_t untilNs) {
  const timespec until = {static_cast<time_t>(untilNs / NS_PER_SECOND),
                          static_cast<long>(untilNs % NS_PER_SECOND)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

uint64_t cpuUs() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1000000 + static_cast<uint64_t>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

uint64_t rssBytes() {
  FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  unsigned long all = 0;
  unsigned long resident = 0;
  const int read = std::fscanf(file, "%lu %lu", &all, &resident);
  std::fclose(file);
  return read == 2 ? uint64_t{resident} * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

void descriptorsMost() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace bench
