// The target `packet`: the clear part of a datagram, the size of its body, and the replay window
// over whatever numbers follow. A header that was read is written as the same bytes, where its
// sequence was in the shortest form; no number is accepted twice.
//
// Input: the datagram; its bytes in groups of eight are the numbers for the replay window.
#include "core/packet.h"

#include <algorithm>
#include <cstring>

#include "core/limits.h"
#include "core/replay.h"
#include "targets.h"

namespace netrt::fuzz {

namespace {

constexpr size_t NUMBERS_MAX = 64;
constexpr uint64_t PROTOCOL_ID = 0x1122334455667788;

// Our own packets have one form of header.
void oursWrite(const uint8_t* data, const PacketHeader& header) {
  uint8_t out[MOVING_HEADER_BYTES];
  const bool moving = header.type == PACKET_MOVING;
  const size_t bytes = moving ? movingHeaderWrite(header.sequence, header.path, out, 0)
                              : sessionHeaderWrite(header.sequence, out, 0);
  FUZZ_CHECK(header.sequence >> EPOCH_BITS == 0);
  FUZZ_CHECK(bytes == header.bytes && std::memcmp(out, data, bytes) == 0);
  emit(out, bytes);
}

void standardWrite(const uint8_t* data, const PacketHeader& header) {
  uint8_t out[PACKET_HEADER_BYTES_MAX];
  const size_t bytes = packetHeaderWrite(header.type, header.sequence, out, 0);
  FUZZ_CHECK(bytes == 1 + sequenceBytes(header.sequence) && bytes <= header.bytes);
  if (bytes == header.bytes) {
    FUZZ_CHECK(std::memcmp(out, data, bytes) == 0);
  } else {
    // The standard allows zeros above: it is the same number.
    FUZZ_CHECK(std::memcmp(out + 1, data + 1, bytes - 1) == 0);
    for (size_t index = bytes; index < header.bytes; index++) FUZZ_CHECK(data[index] == 0);
  }
  emit(out, bytes);
}

void headerWrite(const uint8_t* data, const PacketHeader& header) {
  if (header.type < PACKET_TYPES) {
    standardWrite(data, header);
  } else {
    oursWrite(data, header);
  }
  uint8_t associated[PACKET_ASSOCIATED_BYTES];
  packetAssociatedData(PROTOCOL_ID, data[0], associated);
  emit(associated, sizeof(associated));
}

void replays(Input& input) {
  ReplayWindow window;
  replayReset(window);
  uint64_t accepted[NUMBERS_MAX];
  size_t count = 0;
  for (size_t index = 0; index < NUMBERS_MAX && !input.ended(); index++) {
    const uint32_t low = input.take32();
    const uint64_t number = low | (uint64_t{input.take32()} << 32);
    const bool fresh = replayTest(window, number);
    emit8(fresh ? 1 : 0);
    const bool seen = std::find(accepted, accepted + count, number) != accepted + count;
    FUZZ_CHECK(!(fresh && seen));
    if (!fresh) continue;
    replayAdvance(window, number);
    FUZZ_CHECK(!replayTest(window, number));
    accepted[count++] = number;
  }
}

}  // namespace

void packetTarget(const uint8_t* data, size_t size) {
  PacketHeader header;
  const int reason = size == 0 ? REJECT_TOO_SHORT : packetHeaderRead(data, 0, size, header);
  emit8(static_cast<uint8_t>(reason));
  if (reason == 0) {
    FUZZ_CHECK(header.type <= PACKET_MOVING && header.bytes >= 1);
    if (header.type == PACKET_REQUEST) {
      FUZZ_CHECK(header.bytes == 1 && header.sequence == 0);
    } else {
      FUZZ_CHECK(header.bytes + TAG_BYTES <= size);
      headerWrite(data, header);
      const size_t body = size - header.bytes - TAG_BYTES;
      const bool valid = packetBodyValid(header.type, body);
      FUZZ_CHECK(!valid || body <= PAYLOAD_BYTES_MAX);
      emit8(valid ? 1 : 0);
    }
  }
  Input input{data, size};
  replays(input);
}

}  // namespace netrt::fuzz
