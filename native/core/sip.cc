// HalfSipHash-1-3: see sip.h.
#include "core/sip.h"

namespace netrt {

namespace {

constexpr uint32_t FINAL_ROUNDS = 3;

uint32_t turned(uint32_t word, uint32_t bits) { return (word << bits) | (word >> (32 - bits)); }

}  // namespace

uint32_t sipHash(const uint32_t* key, const uint32_t* words, uint32_t count) {
  uint32_t v0 = key[0];
  uint32_t v1 = key[1];
  uint32_t v2 = v0 ^ 0x6c796765;
  uint32_t v3 = v1 ^ 0x74656462;
  const auto round = [&](uint32_t word) {
    v3 ^= word;
    v0 += v1;
    v1 = turned(v1, 5) ^ v0;
    v0 = turned(v0, 16);
    v2 += v3;
    v3 = turned(v3, 8) ^ v2;
    v0 += v3;
    v3 = turned(v3, 7) ^ v0;
    v2 += v1;
    v1 = turned(v1, 13) ^ v2;
    v2 = turned(v2, 16);
    v0 ^= word;
  };
  for (uint32_t index = 0; index < count; index++) round(words[index]);
  // This word says how many bytes they were.
  round(count << 26);
  v2 ^= 0xff;
  for (uint32_t index = 0; index < FINAL_ROUNDS; index++) round(0);
  return v1 ^ v3;
}

}  // namespace netrt
