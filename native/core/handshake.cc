// A server's way from request to slot: see handshake.h.
#include "core/handshake.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/bytes.h"
#include "core/packet.h"
#include "core/stats.h"

namespace netrt {

namespace {

constexpr uint64_t SECONDS = 1000000;
// A token without a time-out still has a bounded wait for the response.
constexpr uint64_t PENDING_TIMEOUT_US = 10 * SECONDS;
// History entries looked at for an expired one before a request is refused.
constexpr uint32_t TOKEN_PROBES = 8;
constexpr uint32_t TAG_WORDS = TAG_BYTES / 4;

bool isOwnAddress(const Handshake& handshake);

// Where randomness and packets have little-endian integers.
uint64_t wordOf(const uint8_t* bytes, size_t offset, size_t count) {
  uint64_t value = 0;
  for (size_t index = 0; index < count; index++) {
    value |= uint64_t{bytes[offset + index]} << (8 * index);
  }
  return value;
}

}  // namespace

bool handshakeOpen(Handshake& handshake, const HostConfig& config, const uint8_t* privateKey,
                   const uint8_t* entropy) {
  NETRT_ASSERT(config.pendingMax > 0 && config.tokensMax > 0);
  handshake.config = &config;
  std::memcpy(handshake.privateKey, privateKey, KEY_BYTES);
  const bool sealed = sealKeyOpen(handshake.challengeKey) && sealKeyOpen(handshake.scratchKey) &&
                      sealScratchOpen(handshake.tokenScratch);
  handshake.pendings = static_cast<Pending*>(std::calloc(config.pendingMax, sizeof(Pending)));
  handshake.pendingFree = static_cast<uint32_t*>(std::calloc(config.pendingMax, sizeof(uint32_t)));
  handshake.tokens = static_cast<Handshake::UsedToken*>(
      std::calloc(config.tokensMax, sizeof(Handshake::UsedToken)));
  if (!sealed || handshake.pendings == nullptr || handshake.pendingFree == nullptr ||
      handshake.tokens == nullptr || !tableOpen(handshake.pendingTable, config.pendingMax) ||
      !timersOpen(handshake.pendingTimers, config.pendingMax) ||
      !tableOpen(handshake.tokenTable, config.tokensMax)) {
    return false;
  }
  sealKeySet(handshake.challengeKey, entropy, 0);
  constexpr uint64_t SEQUENCE_MASK = 0x3fffffffffffffff;
  const uint64_t random = wordOf(entropy, ENTROPY_SEQUENCE, 8);
  handshake.globalSequence = (random & SEQUENCE_MASK) | uint64_t{1} << 63;
  for (uint32_t index = 0; index < SIP_KEY_WORDS; index++) {
    handshake.hashKey[index] =
        static_cast<uint32_t>(wordOf(entropy, ENTROPY_HASH_KEY + 4 * index, 4));
  }
  for (uint32_t index = 0; index < config.pendingMax; index++) {
    handshake.pendingFree[index] = config.pendingMax - 1 - index;
  }
  handshake.pendingFreeCount = config.pendingMax;
  return true;
}

void handshakeClose(Handshake& handshake) {
  while (timersNext(handshake.pendingTimers) != NO_DEADLINE) {
    pendingRemove(handshake, handshake.pendings[timersFirst(handshake.pendingTimers)]);
  }
  sealWipe(handshake.privateKey, KEY_BYTES);
  sealWipe(handshake.privateToken.clientToServerKey, KEY_BYTES);
  sealWipe(handshake.privateToken.serverToClientKey, KEY_BYTES);
  sealWipe(handshake.scratch, sizeof(handshake.scratch));
  sealKeyClose(handshake.challengeKey);
  sealKeyClose(handshake.scratchKey);
  sealScratchClose(handshake.tokenScratch);
  std::free(handshake.pendings);
  std::free(handshake.pendingFree);
  std::free(handshake.tokens);
  handshake.pendings = nullptr;
  handshake.pendingFree = nullptr;
  handshake.tokens = nullptr;
  tableClose(handshake.pendingTable);
  timersClose(handshake.pendingTimers);
  tableClose(handshake.tokenTable);
}

// ---- The pending clients ----

Pending* pendingFind(const Handshake& handshake, const Address& address) {
  const Table& table = handshake.pendingTable;
  uint32_t index = tableFirst(table, addressHash(address, handshake.hashKey));
  while (index != NO_INDEX) {
    if (addressEqual(handshake.pendings[index].address, address)) return &handshake.pendings[index];
    index = tableNext(table, index);
  }
  return nullptr;
}

namespace {

void pendingTouch(Handshake& handshake, const Pending& pending, uint64_t nowUs) {
  const int32_t seconds = pending.timeoutSeconds;
  const uint64_t timeoutUs =
      seconds > 0 ? static_cast<uint64_t>(seconds) * SECONDS : PENDING_TIMEOUT_US;
  timersSet(handshake.pendingTimers, pending.index, nowUs + timeoutUs);
}

}  // namespace

void pendingRemove(Handshake& handshake, Pending& pending) {
  tableRemove(handshake.pendingTable, pending.index);
  timersSet(handshake.pendingTimers, pending.index, NO_DEADLINE);
  sealWipe(pending.keys, sizeof(pending.keys));
  handshake.pendingFree[handshake.pendingFreeCount] = pending.index;
  handshake.pendingFreeCount += 1;
}

void pendingExpire(Handshake& handshake, uint64_t nowUs) {
  while (timersNext(handshake.pendingTimers) <= nowUs) {
    pendingRemove(handshake, handshake.pendings[timersFirst(handshake.pendingTimers)]);
  }
}

uint64_t pendingDeadlineUs(const Handshake& handshake) {
  return timersNext(handshake.pendingTimers);
}

// ---- The history of tokens ----

namespace {

bool tagEqual(const uint8_t* tag, const uint8_t* bytes, size_t offset) {
  uint32_t difference = 0;
  for (size_t index = 0; index < TAG_BYTES; index++)
    difference |= tag[index] ^ bytes[offset + index];
  return difference == 0;
}

// The history's entry for the token with this tag, or NO_INDEX.
uint32_t tokenFind(const Handshake& handshake, uint32_t hash, const uint8_t* bytes, size_t offset) {
  uint32_t index = tableFirst(handshake.tokenTable, hash);
  while (index != NO_INDEX && !tagEqual(handshake.tokens[index].tag, bytes, offset)) {
    index = tableNext(handshake.tokenTable, index);
  }
  return index;
}

// A free or expired entry, or NO_INDEX: what has not expired is never forgotten.
uint32_t tokenRoom(Handshake& handshake, uint64_t unixSeconds) {
  const uint32_t count = handshake.config->tokensMax;
  for (uint32_t probe = 0; probe < std::min(TOKEN_PROBES, count); probe++) {
    const uint32_t index = handshake.tokenNext;
    handshake.tokenNext = (index + 1) % count;
    Handshake::UsedToken& token = handshake.tokens[index];
    if (!token.used) return index;
    if (token.expireSeconds <= unixSeconds) {
      tableRemove(handshake.tokenTable, index);
      token.used = false;
      return index;
    }
  }
  return NO_INDEX;
}

uint32_t tagHash(const Handshake& handshake, const uint8_t* bytes, size_t offset) {
  uint32_t words[TAG_WORDS];
  for (uint32_t index = 0; index < TAG_WORDS; index++) {
    words[index] = static_cast<uint32_t>(wordOf(bytes, offset + 4 * index, 4));
  }
  return sipHash(handshake.hashKey, words, TAG_WORDS);
}

// Looks the token up, or enters it; answers its entry through `handshake.found`.
int tokenCheck(Handshake& handshake, const Address& address, const uint8_t* bytes, size_t tagOffset,
               uint64_t expireSeconds, uint64_t unixSeconds) {
  const uint32_t hash = tagHash(handshake, bytes, tagOffset);
  uint32_t index = tokenFind(handshake, hash, bytes, tagOffset);
  if (index != NO_INDEX) {
    const Handshake::UsedToken& known = handshake.tokens[index];
    handshake.found = index;
    return known.consumed || !addressEqual(known.address, address) ? REJECT_TOKEN_USED
                                                                   : REJECT_NONE;
  }
  index = tokenRoom(handshake, unixSeconds);
  if (index == NO_INDEX) return REJECT_RESOURCES;
  Handshake::UsedToken& token = handshake.tokens[index];
  std::memcpy(token.tag, bytes + tagOffset, TAG_BYTES);
  addressCopy(token.address, address);
  token.expireSeconds = expireSeconds;
  token.used = true;
  token.consumed = false;
  tableInsert(handshake.tokenTable, hash, index);
  handshake.found = index;
  return REJECT_NONE;
}

}  // namespace

void tokenConsume(Handshake& handshake, const Pending& pending) {
  handshake.tokens[pending.token].consumed = true;
}

// ---- The request (R-7) ----

int requestOpen(Handshake& handshake, const uint8_t* bytes, size_t offset, size_t length,
                uint64_t unixSeconds) {
  Request& request = handshake.request;
  if (!requestRead(bytes, offset, length, request)) return REJECT_VERSION;
  if (request.protocolId != handshake.config->protocolId) return REJECT_PROTOCOL;
  if (request.expireTimestamp <= unixSeconds) return REJECT_EXPIRED;
  tokenAssociatedData(request.protocolId, request.expireTimestamp, handshake.tokenAssociated);
  std::memcpy(handshake.scratch, bytes + request.privateOffset, TOKEN_PRIVATE_BYTES);
  const int plainBytes = openToken(handshake.tokenScratch, handshake.privateKey, request.nonce,
                                   handshake.tokenAssociated, TOKEN_ASSOCIATED_BYTES,
                                   handshake.scratch, 0, TOKEN_PRIVATE_BYTES);
  if (plainBytes < 0 || !tokenPrivateRead(handshake.scratch, 0, static_cast<size_t>(plainBytes),
                                          handshake.privateToken)) {
    return REJECT_TOKEN;
  }
  return isOwnAddress(handshake) ? REJECT_NONE : REJECT_SERVER;
}

namespace {

bool isOwnAddress(const Handshake& handshake) {
  const PrivateToken& token = handshake.privateToken;
  const HostConfig& config = *handshake.config;
  for (uint32_t index = 0; index < token.serverCount; index++) {
    for (uint32_t own = 0; own < config.addressCount; own++) {
      if (addressEqual(token.servers[index], config.addresses[own])) return true;
    }
  }
  return false;
}

}  // namespace

int requestToken(Handshake& handshake, const Address& address, const uint8_t* bytes,
                 uint64_t unixSeconds) {
  const Request& request = handshake.request;
  return tokenCheck(handshake, address, bytes,
                    request.privateOffset + TOKEN_PRIVATE_BYTES - TAG_BYTES,
                    request.expireTimestamp, unixSeconds);
}

Pending* requestPend(Handshake& handshake, const Address& address, uint64_t nowUs) {
  Pending* pending = pendingFind(handshake, address);
  if (pending == nullptr) {
    if (handshake.pendingFreeCount == 0) return nullptr;
    handshake.pendingFreeCount -= 1;
    const uint32_t free = handshake.pendingFree[handshake.pendingFreeCount];
    pending = &handshake.pendings[free];
    pending->index = free;
    addressCopy(pending->address, address);
    tableInsert(handshake.pendingTable, addressHash(address, handshake.hashKey), free);
  }
  const PrivateToken& token = handshake.privateToken;
  pending->clientId = token.clientId;
  std::memcpy(pending->keys, token.clientToServerKey, KEY_BYTES);
  std::memcpy(pending->keys + KEY_BYTES, token.serverToClientKey, KEY_BYTES);
  pending->timeoutSeconds = token.timeoutSeconds;
  pending->token = handshake.found;
  pendingTouch(handshake, *pending, nowUs);
  return pending;
}

uint64_t timeoutUsOf(int32_t timeoutSeconds) {
  return timeoutSeconds > 0 ? static_cast<uint64_t>(timeoutSeconds) * SECONDS : NO_DEADLINE;
}

// ---- Packets sent before a slot exists (R-12) ----

namespace {

size_t preSlotSeal(Handshake& handshake, uint8_t type, const uint8_t* key, size_t keyOffset,
                   uint8_t* out, size_t offset, size_t bodyBytes) {
  const uint64_t sequence = handshake.globalSequence;
  const size_t headerBytes = packetHeaderWrite(type, sequence, out, offset);
  packetAssociatedData(handshake.config->protocolId, out[offset], handshake.packetAssociated);
  sealKeySet(handshake.scratchKey, key, keyOffset);
  const int sealedBytes = sealPacket(handshake.scratchKey, sequence, handshake.packetAssociated,
                                     PACKET_ASSOCIATED_BYTES, out, offset + headerBytes, bodyBytes);
  handshake.globalSequence += 1;
  // A cipher that fails gives no packet: the stranger asks again.
  return sealedBytes < 0 ? 0 : headerBytes + static_cast<size_t>(sealedBytes);
}

// Bytes before the body of a packet with an eight-byte sequence.
constexpr size_t PRE_SLOT_HEADER_BYTES = 9;

}  // namespace

size_t deniedWrite(Handshake& handshake, const uint8_t* serverToClientKey, size_t keyOffset,
                   uint8_t* out, size_t offset) {
  return preSlotSeal(handshake, PACKET_DENIED, serverToClientKey, keyOffset, out, offset, 0);
}

size_t challengeWrite(Handshake& handshake, uint8_t* out, size_t offset) {
  const PrivateToken& token = handshake.privateToken;
  ChallengeToken& challenge = handshake.challenge;
  challenge.clientId = token.clientId;
  std::memcpy(challenge.userData, token.userData, USER_DATA_BYTES);
  const size_t body = offset + PRE_SLOT_HEADER_BYTES;
  const uint64_t sequence = handshake.challengeSequence;
  handshake.challengeSequence += 1;
  for (size_t index = 0; index < 8; index++) {
    out[body + index] = static_cast<uint8_t>(sequence >> (8 * index));
  }
  tokenChallengeWrite(challenge, out, body + 8);
  // Without the cipher there is no packet: unsealed, the token's user data once went out in it.
  if (sealPacket(handshake.challengeKey, sequence, nullptr, 0, out, body + 8,
                 CHALLENGE_TOKEN_PLAIN_BYTES) < 0) {
    return 0;
  }
  return preSlotSeal(handshake, PACKET_CHALLENGE, token.serverToClientKey, 0, out, offset,
                     CHALLENGE_BODY_BYTES);
}

// ---- The response (R-10) ----

int responseOpen(Handshake& handshake, const Pending& pending, const uint8_t* bytes,
                 size_t offset) {
  const uint64_t sequence = wordOf(bytes, offset, 8);
  std::memcpy(handshake.scratch, bytes + offset + 8, CHALLENGE_TOKEN_BYTES);
  const int plainBytes = openPacket(handshake.challengeKey, sequence, nullptr, 0, handshake.scratch,
                                    0, CHALLENGE_TOKEN_BYTES);
  ChallengeToken& challenge = handshake.challenge;
  if (plainBytes < 0) return REJECT_CHALLENGE;
  // Its length is right: all that are sealed have the same.
  tokenChallengeRead(handshake.scratch, 0, static_cast<size_t>(plainBytes), challenge);
  // The standard doesn't ask for it: a challenge answers the token that it was made for.
  return challenge.clientId == pending.clientId ? REJECT_NONE : REJECT_CHALLENGE;
}

}  // namespace netrt
