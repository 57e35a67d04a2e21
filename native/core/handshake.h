// Owns a NETCODE server's way from a stranger's request to a client that may have a slot: the
// pending clients (the standard's encryption mappings), the history of used tokens, the challenge
// key and the sequence of packets sent before a slot exists.
// Never assigns a slot (the host does), never sends: it writes replies into the caller's memory.
// Invariants: a stranger without a sealed token costs no memory; a token is pending from one
// address, then consumed, and never again anything else until it has expired.
#ifndef NETRT_CORE_HANDSHAKE_H_
#define NETRT_CORE_HANDSHAKE_H_

#include <cstddef>
#include <cstdint>

#include "core/address.h"
#include "core/config.h"
#include "core/limits.h"
#include "core/seal.h"
#include "core/sip.h"
#include "core/table.h"
#include "core/timers.h"
#include "core/token.h"

namespace netrt {

// A client that showed a valid token and has not answered the challenge yet.
struct Pending {
  uint32_t index = 0;
  Address address;
  uint64_t clientId = 0;
  // Client to server, then server to client.
  uint8_t keys[2 * KEY_BYTES] = {};
  int32_t timeoutSeconds = 0;
  // Its entry in the history.
  uint32_t token = NO_INDEX;
};

struct Handshake {
  struct UsedToken {
    uint64_t expireSeconds = 0;
    uint8_t tag[TAG_BYTES] = {};
    Address address;
    bool used = false;
    bool consumed = false;
  };

  const HostConfig* config = nullptr;
  uint8_t privateKey[KEY_BYTES] = {};
  uint32_t hashKey[SIP_KEY_WORDS] = {};
  SealKey challengeKey;
  uint64_t challengeSequence = 0;
  // Number of the next packet sent before a slot exists: 2^63 and 62 random bits on.
  uint64_t globalSequence = 0;
  Pending* pendings = nullptr;
  uint32_t* pendingFree = nullptr;
  uint32_t pendingFreeCount = 0;
  Table pendingTable;
  Timers pendingTimers;
  UsedToken* tokens = nullptr;
  Table tokenTable;
  uint32_t tokenNext = 0;
  // The entry that the last request's token has.
  uint32_t found = NO_INDEX;
  Request request;
  PrivateToken privateToken;
  ChallengeToken challenge;
  SealKey scratchKey;
  SealScratch tokenScratch;
  uint8_t scratch[TOKEN_PRIVATE_BYTES] = {};
  uint8_t tokenAssociated[TOKEN_ASSOCIATED_BYTES] = {};
  uint8_t packetAssociated[PACKET_ASSOCIATED_BYTES] = {};
};

// Takes all memory and contexts; false when there is none (handshakeClose gives back what it took).
bool handshakeOpen(Handshake& handshake, const HostConfig& config, const uint8_t* privateKey,
                   const uint8_t* entropy);

// Forgets every key and gives the memory back.
void handshakeClose(Handshake& handshake);

// ---- The pending clients ----

// The pending client at an address, or null.
Pending* pendingFind(const Handshake& handshake, const Address& address);

void pendingRemove(Handshake& handshake, Pending& pending);

// Ends the pending clients that were silent for too long.
void pendingExpire(Handshake& handshake, uint64_t nowUs);

uint64_t pendingDeadlineUs(const Handshake& handshake);

// ---- The history of tokens ----

// The token of this pending client got a slot: it is never accepted again.
void tokenConsume(Handshake& handshake, const Pending& pending);

// ---- The request (R-7) ----

// Opens the private token of a request into handshake.privateToken; a reason why not, or
// REJECT_NONE.
int requestOpen(Handshake& handshake, const uint8_t* bytes, size_t offset, size_t length,
                uint64_t unixSeconds);

// Enters the token of an opened request into the history; a reason why not, or REJECT_NONE.
int requestToken(Handshake& handshake, const Address& address, const uint8_t* bytes,
                 uint64_t unixSeconds);

// Makes the client of an opened request pending; null when there is no room.
Pending* requestPend(Handshake& handshake, const Address& address, uint64_t nowUs);

// Microseconds of silence that a token allows; NO_DEADLINE where it sets no limit.
uint64_t timeoutUsOf(int32_t timeoutSeconds);

// ---- Packets sent before a slot exists (R-12) ----

// Writes "denied" for a client whose keys are in handshake.privateToken or in a pending entry.
size_t deniedWrite(Handshake& handshake, const uint8_t* serverToClientKey, size_t keyOffset,
                   uint8_t* out, size_t offset);

// Writes a challenge with the client id and user data of handshake.privateToken.
size_t challengeWrite(Handshake& handshake, uint8_t* out, size_t offset);

// ---- The response (R-10) ----

// Opens the challenge token of a response into handshake.challenge, for this pending client.
int responseOpen(Handshake& handshake, const Pending& pending, const uint8_t* bytes, size_t offset);

}  // namespace netrt

#endif  // NETRT_CORE_HANDSHAKE_H_
