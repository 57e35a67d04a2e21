// Owns the memory of messages, shared by all connections of a host: message bodies (chains of
// CHUNK_BYTES chunks, counted references), message records and the transmission entries that tell
// which packet carried which message. All of it is there from open on; an empty pool answers null
// or NO_CHUNK and the caller reports it. Never orders, expires or sends anything. Invariants: every
// chunk is in the free list or in one body; a body's references are the messages that hold it; free
// counts equal the lengths of the free lists and of what was never given out.
#ifndef NETRT_CORE_QUEUE_H_
#define NETRT_CORE_QUEUE_H_

#include <cstddef>
#include <cstdint>

namespace netrt {

constexpr uint32_t NO_CHUNK = 0xffffffff;

// A message on its way out, or one that waits for its turn on the way in.
struct Message {
  Message* next = nullptr;
  Message* previous = nullptr;
  // Number in the channel, counted from 0; given when it is first sent.
  int64_t id = 0;
  // Place in the channel's line, counted from 0; given when it is enqueued.
  int64_t place = 0;
  uint64_t expiresUs = 0;
  // When it last rode in a packet (µs).
  uint64_t rodeUs = 0;
  // A fragment of a message: the record of the whole.
  Message* group = nullptr;
  uint32_t body = NO_CHUNK;
  // Where its bytes start in the body: fragments of a message share one.
  uint32_t start = 0;
  uint32_t bytes = 0;
  // A fragment: bytes of the whole message or block; else 0.
  uint32_t total = 0;
  // A fragment: which of the whole.
  uint32_t index = 0;
  uint32_t tag = 0;
  // The record of a whole: fragments without a fate.
  uint16_t pieces = 0;
  // A fragment of a block: the block's number modulo 65536.
  uint16_t number = 0;
  // Undecided packets that carry it.
  uint16_t inFlight = 0;
  // Packets with the verdict lost that carried it, of which an ack may still come.
  uint16_t unsettled = 0;
  uint8_t channel = 0;
  uint8_t copiesLeft = 0;
  // How often all its packets were lost, up to 255.
  uint8_t losses = 0;
  // A fragment of a block.
  bool block = false;
  // In the channel's list (not yet delivered, expired or given up).
  bool listed = false;
  // Was in a packet at least once.
  bool sent = false;
  // Every packet that carried it is lost: it must ride again.
  bool resend = false;
  // Chosen for the packet under construction.
  bool planned = false;
};

// A packet carried a message,
constexpr uint8_t CARRIED_MESSAGE = 0;
// … or a channel's skip,
constexpr uint8_t CARRIED_SKIP = 1;
// … or what a channel's user has consumed.
constexpr uint8_t CARRIED_WINDOW = 2;

// What a packet carried. The Tribes transmission record.
struct Carried {
  Carried* next = nullptr;
  Message* message = nullptr;
  // The id of a skip or of a consumed mark.
  int64_t id = 0;
  uint8_t kind = CARRIED_MESSAGE;
  uint8_t channel = 0;
};

struct Pool {
  uint8_t* chunks = nullptr;
  uint32_t* chunkNext = nullptr;
  // References to the body that starts at this chunk.
  uint32_t* references = nullptr;
  uint32_t chunkFree = 0;
  uint32_t chunksFree = 0;
  Message* messageFree = nullptr;
  uint32_t messagesFree = 0;
  Carried* carriedFree = nullptr;
  uint32_t carriedsFree = 0;
  // Records are taken from here, one after the other, while the free list is empty: memory that was
  // never needed is never touched.
  Message* messages = nullptr;
  uint32_t messagesMade = 0;
  Carried* carrieds = nullptr;
  uint32_t carriedsMade = 0;
};

// Takes the memory; false when there is none.
bool poolOpen(Pool& pool, uint32_t chunkCount, uint32_t messageCount, uint32_t carriedCount);
void poolClose(Pool& pool);

// The chunks that a body of so many bytes takes; an empty body takes one.
uint32_t bodyChunks(uint32_t bytes);

// Copies bytes into a new body with one reference. NO_CHUNK when the pool is short.
uint32_t bodyCreate(Pool& pool, const uint8_t* source, size_t offset, uint32_t bytes);

// Copies so many bytes of a body out, from `start` on.
void bodyCopy(const Pool& pool, uint32_t body, uint32_t start, uint32_t bytes, uint8_t* target,
              size_t offset);

void bodyRetain(Pool& pool, uint32_t body);

// Gives one reference back, and the chunks with the last one.
void bodyRelease(Pool& pool, uint32_t body);

Message* messageCreate(Pool& pool);

// Gives a message and its reference to a body back.
void messageRelease(Pool& pool, Message* message);

// Gives a message that is in no list back, once no packet points at it.
inline void messageUntie(Pool& pool, Message* message) {
  if (message->inFlight == 0 && message->unsettled == 0) messageRelease(pool, message);
}

// Gives the body back while the record must stay (packets that carried it are undecided).
void messageForgetBody(Pool& pool, Message* message);

Carried* carriedCreate(Pool& pool);
void carriedRelease(Pool& pool, Carried* carried);

}  // namespace netrt

#endif  // NETRT_CORE_QUEUE_H_
