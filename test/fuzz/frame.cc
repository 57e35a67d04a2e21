// The target `frame`: a whole payload. What is accepted is written again, frame by frame, as the
// same bytes; what is read never points outside of it.
//
// Input: number of channels, then the payload.
#include "core/frame.h"

#include <cstring>

#include "core/bytes.h"
#include "core/limits.h"
#include "core/payload.h"
#include "targets.h"

namespace netrt::fuzz {

namespace {

constexpr size_t ROOM = 4096;

void copy(Writer& writer, const uint8_t* payload, size_t offset, size_t count) {
  writeBytes(writer, payload, offset, count);
}

// Writes a frame that was read; the last message of a payload has its own form.
void frameWrite(Writer& writer, uint8_t kind, const Frame& frame, const uint8_t* payload,
                bool last) {
  const size_t start = writer.offset;
  switch (kind) {
    case FRAME_HELLO:
      if (frame.code != NETRT_VERSION) {
        // No engine writes one.
        writeU8(writer, FRAME_HELLO);
        writeU8(writer, static_cast<uint8_t>(frame.code));
        copy(writer, payload, frame.offset, frame.bytes);
        break;
      }
      helloWrite(writer, frame.code, frame.nameHash, frame.channelCount, frame.payloadBytesMax,
                 frame.packetRateMax, frame.byteRateMax, frame.suites, payload + frame.keyOffset);
      copy(writer, payload, frame.offset, size_t{4} * frame.channelCount);
      break;
    case FRAME_SKIP:
      skipWrite(writer, frame.channel, frame.id);
      break;
    case FRAME_LAYOUT:
      layoutWrite(writer, frame.channel, payload, frame.offset, frame.bytes);
      break;
    case FRAME_CLOSE:
      closeWrite(writer, frame.code, payload + frame.offset, frame.bytes);
      break;
    case FRAME_FRAGMENT:
      fragmentHeadWrite(writer, frame.channel, frame.id, frame.index, frame.total);
      copy(writer, payload, frame.offset, frame.bytes);
      FUZZ_CHECK(writer.offset - start <= fragmentFrameBytes(false, frame.bytes));
      break;
    case FRAME_BLOCK:
      blockHeadWrite(writer, frame.channel, frame.id, frame.number, frame.index, frame.total);
      copy(writer, payload, frame.offset, frame.bytes);
      FUZZ_CHECK(writer.offset - start <= fragmentFrameBytes(true, frame.bytes));
      break;
    case FRAME_WINDOW:
      windowWrite(writer, frame.channel, frame.id);
      break;
    case FRAME_AGE:
      ageWrite(writer, frame.ageMs);
      break;
    case FRAME_PING:
      pingWrite(writer);
      break;
    case FRAME_CHALLENGE:
    case FRAME_RESPONSE:
      pathWrite(writer, kind, payload + frame.offset);
      break;
    case FRAME_NACK:
      nackWrite(writer, frame.channel, frame.id, frame.bytes);
      copy(writer, payload, frame.offset, frame.bytes);
      break;
    case FRAME_MESSAGE:
      messageHeadWrite(writer, frame.channel, frame.id, frame.bytes);
      copy(writer, payload, frame.offset, frame.bytes);
      FUZZ_CHECK(writer.offset - start <= messageFrameBytes(frame.bytes));
      if (last) messageShorten(writer, start, frame.bytes);
      break;
    default:
      fail("this target has no writer for a frame that the core reads", __FILE__, kind);
  }
}

}  // namespace

void frameTarget(const uint8_t* data, size_t size) {
  if (size < 2) return;
  const uint32_t channelCount = 1 + data[0] % CHANNELS_MAX;
  const uint8_t* payload = data + 1;
  const size_t bytes = size - 1;
  Reader reader;
  AckHeader header;
  Frame frame;
  const bool lawful = payloadCheck(reader, header, frame, payload, 0, bytes, channelCount);
  emit8(lawful ? 1 : 0);
  if (!lawful || bytes > ROOM / 2) return;
  readerSet(reader, payload, 0, bytes);
  frame = Frame();
  FUZZ_CHECK(ackHeaderRead(reader, header));
  static uint8_t out[ROOM];
  Writer writer;
  writerSet(writer, out, 0, ROOM);
  ackHeaderWrite(writer, header);
  if (header.present) copy(writer, payload, header.bitsOffset, header.bitBytes);
  FUZZ_CHECK(writer.offset <= ACK_HEADER_BYTES_MAX);
  for (uint8_t kind = frameNext(reader, frame); kind != FRAME_END;
       kind = frameNext(reader, frame)) {
    FUZZ_CHECK(kind != FRAME_INVALID);
    const bool pointing = kind == FRAME_CLOSE || kind == FRAME_NACK || kind == FRAME_FRAGMENT ||
                          kind == FRAME_BLOCK || kind == FRAME_CHALLENGE ||
                          kind == FRAME_RESPONSE || kind == FRAME_MESSAGE;
    FUZZ_CHECK(!pointing || frame.offset + frame.bytes <= bytes);
    emit8(kind);
    frameWrite(writer, kind, frame, payload, reader.offset == reader.end);
  }
  FUZZ_CHECK(!writer.failed && writer.offset == bytes);
  FUZZ_CHECK(std::memcmp(out, payload, bytes) == 0);
  emit(out, bytes);
}

}  // namespace netrt::fuzz
