// targets: the names of all fuzz targets, and what they share: an input that is read byte by byte,
// the check that each of them makes, and the digest of what came out.
//
// A target is a function of an input. It must not remember anything from one input to the next, so
// that a file alone repeats what a run has found. test/fuzz/*.ts are the same targets in
// TypeScript, over both engines; the digests of an input are equal in all of them.
#ifndef NETRT_TEST_FUZZ_TARGETS_H_
#define NETRT_TEST_FUZZ_TARGETS_H_

#include <cstddef>
#include <cstdint>

namespace netrt::fuzz {

// ---- The targets ----

#define NETRT_FUZZ_TARGETS(each)                                                                 \
  each(bytes) each(packet) each(frame) each(token) each(handshake) each(connection) each(script) \
      each(host)

using Target = void (*)(const uint8_t* data, size_t size);

#define NETRT_FUZZ_DECLARE(name) void name##Target(const uint8_t* data, size_t size);
NETRT_FUZZ_TARGETS(NETRT_FUZZ_DECLARE)
#undef NETRT_FUZZ_DECLARE

// ---- The input ----

// Past its end an input is zeros: a short file is a whole program too.
struct Input {
  const uint8_t* data;
  size_t size;
  size_t offset = 0;

  bool ended() const { return offset >= size; }
  uint8_t take8() { return ended() ? 0 : data[offset++]; }
  uint16_t take16() {
    const uint16_t low = take8();
    return static_cast<uint16_t>(low | (take8() << 8));
  }
  uint32_t take32() {
    const uint32_t low = take16();
    return low | (uint32_t{take16()} << 16);
  }
  // Up to `count` bytes of what is left; how many there are.
  size_t take(size_t count, const uint8_t*& bytes) {
    const size_t left = size - offset;
    const size_t taken = count < left ? count : left;
    bytes = data + offset;
    offset += taken;
    return taken;
  }
};

// ---- The check ----

// Ends the process: the fuzzer keeps the input.
[[noreturn]] void fail(const char* what, const char* file, int line);

#define FUZZ_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::netrt::fuzz::fail(#condition, __FILE__, __LINE__))

// ---- The digest ----

// Starts anew; whoever never asks for the digest pays nothing for it.
void digestStart();
uint32_t digestEnd();

// Adds what came out.
void emit(const uint8_t* bytes, size_t count);
void emit8(uint8_t value);
void emit32(uint32_t value);

}  // namespace netrt::fuzz

#endif  // NETRT_TEST_FUZZ_TARGETS_H_
