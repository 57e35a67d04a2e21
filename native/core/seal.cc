// Sealing and opening over a provider: see seal.h.
#include "core/seal.h"

#include <cstdlib>
#include <cstring>

#include "core/provider.h"

namespace netrt {

namespace {

// Words 0 to 3 of ChaCha20's input: "expand 32-byte k".
constexpr uint32_t CONSTANTS[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

const SealProvider* provider();

bool keyOpenWith(const SealProvider* from, SealKey& key) {
  sealWipe(key.bytes, KEY_BYTES);
  key.suite = SUITE_CHACHA;
  key.ready = false;
  key.open = from != nullptr && from->keyOpen(key);
  return key.open;
}

void nonceSet(uint8_t* nonce, uint64_t sequence) {
  for (size_t index = 0; index < 4; index++) nonce[index] = 0;
  for (size_t index = 0; index < 8; index++) {
    nonce[4 + index] = static_cast<uint8_t>(sequence >> (8 * index));
  }
}

}  // namespace

bool sealKeyOpen(SealKey& key) { return keyOpenWith(provider(), key); }

void sealKeyClose(SealKey& key) {
  if (!key.open) return;
  sealWipe(key.bytes, KEY_BYTES);
  provider()->keyClose(key);
  key.open = false;
  key.ready = false;
}

void sealKeySet(SealKey& key, const uint8_t* bytes, size_t offset) {
  sealSuiteSet(key, SUITE_CHACHA, bytes, offset);
}

void sealSuiteSet(SealKey& key, uint8_t suite, const uint8_t* bytes, size_t offset) {
  NETRT_ASSERT(key.open);
  const bool changed = key.suite != suite;
  key.suite = suite;
  std::memcpy(key.bytes, bytes + offset, KEY_BYTES);
  key.ready = provider()->keySet(key, changed);
}

void sealKeyClear(SealKey& key) {
  sealWipe(key.bytes, KEY_BYTES);
  // The provider's context has a copy: it gets the zeros as well.
  if (key.open) provider()->keySet(key, false);
  key.ready = false;
}

void sealWipe(uint8_t* bytes, size_t count) {
  volatile uint8_t* target = bytes;
  for (size_t index = 0; index < count; index++) target[index] = 0;
}

bool sealScratchOpen(SealScratch& scratch) {
  if (!sealKeyOpen(scratch.key)) return false;
  if (provider()->blockOpen(&scratch.block)) return true;
  sealKeyClose(scratch.key);
  return false;
}

void sealScratchClose(SealScratch& scratch) {
  if (!scratch.key.open) return;
  sealKeyClose(scratch.key);
  provider()->blockClose(scratch.block);
  scratch.block = nullptr;
}

namespace {

int aeadSealWith(const SealProvider* from, SealKey& key, const uint8_t* nonce,
                 const uint8_t* associated, size_t associatedBytes, uint8_t* bytes, size_t offset,
                 size_t length) {
  if (!key.ready || length > PAYLOAD_BYTES_MAX) return -1;
  if (!from->seal(key, nonce, associated, associatedBytes, bytes + offset, length)) return -1;
  return static_cast<int>(length + TAG_BYTES);
}

int aeadOpenWith(const SealProvider* from, SealKey& key, const uint8_t* nonce,
                 const uint8_t* associated, size_t associatedBytes, uint8_t* bytes, size_t offset,
                 size_t length) {
  if (!key.ready || length < TAG_BYTES || length > PAYLOAD_BYTES_MAX + TAG_BYTES) return -1;
  const size_t bodyBytes = length - TAG_BYTES;
  if (!from->open(key, nonce, associated, associatedBytes, bytes + offset, bodyBytes)) return -1;
  return static_cast<int>(bodyBytes);
}

}  // namespace

int aeadSeal(SealKey& key, const uint8_t* nonce, const uint8_t* associated, size_t associatedBytes,
             uint8_t* bytes, size_t offset, size_t length) {
  return aeadSealWith(provider(), key, nonce, associated, associatedBytes, bytes, offset, length);
}

int aeadOpen(SealKey& key, const uint8_t* nonce, const uint8_t* associated, size_t associatedBytes,
             uint8_t* bytes, size_t offset, size_t length) {
  return aeadOpenWith(provider(), key, nonce, associated, associatedBytes, bytes, offset, length);
}

int sealPacket(SealKey& key, uint64_t sequence, const uint8_t* associated, size_t associatedBytes,
               uint8_t* bytes, size_t offset, size_t length) {
  uint8_t nonce[NONCE_BYTES];
  nonceSet(nonce, sequence);
  return aeadSeal(key, nonce, associated, associatedBytes, bytes, offset, length);
}

int openPacket(SealKey& key, uint64_t sequence, const uint8_t* associated, size_t associatedBytes,
               uint8_t* bytes, size_t offset, size_t length) {
  uint8_t nonce[NONCE_BYTES];
  nonceSet(nonce, sequence);
  return aeadOpen(key, nonce, associated, associatedBytes, bytes, offset, length);
}

bool chachaBlock(SealScratch& scratch, const uint8_t* key, const uint8_t* iv, uint8_t* out) {
  NETRT_ASSERT(scratch.key.open);
  return provider()->block(scratch.block, key, iv, out);
}

namespace {

uint32_t word(const uint8_t* bytes, size_t offset) {
  return uint32_t{bytes[offset]} | (uint32_t{bytes[offset + 1]} << 8) |
         (uint32_t{bytes[offset + 2]} << 16) | (uint32_t{bytes[offset + 3]} << 24);
}

// The rest of an XChaCha20 nonce becomes an ordinary one: four zero bytes, then its last eight.
void tokenNonce(uint8_t* nonce, const uint8_t* nonce24) {
  for (size_t index = 0; index < 4; index++) nonce[index] = 0;
  for (size_t index = 0; index < 8; index++) nonce[4 + index] = nonce24[BLOCK_IV_BYTES + index];
}

bool subkeySet(SealScratch& scratch, const uint8_t* key32, const uint8_t* nonce24) {
  uint8_t subkey[KEY_BYTES];
  if (!hchacha(scratch, key32, nonce24, subkey)) return false;
  sealKeySet(scratch.key, subkey, 0);
  sealWipe(subkey, KEY_BYTES);
  return true;
}

}  // namespace

// A block is the rounds' result plus the input, word by word, so the input is taken off again;
// words 0-3 of it are the constants, 12-15 are `iv`.
bool hchacha(SealScratch& scratch, const uint8_t* key, const uint8_t* iv, uint8_t* subkey) {
  uint8_t block[BLOCK_BYTES];
  if (!chachaBlock(scratch, key, iv, block)) return false;
  for (size_t index = 0; index < 4; index++) {
    const uint32_t low = word(block, 4 * index) - CONSTANTS[index];
    const uint32_t high = word(block, 48 + 4 * index) - word(iv, 4 * index);
    for (size_t byte = 0; byte < 4; byte++) {
      subkey[4 * index + byte] = static_cast<uint8_t>(low >> (8 * byte));
      subkey[16 + 4 * index + byte] = static_cast<uint8_t>(high >> (8 * byte));
    }
  }
  sealWipe(block, BLOCK_BYTES);
  return true;
}

int sealToken(SealScratch& scratch, const uint8_t* key32, const uint8_t* nonce24,
              const uint8_t* associated, size_t associatedBytes, uint8_t* bytes, size_t offset,
              size_t length) {
  uint8_t nonce[NONCE_BYTES];
  tokenNonce(nonce, nonce24);
  if (!subkeySet(scratch, key32, nonce24)) return -1;
  return aeadSeal(scratch.key, nonce, associated, associatedBytes, bytes, offset, length);
}

int openToken(SealScratch& scratch, const uint8_t* key32, const uint8_t* nonce24,
              const uint8_t* associated, size_t associatedBytes, uint8_t* bytes, size_t offset,
              size_t length) {
  uint8_t nonce[NONCE_BYTES];
  tokenNonce(nonce, nonce24);
  if (!subkeySet(scratch, key32, nonce24)) return -1;
  return aeadOpen(scratch.key, nonce, associated, associatedBytes, bytes, offset, length);
}

// ---- What session keys are made from ----

bool x25519Public(const uint8_t* secret, uint8_t* publicKey) {
  return provider()->publicKey(secret, publicKey);
}

bool x25519Agree(const uint8_t* secret, const uint8_t* publicKey, uint8_t* shared) {
  return provider()->agree(secret, publicKey, shared);
}

bool hmacSha256(const uint8_t* key, size_t keyBytes, const uint8_t* bytes, size_t count,
                uint8_t* out) {
  return provider()->hmac(key, keyBytes, bytes, count, out);
}

// ---- Choice and proof of the provider ----

namespace {

// RFC 8439, 2.8.2: the tag of its sunscreen text, which covers every byte of the ciphertext.
constexpr char KNOWN_TEXT[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.";
constexpr uint8_t KNOWN_NONCE[NONCE_BYTES] = {0x07, 0,    0,    0,    0x40, 0x41,
                                              0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
constexpr uint8_t KNOWN_ASSOCIATED[12] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
                                          0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
constexpr uint8_t KNOWN_TAG[TAG_BYTES] = {0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a,
                                          0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91};
// RFC 8439, appendix A.1, test vector 1: the block of an all-zero key, counter and nonce.
constexpr uint8_t KNOWN_BLOCK[8] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90};

// NIST's GCM test vectors (gcmEncryptExtIV256.rsp), test case 14 of the GCM specification: the tag
// of sixteen zero bytes under an all-zero key and nonce.
constexpr uint8_t KNOWN_AES_TAG[TAG_BYTES] = {0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0,
                                              0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19};
// RFC 7748, 6.1: Alice's private key, Bob's public key, their shared secret.
constexpr uint8_t KNOWN_SECRET[KEY_BYTES] = {
    0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
    0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
constexpr uint8_t KNOWN_PEER[KEY_BYTES] = {
    0xde, 0x9e, 0xdb, 0x7d, 0x7b, 0x7d, 0xc1, 0xb4, 0xd3, 0x5b, 0x61, 0xc2, 0xec, 0xe4, 0x35, 0x37,
    0x3f, 0x83, 0x43, 0xc8, 0x5b, 0x78, 0x67, 0x4d, 0xad, 0xfc, 0x7e, 0x14, 0x6f, 0x88, 0x2b, 0x4f};
constexpr uint8_t KNOWN_SHARED[KEY_BYTES] = {
    0x4a, 0x5d, 0x9d, 0x5b, 0xa4, 0xce, 0x2d, 0xe1, 0x72, 0x8e, 0x3b, 0xf4, 0x80, 0x35, 0x0f, 0x25,
    0xe0, 0x7e, 0x21, 0xc9, 0x47, 0xd1, 0x9e, 0x33, 0x76, 0xf0, 0x9b, 0x3c, 0x1e, 0x16, 0x17, 0x42};
// RFC 4231, 4.3: HMAC-SHA256 under "Jefe".
constexpr char KNOWN_MAC_TEXT[] = "what do ya want for nothing?";
constexpr uint8_t KNOWN_MAC[8] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e};

bool aesAnswers(const SealProvider* from) {
  const uint8_t nonce[NONCE_BYTES] = {};
  uint8_t bytes[2 * TAG_BYTES] = {};
  SealKey key;
  if (!keyOpenWith(from, key)) return false;
  key.suite = SUITE_AES;
  key.ready = from->keySet(key, true);
  const bool sealed = aeadSealWith(from, key, nonce, nullptr, 0, bytes, 0, TAG_BYTES) > 0;
  const bool right = sealed && std::memcmp(bytes + TAG_BYTES, KNOWN_AES_TAG, TAG_BYTES) == 0;
  bytes[0] ^= 1;
  const bool forged = aeadOpenWith(from, key, nonce, nullptr, 0, bytes, 0, sizeof(bytes)) >= 0;
  bytes[0] ^= 1;
  const bool opened = aeadOpenWith(from, key, nonce, nullptr, 0, bytes, 0, sizeof(bytes)) >= 0;
  from->keyClose(key);
  return right && !forged && opened && bytes[0] == 0;
}

bool keysAnswer(const SealProvider* from) {
  const uint8_t zeros[KEY_BYTES] = {};
  uint8_t out[KEY_BYTES] = {};
  const bool agreed = from->agree(KNOWN_SECRET, KNOWN_PEER, out) &&
                      std::memcmp(out, KNOWN_SHARED, KEY_BYTES) == 0 &&
                      !from->agree(KNOWN_SECRET, zeros, out);
  return agreed &&
         from->hmac(reinterpret_cast<const uint8_t*>("Jefe"), 4,
                    reinterpret_cast<const uint8_t*>(KNOWN_MAC_TEXT), sizeof(KNOWN_MAC_TEXT) - 1,
                    out) &&
         std::memcmp(out, KNOWN_MAC, sizeof(KNOWN_MAC)) == 0;
}

bool aeadAnswers(const SealProvider* from, SealKey& key) {
  const size_t length = sizeof(KNOWN_TEXT) - 1;
  uint8_t bytes[sizeof(KNOWN_TEXT) + TAG_BYTES];
  std::memcpy(bytes, KNOWN_TEXT, length);
  const size_t total = length + TAG_BYTES;
  aeadSealWith(from, key, KNOWN_NONCE, KNOWN_ASSOCIATED, sizeof(KNOWN_ASSOCIATED), bytes, 0,
               length);
  if (std::memcmp(bytes + length, KNOWN_TAG, TAG_BYTES) != 0) return false;
  bytes[0] ^= 1;
  if (aeadOpenWith(from, key, KNOWN_NONCE, KNOWN_ASSOCIATED, sizeof(KNOWN_ASSOCIATED), bytes, 0,
                   total) != -1) {
    return false;
  }
  bytes[0] ^= 1;
  const int opened = aeadOpenWith(from, key, KNOWN_NONCE, KNOWN_ASSOCIATED,
                                  sizeof(KNOWN_ASSOCIATED), bytes, 0, total);
  return opened == static_cast<int>(length) && std::memcmp(bytes, KNOWN_TEXT, length) == 0;
}

bool blockAnswers(const SealProvider* from) {
  const uint8_t zeros[KEY_BYTES] = {};
  uint8_t out[BLOCK_BYTES] = {};
  void* context = nullptr;
  if (!from->blockOpen(&context)) return false;
  const bool made = from->block(context, zeros, zeros, out);
  from->blockClose(context);
  return made && std::memcmp(out, KNOWN_BLOCK, sizeof(KNOWN_BLOCK)) == 0;
}

// Asks what is known: a library that answers wrongly is not used.
bool proven(const SealProvider* from) {
  SealKey key;
  if (!keyOpenWith(from, key)) return false;
  for (size_t index = 0; index < KEY_BYTES; index++) {
    key.bytes[index] = static_cast<uint8_t>(0x80 + index);
  }
  key.ready = from->keySet(key, false);
  const bool answers = aeadAnswers(from, key) && blockAnswers(from) && keysAnswer(from);
  from->keyClose(key);
  return answers;
}

bool allowed(const char* name) {
  const char* only = std::getenv("NETRT_SEAL");
  return only == nullptr || only[0] == '\0' || std::strcmp(only, name) == 0;
}

// libsodium first: it is the one that the build chose, and it depends on no runtime.
const SealProvider* choose() {
  const SealProvider* const candidates[] = {sodiumProvider(), evpProvider()};
  for (const SealProvider* candidate : candidates) {
    if (candidate != nullptr && allowed(candidate->name) && proven(candidate)) {
      return providerSeam(candidate);
    }
  }
  return nullptr;
}

// Chosen at the first call, by one thread while others wait, and constant from then on.
const SealProvider* provider() {
  static const SealProvider* const chosen = choose();
  return chosen;
}

}  // namespace

uint8_t sealSuites() {
  // Proven once, as the provider is.
  static const bool aes = provider() != nullptr && provider()->aes() && aesAnswers(provider());
  return aes ? SUITES_ALWAYS | SUITES_AES : SUITES_ALWAYS;
}

const char* sealInit() { return sealProviderName(); }

const char* sealProviderName() { return provider() == nullptr ? nullptr : provider()->name; }

}  // namespace netrt
