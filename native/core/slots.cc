// The state of a host: see slots.h.
#include "core/slots.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "core/acks.h"
#include "core/sip.h"
#include "core/stats.h"

namespace netrt {

namespace {

// Memory that is zero, and that costs nothing until it is touched.
template <typename T>
bool take(T*& target, size_t count) {
  target = static_cast<T*>(std::calloc(count, sizeof(T)));
  return target != nullptr;
}

// A restart doesn't use numbers again under a token's keys. They begin in the lower half of an
// epoch, so that every number before the change to session keys tells the same one.
int64_t firstNumberOf(const uint8_t* entropy) {
  int64_t number = 0;
  for (size_t index = 0; index < NUMBER_BITS / 8; index++) {
    number |= int64_t{entropy[ENTROPY_NUMBER + index]} << (8 * index);
  }
  return number & ~(int64_t{1} << (EPOCH_BITS - 1));
}

// The start of the epoch behind a number.
int64_t epochNext(int64_t number) { return ((number >> EPOCH_BITS) + 1) << EPOCH_BITS; }

template <typename T>
void giveBack(T*& target) {
  std::free(target);
  target = nullptr;
}

}  // namespace

bool slotsOpen(Host& host, const uint32_t* words, uint32_t* page, const uint8_t* privateKey,
               const uint8_t* entropy) {
  configRead(host.config, words);
  const HostConfig& config = host.config;
  NETRT_ASSERT(config.peersMax > 0 && config.peersMax <= PEERS_MAX && config.channelCount > 0);
  host.page = page;
  host.outlet.page = page;
  host.shared.config = &config;
  host.shared.outlet = &host.outlet;
  host.shared.hashKey = host.handshake.hashKey;
  const size_t peers = config.peersMax;
  const bool opened =
      poolOpen(host.outlet.pool, config.chunkCount, config.messageCount, config.carriedCount) &&
      handshakeOpen(host.handshake, config, privateKey, entropy) &&
      tableOpen(host.addressTable, config.peersMax) &&
      tableOpen(host.clientTable, config.peersMax) && tableOpen(host.pathTable, config.peersMax) &&
      timersOpen(host.timers, config.peersMax) && take(host.connections, peers) &&
      take(host.channels, peers * config.channelCount) &&
      take(host.packetsFew, peers * SENT_PACKETS_FEW) && take(host.packets, peers * SENT_PACKETS) &&
      take(host.free, peers) && take(host.open, peers) && take(host.work, peers) &&
      take(host.dirty, peers) && take(host.replies, REPLIES_MAX) && sealKeyOpen(host.clientKey) &&
      sealKeyOpen(host.scratchKey) && layoutsOpen(host.shared.layouts, config.channelCount);
  if (!opened) return false;
  std::memcpy(host.shared.keysSeed, entropy + ENTROPY_KEYS, DIGEST_BYTES);
  host.firstNumber = firstNumberOf(entropy);
  host.client.nextNumber = host.firstNumber;
  for (uint32_t slot = 0; slot < config.peersMax; slot++) {
    host.free[slot] = config.peersMax - 1 - slot;
  }
  host.freeCount = config.peersMax;
  return true;
}

void slotsClose(Host& host) {
  // Slots are taken from the lowest on, so the first that was never used ends those that were.
  for (uint32_t slot = 0; host.connections != nullptr && slot < host.config.peersMax; slot++) {
    Connection& connection = host.connections[slot];
    if (connection.channels == nullptr) break;
    sealKeyClose(connection.sendKey);
    sealKeyClose(connection.receiveKey);
    sessionClear(connection.session);
  }
  sealWipe(host.shared.keysSeed, DIGEST_BYTES);
  sealKeyClose(host.clientKey);
  sealKeyClose(host.scratchKey);
  sealWipe(host.client.token.clientToServerKey, KEY_BYTES);
  sealWipe(host.client.token.serverToClientKey, KEY_BYTES);
  handshakeClose(host.handshake);
  layoutsClose(host.shared.layouts);
  poolClose(host.outlet.pool);
  tableClose(host.addressTable);
  tableClose(host.clientTable);
  tableClose(host.pathTable);
  timersClose(host.timers);
  giveBack(host.connections);
  giveBack(host.channels);
  giveBack(host.packetsFew);
  giveBack(host.packets);
  giveBack(host.free);
  giveBack(host.open);
  giveBack(host.work);
  giveBack(host.dirty);
  giveBack(host.replies);
}

void hostCount(Host& host, uint32_t counter, uint32_t amount) {
  statsAdd(host.page, statsHostWord(counter), amount);
}

void hostReject(Host& host, int reason) {
  if (reason != REJECT_NONE) statsAdd(host.page, statsRejectWord(reason), 1);
}

void hostReportState(Host& host) {
  Ring& completion = host.outlet.completion;
  const int32_t word = ringPush(completion, RECORD_STATE, 0);
  if (word != NO_ROOM) {
    completion.words[word + 1] = 0;
    completion.words[word + 4] = static_cast<uint32_t>(host.client.state);
  }
}

// ---- Slots ----

namespace {

// The connection of a slot; it is made when the slot is first used and kept from then on. Null when
// its cipher contexts could not be opened.
Connection* slotConnection(Host& host, uint32_t slot) {
  Connection* connection = &host.connections[slot];
  if (connection->channels != nullptr) return connection;
  new (connection) Connection();
  if (!sealKeyOpen(connection->sendKey)) return nullptr;
  if (!sealKeyOpen(connection->receiveKey)) {
    sealKeyClose(connection->sendKey);
    return nullptr;
  }
  const HostConfig& config = host.config;
  connection->slot = slot;
  connection->handle = slot;
  connection->channelCount = config.channelCount;
  connection->channels = host.channels + size_t{slot} * config.channelCount;
  for (uint32_t index = 0; index < config.channelCount; index++) {
    Channel* channel = new (&connection->channels[index]) Channel();
    channel->policy = &config.policies[index];
    channel->index = index;
  }
  sentOpen(connection->sent, host.packetsFew + size_t{slot} * SENT_PACKETS_FEW,
           host.packets + size_t{slot} * SENT_PACKETS);
  return connection;
}

uint32_t idHash(const Host& host, uint64_t id) {
  const uint32_t words[] = {static_cast<uint32_t>(id), static_cast<uint32_t>(id >> 32)};
  return sipHash(host.handshake.hashKey, words, 2);
}

}  // namespace

Connection* slotAtAddress(const Host& host, const Address& address) {
  uint32_t slot = tableFirst(host.addressTable, addressHash(address, host.handshake.hashKey));
  while (slot != NO_INDEX) {
    if (addressEqual(host.connections[slot].address, address)) return &host.connections[slot];
    slot = tableNext(host.addressTable, slot);
  }
  return nullptr;
}

Connection* slotOfClient(const Host& host, uint64_t clientId) {
  uint32_t slot = tableFirst(host.clientTable, idHash(host, clientId));
  while (slot != NO_INDEX) {
    if (host.connections[slot].clientId == clientId) return &host.connections[slot];
    slot = tableNext(host.clientTable, slot);
  }
  return nullptr;
}

Connection* slotOfPath(const Host& host, uint64_t path) {
  uint32_t slot = tableFirst(host.pathTable, idHash(host, path));
  while (slot != NO_INDEX) {
    if (host.connections[slot].session.path == path) return &host.connections[slot];
    slot = tableNext(host.pathTable, slot);
  }
  return nullptr;
}

Connection* hostFind(const Host& host, uint32_t handle) {
  const uint32_t slot = handle & 0xffff;
  if (slot >= host.config.peersMax) return nullptr;
  Connection* connection = &host.connections[slot];
  // A slot that was never used has the state and the handle 0, which no connection has.
  const bool current = connection->handle == handle && connection->state != CONNECTION_FREE;
  return current ? connection : nullptr;
}

Connection* slotOccupy(Host& host, const Address& address, uint64_t clientId) {
  NETRT_ASSERT(host.freeCount > 0);
  Connection* connection = slotConnection(host, host.free[host.freeCount - 1]);
  if (connection == nullptr) return nullptr;
  host.freeCount -= 1;
  addressCopy(connection->address, address);
  connection->clientId = clientId;
  const uint32_t hash = addressHash(address, host.handshake.hashKey);
  tableInsert(host.addressTable, hash, connection->slot);
  tableInsert(host.clientTable, idHash(host, clientId), connection->slot);
  connection->openIndex = host.openCount;
  host.open[host.openCount] = connection->slot;
  host.openCount += 1;
  hostCount(host, HOST_CONNECTED, 1);
  host.page[statsHostWord(HOST_PEERS)] = host.openCount;
  return connection;
}

void slotList(Host& host, Connection& connection) {
  connection.session.listed = true;
  tableInsert(host.pathTable, idHash(host, connection.session.path), connection.slot);
}

void slotMove(Host& host, Connection& connection, const Address& address) {
  const Connection* other = slotAtAddress(host, address);
  if (other != nullptr) tableRemove(host.addressTable, other->slot);
  tableRemove(host.addressTable, connection.slot);
  addressCopy(connection.address, address);
  tableInsert(host.addressTable, addressHash(address, host.handshake.hashKey), connection.slot);
  connection.path.asked = false;
  Ring& completion = host.outlet.completion;
  const int32_t word = ringPush(completion, RECORD_MOVE, PEER_RECORD_BYTES);
  if (word == NO_ROOM) return;
  uint32_t* words = completion.words + word;
  words[1] = connection.handle;
  words[2] = 0;
  words[4] = 0;
  words[5] = 0;
  connectionRecord(connection, completion, word);
}

namespace {

void clientEnded(Host& host, const Connection& connection) {
  const int32_t event =
      connection.closeReason == REASON_TIMED_OUT ? CLIENT_EVENT_TIMEOUT : CLIENT_EVENT_END;
  host.client.state = clientNext(host.client.state, event);
  // Started again with the same token, it must not use a number twice under the same key.
  host.client.nextNumber = epochNext(connection.sent.nextNumber);
  sealKeyClear(host.clientKey);
  hostReportState(host);
}

// Takes a connection that has just become free out of every table and list.
void vacate(Host& host, Connection& connection) {
  tableRemove(host.addressTable, connection.slot);
  tableRemove(host.clientTable, connection.slot);
  tableRemove(host.pathTable, connection.slot);
  timersSet(host.timers, connection.slot, NO_DEADLINE);
  host.openCount -= 1;
  const uint32_t last = host.open[host.openCount];
  if (last != connection.slot) {
    host.open[connection.openIndex] = last;
    host.connections[last].openIndex = connection.openIndex;
  }
  host.free[host.freeCount] = connection.slot;
  host.freeCount += 1;
  hostCount(host, HOST_DISCONNECTED, 1);
  host.page[statsHostWord(HOST_PEERS)] = host.openCount;
  if (host.config.role == ROLE_CLIENT) clientEnded(host, connection);
}

}  // namespace

void slotSettle(Host& host, Connection& connection, uint64_t nowUs) {
  if (connection.state == CONNECTION_FREE) {
    vacate(host, connection);
  } else if (!connection.inWork) {
    const uint64_t dueUs = connectionDueUs(connection);
    if (connectionReady(connection, dueUs, nowUs)) {
      slotWork(host, connection);
    } else {
      slotRest(host, connection, dueUs, nowUs);
    }
  }
}

void slotRest(Host& host, Connection& connection, uint64_t dueUs, uint64_t nowUs) {
  // An ack that brings nothing to send must show as well: bytes on their way once seemed to stay
  // there.
  connectionStats(connection, host.page);
  connectionQuiet(connection);
  timersSet(host.timers, connection.slot, connectionDeadlineUs(connection, dueUs, nowUs));
}

void slotWork(Host& host, Connection& connection) {
  if (connection.inWork) return;
  connection.inWork = true;
  const uint32_t end = host.workFirst + host.workCount;
  host.work[end < host.config.peersMax ? end : end - host.config.peersMax] = connection.slot;
  host.workCount += 1;
}

}  // namespace netrt
