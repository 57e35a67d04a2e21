// The target `token`: every layout of tokens, the decrypted ones included. What is accepted is
// written again as the same bytes up to the padding, and read again as the same values.
//
// Input: which layout, then its bytes. Odd: exactly those; even: zeros after them up to the size
// that the layout has.
#include "core/token.h"

#include <algorithm>
#include <cstring>

#include "core/limits.h"
#include "core/seal.h"
#include "targets.h"

namespace netrt::fuzz {

namespace {

constexpr uint8_t KINDS = 5;

size_t serversBytes(const Address* servers, uint32_t count) {
  size_t bytes = 4;
  for (uint32_t index = 0; index < count; index++) {
    bytes += servers[index].type == ADDRESS_IPV4 ? 7 : ADDRESS_BYTES_MAX;
  }
  return bytes;
}

template <typename Token>
using Read = bool (*)(const uint8_t* bytes, size_t offset, size_t length, Token& token);
template <typename Token>
using Write = bool (*)(const Token& token, uint8_t* bytes, size_t offset);

// Reads, writes, and reads what was written. `used`: the bytes before the padding, as read.
template <typename Token, typename Used>
bool roundTrip(const uint8_t* bytes, size_t length, Read<Token> read, Write<Token> write,
               size_t writtenBytes, Used used) {
  static Token token;
  static Token again;
  static uint8_t out[TOKEN_PUBLIC_BYTES];
  static uint8_t twice[TOKEN_PUBLIC_BYTES];
  const bool lawful = read(bytes, 0, length, token);
  emit8(lawful ? 1 : 0);
  if (!lawful) return false;
  FUZZ_CHECK(write(token, out, 0));
  const size_t kept = used(token);
  FUZZ_CHECK(kept <= length && std::memcmp(out, bytes, kept) == 0);
  for (size_t index = kept; index < writtenBytes; index++) FUZZ_CHECK(out[index] == 0);
  FUZZ_CHECK(read(out, 0, length, again));
  FUZZ_CHECK(write(again, twice, 0));
  FUZZ_CHECK(std::memcmp(out, twice, writtenBytes) == 0);
  emit(out, writtenBytes);
  return true;
}

size_t privateUsed(const PrivateToken& token) {
  return 8 + 4 + serversBytes(token.servers, token.serverCount) + 2 * KEY_BYTES + USER_DATA_BYTES;
}

size_t publicUsed(const ConnectToken& token) {
  return VERSION_BYTES + 8 + 8 + 8 + TOKEN_NONCE_BYTES + TOKEN_PRIVATE_BYTES + 4 +
         serversBytes(token.servers, token.serverCount) + 2 * KEY_BYTES;
}

size_t challengeUsed(const ChallengeToken&) { return 8 + USER_DATA_BYTES; }

void privateRound(const uint8_t* bytes, size_t length) {
  roundTrip<PrivateToken>(bytes, length, tokenPrivateRead, tokenPrivateWrite, TOKEN_PRIVATE_BYTES,
                          privateUsed);
}

void requestRound(const uint8_t* bytes, size_t length) {
  static ConnectToken token;
  static uint8_t out[REQUEST_BYTES];
  Request request;
  const bool lawful = requestRead(bytes, 0, length, request);
  emit8(lawful ? 1 : 0);
  if (!lawful) return;
  FUZZ_CHECK(request.privateOffset + TOKEN_PRIVATE_BYTES == length);
  token.protocolId = request.protocolId;
  token.expireTimestamp = request.expireTimestamp;
  std::memcpy(token.nonce, request.nonce, TOKEN_NONCE_BYTES);
  std::memcpy(token.privateBytes, bytes + request.privateOffset, TOKEN_PRIVATE_BYTES);
  FUZZ_CHECK(requestWrite(token, out, 0));
  FUZZ_CHECK(std::memcmp(out, bytes, REQUEST_BYTES) == 0);
  emit(out, REQUEST_BYTES);
}

// A private token as a server gets it: sealed by somebody who has the key.
void sealedRound(const uint8_t* plain) {
  static SealScratch scratch;
  if (!scratch.key.open) {
    FUZZ_CHECK(sealInit() != nullptr && sealScratchOpen(scratch));
  }
  static uint8_t bytes[TOKEN_PRIVATE_BYTES];
  const uint8_t key[KEY_BYTES] = {1, 2, 3};
  const uint8_t nonce[TOKEN_NONCE_BYTES] = {4, 5, 6};
  uint8_t associated[TOKEN_ASSOCIATED_BYTES];
  tokenAssociatedData(7, 8, associated);
  std::memcpy(bytes, plain, TOKEN_PRIVATE_PLAIN_BYTES);
  const int sealed = sealToken(scratch, key, nonce, associated, TOKEN_ASSOCIATED_BYTES, bytes, 0,
                               TOKEN_PRIVATE_PLAIN_BYTES);
  FUZZ_CHECK(sealed == static_cast<int>(TOKEN_PRIVATE_BYTES));
  emit(bytes, TOKEN_PRIVATE_BYTES);
  const int opened = openToken(scratch, key, nonce, associated, TOKEN_ASSOCIATED_BYTES, bytes, 0,
                               TOKEN_PRIVATE_BYTES);
  FUZZ_CHECK(opened == static_cast<int>(TOKEN_PRIVATE_PLAIN_BYTES));
  FUZZ_CHECK(std::memcmp(bytes, plain, TOKEN_PRIVATE_PLAIN_BYTES) == 0);
  privateRound(bytes, static_cast<size_t>(opened));
}

}  // namespace

void tokenTarget(const uint8_t* data, size_t size) {
  constexpr size_t SIZES[KINDS] = {TOKEN_PRIVATE_PLAIN_BYTES, TOKEN_PUBLIC_BYTES,
                                   CHALLENGE_TOKEN_PLAIN_BYTES, REQUEST_BYTES,
                                   TOKEN_PRIVATE_PLAIN_BYTES};
  if (size == 0) return;
  const uint8_t kind = (data[0] >> 1) % KINDS;
  const bool exact = (data[0] & 1) != 0 && kind != 4;
  static uint8_t padded[TOKEN_PUBLIC_BYTES];
  const uint8_t* bytes = data + 1;
  size_t length = size - 1;
  if (!exact) {
    const size_t kept = std::min(length, SIZES[kind]);
    std::memcpy(padded, bytes, kept);
    std::memset(padded + kept, 0, SIZES[kind] - kept);
    bytes = padded;
    length = SIZES[kind];
  }
  switch (kind) {
    case 0:
      return privateRound(bytes, length);
    case 1:
      roundTrip<ConnectToken>(bytes, length, tokenPublicRead, tokenPublicWrite, TOKEN_PUBLIC_BYTES,
                              publicUsed);
      return;
    case 2:
      roundTrip<ChallengeToken>(bytes, length, tokenChallengeRead, tokenChallengeWrite,
                                CHALLENGE_TOKEN_BYTES, challengeUsed);
      return;
    case 3:
      return requestRound(bytes, length);
    default:
      return sealedRound(bytes);
  }
}

}  // namespace netrt::fuzz
