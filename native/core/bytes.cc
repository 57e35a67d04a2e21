// The codec of packets: see bytes.h. Bytes are put together by shifts, which compilers turn into
// one load or store where the machine allows it, and which are right on every machine.
#include "core/bytes.h"

#include <cstring>

#include "core/limits.h"

namespace netrt {

// ---- Reading ----

void readerSet(Reader& reader, const uint8_t* bytes, size_t offset, size_t end) {
  NETRT_ASSERT(offset <= end);
  reader.bytes = bytes;
  reader.offset = offset;
  reader.end = end;
  reader.bitOffset = 0;
  reader.failed = false;
}

void readerFail(Reader& reader) {
  reader.offset = reader.end;
  reader.bitOffset = 0;
  reader.failed = true;
}

uint8_t readU8(Reader& reader) {
  if (reader.offset >= reader.end) {
    readerFail(reader);
    return 0;
  }
  return reader.bytes[reader.offset++];
}

uint16_t readU16(Reader& reader) {
  if (reader.end - reader.offset < 2) {
    readerFail(reader);
    return 0;
  }
  const uint8_t* bytes = reader.bytes + reader.offset;
  reader.offset += 2;
  return static_cast<uint16_t>(bytes[0] | (bytes[1] << 8));
}

uint32_t readU32(Reader& reader) {
  if (reader.end - reader.offset < 4) {
    readerFail(reader);
    return 0;
  }
  const uint8_t* bytes = reader.bytes + reader.offset;
  reader.offset += 4;
  return uint32_t{bytes[0]} | (uint32_t{bytes[1]} << 8) | (uint32_t{bytes[2]} << 16) |
         (uint32_t{bytes[3]} << 24);
}

uint64_t readU64(Reader& reader) {
  if (reader.end - reader.offset < 8) {
    readerFail(reader);
    return 0;
  }
  const uint64_t lo = readU32(reader);
  return lo | (uint64_t{readU32(reader)} << 32);
}

uint32_t readVarint(Reader& reader) {
  const uint8_t* bytes = reader.bytes + reader.offset;
  const size_t left = reader.end - reader.offset;
  const size_t count = left < VARINT_BYTES_MAX ? left : VARINT_BYTES_MAX;
  uint32_t value = 0;
  for (size_t index = 0; index < count; index++) {
    const uint8_t byte = bytes[index];
    value |= uint32_t{byte & 0x7fu} << (7 * index);
    if (byte < 0x80) {
      // A last byte of zero adds nothing: the same number in a shorter form exists.
      if (byte == 0 && index > 0) break;
      reader.offset += index + 1;
      return value;
    }
  }
  readerFail(reader);
  return 0;
}

bool readSkip(Reader& reader, size_t count) {
  if (reader.end - reader.offset < count) {
    readerFail(reader);
    return false;
  }
  reader.offset += count;
  return true;
}

bool readBytes(Reader& reader, uint8_t* target, size_t targetOffset, size_t count) {
  const size_t offset = reader.offset;
  if (!readSkip(reader, count)) return false;
  if (count > 0) std::memcpy(target + targetOffset, reader.bytes + offset, count);
  return true;
}

uint32_t readBits(Reader& reader, uint32_t bits) {
  NETRT_ASSERT(bits >= 1 && bits <= BITS_MAX);
  const uint32_t bitEnd = reader.bitOffset + bits;
  const uint32_t count = (bitEnd + 7) >> 3;
  if (reader.end - reader.offset < count) {
    readerFail(reader);
    return 0;
  }
  const uint8_t* bytes = reader.bytes + reader.offset;
  uint64_t scratch = 0;
  for (uint32_t index = 0; index < count; index++) scratch |= uint64_t{bytes[index]} << (8 * index);
  const uint64_t value = (scratch >> reader.bitOffset) & ((uint64_t{1} << bits) - 1);
  reader.offset += bitEnd >> 3;
  reader.bitOffset = bitEnd & 7;
  return static_cast<uint32_t>(value);
}

void readAlign(Reader& reader) {
  if (reader.bitOffset == 0) return;
  if (reader.bytes[reader.offset] >> reader.bitOffset != 0) {
    readerFail(reader);
    return;
  }
  reader.offset += 1;
  reader.bitOffset = 0;
}

// ---- Writing ----

void writerSet(Writer& writer, uint8_t* bytes, size_t offset, size_t end) {
  NETRT_ASSERT(offset <= end);
  writer.bytes = bytes;
  writer.offset = offset;
  writer.end = end;
  writer.bitOffset = 0;
  writer.failed = false;
}

void writerFail(Writer& writer) {
  writer.offset = writer.end;
  writer.bitOffset = 0;
  writer.failed = true;
}

void writeU8(Writer& writer, uint8_t value) {
  if (writer.offset >= writer.end) {
    writerFail(writer);
    return;
  }
  writer.bytes[writer.offset++] = value;
}

void writeU16(Writer& writer, uint16_t value) {
  if (writer.end - writer.offset < 2) {
    writerFail(writer);
    return;
  }
  uint8_t* bytes = writer.bytes + writer.offset;
  bytes[0] = static_cast<uint8_t>(value);
  bytes[1] = static_cast<uint8_t>(value >> 8);
  writer.offset += 2;
}

void writeU32(Writer& writer, uint32_t value) {
  if (writer.end - writer.offset < 4) {
    writerFail(writer);
    return;
  }
  uint8_t* bytes = writer.bytes + writer.offset;
  bytes[0] = static_cast<uint8_t>(value);
  bytes[1] = static_cast<uint8_t>(value >> 8);
  bytes[2] = static_cast<uint8_t>(value >> 16);
  bytes[3] = static_cast<uint8_t>(value >> 24);
  writer.offset += 4;
}

void writeU64(Writer& writer, uint64_t value) {
  if (writer.end - writer.offset < 8) {
    writerFail(writer);
    return;
  }
  writeU32(writer, static_cast<uint32_t>(value));
  writeU32(writer, static_cast<uint32_t>(value >> 32));
}

size_t varintBytes(uint32_t value) {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value <= VARINT_MAX ? 4 : 0;
}

void writeVarint(Writer& writer, uint32_t value) {
  const size_t count = varintBytes(value);
  if (count == 0 || writer.end - writer.offset < count) {
    writerFail(writer);
    return;
  }
  uint8_t* bytes = writer.bytes + writer.offset;
  const size_t last = count - 1;
  for (size_t index = 0; index < last; index++) {
    bytes[index] = static_cast<uint8_t>((value >> (7 * index)) | 0x80);
  }
  bytes[last] = static_cast<uint8_t>(value >> (7 * last));
  writer.offset += count;
}

void writeBytes(Writer& writer, const uint8_t* source, size_t sourceOffset, size_t count) {
  if (writer.end - writer.offset < count) {
    writerFail(writer);
    return;
  }
  if (count > 0) std::memcpy(writer.bytes + writer.offset, source + sourceOffset, count);
  writer.offset += count;
}

void writeZeros(Writer& writer, size_t count) {
  if (writer.end - writer.offset < count) {
    writerFail(writer);
    return;
  }
  if (count > 0) std::memset(writer.bytes + writer.offset, 0, count);
  writer.offset += count;
}

void writeBits(Writer& writer, uint32_t value, uint32_t bits) {
  NETRT_ASSERT(bits >= 1 && bits <= BITS_MAX);
  const uint32_t bitEnd = writer.bitOffset + bits;
  const uint32_t count = (bitEnd + 7) >> 3;
  if (writer.end - writer.offset < count) {
    writerFail(writer);
    return;
  }
  uint8_t* bytes = writer.bytes + writer.offset;
  const uint64_t kept = value & ((uint64_t{1} << bits) - 1);
  const uint64_t first = writer.bitOffset == 0 ? 0 : bytes[0];
  const uint64_t scratch = first | (kept << writer.bitOffset);
  for (uint32_t index = 0; index < count; index++) {
    bytes[index] = static_cast<uint8_t>(scratch >> (8 * index));
  }
  writer.offset += bitEnd >> 3;
  writer.bitOffset = bitEnd & 7;
}

void writeAlign(Writer& writer) {
  // The byte's upper bits are zero since its first bit was written.
  if (writer.bitOffset == 0) return;
  writer.offset += 1;
  writer.bitOffset = 0;
}

}  // namespace netrt
