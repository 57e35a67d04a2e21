// The memory of messages: see queue.h.
#include "core/queue.h"

#include <cstdlib>
#include <cstring>

#include "core/limits.h"

namespace netrt {

bool poolOpen(Pool& pool, uint32_t chunkCount, uint32_t messageCount, uint32_t carriedCount) {
  pool.chunks = static_cast<uint8_t*>(calloc(size_t{chunkCount} + 1, CHUNK_BYTES));
  pool.chunkNext = static_cast<uint32_t*>(calloc(size_t{chunkCount} + 1, sizeof(uint32_t)));
  pool.references = static_cast<uint32_t*>(calloc(size_t{chunkCount} + 1, sizeof(uint32_t)));
  pool.messages = static_cast<Message*>(calloc(size_t{messageCount} + 1, sizeof(Message)));
  pool.carrieds = static_cast<Carried*>(calloc(size_t{carriedCount} + 1, sizeof(Carried)));
  if (pool.chunks == nullptr || pool.chunkNext == nullptr || pool.references == nullptr ||
      pool.messages == nullptr || pool.carrieds == nullptr) {
    poolClose(pool);
    return false;
  }
  for (uint32_t chunk = 0; chunk < chunkCount; chunk++) {
    pool.chunkNext[chunk] = chunk + 1 < chunkCount ? chunk + 1 : NO_CHUNK;
  }
  pool.chunksFree = chunkCount;
  pool.messagesFree = messageCount;
  pool.carriedsFree = carriedCount;
  return true;
}

void poolClose(Pool& pool) {
  free(pool.chunks);
  free(pool.chunkNext);
  free(pool.references);
  free(pool.messages);
  free(pool.carrieds);
  pool = Pool();
}

uint32_t bodyChunks(uint32_t bytes) {
  return bytes == 0 ? 1 : (bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
}

uint32_t bodyCreate(Pool& pool, const uint8_t* source, size_t offset, uint32_t bytes) {
  const uint32_t count = bodyChunks(bytes);
  if (count > pool.chunksFree) return NO_CHUNK;
  const uint32_t first = pool.chunkFree;
  uint32_t chunk = first;
  uint32_t done = 0;
  for (uint32_t index = 0; index < count; index++) {
    const uint32_t left = bytes - done;
    const uint32_t size = left < CHUNK_BYTES ? left : CHUNK_BYTES;
    // An empty body has no source: V8 gives null for an empty array, which memcpy may not be given.
    if (size > 0) memcpy(pool.chunks + size_t{chunk} * CHUNK_BYTES, source + offset + done, size);
    done += size;
    if (index + 1 == count) {
      pool.chunkFree = pool.chunkNext[chunk];
      pool.chunkNext[chunk] = NO_CHUNK;
    } else {
      chunk = pool.chunkNext[chunk];
    }
  }
  pool.chunksFree -= count;
  pool.references[first] = 1;
  return first;
}

void bodyCopy(const Pool& pool, uint32_t body, uint32_t start, uint32_t bytes, uint8_t* target,
              size_t offset) {
  uint32_t chunk = body;
  uint32_t skip = start;
  for (; skip >= CHUNK_BYTES; skip -= CHUNK_BYTES) chunk = pool.chunkNext[chunk];
  for (uint32_t done = 0; done < bytes;) {
    const uint32_t left = bytes - done;
    const uint32_t room = CHUNK_BYTES - skip;
    const uint32_t size = left < room ? left : room;
    memcpy(target + offset + done, pool.chunks + size_t{chunk} * CHUNK_BYTES + skip, size);
    chunk = pool.chunkNext[chunk];
    done += size;
    skip = 0;
  }
}

void bodyRetain(Pool& pool, uint32_t body) { pool.references[body] += 1; }

void bodyRelease(Pool& pool, uint32_t body) {
  pool.references[body] -= 1;
  if (pool.references[body] > 0) return;
  uint32_t chunk = body;
  uint32_t count = 1;
  while (pool.chunkNext[chunk] != NO_CHUNK) {
    chunk = pool.chunkNext[chunk];
    count += 1;
  }
  pool.chunkNext[chunk] = pool.chunkFree;
  pool.chunkFree = body;
  pool.chunksFree += count;
}

Message* messageCreate(Pool& pool) {
  if (pool.messagesFree == 0) return nullptr;
  pool.messagesFree -= 1;
  Message* message = pool.messageFree;
  if (message == nullptr) {
    message = pool.messages + pool.messagesMade;
    pool.messagesMade += 1;
  } else {
    pool.messageFree = message->next;
  }
  *message = Message();
  return message;
}

void messageRelease(Pool& pool, Message* message) {
  messageForgetBody(pool, message);
  message->next = pool.messageFree;
  pool.messageFree = message;
  pool.messagesFree += 1;
}

void messageForgetBody(Pool& pool, Message* message) {
  if (message->body == NO_CHUNK) return;
  bodyRelease(pool, message->body);
  message->body = NO_CHUNK;
}

Carried* carriedCreate(Pool& pool) {
  if (pool.carriedsFree == 0) return nullptr;
  pool.carriedsFree -= 1;
  Carried* carried = pool.carriedFree;
  if (carried == nullptr) {
    carried = pool.carrieds + pool.carriedsMade;
    pool.carriedsMade += 1;
  } else {
    pool.carriedFree = carried->next;
  }
  *carried = Carried();
  return carried;
}

void carriedRelease(Pool& pool, Carried* carried) {
  carried->next = pool.carriedFree;
  pool.carriedFree = carried;
  pool.carriedsFree += 1;
}

}  // namespace netrt
