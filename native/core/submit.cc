// The user's submissions: see submit.h.
#include "core/submit.h"

#include "core/block.h"
#include "core/ending.h"
#include "core/fetch.h"
#include "core/fragment.h"
#include "core/queue.h"
#include "core/stats.h"
#include "core/window.h"

namespace netrt {

// ---- The user's submissions ----

namespace {

size_t roomOf(const Host& host, uint32_t kind);
void submitSend(Host& host, int32_t word, uint64_t nowUs);
void submitBroadcast(Host& host, int32_t word, uint64_t nowUs);
void enqueue(Host& host, Connection& connection, int32_t word, uint32_t body, uint32_t bytes,
             uint64_t nowUs);
void submitBlock(Host& host, int32_t word);
void submitWish(Host& host, int32_t word, uint32_t kind);
void submitLayout(Host& host, int32_t word);
void submitClose(Host& host, int32_t word, uint64_t nowUs);

size_t payloadOf(int32_t word) { return static_cast<size_t>(word) * 4 + RECORD_BYTES; }

}  // namespace

void hostSubmit(Host& host, uint64_t nowUs) {
  host.nowUs = nowUs;
  Ring& ring = host.submission;
  for (int32_t word = ringPeek(ring); word != NO_ROOM; word = ringPeek(ring)) {
    fetchSubmission(host, word);
    const uint32_t kind = ring.words[word] >> 24;
    if (ringRoom(host.outlet.completion) < roomOf(host, kind)) break;
    if (kind == RECORD_SEND) {
      submitSend(host, word, nowUs);
    } else if (kind == RECORD_BROADCAST) {
      submitBroadcast(host, word, nowUs);
    } else if (kind == RECORD_SEND_BLOCK) {
      submitBlock(host, word);
    } else if (kind == RECORD_CLOSE) {
      submitClose(host, word, nowUs);
    } else if (kind == RECORD_PAUSE || kind == RECORD_WATCH) {
      submitWish(host, word, kind);
    } else if (kind == RECORD_LAYOUT) {
      submitLayout(host, word);
    }
    ringNext(ring, word);
  }
  ringRelease(ring);
}

namespace {

// The room that what a submission brings forth may take.
size_t roomOf(const Host& host, uint32_t kind) {
  const size_t peers = kind == RECORD_BROADCAST ? host.openCount : 0;
  return COMPLETION_RESERVE_BYTES + peers * RECORD_BYTES;
}

void submitSend(Host& host, int32_t word, uint64_t nowUs) {
  const uint32_t* words = host.submission.words;
  Connection* connection = hostFind(host, words[word + 1]);
  const bool known = (words[word + 2] & 0xff) < host.config.channelCount;
  if (connection == nullptr || connection->state != CONNECTION_OPEN || !known) {
    hostCount(host, HOST_MESSAGES_REFUSED, 1);
    return;
  }
  const uint32_t bytes = words[word + 3];
  const uint32_t body = bodyCreate(host.outlet.pool, host.submission.bytes, payloadOf(word), bytes);
  enqueue(host, *connection, word, body, bytes, nowUs);
}

// One body for all; a peer whose queue is full misses it, which its counters tell.
void submitBroadcast(Host& host, int32_t word, uint64_t nowUs) {
  const uint32_t* words = host.submission.words;
  if ((words[word + 2] & 0xff) >= host.config.channelCount) {
    hostCount(host, HOST_MESSAGES_REFUSED, 1);
    return;
  }
  const uint32_t bytes = words[word + 3];
  const uint32_t body = bodyCreate(host.outlet.pool, host.submission.bytes, payloadOf(word), bytes);
  const uint32_t except = words[word + 1];
  for (uint32_t index = 0; index < host.openCount; index++) {
    Connection& connection = host.connections[host.open[index]];
    if (connection.state == CONNECTION_OPEN && connection.handle != except) {
      if (body != NO_CHUNK) bodyRetain(host.outlet.pool, body);
      enqueue(host, connection, word, body, bytes, nowUs);
    }
  }
  if (body != NO_CHUNK) bodyRelease(host.outlet.pool, body);
}

// Where the last part of the memory is begun, who holds more than an equal share gets no more of
// it: peers that ack nothing once left none to the others (test/hostile).
bool shareLeft(const Host& host, uint32_t waiting, uint32_t count) {
  const HostConfig& config = host.config;
  const Pool& pool = host.outlet.pool;
  const bool scarce = pool.messagesFree < config.messageCount / HOLD_RESERVE_PART ||
                      pool.chunksFree < config.chunkCount / HOLD_RESERVE_PART;
  const uint64_t peers = host.openCount;
  return !scarce ||
         (count * peers < config.messageCount && waiting / CHUNK_BYTES * peers < config.chunkCount);
}

// Counts a message into the peer's queue; whether the queue had room for it.
bool queueTake(Host& host, const Connection& connection, uint32_t bytes) {
  uint32_t* row = host.page + statsPeerWord(connection.slot);
  const uint32_t waiting = row[PEER_QUEUED_BYTES] - row[PEER_RELEASED_BYTES];
  const uint32_t count = row[PEER_QUEUED_MESSAGES] - row[PEER_RELEASED_MESSAGES];
  row[PEER_QUEUED_BYTES] += bytes;
  row[PEER_QUEUED_MESSAGES] += 1;
  return uint64_t{waiting} + bytes <= host.config.queueBytesMax &&
         count < host.config.queueMessagesMax && shareLeft(host, waiting, count);
}

// The next flush serves this connection.
void dirty(Host& host, Connection& connection) {
  if (connection.inDirty) return;
  connection.inDirty = true;
  host.dirty[host.dirtyCount] = connection.slot;
  host.dirtyCount += 1;
}

// Queues a message, or reports it dropped: there is a fate for everything.
void enqueue(Host& host, Connection& connection, int32_t word, uint32_t body, uint32_t bytes,
             uint64_t nowUs) {
  const uint32_t* words = host.submission.words;
  Channel& channel = connection.channels[words[word + 2] & 0xff];
  connectionBusy(connection, channel.index);
  const bool room = queueTake(host, connection, bytes) && bytes <= channel.policy->messageBytesMax;
  // Bare payloads are as long as a payload.
  const uint32_t payloadBytes =
      host.config.raw ? PAYLOAD_BYTES_MAX + MESSAGE_ROOM_BYTES : connection.payloadBytes;
  const uint32_t ttlMs = words[word + 4];
  const uint32_t tag = words[word + 5];
  const uint32_t handle = connection.handle;
  if (body != NO_CHUNK && room &&
      channelEnqueue(channel, host.outlet, handle, body, bytes, payloadBytes, nowUs, ttlMs, tag)) {
    dirty(host, connection);
    return;
  }
  if (body != NO_CHUNK) bodyRelease(host.outlet.pool, body);
  channelReport(host.outlet, channel, handle, tag, bytes, FATE_DROPPED);
  channelBreak(channel, FATE_DROPPED);
  if (channel.broken) {
    connectionBroken(connection, host.shared, nowUs);
    slotSettle(host, connection, nowUs);
  }
}

// A piece of a block. The user's side keeps within the queue; what doesn't fit is dropped.
void submitBlock(Host& host, int32_t word) {
  const uint32_t* words = host.submission.words + word;
  Connection* connection = hostFind(host, words[1]);
  const uint32_t index = words[2] & 0xff;
  if (connection == nullptr || connection->state != CONNECTION_OPEN ||
      index >= host.config.channelCount) {
    hostCount(host, HOST_MESSAGES_REFUSED, 1);
    return;
  }
  Channel& channel = connection->channels[index];
  connectionBusy(*connection, index);
  Pool& pool = host.outlet.pool;
  const uint32_t bytes = words[3] - FRAGMENT_RECORD_BYTES;
  const uint32_t total = words[RECORD_WORDS];
  const uint32_t piece = words[RECORD_WORDS + 1];
  const uint32_t tag = words[5];
  const bool room = queueTake(host, *connection, bytes);
  const bool lawful = total >= 1 && total <= channel.policy->blockBytesMax &&
                      bytes == fragmentLength(total, connection->payloadBytes, piece) && room;
  const uint32_t body = lawful ? bodyCreate(pool, host.submission.bytes,
                                            payloadOf(word) + FRAGMENT_RECORD_BYTES, bytes)
                               : NO_CHUNK;
  const uint16_t number = static_cast<uint16_t>(words[4]);
  if (body != NO_CHUNK &&
      blockEnqueue(channel, host.outlet, body, bytes, number, piece, total, tag)) {
    dirty(host, *connection);
    return;
  }
  if (body != NO_CHUNK) bodyRelease(pool, body);
  channelReport(host.outlet, channel, connection->handle, tag, bytes, FATE_DROPPED);
}

// What the user wants to hear: no more of a channel for now, or what becomes of packets.
void submitWish(Host& host, int32_t word, uint32_t kind) {
  const uint32_t* words = host.submission.words + word;
  Connection* connection = hostFind(host, words[1]);
  const uint32_t index = words[2] & 0xff;
  if (connection == nullptr || index >= host.config.channelCount) return;
  if (kind == RECORD_WATCH) {
    connection->watched = words[5] == 1;
  } else {
    channelPause(connection->channels[index], words[5] == 1);
    connectionBusy(*connection, index);
    slotWork(host, *connection);
  }
}

void submitLayout(Host& host, int32_t word) {
  const uint32_t* words = host.submission.words + word;
  layoutSet(host.shared.layouts, words[2], host.submission.bytes, payloadOf(word), words[3]);
}

void submitClose(Host& host, int32_t word, uint64_t nowUs) {
  const uint32_t* words = host.submission.words;
  Connection* connection = hostFind(host, words[word + 1]);
  if (connection == nullptr) return;
  const auto end = words[word + 5] == 1 ? connectionDrain : connectionClose;
  end(*connection, host.shared, words[word + 4], host.submission.bytes, payloadOf(word),
      words[word + 3], nowUs);
  slotSettle(host, *connection, nowUs);
}

}  // namespace

}  // namespace netrt
