// Owns the loops over single pieces of the core that bench/micro.ts times beside its own in
// TypeScript: the same steps over the same sizes, run here so that no call from JavaScript is in
// the figure. Never measures by itself whether a step is right; the unit tests do.
#include <chrono>
#include <cstring>
#include <memory>

#include "addon/probe.h"
#include "core/acks.h"
#include "core/bytes.h"
#include "core/frame.h"
#include "core/payload.h"
#include "core/queue.h"
#include "core/ring.h"
#include "core/rtt.h"
#include "core/seal.h"

namespace netrt {

namespace {

using Info = Napi::CallbackInfo;

// Sizes and numbers of bench/micro.ts, which says why.
constexpr uint32_t STATE_BYTES = 200;
constexpr uint32_t EVENT_BYTES = 32;
constexpr uint32_t ACK_BITS_BYTES = 8;
constexpr uint32_t SEALED_BYTES = 240;
constexpr uint32_t CHANNELS = 3;
constexpr uint32_t RING_BYTES = 1 << 16;
constexpr uint64_t TICK_US = 16667;

struct Bench {
  uint8_t payload[PAYLOAD_BYTES_MAX] = {};
  uint8_t source[PAYLOAD_BYTES_MAX] = {};
  uint8_t ackBits[ACK_BITS_BYTES] = {};
  Writer writer;
  Reader reader;
  AckHeader header;
  Frame frame;
};

// An ack of 64 packets, a state and a reliable message.
size_t encode(Bench& bench, uint32_t index) {
  Writer& writer = bench.writer;
  writerSet(writer, bench.payload, 0, sizeof(bench.payload));
  bench.header.present = true;
  bench.header.latest = static_cast<uint16_t>(index);
  bench.header.bitBytes = ACK_BITS_BYTES;
  ackHeaderWrite(writer, bench.header);
  writeBytes(writer, bench.ackBits, 0, ACK_BITS_BYTES);
  messageHeadWrite(writer, 1, index, STATE_BYTES);
  writeBytes(writer, bench.source, 0, STATE_BYTES);
  const size_t start = writer.offset;
  messageHeadWrite(writer, 2, index, EVENT_BYTES);
  writeBytes(writer, bench.source, 0, EVENT_BYTES);
  messageShorten(writer, start, EVENT_BYTES);
  return writer.offset;
}

uint64_t encodeRun(uint32_t count) {
  Bench bench;
  std::memset(bench.ackBits, 0xff, sizeof(bench.ackBits));
  uint64_t sum = 0;
  for (uint32_t index = 0; index < count; index++) sum += encode(bench, index);
  return sum;
}

uint64_t decodeRun(uint32_t count) {
  Bench bench;
  std::memset(bench.ackBits, 0xff, sizeof(bench.ackBits));
  const size_t end = encode(bench, 1);
  uint64_t sum = 0;
  for (uint32_t index = 0; index < count; index++) {
    bench.payload[1] = static_cast<uint8_t>(index);
    sum += payloadCheck(bench.reader, bench.header, bench.frame, bench.payload, 0, end, CHANNELS);
  }
  return sum;
}

// A packet goes out, its ack comes in with 64 earlier ones, its verdict is taken.
uint64_t ackRun(uint32_t count) {
  const uint32_t records = SENT_PACKETS_FEW + SENT_PACKETS;
  const std::unique_ptr<SentPacket[]> packets(new SentPacket[records]());
  Sent sent;
  Received received;
  Rtt rtt;
  sentOpen(sent, packets.get(), packets.get() + SENT_PACKETS_FEW);
  sentReset(sent, 0);
  receivedReset(received);
  rttReset(rtt);
  uint8_t bits[ACK_BITS_BYTES];
  std::memset(bits, 0xff, sizeof(bits));
  uint64_t nowUs = TICK_US;
  uint64_t sum = 0;
  for (uint32_t index = 0; index < count; index++, nowUs += TICK_US) {
    const SentPacket* packet = sentAdd(sent, nowUs, SEALED_BYTES, true);
    acksReceive(sent, received, rtt, packet->number, 0, bits, 0, ACK_BITS_BYTES, nowUs + 1000);
    while (acksVerdict(sent, rtt, nowUs + 1000) != nullptr) sum++;
  }
  return sum;
}

// A message comes into the queue and leaves it.
uint64_t queueRun(uint32_t count) {
  Pool pool;
  if (!poolOpen(pool, 256, 256, 256)) return 0;
  const uint8_t source[STATE_BYTES] = {};
  uint64_t sum = 0;
  for (uint32_t index = 0; index < count; index++) {
    Message* message = messageCreate(pool);
    message->body = bodyCreate(pool, source, 0, STATE_BYTES);
    message->bytes = STATE_BYTES;
    sum += message->body + 1;
    messageRelease(pool, message);
  }
  poolClose(pool);
  return sum;
}

// With `opens`, each sealed packet is opened again: the difference is what opening costs.
uint64_t sealRun(uint32_t count, bool opens) {
  SealKey key;
  if (sealInit() == nullptr || !sealKeyOpen(key)) return 0;
  uint8_t bytes[SEALED_BYTES + TAG_BYTES] = {};
  uint8_t associated[22] = {};
  sealKeySet(key, bytes, 0);
  uint64_t sum = 0;
  for (uint32_t index = 0; index < count; index++) {
    const int length =
        sealPacket(key, index, associated, sizeof(associated), bytes, 0, SEALED_BYTES);
    sum += static_cast<uint64_t>(length);
    if (!opens) continue;
    const size_t sealed = static_cast<size_t>(length);
    sum += static_cast<uint64_t>(
        openPacket(key, index, associated, sizeof(associated), bytes, 0, sealed));
  }
  sealKeyClose(key);
  return sum;
}

// A record is written, made visible, read and given back.
uint64_t ringRun(uint32_t count) {
  const size_t bytes = ringBytes(RING_BYTES);
  const std::unique_ptr<uint64_t[]> memory(new uint64_t[bytes / 8]());
  Ring producer;
  Ring consumer;
  ringSet(producer, reinterpret_cast<uint8_t*>(memory.get()), bytes);
  ringSet(consumer, reinterpret_cast<uint8_t*>(memory.get()), bytes);
  const uint8_t source[STATE_BYTES] = {};
  uint64_t sum = 0;
  for (uint32_t index = 0; index < count; index++) {
    const int32_t word = ringPush(producer, RECORD_MESSAGE, STATE_BYTES);
    std::memcpy(producer.bytes + word * 4 + RECORD_BYTES, source, STATE_BYTES);
    ringPublish(producer);
    const int32_t read = ringPeek(consumer);
    sum += consumer.words[read + 3];
    ringNext(consumer, read);
    ringRelease(consumer);
  }
  return sum;
}

uint64_t runOne(uint32_t piece, uint32_t count) {
  switch (piece) {
    case 0:
      return encodeRun(count);
    case 1:
      return decodeRun(count);
    case 2:
      return ackRun(count);
    case 3:
      return queueRun(count);
    case 4:
      return sealRun(count, false);
    case 5:
      return sealRun(count, true);
    default:
      return ringRun(count);
  }
}

// (piece, count, sum) -> ns for all of them. `sum` gets what was counted, so that nothing is left
// out.
Napi::Value benchRun(const Info& info) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  const uint64_t sum = runOne(probeU32(info, 0), probeU32(info, 1));
  const std::chrono::duration<double, std::nano> elapsed = Clock::now() - start;
  probeDoubles(info, 2)[0] = static_cast<double>(sum);
  return Napi::Number::New(info.Env(), elapsed.count());
}

}  // namespace

void probeBenchInit(Napi::Object exports) { probeExport(exports, "benchRun", benchRun); }

}  // namespace netrt
