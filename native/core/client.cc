// A client's way to a slot: see client.h.
#include "core/client.h"

#include <algorithm>
#include <cstring>

#include "core/packet.h"

namespace netrt {

namespace {

constexpr uint64_t SECONDS = 1000000;

int64_t clientLifetimeUs(Client& client, const uint8_t* bytes);
void begin(Client& client, uint64_t nowUs);

}  // namespace

void clientStart(Client& client, const uint8_t* token, uint64_t nowUs) {
  const int64_t lifetime = clientLifetimeUs(client, token);
  if (lifetime < 0) {
    client.state = CLIENT_TOKEN_INVALID;
    return;
  }
  client.expiresUs = nowUs + static_cast<uint64_t>(lifetime);
  client.serverIndex = 0;
  begin(client, nowUs);
}

namespace {

// Reads the token; its lifetime in µs, or -1 when it is not a token.
int64_t clientLifetimeUs(Client& client, const uint8_t* bytes) {
  ConnectToken& token = client.token;
  if (!tokenPublicRead(bytes, 0, TOKEN_PUBLIC_BYTES, token)) return -1;
  const uint64_t seconds = token.expireTimestamp - token.createTimestamp;
  return static_cast<int64_t>(std::min(seconds, uint64_t{1} << 31) * SECONDS);
}

void begin(Client& client, uint64_t nowUs) {
  client.state = clientNext(client.state, CLIENT_EVENT_START);
  client.heardUs = nowUs;
  client.nextSendUs = nowUs;
}

}  // namespace

const Address& clientServer(const Client& client) {
  return client.token.servers[client.serverIndex];
}

bool clientHears(const Client& client, const Address& address) {
  return client.state > CLIENT_DISCONNECTED && addressEqual(clientServer(client), address);
}

namespace {

uint64_t timeoutUs(const Client& client) {
  const int32_t seconds = client.token.timeoutSeconds;
  return seconds > 0 ? static_cast<uint64_t>(seconds) * SECONDS : NO_DEADLINE;
}

// A failed attempt goes on with the next server, if the token names one.
void fail(Client& client, int32_t event, uint64_t nowUs) {
  client.state = clientNext(client.state, event);
  const bool retries = client.state == CLIENT_DENIED || client.state == CLIENT_REQUEST_TIMED_OUT ||
                       client.state == CLIENT_RESPONSE_TIMED_OUT;
  if (retries && client.serverIndex + 1 < client.token.serverCount) {
    client.serverIndex += 1;
    begin(client, nowUs);
  }
}

}  // namespace

void clientDenied(Client& client, uint64_t nowUs) { fail(client, CLIENT_EVENT_DENIED, nowUs); }

void clientChallenged(Client& client, const uint8_t* bytes, size_t offset, uint64_t nowUs) {
  if (client.state == CLIENT_REQUESTING) {
    std::memcpy(client.challenge, bytes + offset, CHALLENGE_BODY_BYTES);
    client.state = clientNext(client.state, CLIENT_EVENT_CHALLENGE);
    client.nextSendUs = nowUs;
    client.heardUs = nowUs;
  } else if (client.state == CLIENT_RESPONDING) {
    client.heardUs = nowUs;
  }
}

bool clientAccepted(Client& client) {
  if (client.state != CLIENT_RESPONDING) return false;
  client.state = clientNext(client.state, CLIENT_EVENT_KEEP_ALIVE);
  return true;
}

void clientAdvance(Client& client, uint64_t nowUs) {
  if (client.state != CLIENT_REQUESTING && client.state != CLIENT_RESPONDING) return;
  if (nowUs >= client.expiresUs) {
    client.state = clientNext(client.state, CLIENT_EVENT_EXPIRED);
  } else if (nowUs >= client.heardUs + timeoutUs(client)) {
    fail(client, CLIENT_EVENT_TIMEOUT, nowUs);
  }
}

uint64_t clientDeadlineUs(const Client& client) {
  if (client.state != CLIENT_REQUESTING && client.state != CLIENT_RESPONDING) return NO_DEADLINE;
  return std::min({client.nextSendUs, client.heardUs + timeoutUs(client), client.expiresUs});
}

size_t clientTransmit(Client& client, const HostConfig& config, SealKey& key, uint64_t nowUs,
                      uint8_t* out, size_t offset) {
  const bool sending = client.state == CLIENT_REQUESTING || client.state == CLIENT_RESPONDING;
  if (!sending || nowUs < client.nextSendUs) return 0;
  client.nextSendUs = nowUs + REQUEST_INTERVAL_US;
  if (client.state == CLIENT_REQUESTING) {
    requestWrite(client.token, out, offset);
    return REQUEST_BYTES;
  }
  const uint64_t number = static_cast<uint64_t>(client.nextNumber);
  client.nextNumber += 1;
  const size_t headerBytes = packetHeaderWrite(PACKET_RESPONSE, number, out, offset);
  packetAssociatedData(config.protocolId, out[offset], client.associated);
  std::memcpy(out + offset + headerBytes, client.challenge, CHALLENGE_BODY_BYTES);
  const int sealedBytes = sealPacket(key, number, client.associated, PACKET_ASSOCIATED_BYTES, out,
                                     offset + headerBytes, CHALLENGE_BODY_BYTES);
  // A cipher that fails gives no packet; the next one is due all the same.
  return sealedBytes < 0 ? 0 : headerBytes + static_cast<size_t>(sealedBytes);
}

}  // namespace netrt
