// Owns the seam between `seal` and the libraries that have the ciphers.
// Never chooses: `seal` does.
// Invariants: a provider's functions allocate in keyOpen and blockOpen, for a key of another suite,
// and for what a connection makes its keys from; they keep no state but what hangs on the key or
// the block context. `open` writes nothing to `bytes` unless the tag fits.
#ifndef NETRT_CORE_PROVIDER_H_
#define NETRT_CORE_PROVIDER_H_

#include <cstddef>
#include <cstdint>

#include "core/seal.h"

namespace netrt {

// Bytes of one ChaCha20 block.
constexpr size_t BLOCK_BYTES = 64;
// Bytes of ChaCha20's counter and nonce together, as a cipher takes them.
constexpr size_t BLOCK_IV_BYTES = 16;

struct SealProvider {
  const char* name;
  bool (*keyOpen)(SealKey& key);
  void (*keyClose)(SealKey& key);
  // key.bytes is new, and key.suite where it says so.
  bool (*keySet)(SealKey& key, bool suiteChanged);
  // The tag goes to, or stands at, bytes + length. `length` is PAYLOAD_BYTES_MAX at most.
  bool (*seal)(SealKey& key, const uint8_t* nonce, const uint8_t* associated,
               size_t associatedBytes, uint8_t* bytes, size_t length);
  bool (*open)(SealKey& key, const uint8_t* nonce, const uint8_t* associated,
               size_t associatedBytes, uint8_t* bytes, size_t length);
  bool (*blockOpen)(void** context);
  void (*blockClose)(void* context);
  bool (*block)(void* context, const uint8_t* key, const uint8_t* iv, uint8_t* out);
  // Whether AES-256-GCM is there, in hardware.
  bool (*aes)();
  bool (*publicKey)(const uint8_t* secret, uint8_t* out);
  bool (*agree)(const uint8_t* secret, const uint8_t* publicKey, uint8_t* out);
  bool (*hmac)(const uint8_t* key, size_t keyBytes, const uint8_t* bytes, size_t count,
               uint8_t* out);
};

// Node's OpenSSL, or null where the process exports none that fits.
const SealProvider* evpProvider();

// libsodium, or null where the build has none.
const SealProvider* sodiumProvider();

// What serves in place of a provider that was chosen and proven: itself (seam.cc).
const SealProvider* providerSeam(const SealProvider* proven);

}  // namespace netrt

#endif  // NETRT_CORE_PROVIDER_H_
