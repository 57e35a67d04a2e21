// The target `bytes`: a program of reads over arbitrary bytes, and the same program as writes. What
// was read without a failure is written as the same bytes; what does not fit fails, and stays
// failed.
//
// Input: number of steps, as many steps of two bytes (operation, count), then the bytes.
#include "core/bytes.h"

#include <algorithm>
#include <cstring>

#include "core/limits.h"
#include "core/sequence.h"
#include "targets.h"

namespace netrt::fuzz {

namespace {

constexpr size_t STEPS_MAX = 48;
// Bytes that one step copies or skips at most.
constexpr size_t BYTES_MAX = 255;
constexpr size_t DATA_MAX = 1280;
// Bytes behind the end that no writer may touch.
constexpr size_t GUARD = 16;

enum Operation : uint8_t { U8, U16, U32, VARINT, BITS, ALIGN, SKIP, BYTES, OPERATIONS };

struct Step {
  Operation operation;
  uint32_t count;
  uint32_t value = 0;
  uint8_t bytes[BYTES_MAX];
};

struct Program {
  Step steps[STEPS_MAX];
  size_t count = 0;
};

void programRead(Program& program, Input& input) {
  program.count = std::min<size_t>(input.take8(), STEPS_MAX);
  for (size_t index = 0; index < program.count; index++) {
    Step& step = program.steps[index];
    step.operation = static_cast<Operation>(input.take8() % OPERATIONS);
    step.count = input.take8();
    if (step.operation == BITS) step.count = 1 + step.count % BITS_MAX;
    step.value = 0;
  }
}

void readStep(Reader& reader, Step& step) {
  const bool whole = step.operation != BITS && step.operation != ALIGN;
  if (whole) readAlign(reader);
  switch (step.operation) {
    case U8:
      step.value = readU8(reader);
      break;
    case U16:
      step.value = readU16(reader);
      break;
    case U32:
      step.value = readU32(reader);
      break;
    case VARINT:
      step.value = readVarint(reader);
      break;
    case BITS:
      step.value = readBits(reader, step.count);
      break;
    case ALIGN:
      readAlign(reader);
      break;
    case SKIP:
      step.value = readSkip(reader, step.count) ? 1 : 0;
      break;
    default:
      step.value = readBytes(reader, step.bytes, 0, step.count) ? 1 : 0;
  }
}

void writeStep(Writer& writer, const Step& step, const uint8_t* skipped) {
  const bool whole = step.operation != BITS && step.operation != ALIGN;
  if (whole) writeAlign(writer);
  const size_t start = writer.offset;
  switch (step.operation) {
    case U8:
      return writeU8(writer, static_cast<uint8_t>(step.value));
    case U16:
      return writeU16(writer, static_cast<uint16_t>(step.value));
    case U32:
      return writeU32(writer, step.value);
    case VARINT:
      return writeVarint(writer, step.value);
    case BITS:
      return writeBits(writer, step.value, step.count);
    case ALIGN:
      return writeAlign(writer);
    case SKIP:
      writeZeros(writer, step.count);
      // What a reader passes over is anything.
      if (!writer.failed) std::memcpy(writer.bytes + start, skipped + start, step.count);
      return;
    default:
      return writeBytes(writer, step.bytes, 0, step.count);
  }
}

// Writes the program into `room` bytes, and checks that it fits exactly when it should.
void writeAll(const Program& program, const uint8_t* data, size_t need, uint32_t bitOffset,
              size_t room) {
  uint8_t out[DATA_MAX + 2 * GUARD];
  std::memset(out, 0xa5, std::min(room + GUARD, sizeof(out)));
  Writer writer;
  writerSet(writer, out, 0, room);
  for (size_t index = 0; index < program.count; index++) {
    writeStep(writer, program.steps[index], data);
  }
  // One byte is there already when its first bits are.
  const size_t bytes = need + (bitOffset > 0 ? 1 : 0);
  FUZZ_CHECK(writer.failed == (room < bytes));
  for (size_t index = room; index < room + GUARD; index++) FUZZ_CHECK(out[index] == 0xa5);
  if (writer.failed) {
    FUZZ_CHECK(writer.offset == room && writer.bitOffset == 0);
    return;
  }
  FUZZ_CHECK(writer.offset == need && writer.bitOffset == bitOffset);
  FUZZ_CHECK(std::memcmp(out, data, need) == 0);
  if (bitOffset > 0) {
    const uint8_t mask = static_cast<uint8_t>((1u << bitOffset) - 1);
    FUZZ_CHECK(((out[need] ^ data[need]) & mask) == 0);
  }
  emit(out, bytes);
}

void sequences(const Program& program) {
  for (size_t index = 0; index + 1 < program.count; index++) {
    const uint16_t low = static_cast<uint16_t>(program.steps[index].value);
    const uint64_t reference = program.steps[index + 1].value;
    const int64_t full = sequenceExpand16(low, reference);
    // -1: the nearest is below zero, which no number is.
    FUZZ_CHECK(full >= 0 ? static_cast<uint16_t>(full) == low : full == -1 && reference < 32768);
    const int64_t distance = full - static_cast<int64_t>(reference);
    FUZZ_CHECK(full < 0 || (distance >= -32768 && distance < 32768));
    emit32(static_cast<uint32_t>(full));
    const uint16_t other = static_cast<uint16_t>(reference);
    FUZZ_CHECK(!(sequenceNewer16(low, other) && sequenceNewer16(other, low)));
  }
}

}  // namespace

void bytesTarget(const uint8_t* data, size_t size) {
  Input input{data, size};
  static Program program;
  programRead(program, input);
  const uint8_t* rest;
  const size_t count = input.take(DATA_MAX, rest);
  Reader reader;
  readerSet(reader, rest, 0, count);
  bool failed = false;
  for (size_t index = 0; index < program.count; index++) {
    Step& step = program.steps[index];
    readStep(reader, step);
    FUZZ_CHECK(reader.failed || !failed);
    if (reader.failed) {
      FUZZ_CHECK(reader.offset == count && reader.bitOffset == 0);
      failed = true;
    }
    emit32(step.value);
  }
  emit32(static_cast<uint32_t>(reader.offset));
  emit8(reader.failed ? 1 : 0);
  FUZZ_CHECK(reader.offset <= count && reader.bitOffset < 8);
  sequences(program);
  if (reader.failed) return;
  const size_t bytes = reader.offset + (reader.bitOffset > 0 ? 1 : 0);
  writeAll(program, rest, reader.offset, reader.bitOffset, bytes + GUARD);
  writeAll(program, rest, reader.offset, reader.bitOffset, bytes);
  if (bytes > 0) writeAll(program, rest, reader.offset, reader.bitOffset, bytes - 1);
}

}  // namespace netrt::fuzz
