// What all targets share: see targets.h.
#include "targets.h"

#include <cstdio>
#include <cstdlib>

#include "core/hash.h"

namespace netrt::fuzz {

namespace {

bool wanted = false;
uint32_t digest = 0;

}  // namespace

void fail(const char* what, const char* file, int line) {
  std::fprintf(stderr, "netrt: the check failed: %s (%s:%d)\n", what, file, line);
  std::abort();
}

void digestStart() {
  wanted = true;
  digest = 0;
}

uint32_t digestEnd() {
  wanted = false;
  return digest;
}

void emit(const uint8_t* bytes, size_t count) {
  if (wanted) digest = hash32(bytes, 0, count, digest);
}

void emit8(uint8_t value) { emit(&value, 1); }

void emit32(uint32_t value) {
  const uint8_t bytes[4] = {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8),
                            static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 24)};
  emit(bytes, 4);
}

}  // namespace netrt::fuzz
