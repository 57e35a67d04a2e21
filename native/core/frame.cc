// What stands inside a payload: see frame.h.
#include "core/frame.h"

#include <algorithm>
#include <cstring>

#include "core/fragment.h"
#include "core/limits.h"

namespace netrt {

namespace {

// ---- The ack header ----

constexpr uint8_t ACK_PRESENT = 0x80;
constexpr uint8_t ACK_COUNT = 0x3f;

// ---- Frames ----

// First byte of a message that runs to the end of the payload, or'ed with its channel.
constexpr uint8_t MESSAGE_LAST = 0x80;
// First byte of a message with a length, or'ed with its channel.
constexpr uint8_t MESSAGE_SIZED = 0xc0;
constexpr uint8_t MESSAGE_CHANNEL = 0x3f;

uint8_t messageNext(Reader& reader, uint8_t first, Frame& frame) {
  frame.channel = first & MESSAGE_CHANNEL;
  frame.id = readU16(reader);
  frame.total = 0;
  frame.index = 0;
  frame.block = false;
  frame.number = 0;
  const bool sized = first >= MESSAGE_SIZED;
  frame.bytes = sized ? readVarint(reader) : static_cast<uint32_t>(reader.end - reader.offset);
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  // With a length only before another frame, and no longer than one that goes whole.
  const bool lawful =
      (!sized || reader.offset < reader.end) && frame.bytes <= wholeBytesMax(frame.payloadBytes);
  return reader.failed || !lawful ? FRAME_INVALID : FRAME_MESSAGE;
}

uint8_t helloNext(Reader& reader, Frame& frame) {
  frame.code = readU8(reader);
  if (frame.code != NETRT_VERSION) {
    // Nobody here knows what else another version says.
    frame.offset = reader.offset;
    frame.bytes = static_cast<uint32_t>(reader.end - reader.offset);
    readSkip(reader, frame.bytes);
    return reader.failed ? FRAME_INVALID : FRAME_HELLO;
  }
  frame.channelCount = readU8(reader);
  frame.nameHash = readU32(reader);
  frame.payloadBytesMax = readU16(reader);
  frame.packetRateMax = readU16(reader);
  frame.byteRateMax = readU32(reader);
  frame.suites = readU8(reader);
  frame.keyOffset = reader.offset;
  readSkip(reader, KEY_BYTES);
  frame.offset = reader.offset;
  readSkip(reader, size_t{4} * frame.channelCount);
  // It must take our own hello, which has as many channels.
  const uint32_t least = std::max(PAYLOAD_BYTES_MIN, HELLO_ROOM_BYTES + 4 * frame.channelCount);
  const bool lawful = frame.channelCount >= 1 && frame.channelCount <= CHANNELS_MAX &&
                      frame.payloadBytesMax >= least &&
                      frame.payloadBytesMax <= PAYLOAD_BYTES_MAX &&
                      (frame.suites & SUITES_ALWAYS) != 0;
  if (reader.failed || !lawful) return FRAME_INVALID;
  // What follows in the payload was cut to a size that its sender knows both ends to take.
  frame.payloadBytes = std::min(frame.payloadBytes, frame.payloadBytesMax);
  return FRAME_HELLO;
}

uint8_t closeNext(Reader& reader, Frame& frame) {
  frame.code = readU8(reader);
  frame.bytes = readU8(reader);
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  return reader.failed || frame.bytes > CLOSE_TEXT_BYTES_MAX ? FRAME_INVALID : FRAME_CLOSE;
}

uint8_t nackNext(Reader& reader, Frame& frame) {
  frame.channel = readU8(reader);
  frame.id = readU16(reader);
  frame.bytes = readU8(reader);
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  const bool lawful = frame.channel < CHANNELS_MAX && frame.bytes <= NACK_BITS_BYTES_MAX;
  if (reader.failed || !lawful) return FRAME_INVALID;
  const bool padded = frame.bytes > 0 && reader.bytes[reader.offset - 1] == 0;
  return padded ? FRAME_INVALID : FRAME_NACK;
}

// A fragment's length isn't on the wire: it follows from its index and the whole.
uint8_t fragmentNext(Reader& reader, Frame& frame, bool block) {
  frame.channel = readU8(reader);
  frame.id = readU16(reader);
  frame.block = block;
  frame.number = block ? readU16(reader) : 0;
  frame.index = readVarint(reader);
  frame.total = readVarint(reader);
  const uint32_t least = block ? 1 : wholeBytesMax(frame.payloadBytes) + 1;
  const uint32_t most = block ? BLOCK_BYTES_MAX : FRAGMENTED_BYTES_MAX;
  if (reader.failed || frame.total < least || frame.total > most) return FRAME_INVALID;
  // Behind the last fragment of a block an empty one says that the rest won't come.
  const uint32_t end = fragmentCount(frame.total, frame.payloadBytes) + (block ? 1 : 0);
  if (frame.index >= end) return FRAME_INVALID;
  frame.bytes = fragmentLength(frame.total, frame.payloadBytes, frame.index);
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  if (reader.failed || frame.channel >= CHANNELS_MAX) return FRAME_INVALID;
  return block ? FRAME_BLOCK : FRAME_FRAGMENT;
}

uint8_t markNext(Reader& reader, Frame& frame, uint8_t kind) {
  frame.channel = readU8(reader);
  frame.id = readU16(reader);
  return reader.failed || frame.channel >= CHANNELS_MAX ? FRAME_INVALID : kind;
}

uint8_t ageNext(Reader& reader, Frame& frame) {
  frame.ageMs = readVarint(reader);
  return reader.failed || frame.ageMs == 0 ? FRAME_INVALID : FRAME_AGE;
}

// What a peer says of a channel in which it differs, or of all.
uint8_t layoutNext(Reader& reader, Frame& frame) {
  frame.channel = readU8(reader);
  frame.bytes = readVarint(reader);
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  const bool lawful = frame.channel <= CHANNELS_MAX && frame.bytes <= LAYOUT_BYTES_MAX;
  return reader.failed || !lawful ? FRAME_INVALID : FRAME_LAYOUT;
}

}  // namespace

bool ackHeaderRead(Reader& reader, AckHeader& header) {
  const uint8_t first = readU8(reader);
  header.present = first != 0;
  header.bitBytes = 0;
  if (reader.failed || first == 0) return !reader.failed;
  header.bitBytes = first & ACK_COUNT;
  if ((first & ~ACK_COUNT) != ACK_PRESENT || header.bitBytes > ACK_BITS_MAX / 8) return false;
  header.latest = readU16(reader);
  header.delay = readU16(reader);
  header.bitsOffset = reader.offset;
  readSkip(reader, header.bitBytes);
  return !reader.failed && (header.bitBytes == 0 || reader.bytes[reader.offset - 1] != 0);
}

void ackHeaderWrite(Writer& writer, const AckHeader& header) {
  if (!header.present) {
    writeU8(writer, 0);
    return;
  }
  writeU8(writer, static_cast<uint8_t>(ACK_PRESENT | header.bitBytes));
  writeU16(writer, header.latest);
  writeU16(writer, header.delay);
}

namespace {

// What proves who reads at an address, asked for or told.
uint8_t pathNext(Reader& reader, Frame& frame, uint8_t kind) {
  frame.bytes = PATH_PROOF_BYTES;
  frame.offset = reader.offset;
  readSkip(reader, frame.bytes);
  return reader.failed ? FRAME_INVALID : kind;
}

}  // namespace

uint8_t frameNext(Reader& reader, Frame& frame) {
  if (reader.offset == reader.end) return FRAME_END;
  const uint8_t first = readU8(reader);
  if (first >= MESSAGE_LAST) return messageNext(reader, first, frame);
  switch (first) {
    case FRAME_HELLO:
      return helloNext(reader, frame);
    case FRAME_SKIP:
    case FRAME_WINDOW:
      return markNext(reader, frame, first);
    case FRAME_FRAGMENT:
    case FRAME_BLOCK:
      return fragmentNext(reader, frame, first == FRAME_BLOCK);
    case FRAME_CLOSE:
      return closeNext(reader, frame);
    case FRAME_PING:
      return FRAME_PING;
    case FRAME_NACK:
      return nackNext(reader, frame);
    case FRAME_AGE:
      return ageNext(reader, frame);
    case FRAME_LAYOUT:
      return layoutNext(reader, frame);
    case FRAME_CHALLENGE:
    case FRAME_RESPONSE:
      return pathNext(reader, frame, first);
    default:
      return FRAME_INVALID;
  }
}

// ---- Writing: the caller has made sure that it fits ----

size_t messageFrameBytes(uint32_t bodyBytes) {
  return MESSAGE_HEADER_BYTES_MAX - 2 + varintBytes(bodyBytes) + bodyBytes;
}

void messageHeadWrite(Writer& writer, uint32_t channel, int64_t id, uint32_t bodyBytes) {
  writeU8(writer, static_cast<uint8_t>(MESSAGE_SIZED | channel));
  writeU16(writer, static_cast<uint16_t>(id));
  writeVarint(writer, bodyBytes);
}

void messageShorten(Writer& writer, size_t start, uint32_t bodyBytes) {
  const size_t body = start + 3 + varintBytes(bodyBytes);
  writer.bytes[start] &= static_cast<uint8_t>(~(MESSAGE_SIZED ^ MESSAGE_LAST));
  memmove(writer.bytes + start + 3, writer.bytes + body, bodyBytes);
  writer.offset = start + 3 + bodyBytes;
}

size_t fragmentFrameBytes(bool block, uint32_t bodyBytes) {
  return size_t{block ? BLOCK_HEADER_BYTES_MAX : FRAGMENT_HEADER_BYTES_MAX} + bodyBytes;
}

void fragmentHeadWrite(Writer& writer, uint32_t channel, int64_t id, uint32_t index,
                       uint32_t total) {
  writeU8(writer, FRAME_FRAGMENT);
  writeU8(writer, static_cast<uint8_t>(channel));
  writeU16(writer, static_cast<uint16_t>(id));
  writeVarint(writer, index);
  writeVarint(writer, total);
}

void blockHeadWrite(Writer& writer, uint32_t channel, int64_t id, uint16_t number, uint32_t index,
                    uint32_t total) {
  writeU8(writer, FRAME_BLOCK);
  writeU8(writer, static_cast<uint8_t>(channel));
  writeU16(writer, static_cast<uint16_t>(id));
  writeU16(writer, number);
  writeVarint(writer, index);
  writeVarint(writer, total);
}

void windowWrite(Writer& writer, uint32_t channel, int64_t id) {
  writeU8(writer, FRAME_WINDOW);
  writeU8(writer, static_cast<uint8_t>(channel));
  writeU16(writer, static_cast<uint16_t>(id));
}

void skipWrite(Writer& writer, uint32_t channel, int64_t id) {
  writeU8(writer, FRAME_SKIP);
  writeU8(writer, static_cast<uint8_t>(channel));
  writeU16(writer, static_cast<uint16_t>(id));
}

void nackWrite(Writer& writer, uint32_t channel, int64_t id, uint32_t bitsBytes) {
  writeU8(writer, FRAME_NACK);
  writeU8(writer, static_cast<uint8_t>(channel));
  writeU16(writer, static_cast<uint16_t>(id));
  writeU8(writer, static_cast<uint8_t>(bitsBytes));
}

void ageWrite(Writer& writer, uint32_t ageMs) {
  writeU8(writer, FRAME_AGE);
  writeVarint(writer, ageMs);
}

void pingWrite(Writer& writer) { writeU8(writer, FRAME_PING); }

void pathWrite(Writer& writer, uint8_t kind, const uint8_t* proof) {
  writeU8(writer, kind);
  writeBytes(writer, proof, 0, PATH_PROOF_BYTES);
}

void helloWrite(Writer& writer, uint8_t version, uint32_t nameHash, uint32_t channelCount,
                uint32_t payloadBytesMax, uint32_t packetRateMax, uint32_t byteRateMax,
                uint8_t suites, const uint8_t* publicKey) {
  writeU8(writer, FRAME_HELLO);
  writeU8(writer, version);
  writeU8(writer, static_cast<uint8_t>(channelCount));
  writeU32(writer, nameHash);
  writeU16(writer, static_cast<uint16_t>(payloadBytesMax));
  writeU16(writer, static_cast<uint16_t>(packetRateMax));
  writeU32(writer, byteRateMax);
  writeU8(writer, suites);
  writeBytes(writer, publicKey, 0, KEY_BYTES);
}

void layoutWrite(Writer& writer, uint32_t channel, const uint8_t* bytes, size_t offset,
                 uint32_t count) {
  writeU8(writer, FRAME_LAYOUT);
  writeU8(writer, static_cast<uint8_t>(channel));
  writeVarint(writer, count);
  writeBytes(writer, bytes, offset, count);
}

void closeWrite(Writer& writer, uint8_t reason, const uint8_t* text, size_t textBytes) {
  writeU8(writer, FRAME_CLOSE);
  writeU8(writer, reason);
  writeU8(writer, static_cast<uint8_t>(textBytes));
  writeBytes(writer, text, 0, textBytes);
}

}  // namespace netrt
