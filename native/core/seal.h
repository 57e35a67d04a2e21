// Owns sealing and opening: ChaCha20-Poly1305-IETF (RFC 8439) for packets and challenge tokens,
// AES-256-GCM (NIST SP 800-38D) for session packets, XChaCha20-Poly1305-IETF
// (draft-irtf-cfrg-xchacha-03) for connect tokens, all in place; X25519 (RFC 7748) and HMAC-SHA256
// (RFC 2104), from which session keys are made.
// Never holds a cipher of its own: the cipher is a provider's (provider.h), chosen and proven once.
// Never allocates after sealKeyOpen and sealScratchOpen, but for x25519.
// Invariants: the nonce of a packet is four zero bytes and its sequence, little-endian (built the
// other way round, as a port once did, it opens nothing). Bytes that do not open are left as they
// came. A key is used with a sequence once; the callers see to that.
#ifndef NETRT_CORE_SEAL_H_
#define NETRT_CORE_SEAL_H_

#include <cstddef>
#include <cstdint>

#include "core/limits.h"

namespace netrt {

// What a key is for.
constexpr uint8_t SUITE_CHACHA = 0;
constexpr uint8_t SUITE_AES = 1;

// A key made ready for many packets. It owns its context: it is opened once, closed once, and not
// copied.
struct SealKey {
  // The provider's cipher context, which keeps the key schedule between packets; may be null.
  void* context = nullptr;
  uint8_t bytes[KEY_BYTES] = {};
  uint8_t suite = SUITE_CHACHA;
  bool open = false;
  bool ready = false;
};

// What keys of a single use need: one per host, for its connect tokens.
struct SealScratch {
  SealKey key;
  void* block = nullptr;
};

// Chooses and proves the provider, once in a process: its name, or null where there is none.
// Thread-safe. NETRT_SEAL=evp or sodium in the environment restricts the choice, for tests.
const char* sealInit();
// Name of the provider that `sealInit` chose.
const char* sealProviderName();

// The suites that `sealInit` proved, and that this machine has the hardware for: SUITES_ALWAYS,
// SUITES_AES.
uint8_t sealSuites();

// Takes what the key needs from the provider; false where memory or provider is missing.
bool sealKeyOpen(SealKey& key);
void sealKeyClose(SealKey& key);
// Takes the key at bytes[offset, offset + 32).
void sealKeySet(SealKey& key, const uint8_t* bytes, size_t offset);
// The same for another suite than ChaCha20-Poly1305.
void sealSuiteSet(SealKey& key, uint8_t suite, const uint8_t* bytes, size_t offset);
// Forgets the key. A cleared key seals and opens nothing.
void sealKeyClear(SealKey& key);

// Zeros that the compiler may not leave out although nobody reads them: for keys that have ended.
void sealWipe(uint8_t* bytes, size_t count);

bool sealScratchOpen(SealScratch& scratch);
void sealScratchClose(SealScratch& scratch);

// Seals bytes[offset, offset + length) in place, with the tag after it, and returns length + 16; or
// -1 for more than a payload.
int aeadSeal(SealKey& key, const uint8_t* nonce, const uint8_t* associated, size_t associatedBytes,
             uint8_t* bytes, size_t offset, size_t length);

// Opens bytes[offset, offset + length), tag included, in place and returns the bytes without the
// tag; or -1, with the bytes as they were, where the tag does not fit.
int aeadOpen(SealKey& key, const uint8_t* nonce, const uint8_t* associated, size_t associatedBytes,
             uint8_t* bytes, size_t offset, size_t length);

// Seals a packet's body, or a challenge token with no associated data; see `aeadSeal`.
int sealPacket(SealKey& key, uint64_t sequence, const uint8_t* associated, size_t associatedBytes,
               uint8_t* bytes, size_t offset, size_t length);

// Opens a packet's body, or a challenge token with no associated data; see `aeadOpen`.
int openPacket(SealKey& key, uint64_t sequence, const uint8_t* associated, size_t associatedBytes,
               uint8_t* bytes, size_t offset, size_t length);

// One ChaCha20 block, 64 bytes: `iv` is the counter and the nonce, 16 bytes.
bool chachaBlock(SealScratch& scratch, const uint8_t* key, const uint8_t* iv, uint8_t* out);

// HChaCha20: ChaCha20's rounds without the final addition, words 0-3 and 12-15 of the result.
bool hchacha(SealScratch& scratch, const uint8_t* key, const uint8_t* iv, uint8_t* subkey);

// Seals a private connect token in place; see `aeadSeal`.
int sealToken(SealScratch& scratch, const uint8_t* key32, const uint8_t* nonce24,
              const uint8_t* associated, size_t associatedBytes, uint8_t* bytes, size_t offset,
              size_t length);

// Opens a private connect token in place; see `aeadOpen`.
int openToken(SealScratch& scratch, const uint8_t* key32, const uint8_t* nonce24,
              const uint8_t* associated, size_t associatedBytes, uint8_t* bytes, size_t offset,
              size_t length);

// ---- What session keys are made from ----

// The public key, 32 bytes, of a private one of 32 random bytes; false where memory is missing.
bool x25519Public(const uint8_t* secret, uint8_t* publicKey);

// The shared secret, 32 bytes; false where it is all zero: the public key has a low order, and
// everybody would know the secret (RFC 7748 section 6.1).
bool x25519Agree(const uint8_t* secret, const uint8_t* publicKey, uint8_t* shared);

// DIGEST_BYTES of HMAC-SHA256; false where memory is missing.
bool hmacSha256(const uint8_t* key, size_t keyBytes, const uint8_t* bytes, size_t count,
                uint8_t* out);

}  // namespace netrt

#endif  // NETRT_CORE_SEAL_H_
