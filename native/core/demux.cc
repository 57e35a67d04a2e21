// The way in of a host: see demux.h.
#include "core/demux.h"

#include <cstring>

#include "core/client.h"
#include "core/ending.h"
#include "core/fetch.h"
#include "core/handshake.h"
#include "core/move.h"
#include "core/packet.h"
#include "core/path.h"
#include "core/receive.h"
#include "core/replay.h"
#include "core/stats.h"
#include "core/transmit.h"

namespace netrt {

namespace {

// Writes an answer to `out`; `key` is the server-to-client key of whom it answers.
using ReplyWrite = size_t (*)(Host& host, const uint8_t* key, uint8_t* out);

int receiveRequest(Host& host, uint64_t nowUs, uint64_t unixSeconds, const Address& address,
                   const uint8_t* bytes, size_t offset, size_t length);
int receiveSealed(Host& host, uint64_t nowUs, uint64_t receivedUs, const Address& address,
                  uint8_t* bytes, size_t offset, size_t length);
void receiveElsewhere(Host& host, uint64_t nowUs, const Address& address, Connection& connection,
                      size_t length);
int receiveResponse(Host& host, uint64_t nowUs, const Address& address,
                    const Connection* connection, uint8_t* bytes, size_t offset, size_t length);
int admit(Host& host, uint64_t nowUs, const Address& address, Pending& pending);
int receiveClient(Host& host, uint64_t nowUs, uint64_t receivedUs, const Address& address,
                  uint8_t* bytes, size_t offset, size_t length);
void accept(Host& host, uint64_t nowUs, uint64_t receivedUs, const Address& address);

}  // namespace

// ---- The way in ----

bool hostReady(const Host& host) { return connectionRoom(host.shared); }

void hostReceive(Host& host, uint64_t nowUs, uint64_t receivedUs, uint64_t unixSeconds,
                 const Address& address, uint8_t* bytes, size_t offset, size_t length) {
  host.nowUs = nowUs;
  hostCount(host, HOST_DATAGRAMS_IN, 1);
  hostCount(host, HOST_BYTES_IN, static_cast<uint32_t>(length));
  const uint32_t role = host.config.role;
  if (length < PACKET_BYTES_MIN || length > PACKET_BYTES_MAX) {
    hostReject(host, REJECT_SIZE);
  } else if (bytes[offset] == PACKET_REQUEST) {
    const bool refused = role == ROLE_CLIENT || length != REQUEST_BYTES;
    const int reason = role == ROLE_CLIENT ? REJECT_TYPE : REJECT_SIZE;
    hostReject(host,
               refused ? reason
                       : receiveRequest(host, nowUs, unixSeconds, address, bytes, offset, length));
  } else {
    hostReject(host, receiveSealed(host, nowUs, receivedUs, address, bytes, offset, length));
  }
}

namespace {

// True when there is no such connection, or it was saying goodbye and is free now.
bool yields(Host& host, Connection* connection, uint64_t nowUs) {
  if (connection == nullptr) return true;
  if (connection->state != CONNECTION_CLOSING) return false;
  connectionDone(*connection, host.shared, connection->closeReason);
  slotSettle(host, *connection, nowUs);
  return true;
}

size_t challengeReply(Host& host, const uint8_t*, uint8_t* out) {
  return challengeWrite(host.handshake, out, 0);
}

size_t deniedReply(Host& host, const uint8_t* key, uint8_t* out) {
  hostCount(host, HOST_DENIED, 1);
  return deniedWrite(host.handshake, key, 0, out, 0);
}

// The next answer in line, to this address; null when too many wait: it is dropped and counted.
Host::Reply* replyTake(Host& host, const Address& address) {
  if (host.replyCount == REPLIES_MAX) {
    hostCount(host, HOST_REPLIES_DROPPED, 1);
    return nullptr;
  }
  Host::Reply* entry = &host.replies[(host.replyFirst + host.replyCount) % REPLIES_MAX];
  host.replyCount += 1;
  addressCopy(entry->address, address);
  return entry;
}

// Queues an answer to somebody without a slot; when too many wait, it is dropped and counted.
void reply(Host& host, const Address& address, ReplyWrite write, const uint8_t* key) {
  Host::Reply* entry = replyTake(host, address);
  if (entry != nullptr) entry->length = static_cast<uint32_t>(write(host, key, entry->bytes));
}

// The rules of the standard for a request, in its order.
int receiveRequest(Host& host, uint64_t nowUs, uint64_t unixSeconds, const Address& address,
                   const uint8_t* bytes, size_t offset, size_t length) {
  Handshake& handshake = host.handshake;
  const int reason = requestOpen(handshake, bytes, offset, length, unixSeconds);
  if (reason != REJECT_NONE) return reason;
  const PrivateToken& token = handshake.privateToken;
  // A connection that is only saying goodbye doesn't stand in the way of a new one.
  if (!yields(host, slotAtAddress(host, address), nowUs)) return REJECT_ADDRESS_CONNECTED;
  if (!yields(host, slotOfClient(host, token.clientId), nowUs)) return REJECT_CLIENT_CONNECTED;
  const int used = requestToken(handshake, address, bytes, unixSeconds);
  if (used != REJECT_NONE) return used;
  if (host.freeCount == 0) {
    reply(host, address, deniedReply, token.serverToClientKey);
    return REJECT_FULL;
  }
  if (requestPend(handshake, address, nowUs) == nullptr) return REJECT_RESOURCES;
  hostCount(host, HOST_PENDING, 1);
  reply(host, address, challengeReply, token.serverToClientKey);
  return REJECT_NONE;
}

// Opens the sealed part of the packet in host.header; the body's bytes, or -1.
int openWith(Host& host, SealKey& key, uint8_t* bytes, size_t offset, size_t length) {
  const PacketHeader& header = host.header;
  const bool moving = header.type == PACKET_MOVING;
  const uint64_t id = moving ? header.path : host.config.protocolId;
  packetAssociatedData(id, bytes[offset], host.associated);
  return openPacket(key, header.sequence, host.associated, PACKET_ASSOCIATED_BYTES, bytes,
                    offset + header.bytes, length - header.bytes);
}

// Every packet but the request: header, who, key, replay, seal, replay again, size.
int receiveSealed(Host& host, uint64_t nowUs, uint64_t receivedUs, const Address& address,
                  uint8_t* bytes, size_t offset, size_t length) {
  PacketHeader& header = host.header;
  const int malformed = packetHeaderRead(bytes, offset, length, header);
  if (malformed != REJECT_NONE) return malformed;
  const bool forServer = header.type != PACKET_DENIED && header.type != PACKET_CHALLENGE;
  const bool isServer = host.config.role != ROLE_CLIENT;
  const bool moving = header.type == PACKET_MOVING;
  if (isServer ? !forServer : header.type == PACKET_RESPONSE || moving) return REJECT_TYPE;
  if (header.type >= PACKET_SESSION && host.config.raw) return REJECT_TYPE;
  Connection* there = slotAtAddress(host, address);
  Connection* connection = moving ? slotOfPath(host, header.path) : there;
  if (header.type < PACKET_KEEP_ALIVE || connection == nullptr) {
    return isServer ? receiveResponse(host, nowUs, address, connection, bytes, offset, length)
                    : receiveClient(host, nowUs, receivedUs, address, bytes, offset, length);
  }
  fetchConnection(*connection, host.page);
  SealKey* key = sessionKeyOf(*connection, host.scratchKey, header);
  if (key == nullptr) return REJECT_KEY;
  if (!replayTest(connection->replay, header.sequence)) return REJECT_REPLAY;
  const int bodyBytes = openWith(host, *key, bytes, offset, length);
  if (bodyBytes < 0) return REJECT_SEAL;
  const bool newer = replayNewer(connection->replay, header.sequence);
  replayAdvance(connection->replay, header.sequence);
  sessionOpened(*connection, *key, header);
  const size_t body = static_cast<size_t>(bodyBytes);
  if (!packetBodyValid(header.type, body)) return REJECT_BODY;
  // A session packet is a payload, and without one a disconnect.
  const bool ours = header.type >= PACKET_SESSION;
  const uint8_t type = !ours ? header.type : body > 0 ? PACKET_PAYLOAD : PACKET_DISCONNECT;
  if (moving) connection->path.answered = false;
  const int reason = connectionReceive(*connection, host.shared, type, header.sequence, bytes,
                                       offset + header.bytes, body, receivedUs, nowUs);
  if (isServer && connection->session.derived && !connection->session.listed) {
    slotList(host, *connection);
  }
  if (moving && newer && there != connection) {
    receiveElsewhere(host, nowUs, address, *connection, length);
  }
  slotSettle(host, *connection, nowUs);
  return reason;
}

// The newest packet of a client came from elsewhere: it proves that it reads there, or is asked to.
void receiveElsewhere(Host& host, uint64_t nowUs, const Address& address, Connection& connection,
                      size_t length) {
  if (connection.state != CONNECTION_OPEN && connection.state != CONNECTION_DRAINING) return;
  if (pathProven(connection.path, address, nowUs)) {
    slotMove(host, connection, address);
    connectionMoved(connection, host.shared, nowUs);
    return;
  }
  // Never more bytes than came from there.
  if (length < PATH_PACKET_BYTES || !pathSuspect(connection.path, address, host.shared.keysSeed,
                                                 connection.handle, host.header.sequence, nowUs)) {
    return;
  }
  Host::Reply* entry = replyTake(host, address);
  if (entry != nullptr) {
    const size_t bytes = challengeTransmit(connection, host.shared, nowUs, entry->bytes, 0);
    entry->length = static_cast<uint32_t>(bytes);
  }
}

// The rules of the standard for a response, in its order.
int receiveResponse(Host& host, uint64_t nowUs, const Address& address,
                    const Connection* connection, uint8_t* bytes, size_t offset, size_t length) {
  const PacketHeader& header = host.header;
  if (connection != nullptr && connection->state != CONNECTION_CLOSING) {
    return REJECT_ADDRESS_CONNECTED;
  }
  Pending* pending = pendingFind(host.handshake, address);
  if (pending == nullptr || header.type != PACKET_RESPONSE) return REJECT_ADDRESS;
  sealKeySet(host.scratchKey, pending->keys, 0);
  const int bodyBytes = openWith(host, host.scratchKey, bytes, offset, length);
  if (bodyBytes < 0) return REJECT_SEAL;
  if (!packetBodyValid(PACKET_RESPONSE, static_cast<size_t>(bodyBytes))) return REJECT_BODY;
  const int reason = responseOpen(host.handshake, *pending, bytes, offset + header.bytes);
  if (reason != REJECT_NONE) return reason;
  return admit(host, nowUs, address, *pending);
}

// Gives a pending client a slot, or denies it.
int admit(Host& host, uint64_t nowUs, const Address& address, Pending& pending) {
  const uint64_t clientId = pending.clientId;
  // What stands at this address only says goodbye: receiveResponse refused for any other.
  yields(host, slotAtAddress(host, address), nowUs);
  if (!yields(host, slotOfClient(host, clientId), nowUs)) return REJECT_CLIENT_CONNECTED;
  if (host.freeCount == 0) {
    reply(host, address, deniedReply, pending.keys + KEY_BYTES);
    return REJECT_FULL;
  }
  Connection* connection = slotOccupy(host, address, clientId);
  if (connection == nullptr) return REJECT_RESOURCES;
  std::memcpy(connection->userData, host.handshake.challenge.userData, USER_DATA_BYTES);
  connectionAssign(*connection, host.shared, pending.keys, KEY_BYTES, pending.keys, 0,
                   host.firstNumber, timeoutUsOf(pending.timeoutSeconds), nowUs);
  tokenConsume(host.handshake, pending);
  pendingRemove(host.handshake, pending);
  // The first keep-alive tells the client its slot; it does not wait for data.
  connection->keepAliveUs = 0;
  slotSettle(host, *connection, nowUs);
  return REJECT_NONE;
}

// What a client without a slot may hear: denied, a challenge, the keep-alive that accepts it.
int receiveClient(Host& host, uint64_t nowUs, uint64_t receivedUs, const Address& address,
                  uint8_t* bytes, size_t offset, size_t length) {
  Client& client = host.client;
  const PacketHeader& header = host.header;
  if (!clientHears(client, address)) return REJECT_ADDRESS;
  if (client.state == CLIENT_CONNECTED || header.type > PACKET_KEEP_ALIVE) return REJECT_STATE;
  sealKeySet(host.scratchKey, client.token.serverToClientKey, 0);
  const int bodyBytes = openWith(host, host.scratchKey, bytes, offset, length);
  if (bodyBytes < 0) return REJECT_SEAL;
  if (!packetBodyValid(header.type, static_cast<size_t>(bodyBytes))) return REJECT_BODY;
  const int32_t before = client.state;
  if (header.type == PACKET_DENIED) {
    clientDenied(client, nowUs);
  } else if (header.type == PACKET_CHALLENGE) {
    clientChallenged(client, bytes, offset + header.bytes, nowUs);
  } else if (!clientAccepted(client)) {
    return REJECT_STATE;
  }
  if (client.state != before) hostReportState(host);
  if (client.state == CLIENT_CONNECTED) accept(host, nowUs, receivedUs, address);
  return REJECT_NONE;
}

// The client has its slot: from here on the connection speaks.
void accept(Host& host, uint64_t nowUs, uint64_t receivedUs, const Address& address) {
  const ConnectToken& token = host.client.token;
  const PacketHeader& header = host.header;
  Connection* connection = slotOccupy(host, address, 0);
  if (connection == nullptr) {
    host.client.state = clientNext(host.client.state, CLIENT_EVENT_END);
    hostReportState(host);
    return;
  }
  connectionAssign(*connection, host.shared, token.clientToServerKey, 0, token.serverToClientKey, 0,
                   host.client.nextNumber, timeoutUsOf(token.timeoutSeconds), nowUs);
  connection->confirmed = true;
  // A client hears of every end, also when the peers never came to speak the same protocol.
  connection->announced = true;
  replayAdvance(connection->replay, header.sequence);
  connectionReceive(*connection, host.shared, PACKET_KEEP_ALIVE, header.sequence, nullptr, 0, 0,
                    receivedUs, nowUs);
  slotSettle(host, *connection, nowUs);
}

}  // namespace

}  // namespace netrt
