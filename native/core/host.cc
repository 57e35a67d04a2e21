// Many connections behind one socket: see host.h.
#include "core/host.h"

#include <algorithm>
#include <cstring>

#include "core/advance.h"
#include "core/client.h"
#include "core/handshake.h"
#include "core/stats.h"
#include "core/transmit.h"

namespace netrt {

namespace {

void transmitOne(Host& host, Connection& connection, uint64_t nowUs, Batch& batch);
void transmitReplies(Host& host, Batch& batch);
void transmitClient(Host& host, uint64_t nowUs, Batch& batch);

}  // namespace

bool hostOpen(Host& host, const uint32_t* words, uint32_t* page, const uint8_t* privateKey,
              const uint8_t* entropy, uint8_t* submission, size_t submissionBytes,
              uint8_t* completion, size_t completionBytes) {
  if (!slotsOpen(host, words, page, privateKey, entropy)) {
    slotsClose(host);
    return false;
  }
  ringSet(host.submission, submission, submissionBytes);
  ringSet(host.outlet.completion, completion, completionBytes);
  return true;
}

void hostClose(Host& host) { slotsClose(host); }

void hostConnect(Host& host, const uint8_t* token, uint64_t nowUs) {
  clientStart(host.client, token, nowUs);
  if (host.client.state > CLIENT_DISCONNECTED) {
    sealKeySet(host.clientKey, host.client.token.clientToServerKey, 0);
  }
  hostReportState(host);
}

// ---- Time ----

void hostAdvance(Host& host, uint64_t nowUs) {
  host.nowUs = nowUs;
  pendingExpire(host.handshake, nowUs);
  const int32_t before = host.client.state;
  clientAdvance(host.client, nowUs);
  if (host.client.state != before) hostReportState(host);
  while (timersNext(host.timers) <= nowUs && connectionRoom(host.shared)) {
    Connection& connection = host.connections[timersFirst(host.timers)];
    connectionAdvance(connection, host.shared, nowUs);
    slotSettle(host, connection, nowUs);
    // Whatever could not be done now is tried again a little later: a deadline never spins.
    if (host.timers.deadlines[connection.slot] <= nowUs) {
      timersSet(host.timers, connection.slot, nowUs + DEADLINE_RETRY_US);
    }
  }
}

uint64_t hostDeadlineUs(const Host& host) {
  if (host.workCount > 0 || host.replyCount > 0) return host.nowUs;
  return std::min(
      {timersNext(host.timers), pendingDeadlineUs(host.handshake), clientDeadlineUs(host.client)});
}

void hostFlush(Host& host) {
  for (uint32_t index = 0; index < host.dirtyCount; index++) {
    Connection& connection = host.connections[host.dirty[index]];
    connection.inDirty = false;
    if (connection.state != CONNECTION_FREE) {
      connection.flushing = true;
      connection.flushBegun = true;
      slotWork(host, connection);
    }
  }
  host.dirtyCount = 0;
}

// ---- The way out ----

uint32_t hostTransmit(Host& host, uint64_t nowUs, Batch& batch) {
  host.nowUs = nowUs;
  batch.count = 0;
  transmitReplies(host, batch);
  transmitClient(host, nowUs, batch);
  while (host.workCount > 0 && batch.count < BATCH_PACKETS) {
    Connection& connection = host.connections[host.work[host.workFirst]];
    host.workFirst = host.workFirst + 1 == host.config.peersMax ? 0 : host.workFirst + 1;
    host.workCount -= 1;
    connection.inWork = false;
    transmitOne(host, connection, nowUs, batch);
  }
  return batch.count;
}

namespace {

void batchAdd(Host& host, Batch& batch, const Address& address, size_t bytes) {
  batch.lengths[batch.count] = static_cast<uint32_t>(bytes);
  addressCopy(batch.addresses[batch.count], address);
  batch.count += 1;
  hostCount(host, HOST_DATAGRAMS_OUT, 1);
  hostCount(host, HOST_BYTES_OUT, static_cast<uint32_t>(bytes));
}

// One packet of a connection; it goes to the end of the line while it has more.
void transmitOne(Host& host, Connection& connection, uint64_t nowUs, Batch& batch) {
  if (connection.state == CONNECTION_FREE) return;
  const size_t offset = batch.count * BATCH_STRIDE;
  const size_t bytes = connectionTransmit(connection, host.shared, nowUs, batch.bytes, offset);
  if (bytes > 0) batchAdd(host, batch, connection.address, bytes);
  const uint64_t dueUs = connectionDueUs(connection);
  if (bytes > 0 && connectionReady(connection, dueUs, nowUs)) {
    slotWork(host, connection);
    return;
  }
  connectionFlushed(connection);
  slotRest(host, connection, dueUs, nowUs);
}

void transmitReplies(Host& host, Batch& batch) {
  while (host.replyCount > 0 && batch.count < BATCH_PACKETS) {
    const Host::Reply& entry = host.replies[host.replyFirst];
    host.replyFirst = (host.replyFirst + 1) % REPLIES_MAX;
    host.replyCount -= 1;
    if (entry.length == 0) continue;
    std::memcpy(batch.bytes + batch.count * BATCH_STRIDE, entry.bytes, entry.length);
    batchAdd(host, batch, entry.address, entry.length);
  }
}

void transmitClient(Host& host, uint64_t nowUs, Batch& batch) {
  // A client's batch is empty here: it answers no strangers.
  if (host.config.role != ROLE_CLIENT) return;
  const size_t offset = batch.count * BATCH_STRIDE;
  Client& client = host.client;
  const size_t bytes =
      clientTransmit(client, host.config, host.clientKey, nowUs, batch.bytes, offset);
  if (bytes > 0) batchAdd(host, batch, clientServer(client), bytes);
}

}  // namespace

void hostPublish(Host& host) { ringPublish(host.outlet.completion); }

}  // namespace netrt
