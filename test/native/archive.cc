// The archive of libsodium where it does not start, has no AES, or fails at a digest: it is not
// used, or not for that.
//
// Its functions are few and never fail by themselves; the linker puts ours before them. The file's
// name puts its tests before the first that chooses a provider for this process.
#include <cstring>

#include "apart.h"
#include "check.h"
#include "core/seal.h"

#if defined(NETRT_WRAP) && defined(NETRT_SODIUM)

#include <sodium.h>

namespace {

enum class Fault { NONE, START, AES, BEGIN, UPDATE, END };

Fault fault = Fault::NONE;

using State = crypto_auth_hmacsha256_state;

}  // namespace

extern "C" {
int __real_sodium_init(void);
int __real_crypto_aead_aes256gcm_is_available(void);
int __real_crypto_auth_hmacsha256_init(State* state, const unsigned char* key, size_t bytes);
int __real_crypto_auth_hmacsha256_update(State* state, const unsigned char* in,
                                         unsigned long long bytes);
int __real_crypto_auth_hmacsha256_final(State* state, unsigned char* out);

int __wrap_sodium_init(void) { return fault == Fault::START ? -1 : __real_sodium_init(); }

int __wrap_crypto_aead_aes256gcm_is_available(void) {
  return fault == Fault::AES ? 0 : __real_crypto_aead_aes256gcm_is_available();
}

int __wrap_crypto_auth_hmacsha256_init(State* state, const unsigned char* key, size_t bytes) {
  return fault == Fault::BEGIN ? -1 : __real_crypto_auth_hmacsha256_init(state, key, bytes);
}

int __wrap_crypto_auth_hmacsha256_update(State* state, const unsigned char* in,
                                         unsigned long long bytes) {
  return fault == Fault::UPDATE ? -1 : __real_crypto_auth_hmacsha256_update(state, in, bytes);
}

int __wrap_crypto_auth_hmacsha256_final(State* state, unsigned char* out) {
  return fault == Fault::END ? -1 : __real_crypto_auth_hmacsha256_final(state, out);
}
}

namespace {

using namespace netrt;
using namespace netrt::test;

bool isSodium() { return sealInit() != nullptr && std::strcmp(sealInit(), "sodium") == 0; }

template <typename Body>
bool with(Fault what, Body body) {
  return apart("sodium", [&] {
    fault = what;
    return body();
  });
}

}  // namespace

TEST(sodiumThatDoesNotWorkIsNotUsed) {
  CHECK(with(Fault::NONE, isSodium));
  for (const Fault what : {Fault::START, Fault::BEGIN, Fault::UPDATE, Fault::END}) {
    CHECK(with(what, [] { return sealInit() == nullptr; }));
  }
}

TEST(sodiumWithoutAesIsUsedWithoutIt) {
  CHECK(with(Fault::AES, [] { return isSodium() && sealSuites() == SUITES_ALWAYS; }));
}

#endif  // NETRT_WRAP && NETRT_SODIUM
