// Owns how integers, byte strings and bits stand in a packet: little-endian, lowest
// bit first.
// Never asserts and never looks outside [offset, end), whatever the bytes say.
// Invariants: a read or write that does not fit sets `failed` and moves `offset` to `end`, so every
// later one fails as well and one check at the end is enough; a failed read returns 0. Every value
// has one encoding: a longer varint and a padding bit that is set are refused.
// `bitOffset` is 0 on a byte border; whole bytes are read and written there only.
#ifndef NETRT_CORE_BYTES_H_
#define NETRT_CORE_BYTES_H_

#include <cstddef>
#include <cstdint>

namespace netrt {

struct Reader {
  const uint8_t* bytes = nullptr;
  // Index of the next byte.
  size_t offset = 0;
  // Index after the last byte that may be read.
  size_t end = 0;
  // Bits of the byte at `offset` that are already read, 0 to 7.
  uint32_t bitOffset = 0;
  bool failed = false;
};

struct Writer {
  uint8_t* bytes = nullptr;
  // Index of the next byte.
  size_t offset = 0;
  // Index after the last byte that may be written.
  size_t end = 0;
  // Bits of the byte at `offset` that are already written, 0 to 7.
  uint32_t bitOffset = 0;
  bool failed = false;
};

// ---- Reading ----

void readerSet(Reader& reader, const uint8_t* bytes, size_t offset, size_t end);
// Refuses what was read: for a value that its reader finds to have no meaning.
void readerFail(Reader& reader);
uint8_t readU8(Reader& reader);
uint16_t readU16(Reader& reader);
uint32_t readU32(Reader& reader);
uint64_t readU64(Reader& reader);
// Unsigned LEB128 of at most 28 bits, in its shortest form.
uint32_t readVarint(Reader& reader);
// Passes over `count` bytes and says whether they were there.
bool readSkip(Reader& reader, size_t count);
// Copies the next `count` bytes to `target` and says whether they were there.
bool readBytes(Reader& reader, uint8_t* target, size_t targetOffset, size_t count);
// The next 1 to 32 bits as an unsigned number, the first bit lowest.
uint32_t readBits(Reader& reader, uint32_t bits);
// Goes to the next byte border; the bits between must be zero.
void readAlign(Reader& reader);

// ---- Writing ----

void writerSet(Writer& writer, uint8_t* bytes, size_t offset, size_t end);
// Refuses what was written: for a value that has no encoding.
void writerFail(Writer& writer);
void writeU8(Writer& writer, uint8_t value);
void writeU16(Writer& writer, uint16_t value);
void writeU32(Writer& writer, uint32_t value);
void writeU64(Writer& writer, uint64_t value);
// Bytes that `writeVarint` takes for `value`: 1 to 4, or 0 for a number past VARINT_MAX.
size_t varintBytes(uint32_t value);
// Unsigned LEB128 in its shortest form; a number past VARINT_MAX does not fit.
void writeVarint(Writer& writer, uint32_t value);
void writeBytes(Writer& writer, const uint8_t* source, size_t sourceOffset, size_t count);
// Writes `count` zero bytes.
void writeZeros(Writer& writer, size_t count);
// Writes the lowest 1 to 32 bits of `value`, the lowest first.
void writeBits(Writer& writer, uint32_t value, uint32_t bits);
// Goes to the next byte border, over zero bits.
void writeAlign(Writer& writer);

}  // namespace netrt

#endif  // NETRT_CORE_BYTES_H_
