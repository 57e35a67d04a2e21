// Owns the probe of what stands inside a payload: ack headers and frames, read and written.
// test/engine-probe.ts names the same calls and says what their arguments are. Never keeps anything
// between calls.
#include "addon/probe.h"
#include "core/bytes.h"
#include "core/frame.h"
#include "core/payload.h"

namespace netrt {

namespace {

using Info = Napi::CallbackInfo;
using Napi::Boolean;
using Napi::Number;
using Napi::Value;

template <typename Count>
Value number(const Info& info, Count value) {
  return Number::New(info.Env(), static_cast<double>(value));
}

// A writer over (out, offset): the first two arguments of every call that writes.
Writer writerIn(const Info& info) {
  Writer writer;
  writerSet(writer, probeBytes(info, 0), probeU32(info, 1), probeLength(info, 0));
  return writer;
}

Value writerOut(const Info& info, const Writer& writer) {
  return number(info, writer.failed ? -1.0 : static_cast<double>(writer.offset));
}

Value payloadRead(const Info& info) {
  constexpr uint32_t ACK_FIELDS = 5;
  constexpr uint32_t FRAME_FIELDS = 16;
  Reader reader;
  readerSet(reader, probeBytes(info, 0), probeU32(info, 1), probeU32(info, 2));
  uint32_t* words = probeWords(info, 3);
  AckHeader header;
  if (!ackHeaderRead(reader, header)) return number(info, -1);
  words[0] = header.present ? 1 : 0;
  words[1] = header.latest;
  words[2] = header.delay;
  words[3] = static_cast<uint32_t>(header.bitsOffset);
  words[4] = header.bitBytes;
  Frame frame;
  for (uint32_t count = 0;; count++) {
    const uint8_t kind = frameNext(reader, frame);
    if (kind == FRAME_END) return number(info, count);
    if (kind == FRAME_INVALID) return number(info, -1);
    uint32_t* out = words + ACK_FIELDS + count * FRAME_FIELDS;
    out[0] = kind;
    out[1] = frame.channel;
    out[2] = frame.id;
    out[3] = static_cast<uint32_t>(frame.offset);
    out[4] = frame.bytes;
    out[5] = frame.code;
    out[6] = frame.nameHash;
    out[7] = frame.channelCount;
    out[8] = kind == FRAME_AGE ? frame.ageMs : frame.total;
    out[9] = frame.index;
    out[10] = frame.number;
    out[11] = frame.payloadBytesMax;
    out[12] = frame.packetRateMax;
    out[13] = frame.byteRateMax;
    out[14] = frame.suites;
    out[15] = static_cast<uint32_t>(frame.keyOffset);
  }
}

Value ackWrite(const Info& info) {
  Writer writer = writerIn(info);
  AckHeader header;
  header.present = info[2].ToBoolean();
  header.latest = static_cast<uint16_t>(probeU32(info, 3));
  header.delay = static_cast<uint16_t>(probeU32(info, 4));
  header.bitBytes = static_cast<uint32_t>(probeLength(info, 5));
  ackHeaderWrite(writer, header);
  if (header.present) writeBytes(writer, probeBytes(info, 5), 0, header.bitBytes);
  return writerOut(info, writer);
}

Value helloOut(const Info& info) {
  Writer writer = writerIn(info);
  const uint32_t count = static_cast<uint32_t>(probeLength(info, 4));
  const uint32_t* limits = probeWords(info, 5);
  helloWrite(writer, static_cast<uint8_t>(probeU32(info, 2)), probeU32(info, 3), count, limits[0],
             limits[1], limits[2], static_cast<uint8_t>(probeU32(info, 6)), probeBytes(info, 7));
  for (uint32_t index = 0; index < count; index++) writeU32(writer, probeWords(info, 4)[index]);
  return writerOut(info, writer);
}

}  // namespace

void probeFrameInit(Napi::Object exports) {
  probeExport(exports, "payloadCheck", [](const Info& info) -> Value {
    Reader reader;
    AckHeader header;
    Frame frame;
    return Boolean::New(info.Env(),
                        payloadCheck(reader, header, frame, probeBytes(info, 0), probeU32(info, 1),
                                     probeU32(info, 2), probeU32(info, 3)));
  });
  probeExport(exports, "payloadRead", payloadRead);
  probeExport(exports, "messageFrameBytes", [](const Info& info) -> Value {
    return number(info, messageFrameBytes(probeU32(info, 0)));
  });
  probeExport(exports, "ackHeaderWrite", ackWrite);
  probeExport(exports, "messageWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    const uint32_t bytes = static_cast<uint32_t>(probeLength(info, 4));
    messageHeadWrite(writer, probeU32(info, 2), info[3].As<Number>().Int64Value(), bytes);
    writeBytes(writer, probeBytes(info, 4), 0, bytes);
    return writerOut(info, writer);
  });
  probeExport(exports, "fragmentWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    const int64_t id = info[3].As<Number>().Int64Value();
    fragmentHeadWrite(writer, probeU32(info, 2), id, probeU32(info, 4), probeU32(info, 5));
    writeBytes(writer, probeBytes(info, 6), 0, probeLength(info, 6));
    return writerOut(info, writer);
  });
  probeExport(exports, "blockWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    const int64_t id = info[3].As<Number>().Int64Value();
    blockHeadWrite(writer, probeU32(info, 2), id, static_cast<uint16_t>(probeU32(info, 7)),
                   probeU32(info, 4), probeU32(info, 5));
    writeBytes(writer, probeBytes(info, 6), 0, probeLength(info, 6));
    return writerOut(info, writer);
  });
  probeExport(exports, "windowWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    windowWrite(writer, probeU32(info, 2), info[3].As<Number>().Int64Value());
    return writerOut(info, writer);
  });
  probeExport(exports, "messageShorten", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    messageShorten(writer, probeU32(info, 2), probeU32(info, 3));
    return writerOut(info, writer);
  });
  probeExport(exports, "ageWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    ageWrite(writer, probeU32(info, 2));
    return writerOut(info, writer);
  });
  probeExport(exports, "skipWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    skipWrite(writer, probeU32(info, 2), info[3].As<Number>().Int64Value());
    return writerOut(info, writer);
  });
  probeExport(exports, "nackWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    const uint32_t bytes = static_cast<uint32_t>(probeLength(info, 4));
    nackWrite(writer, probeU32(info, 2), info[3].As<Number>().Int64Value(), bytes);
    writeBytes(writer, probeBytes(info, 4), 0, bytes);
    return writerOut(info, writer);
  });
  probeExport(exports, "pingWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    pingWrite(writer);
    return writerOut(info, writer);
  });
  probeExport(exports, "pathWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    pathWrite(writer, static_cast<uint8_t>(probeU32(info, 2)), probeBytes(info, 3));
    return writerOut(info, writer);
  });
  probeExport(exports, "helloWrite", helloOut);
  probeExport(exports, "layoutWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    layoutWrite(writer, probeU32(info, 2), probeBytes(info, 3), 0,
                static_cast<uint32_t>(probeLength(info, 3)));
    return writerOut(info, writer);
  });
  probeExport(exports, "closeWrite", [](const Info& info) -> Value {
    Writer writer = writerIn(info);
    closeWrite(writer, static_cast<uint8_t>(probeU32(info, 2)), probeBytes(info, 3),
               probeLength(info, 3));
    return writerOut(info, writer);
  });
}

}  // namespace netrt
