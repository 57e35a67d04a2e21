// main: runs the registered tests one after the other.
//
//   core_tests              all of them
//   core_tests socket wake  those whose file or name contains one of the words
//   core_tests --list       their names
//
// The exit code is 0 when every check held and at least one test ran. A test that was named but
// does not exist is a failure too: a renamed test must not pass by absence.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "check.h"

namespace netrt::test {

namespace {

Case* firstCase = nullptr;
Case* lastCase = nullptr;
const Case* runningCase = nullptr;
std::atomic<uint32_t> failures{0};

// A loop that fails a million times must not print a million lines.
constexpr uint32_t FAILURES_PRINTED_MAX = 20;

bool wanted(const Case& entry, int wordCount, char** words) {
  if (wordCount == 0) return true;
  for (int index = 0; index < wordCount; index++) {
    if (std::strstr(entry.name, words[index]) != nullptr) return true;
    if (std::strstr(entry.file, words[index]) != nullptr) return true;
  }
  return false;
}

bool runCase(const Case& entry) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point started = Clock::now();
  runningCase = &entry;
  failures = 0;
  entry.body();
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
  const uint32_t failed = failures;
  std::printf("%s %s (%lld ms)\n", failed == 0 ? "ok  " : "FAIL", entry.name,
              static_cast<long long>(spent.count()));
  std::fflush(stdout);
  return failed == 0;
}

}  // namespace

Case::Case(const char* caseName, const char* caseFile, Body caseBody)
    : name(caseName), file(caseFile), body(caseBody), next(nullptr) {
  if (lastCase == nullptr) {
    firstCase = this;
  } else {
    lastCase->next = this;
  }
  lastCase = this;
}

void fail(const char* file, int line, const char* expression) {
  if (failures.fetch_add(1) >= FAILURES_PRINTED_MAX) return;
  std::printf("%s:%d: in %s: %s\n", file, line, runningCase->name, expression);
}

void failEqual(const char* file, int line, const char* expression, int64_t left, int64_t right) {
  if (failures.fetch_add(1) >= FAILURES_PRINTED_MAX) return;
  std::printf("%s:%d: in %s: %s (%lld against %lld)\n", file, line, runningCase->name, expression,
              static_cast<long long>(left), static_cast<long long>(right));
}

static int runAll(int wordCount, char** words) {
  const bool list = wordCount == 1 && std::strcmp(words[0], "--list") == 0;
  uint32_t ran = 0;
  uint32_t failed = 0;
  for (const Case* entry = firstCase; entry != nullptr; entry = entry->next) {
    if (list) {
      std::printf("%s\n", entry->name);
      continue;
    }
    if (!wanted(*entry, wordCount, words)) continue;
    ran++;
    if (!runCase(*entry)) failed++;
  }
  if (list) return 0;
  std::printf("%u tests, %u failed\n", ran, failed);
  return ran > 0 && failed == 0 ? 0 : 1;
}

}  // namespace netrt::test

int main(int argumentCount, char** arguments) {
  return netrt::test::runAll(argumentCount - 1, arguments + 1);
}
