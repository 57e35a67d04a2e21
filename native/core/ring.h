// Owns the two single-producer single-consumer rings between the core and its user: the record
// format and the positions.
// Never looks into a payload, never allocates, never blocks: a ring without room answers NO_ROOM
// and the producer waits for the consumer.
//
// Layout of the memory (V8 owns it, both sides see it):
//   byte 0    u32 head: bytes ever produced, modulo 2^32 (written by the producer)
//   byte 64   u32 tail: bytes ever consumed, modulo 2^32 (written by the consumer; own cache line)
//   byte 128  data, a power of two bytes
// A record is RECORD_WORDS words of header and a payload, padded to 8 bytes. It never wraps: where
// it doesn't fit before the end, a RECORD_PAD fills the rest.
//   word 0 size (24 bits, header and padding included) | kind << 24
//   word 1 peer handle          word 2 channel | flags << 8
//   word 3 payload bytes        word 4, word 5 depend on the kind
// Invariant: 0 <= head - tail <= capacity, both multiples of 8.
#ifndef NETRT_CORE_RING_H_
#define NETRT_CORE_RING_H_

#include <cstddef>
#include <cstdint>

#include "core/limits.h"

namespace netrt {

constexpr size_t RING_CONTROL_BYTES = 128;
constexpr uint32_t RECORD_WORDS = 6;
constexpr uint32_t RECORD_BYTES = 24;
constexpr int32_t NO_ROOM = -1;

constexpr uint32_t RECORD_PAD = 0;
// Completion: a peer is ready (word 4 slot; payload: client id 8 B, address words 24 B, user data
// 256 B).
constexpr uint32_t RECORD_CONNECT = 1;
// Completion: a peer is gone (word 4 reason; payload: text in UTF-8).
constexpr uint32_t RECORD_DISCONNECT = 2;
// Completion: a message (word 4 its id modulo 2^32; payload: its bytes).
constexpr uint32_t RECORD_MESSAGE = 3;
// Completion: the fate of a sent message (word 4 tag, word 5 fate).
constexpr uint32_t RECORD_FATE = 4;
// Completion: a client changed its NETCODE state (word 4, as a signed number).
constexpr uint32_t RECORD_STATE = 5;
// Completion: a fragment (word 4 the id of the first, word 5 its index; payload: total 4 B, zero 4
// B, its bytes).
constexpr uint32_t RECORD_FRAGMENT = 6;
// Completion: a fragment of a block (word 4 the block's number; else as RECORD_FRAGMENT; behind the
// last: no bytes, given up).
constexpr uint32_t RECORD_BLOCK = 7;
// Completion: a packet's verdict (word 4 its number modulo 2^32, word 5 1 for acked; payload: bytes
// 4 B, its number's high word 4 B).
constexpr uint32_t RECORD_PACKET = 8;
// Completion: a peer's protocol is another one (word 2 the channel that its layout is of, word 4
// bytes of the text, word 5 1 if we found it; payload: as RECORD_CONNECT, the text, the layout);
// its RECORD_DISCONNECT follows where there was a RECORD_CONNECT.
constexpr uint32_t RECORD_MISMATCH = 9;
// Completion: a peer is at another address now (payload as RECORD_CONNECT).
constexpr uint32_t RECORD_MOVE = 10;
// Submission: a message to one peer (word 4 time to live in ms or TTL_DEFAULT, word 5 tag).
constexpr uint32_t RECORD_SEND = 16;
// Submission: the same message to every connected peer (fields as RECORD_SEND).
constexpr uint32_t RECORD_BROADCAST = 17;
// Submission: close a peer (word 4 reason, word 5 1 to drain first; payload: text in UTF-8).
constexpr uint32_t RECORD_CLOSE = 18;

// Submission: a fragment of a block (word 4 the block's number, word 5 tag; payload: total 4 B,
// index 4 B, its bytes).
constexpr uint32_t RECORD_SEND_BLOCK = 19;
// Submission: the user takes no more of a channel for now (word 5 1), or again (0).
constexpr uint32_t RECORD_PAUSE = 20;
// Submission: the user wants every packet's verdict (word 5 1), or no more (0).
constexpr uint32_t RECORD_WATCH = 21;
// Submission: what is said of a channel to peers that define it differently (payload: R-67).
constexpr uint32_t RECORD_LAYOUT = 22;

// Bytes of a peer's id, address and user data in the payload of a record.
constexpr uint32_t PEER_RECORD_BYTES = 288;

// Bytes before the body in the payload of a fragment's record.
constexpr uint32_t FRAGMENT_RECORD_BYTES = 8;

// word 4 of RECORD_SEND: the expiry that the channel's policy says.
constexpr uint32_t TTL_DEFAULT = 0xffffffff;

struct Ring {
  uint32_t* control = nullptr;
  uint32_t* words = nullptr;
  // The memory of `words`, byte by byte.
  uint8_t* bytes = nullptr;
  uint32_t capacity = 0;
  // The producer's position, published by ringPublish.
  uint32_t head = 0;
  // The consumer's position, published by ringRelease.
  uint32_t tail = 0;
};

static_assert(RECORD_BYTES == 4 * RECORD_WORDS && RECORD_BYTES % 8 == 0, "words, and aligned");
static_assert(2 * (MESSAGES_PER_PACKET_MAX * (RECORD_BYTES + FRAGMENT_RECORD_BYTES + 7) +
                   PAYLOAD_BYTES_MAX) <=
                  COMPLETION_RESERVE_BYTES,
              "what one payload delivers fits into the reserve, padding included");

// The bytes that a ring with `capacity` bytes of data needs; capacity is a power of two.
size_t ringBytes(uint32_t capacity);

// Takes the ring over memory of ringBytes(capacity) bytes, aligned to 8; the positions in it go on.
void ringSet(Ring& ring, uint8_t* memory, size_t memoryBytes);

// The bytes that the producer may still write; a record may need up to twice its size (padding).
uint32_t ringRoom(const Ring& ring);

// Reserves a record and writes its kind and size.
// Returns the index of its first word, or NO_ROOM. The record counts once ringPublish is called.
int32_t ringPush(Ring& ring, uint32_t kind, uint32_t payloadBytes);

// Makes everything pushed so far visible to the consumer.
void ringPublish(Ring& ring);

// The index of the first word of the oldest record, or NO_ROOM when the ring is empty.
// Padding is skipped here; the record stays valid until ringRelease.
int32_t ringPeek(Ring& ring);

// The index of the first word behind the record that ringPeek answered, or NO_ROOM where nothing
// is.
int32_t ringBehind(const Ring& ring, int32_t word);

// Steps over the record that ringPeek answered, without giving its memory back yet.
void ringNext(Ring& ring, int32_t word);

// Gives the memory of every record stepped over back to the producer.
void ringRelease(Ring& ring);

}  // namespace netrt

#endif  // NETRT_CORE_RING_H_
