// Owns the provider that uses libsodium, linked statically where the build has it (NETRT_SODIUM).
// Never allocates: libsodium's functions take key and nonce with each call and keep nothing.
// Invariants: sodium_init chooses the fastest code for this machine; it runs before anything else
// here, and may run more than once and from several threads.
#include "core/provider.h"

#ifdef NETRT_SODIUM

#include <sodium.h>

#include <cstring>

namespace netrt {

namespace {

static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == KEY_BYTES, "same key");
static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == NONCE_BYTES, "same nonce");
static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == TAG_BYTES, "same tag");
static_assert(crypto_aead_aes256gcm_KEYBYTES == KEY_BYTES &&
                  crypto_aead_aes256gcm_NPUBBYTES == NONCE_BYTES &&
                  crypto_aead_aes256gcm_ABYTES == TAG_BYTES,
              "same key, nonce and tag");
static_assert(crypto_scalarmult_BYTES == KEY_BYTES, "a shared secret is as long as a key");
static_assert(crypto_auth_hmacsha256_BYTES == DIGEST_BYTES, "same digest");
static_assert(crypto_stream_chacha20_NONCEBYTES == 8, "counter and nonce are eight bytes each");

bool keyOpen(SealKey& key) {
  key.context = nullptr;
  return true;
}

void keyClose(SealKey&) {}

bool keySet(SealKey&, bool) { return true; }

// AES's round keys are made anew for each packet: that costs 25 ns, to keep them 512 B a key.
bool seal(SealKey& key, const uint8_t* nonce, const uint8_t* associated, size_t associatedBytes,
          uint8_t* bytes, size_t length) {
  if (key.suite == SUITE_AES) {
    return crypto_aead_aes256gcm_encrypt_detached(bytes, bytes + length, nullptr, bytes, length,
                                                  associated, associatedBytes, nullptr, nonce,
                                                  key.bytes) == 0;
  }
  return crypto_aead_chacha20poly1305_ietf_encrypt_detached(bytes, bytes + length, nullptr, bytes,
                                                            length, associated, associatedBytes,
                                                            nullptr, nonce, key.bytes) == 0;
}

bool open(SealKey& key, const uint8_t* nonce, const uint8_t* associated, size_t associatedBytes,
          uint8_t* bytes, size_t length) {
  // libsodium checks the tag first, but zeroes its output where the tag does not fit; `bytes` must
  // stay as it is then.
  uint8_t body[PAYLOAD_BYTES_MAX];
  const auto decrypt = key.suite == SUITE_AES ? crypto_aead_aes256gcm_decrypt_detached
                                              : crypto_aead_chacha20poly1305_ietf_decrypt_detached;
  if (decrypt(body, nullptr, bytes, length, bytes + length, associated, associatedBytes, nonce,
              key.bytes) != 0) {
    return false;
  }
  if (length > 0) std::memcpy(bytes, body, length);
  return true;
}

bool blockOpen(void** context) {
  *context = nullptr;
  return true;
}

void blockClose(void*) {}

bool block(void*, const uint8_t* key, const uint8_t* iv, uint8_t* out) {
  const uint8_t zeros[BLOCK_BYTES] = {};
  // This function is the original ChaCha20: a counter of 64 bits, then a nonce of 64 bits. As words
  // of the block's input they are the same sixteen bytes.
  uint64_t counter = 0;
  for (size_t index = 0; index < 8; index++) counter |= uint64_t{iv[index]} << (8 * index);
  return crypto_stream_chacha20_xor_ic(out, zeros, BLOCK_BYTES, iv + 8, counter, key) == 0;
}

bool aes() { return crypto_aead_aes256gcm_is_available() == 1; }

bool publicKey(const uint8_t* secret, uint8_t* out) {
  return crypto_scalarmult_base(out, secret) == 0;
}

bool agree(const uint8_t* secret, const uint8_t* publicKey, uint8_t* out) {
  return crypto_scalarmult(out, secret, publicKey) == 0;
}

bool hmac(const uint8_t* key, size_t keyBytes, const uint8_t* bytes, size_t count, uint8_t* out) {
  crypto_auth_hmacsha256_state state;
  const bool made = crypto_auth_hmacsha256_init(&state, key, keyBytes) == 0 &&
                    crypto_auth_hmacsha256_update(&state, bytes, count) == 0 &&
                    crypto_auth_hmacsha256_final(&state, out) == 0;
  sodium_memzero(&state, sizeof(state));
  return made;
}

constexpr SealProvider PROVIDER = {"sodium",   keyOpen, keyClose, keySet,    seal,  open, blockOpen,
                                   blockClose, block,   aes,      publicKey, agree, hmac};

}  // namespace

const SealProvider* sodiumProvider() { return sodium_init() >= 0 ? &PROVIDER : nullptr; }

}  // namespace netrt

#else

namespace netrt {

const SealProvider* sodiumProvider() { return nullptr; }

}  // namespace netrt

#endif  // NETRT_SODIUM
