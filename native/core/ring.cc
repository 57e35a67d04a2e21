// The rings between the core and its user: see ring.h.
#include "core/ring.h"

namespace netrt {

namespace {

constexpr uint32_t HEAD_WORD = 0;
constexpr uint32_t TAIL_WORD = 16;

uint32_t recordBytes(uint32_t payloadBytes) { return (RECORD_BYTES + payloadBytes + 7) & ~7u; }

uint32_t load(const Ring& ring, uint32_t word) {
  return __atomic_load_n(ring.control + word, __ATOMIC_ACQUIRE);
}

}  // namespace

size_t ringBytes(uint32_t capacity) { return RING_CONTROL_BYTES + capacity; }

void ringSet(Ring& ring, uint8_t* memory, size_t memoryBytes) {
  ring.control = reinterpret_cast<uint32_t*>(memory);
  ring.bytes = memory + RING_CONTROL_BYTES;
  ring.words = reinterpret_cast<uint32_t*>(ring.bytes);
  ring.capacity = static_cast<uint32_t>(memoryBytes - RING_CONTROL_BYTES);
  ring.head = load(ring, HEAD_WORD);
  ring.tail = load(ring, TAIL_WORD);
}

uint32_t ringRoom(const Ring& ring) {
  const uint32_t used = ring.head - load(ring, TAIL_WORD);
  return ring.capacity - used;
}

int32_t ringPush(Ring& ring, uint32_t kind, uint32_t payloadBytes) {
  const uint32_t size = recordBytes(payloadBytes);
  const uint32_t position = ring.head & (ring.capacity - 1);
  const uint32_t contiguous = ring.capacity - position;
  const uint32_t padding = size > contiguous ? contiguous : 0;
  if (size + padding > ringRoom(ring)) return NO_ROOM;
  if (padding > 0) {
    ring.words[position >> 2] = padding | (RECORD_PAD << 24);
    ring.head += padding;
  }
  const uint32_t word = (ring.head & (ring.capacity - 1)) >> 2;
  ring.words[word] = size | (kind << 24);
  ring.words[word + 3] = payloadBytes;
  ring.head += size;
  return static_cast<int32_t>(word);
}

void ringPublish(Ring& ring) {
  __atomic_store_n(ring.control + HEAD_WORD, ring.head, __ATOMIC_RELEASE);
}

int32_t ringPeek(Ring& ring) {
  for (;;) {
    if (load(ring, HEAD_WORD) == ring.tail) return NO_ROOM;
    const uint32_t word = (ring.tail & (ring.capacity - 1)) >> 2;
    const uint32_t first = ring.words[word];
    if (first >> 24 != RECORD_PAD) return static_cast<int32_t>(word);
    ring.tail += first & 0xffffff;
  }
}

int32_t ringBehind(const Ring& ring, int32_t word) {
  const uint32_t position = ring.tail + (ring.words[word] & 0xffffff);
  if (load(ring, HEAD_WORD) == position) return NO_ROOM;
  const uint32_t next = (position & (ring.capacity - 1)) >> 2;
  // Padding may be shorter than a record's header, and the ring ends behind it.
  return ring.words[next] >> 24 == RECORD_PAD ? NO_ROOM : static_cast<int32_t>(next);
}

void ringNext(Ring& ring, int32_t word) { ring.tail += ring.words[word] & 0xffffff; }

void ringRelease(Ring& ring) {
  __atomic_store_n(ring.control + TAIL_WORD, ring.tail, __ATOMIC_RELEASE);
}

}  // namespace netrt
