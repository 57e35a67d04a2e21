// Owns the provider that uses the OpenSSL which the running process already has (Node's own).
// Never links OpenSSL and never includes its headers: a symbol that is referenced and missing kills
// the process at its first call, and other runtimes have none. The functions are looked up by name
// at first use, all or nothing; their prototypes are those of OpenSSL 1.1.1 and later.
// Invariants: one context for each key, made and given its cipher once; a packet changes the nonce
// and the direction only, which allocates nothing.
#include <cstring>

#include "core/provider.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif
#ifdef _MSC_VER
#include <intrin.h>
#endif

namespace netrt {

namespace {

// EVP_CTRL_AEAD_GET_TAG and EVP_CTRL_AEAD_SET_TAG.
constexpr int CONTROL_TAG_OUT = 0x10;
constexpr int CONTROL_TAG_IN = 0x11;
// 1.1.1: the first that takes X25519 keys as bytes.
constexpr unsigned long VERSION_MIN = 0x10101000ul;
// EVP_PKEY_X25519.
constexpr int KEY_TYPE_X25519 = 1034;

struct Evp {
  unsigned long (*versionNumber)();
  void* (*contextNew)();
  void (*contextFree)(void* context);
  int (*init)(void* context, const void* cipher, void* engine, const uint8_t* key,
              const uint8_t* iv, int encrypt);
  int (*update)(void* context, uint8_t* out, int* outBytes, const uint8_t* in, int inBytes);
  int (*final)(void* context, uint8_t* out, int* outBytes);
  int (*control)(void* context, int type, int value, void* pointer);
  const void* (*aeadCipher)();
  const void* (*streamCipher)();
  const void* (*aesCipher)();
  const void* (*sha256)();
  uint8_t* (*hmac)(const void* digest, const void* key, int keyBytes, const uint8_t* bytes,
                   size_t count, uint8_t* out, unsigned int* outBytes);
  void* (*privateNew)(int type, void* engine, const uint8_t* bytes, size_t count);
  void* (*publicNew)(int type, void* engine, const uint8_t* bytes, size_t count);
  int (*publicBytes)(const void* key, uint8_t* out, size_t* outBytes);
  void (*keyFree)(void* key);
  void* (*agreeNew)(void* key, void* engine);
  void (*agreeFree)(void* context);
  int (*agreeInit)(void* context);
  int (*agreePeer)(void* context, void* key);
  int (*agree)(void* context, uint8_t* out, size_t* outBytes);
  void (*errorsClear)();
};

template <typename Function>
bool find(Function& function, const char* name) {
#ifdef _WIN32
  void* symbol = reinterpret_cast<void*>(GetProcAddress(GetModuleHandleA(nullptr), name));
#else
  void* symbol = dlsym(RTLD_DEFAULT, name);
#endif
  static_assert(sizeof(symbol) == sizeof(function), "a function's address is a pointer");
  std::memcpy(&function, &symbol, sizeof(symbol));
  return symbol != nullptr;
}

struct Library {
  Evp evp = {};
  bool found = false;

  Library() {
    found =
        find(evp.versionNumber, "OpenSSL_version_num") && evp.versionNumber() >= VERSION_MIN &&
        find(evp.contextNew, "EVP_CIPHER_CTX_new") &&
        find(evp.contextFree, "EVP_CIPHER_CTX_free") && find(evp.init, "EVP_CipherInit_ex") &&
        find(evp.update, "EVP_CipherUpdate") && find(evp.final, "EVP_CipherFinal_ex") &&
        find(evp.control, "EVP_CIPHER_CTX_ctrl") && find(evp.aeadCipher, "EVP_chacha20_poly1305") &&
        find(evp.streamCipher, "EVP_chacha20") && find(evp.aesCipher, "EVP_aes_256_gcm") &&
        find(evp.sha256, "EVP_sha256") && find(evp.hmac, "HMAC") &&
        find(evp.privateNew, "EVP_PKEY_new_raw_private_key") &&
        find(evp.publicNew, "EVP_PKEY_new_raw_public_key") &&
        find(evp.publicBytes, "EVP_PKEY_get_raw_public_key") &&
        find(evp.keyFree, "EVP_PKEY_free") && find(evp.agreeNew, "EVP_PKEY_CTX_new") &&
        find(evp.agreeFree, "EVP_PKEY_CTX_free") && find(evp.agreeInit, "EVP_PKEY_derive_init") &&
        find(evp.agreePeer, "EVP_PKEY_derive_set_peer") && find(evp.agree, "EVP_PKEY_derive") &&
        find(evp.errorsClear, "ERR_clear_error");
  }
};

// Looked up once in the process and constant from then on.
const Library& library() {
  static const Library found;
  return found;
}

const Evp& evp() { return library().evp; }

// Whether a call went well. Node reads the thread's error queue after its own calls: ours must not
// be found there.
bool ok(bool good) {
  if (!good) evp().errorsClear();
  return good;
}

void* contextOpen(const void* cipher) {
  const uint8_t zeros[KEY_BYTES] = {};
  void* context = evp().contextNew();
  if (context == nullptr) return nullptr;
  if (ok(evp().init(context, cipher, nullptr, zeros, zeros, 1) == 1)) return context;
  evp().contextFree(context);
  return nullptr;
}

bool keyOpen(SealKey& key) {
  key.context = contextOpen(evp().aeadCipher());
  return key.context != nullptr;
}

void keyClose(SealKey& key) {
  evp().contextFree(key.context);
  key.context = nullptr;
}

bool keySet(SealKey& key, bool suiteChanged) {
  const uint8_t nonce[NONCE_BYTES] = {};
  const void* cipher = key.suite == SUITE_AES ? evp().aesCipher() : evp().aeadCipher();
  return ok(evp().init(key.context, suiteChanged ? cipher : nullptr, nullptr, key.bytes, nonce,
                       1) == 1);
}

bool feed(void* context, const uint8_t* associated, size_t associatedBytes, uint8_t* out,
          const uint8_t* in, size_t length) {
  int count = 0;
  if (associatedBytes > 0 &&
      evp().update(context, nullptr, &count, associated, static_cast<int>(associatedBytes)) != 1) {
    return false;
  }
  return length == 0 || evp().update(context, out, &count, in, static_cast<int>(length)) == 1;
}

bool seal(SealKey& key, const uint8_t* nonce, const uint8_t* associated, size_t associatedBytes,
          uint8_t* bytes, size_t length) {
  int count = 0;
  uint8_t rest[BLOCK_BYTES];
  const bool sealed = evp().init(key.context, nullptr, nullptr, nullptr, nonce, 1) == 1 &&
                      feed(key.context, associated, associatedBytes, bytes, bytes, length) &&
                      evp().final(key.context, rest, &count) == 1 &&
                      evp().control(key.context, CONTROL_TAG_OUT, TAG_BYTES, bytes + length) == 1;
  return ok(sealed);
}

bool open(SealKey& key, const uint8_t* nonce, const uint8_t* associated, size_t associatedBytes,
          uint8_t* bytes, size_t length) {
  int count = 0;
  uint8_t rest[BLOCK_BYTES];
  // EVP deciphers before it knows whether the tag fits; `bytes` must not see what does not.
  uint8_t body[PAYLOAD_BYTES_MAX];
  const bool opened = evp().init(key.context, nullptr, nullptr, nullptr, nonce, 0) == 1 &&
                      evp().control(key.context, CONTROL_TAG_IN, TAG_BYTES, bytes + length) == 1 &&
                      feed(key.context, associated, associatedBytes, body, bytes, length) &&
                      evp().final(key.context, rest, &count) == 1;
  if (!ok(opened)) return false;
  if (length > 0) std::memcpy(bytes, body, length);
  return true;
}

bool blockOpen(void** context) {
  *context = contextOpen(evp().streamCipher());
  return *context != nullptr;
}

void blockClose(void* context) { evp().contextFree(context); }

bool block(void* context, const uint8_t* key, const uint8_t* iv, uint8_t* out) {
  const uint8_t zeros[BLOCK_BYTES] = {};
  int count = 0;
  return ok(evp().init(context, nullptr, nullptr, key, iv, 1) == 1 &&
            evp().update(context, out, &count, zeros, BLOCK_BYTES) == 1 && count == BLOCK_BYTES);
}

// OpenSSL does AES without the hardware as well, but slower than ChaCha20.
bool aes() {
#if defined(_MSC_VER) && defined(_M_X64)
  int words[4];
  __cpuid(words, 1);
  return (words[2] & (1 << 25)) != 0 && (words[2] & (1 << 1)) != 0;
#elif defined(__x86_64__) || defined(__i386__)
  const bool both[] = {__builtin_cpu_supports("aes") != 0, __builtin_cpu_supports("pclmul") != 0};
  return both[0] & both[1];
#elif defined(__aarch64__) && defined(__linux__)
  // HWCAP_AES and HWCAP_PMULL.
  constexpr unsigned long BOTH = (1ul << 3) | (1ul << 4);
  constexpr unsigned long CAPABILITIES = 16;
  unsigned long (*auxiliary)(unsigned long) = nullptr;
  return find(auxiliary, "getauxval") && (auxiliary(CAPABILITIES) & BOTH) == BOTH;
#elif defined(__APPLE__) && defined(__aarch64__)
  return true;
#else
  return false;
#endif
}

bool publicKey(const uint8_t* secret, uint8_t* out) {
  size_t count = KEY_BYTES;
  void* key = evp().privateNew(KEY_TYPE_X25519, nullptr, secret, KEY_BYTES);
  const bool made = key != nullptr && evp().publicBytes(key, out, &count) == 1;
  evp().keyFree(key);
  return ok(made);
}

bool agree(const uint8_t* secret, const uint8_t* publicKey, uint8_t* out) {
  size_t count = KEY_BYTES;
  void* key = evp().privateNew(KEY_TYPE_X25519, nullptr, secret, KEY_BYTES);
  void* peer = evp().publicNew(KEY_TYPE_X25519, nullptr, publicKey, KEY_BYTES);
  void* context = key == nullptr ? nullptr : evp().agreeNew(key, nullptr);
  // It refuses a shared secret that is all zero.
  const bool agreed = context != nullptr && peer != nullptr && evp().agreeInit(context) == 1 &&
                      evp().agreePeer(context, peer) == 1 &&
                      evp().agree(context, out, &count) == 1 && count == KEY_BYTES;
  evp().agreeFree(context);
  evp().keyFree(peer);
  evp().keyFree(key);
  return ok(agreed);
}

bool hmac(const uint8_t* key, size_t keyBytes, const uint8_t* bytes, size_t count, uint8_t* out) {
  return ok(evp().hmac(evp().sha256(), key, static_cast<int>(keyBytes), bytes, count, out,
                       nullptr) != nullptr);
}

constexpr SealProvider PROVIDER = {"evp",      keyOpen, keyClose, keySet,    seal,  open, blockOpen,
                                   blockClose, block,   aes,      publicKey, agree, hmac};

}  // namespace

const SealProvider* evpProvider() { return library().found ? &PROVIDER : nullptr; }

}  // namespace netrt
