// Owns the layouts of NETCODE's tokens and of the connection request that carries one: the connect
// token (public, for the client), the private token inside it (for the server), the challenge token
// (the server's own).
// Never seals or opens, and never judges time, protocol or address: seal and handshake do.
// Invariants: writing fills the whole fixed size with zeros after the data; reading checks every
// field it depends on and answers false, never more, to bytes that are not such a token. Padding is
// not checked: the tag covers the private token's, and the reference does not look at the public
// one's.
#ifndef NETRT_CORE_TOKEN_H_
#define NETRT_CORE_TOKEN_H_

#include <cstddef>
#include <cstdint>

#include "core/address.h"
#include "core/limits.h"

namespace netrt {

// What only the servers can open.
struct PrivateToken {
  uint64_t clientId = 0;
  // Seconds without a packet until either side gives up; none below 1.
  int32_t timeoutSeconds = 0;
  uint32_t serverCount = 0;
  // The first `serverCount` count.
  Address servers[TOKEN_SERVERS_MAX];
  uint8_t clientToServerKey[KEY_BYTES] = {};
  uint8_t serverToClientKey[KEY_BYTES] = {};
  uint8_t userData[USER_DATA_BYTES] = {};
};

// What a backend hands to a client.
struct ConnectToken {
  uint64_t protocolId = 0;
  // Unix time in seconds.
  uint64_t createTimestamp = 0;
  // Unix time in seconds.
  uint64_t expireTimestamp = 0;
  uint8_t nonce[TOKEN_NONCE_BYTES] = {};
  // The private token, sealed.
  uint8_t privateBytes[TOKEN_PRIVATE_BYTES] = {};
  // Seconds without a packet until either side gives up; none below 1.
  int32_t timeoutSeconds = 0;
  uint32_t serverCount = 0;
  // The first `serverCount` count.
  Address servers[TOKEN_SERVERS_MAX];
  uint8_t clientToServerKey[KEY_BYTES] = {};
  uint8_t serverToClientKey[KEY_BYTES] = {};
};

// What a server hands to an address, and gets back from it if the address is real.
struct ChallengeToken {
  uint64_t clientId = 0;
  uint8_t userData[USER_DATA_BYTES] = {};
};

// A connection request, read. The private token stays where it arrived.
struct Request {
  uint64_t protocolId = 0;
  // Unix time in seconds.
  uint64_t expireTimestamp = 0;
  uint8_t nonce[TOKEN_NONCE_BYTES] = {};
  // Index of the sealed private token, TOKEN_PRIVATE_BYTES long, in the bytes that were read.
  size_t privateOffset = 0;
};

// ---- Private connect token ----

// Writes the plain private token to TOKEN_PRIVATE_BYTES at `offset`, the tag's place zero.
bool tokenPrivateWrite(const PrivateToken& token, uint8_t* bytes, size_t offset);

// Reads a private token that was opened: TOKEN_PRIVATE_PLAIN_BYTES.
bool tokenPrivateRead(const uint8_t* bytes, size_t offset, size_t length, PrivateToken& token);

// Writes what the private token's tag covers besides it: TOKEN_ASSOCIATED_BYTES at `out`'s start.
void tokenAssociatedData(uint64_t protocolId, uint64_t expireTimestamp, uint8_t* out);

// ---- Connect token ----

// Writes the connect token to TOKEN_PUBLIC_BYTES at `offset`.
bool tokenPublicWrite(const ConnectToken& token, uint8_t* bytes, size_t offset);

// Reads a connect token: exactly TOKEN_PUBLIC_BYTES, of this version, not expired when created.
bool tokenPublicRead(const uint8_t* bytes, size_t offset, size_t length, ConnectToken& token);

// ---- Challenge token ----

// Writes the plain challenge token to CHALLENGE_TOKEN_BYTES at `offset`, the tag's place zero.
bool tokenChallengeWrite(const ChallengeToken& token, uint8_t* bytes, size_t offset);

// Reads a challenge token that was opened: CHALLENGE_TOKEN_PLAIN_BYTES.
bool tokenChallengeRead(const uint8_t* bytes, size_t offset, size_t length, ChallengeToken& token);

// ---- Connection request ----

// Writes the request that carries the token: REQUEST_BYTES at `offset`.
bool requestWrite(const ConnectToken& token, uint8_t* bytes, size_t offset);

// Reads a request: exactly REQUEST_BYTES, prefix byte 0, of this version.
bool requestRead(const uint8_t* bytes, size_t offset, size_t length, Request& request);

}  // namespace netrt

#endif  // NETRT_CORE_TOKEN_H_
