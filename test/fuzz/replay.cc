// replay: gives files to a target, without a fuzzer and with any compiler. A file is one input, or,
// when its name ends in .pack, a packed corpus: each input is its length in two bytes, low first,
// and its bytes.
//
//   fuzz_replay TARGET FILE...           runs them; prints how many inputs there were
//   fuzz_replay --digests TARGET FILE... prints a digest of what came out of each, one a line
//   fuzz_replay --list                   the targets
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "targets.h"

namespace netrt::fuzz {

namespace {

struct Named {
  const char* name;
  Target run;
};

#define NETRT_FUZZ_NAMED(name) {#name, name##Target},
constexpr Named TARGETS[] = {NETRT_FUZZ_TARGETS(NETRT_FUZZ_NAMED)};
#undef NETRT_FUZZ_NAMED

using Bytes = std::vector<uint8_t>;

bool readFile(const char* file, Bytes& bytes) {
  std::FILE* stream = std::fopen(file, "rb");
  if (stream == nullptr) return false;
  uint8_t part[4096];
  for (size_t count = std::fread(part, 1, sizeof(part), stream); count > 0;
       count = std::fread(part, 1, sizeof(part), stream)) {
    bytes.insert(bytes.end(), part, part + count);
  }
  const bool whole = std::ferror(stream) == 0;
  std::fclose(stream);
  return whole;
}

struct Run {
  Target target;
  bool digests;
  size_t inputs = 0;
};

// Every input in memory of exactly its size, so that a sanitizer sees a read past its end.
void runOne(Run& run, const uint8_t* bytes, size_t count) {
  uint8_t* exact = new uint8_t[count];
  if (count > 0) std::memcpy(exact, bytes, count);
  if (run.digests) digestStart();
  run.target(exact, count);
  if (run.digests) std::printf("%08x\n", digestEnd());
  delete[] exact;
  run.inputs += 1;
}

bool runPack(Run& run, const Bytes& bytes) {
  size_t offset = 0;
  while (offset + 2 <= bytes.size()) {
    const size_t count = bytes[offset] | (size_t{bytes[offset + 1]} << 8);
    offset += 2;
    if (offset + count > bytes.size()) return false;
    runOne(run, bytes.data() + offset, count);
    offset += count;
  }
  return offset == bytes.size();
}

bool runFile(Run& run, const char* file) {
  Bytes bytes;
  if (!readFile(file, bytes)) return false;
  const std::string name = file;
  const std::string end = ".pack";
  const bool packed =
      name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
  if (packed) return runPack(run, bytes);
  runOne(run, bytes.data(), bytes.size());
  return true;
}

int usage() {
  std::fprintf(stderr, "fuzz_replay [--digests] TARGET FILE... | --list\n");
  return 2;
}

int replay(int count, char** words) {
  if (count > 0 && std::strcmp(words[0], "--list") == 0) {
    for (const Named& each : TARGETS) std::printf("%s\n", each.name);
    return 0;
  }
  Run run{nullptr, count > 0 && std::strcmp(words[0], "--digests") == 0};
  const int first = run.digests ? 1 : 0;
  if (count < first + 2) return usage();
  for (const Named& each : TARGETS) {
    if (std::strcmp(each.name, words[first]) == 0) run.target = each.run;
  }
  if (run.target == nullptr) return usage();
  for (int index = first + 1; index < count; index++) {
    if (!runFile(run, words[index])) {
      std::fprintf(stderr, "%s: not readable as inputs\n", words[index]);
      return 1;
    }
  }
  if (!run.digests) std::printf("%s: %zu inputs\n", words[first], run.inputs);
  return 0;
}

}  // namespace

}  // namespace netrt::fuzz

int main(int count, char** words) { return netrt::fuzz::replay(count - 1, words + 1); }
